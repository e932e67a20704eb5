# SPDX-License-Identifier: GPL-2.0-only
"""What is followed together comes to the same as what is followed one by one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from codegen.base.spans import SourceText
from codegen.frontend.constants import merge, tree_constants
from codegen.ir.handler import HandlerRole
from codegen.ir.load import Unit, load_unit
from codegen.ir.vocabulary import load
from codegen.targets.compare.bundles import Bundle, alone
from codegen.targets.compare.joints import Joint
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED, Comparison, Verdict
from codegen.targets.compare.pair import Walk
from codegen.targets.compare.sides import compare_units

from .conftest import ASKED, Edit, edited

CARRIED = (
    """\
static unsigned long seen[4];
static void (*note[2])(struct pt_regs *regs) = { note_read, note_write };

void do_page_fault(struct pt_regs *regs, unsigned long address)
{
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t fault;
	int kind = 0;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (regs->cause & 1)
		kind = 1;
	if (kind)
		flags |= FAULT_FLAG_WRITE;
retry:
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma)
		goto out;
	if (!(vma->vm_flags & (kind ? VM_WRITE : VM_READ)))
		goto unlock;
"""
    + ASKED
    + """\
	seen[kind] = address;
unlock:
	mmap_read_unlock(current->mm);
out:
	if (!user_mode(regs))
		no_context(regs, address, kind);
	else
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)address);
}
"""
)

PLANTED: dict[str, Edit] = {
    "nothing": ("", ""),
    "what is carried decides late": ("regs, address, kind)", "regs, address, !kind)"),
    "another element": ("seen[kind] = address", "seen[!kind] = address"),
    "one element for both": ("seen[kind] = address", "seen[0] = address"),
    "a flag lost on the second pass": (
        "flags |= FAULT_FLAG_TRIED",
        "flags = (flags & ~FAULT_FLAG_WRITE) | FAULT_FLAG_TRIED",
    ),
    "the mask of the first pass only": (
        "\t\tgoto retry;",
        "\t\tkind = 0;\n\t\tgoto retry;",
    ),
}


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Within it, no two pairs of states are followed as one."""

    def each(self: Walk, stage: Sequence[Joint]) -> Iterator[Bundle]:
        return map(alone, stage)

    monkeypatch.setattr(Walk, "_bundled", each)
    yield monkeypatch
    monkeypatch.undo()


def compared(before: str, after: str) -> Comparison:
    units = [load_unit(SourceText("fault.c", text), load().constants) for text in (before, after)]
    name = next(f.function for v in units[0].variants for f in v.found)
    return compare_units(units[0], units[1], name, frozenset())


def told(found: Comparison) -> object:
    """All of a comparison but how many pairs it took, and which scenario of the smallest."""
    return (
        found.verdict,
        found.notes,
        sorted((str(d.cls), d.mode, str(d.outcome), d.line) for d in found.differences),
    )


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_wrong_is_the_same_wrong(planted: str, one_by_one: pytest.MonkeyPatch) -> None:
    after = edited(CARRIED, (PLANTED[planted],))
    alone_ = compared(CARRIED, after)
    one_by_one.undo()
    together = compared(CARRIED, after)
    assert told(together) == told(alone_)
    assert together.verdict is (Verdict.EQUAL if planted == "nothing" else Verdict.DIFFERS)


def test_fewer_ways_are_followed(one_by_one: pytest.MonkeyPatch) -> None:
    alone_ = compared(CARRIED, CARRIED)
    one_by_one.undo()
    assert compared(CARRIED, CARRIED).pairs < alone_.pairs


@pytest.mark.parametrize("arch", ["alpha", "arm", "hexagon", "nios2"])
def test_real_handler_against_another_one(
    arch: str, kernel_61: Path, kernel_612: Path, one_by_one: pytest.MonkeyPatch
) -> None:
    """Two releases differ in ways that nobody planted."""
    before, after = (_unit(tree, arch) for tree in (kernel_61, kernel_612))
    alone_ = _compared(before, after)
    one_by_one.undo()
    together = _compared(before, after)
    assert told(together) == told(alone_)
    assert together.differences or arch == "arm"


def _unit(tree: Path, arch: str) -> Unit:
    path = tree / "arch" / arch / "mm"
    file = path / "fault.c" if (path / "fault.c").is_file() else path / "vm_fault.c"
    source = SourceText.from_bytes(f"arch/{arch}/mm/{file.name}", file.read_bytes())
    return load_unit(source, merge(load().constants, tree_constants(tree)))


def _compared(before: Unit, after: Unit) -> Comparison:
    name = next(
        f.function for v in before.variants for f in v.found if f.role is HandlerRole.HANDLER
    )
    return compare_units(before, after, name, DEFAULT_ACCEPTED)
