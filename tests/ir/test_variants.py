# SPDX-License-Identifier: GPL-2.0-only
"""Which conditionals tell two programs of one file apart."""

from codegen.base.spans import SourceText
from codegen.ir.load import load_unit
from codegen.ir.vocabulary import load

HANDLER = """
#ifdef CONFIG_MMU
#ifdef CONFIG_STRICT
static bool uaccess_is_open(struct pt_regs *regs)
{
	if (user_mode(regs))
		return true;
	%s
	return !(regs->gate & GATE_SHUT);
}
#else
static bool uaccess_is_open(struct pt_regs *regs)
{
	return true;
}
#endif

void do_fault(struct pt_regs *regs, unsigned long address)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;

	if (!uaccess_is_open(regs)) {
		die("no uaccess", regs, 0);
		return;
	}
retry:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (!vma)
		return;
	if (handle_mm_fault(vma, address, FAULT_FLAG_DEFAULT, regs) & VM_FAULT_RETRY)
		goto retry;
	mmap_read_unlock(mm);
}
#endif
"""


def macros(inside: str) -> tuple[str, ...]:
    return load_unit(SourceText("fault.c", HANDLER % inside), load().constants, {}).tested


def test_a_helper_that_is_followed_in_either_setting_parts_them() -> None:
    assert macros("") == ("CONFIG_MMU", "CONFIG_STRICT")


def test_a_helper_that_is_one_step_in_one_setting_and_followed_in_the_other_parts_them() -> None:
    """With both macros set the helper is an effect, without the outer there is no handler."""
    assert macros("note_something(regs);") == ("CONFIG_MMU", "CONFIG_STRICT")
