// SPDX-License-Identifier: GPL-2.0-only
/* The cause is a union of bit fields, read through a statement expression. */
union slate_cause {
	unsigned int word;
	struct {
		unsigned int write : 1;
		unsigned int fetch : 1;
		unsigned int : 2;
		unsigned int kind : 4;
	};
};

#define slate_read_cause(r) ({ union slate_cause __c; __c.word = (r)->cause; __c; })

static __always_inline unsigned long slate_mask(union slate_cause c)
{
	return c.write ? VM_WRITE : c.fetch ? VM_EXEC : (VM_READ | VM_WRITE | VM_EXEC);
}

void slate_fault(struct pt_regs *regs)
{
	union slate_cause cause = slate_read_cause(regs);
	unsigned long where = regs->badaddr;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t got;

	if (faulthandler_disabled() || !mm)
		goto kernel;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (cause.write)
		flags |= FAULT_FLAG_WRITE;
retry:
	area = lock_mm_and_find_vma(mm, where, regs);
	if (!area) {
		if (user_mode(regs)) {
			force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
			return;
		}
		goto kernel;
	}
	if (!(area->vm_flags & slate_mask(cause))) {
		mmap_read_unlock(mm);
		if (user_mode(regs)) {
			force_sig_fault(SIGSEGV, SEGV_ACCERR, (void __user *)where);
			return;
		}
		goto kernel;
	}
	got = handle_mm_fault(area, where, flags, regs);
	if (fault_signal_pending(got, regs)) {
		if (!user_mode(regs))
			goto kernel;
		return;
	}
	if (got & VM_FAULT_COMPLETED)
		return;
	if (got & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	mmap_read_unlock(mm);
	if (!(got & VM_FAULT_ERROR))
		return;
	if (!user_mode(regs))
		goto kernel;
	if (got & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)where);
	return;
kernel:
	if (!fixup_exception(regs))
		die("slate", regs, cause.kind);
}
