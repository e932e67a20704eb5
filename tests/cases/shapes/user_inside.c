// SPDX-License-Identifier: GPL-2.0-only
// Kernel mode is asked first, and meets user mode again before the dance.
#include <linux/mm.h>
#include <linux/extable.h>
#include <linux/perf_event.h>

void toy_fault(struct pt_regs *regs, unsigned long where, unsigned long write)
{
	unsigned int how = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	int why = SEGV_MAPERR;
	vm_fault_t got;

	if (faulthandler_disabled() || !mm)
		goto beyond_help;

	if (!user_mode(regs)) {
		if (!search_exception_tables(regs->pc)) {
			die("Oops", regs, write);
			return;
		}
		goto decode;
	}
	how |= FAULT_FLAG_USER;
decode:
	if (write)
		how |= FAULT_FLAG_WRITE;
once_more:
	area = lock_mm_and_find_vma(mm, where, regs);
	if (unlikely(!area))
		goto nothing_there;

	why = SEGV_ACCERR;
	if (!(area->vm_flags & (write ? VM_WRITE : VM_READ)))
		goto not_allowed;

	got = handle_mm_fault(area, where, how, regs);

	if (fault_signal_pending(got, regs)) {
		if (!user_mode(regs))
			goto beyond_help;
		return;
	}

	if (got & VM_FAULT_COMPLETED)
		return;

	if (got & VM_FAULT_RETRY) {
		how |= FAULT_FLAG_TRIED;
		goto once_more;
	}
	mmap_read_unlock(mm);
	if (likely(!(got & VM_FAULT_ERROR)))
		return;

	if (!user_mode(regs))
		goto beyond_help;
	if (got & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else if (got & VM_FAULT_SIGBUS)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)where);
	else if (got & VM_FAULT_SIGSEGV)
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
	else
		BUG();
	return;

not_allowed:
	mmap_read_unlock(mm);
nothing_there:
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, why, (void __user *)where);
		return;
	}
beyond_help:
	if (fixup_exception(regs))
		return;
	die("Oops", regs, 0);
}
