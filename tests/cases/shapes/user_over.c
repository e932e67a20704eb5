// SPDX-License-Identifier: GPL-2.0-only
// Kernel mode jumps over the flag of user mode, into the dance.
#include <linux/mm.h>
#include <linux/extable.h>
#include <linux/perf_event.h>

void toy_fault(struct pt_regs *regs, unsigned long address, unsigned long write)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int code = SEGV_MAPERR;
	vm_fault_t fault;

	if (faulthandler_disabled() || !mm)
		goto no_context;

	if (!user_mode(regs))
		goto retry;
	flags |= FAULT_FLAG_USER;
retry:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (unlikely(!vma))
		goto bad_area;

	code = SEGV_ACCERR;
	if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
		goto bad_unlock;

	fault = handle_mm_fault(vma, address, flags, regs);

	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			goto no_context;
		return;
	}

	if (fault & VM_FAULT_COMPLETED)
		return;

	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	mmap_read_unlock(mm);
	if (likely(!(fault & VM_FAULT_ERROR)))
		return;

	if (!user_mode(regs))
		goto no_context;
	if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else if (fault & VM_FAULT_SIGBUS)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	else if (fault & VM_FAULT_SIGSEGV)
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)address);
	else
		BUG();
	return;

bad_unlock:
	mmap_read_unlock(mm);
bad_area:
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, code, (void __user *)address);
		return;
	}
no_context:
	if (fixup_exception(regs))
		return;
	die("Oops", regs, 0);
}
