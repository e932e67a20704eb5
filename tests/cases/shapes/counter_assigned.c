// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exception table is asked before the lock is waited for, and what it says
 * is assigned to an accessor: that is a place, and no pointer that may be NULL.
 */
#include <linux/extable.h>
#include <linux/mm.h>
#include <linux/perf_event.h>

void schist_fault(struct pt_regs *regs, unsigned long where, bool store)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int why = SEGV_MAPERR;
	vm_fault_t fault;

	if (!mm || faulthandler_disabled())
		goto inside;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (store)
		flags |= FAULT_FLAG_WRITE;
	if (!mmap_read_trylock(mm)) {
		if (!user_mode(regs) && !search_exception_tables(instruction_pointer(regs)))
			goto inside;
again:
		mmap_read_lock(mm);
	}
	vma = find_vma(mm, where);
	if (!vma)
		goto refuse;
	if (vma->vm_start > where && (!(vma->vm_flags & VM_GROWSDOWN) || expand_stack(vma, where)))
		goto refuse;
	why = SEGV_ACCERR;
	if (!(vma->vm_flags & (store ? VM_WRITE : VM_READ | VM_EXEC)))
		goto refuse;
	fault = handle_mm_fault(vma, where, flags, regs);
	if (fault_signal_pending(fault, regs)) {
		if (user_mode(regs))
			return;
		goto inside;
	}
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		why = SEGV_MAPERR;
		goto again;
	}
	mmap_read_unlock(mm);
	if (!(fault & VM_FAULT_ERROR))
		return;
	if (user_mode(regs) && (fault & VM_FAULT_OOM)) {
		pagefault_out_of_memory();
		return;
	}
	why = SEGV_MAPERR;
	goto unlocked;
refuse:
	mmap_read_unlock(mm);
unlocked:
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, why, (void __user *)where);
		return;
	}
inside:
	{
		const struct exception_table_entry *entry;

		entry = search_exception_tables(instruction_pointer(regs));
		if (entry) {
			instruction_pointer(regs) = entry->fixup;
			return;
		}
	}
	die("schist", regs, where);
}
