// SPDX-License-Identifier: GPL-2.0-only
/*
 * powerpc: in kernel mode the inner handler returns a signal number, that its
 * caller passes to bad_page_fault():
 *  - which bit tells a store is up to #if on the processor family;
 *  - the pkey check has its own signal; access_error() asks for CPU features;
 */
#include <linux/perf_event.h>
#include <linux/pkeys.h>

#if defined(CONFIG_BOOKE) || defined(CONFIG_4xx)
#define page_fault_is_write(err)	((err) & ESR_DST)
#else
#define page_fault_is_write(err)	((err) & DSISR_ISSTORE)
#endif
static int segv(struct pt_regs *regs, unsigned long ea, int code)
{
	if (!user_mode(regs))
		return SIGSEGV;
	_exception(SIGSEGV, regs, code, ea);
	return 0;
}

static bool access_error(bool is_write, bool is_exec, struct vm_area_struct *vma)
{
	if (is_exec)
		return !(vma->vm_flags & VM_EXEC) &&
		       (cpu_has_feature(CPU_FTR_NOEXECUTE) || !vma_is_accessible(vma));
	if (is_write)
		return !(vma->vm_flags & VM_WRITE);
	return !vma_is_accessible(vma) ||
	       (radix_enabled() && (vma->vm_flags & VM_ACCESS_FLAGS) == VM_EXEC);
}

static int mm_fault_error(struct pt_regs *regs, unsigned long ea, vm_fault_t fault)
{
	if (!user_mode(regs) && fatal_signal_pending(current))
		return SIGKILL;
	if (fault & VM_FAULT_SIGSEGV)
		return segv(regs, ea, SEGV_MAPERR);
	if (!user_mode(regs))
		return fault & VM_FAULT_OOM ? SIGSEGV : SIGBUS;
	if (fault & VM_FAULT_OOM) {
		pagefault_out_of_memory();
	} else {
		current->thread.trap_nr = BUS_ADRERR;
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)ea);
	}
	return 0;
}

static int ___do_page_fault(struct pt_regs *regs, unsigned long ea,
			    unsigned long error_code)
{
	bool is_exec = TRAP(regs) == INTERRUPT_INST_STORAGE;
	bool is_write = page_fault_is_write(error_code);
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	vm_fault_t fault, major = 0;
	struct vm_area_struct *vma;
	int pkey;

	if (!user_mode(regs) && (is_exec || ea >= TASK_SIZE))
		return SIGSEGV;
	if (faulthandler_disabled() || !mm)
		return segv(regs, ea, SEGV_MAPERR);
	interrupt_cond_local_irq_enable(regs);
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, ea);
	flags |= (is_write ? FAULT_FLAG_WRITE : 0) | (user_mode(regs) ? FAULT_FLAG_USER : 0);
	flags |= is_exec ? FAULT_FLAG_INSTRUCTION : 0;
from_the_top:
	vma = lock_mm_and_find_vma(mm, ea, regs);
	if (unlikely(!vma))
		return segv(regs, ea, SEGV_MAPERR);
	if (!arch_vma_access_permitted(vma, is_write, is_exec, 0)) {
		pkey = vma_pkey(vma);
		mmap_read_unlock(mm);
		if (!user_mode(regs))
			return SIGSEGV;
		_exception_pkey(regs, ea, pkey);
		return 0;
	}
	if (access_error(is_write, is_exec, vma)) {
		mmap_read_unlock(mm);
		return segv(regs, ea, SEGV_ACCERR);
	}
	fault = handle_mm_fault(vma, ea, flags, regs);
	major |= fault & VM_FAULT_MAJOR;
	if (fault_signal_pending(fault, regs))
		return user_mode(regs) ? 0 : SIGBUS;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto from_the_top;
	}
	if (!(fault & VM_FAULT_COMPLETED))
		mmap_read_unlock(mm);
	if (unlikely(fault & VM_FAULT_ERROR))
		return mm_fault_error(regs, ea, fault);
	if (major)
		cmo_account_page_fault();
	return 0;
}

DEFINE_INTERRUPT_HANDLER(do_page_fault)
{
	int sig = ___do_page_fault(regs, regs->dar, regs->dsisr);

	if (sig)
		bad_page_fault(regs, sig);
}
