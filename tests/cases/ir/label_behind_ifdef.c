/* SPDX-License-Identifier: GPL-2.0-only */
/* A label that only one configuration has, and a macro that hides where a goto leads. */
#ifdef CONFIG_HIGH
#define FAR_TARGET	far
#else
#define FAR_TARGET	outside
#endif

void do_page_fault(struct pt_regs *regs, unsigned long address, int write)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (address >= TASK_SIZE)
		goto FAR_TARGET;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
again:
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma)
		goto FAR_TARGET;
	if (write) {
		flags |= FAULT_FLAG_WRITE;
		if (!(vma->vm_flags & VM_WRITE))
			goto denied;
	}
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault & VM_FAULT_RETRY)
		goto again;
	mmap_read_unlock(current->mm);
	return;
denied:
	mmap_read_unlock(current->mm);
	goto outside;
#ifdef CONFIG_HIGH
far:
	if (user_mode(regs)) {
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
		return;
	}
#endif
outside:
	if (fixup_exception(regs))
		return;
	force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)address);
}
