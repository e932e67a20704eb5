// SPDX-License-Identifier: GPL-2.0-only
/*
 * Itanium: two stacks, one of which grows upwards, and speculative loads:
 *  - find_vma_prev(), since the register backing store is the VMA below;
 *  - write and exec are shifted out of ISR straight into VM_* positions, and
 *    the VMA must have ALL of them; a read is satisfied by VM_WRITE too;
 *  - the preprocessor refuses to build if the VM_* positions ever move;
 *  - a failed speculative load or lfetch is no error: the ed bit is set and
 *    the instruction goes on;
 *  - force_sig_fault() takes the ISR, SIGBUS keeps the code SEGV_ACCERR;
 *  - returns to the faulting instruction on a fatal signal in kernel mode.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <asm/exception.h>

# define WRITE_POS	1
# define EXEC_POS	2
# if (1 << WRITE_POS) != VM_WRITE || (1 << EXEC_POS) != VM_EXEC
#  error "VM_WRITE or VM_EXEC has moved, the access mask is wrong"
# endif

#define isr_bit(isr, n)	(((isr) >> (n)) & 1UL)

/* Make a speculative access fail softly; false if it was a plain one. */
static bool defer_speculation(struct pt_regs *regs, unsigned long isr)
{
	bool lfetch = (isr & IA64_ISR_NA) &&
		      (isr & IA64_ISR_CODE_MASK) == IA64_ISR_CODE_LFETCH;

	if (!lfetch && !(isr & IA64_ISR_SP))
		return false;
	ia64_psr(regs)->ed = 1;
	return true;
}

void __kprobes ia64_do_page_fault(unsigned long address, unsigned long isr,
				  struct pt_regs *regs)
{
	unsigned long mask = isr_bit(isr, IA64_ISR_X_BIT) << EXEC_POS |
			     isr_bit(isr, IA64_ISR_W_BIT) << WRITE_POS;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma, *below;
	struct mm_struct *mm = current->mm;
	int sig = SIGSEGV, code = SEGV_MAPERR;
	vm_fault_t ret;

	prefetchw(&mm->mmap_lock);
	if (!mm || faulthandler_disabled())
		goto kernel;
	if (kprobe_page_fault(regs, TRAP_BRKPT))
		return;
	if (mask & VM_WRITE)
		flags |= FAULT_FLAG_WRITE;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
again:
	mmap_read_lock(mm);
	vma = find_vma_prev(mm, address, &below);
	if (!vma && !below)
		goto fail;
	/* nothing above: the backing store underneath may still reach up */
	if (!vma || address < vma->vm_start) {
		vma = expand_stack(mm, address);
		if (!vma)
			goto fail_unlocked;
	}
	code = SEGV_ACCERR;
	if ((vma->vm_flags & mask) != mask)
		goto fail;
	if (isr_bit(isr, IA64_ISR_R_BIT) && !(vma->vm_flags & (VM_READ | VM_WRITE)))
		goto fail;

	ret = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(ret, regs) || (ret & VM_FAULT_COMPLETED))
		return;
	if (ret & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto again;
	}
	if (ret & VM_FAULT_OOM)
		goto oom;
	if (ret & VM_FAULT_SIGBUS)
		sig = SIGBUS;
	if (ret & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV))
		goto fail;
	BUG_ON(ret & VM_FAULT_ERROR);
	mmap_read_unlock(mm);
	return;
fail:
	mmap_read_unlock(mm);
fail_unlocked:
	if (defer_speculation(regs, isr))
		return;
	if (user_mode(regs)) {
		force_sig_fault(sig, code, (void __user *)address, 0, __ISR_VALID, isr);
		return;
	}
kernel:
	if (!defer_speculation(regs, isr) && !ia64_done_with_exception(regs))
		die("Oops", regs, isr);
	return;
oom:
	mmap_read_unlock(mm);
	if (!user_mode(regs))
		goto kernel;
	pagefault_out_of_memory();
}
