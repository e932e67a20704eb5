# SPDX-License-Identifier: GPL-2.0-only
"""Many worlds, and where they are not as was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from codegen.ir.terms import Term
from codegen.targets.compare.nodes import Difference
from codegen.targets.compare.scenario import Replay
from codegen.targets.compare.world import Halt

from .draw import Worlds

_FEW = 24
"""So many worlds of one pair of ways are always judged, of those to come fewer and fewer."""
_MOST_DRAWN = 60
"""How many worlds are drawn for each that is to be judged, before giving up."""

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
    "hidden": "a class that is not accepted, and that was not told in this mode",
    "untold": "a class that is accepted, or a departure from the contract, and was not told",
    "unseen": "what is replayed differs, or departs from the contract, and the walk sees nothing",
    "silent": "the walk along both finds a parting, and the programs replayed agree",
    "nowhere": "tgt reads through a NULL pointer and src does not, and nothing says so",
    "none": "not one world could be drawn",
    "unfounded": "what was told is not so in the very scenario that it was told with",
}


@dataclass
class Measured:
    """What came of the worlds of one program, or of one pair.

    Worlds that were `drawn`, that can be (`possible`), in which the programs
    differ or the one departs from the contract (`differing`), whose class was asked
    for (`judged`). Ways that differ, in `pairs`, and those of them that are `torn`
    between classes. Worlds in which one does before the lock what the other does
    under it (`moved`), in which only the address differs that the mm is given, not its
    page (`pages`), in which a class hangs on what no program asks (`moot`), in which it
    has been told with other outcomes only (`outcome`), and in which it has not been
    told, as there is an `other` in the same mode (`beside`).
    """

    drawn: int = 0
    possible: int = 0
    differing: int = 0
    judged: int = 0
    pairs: int = 0
    torn: int = 0
    moved: int = 0
    pages: int = 0
    moot: int = 0
    outcome: int = 0
    beside: int = 0
    holes: dict[tuple[str, Told], Hole] = field(default_factory=dict)
    often: Counter[tuple[str, Told]] = field(default_factory=Counter)

    def add(self, hole: Hole) -> None:
        """Counts a hole, and keeps the smallest scenario of its kind."""
        key = hole.what, hole.told
        self.often[key] += 1
        known = self.holes.get(key)
        if known is None or len(hole.scenario) < len(known.scenario):
            self.holes[key] = hole


def each(told: Iterable[Difference]) -> Iterator[Difference]:
    """The differences that are told, and those beside them."""
    for one in told:
        yield from (one, *one.also)


def kind(d: Difference) -> Told:
    """What a difference is held against."""
    return d.mode, d.outcome, str(d.cls)


class Drawing:
    """Draws worlds, each of an earlier one; `told` are the differences that were told.

    A subclass says what is to be looked at in a world (`look`), and counts it in `out`.
    """

    def __init__(self, worlds: Worlds, told: Sequence[Difference]) -> None:
        self.worlds = worlds
        self.told = tuple(each(told))
        self.known = {kind(d) for d in self.told}
        self.classes = {(mode, cls) for mode, _, cls in self.known}
        self.out = Measured()
        self.of_ways: dict[tuple[int, ...], set[frozenset[Told]]] = {}
        # Worlds to draw from, one of each way of all programs, with what was asked there.
        self.pool: list[tuple[dict[str, int], tuple[Term, ...]]] = []
        self._met: Counter[tuple[int, ...]] = Counter()
        # What is known by its identity is kept alive.
        self._halts: list[tuple[Halt, ...]] = []

    def look(self, scenario: dict[str, int], user: bool) -> None:
        """Looks at one world that can be."""
        raise NotImplementedError

    def confirm(self, d: Difference) -> None:
        """Looks at what was told in the scenario that it was told with."""
        raise NotImplementedError

    def run(self, worlds: int, seconds: float) -> Measured:
        """Draws until so many worlds were judged, or the time is up."""
        out, start = self.out, perf_counter()
        for d in self.told:
            self.confirm(d)
        first = [*self.worlds.plain(), *(self.worlds.mended(d.scenario) for d in self.told)]
        while out.judged < worlds and out.drawn < _MOST_DRAWN * worlds:
            if perf_counter() - start > seconds or not (first or self.pool):
                break
            out.drawn += 1
            scenario = first.pop() if first else self._next()
            user = self.worlds.user(scenario)
            if user is not None:
                self.look(scenario, user)
        if not out.possible:
            out.add(Hole("none", ("", None, ""), {}))
        out.pairs = len(self.of_ways)
        out.torn = sum(len(found) > 1 for found in self.of_ways.values())
        return out

    def _next(self) -> dict[str, int]:
        """A world like one of the pool, rather of those that were found last."""
        draw = self.worlds.random
        late = self.pool[-max(1, len(self.pool) // 8) :]
        before, asked = draw.choice(self.pool if draw.random() < 0.6 else late)
        return self.worlds.turned(before, asked)

    def met(self, runs: Sequence[Replay], scenario: dict[str, int]) -> tuple[int, ...]:
        """By what the ways are known that a world leads along; a new one goes to the pool."""
        halts = tuple(run.halt for run in runs)
        key = tuple(map(id, halts))
        self._met[key] += 1
        if self._met[key] == 1:
            self._halts.append(halts)
            self.pool.append((scenario, self.worlds.asked(scenario)))
        return key

    def is_passed(self, key: tuple[int, ...]) -> bool:
        """Whether enough worlds of these ways were judged for this one to be left out."""
        return self.worlds.random.random() > _FEW / self._met[key]
