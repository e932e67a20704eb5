// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults of the Kestrel core, an architecture that exists only here:
 *  - a conditional inside the fault path: with a split TLB the cause number and
 *    a latched bus word tell the access, without it a field of the cause does;
 *  - registers, masks and calls of a vendor's own, found in no tree;
 *  - mode comes from a status word, not from user_mode();
 *  - the find_vma() dialect of 6.0, with expand_stack(vma, address);
 *  - the bus latch is re-armed before any signal, and the kernel tail is a
 *    table of patches with panic() behind it.
 */
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <asm/kestrel.h>

#define kst_problem_state(regs)	((regs)->msw & MSW_PROBLEM)

static void kst_signal(struct pt_regs *regs, unsigned long ea, int sig, int code)
{
	current->thread.kst.last_ea = ea;
	current->thread.kst.last_cause = regs->cause;
	kst_rearm_latch(regs);
	force_sig_fault(sig, code, (void __user *)ea);
}

asmlinkage void kestrel_page_fault(struct pt_regs *regs, unsigned long ea)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int code = SEGV_MAPERR;
	unsigned long need;
	vm_fault_t ret;
	u32 latch = kst_read_latch(regs);

	if (latch & LATCH_SPURIOUS)
		return;
	if (faulthandler_disabled() || !mm)
		goto patch;
	if (kst_problem_state(regs))
		flags |= FAULT_FLAG_USER;

#ifdef CONFIG_KESTREL_SPLIT_TLB
	/* each side has its own cause, a store shows on the bus only */
	if (regs->cause == KST_CAUSE_ITLB) {
		flags |= FAULT_FLAG_INSTRUCTION;
		need = VM_EXEC;
	} else if (latch & LATCH_STORE) {
		flags |= FAULT_FLAG_WRITE;
		need = VM_WRITE;
	} else {
		need = VM_READ;
	}
#else
	/* one TLB for all: a fetch cannot be told from a load */
	need = VM_READ | VM_EXEC;
	switch (KST_ACCESS_TYPE(regs->cause)) {
	case KST_AT_STORE:
	case KST_AT_SWAP:
		flags |= FAULT_FLAG_WRITE;
		need = VM_WRITE;
	}
#endif
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, ea);
lookup:
	mmap_read_lock(mm);
	vma = find_vma(mm, ea);
	if (!vma)
		goto deny;
	if (ea < vma->vm_start &&
	    (!(vma->vm_flags & VM_GROWSDOWN) || expand_stack(vma, ea)))
		goto deny;
	if (!(vma->vm_flags & need)) {
		code = SEGV_ACCERR;
		goto deny;
	}
	ret = handle_mm_fault(vma, ea, flags, regs);
	if (fault_signal_pending(ret, regs)) {
		if (!kst_problem_state(regs))
			goto patch;
		return;
	}
	if (ret & VM_FAULT_COMPLETED)
		return;
	if (ret & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto lookup;
	}
	mmap_read_unlock(mm);
	if (likely(!(ret & VM_FAULT_ERROR)))
		return;
	if (!kst_problem_state(regs))
		goto patch;
	if (ret & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else if (ret & VM_FAULT_SIGSEGV)
		kst_signal(regs, ea, SIGSEGV, SEGV_MAPERR);
	else
		kst_signal(regs, ea, SIGBUS, BUS_ADRERR);
	return;
deny:
	mmap_read_unlock(mm);
	if (kst_problem_state(regs)) {
		kst_signal(regs, ea, SIGSEGV, code);
		return;
	}
patch:
	if (!kst_patch_return(regs, latch))
		panic("kestrel: no context for %08lx, latch %08x", ea, latch);
}
