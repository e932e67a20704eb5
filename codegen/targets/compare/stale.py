# SPDX-License-Identifier: GPL-2.0-only
"""A pass after a retry against what the first pass would have done in its place.

    code = SEGV_ACCERR;              first pass, VMA found, VM_FAULT_RETRY
    do_trap(regs, SIGSEGV, code)     second pass, no VMA: `code` still holds SEGV_ACCERR

The state in which the second pass begins is compared with the same state in
which no outcome was left behind; where they part, each value by itself says
whether it is to blame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from codegen.ir.environment import LOCK_CONTENDED
from codegen.ir.printer import place_text
from codegen.ir.state import State, root_of
from codegen.ir.terms import Term
from codegen.ir.trace import End, Event, EventKind
from codegen.targets.compare.answers import answers, answers_differ
from codegen.targets.compare.joints import Channel, Joint, Parting, Way
from codegen.targets.compare.live import Likeness, local_of
from codegen.targets.compare.nodes import Difference, DifferenceClass, Side
from codegen.targets.compare.pair import Walk
from codegen.targets.compare.scenario import Replay, pass_before, replay, shifted
from codegen.targets.compare.scene import Scene
from codegen.targets.compare.survey import Survey
from codegen.targets.compare.watch import Watched, watch

MAX_TRIED = 6
"""How many partings of one kind are tried for a scenario, and how many histories of each."""


@dataclass(frozen=True)
class Survivor:
    """A value of the first pass that the second still finds."""

    place: Term
    value: Term
    fresh: Term

    @property
    def sentence(self) -> str:
        """What survives, with its name."""
        root = root_of(self.place)
        plain = root is self.place and root.op == "local"
        name = local_of(root)[1] if plain else place_text(self.place)
        if any(n.startswith("handle_mm_fault#") for n in self.value.symbols()):
            return f"`{name}` still holds what handle_mm_fault() gave in the first pass"
        if self.value.is_constant and self.value.name:
            return f"`{name}` still holds {self.value.name} from the first pass"
        return f"`{name}` still holds its value of the first pass"


def stale(scene: Scene, survey: Survey) -> Iterator[Difference]:
    """The differences of one mode, one per outcome."""
    found = list(_found(scene, survey))
    lines = {d.line for d in found if d.outcome != LOCK_CONTENDED}
    for d in found:
        # A lock that could not be had gives no VMA, as an address without one does.
        if d.outcome != LOCK_CONTENDED or d.line not in lines:
            yield d


def _found(scene: Scene, survey: Survey) -> Iterator[Difference]:
    heads = [j for j in survey.begun if j.src.faults == 0]
    for later in survey.begun:
        if later.src.faults != 1 or not later.src.retrying:
            continue
        for head in heads:
            ways = [w for w in later.ways if w.origin and _comes_from(w.origin, head)]
            if ways:
                yield from _Passes(scene, later, head, ways).differences()


@dataclass
class _Passes:
    """A joint from which a second pass begins, and the one from which the first began."""

    scene: Scene
    later: Joint
    head: Joint
    ways: list[Way]

    def differences(self) -> Iterator[Difference]:
        survivors = left_behind(self.head.src, self.later.src, self.scene.constants)
        if not survivors:
            return
        first = without(self.later.src, survivors)
        partings: list[Parting] = []
        scene = self.scene
        walk = Walk(scene.world(), scene.world(), scene.solver, (), partings.append)
        facts = tuple(dict.fromkeys((*self.later.facts, *self.head.facts)))
        begun = Joint(self.later.src, first, facts, self.ways, base=self.later.base)
        walk.run(begun, last=self.later.src.faults + 1)
        for (outcome, _), kept in self._kinds(partings).items():
            for parting, when in sorted(kept, key=lambda p: len(p[0].facts))[:MAX_TRIED]:
                told = self._told(walk, parting, outcome, when, survivors)
                if told is not None:
                    yield told
                    break

    def _kinds(
        self, partings: list[Parting]
    ) -> dict[tuple[str | None, End], list[tuple[Parting, Term]]]:
        kinds: dict[tuple[str | None, End], list[tuple[Parting, Term]]] = {}
        for parting in partings:
            # What the access was is no outcome: a pass may know more of it than the first.
            if parting.channel is not Channel.STEPS or End.STOP in (
                parting.src.end,
                parting.tgt.end,
            ):
                continue
            for outcome, when in self.scene.met(parting):
                kinds.setdefault((outcome, parting.src.end), []).append((parting, when))
        return kinds

    def _told(
        self,
        walk: Walk,
        parting: Parting,
        outcome: str | None,
        when: Term,
        survivors: list[Survivor],
    ) -> Difference | None:
        scene = self.scene
        for facts in scene.worlds(parting, when):
            for scenario in scene.scenarios(islice(walk.src.endings(parting.src, facts), 2)):
                now = replay(scene.side, (), scenario)
                then = replay(scene.side, (), shifted(scenario, pass_before(parting.joint)))
                if now is None or then is None or not answers_differ(now, then):
                    continue
                blamed, line = blame(scene.side, self.later.src, survivors, scenario)
                words = " and ".join(s.sentence for s in blamed)
                return Difference(
                    DifferenceClass.STALE_OUTCOME,
                    scene.mode_word,
                    outcome,
                    line or scene.line(parting),
                    scenario,
                    now.trace,
                    _answered(now, then),
                    scene.explained(outcome, words + _consequence(now, then)),
                )
        return None


def _answered(now: Replay, then: Replay) -> tuple[Event, ...]:
    """Both passes, the second answered as the first would have been."""
    asked = [i for i, e in enumerate(now.trace) if e.kind is EventKind.FAULT]
    begun = [i + 1 for i, e in enumerate(then.trace) if e.kind is EventKind.FAULT]
    answer = then.trace[begun[-1] if begun else then.began :]
    return (*now.trace[: asked[-1] + 1], *answer)


def _consequence(now: Replay, then: Replay) -> str:
    """What comes of it."""
    kinds = [{s.kind for s in answers(run) if isinstance(s, Event)} for run in (now, then)]
    if EventKind.SIGNAL in kinds[0] & kinds[1]:
        return ", and goes into the signal"
    if not kinds[0] and kinds[1]:
        return ", and the handler returns as if the fault were handled"
    return ", and the second pass acts on it"


def _comes_from(joint: Joint, head: Joint) -> bool:
    """Whether a way to `joint` leads through `head`."""
    return joint is head or any(w.origin and _comes_from(w.origin, head) for w in joint.ways)


def left_behind(head: State, later: State, constants: Mapping[str, int]) -> list[Survivor]:
    """What the pass before has left of its outcome in the later state.

    An outcome is a constant that was put somewhere (`code = SEGV_ACCERR`), or
    what handle_mm_fault() returned. What was learnt of the access meanwhile,
    and FAULT_FLAG_TRIED, are no outcome.
    """
    protocol = constants.get("FAULT_FLAG_TRIED", 0) | constants.get("FAULT_FLAG_ALLOW_RETRY", 0)
    found = []
    for place, value in Likeness().living(later):
        before = head.memory.get(place)
        if before is None or before is value or before.bits != value.bits:
            continue
        if value.is_constant and before.is_constant:
            if value.value | protocol == before.value | protocol:
                continue
        elif not value.is_constant and not any(
            name.startswith("handle_mm_fault#") for name in value.symbols()
        ):
            continue
        found.append(Survivor(place, value, before))
    return found


def without(later: State, survivors: list[Survivor]) -> State:
    """The later state as it were without them."""
    state = later.copy()
    for survivor in survivors:
        state.memory[survivor.place] = survivor.fresh
    return state


def blame(
    side: Side, later: State, survivors: list[Survivor], scenario: Mapping[str, int]
) -> tuple[list[Survivor], int | None]:
    """(those of the survivors that make the difference, the line where it is first seen)."""
    now = watch(side, scenario, later)
    if now is None:
        return survivors, None
    guilty: list[tuple[Survivor, Watched]] = []
    for survivor in survivors:
        then = watch(side, scenario, without(later, [survivor]))
        if then is not None and answers_differ(now.run, then.run):
            guilty.append((survivor, then))
    if not guilty:
        together = watch(side, scenario, without(later, survivors))
        return survivors, None if together is None else _parting_line(now, together)
    return [s for s, _ in guilty], _parting_line(now, guilty[0][1])


def _parting_line(now: Watched, then: Watched) -> int | None:
    """The branch at which two runs part, else the first event that differs."""
    for a, b in zip(now.turns, then.turns, strict=False):
        if a != b:
            return a.line
    for mine, theirs in zip(now.run.trace, then.run.trace, strict=False):
        if mine.args != theirs.args:
            return mine.line
    return None
