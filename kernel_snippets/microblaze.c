// SPDX-License-Identifier: GPL-2.0-only
/*
 * MicroBlaze storage exceptions:
 *  - the lock is tried first; when contended, a kernel-mode access without an
 *    exception-table entry gives up, and the retry label sits inside that test;
 *  - the stack grows for stores only, far below r1 if the store updates it;
 *  - kernel_mode() is the test, user_mode() its opposite;
 *  - ESR_S is void for fetches; a read with the zone bit set is always denied;
 *  - _exception() sends SIGSEGV, two counters say how often.
 */
#include <linux/perf_event.h>
#include <asm/exceptions.h>

static unsigned long pte_misses, pte_errors;

static bool store_updates_sp(struct pt_regs *regs)
{
	unsigned int insn;

	if (get_user(insn, (unsigned int __user *)regs->pc))
		return false;
	return ((insn >> 21) & 31) == 1 && ((insn >> 28) & 13) == 13;
}

static bool stack_may_reach(struct pt_regs *regs, unsigned long addr,
			    struct vm_area_struct *vma)
{
	struct pt_regs *uregs = current->thread.regs;

	if (addr + SZ_1M >= vma->vm_end)
		return true;
	if (uregs && addr + 2048 >= uregs->r1)
		return true;
	return uregs && !kernel_mode(regs) && store_updates_sp(regs);
}

void do_page_fault(struct pt_regs *regs, unsigned long address, unsigned long esr)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	int is_write = esr & ESR_S, code = SEGV_MAPERR;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	regs->ear = address;
	regs->esr = esr;
	if ((esr & 0x11) == 0x11)
		is_write = 0;

	if (unlikely(!mm || faulthandler_disabled())) {
		if (!kernel_mode(regs))
			die("Weird page fault", regs, SIGSEGV);
		goto segv;
	}
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
	if (!mmap_read_trylock(mm)) {
		if (kernel_mode(regs) && !search_exception_tables(regs->pc))
			goto segv;
lock:
		mmap_read_lock(mm);
	}
	vma = find_vma(mm, address);
	if (!vma)
		goto segv_unlock;
	if (address < vma->vm_start) {
		if (!(vma->vm_flags & VM_GROWSDOWN) || !is_write ||
		    !stack_may_reach(regs, address, vma))
			goto segv_unlock;
		vma = expand_stack(mm, address);
		if (!vma)
			goto segv;
	}
	code = SEGV_ACCERR;
	if (is_write) {
		if (!(vma->vm_flags & VM_WRITE))
			goto segv_unlock;
		flags |= FAULT_FLAG_WRITE;
	} else if ((esr & 0x08000000) || !(vma->vm_flags & (VM_READ | VM_EXEC))) {
		goto segv_unlock;
	}
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs) || (fault & VM_FAULT_COMPLETED))
		return;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto lock;
	}
	if (fault & VM_FAULT_SIGSEGV)
		goto segv_unlock;
	mmap_read_unlock(mm);
	if (likely(!(fault & VM_FAULT_ERROR)))
		pte_misses++;
	else if (!user_mode(regs))
		bad_page_fault(regs, address, fault & VM_FAULT_OOM ? SIGKILL : SIGBUS);
	else if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	return;
segv_unlock:
	mmap_read_unlock(mm);
segv:
	pte_errors++;
	if (user_mode(regs))
		_exception(SIGSEGV, regs, code, address);
	else
		bad_page_fault(regs, address, SIGSEGV);
}
