// SPDX-License-Identifier: GPL-2.0-only
/*
 * Xtensa, where EXCCAUSE and EXCVADDR arrive in pt_regs:
 *  - store and fetch are read off a handful of cause numbers beforehand;
 *  - the address is an unsigned int, kernel addresses have no user answer;
 *  - SIGBUS goes out in both modes, with bad_vaddr but no error_code;
 *  - bad_page_fault() stands below its caller, is used elsewhere too, and
 *    gets a signal number: SIGKILL for OOM and for a fatal signal;
 */
#include <linux/extable.h>
#include <linux/mm.h>
#include <linux/perf_event.h>

void bad_page_fault(struct pt_regs *regs, unsigned long address, int sig);

void do_page_fault(struct pt_regs *regs)
{
	unsigned int cause = regs->exccause, address = regs->excvaddr;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int is_write, is_exec = 0;
	int code = SEGV_MAPERR;
	vm_fault_t fault;

	if (!user_mode(regs) && address >= TASK_SIZE) {
		xtensa_vmalloc_fault(regs, address);
		return;
	}
	if (!mm || faulthandler_disabled()) {
		bad_page_fault(regs, address, SIGSEGV);
		return;
	}
	is_write = cause == EXCCAUSE_STORE_CACHE_ATTRIBUTE;
	switch (cause) {
	case EXCCAUSE_ITLB_MISS:
	case EXCCAUSE_ITLB_PRIVILEGE:
	case EXCCAUSE_FETCH_CACHE_ATTRIBUTE:
		is_exec = 1;
	}
	pr_debug("%s[%d]: %08x, cause %u, %c\n", current->comm, current->pid, address,
		 cause, is_exec ? 'x' : is_write ? 'w' : 'r');
	flags |= user_mode(regs) ? FAULT_FLAG_USER : 0;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
reacquire:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (!vma)
		goto no_area;
	code = SEGV_ACCERR;
	if (is_exec) {
		if (!(vma->vm_flags & VM_EXEC))
			goto denied;
	} else if (is_write) {
		flags |= FAULT_FLAG_WRITE;
		if (!(vma->vm_flags & VM_WRITE))
			goto denied;
	} else if (!(vma->vm_flags & (VM_WRITE | VM_READ))) {
		goto denied;
	}

	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault & VM_FAULT_COMPLETED)
		return;
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			bad_page_fault(regs, address, SIGKILL);
		return;
	}
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto reacquire;
	}
	if (fault & VM_FAULT_SIGSEGV)
		goto denied;
	if (fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE))
		BUG();
	mmap_read_unlock(mm);
	if (fault & VM_FAULT_SIGBUS) {
		current->thread.bad_vaddr = address;
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)(unsigned long)address);
		if (!user_mode(regs))
			bad_page_fault(regs, address, SIGBUS);
	} else if (fault & VM_FAULT_OOM) {
		if (user_mode(regs))
			pagefault_out_of_memory();
		else
			bad_page_fault(regs, address, SIGKILL);
	}
	return;
denied:
	mmap_read_unlock(mm);
no_area:
	if (!user_mode(regs)) {
		bad_page_fault(regs, address, SIGSEGV);
		return;
	}
	current->thread.error_code = is_write;
	current->thread.bad_vaddr = address;
	force_sig_fault(SIGSEGV, code, (void __user *)(unsigned long)address);
}

void bad_page_fault(struct pt_regs *regs, unsigned long address, int sig)
{
	const struct exception_table_entry *entry = search_exception_tables(regs->pc);

	if (!entry)
		die("Oops", regs, sig);
	current->thread.bad_uaddr = address;
	regs->pc = entry->fixup;
}
