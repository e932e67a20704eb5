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
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <linux/sched/signal.h>
#include <linux/vmstat.h>

/* Translate the final word of handle_mm_fault(); no lock is held here. */
static unsigned int fault_outcome(vm_fault_t fault, unsigned int flags)
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
 * @flags: %FAULT_FLAG_DEFAULT and what the access adds to it;
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
	vm_fault_t fault;

	/* One fault, however many passes it takes. */
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);

#ifdef CONFIG_PER_VMA_LOCK
	/*
	 * Kernel-mode faults take the slow path, which looks at the exception
	 * table before it waits for anything.
	 */
	vma = NULL;
	if (flags & FAULT_FLAG_USER)
		vma = lock_vma_under_rcu(mm, address);
	if (vma) {
		if (unlikely(!(vma->vm_flags & vm_flags))) {
			vma_end_read(vma);
			count_vm_vma_lock_event(VMA_LOCK_SUCCESS);
			return GFAULT_ACCERR;
		}

		fault = handle_mm_fault(vma, address,
					flags | FAULT_FLAG_VMA_LOCK, regs);
		if (likely(!(fault & VM_FAULT_RETRY))) {
			if (!(fault & VM_FAULT_COMPLETED))
				vma_end_read(vma);
			count_vm_vma_lock_event(VMA_LOCK_SUCCESS);
			return fault_outcome(fault, flags);
		}

		/* The mm has let go of the VMA. */
		count_vm_vma_lock_event(VMA_LOCK_RETRY);
		if (signal_pending(current))
			return GFAULT_FOAD;
		/* The page had to be read: the next pass counts as major too. */
		if (fault & VM_FAULT_MAJOR)
			flags |= FAULT_FLAG_TRIED;
	}
#endif

retry:
	/*
	 * This consults the exception table before it waits. It may also fail
	 * because the task is being killed: then what we return does not matter
	 * to user mode any more.
	 */
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (unlikely(!vma))
		return flags & FAULT_FLAG_USER ? GFAULT_MAPERR : GFAULT_KERN;

	if (unlikely(!(vma->vm_flags & vm_flags))) {
		mmap_read_unlock(mm);
		return flags & FAULT_FLAG_USER ? GFAULT_ACCERR : GFAULT_KERN;
	}

	fault = handle_mm_fault(vma, address, flags, regs);

	/* The mm has dropped the lock before it asks for another pass. */
	if (unlikely(fault & VM_FAULT_RETRY)) {
		/*
		 * The mode is what the caller said it is, so @regs is not
		 * asked again. A kernel-mode access must not simply return
		 * when the task is being killed: it would fault again for ever.
		 */
		if (flags & FAULT_FLAG_USER) {
			if (signal_pending(current))
				return GFAULT_FOAD;
		} else if (fatal_signal_pending(current)) {
			return GFAULT_KERN;
		}
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}

	/* A completed fault has released the lock, too. */
	if (likely(!(fault & VM_FAULT_COMPLETED)))
		mmap_read_unlock(mm);

	return fault_outcome(fault, flags);
}
