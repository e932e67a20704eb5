# SPDX-License-Identifier: GPL-2.0-only
"""Asking the solver only about the facts that bear on a question, once.

The facts of a path fall into groups that share no name. A conjunction of
groups can hold exactly if each group can, so each is asked for by itself, and
the many paths that differ elsewhere share the answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from codegen.ir.solver import PathSolver, ResourceBound
from codegen.ir.terms import TRUE, Term, negate


class SlicingSolver(PathSolver):
    """A PathSolver that cuts every question down to what is connected with it."""

    def __init__(self, timeout_ms: int = 10_000) -> None:
        super().__init__(timeout_ms)
        self._groups: dict[frozenset[Term], bool] = {}
        self._decided: dict[tuple[Term, frozenset[Term]], bool | None] = {}

    def possible(self, facts: Iterable[Term]) -> bool:
        """See PathSolver.possible; each group of connected facts is decided by itself."""
        left = list(dict.fromkeys(facts))
        while left:
            first = left.pop()
            group, left = _connected([first], first.links(), left)
            if not self._holds(group):
                return False
        return True

    def decide(self, condition: Term, facts: tuple[Term, ...]) -> bool | None:
        """See PathSolver.decide; `facts` must be able to hold at once."""
        if condition.is_constant:
            return bool(condition.value)
        opposite = negate(condition)
        for fact in facts:
            if fact is condition:
                return True
            if fact is opposite:
                return False
        group, _ = _connected([], condition.links(), list(facts))
        key = (condition, frozenset(group))
        if key in self._decided:
            return self._decided[key]
        answer: bool | None = None
        if not self._holds([*group, condition]):
            answer = False
        elif not self._holds([*group, opposite]):
            answer = True
        self._decided[key] = answer
        return answer

    def _check(self, facts: list[Term]) -> bool:
        """See PathSolver: the questions here have little in common, so each has one scope."""
        if self._stack:
            self._solver.pop()
        self._solver.push()
        self._stack = [TRUE]  # one scope is open, whatever is in it
        self._solver.add(*map(self._translate, facts))
        self.questions += 1
        answer = self._solver.check()
        if answer == self._z3.unknown:
            raise ResourceBound(self._solver.reason_unknown())
        return bool(answer == self._z3.sat)

    def _holds(self, group: list[Term]) -> bool:
        key = frozenset(group)
        known = self._groups.get(key)
        if known is None:
            known = self._groups[key] = super().possible(sorted(key, key=_serial))
        return known


def _connected(
    group: list[Term], names: frozenset[str], facts: list[Term]
) -> tuple[list[Term], list[Term]]:
    """(`group` with every fact that shares a name with it, however far; the other facts)."""
    reached = set(names)
    grew = True
    while grew:
        grew, rest = False, []
        for fact in facts:
            mine = fact.links()
            if mine and reached.isdisjoint(mine):
                rest.append(fact)
            else:
                group.append(fact)
                if not mine <= reached:
                    reached |= mine
                    grew = True
        facts = rest
    return group, facts


def _serial(term: Term) -> int:
    return term.serial
