// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TLB code is told the cause between lookup and fault, and the thread
 * remembers the address of most failures in kernel mode, but not of all.
 */
static void flint_fixup(struct pt_regs *regs, unsigned long addr)
{
	if (!fixup_exception(regs))
		die("flint", regs, addr);
}

void flint_fault(struct pt_regs *regs, unsigned long cause, unsigned long addr)
{
	struct mm_struct *mm = current->mm;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	int code = SEGV_MAPERR;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (faulthandler_disabled() || !mm) {
		flint_fixup(regs, addr);
		return;
	}
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (cause & FLINT_STORE)
		flags |= FAULT_FLAG_WRITE;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, addr);
again:
	vma = lock_mm_and_find_vma(mm, addr, regs);
	if (!vma)
		goto refused;
	if (!(vma->vm_flags & (cause & FLINT_STORE ? VM_WRITE : VM_READ))) {
		mmap_read_unlock(mm);
		code = SEGV_ACCERR;
		goto refused;
	}
	set_flint_cause(cause);
	fault = handle_mm_fault(vma, addr, flags, regs);
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			flint_fixup(regs, addr);
		return;
	}
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto again;
	}
	if (fault & VM_FAULT_COMPLETED)
		return;
	mmap_read_unlock(mm);
	if (likely(!(fault & VM_FAULT_ERROR)))
		return;
	if (user_mode(regs) && (fault & VM_FAULT_OOM)) {
		pagefault_out_of_memory();
		return;
	}
refused:
	current->thread.flint_address = addr;
	if (user_mode(regs))
		force_sig_fault(SIGSEGV, code, (void __user *)addr);
	else
		flint_fixup(regs, addr);
}
