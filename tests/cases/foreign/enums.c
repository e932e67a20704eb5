// SPDX-License-Identifier: GPL-2.0-only
/* The dance answers with an enum; an out-parameter tells the code. */
enum opal_result { OPAL_DONE, OPAL_RETRY, OPAL_BAD, OPAL_KERNEL };

static enum opal_result opal_try(struct mm_struct *mm, struct pt_regs *regs, unsigned long addr,
				 unsigned int *flags, unsigned long need, vm_fault_t *out, int *code)
{
	struct vm_area_struct *area = lock_mm_and_find_vma(mm, addr, regs);
	vm_fault_t got;

	*out = 0;
	if (!area) {
		*code = SEGV_MAPERR;
		return OPAL_BAD;
	}
	if (!(area->vm_flags & need)) {
		mmap_read_unlock(mm);
		*code = SEGV_ACCERR;
		return OPAL_BAD;
	}
	got = handle_mm_fault(area, addr, *flags, regs);
	if (fault_signal_pending(got, regs))
		return user_mode(regs) ? OPAL_DONE : OPAL_KERNEL;
	if (got & VM_FAULT_COMPLETED)
		return OPAL_DONE;
	if (got & VM_FAULT_RETRY) {
		*flags |= FAULT_FLAG_TRIED;
		return OPAL_RETRY;
	}
	mmap_read_unlock(mm);
	*out = got & VM_FAULT_ERROR;
	return *out ? OPAL_BAD : OPAL_DONE;
}

void opal_fault(unsigned long addr, unsigned long err, struct pt_regs *regs)
{
	struct mm_struct *mm = current->mm;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	unsigned long need;
	enum opal_result r;
	vm_fault_t got;
	int code;

	if (faulthandler_disabled() || !mm) {
		r = OPAL_KERNEL;
		goto kernel;
	}
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	need = err & 2 ? VM_WRITE : err & 16 ? VM_EXEC : VM_READ | VM_EXEC;
	if (err & 2)
		flags |= FAULT_FLAG_WRITE;
	if (err & 16)
		flags |= FAULT_FLAG_INSTRUCTION;

	do {
		r = opal_try(mm, regs, addr, &flags, need, &got, &code);
	} while (r == OPAL_RETRY);

	switch (r) {
	case OPAL_DONE:
		return;
	case OPAL_BAD:
		if (user_mode(regs)) {
			if (got & VM_FAULT_OOM) {
				pagefault_out_of_memory();
				return;
			}
			if (got & (VM_FAULT_SIGBUS | VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE))
				force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)addr);
			else if (got)
				force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)addr);
			else
				force_sig_fault(SIGSEGV, code, (void __user *)addr);
			return;
		}
		fallthrough;
	case OPAL_KERNEL:
kernel:
		if (!fixup_exception(regs))
			die("opal", regs, err);
		break;
	default:
		BUG();
	}
}
