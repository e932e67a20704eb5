// SPDX-License-Identifier: GPL-2.0-only
/*
 * C-SKY TLB exceptions, everything around the mm left to small helpers:
 *  - the address is a register read, cut to its page by the initialiser;
 *  - the trap number tells a store, any accessible VMA will do for the rest;
 *  - thread.trap_no is saved on every failure, also in front of the OOM call;
 *  - SIGSEGV out of core mm is not expected and hits BUG();
 *  - the prologue restarts a cmpxchg whose store faults.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <asm/traps.h>

extern unsigned long csky_cmpxchg_ldw, csky_cmpxchg_stw;

static inline bool trap_is_store(struct pt_regs *regs)
{
	return trap_no(regs) == VEC_TLBINVALIDS || trap_no(regs) == VEC_TLBMODIFIED;
}

static inline void restart_cmpxchg(struct pt_regs *regs)
{
#ifndef CONFIG_CPU_HAS_LDSTEX
	if (trap_no(regs) == VEC_TLBMODIFIED &&
	    instruction_pointer(regs) == (unsigned long)&csky_cmpxchg_stw)
		instruction_pointer_set(regs, (unsigned long)&csky_cmpxchg_ldw);
#endif
}

static void kernel_no_context(struct pt_regs *regs, unsigned long addr)
{
	current->thread.trap_no = trap_no(regs);
	if (fixup_exception(regs))
		return;
	pr_alert("kernel access to %08lx from pc %08lx\n", addr, regs->pc);
	die(regs, "Oops");
}

static void bad_access(struct pt_regs *regs, int code, unsigned long addr)
{
	if (!user_mode(regs))
		kernel_no_context(regs, addr);
	else
		do_trap(regs, SIGSEGV, code, addr);
}

static inline bool access_error(struct pt_regs *regs, struct vm_area_struct *vma)
{
	if (trap_is_store(regs))
		return !(vma->vm_flags & VM_WRITE);
	return !vma_is_accessible(vma);
}

static void mm_fault_error(struct pt_regs *regs, unsigned long addr,
			   vm_fault_t fault)
{
	current->thread.trap_no = trap_no(regs);
	BUG_ON(!(fault & (VM_FAULT_OOM | VM_FAULT_SIGBUS)));

	if (!user_mode(regs))
		kernel_no_context(regs, addr);
	else if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else
		do_trap(regs, SIGBUS, BUS_ADRERR, addr);
}

asmlinkage void do_page_fault(struct pt_regs *regs)
{
	unsigned long addr = read_mmu_entryhi() & PAGE_MASK;
	unsigned int mm_flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	restart_cmpxchg(regs);
	if (kprobe_page_fault(regs, current->thread.trap_no))
		return;
	if (likely(regs->sr & BIT(6)))
		local_irq_enable();
	if (unlikely(!mm || faulthandler_disabled()))
		return kernel_no_context(regs, addr);

	mm_flags |= user_mode(regs) ? FAULT_FLAG_USER : 0;
	if (trap_is_store(regs))
		mm_flags |= FAULT_FLAG_WRITE;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, addr);
once_more:
	vma = lock_mm_and_find_vma(mm, addr, regs);
	if (unlikely(!vma))
		return bad_access(regs, SEGV_MAPERR, addr);
	if (unlikely(access_error(regs, vma))) {
		mmap_read_unlock(mm);
		return bad_access(regs, SEGV_ACCERR, addr);
	}

	fault = handle_mm_fault(vma, addr, mm_flags, regs);
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			kernel_no_context(regs, addr);
	} else if ((fault & VM_FAULT_RETRY) && (mm_flags & FAULT_FLAG_ALLOW_RETRY)) {
		mm_flags |= FAULT_FLAG_TRIED;
		goto once_more;
	} else if (!(fault & VM_FAULT_COMPLETED)) {
		mmap_read_unlock(mm);
		if (unlikely(fault & VM_FAULT_ERROR))
			mm_fault_error(regs, addr, fault);
	}
}
