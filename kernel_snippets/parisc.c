// SPDX-License-Identifier: GPL-2.0-only
/*
 * PA-RISC, whose stack grows upwards, so the VMA below is the one that may:
 *  - the instruction is decoded into one VM_ bit before the lock;
 *  - the trap makes the signal, 15 reads the VMA again, without the lock;
 *  - all errors but OOM take that road; poison needs CONFIG_MEMORY_FAILURE.
 */
#include <linux/hugetlb.h>
#include <linux/perf_event.h>

static unsigned long access_of(unsigned long trap, unsigned int insn)
{
	if (trap == 6 || trap == 16)
		return VM_EXEC;
	switch (insn >> 28) {
	case 0:		/* indexed: LDCW writes */
		return (insn & 0x3c0) == 0x3c0 ? VM_WRITE : VM_READ;
	case 2:		/* coprocessor */
	case 3:
		return insn & 0x200 ? VM_WRITE : VM_READ;
	case 6:		/* store */
	case 7:
		return VM_WRITE;
	}
	return VM_READ;
}

void do_page_fault(struct pt_regs *regs, unsigned long code, unsigned long address)
{
	struct vm_area_struct *vma, *lower;
	struct mm_struct *mm = current->mm;
	int signo = SIGSEGV, si_code = SEGV_MAPERR;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	const char *why = "no context";
	vm_fault_t fault = 0;
	short lsb = PAGE_SHIFT;
	unsigned long acc_type;

	if (!mm)
		goto terminate;
	acc_type = access_of(code, regs->iir);
	if (acc_type == VM_WRITE)
		flags |= FAULT_FLAG_WRITE;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
relock:
	mmap_read_lock(mm);
	vma = find_vma_prev(mm, address, &lower);
	if (!vma || vma->vm_start > address) {
		if (!lower || !(lower->vm_flags & VM_GROWSUP))
			goto no_vma;
		vma = expand_stack(mm, address);
		if (!vma)
			goto no_vma_unlocked;
	}
	if (!(vma->vm_flags & acc_type))
		goto no_vma;
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs) || (fault & VM_FAULT_COMPLETED))
		return;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto relock;
	}
	if (fault & (VM_FAULT_ERROR & ~VM_FAULT_OOM))
		goto no_vma;
	mmap_read_unlock(mm);
	if (!(fault & VM_FAULT_OOM))
		return;
	if (user_mode(regs))
		return pagefault_out_of_memory();
	why = "out of memory";
	goto terminate;
no_vma:
	mmap_read_unlock(mm);
no_vma_unlocked:
	why = "bad address";
	if (!user_mode(regs))
		goto terminate;
	switch (code) {
	case 15:	/* data TLB miss: was there a VMA, and the right one? */
		if (!vma || address < vma->vm_start || address >= vma->vm_end)
			break;
		si_code = SEGV_ACCERR;
		if (!(vma->vm_flags & acc_type))
			break;
		fallthrough;
	case 17:
	case 18:	/* unaligned, on PCXS only */
		si_code = code == 18 ? BUS_ADRALN : BUS_ADRERR;
		signo = SIGBUS;
		break;
	case 26:
		si_code = SEGV_ACCERR;
	}
#ifdef CONFIG_MEMORY_FAILURE
	if (fault & VM_FAULT_HWPOISON_LARGE)
		lsb = hstate_index_to_shift(VM_FAULT_GET_HINDEX(fault));
	if (fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE)) {
		force_sig_mceerr(BUS_MCEERR_AR, (void __user *)address, lsb);
		return;
	}
#endif
	force_sig_fault(signo, si_code, (void __user *)address);
	return;
terminate:
	if (user_mode(regs) || !fixup_exception(regs))
		parisc_terminate(why, regs, code, address);
}
