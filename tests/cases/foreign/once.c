// SPDX-License-Identifier: GPL-2.0-only
/* An architecture that never took up retries: one lookup, one fault. */
void pebble_fault(struct pt_regs *regs, unsigned long where, int store)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	vm_fault_t fault;

	if (faulthandler_disabled() || !mm)
		goto fixup;
	mmap_read_lock(mm);
	area = find_vma(mm, where);
	if (!area || area->vm_start > where)
		goto refuse;
	if (!(area->vm_flags & (store ? VM_WRITE : VM_READ | VM_EXEC)))
		goto refuse;
	fault = handle_mm_fault(area, where, store ? FAULT_FLAG_WRITE : 0, regs);
	if (unlikely(fault & VM_FAULT_ERROR)) {
		if (fault & VM_FAULT_OOM) {
			mmap_read_unlock(mm);
			pagefault_out_of_memory();
			return;
		}
		goto refuse;
	}
	mmap_read_unlock(mm);
	return;

refuse:
	mmap_read_unlock(mm);
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
		return;
	}
fixup:
	if (!fixup_exception(regs))
		die("pebble", regs, where);
}
