// SPDX-License-Identifier: GPL-2.0-only
/*
 * s390: two callers hand the code from do_exception() to one switch:
 *  - private VM_FAULT_ codes lie above the bits of core mm; poison is a BUG();
 *  - each caller brings its own mask, a store indication overrules it;
 *  - a guest's address goes through its gmap, RETRY_NOWAIT keeps the lock.
 */
#include <linux/perf_event.h>
#include <asm/gmap.h>
#include "entry.h"
#define VM_FAULT_BADCONTEXT	((__force vm_fault_t)0x010000)
#define VM_FAULT_BADMAP		((__force vm_fault_t)0x020000)
#define VM_FAULT_BADACCESS	((__force vm_fault_t)0x040000)
#define VM_FAULT_SIGNAL		((__force vm_fault_t)0x080000)
#define VM_FAULT_PFAULT		((__force vm_fault_t)0x100000)

static void do_fault_error(struct pt_regs *regs, vm_fault_t fault)
{
	void __user *addr = (void __user *)(regs->int_parm_long & PAGE_MASK);

	if (likely(!fault))
		return;
	if (!user_mode(regs) || fault & (VM_FAULT_BADCONTEXT | VM_FAULT_PFAULT)) {
		if (!fixup_exception(regs))
			die(regs, "Oops");
		return;
	}
	switch (fault) {
	case VM_FAULT_SIGNAL:
		break;
	case VM_FAULT_BADACCESS:
		force_sig_fault(SIGSEGV, SEGV_ACCERR, addr);
		break;
	default:
		if (fault & VM_FAULT_OOM)
			pagefault_out_of_memory();
		else if (fault & VM_FAULT_SIGBUS)
			force_sig_fault(SIGBUS, BUS_ADRERR, addr);
		else if (fault & (VM_FAULT_SIGSEGV | VM_FAULT_BADMAP))
			force_sig_fault(SIGSEGV, SEGV_MAPERR, addr);
		else
			BUG();
	}
}

static vm_fault_t do_exception(struct pt_regs *regs, unsigned long access)
{
	unsigned long address = regs->int_parm_long & PAGE_MASK;
	struct gmap *gmap = (struct gmap *)S390_lowcore.gmap;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;
	bool pending;

	if (faulthandler_disabled() || !mm || is_kernel_asce(regs))
		return VM_FAULT_BADCONTEXT;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
	if ((regs->int_parm_long & store_indication) == 0x400)
		access = VM_WRITE;
	flags |= user_mode(regs) ? FAULT_FLAG_USER : 0;
	flags |= access == VM_WRITE ? FAULT_FLAG_WRITE : 0;
	mmap_read_lock(mm);
	if (IS_ENABLED(CONFIG_PGSTE) && test_pt_regs_flag(regs, PIF_GUEST_FAULT)) {
		address = __gmap_translate(gmap, address);
		if (gmap->pfault_enabled)
			flags |= FAULT_FLAG_RETRY_NOWAIT;
	}
next_pass:
	fault = VM_FAULT_BADMAP;
	vma = find_vma(mm, address);
	if (!vma || (address < vma->vm_start && !(vma->vm_flags & VM_GROWSDOWN)))
		goto unlock;
	if (address < vma->vm_start) {
		vma = expand_stack(mm, address);
		if (!vma)
			return fault;
	}
	fault = VM_FAULT_BADACCESS;
	if (!(vma->vm_flags & access))
		goto unlock;
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault & VM_FAULT_COMPLETED)
		return 0;
	if (fault & VM_FAULT_RETRY) {
		pending = fault_signal_pending(fault, regs);
		fault = pending ? VM_FAULT_SIGNAL : VM_FAULT_PFAULT;
		if (flags & FAULT_FLAG_RETRY_NOWAIT)
			goto unlock;
		if (pending)
			return fault;
		flags |= FAULT_FLAG_TRIED;
		mmap_read_lock(mm);
		goto next_pass;
	}
	fault &= VM_FAULT_ERROR;
unlock:
	mmap_read_unlock(mm);
	return fault;
}

void do_protection_exception(struct pt_regs *regs)
{
	do_fault_error(regs, do_exception(regs, VM_WRITE));
}

void do_dat_exception(struct pt_regs *regs)
{
	do_fault_error(regs, do_exception(regs, VM_ACCESS_FLAGS));
}
