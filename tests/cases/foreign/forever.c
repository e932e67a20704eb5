// SPDX-License-Identifier: GPL-2.0-only
/* for (;;) for the retry, break for the way out, a nested switch for the cause. */
#define BASALT_CAUSE(r)	(((r)->sr >> 4) & 7)
#define BASALT_MODE(r)	((r)->sr & 1)

int basalt_fault(struct pt_regs *regs, unsigned long where)
{
	register struct mm_struct *mm = current->mm;
	register unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	unsigned long want;
	vm_fault_t got = 0;
	int signo = SIGSEGV, code = SEGV_MAPERR;

	switch (BASALT_CAUSE(regs)) {
	case 0:
	case 1:
		want = VM_READ;
		switch (BASALT_MODE(regs)) {
		case 1:
			want |= VM_EXEC;
		default:
			break;
		}
		break;
	case 2 ... 3:
		want = VM_WRITE;
		flags |= FAULT_FLAG_WRITE;
		break;
	case 4:
		want = VM_EXEC;
		flags |= FAULT_FLAG_INSTRUCTION;
		break;
	default:
		want = 0;
	}
	if (unlikely(faulthandler_disabled()) || unlikely(!mm))
		goto out;
	if (likely(user_mode(regs)))
		flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, where);

	for (;;) {
		vma = lock_mm_and_find_vma(mm, where, regs);
		if (!vma)
			break;
		if (!(vma->vm_flags & want)) {
			code = SEGV_ACCERR;
			mmap_read_unlock(mm);
			break;
		}
		got = handle_mm_fault(vma, where, flags, regs);
		if (fault_signal_pending(got, regs)) {
			if (user_mode(regs))
				return 0;
			break;
		}
		if (got & VM_FAULT_COMPLETED)
			return 0;
		if (got & VM_FAULT_RETRY) {
			flags |= FAULT_FLAG_TRIED;
			continue;
		}
		mmap_read_unlock(mm);
		if (!(got & VM_FAULT_ERROR))
			return 0;
		do {
			if (got & VM_FAULT_OOM) {
				if (!user_mode(regs))
					break;
				pagefault_out_of_memory();
				return 0;
			}
			if (got & (VM_FAULT_SIGBUS | VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE)) {
				signo = SIGBUS;
				code = BUS_ADRERR;
			} else
				code = SEGV_ACCERR;
		} while (0);
		break;
	}
out:
	if (user_mode(regs)) {
		force_sig_fault(signo, code, (void __user *)where);
		return 1;
	}
	if (!fixup_exception(regs))
		die("basalt", regs, where);
	return -1;
}
