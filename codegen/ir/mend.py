# SPDX-License-Identifier: GPL-2.0-only
"""A scenario in which some facts hold, by mending one in which some of them do not.

    regs->cause == 2, address < vma->vm_end      all 0: both wrong
    {"regs->cause": 2}                           the second is wrong
    {"regs->cause": 2, "vma#1->vm_end": 1}       both hold

It asks no solver, and begins where everything is 0: what it comes to is told by the
facts alone. Where it comes to nothing there may be a scenario all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from codegen.ir.concrete import Changed, Evaluator
from codegen.ir.terms import Term

_DEPTHS = (1, 2, 5)
"""How many names are changed together, tried in this order, until fewer facts are wrong."""
_BITS = (2, 4, 8, 16)
_MOST_TRIES = 250
"""How many changes are tried for one wrong fact."""


def mended(facts: Sequence[Term]) -> Evaluator | None:
    """A scenario in which all facts hold; None if none was found."""
    found: Evaluator = Evaluator({})
    wrong = _wrong(facts, found)
    while wrong:
        nearer = _nearer(facts, found, wrong)
        if nearer is None:
            return None
        found, wrong = nearer
    return found


def _nearer(
    facts: Sequence[Term], evaluator: Evaluator, wrong: list[Term]
) -> tuple[Evaluator, list[Term]] | None:
    """A scenario in which fewer facts are wrong, and these; None if none was found."""
    for depth in _DEPTHS:
        for fact in wrong:
            chain = _Chain(facts, len(wrong))
            if chain.follow(evaluator, wrong, fact, depth):
                return Evaluator(dict(chain.found.scenario)), chain.left
    return None


class _Chain:
    """Changes one after the other, each to mend what the one before it broke.

    `found` and `left` are the scenario in which fewer than `goal` facts are wrong, and these.
    """

    def __init__(self, facts: Sequence[Term], goal: int) -> None:
        self.facts, self.goal, self.tries = facts, goal, 0
        self.found: Evaluator = Evaluator({})
        self.left: list[Term] = []

    def follow(
        self,
        evaluator: Evaluator,
        wrong: list[Term],
        fact: Term,
        depth: int,
        changed: frozenset[str] = frozenset(),
    ) -> bool:
        """Whether a change that mends `fact`, or a few more, came to fewer wrong facts.

        No name is `changed` twice.
        """
        for name, number in _moves(fact, evaluator):
            if name in changed:
                continue
            self.tries += 1
            if self.tries > _MOST_TRIES:
                return False
            tried = Changed(evaluator, name, number)
            if not tried.number(fact):
                continue
            left = _wrong(self.facts, tried)
            if len(left) < self.goal:
                self.found, self.left = tried, left
                return True
            if depth > 1:
                before = set(wrong)
                broken = next((f for f in left if f not in before), left[0])
                if self.follow(tried, left, broken, depth - 1, changed | {name}):
                    return True
        return False


def _wrong(facts: Sequence[Term], evaluator: Evaluator) -> list[Term]:
    return [f for f in facts if not evaluator.number(f)]


def _moves(fact: Term, evaluator: Evaluator) -> Iterator[tuple[str, int]]:
    """(name, number) of what may mend a fact: numbers that stand in it, or are near one."""
    inside = list(dict.fromkeys(fact.walk()))
    numbers = sorted({t.value for t in inside if t.op == "int"})
    for term in inside:
        if term.op not in ("sym", "call"):
            continue
        name, before = evaluator.name(term), evaluator.number(term)
        if term.bits == 1:
            yield name, 1 - before
            continue
        ones = (1 << term.bits) - 1
        others = [evaluator.number(t) for t in inside if t.bits == term.bits]
        tries = numbers_near(before, numbers, others)
        tries += [(before & ~k) | n for k in numbers for n in numbers]
        for number in dict.fromkeys(n & ones for n in (*tries, before ^ 1, 0, *_BITS, ones)):
            if number != before:
                yield name, number


def numbers_near(before: int, constants: Iterable[int], others: Iterable[int]) -> list[int]:
    """What a name may be instead of `before`, so that a fact holds in which these numbers stand.

    They may be wider than the name.
    """
    tries = [n for k in constants for n in (before | k, before & ~k, k, k + 1, k - 1)]
    return tries + [n for v in others for n in (v, v + 1, v - 1)]
