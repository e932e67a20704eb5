# SPDX-License-Identifier: GPL-2.0-only
"""The states that the machine goes through: frames, memory, facts.

A state is copied before one way of a fork changes it; states that look alike
from here on (`likeness()`) can be told once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from codegen.base.spans import Span
from codegen.ir.environment import Outcome
from codegen.ir.live import live_before, order
from codegen.ir.nodes import (
    Function,
    Local,
)
from codegen.ir.terms import (
    Term,
)
from codegen.ir.trace import Decision, End, Event, EventKind

# What a handler answers a fault with.
ANSWERS = frozenset({EventKind.SIGNAL, EventKind.OOM, EventKind.KERNEL, EventKind.BUG})


@dataclass(slots=True)
class Frame:
    """One activation of a function."""

    function: Function
    label: str
    index: int
    number: int
    result: Local | None
    span: Span


@dataclass(slots=True)
class State:
    """A machine state; `copy()` before changing one that is shared."""

    frames: list[Frame]
    memory: dict[Term, Term]
    versions: dict[Term, int]
    facts: tuple[Term, ...]
    decisions: tuple[Decision, ...]
    trace: list[Event]
    acquired: int = 0
    faults: int = 0
    lock_depth: int = 0
    vma_locked: bool = False
    epoch: int = 0
    frame_count: int = 0
    steps: int = 0
    outcome: Outcome | None = None
    flags: Term | None = None
    outcome_at: int = -1
    vmas: dict[int, bool] = field(default_factory=dict)
    retrying: bool = False
    others: tuple[tuple[Decision, ...], ...] = ()

    def likeness(self) -> object:
        """What makes two states alike: where they stand, what will still be read, what was seen.

        Of what happened, only the answers count (signals, OOM, the kernel's
        routine), not prints and the like.
        """
        alive = {f.number: live_before(f.function)[f.label, f.index] for f in self.frames}
        places = frozenset(
            (place, value)
            for place, value in self.memory.items()
            if place.op != "local" or place.payload[1] in alive.get(place.payload[0], ())  # type: ignore[index]
        )
        return (
            tuple((f.function.name, f.label, f.index, f.number) for f in self.frames),
            places,
            frozenset(self.versions.items()),
            tuple((e.kind, e.name, e.args, e.parts) for e in self.trace if e.kind in ANSWERS),
            (self.acquired, self.faults, self.lock_depth, self.vma_locked, self.retrying),
            (self.outcome, self.outcome_at >= 0, self.flags, frozenset(self.vmas)),
        )

    def place(self) -> tuple[tuple[int, int], ...]:
        """How far the state has come; what runs ahead of another state compares greater."""
        ahead = (1 << 30, 0)
        return (*((order(f.function)[f.label], f.index) for f in self.frames), ahead)

    def ways(self) -> tuple[tuple[Decision, ...], ...]:
        """The decisions on each way that led here."""
        return (self.decisions, *self.others)

    def absorb(self, twin: State) -> None:
        """Becomes what this state and one that is alike have in common."""
        theirs = set(twin.facts)
        self.facts = tuple(f for f in self.facts if f in theirs)
        if len(twin.trace) > len(self.trace):
            self.trace, self.outcome_at = twin.trace, twin.outcome_at
        self.epoch = max(self.epoch, twin.epoch)
        self.frame_count = max(self.frame_count, twin.frame_count)
        self.steps = max(self.steps, twin.steps)
        self.decisions, *others = without_needless((*self.ways(), *twin.ways()))
        self.others = tuple(others)

    def decide(self, decision: Decision) -> None:
        """Notes a branch that was taken; what led here and can not lead there is forgotten."""
        if not self.others:
            self.decisions = (*self.decisions, decision)
            return
        condition, taken = decision.condition, decision.taken
        kept = [
            (*way, decision)
            for way in self.ways()
            if not any(d.condition is condition and d.taken is not taken for d in way)
        ]
        if kept:
            self.decisions, *others = kept
            self.others = tuple(others)
        else:
            self.decisions, self.others = (*self.decisions, decision), ()

    def copy(self) -> State:
        """A state of its own, to go another way with."""
        return State(
            [Frame(f.function, f.label, f.index, f.number, f.result, f.span) for f in self.frames],
            dict(self.memory),
            dict(self.versions),
            self.facts,
            self.decisions,
            list(self.trace),
            self.acquired,
            self.faults,
            self.lock_depth,
            self.vma_locked,
            self.epoch,
            self.frame_count,
            self.steps,
            self.outcome,
            self.flags,
            self.outcome_at,
            dict(self.vmas),
            self.retrying,
            self.others,
        )


def without_needless(
    ways: Sequence[tuple[Decision, ...]],
) -> list[tuple[Decision, ...]]:
    """Two ways that differ in one decision only are one way without it."""
    found = {frozenset((d.condition, d.taken) for d in w): w for w in ways}
    changed = True
    while changed:
        changed = False
        for key, way in list(found.items()):
            if key not in found:
                continue
            for condition, taken in key:
                twin = (key - {(condition, taken)}) | {(condition, not taken)}
                if twin in found:
                    del found[key], found[twin]
                    shorter = tuple(d for d in way if d.condition is not condition)
                    found.setdefault(key - {(condition, taken)}, shorter)
                    changed = True
                    break
    return list(found.values())


class Pause(Exception):
    """The word that `states_before()` waits for comes next."""


class Stop(Exception):
    """A path ended inside an instruction."""

    def __init__(self, end: End, span: Span, value: Term | None = None) -> None:
        super().__init__(end)
        self.end, self.span, self.value = end, span, value


Fork = tuple[tuple[Term, ...], Callable[[State], None]]


def root_of(place: Term) -> Term:
    """The object that a place is in."""
    while place.op in ("field", "index"):
        place = place.args[0]
    return place
