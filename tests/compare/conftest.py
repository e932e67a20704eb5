# SPDX-License-Identifier: GPL-2.0-only
"""Handlers as sides of a comparison: the bundled snippets, edited or not, and real trees."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.frontend.constants import merge, tree_constants
from codegen.ir.handler import HandlerRole
from codegen.ir.load import load_unit
from codegen.ir.naming import Naming
from codegen.ir.solver import PathSolver
from codegen.ir.vocabulary import load
from codegen.tables.mode import find_mode
from codegen.targets.compare.nodes import Side
from codegen.targets.compare.printer import Reading

ASKED = """\
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault_signal_pending(fault, regs))
		goto out;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	if (fault & VM_FAULT_COMPLETED)
		return;
"""
"""What the handlers of several tests do with the mm: a part of their text."""

Edit = tuple[str, str]
Snippet = Callable[..., Side]


def sides_of(
    source: SourceText, constants: Mapping[str, int], library: SourceText | None = None
) -> list[Side]:
    """Each entry of the handler in each variant of a file."""
    sides = []
    for variant in load_unit(source, constants, library=library).variants:
        for found in variant.found:
            if found.role is not HandlerRole.HANDLER:
                continue
            for entry in found.entries:
                mode = find_mode(variant.program, entry, found.function, PathSolver())
                sides.append(Side(variant.program, entry, mode, source.path))
    return sides


def edited(text: str, edits: tuple[Edit, ...]) -> str:
    """The text with each edit made once; an edit without a place is a mistake of the test."""
    for before, after in edits:
        assert before in text, before
        text = text.replace(before, after, 1)
    return text


@pytest.fixture(scope="session")
def snippet() -> Snippet:
    """`snippet("arc", (before, after), ...)`: the snippet's handler, its text edited."""

    def make(name: str, *edits: Edit) -> Side:
        text = (data_dir("kernel_snippets") / f"{name}.c").read_text("utf-8")
        source = SourceText(f"{name}.c", edited(text, edits))
        return sides_of(source, load().constants)[0]

    return make


def reading() -> Reading:
    """How a reader is told of two snippets."""
    names = Naming(load().constants)
    return Reading(names, ("arc.c", "arc.c"), ("genfault", "simulate"), ("genfault", "simulate"))


def tree_sides(tree: Path) -> Iterator[tuple[str, Side]]:
    """(architecture, side) for the first variant of every handler of a kernel tree."""
    constants = merge(load().constants, tree_constants(tree))
    for pattern in ("arch/*/mm/*fault*.c", "arch/um/kernel/trap.c"):
        for path in sorted(tree.glob(pattern)):
            data = path.read_bytes()
            if b"handle_mm_fault" not in data:
                continue
            arch = path.relative_to(tree).parts[1]
            if path.stem.rpartition("_")[2].isdigit():
                arch += path.stem.rpartition("_")[2]
            source = SourceText.from_bytes(str(path.relative_to(tree)), data)
            for side in sides_of(source, constants)[:1]:
                yield arch, side
