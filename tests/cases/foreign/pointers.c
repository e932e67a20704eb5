// SPDX-License-Identifier: GPL-2.0-only
/* What to do with a failure is looked up in a table of functions. */
struct shale_fault {
	struct pt_regs *regs;
	unsigned long where;
	unsigned int flags;
};

static void shale_bus(struct shale_fault *f)
{
	force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)f->where);
}

static void shale_segv(struct shale_fault *f)
{
	force_sig_fault(SIGSEGV, SEGV_ACCERR, (void __user *)f->where);
}

static void (*const shale_answers[])(struct shale_fault *) = { shale_segv, shale_bus };

static vm_fault_t shale_ask(struct shale_fault *f, unsigned long bits)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t got;

retry:
	vma = lock_mm_and_find_vma(mm, f->where, f->regs);
	if (!vma)
		return VM_FAULT_SIGSEGV;
	if (!(vma->vm_flags & bits)) {
		mmap_read_unlock(mm);
		return VM_FAULT_SIGSEGV;
	}
	got = handle_mm_fault(vma, f->where, f->flags, f->regs);
	if (fault_signal_pending(got, f->regs))
		return user_mode(f->regs) ? 0 : VM_FAULT_SIGBUS;
	if (got & VM_FAULT_COMPLETED)
		return 0;
	if (got & VM_FAULT_RETRY) {
		f->flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	mmap_read_unlock(mm);
	return got;
}

void shale_do_fault(struct pt_regs *regs, unsigned long where, int store)
{
	struct shale_fault f = { .regs = regs, .where = where, .flags = FAULT_FLAG_DEFAULT };
	vm_fault_t got;

	if (user_mode(regs))
		f.flags |= FAULT_FLAG_USER;
	if (store)
		f.flags |= FAULT_FLAG_WRITE;
	got = shale_ask(&f, store ? VM_WRITE : VM_READ);
	if (!(got & VM_FAULT_ERROR))
		return;
	if (!user_mode(regs)) {
		if (!fixup_exception(regs))
			die("shale", regs, 0);
		return;
	}
	if (got & VM_FAULT_OOM) {
		pagefault_out_of_memory();
		return;
	}
	shale_answers[!!(got & VM_FAULT_SIGBUS)](&f);
}
