// SPDX-License-Identifier: GPL-2.0-only
/* The retry is a call of itself. */
static void __tuff_fault(struct pt_regs *regs, unsigned long where, unsigned int flags)
{
	const unsigned long bits = flags & FAULT_FLAG_WRITE ? VM_WRITE : VM_READ;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t got;

	vma = lock_mm_and_find_vma(mm, where, regs);
	if (!vma) {
		if (user_mode(regs))
			force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
		else if (!fixup_exception(regs))
			die("tuff", regs, 0);
		return;
	}
	if (!(vma->vm_flags & bits)) {
		mmap_read_unlock(mm);
		if (user_mode(regs))
			force_sig_fault(SIGSEGV, SEGV_ACCERR, (void __user *)where);
		else if (!fixup_exception(regs))
			die("tuff", regs, 0);
		return;
	}
	got = handle_mm_fault(vma, where, flags, regs);
	if (fault_signal_pending(got, regs)) {
		if (!user_mode(regs) && !fixup_exception(regs))
			die("tuff", regs, 0);
		return;
	}
	if (got & VM_FAULT_COMPLETED)
		return;
	if (got & VM_FAULT_RETRY) {
		__tuff_fault(regs, where, flags | FAULT_FLAG_TRIED);
		return;
	}
	mmap_read_unlock(mm);
	if (got & VM_FAULT_ERROR) {
		if (user_mode(regs))
			force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)where);
		else if (!fixup_exception(regs))
			die("tuff", regs, 0);
	}
}

void tuff_fault(struct pt_regs *regs, unsigned long where, int store)
{
	__tuff_fault(regs, where, FAULT_FLAG_DEFAULT | (user_mode(regs) ? FAULT_FLAG_USER : 0) |
		     (store ? FAULT_FLAG_WRITE : 0));
}
