// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hexagon, under its minimal hypervisor: three entry points, one handler:
 *  - the entry point tells the cause, a switch without default checks it;
 *  - FAULT_FLAG_WRITE is only added once the VMA has been found writable;
 *  - VM_FAULT_SIGSEGV is reported as SEGV_ACCERR, poison likewise;
 *  - a kernel-mode fault with a fatal signal returns to the same instruction;
 *  - the exception table is walked by hand and ELR written through a helper.
 */
#include <linux/extable.h>
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <asm/traps.h>
#include <asm/vm_fault.h>

enum { FLT_IFETCH = -1, FLT_LOAD = 0, FLT_STORE = 1 };

void do_page_fault(unsigned long address, long cause, struct pt_regs *regs)
{
	const struct exception_table_entry *landing;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	int code = SEGV_MAPERR;
	vm_fault_t outcome;

	if (unlikely(!mm || in_interrupt()))
		goto kernel;
	local_irq_enable();

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
restart:
	area = lock_mm_and_find_vma(mm, address, regs);
	if (unlikely(!area))
		goto segv;

	code = SEGV_ACCERR;
	switch (cause) {
	case FLT_STORE:
		if (!(area->vm_flags & VM_WRITE))
			goto segv_locked;
		flags |= FAULT_FLAG_WRITE;
		break;
	case FLT_LOAD:
		if (!(area->vm_flags & VM_READ))
			goto segv_locked;
		break;
	case FLT_IFETCH:
		if (!(area->vm_flags & VM_EXEC))
			goto segv_locked;
		break;
	}

	outcome = handle_mm_fault(area, address, flags, regs);
	if (fault_signal_pending(outcome, regs))
		return;
	if (outcome & VM_FAULT_COMPLETED)
		return;
	if (outcome & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto restart;
	}

	mmap_read_unlock(mm);
	if (likely(!(outcome & VM_FAULT_ERROR)))
		return;
	if (!user_mode(regs))
		goto kernel;
	if (outcome & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else if (outcome & VM_FAULT_SIGBUS)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	else
		force_sig_fault(SIGSEGV, SEGV_ACCERR, (void __user *)address);
	return;

segv_locked:
	mmap_read_unlock(mm);
segv:
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, code, (void __user *)address);
		return;
	}
kernel:
	landing = search_exception_tables(pt_elr(regs));
	if (!landing) {
		bust_spinlocks(1);
		pr_emerg("kernel touched %08lx, regs %p\n", address, regs);
		die("Bad Kernel VA", regs, SIGKILL);
		return;
	}
	pt_set_elr(regs, landing->fixup);
}

void read_protection_fault(struct pt_regs *regs)
{
	do_page_fault(pt_badva(regs), FLT_LOAD, regs);
}

void write_protection_fault(struct pt_regs *regs)
{
	do_page_fault(pt_badva(regs), FLT_STORE, regs);
}

void execute_protection_fault(struct pt_regs *regs)
{
	do_page_fault(pt_badva(regs), FLT_IFETCH, regs);
}
