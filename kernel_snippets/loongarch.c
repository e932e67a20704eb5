// SPDX-License-Identifier: GPL-2.0-only
/*
 * LoongArch: an inner handler between irqentry_enter() and irqentry_exit():
 *  - hardware tells stores only; a read at the exception PC is a fetch and
 *    needs VM_EXEC, any other read VM_READ or VM_WRITE;
 *  - signals, OOM and the kernel tail live in static helpers that each look
 *    at the mode for themselves;
 *  - VM_FAULT_SIGSEGV inherits SEGV_ACCERR, poison is a plain SIGBUS.
 */
#include <linux/entry-common.h>
#include <linux/perf_event.h>
#include <asm/branch.h>

static void __kprobes no_context(struct pt_regs *regs, unsigned long addr)
{
	if (fixup_exception(regs))
		return;
	pr_alert("no page for kernel access to %lx, era %lx\n", addr, regs->csr_era);
	die("Oops", regs);
}

static void __kprobes do_out_of_memory(struct pt_regs *regs, unsigned long addr)
{
	if (user_mode(regs))
		pagefault_out_of_memory();
	else
		no_context(regs, addr);
}

static void __kprobes do_sigbus(struct pt_regs *regs, unsigned long addr)
{
	if (!user_mode(regs))
		return no_context(regs, addr);
	current->thread.trap_nr = read_csr_excode();
	current->thread.csr_badvaddr = addr;
	force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)addr);
}

static void __kprobes do_sigsegv(struct pt_regs *regs, unsigned long write,
				 unsigned long addr, int code)
{
	if (!user_mode(regs))
		return no_context(regs, addr);
	current->thread.error_code = write ? 2 : 1;
	current->thread.trap_nr = read_csr_excode();
	current->thread.csr_badvaddr = addr;
	force_sig_fault(SIGSEGV, code, (void __user *)addr);
}

static void __kprobes __do_page_fault(struct pt_regs *regs, unsigned long write,
				      unsigned long addr)
{
	unsigned long vm_flags, fetch = addr == exception_era(regs);
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if ((addr & __UA_LIMIT) || faulthandler_disabled() || !mm)
		return do_sigsegv(regs, write, addr, SEGV_MAPERR);
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, addr);
find_vma:
	vma = lock_mm_and_find_vma(mm, addr, regs);
	if (unlikely(!vma))
		return do_sigsegv(regs, write, addr, SEGV_MAPERR);

	vm_flags = fetch ? VM_EXEC : VM_READ | VM_WRITE;
	if (write) {
		flags |= FAULT_FLAG_WRITE;
		vm_flags = VM_WRITE;
	}
	if (!(vma->vm_flags & vm_flags)) {
		mmap_read_unlock(mm);
		return do_sigsegv(regs, write, addr, SEGV_ACCERR);
	}

	fault = handle_mm_fault(vma, addr, flags, regs);
	if (fault & VM_FAULT_COMPLETED)
		return;
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			no_context(regs, addr);
		return;
	}
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto find_vma;
	}
	mmap_read_unlock(mm);
	if (unlikely(fault & VM_FAULT_OOM))
		do_out_of_memory(regs, addr);
	else if (unlikely(fault & VM_FAULT_SIGSEGV))
		do_sigsegv(regs, write, addr, SEGV_ACCERR);
	else if (unlikely(fault & VM_FAULT_ERROR))
		do_sigbus(regs, addr);
}

asmlinkage void __kprobes do_page_fault(struct pt_regs *regs,
					unsigned long write, unsigned long addr)
{
	irqentry_state_t state = irqentry_enter(regs);

	if (regs->csr_prmd & CSR_PRMD_PIE)
		local_irq_enable();
	__do_page_fault(regs, write, addr);
	local_irq_disable();
	irqentry_exit(regs, state);
}
