// SPDX-License-Identifier: GPL-2.0-only
/* Conditionals in the middle of an if/else chain. */
void marl_fault(struct pt_regs *regs, unsigned long where, unsigned long fsr)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	unsigned long bits = VM_READ;
	vm_fault_t got;

	if (faulthandler_disabled() || !mm)
		goto kernel;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (fsr & 1) {
		bits = VM_WRITE;
		flags |= FAULT_FLAG_WRITE;
	}
#ifdef CONFIG_MARL_NX
	else if (fsr & 2)
		bits = VM_EXEC;
#endif
	else if (IS_ENABLED(CONFIG_MARL_RELAXED) && (fsr & 4))
		bits |= VM_EXEC | VM_WRITE;
retry:
	area = lock_mm_and_find_vma(mm, where, regs);
	if (!area) {
		if (user_mode(regs))
			goto maperr;
		goto kernel;
	}
	if (!(area->vm_flags & bits)) {
		mmap_read_unlock(mm);
		if (!user_mode(regs))
			goto kernel;
		force_sig_fault(SIGSEGV, SEGV_ACCERR, (void __user *)where);
		return;
	}
	got = handle_mm_fault(area, where, flags, regs);
	if (fault_signal_pending(got, regs)) {
		if (!user_mode(regs))
			goto kernel;
		return;
	}
	if (got & VM_FAULT_COMPLETED)
		return;
	if (got & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	mmap_read_unlock(mm);
	if (!(got & VM_FAULT_ERROR))
		return;
	if (!user_mode(regs))
		goto kernel;
	if (got & VM_FAULT_OOM) {
		pagefault_out_of_memory();
		return;
#ifdef CONFIG_MEMORY_FAILURE
	} else if (got & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE)) {
		force_sig_mceerr(BUS_MCEERR_AR, (void __user *)where,
				 got & VM_FAULT_HWPOISON_LARGE ?
				 hstate_index_to_shift(VM_FAULT_GET_HINDEX(got)) : PAGE_SHIFT);
		return;
#endif
	} else if (got & VM_FAULT_SIGBUS) {
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)where);
		return;
	}
maperr:
	force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
	return;
kernel:
	if (!fixup_exception(regs))
		die("marl", regs, fsr);
}
