// SPDX-License-Identifier: GPL-2.0-only
/*
 * OpenRISC, entered with the vector's address (0x300 data, 0x400 fetch):
 *  - interrupts are given back, and the flag for user mode set, in one branch
 *    taken before the mm is even looked at;
 *  - in_interrupt() decides alone, pagefault_disable() is not honoured;
 *  - a user must not touch the stack a page or more below sp;
 *  - a fetch is checked against vma->vm_page_prot, no VM_ bit says that;
 *  - SIGBUS is sent first, then a kernel-mode fault goes on to its fixup.
 */
#include <linux/extable.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/perf_event.h>

#define VECTOR_DATA_FAULT	0x300
#define VECTOR_INSN_FAULT	0x400

static bool stack_within_reach(struct pt_regs *regs, struct vm_area_struct *vma,
			       unsigned long address)
{
	if (!(vma->vm_flags & VM_GROWSDOWN))
		return false;
	return !user_mode(regs) || address + PAGE_SIZE >= regs->sp;
}

asmlinkage void do_page_fault(struct pt_regs *regs, unsigned long address,
			      unsigned long vector, int write_acc)
{
	const struct exception_table_entry *handler;
	struct mm_struct *mm = current->mm;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	int si_code = SEGV_MAPERR;
	vm_fault_t fault;

	if (address >= VMALLOC_START && !user_mode(regs) &&
	    vector != VECTOR_DATA_FAULT && vector != VECTOR_INSN_FAULT) {
		if (or1k_copy_kernel_pgd(address))
			return;
		goto fixup;
	}
	if (user_mode(regs)) {
		flags |= FAULT_FLAG_USER;
		local_irq_enable();
	} else if (regs->sr & (SPR_SR_IEE | SPR_SR_TEE)) {
		local_irq_enable();
	}
	if (!mm || in_interrupt())
		goto fixup;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
walk:
	mmap_read_lock(mm);
	vma = find_vma(mm, address);
	if (!vma)
		goto segv_unlock;
	if (address < vma->vm_start) {
		if (!stack_within_reach(regs, vma, address))
			goto segv_unlock;
		vma = expand_stack(mm, address);
		if (!vma)
			goto segv;
	}
	si_code = SEGV_ACCERR;
	if (!write_acc) {
		if (!(vma->vm_flags & (VM_EXEC | VM_READ)))
			goto segv_unlock;
	} else {
		flags |= FAULT_FLAG_WRITE;
		if (!(vma->vm_flags & VM_WRITE))
			goto segv_unlock;
	}
	/* VM_READ gets past the test above, the page bits know better */
	if (vector == VECTOR_INSN_FAULT &&
	    !(pgprot_val(vma->vm_page_prot) & _PAGE_EXEC))
		goto segv_unlock;

	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs) || (fault & VM_FAULT_COMPLETED))
		return;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto walk;
	}
	if (fault & VM_FAULT_SIGSEGV)
		goto segv_unlock;
	if (fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE))
		BUG();
	mmap_read_unlock(mm);
	if (fault & VM_FAULT_SIGBUS)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	else if (!(fault & VM_FAULT_OOM))
		return;
	else if (user_mode(regs))
		pagefault_out_of_memory();
	if (user_mode(regs))
		return;
fixup:
	handler = search_exception_tables(regs->pc);
	if (!handler)
		die("Oops", regs, write_acc);
	regs->pc = handler->fixup;
	return;
segv_unlock:
	mmap_read_unlock(mm);
segv:
	if (!user_mode(regs))
		goto fixup;
	force_sig_fault(SIGSEGV, si_code, (void __user *)address);
}
