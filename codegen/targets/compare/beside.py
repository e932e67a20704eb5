# SPDX-License-Identifier: GPL-2.0-only
"""Which ways of one side may be gone beside a way of the other.

    src goes where  regs->ecr_cause == 2   tgt's ways where it is not need no solver

Most ways contradict each other in so many words: one took a branch that the
other did not. What is left is for the solver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from codegen.ir.state import alternatives_of
from codegen.ir.terms import Term, negate
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.world import Halt

FEW = 4
"""So many ways are looked at one by one."""

_Cubes = list[frozenset[frozenset[Term]]]


class Told:
    """A way and what is told of it: `facts` are those that do not hold on every way.

    Of `cubes` each holds the sets of facts of which one set holds.
    """

    def __init__(self, halt: Halt, facts: tuple[Term, ...]) -> None:
        self.halt = halt
        self.facts = facts
        self.told = frozenset(facts)
        plain: list[Term] = []
        self.cubes: _Cubes = []
        for fact in facts:
            ways = alternatives_of(fact)
            if ways is None:
                plain.append(fact)
            else:
                self.cubes.append(ways)
        self.plain = frozenset(plain)
        self.opposite = frozenset(map(negate, plain))

    def may_meet(self, other: Told) -> bool:
        """Whether the two do not contradict each other in so many words."""
        if not self.opposite.isdisjoint(other.plain):
            return False
        if not self.cubes and not other.cubes:
            return True
        if self.told == other.told:
            return True
        return _open([*self.cubes, *other.cubes], self.opposite | other.opposite)


def _open(cubes: _Cubes, opposite: frozenset[Term]) -> bool:
    """Whether each choice has a set left, given the opposites of what holds."""
    left: list[list[frozenset[Term]]] = [list(c) for c in cubes]
    changed = True
    while changed:
        changed, again = False, []
        for ways in left:
            possible = [w for w in ways if opposite.isdisjoint(w)]
            if not possible:
                return False
            new = frozenset(map(negate, frozenset.intersection(*possible))) - opposite
            if new:
                opposite, changed = opposite | new, True
            if len(possible) > 1:
                again.append(possible)
        left = again
    for position, ways in enumerate(left):
        for others in left[position + 1 :]:
            if not any(_agree(a, b) for a in ways for b in others):
                return False
    return True


def _agree(a: frozenset[Term], b: frozenset[Term]) -> bool:
    return all(negate(f) not in b for f in a)


class Ways:
    """The ways of one side, sorted by the branches that part them."""

    def __init__(self, ways: Iterable[Told]) -> None:
        self._all = list(ways)
        self._by: Term | None = None
        if len(self._all) <= FEW:
            return
        taken = Counter(f for w in self._all for f in w.plain)
        best, count = None, 0
        for fact, times in taken.items():
            parted = min(times, taken.get(negate(fact), 0))
            if parted > count or (parted == count and best is not None and fact.order < best.order):
                best, count = fact, parted
        if best is None:
            return
        self._by, self._not_by = best, negate(best)
        self._with = Ways(w for w in self._all if best in w.plain)
        self._against = Ways(w for w in self._all if self._not_by in w.plain)
        self._rest = Ways(w for w in self._all if not {best, self._not_by} & w.plain)

    def beside(self, other: Told) -> Iterator[Told]:
        """Those that do not contradict another side's way in so many words."""
        if self._by is None:
            yield from (w for w in self._all if w.may_meet(other))
            return
        if self._not_by not in other.plain:
            yield from self._with.beside(other)
        if self._by not in other.plain:
            yield from self._against.beside(other)
        yield from self._rest.beside(other)


@dataclass(slots=True, eq=False)
class Pair:
    """A way of either side that some world leads along; `own` is what tgt's adds to src's facts.

    `same` once it is known that nothing tells the two apart.
    """

    src: Halt
    tgt: Halt
    own: tuple[Term, ...]
    same: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A way of src with all pairs that it is in; so many ways of tgt were looked at."""

    told: Told
    pairs: list[Pair]
    candidates: int


@dataclass(eq=False, slots=True)
class _Pairing:
    """The ways of both sides from a pair of states, and the rows that are known."""

    first: Sequence[Halt]
    second: Sequence[Halt]
    rows: list[Row] = field(default_factory=list)


class Pairings:
    """The pairs of ways of two stretches, found once where configurations share them.

    The same list of ways is known by its identity, and kept alive.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], _Pairing] = {}

    def rows(
        self, first: Sequence[Halt], second: Sequence[Halt], known: int, solver: SlicingSolver
    ) -> Iterator[Row]:
        """Each way of `first` with those of `second` that go beside it.

        The first `known` facts hold on every way. Raises ResourceBound like `solver`.
        """
        pairing = self._known.setdefault((id(first), id(second)), _Pairing(first, second))
        yield from pairing.rows
        if len(pairing.rows) == len(first):
            return
        told = [Told(halt, halt.facts[known:]) for halt in second]
        alike = {way.told: way for way in told}
        theirs = Ways(told)
        for src in first[len(pairing.rows) :]:
            mine = Told(src, src.facts[known:])
            row = _row(mine, theirs, alike.get(mine.told), solver)
            pairing.rows.append(row)
            yield row


def _row(mine: Told, theirs: Ways, alike: Told | None, solver: SlicingSolver) -> Row:
    """The pairs of a way of src; `alike` is a way of tgt that goes in the same world."""
    src = mine.halt
    pairs: list[Pair] = []
    candidates = 0
    # A world leads each side along one way only: beside a way that goes wherever
    # src's goes there is no other.
    for way in theirs.beside(mine) if alike is None else (alike,):
        candidates += 1
        own = tuple(f for f in way.facts if f not in mine.told)
        if not own or solver.also_possible(own, src.facts):
            pairs.append(Pair(src, replace(way.halt, facts=(*src.facts, *own)), own))
    return Row(mine, pairs, candidates)
