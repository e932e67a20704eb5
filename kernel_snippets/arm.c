// SPDX-License-Identifier: GPL-2.0-only
/*
 * 32-bit ARM: one entry of a table of abort functions, with and without MMU:
 *  - any access bit satisfies a read, VM_ACCESS_FLAGS is the default mask;
 *  - software marks a prefetch abort in a spare FSR bit, which means VM_EXEC;
 *  - handle_mm_fault() gets the page's address, not the faulting one;
 *  - the layout of the status register hangs on CONFIG_ARM_LPAE;
 *  - without CONFIG_MMU a function of the same name never reaches core mm.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/perf_event.h>
#include "fault.h"

#ifdef CONFIG_ARM_LPAE
# define fsr_is_permission(fsr)	(((fsr) & FS_PERM_NOLL_MASK) == FS_PERM_NOLL)
#else
/* section and page permission faults differ in bit 1 only */
# define fsr_is_permission(fsr)	(((fsr) & (FSR_FS4 | 13)) == FS_L1_PERM)
#endif
#ifdef CONFIG_MMU
#define VM_FAULT_BADMAP		((__force vm_fault_t)0x010000)
#define VM_FAULT_BADACCESS	((__force vm_fault_t)0x020000)

static void signal_abort(unsigned long addr, unsigned int fsr, int sig, int code)
{
	current->thread.error_code = fsr;
	current->thread.trap_no = 14;
	current->thread.address = addr;
	force_sig_fault(sig, code, (void __user *)addr);
}

static int __kprobes
do_page_fault(unsigned long addr, unsigned int fsr, struct pt_regs *regs)
{
	unsigned long vm_flags = VM_ACCESS_FLAGS;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (kprobe_page_fault(regs, fsr))
		return 0;
	if (interrupts_enabled(regs))
		local_irq_enable();
	if (!mm || faulthandler_disabled())
		goto oops;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	/* a cache operation reports itself as a write */
	if ((fsr & FSR_WRITE) && !(fsr & FSR_CM)) {
		vm_flags = VM_WRITE;
		flags |= FAULT_FLAG_WRITE;
	}
	if (fsr & FSR_LNX_PF) {
		vm_flags = VM_EXEC;
		if (!user_mode(regs) && fsr_is_permission(fsr))
			die_kernel_fault("fetch", mm, addr, fsr, regs);
	}
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, addr);
find:
	fault = VM_FAULT_BADMAP;
	vma = lock_mm_and_find_vma(mm, addr, regs);
	if (!vma)
		goto failed;
	fault = vma->vm_flags & vm_flags ?
		handle_mm_fault(vma, addr & PAGE_MASK, flags, regs) :
		VM_FAULT_BADACCESS;
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			goto oops;
		return 0;
	}
	if (fault & VM_FAULT_COMPLETED)
		return 0;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto find;
	}
	mmap_read_unlock(mm);
failed:
	if (likely(!(fault & (VM_FAULT_BADACCESS | VM_FAULT_BADMAP | VM_FAULT_ERROR))))
		return 0;
	if (!user_mode(regs))
		goto oops;
	if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	else if (fault & VM_FAULT_SIGBUS)
		signal_abort(addr, fsr, SIGBUS, BUS_ADRERR);
	else
		signal_abort(addr, fsr, SIGSEGV, fault == VM_FAULT_BADACCESS ?
			     SEGV_ACCERR : SEGV_MAPERR);
	return 0;
oops:
	if (!fixup_exception(regs))
		die_kernel_fault("paging request", mm, addr, fsr, regs);
	return 0;
}
#else /* !CONFIG_MMU */
static int do_page_fault(unsigned long addr, unsigned int fsr, struct pt_regs *regs)
{
	return 0;
}
#endif
static struct fault_info {
	int (*fn)(unsigned long addr, unsigned int fsr, struct pt_regs *regs);
	int sig, code;
} fault_info[] = {
	[15] = { do_page_fault, SIGSEGV, SEGV_ACCERR },
};
