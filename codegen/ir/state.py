# SPDX-License-Identifier: GPL-2.0-only
"""The states that the machine goes through: frames, memory, facts.

A state is copied before one way of a fork changes it; states that look alike
from here on (`likeness()`) can be told once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce

from codegen.base.spans import Span
from codegen.ir.environment import Outcome
from codegen.ir.live import live_before, order
from codegen.ir.nodes import (
    Function,
    Local,
)
from codegen.ir.terms import FALSE, TRUE, Term, conjoin, disjoin, negate, order_of
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
        return (
            tuple((f.function.name, f.label, f.index, f.number) for f in self.frames),
            self._living(),
            frozenset(self.versions.items()),
            tuple((e.kind, e.name, e.args, e.parts) for e in self.trace if e.kind in ANSWERS),
            (self.acquired, self.faults, self.lock_depth, self.vma_locked, self.retrying),
            (self.outcome, self.outcome_at >= 0, self.flags, frozenset(self.vmas)),
        )

    def _living(self) -> frozenset[tuple[Term, Term]]:
        """The places that can still be read, with their values."""
        alive = {f.number: live_before(f.function)[f.label, f.index] for f in self.frames}
        return frozenset(
            (place, value)
            for place, value in self.memory.items()
            if place.op != "local" or place.payload[1] in alive.get(place.payload[0], ())  # type: ignore[index]
        )

    def exact_likeness(self) -> object:
        """What makes two states alike where everything that happened counts.

        So does what is known of the world's own answers (`signal_pending#1`): a
        difference is named by them.
        """
        answers = frozenset(f for f in self.facts if _is_answer(f))
        return (
            answers,
            tuple((f.function.name, f.label, f.index, f.number) for f in self.frames),
            self._living(),
            frozenset(self.versions.items()),
            tuple((e.kind, e.name, e.args, e.parts) for e in self.trace),
            (self.acquired, self.faults, self.lock_depth, self.vma_locked, self.retrying),
            (self.outcome, self.outcome_at, self.flags, self.epoch, frozenset(self.vmas)),
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

    def join(self, twin: State) -> None:
        """Becomes this state and one that is exactly alike: either side's facts hold.

        The facts that both began with stay where they stand.
        """
        mine, theirs = frozenset(self.facts), frozenset(twin.facts)
        common = tuple(f for f in self.facts if f in theirs)
        either = alternatives(
            tuple(f for f in self.facts if f not in theirs),
            tuple(f for f in twin.facts if f not in mine),
        )
        self.facts = (*common, *(f for f in either if f not in theirs or f not in mine))
        self.frame_count = max(self.frame_count, twin.frame_count)
        self.steps = max(self.steps, twin.steps)

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
            for condition, taken in ((d.condition, d.taken) for d in way):
                twin = (key - {(condition, taken)}) | {(condition, not taken)}
                if twin in found:
                    del found[key], found[twin]
                    shorter = tuple(d for d in way if d.condition is not condition)
                    found.setdefault(key - {(condition, taken)}, shorter)
                    changed = True
                    break
    return list(found.values())


@cache
def _is_answer(fact: Term) -> bool:
    """Whether a fact is a truth value of the world, or the negation of one."""
    atom = fact.args[0] if fact.op == "lnot" else fact
    return atom.op == "sym" and atom.bits == 1 and "#" in str(atom.payload)


Cube = frozenset[Term]
MAX_CUBES = 32
"""How many ways together are told apart; of more, each side's facts stay as they are."""


def alternatives(mine: Iterable[Term], theirs: Iterable[Term]) -> tuple[Term, ...]:
    """Facts that say: all of `mine` or all of `theirs`; no more than needed.

    (a, !b) or (a, b)        ->  a
    (a) or (!a, b)           ->  a || b
    (a || b) or (!a, !b)     ->  nothing
    """
    ways = _reduced(_product(mine) | _product(theirs))
    if frozenset() in ways:
        return ()
    shared = frozenset.intersection(*ways)
    facts = sorted(shared, key=order_of)
    rest = [w - shared for w in ways]
    if frozenset() not in rest:
        either = FALSE
        for way in sorted(rest, key=_order_of_way):
            either = disjoin(either, reduce(conjoin, sorted(way, key=order_of), TRUE))
        facts.append(either)
    return tuple(facts)


@cache
def alternatives_of(fact: Term) -> frozenset[Cube] | None:
    """The ways of which a fact says that one holds, as `alternatives` makes it; None if it is none.

    It is told by the fact alone: what a process did before does not count.
    """
    if fact.op != "lor":
        return None
    return frozenset(frozenset(_parts(way, "land")) for way in _parts(fact, "lor"))


def _parts(fact: Term, op: str) -> Iterator[Term]:
    """What a chain of one operator holds together."""
    if fact.op == op:
        for arg in fact.args:
            yield from _parts(arg, op)
    else:
        yield fact


def _order_of_way(way: Cube) -> tuple[int, list[tuple[int, str]]]:
    """An order of ways that is the same in every process, shorter ones first."""
    return len(way), sorted(map(order_of, way))


def _product(facts: Iterable[Term]) -> frozenset[Cube]:
    """The ways in which all facts can hold, those made by `alternatives` taken apart."""
    ways: frozenset[Cube] = frozenset({frozenset()})
    for fact in facts:
        parts = alternatives_of(fact)
        if parts is None or len(parts) * len(ways) > MAX_CUBES:
            parts = frozenset({frozenset({fact})})
        ways = frozenset(w | p for w in ways for p in parts)
    return frozenset(w for w in ways if not any(negate(f) in w for f in w))


def _reduced(ways: frozenset[Cube]) -> frozenset[Cube]:
    """Two ways that differ in one fact only are one without it; a longer way adds nothing."""
    left = set(ways)
    changed = True
    while changed:
        changed = False
        for way in sorted(left, key=_order_of_way):
            shorter = _without_one(way, left)
            if shorter is not None:
                left.discard(way)
                left.add(shorter)
                changed = True
                break
    return frozenset(w for w in left if not any(o < w for o in left))


def _without_one(way: Cube, ways: set[Cube]) -> Cube | None:
    """The way without a fact that it does not need, if there is one."""
    for fact in sorted(way, key=order_of):
        rest, opposite = way - {fact}, negate(fact)
        if any(opposite in o and o - {opposite} <= rest for o in ways):
            return rest
    return None


class Pause(Exception):
    """The word that `states_before()` waits for comes next, or a block before which to pause."""


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
