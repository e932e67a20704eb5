# SPDX-License-Identifier: GPL-2.0-only
"""A class is that of every world in which a difference is seen, not of the one looked at first."""

import pytest

from codegen.base.spans import SourceText
from codegen.ir.load import load_unit
from codegen.ir.vocabulary import load
from codegen.targets.compare import findings
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED, Comparison, Verdict
from codegen.targets.compare.sides import compare_units

from .conftest import ASKED, Edit, edited

HANDLER = (
    """\
void do_page_fault(struct pt_regs *regs, unsigned long address)
{
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t fault;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (regs->cause & 1) {
		flags = FAULT_FLAG_WRITE;
		if (regs->cause & 2)
			flags |= FAULT_FLAG_INSTRUCTION;
	}
	/* before */
retry:
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma)
		goto out;
	/* behind */
	if (!(vma->vm_flags & VM_READ))
		goto unlock;
"""
    + ASKED
    + """\
	if (!(fault & VM_FAULT_ERROR)) {
		mmap_read_unlock(current->mm);
		return;
	}
unlock:
	mmap_read_unlock(current->mm);
out:
	if (user_mode(regs))
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)address);
	else
		no_context(regs, address);
}
"""
)

KEPT: Edit = ("flags = FAULT_FLAG_WRITE;", "flags |= FAULT_FLAG_WRITE;")
LOST: Edit = ("flags |= FAULT_FLAG_INSTRUCTION;", ";")
FAST: Edit = (
    "/* before */",
    """\
vma = user_mode(regs) ? lock_vma_under_rcu(current->mm, address) : NULL;
	if (vma) {
		if (!(vma->vm_flags & VM_READ)) {
			vma_end_read(vma);
			count_vm_vma_lock_event(VMA_LOCK_SUCCESS);
			goto out;
		}
		fault = handle_mm_fault(vma, address, flags | FAULT_FLAG_VMA_LOCK, regs);
		if (fault & VM_FAULT_RETRY) {
			count_vm_vma_lock_event(VMA_LOCK_RETRY);
			if (fault_signal_pending(fault, regs))
				goto out;
			if (fault & VM_FAULT_MAJOR)
				flags |= FAULT_FLAG_TRIED;
			goto retry;
		}
		count_vm_vma_lock_event(VMA_LOCK_SUCCESS);
		if (!(fault & VM_FAULT_COMPLETED))
			vma_end_read(vma);
		if (fault & VM_FAULT_ERROR)
			goto out;
		return;
	}
""",
)


def compared(before: str, after: str) -> Comparison:
    constants = load().constants
    units = [load_unit(SourceText("fault.c", text), constants) for text in (before, after)]
    return compare_units(units[0], units[1], "do_page_fault", DEFAULT_ACCEPTED)


def classes(found: Comparison) -> set[tuple[str, str]]:
    return {(d.mode, str(d.cls)) for one in found.differences for d in (one, *one.also)}


def test_a_wrong_does_not_hide_behind_one_that_looks_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two ways to one call: on one of them flags come back, on the other they are lost."""
    after = edited(HANDLER, (KEPT, LOST))
    found = compared(HANDLER, after)
    assert found.verdict is Verdict.DIFFERS
    assert {("user", "flag-loss"), ("user", "other")} <= classes(found)
    monkeypatch.setattr(findings, "MAX_LOOKED_AT", 1)
    assert classes(compared(HANDLER, after)) == classes(found)


def test_what_could_not_all_be_looked_at_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    after = edited(HANDLER, (KEPT,))
    assert compared(HANDLER, after).verdict is Verdict.EXPLAINED
    monkeypatch.setattr(findings, "MAX_KEPT", 1)
    found = compared(HANDLER, after)
    assert found.verdict is Verdict.UNKNOWN
    assert any("have no class" in note for note in found.notes)


def test_flags_are_lost_where_a_lock_is_won() -> None:
    """Both at once are neither of the two, and no third thing."""
    found = compared(HANDLER, edited(HANDLER, (KEPT, FAST)))
    assert found.verdict is Verdict.EXPLAINED, [d.explanation for d in found.differences]
    assert {("user", "flag-loss"), ("user", "fast-path")} <= classes(found)
    wrong = edited(HANDLER, (KEPT, FAST, ("flags | FAULT_FLAG_VMA_LOCK", "flags")))
    assert ("user", "other") in classes(compared(HANDLER, wrong))


@pytest.mark.parametrize(
    ("behind", "cls"), [("regs->cause & 4", "missing-case"), ("regs->cause & 8", "other")]
)
def test_a_panic_comes_earlier_only_where_it_comes_at_all(behind: str, cls: str) -> None:
    src = edited(HANDLER, (("/* behind */", f"if ({behind})\n\t\tBUG();"),))
    tgt = edited(HANDLER, (("/* before */", "if (regs->cause & 4)\n\t\tBUG();"),))
    if cls == "other":
        # Where both panic, src does so once it has found a VMA.
        tgt = edited(tgt, (("/* behind */", f"if ({behind})\n\t\tBUG();"),))
    assert classes(compared(src, tgt)) == {("user", cls), ("kernel", cls)}


STOPS: Edit = (
    "	if (!(fault & VM_FAULT_ERROR)) {",
    "	if (fault & VM_FAULT_HWPOISON)\n\t\tBUG();\n	if (!(fault & VM_FAULT_ERROR)) {",
)
GOES_ON: Edit = (
    "	if (!(fault & VM_FAULT_ERROR)) {",
    """\
	if ((fault & VM_FAULT_HWPOISON) && !user_mode(regs)) {
		mmap_read_unlock(current->mm);
		no_context(regs, address);
		return;
	}
	if (!(fault & VM_FAULT_ERROR)) {""",
)


@pytest.mark.parametrize("given", ["address", "0", "regs->pc"])
def test_a_wrong_value_does_not_hide_where_all_are_0(given: str) -> None:
    """In the smallest scenario of src's BUG() the address is 0, as most numbers are."""
    right = given == "address"
    told = (
        GOES_ON[0],
        GOES_ON[1].replace("no_context(regs, address)", f"no_context(regs, {given})"),
    )
    found = classes(compared(edited(HANDLER, (STOPS,)), edited(HANDLER, (told,))))
    assert ("kernel", "missing-case") in found
    assert (("kernel", "other") in found) is not right


@pytest.mark.parametrize("tested", [True, False])
def test_null_is_not_read_through_beside_what_is_told_to_differ(tested: bool) -> None:
    """Wherever src runs into BUG() tgt does otherwise, or reads through a pointer that is NULL."""
    test = 'if (!fixup)\n\t\t\tpanic("no entry");\n\t\t' if tested else ""
    fixed = GOES_ON[1].replace(
        "no_context(regs, address);",
        "const struct exception_table_entry *fixup = search_exception_tables(regs->pc);\n\t\t"
        f"{test}regs->pc = fixup->fixup;",
    )
    found = compared(edited(HANDLER, (STOPS,)), edited(HANDLER, ((GOES_ON[0], fixed),)))
    kernel = [n for n in found.notes if "world that tgt has no way in" in n]
    assert bool(kernel) is not tested, found.notes


def left(noted: tuple[Edit, ...], stays: str = "user_mode(regs)") -> tuple[str, str]:
    """Two that leave when a fatal signal is pending: with `return`, and for the fixup."""
    fixed = f"{{ if ({stays}) return; goto out; }}"
    one, two = (
        edited(HANDLER, (*noted, ("regs))\n\t\tgoto out;", f"regs))\n\t\t{then};")))
        for then in ("return", fixed)
    )
    return one, two


def test_rows_that_lose_the_flag_of_user_mode_are_no_mode() -> None:
    """However many they are: not user_mode(regs) would hold in none of the others' worlds."""
    assert classes(compared(*left(()))) == {("kernel", "uaccess-livelock")}


def test_what_is_carried_over_the_passes_has_its_value_there() -> None:
    """From the third pass on it stands for itself; its number is none of the scenario's."""
    asked = "if (seen == 5)\n\t\tseen = probe(regs);\n\tif (!seen)\n\t\tgoto unlock;"
    noted: tuple[Edit, ...] = (
        ("vm_fault_t fault;", "vm_fault_t fault;\n\tunsigned long seen = 5, passes = 0;"),
        ("/* behind */", f"{asked}\n\tif (passes < 3)\n\t\tpasses++;"),
        ("no_context(regs, address);", "no_context(regs, address, seen);"),
    )
    found = compared(*left(noted, "user_mode(regs) || passes < 3"))
    assert classes(found) == {("kernel", "uaccess-livelock")}
    assert found.verdict is Verdict.EXPLAINED
