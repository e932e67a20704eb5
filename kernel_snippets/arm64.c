// SPDX-License-Identifier: GPL-2.0-only
/*
 * arm64 data and instruction aborts on user addresses:
 *  - the acceptable VMA bits are chosen before the lock, in an if/else chain
 *    over the syndrome; for reads they depend on a CPU capability;
 *  - a static helper checks the VMA and calls handle_mm_fault(); it and the
 *    failed lookup report through private VM_FAULT_* bits;
 *  - mm sees the untagged address, the signal carries the tagged one;
 *  - HWPOISON_LARGE wins over HWPOISON when the lsb is chosen;
 *  - the int that is returned is 0 for every fault dealt with.
 */
#include <linux/hugetlb.h>
#include <linux/kprobes.h>
#include <linux/perf_event.h>
#include <asm/esr.h>
#include "fault.h"

#define VM_FAULT_BADMAP		((__force vm_fault_t)0x010000)
#define VM_FAULT_BADACCESS	((__force vm_fault_t)0x020000)

static vm_fault_t fault_in_vma(struct vm_area_struct *vma, unsigned long addr,
			       unsigned int mm_flags, unsigned long vm_flags,
			       struct pt_regs *regs)
{
	if (vma->vm_flags & vm_flags)
		return handle_mm_fault(vma, addr, mm_flags, regs);
	return VM_FAULT_BADACCESS;
}

static int __kprobes do_page_fault(unsigned long far, unsigned long esr,
				   struct pt_regs *regs)
{
	unsigned int lsb = PAGE_SHIFT, mm_flags = FAULT_FLAG_DEFAULT;
	unsigned long vm_flags, addr = untagged_addr(far);
	struct mm_struct *mm = current->mm;
	const struct fault_info *inf;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (kprobe_page_fault(regs, esr))
		return 0;
	if (!mm || faulthandler_disabled())
		goto no_context;

	if (ESR_ELx_EC(esr) == ESR_ELx_EC_IABT_LOW) {
		mm_flags |= FAULT_FLAG_INSTRUCTION;
		vm_flags = VM_EXEC;
	} else if ((esr & ESR_ELx_WNR) && !(esr & ESR_ELx_CM)) {
		/* cache maintenance sets WnR without writing */
		mm_flags |= FAULT_FLAG_WRITE;
		vm_flags = VM_WRITE;
	} else {
		vm_flags = VM_READ | VM_WRITE;
		/* execute-only mappings need EPAN */
		if (!cpus_have_const_cap(ARM64_HAS_EPAN))
			vm_flags |= VM_EXEC;
	}
	if (user_mode(regs))
		mm_flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, addr);
relock:
	vma = lock_mm_and_find_vma(mm, addr, regs);
	if (unlikely(!vma)) {
		fault = VM_FAULT_BADMAP;
		goto report;
	}

	fault = fault_in_vma(vma, addr, mm_flags, vm_flags, regs);
	if (fault_signal_pending(fault, regs)) {
		if (user_mode(regs))
			return 0;
		goto no_context;
	}
	if (fault & VM_FAULT_COMPLETED)
		return 0;
	if (fault & VM_FAULT_RETRY) {
		mm_flags |= FAULT_FLAG_TRIED;
		goto relock;
	}
	mmap_read_unlock(mm);
report:
	if (!(fault & (VM_FAULT_BADMAP | VM_FAULT_BADACCESS | VM_FAULT_ERROR)))
		return 0;
	if (!user_mode(regs))
		goto no_context;

	inf = esr_to_fault_info(esr);
	if (fault & VM_FAULT_OOM) {
		pagefault_out_of_memory();
		return 0;
	}
	set_thread_esr(addr, esr);
	if (fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE)) {
		if (fault & VM_FAULT_HWPOISON_LARGE)
			lsb = hstate_index_to_shift(VM_FAULT_GET_HINDEX(fault));
		arm64_force_sig_mceerr(BUS_MCEERR_AR, far, lsb, inf->name);
	} else if (fault & VM_FAULT_SIGBUS) {
		arm64_force_sig_fault(SIGBUS, BUS_ADRERR, far, inf->name);
	} else {
		arm64_force_sig_fault(SIGSEGV, fault == VM_FAULT_BADACCESS ?
				      SEGV_ACCERR : SEGV_MAPERR, far, inf->name);
	}
	return 0;

no_context:
	/* a fetch by the kernel itself is beyond repair */
	if (is_el1_instruction_abort(esr) || !fixup_exception(regs))
		die_kernel_fault("paging request", addr, esr, regs);
	return 0;
}
