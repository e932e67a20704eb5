// SPDX-License-Identifier: GPL-2.0-only
/* Everything that repeats is a macro of the file's own. */
#define CLAY_BAIL(how)	do { mmap_read_unlock(mm); si_code = (how); goto bad; } while (0)
#define CLAY_NEEDS(vma, m) ((vma)->vm_flags & (m))
#define CLAY_IS(r, what) (((r)->cause & CLAY_##what) != 0)
#define CLAY_STORE 0x8
#define CLAY_FETCH 0x4
#define for_each_try(n) for (n = 0; ; n++)

asmlinkage __visible noinline __attribute__((__section__(".clay.text"))) void notrace
clay_fault(struct pt_regs *const regs, const unsigned long where)
{
	struct mm_struct *mm = ({ struct task_struct *t = current; t->mm; });
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	int si_code = SEGV_MAPERR;
	vm_fault_t got = VM_FAULT_SIGSEGV;
	int n;

	if (WARN_ON_ONCE(!mm) || faulthandler_disabled())
		goto bad;
	flags |= user_mode(regs) ? FAULT_FLAG_USER : 0;
	flags |= CLAY_IS(regs, STORE) ? FAULT_FLAG_WRITE : CLAY_IS(regs, FETCH) ? FAULT_FLAG_INSTRUCTION : 0;

	for_each_try(n) {
		got = VM_FAULT_SIGSEGV;
		si_code = SEGV_MAPERR;
		vma = lock_mm_and_find_vma(mm, where, regs);
		if (!vma)
			goto bad;
		if (CLAY_IS(regs, STORE)) {
			if (!CLAY_NEEDS(vma, VM_WRITE))
				CLAY_BAIL(SEGV_ACCERR);
		} else if (CLAY_IS(regs, FETCH)) {
			if (!CLAY_NEEDS(vma, VM_EXEC))
				CLAY_BAIL(SEGV_ACCERR);
		} else if (!CLAY_NEEDS(vma, VM_READ | VM_WRITE | VM_EXEC))
			CLAY_BAIL(SEGV_ACCERR);

		got = handle_mm_fault(vma, where, flags, regs);
		if (fault_signal_pending(got, regs)) {
			if (user_mode(regs))
				return;
			goto bad;
		}
		if (got & VM_FAULT_COMPLETED)
			return;
		if (likely(!(got & VM_FAULT_RETRY)))
			break;
		flags |= FAULT_FLAG_TRIED;
	}
	mmap_read_unlock(mm);
	if (likely(!(got & VM_FAULT_ERROR)))
		return;
bad:
	if (!user_mode(regs)) {
		if (!fixup_exception(regs))
			die("clay", regs, n);
		return;
	}
	if (got & VM_FAULT_OOM)
		return pagefault_out_of_memory();
	force_sig_fault(got & VM_FAULT_SIGSEGV ? SIGSEGV : SIGBUS,
			got & VM_FAULT_SIGSEGV ? si_code : BUS_ADRERR, (void __user *)where);
}
