// SPDX-License-Identifier: GPL-2.0-only
/* The mode is a bit of the cause, and what the mm is told is whether it is a store. */
#define CAUSE_USER 4

void flint_fault(struct pt_regs *regs, unsigned long cause, unsigned long where, int store)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	siginfo_t info;
	int fault;

	info.si_code = SEGV_MAPERR;
	down_read(&mm->mmap_sem);
	area = find_vma(mm, where);
	if (!area || area->vm_start > where)
		goto refuse;
	info.si_code = SEGV_ACCERR;
	if (!(area->vm_flags & (store ? VM_WRITE : VM_READ)))
		goto refuse;
	fault = handle_mm_fault(mm, area, where, store);
	if (fault & VM_FAULT_ERROR)
		goto refuse;
	up_read(&mm->mmap_sem);
	return;

refuse:
	up_read(&mm->mmap_sem);
	if (cause & CAUSE_USER) {
		info.si_signo = SIGSEGV;
		info.si_addr = (void *)where;
		force_sig_info(SIGSEGV, &info, current);
		return;
	}
	if (!search_exception_table(regs->pc))
		die("flint", regs, cause);
}
