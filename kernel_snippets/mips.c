// SPDX-License-Identifier: GPL-2.0-only
/*
 * MIPS, called with write set for a store and the bad address:
 *  - kernel addresses jump to a label that a macro names, one of them being
 *    there on 32 bit only;
 *  - a second such jump depends on MODULE_START, which is no CONFIG_ symbol;
 *  - with RI/XI the EPC tells a fetch: raw cp0_epc for the exec check, but
 *    exception_epc(), which knows of delay slots, for the read;
 *  - thread.cp0_baduaddr is written by the fixup, cp0_badvaddr by signals.
 */
#include <linux/perf_event.h>
#include <asm/branch.h>
#ifdef CONFIG_64BIT
# define KERNEL_ADDRESS no_context
#else
# define KERNEL_ADDRESS borrow_pgd
#endif
#define mips_exccode(regs)	(((regs)->cp0_cause >> 2) & 0x1f)

void __do_page_fault(struct pt_regs *regs, unsigned long write, unsigned long address)
{
	struct task_struct *tsk = current;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	int si_code = SEGV_MAPERR;
	vm_fault_t fault;

#ifdef CONFIG_KPROBES
	if (notify_die(DIE_PAGE_FAULT, "page fault", regs, -1,
		       tsk->thread.trap_nr, SIGSEGV) == NOTIFY_STOP)
		return;
#endif
	if (address >= VMALLOC_START && address <= VMALLOC_END)
		goto KERNEL_ADDRESS;
#ifdef MODULE_START
	if (address >= MODULE_START && address < MODULE_END)
		goto KERNEL_ADDRESS;
#endif
	if (!tsk->mm || faulthandler_disabled())
		goto segv;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
take_lock:
	vma = lock_mm_and_find_vma(tsk->mm, address, regs);
	if (!vma)
		goto segv;
	si_code = SEGV_ACCERR;
	if (write) {
		flags |= FAULT_FLAG_WRITE;
		if (!(vma->vm_flags & VM_WRITE))
			goto segv_unlock;
	} else if (!cpu_has_rixi) {
		if (!vma_is_accessible(vma))
			goto segv_unlock;
	} else {
		if (!(vma->vm_flags & VM_EXEC) && regs->cp0_epc == address)
			goto segv_unlock;
		if (!(vma->vm_flags & VM_READ) && exception_epc(regs) != address)
			goto segv_unlock;
	}
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault & VM_FAULT_COMPLETED)
		return;
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			goto no_context;
		return;
	}
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto take_lock;
	}
	if (fault & VM_FAULT_SIGSEGV)
		goto segv_unlock;
	BUG_ON(fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE));
	mmap_read_unlock(tsk->mm);
	if (!(fault & VM_FAULT_ERROR))
		return;
	if (!user_mode(regs))
		goto no_context;
	if (fault & VM_FAULT_SIGBUS) {
		tsk->thread.cp0_badvaddr = address;
		tsk->thread.trap_nr = mips_exccode(regs);
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	} else {
		pagefault_out_of_memory();
	}
	return;
segv_unlock:
	mmap_read_unlock(tsk->mm);
segv:
	if (user_mode(regs)) {
		tsk->thread.error_code = write;
		tsk->thread.cp0_badvaddr = address;
		tsk->thread.trap_nr = mips_exccode(regs);
		force_sig_fault(SIGSEGV, si_code, (void __user *)address);
		return;
	}
no_context:
	if (!fixup_exception(regs))
		die("Oops", regs);
	tsk->thread.cp0_baduaddr = address;
	return;
#ifndef CONFIG_64BIT
borrow_pgd:
	if (!mips_copy_kernel_pgd(raw_smp_processor_id(), address))
		goto no_context;
#endif
}
