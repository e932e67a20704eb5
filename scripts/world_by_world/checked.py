# SPDX-License-Identifier: GPL-2.0-only
"""One program in many worlds, against what has been told of it and the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from codegen.ir.environment import LOCK_CONTENDED, Outcome
from codegen.ir.solver import ResourceBound
from codegen.ir.terms import symbol
from codegen.ir.trace import End, Event, EventKind
from codegen.targets.compare.classify import moves_on
from codegen.targets.compare.contract import runs_into_bug
from codegen.targets.compare.departures import ERRORS, page_faults
from codegen.targets.compare.nodes import Difference, DifferenceClass, Side
from codegen.targets.compare.runs import Runs
from codegen.targets.compare.scenario import Replay
from codegen.targets.compare.scene import Scene
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.survey import Survey

from .draw import Worlds, ways_of
from .measure import Drawing, Hole, Measured, Told, kind
from .noting import Forgetting
from .one import departures

_OF_THE_MM = ("handle_mm_fault#", "signal_pending#", "fatal_signal_pending#")


def checked(
    side: Side,
    told: Sequence[Difference],
    solver: SlicingSolver,
    worlds: int,
    seed: int = 1,
    seconds: float = 1e9,
) -> Measured:
    """Draws worlds of a program until so many were judged, or the time is up.

    `told` is what `check()` tells of it, `solver` the one that it asked.
    """
    return _Checked(side, told, solver, seed).run(worlds, seconds)


class _Checked(Drawing):
    def __init__(
        self, side: Side, told: Sequence[Difference], solver: SlicingSolver, seed: int
    ) -> None:
        self.side = replace(side, runs=Runs(scenarios=Forgetting()))
        given, ways = {}, {}
        for user in (True, False):
            scene = Scene(self.side, solver, user)
            survey = Survey(scene.world(), solver, lambda *_: None)
            with suppress(ResourceBound):
                survey.run()
            facts = survey.start().facts
            given[user] = (*facts, *survey.src.granted)
            ways[user] = list(ways_of(survey.src, facts))
        super().__init__(Worlds((self.side,), (), given, ways, solver, seed), told)
        # What the contract says of all worlds together is not known before the end.
        self.open: dict[Told, list[tuple[dict[str, int], Difference]]] = {}

    def confirm(self, d: Difference) -> None:
        """See Drawing."""
        if kind(d) not in map(kind, departures(self.side, d.scenario, d.mode == "user")):
            self.out.add(Hole("unfounded", kind(d), d.scenario, d.explanation))

    def look(self, scenario: dict[str, int], user: bool) -> None:
        """See Drawing."""
        out = self.out
        (run,) = self.worlds.runs(scenario)
        if run is None:
            return
        out.possible += 1
        key = self.met((run,), scenario)
        if self.is_passed(key):
            return
        out.judged += 1
        found = departures(self.side, scenario, user)
        out.differing += bool(found)
        self.of_ways.setdefault(key, set()).add(frozenset(map(kind, found)))
        mode = "user" if user else "kernel"
        for cls in set(plainly(run, user, self.worlds.constants)) - {d.cls for d in found}:
            out.add(Hole("unseen", (mode, None, str(cls)), scenario))
        if self.known.issuperset(map(kind, found)):
            return
        # What may hang on what the program does not ask is asked without it.
        scenario = self.worlds.bare(scenario)
        again = departures(self.side, scenario, user)
        out.moot += self.known.issuperset(map(kind, again))
        for d in again:
            if kind(d) in self.known:
                continue
            if _is_of_all(d, run):
                self.open.setdefault(kind(d), []).append((scenario, d))
            elif self._is_told_as_unmapped(d):
                out.outcome += 1
            else:
                out.add(Hole("untold", kind(d), scenario, d.explanation))

    def _is_told_as_unmapped(self, d: Difference) -> bool:
        """Whether a lock that cannot be had leads where an address without a VMA leads."""
        return d.outcome == LOCK_CONTENDED and any(
            (one.cls, one.mode, one.line) == (d.cls, d.mode, d.line) for one in self.told
        )

    def run(self, worlds: int, seconds: float) -> Measured:
        """See Drawing."""
        out = super().run(worlds, seconds)
        for told, seen in self.open.items():
            for scenario, d in seen:
                if not self._is_answered(scenario, d):
                    out.add(Hole("untold", told, scenario, d.explanation))
        return out

    def _is_answered(self, scenario: Mapping[str, int], d: Difference) -> bool:
        """Whether the handler does otherwise in another world, before the same mm.

        A BUG() is its oops where it comes to the same one without the mm.
        """
        (run,) = self.worlds.runs(scenario)
        assert run is not None
        site = _bug(run)
        for world in self._beside(scenario):
            (other,) = self.worlds.runs(world)
            if other is None:
                continue
            if d.cls is DifferenceClass.ACCOUNTING:
                if page_faults(other.halt.trace):
                    return True
            elif other.halt.outcome is run.halt.outcome and _bug(other) is None:
                return True
            elif other.halt.outcome not in ERRORS and _bug(other) == site:
                return True
        return False

    def _beside(self, scenario: Mapping[str, int]) -> Iterator[dict[str, int]]:
        """Other worlds of the same mode, before the same mm and before none of the kind."""
        mode = {"user_mode(regs)": scenario.get("user_mode(regs)", 0)}
        mm = {n: v for n, v in scenario.items() if n.startswith(_OF_THE_MM)}
        for world, _ in self.pool:
            bare = {n: v for n, v in world.items() if not n.startswith(_OF_THE_MM)}
            yield {**world, **mode}
            yield {**bare, **mm, **mode}


def plainly(run: Replay, user: bool, constants: Mapping[str, int]) -> Iterator[DifferenceClass]:
    """What is wrong with the trace of one run, on the face of it."""
    halt, trace = run.halt, run.halt.trace
    danced = trace[run.began :] if halt.danced else ()
    signals = [e for e in danced if e.kind is EventKind.SIGNAL]
    if halt.end is End.RETURN and halt.held:
        yield DifferenceClass.LOCK_BALANCE
    if not user and (signals or any(e.kind is EventKind.OOM for e in danced)):
        yield DifferenceClass.KERNEL_MODE_SIGNAL
    if user and len(signals) > 1:
        yield DifferenceClass.OTHER
    if len(page_faults(trace)) > 1:
        yield DifferenceClass.ACCOUNTING
    asked = run.faults()
    needed = constants.get("FAULT_FLAG_DEFAULT", 0)
    needed |= constants.get("FAULT_FLAG_USER", 0) if user else 0
    if asked and needed & ~asked[0][1]:
        yield DifferenceClass.FLAG_LOSS
    if not user and halt.end is End.RETURN and halt.outcome is Outcome.RETRY:
        fatal = symbol(f"fatal_signal_pending#{len(asked)}", 1)
        nothing = halt.value is None or not run.number(halt.value)
        if run.number(fatal) and nothing and not moves_on(run.last()):
            yield DifferenceClass.UACCESS_LIVELOCK


def _bug(run: Replay) -> object:
    """Where a run comes to BUG() or panic(), None if it does not."""
    if not runs_into_bug(run.last()):
        return None
    event = next(s for s in run.last() if isinstance(s, Event) and s.kind is EventKind.BUG)
    return event.source.path, event.span


def _is_of_all(d: Difference, run: Replay) -> bool:
    """Whether a departure is one only where no other world says otherwise."""
    if d.cls is DifferenceClass.ACCOUNTING:
        return not page_faults(run.halt.trace)
    return d.cls is DifferenceClass.MISSING_CASE
