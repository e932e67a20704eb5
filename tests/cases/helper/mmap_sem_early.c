// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a page fault that is the same on every architecture: find the
 * VMA, check the access, call handle_mm_fault() until it is through, and say
 * what came of it. The architecture decodes its registers before, and raises
 * its signals after.
 */

#include <linux/bug.h>
#include <linux/generic_fault.h>
#include <linux/hugetlb.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/rwsem.h>
#include <linux/sched.h>

/* Translate the final word of handle_mm_fault(); no lock is held here. */
static unsigned int fault_outcome(int fault, unsigned int flags)
{
	if (likely(!(fault & VM_FAULT_ERROR)))
		return GFAULT_DONE;

	if (!(flags & FAULT_FLAG_USER))
		return GFAULT_KERN;

	if (fault & VM_FAULT_OOM) {
		pagefault_out_of_memory();
		return GFAULT_FOAD;
	}
	if (fault & VM_FAULT_SIGSEGV)
		return GFAULT_SIGSEGV;
	if (fault & VM_FAULT_SIGBUS)
		return GFAULT_SIGBUS;
	/* The large flavour first: it alone knows how much memory is lost. */
	if (fault & VM_FAULT_HWPOISON_LARGE)
		return GFAULT_POISON +
		       hstate_index_to_shift(VM_FAULT_GET_HINDEX(fault));
	if (fault & VM_FAULT_HWPOISON)
		return GFAULT_POISON + PAGE_SHIFT;

	/* VM_FAULT_FALLBACK and the like must not get out of the mm. */
	WARN_ON_ONCE(1);
	return GFAULT_SIGSEGV;
}

/**
 * generic_fault - resolve a page fault on a user address
 * @address: the user virtual address that faulted
 * @flags: %FAULT_FLAG_ALLOW_RETRY, %FAULT_FLAG_KILLABLE and what the access adds;
 *	%FAULT_FLAG_USER exactly if the CPU was in user mode
 * @vm_flags: the access is permitted if the VMA has any of these bits; 0 if
 *	no mapping permits it, ~0UL if every mapping does
 * @regs: the registers of the interrupted context
 *
 * The caller has made sure that current->mm exists and that page faults are
 * not disabled, and %FAULT_FLAG_RETRY_NOWAIT is not in @flags.
 *
 * Context: Process context. May sleep. No mm lock is held on return.
 * Return: a member of &enum generic_fault_result; for a hardware memory error
 *	%GFAULT_POISON plus log2 of the affected size.
 */
unsigned int generic_fault(unsigned long address, unsigned int flags,
			   unsigned long vm_flags, struct pt_regs *regs)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int fault, major = 0;

	/* One fault, however many passes it takes. */
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);

retry:
	if (likely(down_read_trylock(&mm->mmap_sem))) {
		might_sleep();
	} else {
		/*
		 * The kernel touches user memory only where the exception
		 * table says so. Anything else is a bug, maybe with this very
		 * lock held: waiting for it would hide the oops in a deadlock.
		 */
		if (!(flags & FAULT_FLAG_USER) &&
		    !search_exception_tables(instruction_pointer(regs)))
			return GFAULT_KERN;
		down_read(&mm->mmap_sem);
	}

	vma = find_vma(mm, address);
	if (unlikely(!vma))
		goto unmapped;
	if (unlikely(address < vma->vm_start)) {
		if (!(vma->vm_flags & VM_GROWSDOWN) ||
		    address < FIRST_USER_ADDRESS)
			goto unmapped;
		if (expand_stack(vma, address))
			goto unmapped;
	}

	if (unlikely(!(vma->vm_flags & vm_flags))) {
		up_read(&mm->mmap_sem);
		return flags & FAULT_FLAG_USER ? GFAULT_ACCERR : GFAULT_KERN;
	}

	fault = handle_mm_fault(vma, address, flags);
	major |= fault & VM_FAULT_MAJOR;

	/* The mm has dropped the lock before it asks for another pass. */
	if (unlikely(fault & VM_FAULT_RETRY)) {
		/*
		 * The mode is what the caller said it is, so @regs is not
		 * asked again. A kernel-mode access must not simply return
		 * when the task is being killed: it would fault again for ever.
		 */
		if (flags & FAULT_FLAG_USER) {
			/* Only a fatal signal ends the wait for the page. */
			if (fatal_signal_pending(current))
				return GFAULT_FOAD;
		} else if (fatal_signal_pending(current)) {
			return GFAULT_KERN;
		}
		/* This mm lets go of the lock once and no more. */
		flags &= ~FAULT_FLAG_ALLOW_RETRY;
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}

	up_read(&mm->mmap_sem);

	if (likely(!(fault & VM_FAULT_ERROR))) {
		if (major) {
			current->maj_flt++;
			perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS_MAJ, 1, regs, address);
		} else {
			current->min_flt++;
			perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS_MIN, 1, regs, address);
		}
	}

	return fault_outcome(fault, flags);

unmapped:
	up_read(&mm->mmap_sem);
	return flags & FAULT_FLAG_USER ? GFAULT_MAPERR : GFAULT_KERN;
}
