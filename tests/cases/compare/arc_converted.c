// SPDX-License-Identifier: GPL-2.0-only
/* The arc snippet as a conversion would have it; its prologue helper comes before it. */
void do_page_fault(unsigned long address, struct pt_regs *regs)
{
	struct task_struct *tsk = current;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	unsigned long mask = VM_READ;
	unsigned int res;

	if (!user_mode(regs) && address >= VMALLOC_START) {
		if (likely(!borrow_kernel_pgd(address)))
			return;
		goto no_context;
	}
	if (!tsk->mm || faulthandler_disabled())
		goto no_context;
	if (regs->ecr_cause & ECR_C_PROTV_STORE) {
		flags |= FAULT_FLAG_WRITE;
		mask = VM_WRITE;
	} else if (regs->ecr_vec == ECR_V_PROTV &&
		   regs->ecr_cause == ECR_C_PROTV_INST_FETCH) {
		mask = VM_EXEC;
	}
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;

	res = generic_fault(address, flags, mask, regs);
	if (res == GFAULT_DONE || res == GFAULT_FOAD)
		return;
	if (res == GFAULT_KERN) {
no_context:
		if (!fixup_exception(regs))
			die("Oops", regs, address);
		return;
	}
	tsk->thread.fault_address = address;
	if (res == GFAULT_SIGBUS)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	else
		force_sig_fault(SIGSEGV, res == GFAULT_ACCERR ? SEGV_ACCERR : SEGV_MAPERR,
				(void __user *)address);
}
