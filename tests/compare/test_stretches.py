# SPDX-License-Identifier: GPL-2.0-only
"""What configurations share is run once, and comes to what each comes to by itself."""

from pathlib import Path

import pytest

from codegen.base.spans import SourceText
from codegen.ir.load import Unit, load_unit
from codegen.ir.program import Program
from codegen.ir.vocabulary import load
from codegen.targets.compare import sides as pairing
from codegen.targets.compare.family import Families, Family
from codegen.targets.compare.nodes import Comparison, Verdict
from codegen.targets.compare.sides import compare_units

from .conftest import Edit, edited

HANDLER = """\
static void noted(struct pt_regs *regs)
{
#ifdef CONFIG_COUNTED
	count_fault(regs, 1);
#endif
	show_regs(regs);
}

void do_page_fault(struct pt_regs *regs, unsigned long address)
{
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t fault;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
#ifdef CONFIG_WRITES
	if (regs->cause & 1)
		flags |= FAULT_FLAG_WRITE;
#endif
retry:
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma)
		goto out;
	if ((flags & FAULT_FLAG_WRITE) && !(vma->vm_flags & VM_WRITE))
		goto unlock;
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs))
		goto out;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	if (fault & VM_FAULT_COMPLETED)
		return;
	mmap_read_unlock(current->mm);
#ifdef CONFIG_HUGE
	if (fault & VM_FAULT_OOM)
		grow_huge(current->mm, 1);
#endif
	if (fault & VM_FAULT_ERROR)
		goto out;
	update_cache(address, 1);
	return;
unlock:
	mmap_read_unlock(current->mm);
out:
	noted(regs);
	if (!user_mode(regs))
		no_context(regs, address);
	else
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)address);
}
"""

PLANTED: dict[str, Edit] = {
    "nothing": ("", ""),
    "in a function that one configuration enters": ("count_fault(regs, 1)", "count_fault(regs, 2)"),
    "early, in one configuration": ("regs->cause & 1", "regs->cause & 2"),
    "late, in one configuration": ("grow_huge(current->mm, 1)", "grow_huge(current->mm, 2)"),
    "behind the last #ifdef": ("update_cache(address, 1)", "update_cache(address, 2)"),
    "before the first #ifdef": ("if (user_mode(regs))\n\t\tflags", "if (regs->u)\n\t\tflags"),
}


def unit(text: str) -> Unit:
    return load_unit(SourceText("fault.c", text), load().constants)


def told(found: Comparison) -> object:
    return (
        found.verdict,
        found.pairs,
        found.notes,
        sorted((str(d.cls), d.mode, str(d.outcome), d.line) for d in found.differences),
    )


class _Strangers(Families):
    """Every program by itself."""

    def __init__(self, *units: Unit) -> None:
        super().__init__(*units)
        self.all = [Family([p]) for family in self.all for p in family.programs]


@pytest.mark.parametrize("planted", PLANTED)
def test_shared_or_not_it_is_the_same(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = unit(HANDLER), unit(edited(HANDLER, (PLANTED[planted],)))
    shared = compare_units(before, after, "do_page_fault", frozenset())
    monkeypatch.setattr(pairing, "Families", _Strangers)
    alone = compare_units(before, after, "do_page_fault", frozenset())
    assert told(shared) == told(alone)
    assert shared.verdict is (Verdict.EQUAL if planted == "nothing" else Verdict.DIFFERS)


def test_blocks_behind_an_ifdef_are_shared() -> None:
    """One more block in a configuration gives those behind it no other name."""
    families = Families(unit(HANDLER))
    (family,) = families.all
    assert len(family.programs) == 8
    apart = family.apart("do_page_fault")
    blocks = family.programs[0].functions["do_page_fault"].block_map
    assert 0 < len(apart & blocks.keys()) < len(blocks) / 3


def test_a_call_that_is_taken_otherwise_is_apart() -> None:
    """The caller's own text is the same; what it calls goes on in one configuration only."""
    routine = """\
static void no_context(struct pt_regs *regs, unsigned long address)
{
#ifdef CONFIG_LENIENT
	if (fixup_exception(regs))
		return;
#endif
	die("Oops", regs, 0);
}
"""
    (family,) = Families(unit(f"{routine}{HANDLER}")).all
    ending = [p for p in family.programs if not p.may_return("no_context")]
    assert 0 < len(ending) < len(family.programs)
    one, two = ending[0], next(p for p in family.programs if p.may_return("no_context"))
    (calling,) = _calling(one, "no_context")
    assert calling in family.apart("do_page_fault")
    assert not family.alike(one, two, frozenset({("do_page_fault", calling)}))
    assert family.alike(one, two, frozenset({("do_page_fault", "retry")}))


def _calling(program: Program, name: str) -> set[str]:
    return {
        block.label
        for block in program.functions["do_page_fault"].blocks
        if any(getattr(i, "name", None) == name for i in block.instructions)
    }


def test_real_configurations_share_most_blocks(kernel_61: Path) -> None:
    path = kernel_61 / "arch/sparc/mm/fault_64.c"
    source = SourceText.from_bytes("arch/sparc/mm/fault_64.c", path.read_bytes())
    (family,) = Families(load_unit(source, load().constants)).all
    blocks = family.programs[0].functions["do_sparc64_fault"].block_map
    assert len(family.programs) > 1
    assert len(family.apart("do_sparc64_fault") & blocks.keys()) < len(blocks) / 5
