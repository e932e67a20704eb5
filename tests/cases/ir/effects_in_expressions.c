/* SPDX-License-Identifier: GPL-2.0-only */
/* Statement expressions, commas, increments, asm outputs and assignments inside conditions. */
void do_page_fault(struct pt_regs *regs, unsigned long address, unsigned long cause)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	vm_fault_t fault;
	int code = SEGV_MAPERR;
	unsigned long insn;
	int n, tries = 0;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
again:
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma)
		goto outside;
	code = SEGV_ACCERR;
	if ((insn = ({ unsigned long t; asm("ld %0, %1" : "=r" (t) : "r" (regs->pc)); t; })) & 1)
		tries++;
	if (n = tries++, n > 0 && --tries) {
		flags |= FAULT_FLAG_WRITE;
		if (!(vma->vm_flags & VM_WRITE))
			goto denied;
	} else if (!(vma->vm_flags & VM_READ)) {
		goto denied;
	}
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
