// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nios II, whose exception leaves `ea` behind the faulting instruction:
 *  - regs->ea is moved back before anything else, for every exit to see;
 *  - five causes are told apart after the lookup; two are always denied, and
 *    a cause outside the switch is not checked at all;
 *  - a store ASSIGNS its flag, so FAULT_FLAG_USER and the defaults are lost,
 *    and with them the permission to retry;
 *  - _exception() raises both SIGSEGV and SIGBUS;
 *  - the end of the kernel tail is panic(), not die().
 */
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <asm/traps.h>

#define CAUSE_SUPERVISOR_INSN	9
#define CAUSE_SUPERVISOR_DATA	11
#define CAUSE_TLB_EXEC		13
#define CAUSE_TLB_READ		14
#define CAUSE_TLB_WRITE		15

asmlinkage void do_page_fault(struct pt_regs *regs, unsigned long cause,
			      unsigned long address)
{
	unsigned int fault_flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int code = SEGV_MAPERR;
	vm_fault_t result;

	regs->ea -= 4;
	cause >>= 2;
	if (unlikely(address >= VMALLOC_START && address <= VMALLOC_END)) {
		if (!user_mode(regs))
			goto share_kernel_map;
		goto no_area;
	}
	if (unlikely(address >= TASK_SIZE) || faulthandler_disabled() || !mm)
		goto no_area;
	if (user_mode(regs))
		fault_flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
second_try:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (!vma)
		goto no_area;
	code = SEGV_ACCERR;
	switch (cause) {
	case CAUSE_TLB_WRITE:
		if (!(vma->vm_flags & VM_WRITE))
			goto forbidden;
		fault_flags = FAULT_FLAG_WRITE;
		break;
	case CAUSE_TLB_READ:
		if (!(vma->vm_flags & VM_READ))
			goto forbidden;
		break;
	case CAUSE_TLB_EXEC:
		if (!(vma->vm_flags & VM_EXEC))
			goto forbidden;
		break;
	case CAUSE_SUPERVISOR_INSN:
	case CAUSE_SUPERVISOR_DATA:
		goto forbidden;
	}

	result = handle_mm_fault(vma, address, fault_flags, regs);
	if (fault_signal_pending(result, regs))
		return;
	if (result & VM_FAULT_RETRY) {
		fault_flags |= FAULT_FLAG_TRIED;
		goto second_try;
	}
	if (result & VM_FAULT_COMPLETED)
		return;

	if (unlikely(result & VM_FAULT_ERROR)) {
		if (result & VM_FAULT_SIGSEGV)
			goto forbidden;
		if (!(result & (VM_FAULT_SIGBUS | VM_FAULT_OOM)))
			BUG();
		mmap_read_unlock(mm);
		if (!user_mode(regs))
			goto oops;
		if (result & VM_FAULT_OOM)
			pagefault_out_of_memory();
		else
			_exception(SIGBUS, regs, BUS_ADRERR, address);
		return;
	}
	mmap_read_unlock(mm);
	return;
forbidden:
	mmap_read_unlock(mm);
no_area:
	if (user_mode(regs)) {
		_exception(SIGSEGV, regs, code, address);
		return;
	}
oops:
	if (fixup_exception(regs))
		return;
	pr_alert("kernel %s at %08lx, ea %08lx, cause %ld\n", address < PAGE_SIZE ?
		 "NULL pointer" : "bad pointer", address, regs->ea, cause);
	panic("Oops");
share_kernel_map:
	if (!nios2_copy_kernel_pgd(address))
		goto oops;
	flush_tlb_kernel_page(address);
}
