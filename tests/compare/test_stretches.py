# SPDX-License-Identifier: GPL-2.0-only
"""What configurations share is run once, and comes to what each comes to by itself."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from codegen.base.spans import SourceText
from codegen.ir.load import Unit, Variant, load_unit
from codegen.ir.program import Program
from codegen.ir.solver import PathSolver
from codegen.ir.state import State
from codegen.ir.terms import Term
from codegen.ir.vocabulary import load
from codegen.targets.compare import sides as pairing
from codegen.targets.compare.compare import compare
from codegen.targets.compare.family import Families, Family
from codegen.targets.compare.known import Called, InMode, Known
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED, Comparison, Side, Verdict
from codegen.targets.compare.sides import compare_units
from codegen.targets.compare.stretches import Stretches
from codegen.targets.compare.world import Halt, World

from .conftest import ASKED, Edit, Snippet, edited

HANDLER = (
    """\
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
"""
    + ASKED
    + """\
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
)

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

    def __init__(self, *texts: Sequence[Variant]) -> None:
        super().__init__(*texts)
        self.all = [Family([p]) for family in self.all for p in family.programs]


@pytest.mark.parametrize("planted", PLANTED)
def test_shared_or_not_it_is_the_same(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = unit(HANDLER), unit(edited(HANDLER, (PLANTED[planted],)))
    shared = compare_units(before, after, "do_page_fault", frozenset())
    monkeypatch.setattr(pairing, "Families", _Strangers)
    alone = compare_units(before, after, "do_page_fault", frozenset())
    assert told(shared) == told(alone)
    assert shared.verdict is (Verdict.EQUAL if planted == "nothing" else Verdict.DIFFERS)


PENDING = "(fault, regs))\n\t\tgoto out;"
SILENT: Edit = (PENDING, "(fault, regs))\n\t\treturn;")
FIXED: Edit = (
    PENDING,
    "(fault, regs)) {\n\t\tif (!user_mode(regs))\n\t\t\tgoto out;\n\t\treturn;\n\t}",
)


def test_what_has_a_class_is_looked_at_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mode that goes through no block of a macro is compared once, whatever the macro is."""
    in_user_mode = ("out:\n\tnoted(regs);", "out:\n\tif (user_mode(regs))\n\t\tnoted(regs);")
    before, after = (unit(edited(HANDLER, (in_user_mode, one))) for one in (SILENT, FIXED))
    hits: list[bool] = []
    find = Known.find

    def noted(known: Known, key: object, src: Side, tgt: Side, called: Called) -> InMode | None:
        found = find(known, key, src, tgt, called)
        hits.append(found is not None)
        return found

    monkeypatch.setattr(Known, "find", noted)
    shared = compare_units(before, after, "do_page_fault", DEFAULT_ACCEPTED)
    assert hits.count(True) == 4
    monkeypatch.setattr(pairing, "Families", _Strangers)
    alone = compare_units(before, after, "do_page_fault", DEFAULT_ACCEPTED)
    assert hits.count(True) == 4
    assert told(shared) == told(alone)
    assert shared.verdict is Verdict.EXPLAINED


def test_a_world_leads_each_side_along_one_way(
    snippet: Snippet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ways of one stretch contradict each other: a way's like has no other beside it."""
    seen: list[list[Halt]] = []
    ways = Stretches.ways

    def noted(
        stretches: Stretches, world: World, state: State, facts: tuple[Term, ...]
    ) -> list[Halt]:
        seen.append(ways(stretches, world, state, facts))
        return seen[-1]

    monkeypatch.setattr(Stretches, "ways", noted)
    solver, looked_at = PathSolver(), 0
    for name in ("arc", "powerpc", "x86"):
        side = snippet(name)
        compare(side, side, accepted=frozenset())
    for found in seen:
        for i, one in enumerate(found[:24]):
            for two in found[i + 1 : 24]:
                assert not solver.possible(dict.fromkeys((*one.facts, *two.facts)))
                looked_at += 1
    assert looked_at > 1000


def test_blocks_behind_an_ifdef_are_shared() -> None:
    """One more block in a configuration gives those behind it no other name."""
    families = Families.of_handlers(unit(HANDLER))
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
    (family,) = Families.of_handlers(unit(f"{routine}{HANDLER}")).all
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
    (family,) = Families.of_handlers(load_unit(source, load().constants)).all
    blocks = family.programs[0].functions["do_sparc64_fault"].block_map
    assert len(family.programs) > 1
    assert len(family.apart("do_sparc64_fault") & blocks.keys()) < len(blocks) / 5
