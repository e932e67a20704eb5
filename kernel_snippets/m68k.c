// SPDX-License-Identifier: GPL-2.0-only
/*
 * m68k page faults, in the find_vma() dialect:
 *  - a user may touch the stack at most 256 bytes below rdusp(), the usp;
 *  - the switch begins with its default; a read of a present page is denied;
 *  - three thread fields hold the signal that send_fault_sig() raises;
 *  - no_context leaves the code of the previous fault in thread.code.
 */
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <asm/traps.h>

int send_fault_sig(struct pt_regs *regs)
{
	void __user *where = (void __user *)current->thread.faddr;

	if (user_mode(regs)) {
		force_sig_fault(current->thread.signo, current->thread.code, where);
	} else {
		if (fixup_exception(regs))
			return -1;
		die_if_kernel("Oops", regs, 0);
		make_task_dead(SIGKILL);
	}
	return 1;
}

static void set_fault(unsigned long address, int signo, int code)
{
	current->thread.faddr = address;
	current->thread.signo = signo;
	current->thread.code = code;
}

int do_page_fault(struct pt_regs *regs, unsigned long address, unsigned long error_code)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	int sig = SIGSEGV, code = SEGV_MAPERR;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (!mm || faulthandler_disabled())
		goto no_context;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
reread:
	mmap_read_lock(mm);
	vma = find_vma(mm, address);
	if (!vma)
		goto bad_map;
	if (address < vma->vm_start) {
		if (!(vma->vm_flags & VM_GROWSDOWN))
			goto bad_map;
		if (user_mode(regs) && address + 256 < rdusp())
			goto bad_map;
		vma = expand_stack(mm, address);
		if (!vma)
			goto unlocked;
	}
	switch (error_code & 3) {
	default:	/* a write that found the page present */
		fallthrough;
	case 2:
		flags |= FAULT_FLAG_WRITE;
		if (!(vma->vm_flags & VM_WRITE))
			goto bad_access;
		break;
	case 1:
		goto bad_access;
	case 0:
		if (!vma_is_accessible(vma))
			goto bad_access;
	}
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs) || (fault & VM_FAULT_COMPLETED))
		return 0;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto reread;
	}
	if (fault & VM_FAULT_SIGBUS) {
		sig = SIGBUS;
		code = BUS_ADRERR;
	}
	if (fault & (VM_FAULT_SIGSEGV | VM_FAULT_SIGBUS))
		goto bad_map;
	BUG_ON(fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE));
	mmap_read_unlock(mm);
	if (!(fault & VM_FAULT_OOM))
		return 0;
	if (user_mode(regs)) {
		pagefault_out_of_memory();
		return 0;
	}
no_context:
	current->thread.faddr = address;
	current->thread.signo = SIGBUS;
	goto send;
bad_access:
	code = SEGV_ACCERR;
bad_map:
	mmap_read_unlock(mm);
unlocked:
	set_fault(address, sig, code);
send:
	return send_fault_sig(regs);
}
