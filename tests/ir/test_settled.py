# SPDX-License-Identifier: GPL-2.0-only
"""Branches without what constants decide: the same worlds go the same way."""

from dataclasses import replace

import pytest

from codegen.base.spans import SourceText
from codegen.ir.environment import Plan
from codegen.ir.load import Variant, load_unit
from codegen.ir.machine import Machine
from codegen.ir.nodes import Branch, Literal
from codegen.ir.program import Program
from codegen.ir.settled import settled
from codegen.ir.vocabulary import load

TEXT = """\
void do_page_fault(struct pt_regs *regs, unsigned long address)
{{
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t fault;

	if ({condition})
		show_regs(regs);
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma)
		return;
	fault = handle_mm_fault(vma, address, flags, regs);
	mmap_read_unlock(current->mm);
}}
"""


def variants(condition: str) -> tuple[Variant, ...]:
    text = TEXT.format(condition=condition)
    return load_unit(SourceText("fault.c", text), load().constants).variants


def asked(program: Program) -> list[object]:
    function = settled(program.functions["do_page_fault"])
    ends = [b.terminator for b in function.blocks if isinstance(b.terminator, Branch)]
    return [e.condition for e in sorted(ends, key=lambda e: e.span.start)]


@pytest.mark.parametrize(
    "condition",
    [
        "(!IS_ENABLED(CONFIG_A) || !IS_ENABLED(CONFIG_B)) && address >= regs->top",
        "!(IS_ENABLED(CONFIG_A) && regs->cause & 1) || IS_ENABLED(CONFIG_B)",
        "regs->cause & 1 && IS_ENABLED(CONFIG_A) && !IS_ENABLED(CONFIG_B)",
        "regs->cause & 1 || !(regs->cause & 2)",
    ],
)
def test_each_way_has_the_same_facts_and_events(condition: str) -> None:
    for variant in variants(condition):
        runs = []
        for change in (lambda f: f, settled):
            functions = {n: change(f) for n, f in variant.program.functions.items()}
            program = replace(variant.program, functions=functions)
            paths = Machine(program, "do_page_fault", Plan(mode=True, passes=1)).run()
            runs.append([(p.facts, p.trace, p.end) for p in paths])
        assert runs[0] == runs[1] != []


def test_settings_that_come_to_the_same_agree() -> None:
    condition = "(!IS_ENABLED(CONFIG_A) || !IS_ENABLED(CONFIG_B)) && address >= regs->top"
    found = variants(condition)
    assert len(found) == 4
    first = [asked(v.program)[0] for v in found]
    assert len(set(map(repr, first))) == 2
    assert sum(isinstance(c, Literal) for c in first) == 1
