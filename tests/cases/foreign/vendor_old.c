// SPDX-License-Identifier: GPL-2.0-only
/* Nineties style: goto out of everything, a siginfo cleared by hand, counters of its own. */
int
granite_page_fault(unsigned long vaddr, struct pt_regs *regs, int ecode)
{
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	struct siginfo info;
	unsigned int fl = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;
	int rv, w = (ecode >> 1) & 1, x = ecode & 8 ? 1 : 0;

	clear_siginfo(&info);
	info.si_signo = SIGSEGV;
	info.si_code = SEGV_MAPERR;
	info.si_addr = (void __user *)vaddr;
	mm = current->mm;
	if (in_atomic() || mm == NULL) goto fix;
	if (user_mode(regs)) fl |= FAULT_FLAG_USER;
	if (w) fl |= FAULT_FLAG_WRITE;
tryagain:
	down_read(&mm->mmap_sem);
	vma = find_vma(mm, vaddr);
	if (vma == NULL) goto nope;
	if (vma->vm_start <= vaddr) goto ok;
	if (!(vma->vm_flags & VM_GROWSDOWN)) goto nope;
	if (expand_stack(vma, vaddr) != 0) goto nope;
ok:	info.si_code = SEGV_ACCERR;
	if (w) { if (!(vma->vm_flags & VM_WRITE)) goto nope; }
	else if (x) { if (!(vma->vm_flags & VM_EXEC)) goto nope; }
	else if ((vma->vm_flags & (VM_READ | VM_EXEC)) == 0) goto nope;
	rv = handle_mm_fault(vma, vaddr, fl);
	if ((rv & VM_FAULT_RETRY) && fatal_signal_pending(current))
		goto done;
	if (rv & VM_FAULT_ERROR) {
		if (rv & VM_FAULT_OOM) goto oom;
		if (rv & VM_FAULT_SIGBUS) goto bus;
		if (rv & VM_FAULT_SIGSEGV) goto nope;
		BUG();
	}
	if (fl & FAULT_FLAG_ALLOW_RETRY) {
		if (rv & VM_FAULT_MAJOR) { current->maj_flt++; }
		else { current->min_flt++; }
		if (rv & VM_FAULT_RETRY) {
			fl &= ~FAULT_FLAG_ALLOW_RETRY;
			fl |= FAULT_FLAG_TRIED;
			goto tryagain;
		}
	}
	up_read(&mm->mmap_sem);
done:	return 0;
nope:	up_read(&mm->mmap_sem);
	if (user_mode(regs)) { force_sig_info(info.si_signo, &info, current); return 1; }
fix:	if (fixup_exception(regs)) return 2;
	die("granite", regs, ecode);
oom:	up_read(&mm->mmap_sem);
	if (!user_mode(regs)) goto fix;
	pagefault_out_of_memory();
	return 0;
bus:	up_read(&mm->mmap_sem);
	if (!user_mode(regs)) goto fix;
	info.si_signo = SIGBUS;
	info.si_code = BUS_ADRERR;
	force_sig_info(SIGBUS, &info, current);
	return 1;
}
