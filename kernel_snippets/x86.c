// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86, the user half of the address space:
 *  - one word of error code bits tells store, fetch, protection, pkey, SGX;
 *  - access_error() is no mask: pkeys and arch_vma_access_permitted() come
 *    first, and a read of a present page is always denied;
 *  - kernel mode goes through kernelmode_fixup_or_oops(), with no signal at all
 *    once a fatal one is pending;
 *  - the vsyscall page is emulated behind IS_ENABLED(), it has no VMA;
 *  - a denied access carries the VMA's pkey.
 */
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <linux/pkeys.h>
#include <asm/vsyscall.h>

static void kernelmode_fixup_or_oops(struct pt_regs *regs, unsigned long err,
				     unsigned long address, int sig, int code)
{
	if (!fixup_exception(regs, X86_TRAP_PF, err, address))
		page_fault_oops(regs, err, address);
}

static void segv(struct pt_regs *regs, unsigned long err, unsigned long address,
		 int code, u32 pkey)
{
	if (!user_mode(regs)) {
		kernelmode_fixup_or_oops(regs, err, address, SIGSEGV, code);
		return;
	}
	set_signal_archinfo(address, err);
	if (code == SEGV_PKUERR)
		force_sig_pkuerr((void __user *)address, pkey);
	else
		force_sig_fault(SIGSEGV, code, (void __user *)address);
}

static bool access_error(unsigned long err, struct vm_area_struct *vma)
{
	if (err & (X86_PF_PK | X86_PF_SGX))
		return true;
	if (!arch_vma_access_permitted(vma, err & X86_PF_WRITE, err & X86_PF_INSTR, false))
		return true;
	if (err & X86_PF_WRITE)
		return !(vma->vm_flags & VM_WRITE);
	return (err & X86_PF_PROT) || !vma_is_accessible(vma);
}

static void do_user_addr_fault(struct pt_regs *regs, unsigned long err,
			       unsigned long address)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;
	u32 pkey;

	if (err & X86_PF_RSVD)
		pgtable_bad(regs, err, address);
	if (unlikely(!mm || faulthandler_disabled()))
		return segv(regs, err, address, SEGV_MAPERR, 0);
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (user_mode(regs) || (regs->flags & X86_EFLAGS_IF))
		local_irq_enable();
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);

	flags |= err & X86_PF_WRITE ? FAULT_FLAG_WRITE : 0;
	flags |= err & X86_PF_INSTR ? FAULT_FLAG_INSTRUCTION : 0;
	if (IS_ENABLED(CONFIG_X86_64) && is_vsyscall_vaddr(address) &&
	    emulate_vsyscall(err, regs, address))
		return;
refault:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (unlikely(!vma))
		return segv(regs, err, address, SEGV_MAPERR, 0);
	if (unlikely(access_error(err, vma))) {
		pkey = vma_pkey(vma);
		mmap_read_unlock(mm);
		return segv(regs, err, address, err & X86_PF_PK ?
			    SEGV_PKUERR : SEGV_ACCERR, pkey);
	}
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault & VM_FAULT_COMPLETED)
		return;
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			kernelmode_fixup_or_oops(regs, err, address, SIGBUS, BUS_ADRERR);
		return;
	}
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto refault;
	}
	mmap_read_unlock(mm);
	if (likely(!(fault & VM_FAULT_ERROR)))
		return;
	if (!user_mode(regs) && fatal_signal_pending(current))
		kernelmode_fixup_or_oops(regs, err, address, 0, 0);
	else if (fault & VM_FAULT_SIGSEGV)
		segv(regs, err, address, SEGV_MAPERR, 0);
	else if (!user_mode(regs) && (fault & VM_FAULT_OOM))
		kernelmode_fixup_or_oops(regs, err, address, SIGSEGV, SEGV_MAPERR);
	else if (!user_mode(regs))
		kernelmode_fixup_or_oops(regs, err, address, SIGBUS, BUS_ADRERR);
	else if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
}
