# SPDX-License-Identifier: GPL-2.0-only
"""A stretch of trace as it is compared (house plan, section 6).

Steps are the calls that somebody else sees, in order. Writes with no call
between them are one step: the last value of each place. Accounting is watched
by itself, the calls of handle_mm_fault() at their gate (of a whole run is kept
between which steps they stand), and how the lock was taken not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from codegen.ir.terms import TRUE, Term, equal, extend, integer, negate, number
from codegen.ir.trace import Event, EventKind

_UNSEEN = frozenset(
    {
        EventKind.LOCK,
        EventKind.UNLOCK,
        EventKind.LOCK_WAIT,
        EventKind.VMA_LOCK,
        EventKind.VMA_UNLOCK,
        EventKind.FAULT,
        EventKind.RETURN,
    }
)
_COUNTERS = frozenset({"maj_flt", "min_flt"})
_PARTS = ("signo", "code", "addr", "lsb", "pkey")


@dataclass(frozen=True)
class Writes:
    """What was written between two calls: the last value of each place."""

    events: tuple[Event, ...]


Step = Event | Writes


@dataclass(frozen=True)
class Observed:
    """What is compared of a stretch: the steps, and what was counted.

    `asked` is how many steps came before each call of handle_mm_fault().
    """

    steps: tuple[Step, ...]
    accounting: tuple[Event, ...]
    asked: tuple[int, ...] = ()


def lock_refused(trace: Iterable[Event]) -> bool:
    """Whether the lock was not got when it was last asked for on the way to the mm.

    Who has been refused waits at once, or gives up; a lock that is taken after
    something else has been done is for that (arm holds it while it prints the
    page tables).
    """
    refused = gave_up = False
    for event in trace:
        if event.kind is EventKind.LOCK_WAIT:
            refused, gave_up = True, False
        elif event.kind in (EventKind.LOCK, EventKind.VMA_LOCK):
            refused = refused and gave_up
        elif event.kind not in _UNSEEN and not is_accounting(event):
            gave_up = True
    return refused


def is_accounting(event: Event) -> bool:
    """A counter of page faults: a perf or vm event, `maj_flt`, `min_flt`."""
    if event.kind is EventKind.WRITE:
        return event.args[1].payload in _COUNTERS
    return event.kind is EventKind.ACCOUNTING


def observe(trace: Iterable[Event], holds: Callable[[Term], bool | None]) -> Observed:
    """The steps of a trace; `holds` says whether a condition is known to hold."""
    steps: list[Step] = []
    counted: list[Event] = []
    asked: list[int] = []
    pending: dict[Term, Event] = {}

    def flush() -> None:
        if pending:
            steps.append(Writes(tuple(pending.values())))
            pending.clear()

    for event in trace:
        if is_accounting(event):
            counted.append(event)
        elif event.kind is EventKind.FAULT:
            flush()
            asked.append(len(steps))
        elif event.kind in _UNSEEN:
            continue
        elif event.kind is EventKind.WRITE:
            pending.pop(event.args[1], None)
            pending[event.args[1]] = event
        elif _is_silent_warning(event, holds):
            continue
        else:
            flush()
            steps.append(event)
    flush()
    return Observed(tuple(steps), tuple(counted), tuple(asked))


def _is_silent_warning(event: Event, holds: Callable[[Term], bool | None]) -> bool:
    """A WARN_ON() whose condition does not hold does nothing."""
    if event.kind is not EventKind.CALL or not event.name.startswith("WARN") or not event.args:
        return False
    condition = event.args[0]
    return holds(equal(condition, integer(0, condition.bits))) is True


def differing(
    src: tuple[Step, ...], tgt: tuple[Step, ...], holds: Callable[[Term], bool | None]
) -> tuple[int, Term] | None:
    """(the first step that differs, when it does); None where all are the same.

    TRUE says that the steps are never the same, anything else is the condition
    under which two values of theirs differ.
    """
    for position, (a, b) in enumerate(zip(src, tgt, strict=False)):
        condition = _step_differs(a, b, holds)
        if condition is not None:
            return position, condition
    if len(src) != len(tgt):
        return min(len(src), len(tgt)), TRUE
    return None


def _step_differs(a: Step, b: Step, holds: Callable[[Term], bool | None]) -> Term | None:
    match a, b:
        case Writes(), Writes():
            mine = {e.args[1]: e.args[0] for e in a.events}
            theirs = {e.args[1]: e.args[0] for e in b.events}
            if mine.keys() != theirs.keys():
                return TRUE
            pairs = [(value, theirs[place]) for place, value in mine.items()]
        case Event(), Event():
            if a.kind is not b.kind:
                return TRUE
            if a.kind is EventKind.SIGNAL:
                if {*a.parts} != {*b.parts}:
                    return TRUE
                pairs = [
                    (x, y)
                    for p in _PARTS
                    if (x := a.part(p)) is not None and (y := b.part(p)) is not None
                ]
            elif a.kind in (EventKind.OOM, EventKind.BUG):
                return None
            elif a.name != b.name or len(a.args) != len(b.args):
                return TRUE
            else:
                pairs = list(zip(a.args, b.args, strict=True))
        case _:
            return TRUE
    for x, y in pairs:
        unlike = values_differ(x, y, holds)
        if unlike is not None:
            return unlike
    return None


def values_differ(a: Term, b: Term, holds: Callable[[Term], bool | None]) -> Term | None:
    """When two values differ: never (None), always (TRUE), or under a condition."""
    if a is b:
        return None
    bits = max(a.bits, b.bits)
    same = equal(_widen(a, bits), _widen(b, bits))
    match holds(same):
        case True:
            return None
        case False:
            return TRUE
        case None:
            return negate(same)


def _widen(term: Term, bits: int) -> Term:
    return number(term, bits) if term.bits == 1 < bits else extend(term, bits, False)
