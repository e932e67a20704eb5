// SPDX-License-Identifier: GPL-2.0-only
void onyx2_fault(struct pt_regs *regs, unsigned long where, int cause)
{
	static void *const where_to[] = { &&rd, &&wr };
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t got;

	goto *where_to[cause & 1];
wr:
	flags |= FAULT_FLAG_WRITE;
rd:
	vma = lock_mm_and_find_vma(mm, where, regs);
	if (!vma)
		return;
	got = handle_mm_fault(vma, where, flags, regs);
	if (got & VM_FAULT_RETRY)
		goto rd;
	mmap_read_unlock(mm);
}
