# SPDX-License-Identifier: GPL-2.0-only
"""Answers that several configurations of a handler share.

A configuration that only changes what a helper does after the fault asks the
same questions before it: what a run of the machine found holds for every
program in which the functions that it went through are the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from codegen.ir.program import Program, Taken

R = TypeVar("R")


class Recall(Generic[R]):
    """Results by question, each with the functions that it depends on."""

    def __init__(self) -> None:
        self._known: dict[Hashable, list[tuple[dict[str, object], R]]] = {}

    def find(self, question: Hashable, program: Program) -> R | None:
        """The result for a program that agrees with an earlier one where it matters."""
        for visited, result in self._known.get(question, []):
            if all(_seen(program, name) == seen for name, seen in visited.items()):
                return result
        return None

    def keep(self, question: Hashable, program: Program, names: Iterable[str], result: R) -> R:
        """Remembers a result that came of the functions called `names`; hands it back."""
        visited = {name: _seen(program, name) for name in names}
        self._known.setdefault(question, []).append((visited, result))
        return result


def _seen(program: Program, name: str) -> object:
    """What the machine sees of a function: its text if it goes in, else how the call is taken."""
    if name not in program.functions:
        return None
    taken = program.taken(name)
    if taken is Taken.INLINE:
        return program.functions[name]
    return taken, program.writes_objects(name), program.may_return(name)
