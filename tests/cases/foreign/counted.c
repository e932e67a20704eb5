// SPDX-License-Identifier: GPL-2.0-only
/* At most three tries, counted. */
void jade_fault(struct pt_regs *regs, unsigned long where, bool store)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	unsigned int flags = FAULT_FLAG_DEFAULT, tries = 3;
	vm_fault_t got = 0;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (store)
		flags |= FAULT_FLAG_WRITE;
	while (tries--) {
		area = lock_mm_and_find_vma(mm, where, regs);
		if (!area)
			goto segv;
		if (!(area->vm_flags & (store ? VM_WRITE : VM_READ))) {
			mmap_read_unlock(mm);
			goto segv;
		}
		got = handle_mm_fault(area, where, flags, regs);
		if (fault_signal_pending(got, regs)) {
			if (!user_mode(regs))
				goto kernel;
			return;
		}
		if (got & VM_FAULT_COMPLETED)
			return;
		if (!(got & VM_FAULT_RETRY)) {
			mmap_read_unlock(mm);
			break;
		}
		flags |= FAULT_FLAG_TRIED;
	}
	if (!(got & VM_FAULT_ERROR))
		return;
	if (!user_mode(regs))
		goto kernel;
	if (got & VM_FAULT_OOM) {
		pagefault_out_of_memory();
		return;
	}
	if (got & VM_FAULT_SIGBUS) {
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)where);
		return;
	}
segv:
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
		return;
	}
kernel:
	if (!fixup_exception(regs))
		die("jade", regs, store);
}
