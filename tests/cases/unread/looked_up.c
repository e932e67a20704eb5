// SPDX-License-Identifier: GPL-2.0-only
/* The cause indexes a table of what the access needs. */
static const struct {
	unsigned int flags;
	unsigned long bits;
} gneiss_causes[] = {
	[0] = { .flags = 0, .bits = VM_READ },
	[1] = { .flags = FAULT_FLAG_WRITE, .bits = VM_WRITE },
	[2] = { .flags = FAULT_FLAG_INSTRUCTION, .bits = VM_EXEC },
	[3] = { .flags = 0, .bits = VM_READ | VM_WRITE | VM_EXEC },
};

void gneiss_fault(struct pt_regs *regs, unsigned long where, unsigned int cause)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	unsigned int flags = FAULT_FLAG_DEFAULT | gneiss_causes[cause & 3].flags;
	unsigned long bits = gneiss_causes[cause & 3].bits;
	vm_fault_t got;

	if (faulthandler_disabled() || !mm)
		goto kernel;
	flags |= user_mode(regs) ? FAULT_FLAG_USER : 0;
retry:
	area = lock_mm_and_find_vma(mm, where, regs);
	if (!area) {
		if (user_mode(regs)) {
			force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
			return;
		}
		goto kernel;
	}
	if (!(area->vm_flags & bits)) {
		mmap_read_unlock(mm);
		if (user_mode(regs)) {
			force_sig_fault(SIGSEGV, SEGV_ACCERR, (void __user *)where);
			return;
		}
		goto kernel;
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
	if (got & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else if (got & VM_FAULT_SIGSEGV)
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
	else
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)where);
	return;
kernel:
	if (!fixup_exception(regs))
		die("gneiss", regs, cause);
}
