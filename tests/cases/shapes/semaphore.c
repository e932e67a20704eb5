// SPDX-License-Identifier: GPL-2.0-only
/* A handler of the time of mmap_sem, which does its own accounting and forgets FAULT_FLAG_USER. */
#include <linux/extable.h>
#include <linux/mm.h>
#include <linux/perf_event.h>

void basalt_fault(unsigned long kind, unsigned long where, struct pt_regs *regs)
{
	struct mm_struct *mm = current->mm;
	unsigned int need = VM_READ | VM_WRITE | VM_EXEC;
	unsigned int flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (faulthandler_disabled() || !mm)
		goto fixup;
again:
	down_read(&mm->mmap_sem);
	vma = find_vma(mm, where);
	if (!vma)
		goto refuse;
	if (where < vma->vm_start) {
		if (!(vma->vm_flags & VM_GROWSDOWN) || expand_stack(vma, where))
			goto refuse;
	}
	switch (kind) {
	case BASALT_LOAD:
		need = VM_READ;
		break;
	case BASALT_STORE:
		need = VM_WRITE;
		flags |= FAULT_FLAG_WRITE;
		break;
	case BASALT_ODD:
		BUG();
	}
	if (!(need & vma->vm_flags))
		goto refuse;
	fault = handle_mm_fault(vma, where, flags);
	if ((fault & VM_FAULT_RETRY) && fatal_signal_pending(current)) {
		if (user_mode(regs))
			return;
		goto fixup;
	}
	if (unlikely(fault & VM_FAULT_ERROR)) {
		if (!(fault & VM_FAULT_OOM))
			goto refuse;
		up_read(&mm->mmap_sem);
		if (!user_mode(regs))
			goto fixup;
		pagefault_out_of_memory();
		return;
	}
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, where);
	if (flags & FAULT_FLAG_ALLOW_RETRY) {
		if (!(fault & VM_FAULT_MAJOR)) {
			current->min_flt++;
			perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS_MIN, 1, regs, where);
		} else {
			current->maj_flt++;
			perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS_MAJ, 1, regs, where);
		}
		if (fault & VM_FAULT_RETRY) {
			flags = (flags & ~FAULT_FLAG_ALLOW_RETRY) | FAULT_FLAG_TRIED;
			goto again;
		}
	}
	up_read(&mm->mmap_sem);
	return;
	/* Nothing there: a signal for the user, a fixup for ourselves. */
refuse:
	up_read(&mm->mmap_sem);
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)where);
		return;
	}
fixup:
	if (!fixup_exception(regs))
		die("basalt", regs, where);
}
