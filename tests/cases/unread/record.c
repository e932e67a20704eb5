// SPDX-License-Identifier: GPL-2.0-only
/* The state of a got in a struct of the file's own, handed about by value and by pointer. */
struct onyx {
	unsigned long addr;
	u8 kind:2, user:1;
	s8 depth;
	u16 need;
};

static struct onyx onyx_of(struct pt_regs *regs, unsigned long addr, int cause)
{
	struct onyx x = { .addr = addr, .kind = cause, .user = user_mode(regs) };

	x.need = x.kind == 3 ? VM_EXEC : x.kind == 2 ? VM_WRITE : VM_READ;
	return x;
}

void onyx_fault(struct pt_regs *regs, unsigned long addr, int cause)
{
	struct onyx x = onyx_of(regs, addr, cause), *px = &x;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	unsigned int flags;
	vm_fault_t got;

	if (faulthandler_disabled() || !mm)
		goto kernel;
	flags = FAULT_FLAG_DEFAULT, flags |= px->user ? FAULT_FLAG_USER : 0;
	if (px->kind == 2)
		flags |= FAULT_FLAG_WRITE;
retry:
	area = lock_mm_and_find_vma(mm, x.addr, regs);
	if (!area) {
		if (px->user) {
			force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)px->addr);
			return;
		}
		goto kernel;
	}
	if (!(area->vm_flags & px->need)) {
		mmap_read_unlock(mm);
		if (!x.user)
			goto kernel;
		force_sig_fault(SIGSEGV, SEGV_ACCERR, (void __user *)x.addr);
		return;
	}
	got = handle_mm_fault(area, px->addr, flags, regs);
	if (fault_signal_pending(got, regs)) {
		if (!x.user)
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
	if (!x.user)
		goto kernel;
	if (got & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)x.addr);
	return;
kernel:
	if (!fixup_exception(regs))
		die("onyx", regs, cause);
}
