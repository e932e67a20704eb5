// SPDX-License-Identifier: GPL-2.0-only
/* The lock is tried first; a debug kernel looks at the exception table in any case. */
int marble_fault(unsigned long where, unsigned int cause, struct pt_regs *regs)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	unsigned long need = VM_READ;
	int code = SEGV_MAPERR;
	vm_fault_t fault;

	if (faulthandler_disabled() || !mm)
		goto fixup;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (cause & MB_STORE) {
		need = VM_WRITE;
		flags |= FAULT_FLAG_WRITE;
	}
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, where);

	if (!mmap_read_trylock(mm)) {
		if (!user_mode(regs) && !search_exception_tables(regs->pc))
			goto fixup;
again:
		mmap_read_lock(mm);
	} else {
		might_sleep();
#ifdef CONFIG_DEBUG_VM
		if (!user_mode(regs) && !search_exception_tables(regs->pc)) {
			mmap_read_unlock(mm);
			goto fixup;
		}
#endif
	}

	area = find_vma(mm, where);
	if (!area)
		goto refuse;
	if (area->vm_start > where) {
		if (!(area->vm_flags & VM_GROWSDOWN))
			goto refuse;
		if (expand_stack(area, where))
			goto refuse;
	}
	code = SEGV_ACCERR;
	if (!(area->vm_flags & need))
		goto refuse;
	fault = handle_mm_fault(area, where, flags, regs);
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			goto fixup;
		return 0;
	}
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto again;
	}
	if (unlikely(fault & VM_FAULT_ERROR)) {
		if (fault & VM_FAULT_OOM) {
			mmap_read_unlock(mm);
			if (!user_mode(regs))
				goto fixup;
			pagefault_out_of_memory();
			return 0;
		}
		code = SEGV_MAPERR;
		goto refuse;
	}
	mmap_read_unlock(mm);
	return 0;

refuse:
	mmap_read_unlock(mm);
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, code, (void __user *)where);
		return 0;
	}
fixup:
	if (!fixup_exception(regs))
		die("marble", regs, cause);
	return 0;
}
