// SPDX-License-Identifier: GPL-2.0-only
/* A 32-bit machine: the address is an int, the stack lies below, the way out never comes back. */
extern void quartz_halt(struct pt_regs *regs, long why) __attribute__((noreturn));

static int quartz_fixup(struct pt_regs *regs)
{
	const struct exception_table_entry *entry = search_exception_tables(regs->pc);

	if (!entry)
		return 0;
	regs->pc = entry->fixup;
	return 1;
}

void quartz_fault(struct pt_regs *regs, unsigned int where, int store)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma, *below;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	int si_code = SEGV_MAPERR;
	vm_fault_t got;

	if (faulthandler_disabled() || !mm)
		goto kernel;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (store)
		flags |= FAULT_FLAG_WRITE;
again:
	mmap_read_lock(mm);
	vma = find_vma_prev(mm, where, &below);
	if (!vma || where < vma->vm_start) {
		vma = below;
		if (!vma || expand_stack(vma, where))
			goto refuse;
	}
	si_code = SEGV_ACCERR;
	if (!(vma->vm_flags & (store ? VM_WRITE : VM_READ | VM_EXEC)))
		goto refuse;
	got = handle_mm_fault(vma, where, flags, regs);
	if (fault_signal_pending(got, regs)) {
		if (!user_mode(regs))
			goto kernel;
		return;
	}
	if (got & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto again;
	}
	if (got & VM_FAULT_ERROR)
		goto refuse;
	mmap_read_unlock(mm);
	return;
refuse:
	mmap_read_unlock(mm);
	if (user_mode(regs)) {
		current->thread.trap_no = 14;
		force_sig_fault(SIGSEGV, si_code, (void __user *)(unsigned long)where);
		return;
	}
kernel:
	if (quartz_fixup(regs))
		return;
	current->thread.trap_no = 99;
	pr_alert("quartz: bad access at %x\n", where);
	quartz_halt(regs, where);
	goto kernel;
}
