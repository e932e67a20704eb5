// SPDX-License-Identifier: GPL-2.0-only
/*
 * ARC page faults, TLB misses without a PTE and protection violations:
 *  - the access is decoded into two locals before the lock, the mask that the
 *    VMA must meet is worked out after the lookup, inside the retry loop;
 *  - `fault` starts as VM_FAULT_SIGSEGV so that a missing VMA is an error, but
 *    a second pass still holds the VM_FAULT_RETRY of the first;
 *  - vmalloc addresses come first, and no_context is shared with that prologue;
 *  - thread.fault_address is written for user-mode signals only.
 */
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <linux/uaccess.h>

/* Lend the running page directory the kernel's own entry, if there is one. */
static noinline int borrow_kernel_pgd(unsigned long address)
{
	pgd_t *mine = pgd_offset(current->active_mm, address);
	pgd_t *ref = pgd_offset_k(address);

	if (pgd_none(*ref))
		return -EFAULT;
	if (!pgd_present(*mine))
		set_pgd(mine, *ref);
	return 0;
}

void do_page_fault(unsigned long address, struct pt_regs *regs)
{
	struct task_struct *tsk = current;
	struct mm_struct *mm = tsk->mm;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t fault = VM_FAULT_SIGSEGV;
	int signo, code = SEGV_MAPERR;
	bool store = false, fetch = false;
	struct vm_area_struct *vma;
	unsigned int mask;

	/* Possibly in an interrupt: copy one entry, take no lock. */
	if (!user_mode(regs) && address >= VMALLOC_START) {
		if (likely(!borrow_kernel_pgd(address)))
			return;
		goto no_context;
	}
	if (!mm || faulthandler_disabled())
		goto no_context;
	/* EX both loads and stores, the hardware reports it as a store */
	if (regs->ecr_cause & ECR_C_PROTV_STORE)
		store = true;
	else if (regs->ecr_vec == ECR_V_PROTV &&
		 regs->ecr_cause == ECR_C_PROTV_INST_FETCH)
		fetch = true;

	if (store)
		flags |= FAULT_FLAG_WRITE;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
again:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (!vma)
		goto unlocked;

	if (fetch)
		mask = VM_EXEC;
	else
		mask = store ? VM_WRITE : VM_READ;
	if (!(vma->vm_flags & mask)) {
		code = SEGV_ACCERR;
		goto unlock;
	}

	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs)) {
		if (user_mode(regs))
			return;
		goto no_context;
	}
	if (fault & VM_FAULT_COMPLETED)
		return;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto again;
	}
unlock:
	mmap_read_unlock(mm);
unlocked:
	if (likely(!(fault & VM_FAULT_ERROR)))
		return;
	if (!user_mode(regs))
		goto no_context;
	if (fault & VM_FAULT_OOM)
		goto oom;

	signo = SIGSEGV;
	if (fault & VM_FAULT_SIGBUS) {
		signo = SIGBUS;
		code = BUS_ADRERR;
	}
	tsk->thread.fault_address = address;
	force_sig_fault(signo, code, (void __user *)address);
	return;
oom:
	pagefault_out_of_memory();
	return;
no_context:
	if (!fixup_exception(regs))
		die("Oops", regs, address);
}
