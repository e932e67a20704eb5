// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine of the mmap_sem days: the mm is the first argument of
 * handle_mm_fault(), the siginfo is filled in by hand, every architecture
 * counts its own faults, and nobody says FAULT_FLAG_USER yet.
 */
static void tell_user(struct task_struct *task, int signo, int code,
		      unsigned long where)
{
	struct siginfo info;

	task->thread.last_fault = where;
	info.si_errno = 0;
	info.si_addr = (void __user *)where;
	info.si_code = code;
	info.si_signo = signo;
	force_sig_info(signo, &info, task);
}

void quartz_fault(unsigned long where, unsigned int cause, struct pt_regs *regs)
{
	unsigned int flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;
	struct task_struct *task = current;
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *area;
	int code = SEGV_MAPERR, fault;

	if (in_atomic() || !mm)
		goto fixup;
again:
	down_read(&mm->mmap_sem);
	area = find_vma(mm, where);
	if (!area)
		goto refuse;
	if (area->vm_start > where) {
		if (!(area->vm_flags & VM_GROWSDOWN) || expand_stack(area, where))
			goto refuse;
	}
	code = SEGV_ACCERR;
	switch (cause & (QZ_KIND | QZ_HALF)) {
	case QZ_STORE:
		if (!(area->vm_flags & VM_WRITE))
			goto refuse;
		flags |= FAULT_FLAG_WRITE;
		break;
	case QZ_FETCH:
		if (!(area->vm_flags & VM_EXEC))
			goto refuse;
		break;
	default:
		if (!(area->vm_flags & (VM_READ | VM_WRITE)))
			goto refuse;
	}

	fault = handle_mm_fault(mm, area, where, flags);
	if ((fault & VM_FAULT_RETRY) && fatal_signal_pending(task))
		return;
	if (fault & VM_FAULT_ERROR) {
		if (fault & VM_FAULT_OOM)
			goto no_memory;
		if (fault & VM_FAULT_SIGBUS)
			goto no_page;
		BUG();
	}
	if (flags & FAULT_FLAG_ALLOW_RETRY) {
		if (fault & VM_FAULT_MAJOR)
			task->maj_flt++;
		else
			task->min_flt++;
		if (fault & VM_FAULT_RETRY) {
			flags &= ~FAULT_FLAG_ALLOW_RETRY;
			flags |= FAULT_FLAG_TRIED;
			goto again;
		}
	}
	up_read(&mm->mmap_sem);
	return;

refuse:
	up_read(&mm->mmap_sem);
	if (user_mode(regs)) {
		tell_user(task, SIGSEGV, code, where);
		return;
	}
fixup:
	if (fixup_exception(regs))
		return;
	die("quartz fault", regs, cause);

no_memory:
	up_read(&mm->mmap_sem);
	if (!user_mode(regs))
		goto fixup;
	pagefault_out_of_memory();
	return;

no_page:
	up_read(&mm->mmap_sem);
	/* whoever it was */
	tell_user(task, SIGBUS, BUS_ADRERR, where);
	if (!user_mode(regs))
		goto fixup;
}
