// SPDX-License-Identifier: GPL-2.0-only
/* The cause comes out of an asm; regs are fetched, not given. */
static inline unsigned long agate_cause(void)
{
	unsigned long v;

	asm volatile("mfcr %0, 7" : "=r" (v) : : "memory");
	return v;
}

#define AGATE_W	BIT(3)

void agate_fault(unsigned long where)
{
	struct pt_regs *regs = get_irq_regs();
	struct task_struct *tsk = current;
	struct mm_struct *space = tsk->mm;
	unsigned long cause = agate_cause();
	bool store = !!(cause & AGATE_W), user = user_mode(regs);
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *area;
	vm_fault_t got;

	if (faulthandler_disabled() || space == NULL)
		goto kernel;
	flags |= (user ? FAULT_FLAG_USER : 0) | (store * FAULT_FLAG_WRITE);
 retry:
	area = lock_mm_and_find_vma(space, where, regs);
	if (area == NULL)
		goto refuse_unlocked;
	if (store && (area->vm_flags & VM_WRITE) == 0)
		goto refuse;
	if (!store && !vma_is_accessible(area))
		goto refuse;
	got = handle_mm_fault(area, where, flags, regs);
	if (fault_signal_pending(got, regs)) {
		if (!user)
			goto kernel;
		return;
	}
	if (got & VM_FAULT_COMPLETED)
		return;
	if (got & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	if (unlikely(got & VM_FAULT_ERROR)) {
		if (got & VM_FAULT_OOM)
			goto no_memory;
		if (got & VM_FAULT_SIGSEGV)
			goto refuse;
		goto no_page;
	}
	mmap_read_unlock(space);
	return;
refuse:
	mmap_read_unlock(space);
refuse_unlocked:
	if (user) {
		tsk->thread.cause = cause;
		force_sig_fault(SIGSEGV, SEGV_ACCERR, (void __user *)where);
		return;
	}
kernel:
	if (fixup_exception(regs))
		return;
	bust_spinlocks(1);
	die("Oops", regs, cause);
no_memory:
	mmap_read_unlock(space);
	if (!user)
		goto kernel;
	pagefault_out_of_memory();
	return;
no_page:
	mmap_read_unlock(space);
	if (!user)
		goto kernel;
	tsk->thread.cause = cause;
	force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)where);
}
