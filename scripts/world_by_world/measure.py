# SPDX-License-Identifier: GPL-2.0-only
"""Many worlds of one pair of programs, and where they are not as the comparison told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter

from codegen.ir.terms import Term
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED, Comparison, Difference, Side
from codegen.targets.compare.scenario import agree, permissive
from codegen.targets.compare.world import Halt

from .draw import Known, Worlds
from .one import Judged, judge

_FEW = 24
"""So many worlds of one pair of ways are always judged, of those to come fewer and fewer."""
_MOST_DRAWN = 60
"""How many worlds are drawn for each that is to be judged, before giving up."""
_OF_AGREEING = 0.02
"""What part of the worlds in which the two agree is walked, too."""

Told = tuple[str, str | None, str]
"""Mode, outcome and class of a difference."""


@dataclass(frozen=True)
class Hole:
    """A world with what is wrong there (`WHAT`); `told` is what the difference is there."""

    what: str
    told: Told
    scenario: dict[str, int]
    words: str = ""


WHAT = {
    "hidden": "a class that is not accepted, and that the comparison has not told in this mode",
    "untold": "a class that is accepted, and that the comparison has not told in this mode",
    "unseen": "both programs replayed differ, and the walk along both finds no parting",
    "nowhere": "tgt reads through a NULL pointer and src does not, and no note says so",
}


@dataclass
class Measured:
    """What came of the worlds of one pair of programs.

    Worlds that were `drawn`, that can be (`possible`), in which the two programs
    differ (`differing`), whose class was asked for (`judged`). Ways of both sides
    that differ, in `pairs`, and those of them that are `torn` between classes.
    Agreeing worlds in which the ways part all the same (`silent`); worlds in which
    only the address differs that the mm is given, not its page (`pages`), in which
    a class hangs on what neither program asks (`moot`), and in which the class has
    been told with other outcomes only (`outcome`).
    """

    drawn: int = 0
    possible: int = 0
    differing: int = 0
    judged: int = 0
    pairs: int = 0
    torn: int = 0
    silent: int = 0
    pages: int = 0
    moot: int = 0
    outcome: int = 0
    holes: dict[tuple[str, Told], Hole] = field(default_factory=dict)
    often: Counter[tuple[str, Told]] = field(default_factory=Counter)

    def add(self, hole: Hole) -> None:
        """Counts a hole, and keeps the smallest scenario of its kind."""
        key = hole.what, hole.told
        self.often[key] += 1
        known = self.holes.get(key)
        if known is None or len(hole.scenario) < len(known.scenario):
            self.holes[key] = hole


def measure(
    src: Side,
    tgt: Side,
    told: Comparison,
    known: Known,
    worlds: int,
    seed: int = 1,
    seconds: float = 1e9,
) -> Measured:
    """Draws worlds of a pair of programs until so many were judged, or the time is up.

    `told` is what the comparison tells of the two, `known` what it has found out.
    """
    return _Measure(Worlds(src, tgt, seed, known), told).run(worlds, seconds)


def _all(told: Comparison) -> Iterator[Difference]:
    for one in told.differences:
        yield from (one, *one.also)


def _kind(d: Difference) -> Told:
    return d.mode, d.outcome, str(d.cls)


class _Measure:
    def __init__(self, worlds: Worlds, told: Comparison) -> None:
        self.worlds, self.told = worlds, told
        self.known = {_kind(d) for d in _all(told)}
        self.classes = {(mode, cls) for mode, _, cls in self.known}
        self.out = Measured()
        # Worlds to draw from, one of each pair of ways, with what was asked there.
        self.pool: list[tuple[dict[str, int], tuple[Term, ...]]] = []
        self.met: Counter[tuple[int, int]] = Counter()
        # What is known by its identity is kept alive.
        self.halts: list[tuple[Halt, Halt]] = []
        self.of_pair: dict[tuple[int, int], set[frozenset[Told]]] = {}

    def run(self, worlds: int, seconds: float) -> Measured:
        """See measure()."""
        out, start = self.out, perf_counter()
        first = [*self.worlds.plain(), *(self.worlds.mended(d.scenario) for d in _all(self.told))]
        while out.judged < worlds and out.drawn < _MOST_DRAWN * worlds:
            if perf_counter() - start > seconds or not (first or self.pool):
                break
            out.drawn += 1
            self._look(first.pop() if first else self._next())
        out.pairs = len(self.of_pair)
        out.torn = sum(len(found) > 1 for found in self.of_pair.values())
        return out

    def _next(self) -> dict[str, int]:
        """A world like one of the pool, rather of those that were found last."""
        draw = self.worlds.random
        late = self.pool[-max(1, len(self.pool) // 8) :]
        before, asked = draw.choice(self.pool if draw.random() < 0.6 else late)
        return self.worlds.turned(before, asked)

    def _look(self, scenario: dict[str, int]) -> None:
        worlds, out = self.worlds, self.out
        user = worlds.user(scenario)
        if user is None:
            return
        a, b = worlds.runs(scenario)
        if a is None:
            return
        out.possible += 1
        mode = "user" if user else "kernel"
        if b is None:
            if not self.told.notes and judge(worlds.src, worlds.tgt, scenario, user).lost:
                out.add(Hole("nowhere", (mode, None, ""), scenario))
            return
        key = id(a.halt), id(b.halt)
        self.met[key] += 1
        if self.met[key] == 1:
            self.halts.append((a.halt, b.halt))
            self.pool.append((scenario, worlds.asked(scenario)))
        differ = not agree(a, b)
        out.differing += differ
        if not differ and worlds.random.random() > _OF_AGREEING:
            return
        if worlds.random.random() > _FEW / self.met[key]:
            return
        found = judge(worlds.src, worlds.tgt, scenario, user)
        if differ:
            out.judged += 1
            self._judge(key, found, scenario, user)
        else:
            out.silent += found.parts

    def _judge(
        self, key: tuple[int, int], found: Judged, scenario: dict[str, int], user: bool
    ) -> None:
        """Holds the classes in a world in which the two differ against those that were told."""
        if not found.parts:
            if found.same_page:
                self.out.pages += 1
            else:
                self.out.add(Hole("unseen", ("user" if user else "kernel", None, ""), scenario))
            return
        if not self.known.issuperset(map(_kind, found.differences)):
            again = self._bare(scenario, user)
            if again is None:
                return
            found, scenario = again
        self.of_pair.setdefault(key, set()).add(frozenset(map(_kind, found.differences)))
        for d in found.differences:
            if _kind(d) in self.known:
                continue
            if (d.mode, str(d.cls)) in self.classes:
                self.out.outcome += 1
                continue
            what = "untold" if d.cls in DEFAULT_ACCEPTED else "hidden"
            self.out.add(Hole(what, _kind(d), scenario, d.explanation))

    def _bare(self, scenario: dict[str, int], user: bool) -> tuple[Judged, dict[str, int]] | None:
        """The same without what neither program asks.

        What would be, had the world been another one, hangs on that, too; and
        nothing would be where no VMA can be: a world of that kind is moot.
        """
        worlds = self.worlds
        bare = worlds.bare(scenario)
        if any(None in worlds.runs(permissive(bare, n, 0)) for n in (1, 2)):
            self.out.moot += 1
            return None
        found = judge(worlds.src, worlds.tgt, bare, user)
        self.out.moot += self.known.issuperset(map(_kind, found.differences))
        return found, bare
