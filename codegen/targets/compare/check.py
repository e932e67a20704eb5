# SPDX-License-Identifier: GPL-2.0-only
"""One program against the contract of generic_fault(), as findings.

    check(side) -> (Difference(UACCESS_LIVELOCK, "kernel", "signal_pending_after_RETRY", 147, ...),)

The contract needs no program of its own. What it says of one way (kernel mode
sends no signal, a retry that is not taken ends in the fixup, ...) is asked of
each way; that a pass does what the first one would, and that the fast path
does what the slow one would, is a comparison of the program with itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from codegen.ir.environment import LOCK_CONTENDED
from codegen.ir.terms import Term
from codegen.ir.trace import End, EventKind
from codegen.targets.compare.departures import Contract, Finding
from codegen.targets.compare.fast_path import fast_and_slow
from codegen.targets.compare.joints import Joint
from codegen.targets.compare.nodes import Difference, DifferenceClass, Side, grouped
from codegen.targets.compare.observe import Observed
from codegen.targets.compare.scenario import replay
from codegen.targets.compare.scene import Scene
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.stale import stale
from codegen.targets.compare.survey import Survey
from codegen.targets.compare.wanted import Wanted
from codegen.targets.compare.watch import Store, Watched, watch
from codegen.targets.compare.world import Halt

MAX_TRIED = 6
"""How many ways are tried for a scenario of one finding."""
_UNMAPPED = {"vma_found#1": 0, "vma_read_locked#1": 0, "mmap_lock_contended#1": 0}


def check_all(sides: Iterable[Side]) -> list[tuple[Difference, ...]]:
    """`check()` for each configuration of a handler; what one asks the solver, all may know."""
    solver = SlicingSolver()
    return [check(side, solver) for side in sides]


def check(side: Side, solver: SlicingSolver | None = None) -> tuple[Difference, ...]:
    """Every way in which a handler departs from the contract, one finding per class, mode, outcome.

    Raises ResourceBound where the ways are too many.
    """
    if side.entry not in side.program.functions:
        return ()
    solver = solver or SlicingSolver()
    found: list[Difference] = []
    for user in (True, False):
        found += Checking(Scene(side, solver, user)).differences()
    return tuple(d.seen_in(side, side) for d in grouped(found))


class Checking:
    """Everything that is to be found in one mode; `survey` is the walk that finds it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.survey = Survey(scene.world(), scene.solver, self._look)
        self.contract = Contract(
            scene.solver, scene.constants, scene.entry, scene.user, scene.has_fast
        )
        self.found: dict[object, list[Finding]] = {}

    def differences(self) -> Iterator[Difference]:
        """The findings that some world has."""
        survey = self.survey
        survey.run()
        for finding in self.contract.at_the_end():
            self._keep(finding)
        for kept in self.found.values():
            told = next((t for f in kept if (t := self._told(f)) is not None), None)
            if told is not None:
                yield told
        yield from stale(self.scene, survey)
        if self.scene.has_fast:
            yield from fast_and_slow(self.scene)

    def _look(self, joint: Joint, halt: Halt, seen: Observed) -> None:
        for finding in self.contract.look(joint, halt, seen):
            self._keep(finding)

    def _keep(self, finding: Finding) -> None:
        """A few of each kind, the shortest, are enough."""
        kept = self.found.setdefault((finding.cls, finding.outcome), [])
        kept.append(finding)
        kept.sort(key=lambda f: (f.joint.src.faults, len(f.halt.facts)))
        del kept[MAX_TRIED:]

    def _told(self, finding: Finding) -> Difference | None:
        """The finding in the first scenario that leads there."""
        scene, halt = self.scene, finding.halt
        own = (*halt.facts[len(finding.joint.facts) :], finding.condition)
        for facts in scene.histories(finding.joint, own):
            for scenario in scene.scenarios(islice(self.survey.src.endings(halt, facts), 1)):
                if finding.outcome == LOCK_CONTENDED:
                    scenario[f"mmap_lock_contended#{finding.joint.src.acquired + 1}"] = 1
                run = replay(scene.side, (), scenario)
                if run is None or halt.end not in (run.halt.end, End.STOP, End.RETRY):
                    continue
                unmapped = replay(scene.side, (), {**scenario, **_UNMAPPED})
                wanted = Wanted(finding, run, scene.user, unmapped, scene.constants)
                return Difference(
                    finding.cls,
                    scene.mode_word,
                    finding.outcome,
                    self._line(finding, scenario),
                    scenario,
                    run.trace,
                    wanted.trace(),
                    scene.explained(finding.outcome, finding.words),
                )
        return None

    def _line(self, finding: Finding, scenario: dict[str, int]) -> int:
        """Where a reader has to look: for flags that are lost, where they are wiped."""
        if finding.cls is DifferenceClass.FLAG_LOSS:
            watched = watch(self.scene.side, scenario)
            if watched is not None:
                wiped = _wiped(watched, finding.flags)
                return wiped.line if wiped is not None else finding.line
        return finding.line


def _wiped(watched: Watched, lost: int) -> Store | None:
    """The last assignment that takes one of the `lost` flags out of what the mm is given."""
    number = watched.run.number
    given = next((e.args[1] for e in watched.run.trace if e.kind is EventKind.FAULT), None)
    held: dict[Term, int] = {}
    found: Store | None = None
    for store in watched.stores:
        value, before = number(store.value), held.get(store.place, 0)
        if before & lost & ~value and given is not None and value == number(given):
            found = store
        held[store.place] = value
    return found
