// SPDX-License-Identifier: GPL-2.0-only
// Kernel mode is asked first, and meets user mode again before the dance.
#include <linux/extable.h>
#include <linux/mm.h>

void lodestone_trap(unsigned long spot, bool stores, struct pt_regs *frame)
{
	struct vm_area_struct *range;
	unsigned int fault_flags = FAULT_FLAG_DEFAULT;
	int si_code = SEGV_MAPERR, signo = SIGSEGV;
	vm_fault_t said;

	if (!current->mm || faulthandler_disabled())
		goto ours;
	if (!user_mode(frame)) {
		if (!search_exception_tables(frame->pc)) {
			die("lodestone", frame, stores);
			return;
		}
		goto decode;
	}
	fault_flags |= FAULT_FLAG_USER;
decode:
	if (stores)
		fault_flags |= FAULT_FLAG_WRITE;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, frame, spot);
lookup:
	range = lock_mm_and_find_vma(current->mm, spot, frame);
	if (!range)
		goto theirs;
	if (!(range->vm_flags & (stores ? VM_WRITE : VM_READ))) {
		mmap_read_unlock(current->mm);
		si_code = SEGV_ACCERR;
		goto theirs;
	}
	said = handle_mm_fault(range, spot, fault_flags, frame);
	if (fault_signal_pending(said, frame)) {
		if (user_mode(frame))
			return;
		goto ours;
	}
	if (said & VM_FAULT_COMPLETED)
		return;
	if (said & VM_FAULT_RETRY) {
		fault_flags |= FAULT_FLAG_TRIED;
		goto lookup;
	}
	mmap_read_unlock(current->mm);
	if (!(said & VM_FAULT_ERROR))
		return;
	if (user_mode(frame) && (said & VM_FAULT_OOM)) {
		pagefault_out_of_memory();
		return;
	}
	if (said & (VM_FAULT_SIGBUS | VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE)) {
		signo = SIGBUS;
		si_code = BUS_ADRERR;
	}
theirs:
	if (user_mode(frame)) {
		force_sig_fault(signo, si_code, (void __user *)spot);
		return;
	}
ours:
	if (!fixup_exception(frame))
		die("lodestone", frame, 0);
}
