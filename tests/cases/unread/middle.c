// SPDX-License-Identifier: GPL-2.0-only
/* A pointer into the middle of an array, and differences of pointers. */
static unsigned long chalk_bits[4] = { VM_READ, VM_WRITE, VM_EXEC, VM_READ | VM_WRITE };

void chalk_fault(struct pt_regs *regs, unsigned long where, unsigned int cause)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	unsigned long *bits = &chalk_bits[1];
	unsigned long local[3] = { VM_READ, VM_WRITE, VM_EXEC };
	unsigned long *p = local + 1;
	vm_fault_t got;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (cause & 1)
		flags |= FAULT_FLAG_WRITE;
	p[1] = VM_READ;
retry:
	area = lock_mm_and_find_vma(mm, where, regs);
	if (!area)
		goto bad;
	if (!(area->vm_flags & ((cause & 1) ? bits[0] : (cause & 2) ? local[2] : p[-1]))) {
		mmap_read_unlock(mm);
		goto bad;
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
bad:
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, SEGV_MAPERR + (bits - chalk_bits), (void __user *)where);
		return;
	}
kernel:
	if (!fixup_exception(regs))
		die("chalk", regs, cause);
}
