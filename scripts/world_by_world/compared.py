# SPDX-License-Identifier: GPL-2.0-only
"""Two programs in many worlds, against what the comparison has told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from codegen.ir.concrete import Evaluator
from codegen.ir.solver import ResourceBound
from codegen.ir.terms import Term, negate
from codegen.targets.compare.findings import Findings
from codegen.targets.compare.mode import in_one_world
from codegen.targets.compare.nodes import (
    DEFAULT_ACCEPTED,
    Comparison,
    Difference,
    DifferenceClass,
    Side,
)
from codegen.targets.compare.runs import Runs
from codegen.targets.compare.scenario import Replay, agree, permissive
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.stretches import Stretches

from .draw import Worlds, ways_of
from .measure import Drawing, Hole, Measured, kind
from .noting import Forgetting
from .one import Judged, judge

_OF_AGREEING = 0.02
"""What part of the worlds in which the two agree is walked, too."""
_MOST_FILLED = 6
"""How many pointers of a world are made to point somewhere, one after the other."""
_SOMEWHERE = 0x1000


@dataclass(frozen=True)
class Pair:
    """Two programs, and what a comparison has told of them and found out on the way.

    `inside` says that they are no handlers but a routine of theirs, `modes` which
    were looked at, True for user mode.
    """

    src: Side
    tgt: Side
    told: Comparison
    solver: SlicingSolver
    stretches: Stretches
    inside: str | None = None
    modes: tuple[bool, ...] = (True, False)


def compared(pair: Pair, worlds: int, seed: int = 1, seconds: float = 1e9) -> Measured:
    """Draws worlds of a pair of programs until so many were judged, or the time is up."""
    return _Compared(pair, seed).run(worlds, seconds)


class _Compared(Drawing):
    def __init__(self, pair: Pair, seed: int) -> None:
        src, tgt = (replace(s, runs=Runs(scenarios=Forgetting())) for s in (pair.src, pair.tgt))
        self.src, self.tgt = in_one_world(src, tgt)
        self.inside = pair.inside
        # In either mode: what src reads through somewhere, and whether it has been told
        # that tgt reads where src does not.
        self.presumed: dict[bool, frozenset[Term]] = {}
        self.told_lost: dict[bool, bool] = {}
        self.ways: dict[bool, list[tuple[Term, ...]]] = {}
        given = {user: self._walked(user, pair) for user in pair.modes}
        params = tuple(p.name for p in src.program.functions[src.entry].params)
        worlds = Worlds((self.src, self.tgt), params, given, self.ways, pair.solver, seed)
        super().__init__(worlds, pair.told.differences)

    def _judged(self, scenario: Mapping[str, int], user: bool) -> Judged:
        return judge(self.src, self.tgt, scenario, user, self.inside)

    def _walked(self, user: bool, pair: Pair) -> tuple[Term, ...]:
        """What holds in every world of a mode."""
        found = Findings(self.src, self.tgt, pair.solver, pair.stretches, pair.inside)
        walk = found.walk(user)
        with suppress(ResourceBound):
            walk.run()
        self.presumed[user] = frozenset(walk.src.presumed.values())
        self.told_lost[user] = found.really_unmatched(walk) is not None
        facts = walk.start().facts
        self.ways[user] = [w for world in (walk.src, walk.tgt) for w in ways_of(world, facts)]
        return (*facts, *walk.src.granted, *walk.tgt.granted)

    def confirm(self, d: Difference) -> None:
        """See Drawing."""
        # What the headers say no scenario repeats.
        found = self._judged({**self.worlds.fixed, **d.scenario}, d.mode == "user")
        if kind(d) not in map(kind, found.differences):
            self.out.add(Hole("unfounded", kind(d), d.scenario, d.explanation))

    def look(self, scenario: dict[str, int], user: bool) -> None:
        """See Drawing."""
        out, draw = self.out, self.worlds.random
        a, b = self.worlds.runs(scenario)
        if a is None:
            return
        out.possible += 1
        mode = "user" if user else "kernel"
        if b is None:
            if not self.told_lost[user] and self._is_lost(scenario, user, a):
                out.add(Hole("nowhere", (mode, None, ""), scenario))
            return
        key = self.met((a, b), scenario)
        differ = not agree(a, b)
        out.differing += differ
        if (not differ and draw.random() > _OF_AGREEING) or self.is_passed(key):
            return
        found = self._judged(scenario, user)
        if differ:
            out.judged += 1
            self._judge(key, found, scenario, user)
        elif found.parts:
            out.moved += found.placed
            if not found.placed:
                out.add(Hole("silent", (mode, None, ""), scenario))

    def _is_lost(self, scenario: dict[str, int], user: bool, run: Replay) -> bool:
        """Whether tgt reads through a NULL pointer, and nothing excuses it.

        It is excused where src reads through the same pointers untested in other worlds,
        and where the two differ anyhow, once the pointers are not NULL.
        """
        lost = self._judged(scenario, user).lost
        if not lost:
            return False
        world: dict[str, int] | None = scenario
        for _ in range(_MOST_FILLED):
            if not all(negate(fact) in self.presumed[user] for fact in lost):
                return True
            world = _filled(world, lost) if world is not None else None
            if world is None or self.worlds.user(world) is not user:
                return True
            a, b = self.worlds.runs(world)
            if a is None or a.halt is not run.halt:
                return True
            if b is not None:
                return agree(a, b)
            lost = self._judged(world, user).lost
        return True

    def _judge(
        self, key: tuple[int, ...], found: Judged, scenario: dict[str, int], user: bool
    ) -> None:
        """Holds the classes in a world in which the two differ against those that were told."""
        if not found.parts:
            if found.same_page:
                self.out.pages += 1
            else:
                self.out.add(Hole("unseen", ("user" if user else "kernel", None, ""), scenario))
            return
        if not self.known.issuperset(map(kind, found.differences)):
            again = self._bare(scenario, user)
            if again is None:
                return
            found, scenario = again
        self.of_ways.setdefault(key, set()).add(frozenset(map(kind, found.differences)))
        for d in found.differences:
            if kind(d) in self.known:
                continue
            if (d.mode, str(d.cls)) in self.classes:
                self.out.outcome += 1
            elif (d.mode, str(DifferenceClass.OTHER)) in self.classes:
                # Nothing is worse, and of the rest some are asked for only.
                self.out.beside += 1
            else:
                what = "untold" if d.cls in DEFAULT_ACCEPTED else "hidden"
                self.out.add(Hole(what, kind(d), scenario, d.explanation))

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
        found = self._judged(bare, user)
        self.out.moot += self.known.issuperset(map(kind, found.differences))
        return found, bare


def _filled(scenario: dict[str, int], lost: Sequence[Term]) -> dict[str, int] | None:
    """The world in which the pointers of the facts are not NULL; None where they have no name."""
    evaluator, changed = Evaluator(scenario), dict(scenario)
    for fact in lost:
        named = next((t for t in fact.walk() if t.op in ("sym", "call")), None)
        if named is None:
            return None
        changed[evaluator.name(named)] = 1 if named.bits == 1 else _SOMEWHERE
    return changed
