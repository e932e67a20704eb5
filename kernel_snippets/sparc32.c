// SPDX-License-Identifier: GPL-2.0-only
/*
 * 32-bit sparc, two loops over the same mm with different rules:
 *  - mode is the PS bit of the saved PSR; a text fault's address is the PC;
 *  - the signal carries an address worked out from the instruction;
 *  - the exception table is consulted without a look at what comes back;
 *  - SIGBUS is sent in either mode, the user's runs on into the vmalloc code;
 *  - force_user_fault() serves register windows: no retry, and a switch over
 *    the result that knows SIGBUS and OOM.
 */
#include <linux/extable.h>
#include <linux/perf_event.h>
#include "mm_32.h"

static void send_at_insn(struct pt_regs *regs, int sig, int code, int text_fault)
{
	unsigned long addr = regs->pc;
	unsigned int insn;

	if (!text_fault) {
		__get_user(insn, (unsigned int __user *)regs->pc);
		addr = safe_compute_effective_address(regs, insn);
	}
	force_sig_fault(sig, code, (void __user *)addr);
}

asmlinkage void do_sparc_fault(struct pt_regs *regs, int text_fault, int write,
			       unsigned long address)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	int from_user = !(regs->psr & PSR_PS);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int code = SEGV_MAPERR;
	vm_fault_t fault;

	address = text_fault ? regs->pc : address;
	if (address >= TASK_SIZE)
		goto vmalloc;
	if (!mm || pagefault_disabled())
		goto extable;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
reload:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (!vma)
		goto segv;
	code = SEGV_ACCERR;
	if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ | VM_EXEC)))
		goto segv_unlock;
	flags |= (from_user ? FAULT_FLAG_USER : 0) | (write ? FAULT_FLAG_WRITE : 0);
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs) || (fault & VM_FAULT_COMPLETED))
		return;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto reload;
	}
	if (fault & VM_FAULT_SIGSEGV)
		goto segv_unlock;
	BUG_ON(fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE));
	mmap_read_unlock(mm);
	if (fault & VM_FAULT_SIGBUS)
		goto sigbus;
	if ((fault & VM_FAULT_OOM) && !from_user)
		goto extable;
	if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	return;
segv_unlock:
	mmap_read_unlock(mm);
segv:
	if (from_user)
		return send_at_insn(regs, SIGSEGV, code, text_fault);
extable:
	regs->pc = search_exception_tables(regs->pc)->fixup;
	regs->npc = regs->pc + 4;
	return;
sigbus:
	send_at_insn(regs, SIGBUS, BUS_ADRERR, text_fault);
	if (!from_user)
		goto extable;
vmalloc:
	if (!sparc_copy_kernel_pmd(current->active_mm, address))
		goto segv;
}

static void force_user_fault(unsigned long address, int write)
{
	unsigned int flags = FAULT_FLAG_USER | (write ? FAULT_FLAG_WRITE : 0);
	struct mm_struct *mm = current->mm;
	int sig = SIGSEGV, code = SEGV_MAPERR;
	struct vm_area_struct *vma;

	vma = lock_mm_and_find_vma(mm, address, NULL);
	if (vma) {
		code = SEGV_ACCERR;
		if (vma->vm_flags & (write ? VM_WRITE : VM_READ | VM_EXEC)) {
			sig = 0;
			code = BUS_ADRERR;
			switch (handle_mm_fault(vma, address, flags, NULL)) {
			case VM_FAULT_OOM:
			case VM_FAULT_SIGBUS:
				sig = SIGBUS;
			}
		}
		mmap_read_unlock(mm);
	}
	if (sig)
		force_sig_fault(sig, code, (void __user *)address);
}
