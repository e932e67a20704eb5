/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an architecture's page-fault handler shares with all the others.
 */
#ifndef _LINUX_GENERIC_FAULT_H
#define _LINUX_GENERIC_FAULT_H

struct pt_regs;

/**
 * enum generic_fault_result - what became of a fault on a user address
 * @GFAULT_DONE: handled; go back to where the fault happened.
 * @GFAULT_FOAD: not handled, but nothing is left for the caller to do: the
 *	OOM killer has been told, or a signal waits to be delivered.
 * @GFAULT_KERN: a kernel-mode access failed, for whatever reason; fix it up
 *	through the exception table, or oops.
 * @GFAULT_MAPERR: nothing is mapped there, and no stack may grow that far.
 * @GFAULT_ACCERR: the mapping does not permit the access.
 * @GFAULT_SIGSEGV: the mm refuses the access with %VM_FAULT_SIGSEGV.
 * @GFAULT_SIGBUS: the mapping has no page to offer there.
 * @GFAULT_POISON: this and all greater results tell of a hardware memory
 *	error; what they exceed it by is log2 of the size of the lost memory,
 *	in the way of si_addr_lsb.
 *
 * Everything but %GFAULT_DONE and %GFAULT_KERN happens to user mode only.
 */
enum generic_fault_result {
	GFAULT_DONE,
	GFAULT_FOAD,
	GFAULT_KERN,
	GFAULT_MAPERR,
	GFAULT_ACCERR,
	GFAULT_SIGSEGV,
	GFAULT_SIGBUS,
	GFAULT_POISON = 256,
};

unsigned int generic_fault(unsigned long address, unsigned int flags,
			   unsigned long vm_flags, struct pt_regs *regs);

#endif /* _LINUX_GENERIC_FAULT_H */
