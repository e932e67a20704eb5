/* SPDX-License-Identifier: GPL-2.0-only */
/* What a conversion does to a comparison: the same bits, two answers. */
void do_page_fault(struct pt_regs *regs, unsigned long address, unsigned long cause)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	vm_fault_t fault;
	int code = SEGV_MAPERR;
	unsigned int low = cause;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
again:
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma)
		goto outside;
	code = SEGV_ACCERR;
	if ((int)low < 0)
		goto denied;
	if (low > 0x7fffffffU)
		BUG();
	if ((char)cause < 0 && (unsigned char)cause > 0x7f && !(vma->vm_flags & VM_WRITE))
		goto denied;
	if ((signed char)cause >= 0 && !(vma->vm_flags & VM_READ))
		goto denied;
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
