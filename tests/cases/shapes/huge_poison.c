// SPDX-License-Identifier: GPL-2.0-only
/* A page lost to a memory error is SIGBUS; nobody thought of a huge page. */
static void granite_segv(struct pt_regs *regs, int code)
{
	report_user_fault(regs, SIGSEGV);
	force_sig_fault(SIGSEGV, code, (void __user *)granite_address(regs));
}

static void granite_refuse(struct pt_regs *regs, int code)
{
	if (user_mode(regs)) {
		if (WARN_ON_ONCE(!code))
			code = SEGV_MAPERR;
		return granite_segv(regs, code);
	}
	if (fixup_exception(regs))
		return;
	die(regs, "granite");
}

void granite_fault(struct pt_regs *regs, int need)
{
	struct mm_struct *mm = current->mm;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	unsigned long addr = granite_address(regs);
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (faulthandler_disabled() || !mm)
		return granite_refuse(regs, 0);
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (granite_stored(regs))
		need = VM_WRITE;
	if (need == VM_WRITE)
		flags |= FAULT_FLAG_WRITE;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, addr);
again:
	vma = lock_mm_and_find_vma(mm, addr, regs);
	if (!vma)
		return granite_refuse(regs, SEGV_MAPERR);
	if (!(vma->vm_flags & need)) {
		mmap_read_unlock(mm);
		return granite_refuse(regs, SEGV_ACCERR);
	}
	fault = handle_mm_fault(vma, addr, flags, regs);
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			granite_refuse(regs, 0);
		return;
	}
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto again;
	}
	if (fault & VM_FAULT_COMPLETED)
		return;
	mmap_read_unlock(mm);
	if (likely(!(fault & VM_FAULT_ERROR)))
		return;
	if (!user_mode(regs)) {
		granite_refuse(regs, 0);
	} else if (fault & VM_FAULT_OOM) {
		pagefault_out_of_memory();
	} else if (fault & VM_FAULT_SIGSEGV) {
		granite_segv(regs, SEGV_MAPERR);
	} else if (fault & (VM_FAULT_SIGBUS | VM_FAULT_HWPOISON)) {
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)addr);
	} else {
		pr_emerg("granite: no idea what %x is\n", fault);
		BUG();
	}
}
