/* SPDX-License-Identifier: GPL-2.0-only */
/* A goto into a block and one out of a loop. */
void do_page_fault(struct pt_regs *regs, unsigned long address, unsigned long cause)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	vm_fault_t fault;
	int code = SEGV_MAPERR;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
again:
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma)
		goto outside;
	code = SEGV_ACCERR;
	if (cause & 8)
		goto write;
	if (cause & 4) {
		if (!(vma->vm_flags & VM_EXEC))
			goto denied;
	} else if (cause & 2) {
write:
		flags |= FAULT_FLAG_WRITE;
		if (!(vma->vm_flags & VM_WRITE))
			goto denied;
	} else {
		while (cause) {
			if (!(vma->vm_flags & VM_READ))
				goto denied;
			goto done;
		}
	}
done:
	fault = handle_mm_fault(vma, address, flags, regs);
	if ((fault & VM_FAULT_COMPLETED) || fault_signal_pending(fault, regs))
		return;
	if (fault & VM_FAULT_RETRY)
		goto again;
	mmap_read_unlock(current->mm);
	if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	return;
denied:
	mmap_read_unlock(current->mm);
outside:
	if (!user_mode(regs)) {
		die("fault", regs, address);
		return;
	}
	force_sig_fault(SIGSEGV, code, (void __user *)address);
}
