// SPDX-License-Identifier: GPL-2.0-only
/*
 * Alpha memory-management faults, as the PALcode hands them over:
 *  - `cause` is negative for a fetch, zero for a load, positive for a store;
 *  - ahead of all else the instruction is read back, because a load into $31
 *    is a prefetch that old CPUs do not suppress;
 *  - the first VMA sets the code to SEGV_ACCERR, a second lookup that comes
 *    back empty finds it so;
 *  - SIGBUS goes out before the mode is looked at, in kernel mode as well;
 *  - a poisoned page ends in BUG(), a fatal signal in kernel mode just returns;
 *  - the vmalloc label exists with CONFIG_ALPHA_LARGE_VMALLOC only.
 */
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <linux/uaccess.h>

#define PREFETCH_OPCODES	0x30f00001400ul
#define fixup_reg(n)		(((unsigned long *)regs)[alpha_reg_slot(n)])

extern void die_if_kernel(char *, struct pt_regs *, long, unsigned long *);

static inline bool insn_is_prefetch(unsigned int insn)
{
	return ((insn >> 21) & 31) == 31 &&
	       ((1ul << (insn >> 26)) & PREFETCH_OPCODES);
}

asmlinkage void do_page_fault(unsigned long address, unsigned long mmcsr,
			      long cause, struct pt_regs *regs)
{
	const struct exception_table_entry *entry;
	struct mm_struct *mm = current->mm;
	unsigned int insn, flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	int code = SEGV_MAPERR;
	vm_fault_t fault;

	if (!cause) {
		__get_user(insn, (unsigned int __user *)regs->pc);
		if (insn_is_prefetch(insn)) {
			regs->pc += sizeof(insn);
			return;
		}
	}
	if (faulthandler_disabled() || !mm)
		goto kernel_fault;
#ifdef CONFIG_ALPHA_LARGE_VMALLOC
	if (address >= TASK_SIZE)
		goto sync_pgd;
#endif
	flags |= user_mode(regs) ? FAULT_FLAG_USER : 0;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);
retry:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (!vma)
		goto segv;

	code = SEGV_ACCERR;
	if (cause > 0) {
		if (!(vma->vm_flags & VM_WRITE))
			goto segv_unlock;
		flags |= FAULT_FLAG_WRITE;
	} else if (!(vma->vm_flags & (cause ? VM_EXEC : VM_READ | VM_WRITE))) {
		goto segv_unlock;
	}

	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs) || (fault & VM_FAULT_COMPLETED))
		return;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	if (fault & VM_FAULT_SIGSEGV)
		goto segv_unlock;
	BUG_ON(fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE));
	mmap_read_unlock(mm);
	if (likely(!(fault & VM_FAULT_ERROR)))
		return;
	if (fault & VM_FAULT_SIGBUS)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	if (!user_mode(regs))
		goto kernel_fault;
	if (fault & VM_FAULT_OOM)
		pagefault_out_of_memory();
	return;
segv_unlock:
	mmap_read_unlock(mm);
segv:
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, code, (void __user *)address);
		return;
	}
kernel_fault:
	entry = search_exception_tables(regs->pc);
	if (entry) {
		regs->pc = fixup_exception(fixup_reg, entry, regs->pc);
		return;
	}
	pr_alert("No mapping for kernel access to %016lx\n", address);
	die_if_kernel("Oops", regs, cause, (unsigned long *)regs - 16);
	make_task_dead(SIGKILL);
#ifdef CONFIG_ALPHA_LARGE_VMALLOC
sync_pgd:
	if (user_mode(regs))
		goto segv;
	if (!alpha_sync_vmalloc_pgd(current->active_mm, address))
		goto kernel_fault;
#endif
}
