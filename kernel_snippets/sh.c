// SPDX-License-Identifier: GPL-2.0-only
/*
 * SuperH: the error code is passed from helper to helper, and so is the lock:
 *  - the fault is counted before it is known whether it may be taken;
 *  - the flags are set inside the retry loop, after the VMA has been checked;
 *  - mm_fault_error() drops the lock, its helpers drop it once more;
 *  - do_sigbus() goes on to its signal after the kernel-mode fixup;
 *  - an ITLB miss needs VM_EXEC on top of any access at all.
 */
#include <linux/perf_event.h>
#include <asm/io_trapped.h>

static void no_context(struct pt_regs *regs, unsigned long code, unsigned long address)
{
	if (!fixup_exception(regs) && !handle_trapped_io(regs, address))
		die("Oops", regs, code);
}

static void segv(struct pt_regs *regs, long code, unsigned long address, int si)
{
	if (!user_mode(regs))
		return no_context(regs, code, address);
	local_irq_enable();
	force_sig_fault(SIGSEGV, si, (void __user *)address);
}

static void bad_area(struct pt_regs *regs, long code, unsigned long address, int si)
{
	mmap_read_unlock(current->mm);
	segv(regs, code, address, si);
}

static void do_sigbus(struct pt_regs *regs, unsigned long code, unsigned long address)
{
	mmap_read_unlock(current->mm);
	if (!user_mode(regs))
		no_context(regs, code, address);
	force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
}

static bool mm_fault_error(struct pt_regs *regs, unsigned long code,
			   unsigned long address, vm_fault_t fault)
{
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			no_context(regs, code, address);
		return true;
	}
	if (fault & VM_FAULT_RETRY)
		return false;
	mmap_read_unlock(current->mm);
	if (fault & VM_FAULT_SIGSEGV)
		bad_area(regs, code, address, SEGV_MAPERR);
	else if (fault & VM_FAULT_SIGBUS)
		do_sigbus(regs, code, address);
	else if (!(fault & VM_FAULT_OOM))
		BUG();
	else if (user_mode(regs))
		pagefault_out_of_memory();
	else
		no_context(regs, code, address);
	return true;
}

static bool access_error(unsigned long code, struct vm_area_struct *vma)
{
	if (code & FAULT_CODE_WRITE)
		return !(vma->vm_flags & VM_WRITE);
	if ((code & FAULT_CODE_ITLB) && !(vma->vm_flags & VM_EXEC))
		return true;
	return !vma_is_accessible(vma);
}

asmlinkage void do_page_fault(struct pt_regs *regs, unsigned long error_code,
			      unsigned long address)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if ((regs->sr & SR_IMASK) != SR_IMASK)
		local_irq_enable();
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
	if (faulthandler_disabled() || !mm)
		return segv(regs, error_code, address, SEGV_MAPERR);
another:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (!vma)
		return segv(regs, error_code, address, SEGV_MAPERR);
	if (access_error(error_code, vma))
		return bad_area(regs, error_code, address, SEGV_ACCERR);

	set_thread_fault_code(error_code);
	if (error_code & FAULT_CODE_WRITE)
		flags |= FAULT_FLAG_WRITE;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	fault = handle_mm_fault(vma, address, flags, regs);
	if ((fault & (VM_FAULT_ERROR | VM_FAULT_RETRY)) &&
	    mm_fault_error(regs, error_code, address, fault))
		return;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto another;
	}
	if (!(fault & VM_FAULT_COMPLETED))
		mmap_read_unlock(mm);
}
