# SPDX-License-Identifier: GPL-2.0-only
"""Asking the solver only about the facts that bear on a question, once.

The facts of a path fall into groups that share no name. A conjunction of
groups can hold exactly if each group can, so each is asked for by itself, and
the many paths that differ elsewhere share the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codegen.ir.smallest import scenario_of, small_scenario_of
from codegen.ir.solver import Example, PathSolver, ResourceBound
from codegen.ir.terms import Term, negate, order_of

MOST_TOLD = 400
"""How many facts z3 is told before it starts afresh."""


class SlicingSolver(PathSolver):
    """A PathSolver that cuts every question down to what is connected with it."""

    def __init__(self, timeout_ms: int = 10_000) -> None:
        super().__init__(timeout_ms)
        self._marks: dict[Term, tuple[Any, Any]] = {}
        self._told: set[Term] = set()
        self._cores: dict[Term, list[frozenset[Term]]] = {}
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

    def also_possible(self, more: tuple[Term, ...], facts: tuple[Term, ...]) -> bool:
        """Whether `more` can hold where `facts`, which can hold at once, do."""
        if self._refuted(frozenset((*facts, *more))):
            return False
        left = [*facts, *more]
        rest = list(more)
        while rest:
            first = rest.pop()
            group, left = _connected([], first.links(), left)
            if not self._holds(group):
                return False
            rest = [f for f in rest if f in left]
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

    def model(self, facts: Iterable[Term], wanted: Iterable[Term]) -> dict[Term, int] | None:
        """See PathSolver.model; each group of connected facts has a model of its own."""
        found: dict[Term, int] = {}
        left = list(dict.fromkeys(facts))
        while left:
            first = left.pop()
            group, left = _connected([first], first.links(), left)
            example = self._witness(group)
            if example is None:
                return None
            for term in {t for fact in group for t in fact.walk() if t.op in ("sym", "call")}:
                found[term] = example.value(term) or 0
        return {term: found.get(term, 0) for term in wanted}

    def scenario(self, facts: Iterable[Term]) -> dict[str, int]:
        """See smallest.small_scenario_of(); without what only the walk has a name for."""
        return _told(small_scenario_of(facts, self))

    def smallest_scenario(self, facts: Iterable[Term]) -> dict[str, int]:
        """See smallest.scenario_of(); without what only the walk has a name for."""
        return _told(scenario_of(facts, self))

    def _check(self, facts: list[Term]) -> bool:
        """See PathSolver: z3 knows all facts that were asked about, and a question names its own.

        Where the facts contradict each other, those few that do are remembered:
        whatever has them among its facts contradicts itself, too.
        """
        if len(self._told) > MOST_TOLD:
            self._solver.reset()
            self._told.clear()
        marks = {}
        for fact in facts:
            mark, implied = self._marked(fact)
            marks[mark.get_id()] = fact
            if fact not in self._told:
                self._told.add(fact)
                self._solver.add(implied)
        self.questions += 1
        answer = self._solver.check(*(self._marked(f)[0] for f in facts))
        if answer == self._z3.unknown:
            raise ResourceBound(self._solver.reason_unknown())
        if answer == self._z3.sat:
            return True
        core = frozenset(marks[m.get_id()] for m in self._solver.unsat_core())
        if core:
            self._cores.setdefault(max(core, key=order_of), []).append(core)
        return False

    def _marked(self, fact: Term) -> tuple[Any, Any]:
        """(a name for a fact in z3, that the name implies the fact)."""
        found = self._marks.get(fact)
        if found is None:
            mark = self._z3.Bool(f"fact {len(self._marks)}")
            found = self._marks[fact] = mark, self._z3.Implies(mark, self._translate(fact))
        return found

    def _holds(self, group: list[Term]) -> bool:
        return self._witness(group) is not None

    def _witness(self, wanted: list[Term]) -> Example | None:
        """See PathSolver; what is known to contradict itself is not asked again."""
        key = frozenset(wanted)
        if key not in self._witnesses:
            if not self._refuted(key):
                return super()._witness(sorted(key, key=order_of))
            self._witnesses[key] = None
        return self._witnesses[key]

    def _refuted(self, facts: frozenset[Term]) -> bool:
        """Whether facts that are known to contradict each other are among these."""
        cores = self._cores
        return any(core <= facts for f in facts if f in cores for core in cores[f])


def _told(scenario: dict[str, int]) -> dict[str, int]:
    return {n: v for n, v in scenario.items() if not n.startswith("carried")}


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
