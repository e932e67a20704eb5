// SPDX-License-Identifier: GPL-2.0-only
/* Which cause it was is how far its entry lies from the table's start. */
struct topaz_cause { u32 mask, want; const char *name; };
static const struct topaz_cause topaz_causes[] = {
	{ 1, VM_WRITE, "store" },
	{ 2, VM_EXEC, "fetch" },
	{ 0, VM_READ, "load" },
};

static const struct topaz_cause *topaz_find(u32 esr)
{
	const struct topaz_cause *c = topaz_causes;

	if (esr & 1)
		return c;
	if (esr & 2)
		return c + 1;
	return &topaz_causes[2];
}

void topaz_fault(struct pt_regs *regs, unsigned long where, u32 esr)
{
	const struct topaz_cause *c = topaz_find(esr);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t got;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (c - topaz_causes == 0)
		flags |= FAULT_FLAG_WRITE;
retry:
	area = lock_mm_and_find_vma(mm, where, regs);
	if (!area)
		goto bad;
	if (!(area->vm_flags & c->want)) {
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
		current->thread.cause = c - topaz_causes;
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
		return;
	}
kernel:
	if (!fixup_exception(regs))
		die(c->name, regs, esr);
}
