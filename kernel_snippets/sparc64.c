// SPDX-License-Identifier: GPL-2.0-only
/*
 * 64-bit sparc, mode is TSTATE_PRIV, fault code and address are the thread's:
 *  - trylock first, then FAULT_CODE_BAD_RA is SIGBUS without any lookup;
 *  - a bare DTLB miss reads the instruction, under the lock, for the access;
 *  - SIGBUS is sent in both modes, success goes on to the size of the TSB.
 */
#include <linux/context_tracking.h>
#include <linux/extable.h>
#include <linux/perf_event.h>

static unsigned int get_fault_insn(struct pt_regs *regs)
{
	return regs->tstate & TSTATE_PRIV ? *(unsigned int *)regs->tpc :
					    get_user_insn(regs->tpc);
}

static void do_kernel_fault(struct pt_regs *regs, int code, unsigned long address)
{
	const struct exception_table_entry *entry;

	if (!(regs->tstate & TSTATE_PRIV)) {
		force_sig_fault(SIGSEGV, code, (void __user *)address);
		return;
	}
	entry = search_exception_tables(regs->tpc);
	if (!entry)
		die_if_kernel("Oops", regs);
	regs->tnpc = entry->fixup + 4;
	regs->tpc = entry->fixup;
}

asmlinkage void do_sparc64_fault(struct pt_regs *regs)
{
	enum ctx_state prev = exception_enter();
	unsigned long address = current_thread_info()->fault_address;
	int fault_code = get_thread_fault_code(), si_code = SEGV_MAPERR;
	unsigned int insn, flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (!(regs->tstate & TSTATE_PRIV))
		flags |= FAULT_FLAG_USER;
	if (faulthandler_disabled() || !mm)
		goto kernel;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
	if (!mmap_read_trylock(mm)) {
		if ((regs->tstate & TSTATE_PRIV) && !search_exception_tables(regs->tpc))
			goto kernel;
wait_for_lock:
		mmap_read_lock(mm);
	}
	if (fault_code & FAULT_CODE_BAD_RA)
		goto sigbus;
	vma = find_vma(mm, address);
	if (!vma)
		goto bad_area;
	if ((fault_code & (FAULT_CODE_DTLB | FAULT_CODE_WRITE)) == FAULT_CODE_DTLB) {
		insn = get_fault_insn(regs);
		if ((insn & 0xc0200000) == 0xc0200000 && (insn & 0x01780000) != 0x01680000)
			fault_code |= FAULT_CODE_WRITE;
	}
	if (address < vma->vm_start && !(vma->vm_flags & VM_GROWSDOWN))
		goto bad_area;
	if (address < vma->vm_start) {
		vma = expand_stack(mm, address);
		if (!vma)
			goto kernel;
	}
	si_code = SEGV_ACCERR;
	if ((fault_code & FAULT_CODE_ITLB) && !(vma->vm_flags & VM_EXEC))
		goto bad_area;
	if (!(vma->vm_flags & (fault_code & FAULT_CODE_WRITE ? VM_WRITE : VM_READ | VM_EXEC)))
		goto bad_area;
	flags |= fault_code & FAULT_CODE_WRITE ? FAULT_FLAG_WRITE : 0;
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs))
		goto leave;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto wait_for_lock;
	}
	if (fault & VM_FAULT_SIGBUS)
		goto sigbus;
	if (fault & VM_FAULT_SIGSEGV)
		goto bad_area;
	BUG_ON(fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE));
	if (!(fault & VM_FAULT_COMPLETED))
		mmap_read_unlock(mm);
	if (!(fault & VM_FAULT_ERROR))
		tsb_check_rss(mm);
	else if (regs->tstate & TSTATE_PRIV)
		goto kernel;
	else
		pagefault_out_of_memory();
	goto leave;
sigbus:
	mmap_read_unlock(mm);
	force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	if (regs->tstate & TSTATE_PRIV)
		goto kernel;
	goto leave;
bad_area:
	mmap_read_unlock(mm);
kernel:
	do_kernel_fault(regs, si_code, address);
leave:
	exception_exit(prev);
}
