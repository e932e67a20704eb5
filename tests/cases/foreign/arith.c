// SPDX-License-Identifier: GPL-2.0-only
/* Sign and width matter in what the cause says. */
void lapis_fault(struct pt_regs *regs, unsigned long where, unsigned char esr, signed char depth)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	unsigned long need = VM_READ;
	vm_fault_t got;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if ((esr << 4) > 0xff0)
		need = VM_EXEC;
	else if (~esr & 0x80 && (char)(esr << 1) < 0) {
		need = VM_WRITE;
		flags |= FAULT_FLAG_WRITE;
	} else if (depth >> 1 == -1 || (unsigned short)depth == 0xff80)
		need |= VM_WRITE;
	else if (esr - 1 > 0u)
		need |= VM_EXEC;
retry:
	area = lock_mm_and_find_vma(mm, where, regs);
	if (!area)
		goto bad;
	if (!(area->vm_flags & need)) {
		mmap_read_unlock(mm);
		goto bad;
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
bad:
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
		return;
	}
kernel:
	if (!fixup_exception(regs))
		die("lapis", regs, esr);
}
