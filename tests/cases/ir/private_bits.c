/* SPDX-License-Identifier: GPL-2.0-only */
/* Private VM_FAULT bits that overlap those of the mm, helpers that return codes, a do-while. */
#define VM_FAULT_NOWHERE	0x010000
#define VM_FAULT_REFUSED	0x020000

static bool refuses(unsigned int fsr, struct vm_area_struct *vma)
{
	unsigned long wanted = VM_READ;

	if (fsr & 1)
		wanted = VM_WRITE;
	return (vma->vm_flags & wanted) == 0;
}

static vm_fault_t one_pass(struct vm_area_struct *vma, unsigned long address, unsigned int fsr,
			   unsigned int flags, struct pt_regs *regs)
{
	if (refuses(fsr, vma))
		return VM_FAULT_REFUSED;
	return handle_mm_fault(vma, address, flags, regs);
}

int do_page_fault(unsigned long address, unsigned int fsr, struct pt_regs *regs)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (fsr & 1)
		flags |= FAULT_FLAG_WRITE;
	do {
		vma = lock_mm_and_find_vma(current->mm, address, regs);
		if (!vma) {
			fault = VM_FAULT_NOWHERE;
			goto wrong;
		}
		fault = one_pass(vma, address, fsr, flags, regs);
		if (fault_signal_pending(fault, regs))
			return user_mode(regs) ? 0 : 1;
		if (fault & VM_FAULT_COMPLETED)
			return 0;
		flags |= FAULT_FLAG_TRIED;
	} while (fault & VM_FAULT_RETRY);
	mmap_read_unlock(current->mm);
	if (!(fault & (VM_FAULT_ERROR | VM_FAULT_NOWHERE | VM_FAULT_REFUSED)))
		return 0;
	if (fault & VM_FAULT_OOM) {
		pagefault_out_of_memory();
		return 0;
	}
wrong:
	if (!user_mode(regs))
		return fixup_exception(regs) ? 0 : -EFAULT;
	force_sig_fault(SIGSEGV, fault == VM_FAULT_REFUSED ? SEGV_ACCERR : SEGV_MAPERR,
			(void __user *)address);
	return 0;
}
