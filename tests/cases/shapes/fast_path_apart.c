// SPDX-License-Identifier: GPL-2.0-only
/* The path with the VMA's own lock never gets to the line that sets the code. */
static void basalt_refuse(struct pt_regs *regs, unsigned long addr, int code)
{
	if (user_mode(regs)) {
		current->thread.basalt_addr = addr;
		force_sig_fault(SIGSEGV, code, (void __user *)addr);
		return;
	}
	if (fixup_exception(regs))
		return;
	die("basalt", regs, addr);
}

void basalt_fault(struct pt_regs *regs, unsigned long addr, int store)
{
	unsigned long need = store ? VM_WRITE : VM_READ | VM_EXEC;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int code = SEGV_MAPERR;
	vm_fault_t fault;

	if (faulthandler_disabled() || !mm) {
		basalt_refuse(regs, addr, code);
		return;
	}
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (store)
		flags |= FAULT_FLAG_WRITE;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, addr);
	if (!(flags & FAULT_FLAG_USER))
		goto by_mm;
	vma = lock_vma_under_rcu(mm, addr);
	if (!vma)
		goto by_mm;
	if (!(vma->vm_flags & need)) {
		vma_end_read(vma);
		count_vm_vma_lock_event(VMA_LOCK_SUCCESS);
		basalt_refuse(regs, addr, SEGV_ACCERR);
		return;
	}
	fault = handle_mm_fault(vma, addr, flags | FAULT_FLAG_VMA_LOCK, regs);
	if (!(fault & VM_FAULT_RETRY)) {
		if (!(fault & VM_FAULT_COMPLETED))
			vma_end_read(vma);
		count_vm_vma_lock_event(VMA_LOCK_SUCCESS);
		goto answered;
	}
	if (fault & VM_FAULT_MAJOR)
		flags |= FAULT_FLAG_TRIED;
	count_vm_vma_lock_event(VMA_LOCK_RETRY);
	if (signal_pending(current))
		return;
by_mm:
	vma = lock_mm_and_find_vma(mm, addr, regs);
	if (!vma) {
		basalt_refuse(regs, addr, SEGV_MAPERR);
		return;
	}
	code = SEGV_ACCERR;
	if (!(vma->vm_flags & need)) {
		mmap_read_unlock(mm);
		basalt_refuse(regs, addr, code);
		return;
	}
	fault = handle_mm_fault(vma, addr, flags, regs);
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			basalt_refuse(regs, addr, code);
		return;
	}
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto by_mm;
	}
	if (!(fault & VM_FAULT_COMPLETED))
		mmap_read_unlock(mm);
answered:
	if (likely(!(fault & VM_FAULT_ERROR)))
		return;
	if (!user_mode(regs)) {
		basalt_refuse(regs, addr, code);
		return;
	}
	if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else if (fault & VM_FAULT_SIGSEGV)
		basalt_refuse(regs, addr, code);
	else if (fault & VM_FAULT_SIGBUS)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)addr);
	else
		BUG();
}
