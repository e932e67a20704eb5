// SPDX-License-Identifier: GPL-2.0-only
/*
 * User Mode Linux, where a fault is a host's SIGSEGV without exception table:
 *  - handle_page_fault() takes no pt_regs: mode, access and address come as
 *    arguments, the answer is 0, -EFAULT or -EACCES and the code in *code_out;
 *  - it repeats handle_mm_fault() in a do-while until the PTE is there;
 *  - OOM in user mode is 0, in kernel mode -EFAULT;
 *  - the caller segv() makes SIGSEGV, SIGBUS or a panic of the answer;
 *  - a fatal signal gives up in user mode as well, other signals do not count.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <asm/tlbflush.h>
#include <as-layout.h>
#include <kern_util.h>

int handle_page_fault(unsigned long address, unsigned long ip, int is_write,
		      int is_user, int *code_out)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;
	int err = -EFAULT;
	pte_t *pte;

	*code_out = SEGV_MAPERR;
	if (faulthandler_disabled())
		return -EFAULT;
	if (is_user)
		flags |= FAULT_FLAG_USER;
search:
	vma = um_lock_mm_and_find_vma(mm, address, is_user);
	if (!vma)
		return -EFAULT;

	*code_out = SEGV_ACCERR;
	if (!is_write) {
		/* a store does not ask for these */
		if (!(vma->vm_flags & (VM_EXEC | VM_READ)))
			goto unlock;
	} else {
		flags |= FAULT_FLAG_WRITE;
		if (!(vma->vm_flags & VM_WRITE))
			goto unlock;
	}

	do {
		fault = handle_mm_fault(vma, address, flags, NULL);
		if (fault & VM_FAULT_COMPLETED)
			return 0;
		if (fault & VM_FAULT_RETRY) {
			if (fatal_signal_pending(current))
				return -EFAULT;
			flags |= FAULT_FLAG_TRIED;
			goto search;
		}
		if (unlikely(fault & VM_FAULT_ERROR))
			goto error;
		pte = pte_offset_kernel(pmd_off(mm, address), address);
	} while (!pte_present(*pte));

	flush_tlb_page(vma, address);
	err = 0;
	goto unlock;

error:
	if (fault & VM_FAULT_OOM) {
		mmap_read_unlock(mm);
		if (!is_user)
			return -EFAULT;
		pagefault_out_of_memory();
		return 0;
	}
	if (fault & VM_FAULT_SIGBUS)
		err = -EACCES;
	else if (!(fault & VM_FAULT_SIGSEGV))
		BUG();
unlock:
	mmap_read_unlock(mm);
	return err;
}

unsigned long segv(struct faultinfo fi, unsigned long ip, int is_user,
		   struct uml_pt_regs *regs)
{
	unsigned long address = FAULT_ADDRESS(fi);
	int err = -EFAULT, code = SEGV_MAPERR;

	if (!current->mm)
		panic("Segfault with no mm");
	if (SEGV_IS_FIXABLE(&fi))
		err = handle_page_fault(address, ip, FAULT_WRITE(fi), is_user, &code);
	if (!err || (!is_user && arch_fixup(ip, regs)))
		return 0;
	if (!is_user)
		panic("Kernel mode fault at addr 0x%lx, ip 0x%lx", address, ip);

	current->thread.arch.faultinfo = fi;
	if (err == -EACCES)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	else
		force_sig_fault(SIGSEGV, code, (void __user *)address);
	return 0;
}
