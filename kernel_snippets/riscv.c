// SPDX-License-Identifier: GPL-2.0-only
/*
 * RISC-V page faults, cause and address both out of pt_regs:
 *  - a switch over the cause checks the VMA and panics on an unknown one;
 *  - vmalloc addresses, on 64 bit modules too, go by the page table in SATP;
 *  - kernel mode without SR_SUM has no business in user space;
 *  - thread.bad_cause is written in front of OOM as well as of signals.
 */
#include <linux/perf_event.h>
#include <linux/uaccess.h>

static void no_context(struct pt_regs *regs, unsigned long addr)
{
	if (fixup_exception(regs))
		return;
	pr_alert("kernel access to " REG_FMT " not possible\n", addr);
	die(regs, "Oops");
}

static void segv(struct pt_regs *regs, int code, unsigned long addr)
{
	current->thread.bad_cause = regs->cause;
	if (!user_mode(regs))
		return no_context(regs, addr);
	do_trap(regs, SIGSEGV, code, addr);
}

static void vmalloc_fault(struct pt_regs *regs, unsigned long addr)
{
	pgd_t *live = pfn_to_virt(csr_read(CSR_SATP) & SATP_PPN);
	pgd_t *ref = pgd_offset_k(addr);

	if (user_mode(regs) || !pgd_present(*ref))
		return segv(regs, SEGV_MAPERR, addr);
	set_pgd(live + pgd_index(addr), *ref);
	local_flush_tlb_page(addr);
}

static bool access_error(unsigned long cause, struct vm_area_struct *vma)
{
	switch (cause) {
	case EXC_LOAD_PAGE_FAULT:
		return !(vma->vm_flags & (VM_WRITE | VM_READ));
	case EXC_STORE_PAGE_FAULT:
		return !(vma->vm_flags & VM_WRITE);
	case EXC_INST_PAGE_FAULT:
		return !(vma->vm_flags & VM_EXEC);
	default:
		panic("%s: cause %lu is no page fault", __func__, cause);
	}
}

asmlinkage void do_page_fault(struct pt_regs *regs)
{
	unsigned long addr = regs->badaddr, cause = regs->cause;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct task_struct *tsk = current;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (addr >= VMALLOC_START && addr < VMALLOC_END)
		return vmalloc_fault(regs, addr);
#ifdef CONFIG_64BIT
	if (addr >= MODULES_VADDR && addr < MODULES_END)
		return vmalloc_fault(regs, addr);
#endif
	if (regs->status & SR_PIE)
		local_irq_enable();
	if (faulthandler_disabled() || !tsk->mm)
		return no_context(regs, addr);
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	else if (addr < TASK_SIZE && !(regs->status & SR_SUM))
		return no_context(regs, addr);
	if (cause == EXC_INST_PAGE_FAULT)
		flags |= FAULT_FLAG_INSTRUCTION;
	else if (cause == EXC_STORE_PAGE_FAULT)
		flags |= FAULT_FLAG_WRITE;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, addr);
lookup:
	vma = lock_mm_and_find_vma(tsk->mm, addr, regs);
	if (!vma)
		return segv(regs, SEGV_MAPERR, addr);
	if (access_error(cause, vma)) {
		mmap_read_unlock(tsk->mm);
		return segv(regs, SEGV_ACCERR, addr);
	}
	fault = handle_mm_fault(vma, addr, flags, regs);
	if (fault_signal_pending(fault, regs) || (fault & VM_FAULT_COMPLETED))
		return;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto lookup;
	}
	mmap_read_unlock(tsk->mm);
	if (likely(!(fault & VM_FAULT_ERROR)))
		return;
	tsk->thread.bad_cause = cause;
	if (!user_mode(regs))
		no_context(regs, addr);
	else if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else if (fault & VM_FAULT_SIGBUS)
		do_trap(regs, SIGBUS, BUS_ADRERR, addr);
	else if (fault & VM_FAULT_SIGSEGV)
		do_trap(regs, SIGSEGV, SEGV_MAPERR, addr);
	else
		BUG();
}
