# SPDX-License-Identifier: GPL-2.0-only
"""Which conditionals tell two programs of one file apart."""

import pytest

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


STEPS = """\
static void report(struct pt_regs *regs)
{
#ifdef CONFIG_VERBOSE
	pr_info("at %%lx\\n", regs->pc);
#endif
#if %s
	if (fixup_exception(regs))
		return;
#endif
	die("Oops", regs, 0);
}

static void no_context(struct pt_regs *regs)
{
	report(regs);
}

void do_page_fault(struct pt_regs *regs, unsigned long address)
{
	struct vm_area_struct *vma;

retry:
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma) {
		no_context(regs);
		note_done(regs);
		return;
	}
	if (handle_mm_fault(vma, address, FAULT_FLAG_DEFAULT, regs) & VM_FAULT_RETRY)
		goto retry;
	mmap_read_unlock(current->mm);
}
"""


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("defined(CONFIG_LENIENT)", ("CONFIG_LENIENT",)),
        ("!defined(CONFIG_STRICT)", ("CONFIG_STRICT",)),
        ("1", ()),
    ],
)
def test_a_step_that_comes_back_in_one_setting_only_parts_them(
    condition: str, expected: tuple[str, ...]
) -> None:
    """What stands behind the call happens in that setting only; a print parts nothing."""
    unit = load_unit(SourceText("fault.c", STEPS % condition), load().constants, {})
    assert unit.tested == expected
    assert len(unit.variants) == 2 ** len(expected)
    returning = {v.program.may_return("no_context") for v in unit.variants}
    assert returning == ({True, False} if expected else {True})
