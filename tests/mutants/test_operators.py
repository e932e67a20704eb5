# SPDX-License-Identifier: GPL-2.0-only
"""The operators: where they find a place, and that a mutant is one wrong and no more."""

from __future__ import annotations

from functools import cache

import pytest

from codegen.base.spans import SourceText
from codegen.ir.program import Program
from codegen.ir.vocabulary import load
from codegen.targets.c.helper import render_helper
from codegen.targets.c.nodes import MmApi, MmDialect
from codegen.toolchain import open_request

from .judge import Subject, subjects
from .operators import OPERATORS, operators_for
from .planting import Operator, Part
from .view import View

# Every word that the helper may be rendered with, so that each operator has its place.
APIS = (
    MmApi(MmDialect.LOCK_MM_AND_FIND_VMA, per_vma_lock=True, exception_ip=True),
    MmApi(MmDialect.FIND_VMA),
    MmApi(
        MmDialect.MMAP_SEM,
        handle_mm_fault_takes_regs=False,
        completed=False,
        retry_flag_default=False,
        allow_retry_twice=False,
    ),
)


@cache
def snippets() -> tuple[Subject, ...]:
    return tuple(subjects(open_request(None, (), {}, 1)))


def helper_views() -> list[View]:
    program = Program(SourceText("", ""), {}, load(), load().constants)
    names = frozenset(("generic_fault", "fault_outcome"))
    return [View(SourceText("helper.c", render_helper(api).c), names, program) for api in APIS]


def test_there_are_many_and_no_name_comes_twice() -> None:
    names = [o.name for o in OPERATORS]
    assert len(names) == len(set(names)) >= 40


@cache
def views() -> tuple[tuple[Part, View], ...]:
    handlers = [(Part.HANDLER, s.view(Part.HANDLER)) for s in snippets()]
    return (*handlers, *((Part.HELPER, view) for view in helper_views()))


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda o: o.name)
def test_every_operator_has_a_place(operator: Operator) -> None:
    assert any(operator.places(view) for part, view in views() if part in operator.parts)


def test_a_place_is_one_wrong() -> None:
    """Two places never give one text, and each leaves the rest of the text as it is."""
    subject = next(s for s in snippets() if s.file.selector == "arc")
    for part in Part:
        view = subject.view(part)
        for operator in operators_for(part):
            plants = operator.places(view)
            assert len({p.apply(view) for p in plants}) == len(plants)
            for plant in plants:
                first = min(e.span.start for e in plant.edits)
                last = max(e.span.end for e in plant.edits)
                text = plant.apply(view)
                assert text.startswith(view.source.text[:first])
                assert text.endswith(view.source.text[last:])
                assert plant.function.body.start <= first < last <= plant.function.body.end
