# SPDX-License-Identifier: GPL-2.0-only
"""What the machine observes: events in order, the decisions on the way, and how a path ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from codegen.base.spans import SourceText, Span
from codegen.ir.environment import Outcome
from codegen.ir.terms import Term


class EventKind(StrEnum):
    """The kinds of the observable trace (house plan, section 6); the JSON contract's words."""

    SIGNAL = "signal"
    OOM = "oom"
    KERNEL = "kernel"
    BUG = "bug"
    FAULT = "handle_mm_fault"
    LOCK = "lock"
    UNLOCK = "unlock"
    LOCK_WAIT = "lock-wait"
    VMA_LOCK = "vma-lock"
    VMA_UNLOCK = "vma-unlock"
    ACCOUNTING = "accounting"
    CALL = "call"
    WRITE = "write"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Event:
    """One observable step. `args` are a call's, or a write's one value.

    A signal's `args` are its parts in the order signo, code, addr, then lsb or
    pkey, as `parts` names them. `span` is where in `source` it happens, `depth`
    how many calls deep; `place` is where the handler's file calls another text
    if it happens in that.
    """

    kind: EventKind
    name: str
    args: tuple[Term, ...]
    span: Span
    source: SourceText
    depth: int = 0
    parts: tuple[str, ...] = ()
    place: Span | None = field(default=None, compare=False)

    @property
    def line(self) -> int:
        """The 1-based line in `source` where it happens."""
        return self.source.line(self.span.start)

    def part(self, name: str) -> Term | None:
        """A part of a signal by its name; None where the signal has none."""
        return self.args[self.parts.index(name)] if name in self.parts else None


@dataclass(frozen=True, slots=True)
class Decision:
    """A branch that the facts left open, and the way this path took.

    `condition` is never a negation, so that `if (x)` and `if (!x)` are the same
    question; `inverted` says that the source asked for its negation.
    """

    condition: Term
    taken: bool
    span: Span
    depth: int
    inverted: bool = False


class End(StrEnum):
    """How a path ends."""

    RETURN = "return"
    NEVER = "never"  # a call that does not come back
    RETRY = "retry"  # the next pass begins, and the plan asked for one pass only
    KERNEL = "kernel"  # the handler's own routine that leads to fixup or oops
    STOP = "stop"  # the plan's stopping point was reached
    DENIED = "denied"  # the lock was dropped without asking the mm, and that was the question
    CUT = "cut"  # the plan's outcome does not happen on this path


@dataclass(frozen=True, slots=True)
class Path:
    """One path from entry to end, under the facts that lead along it."""

    facts: tuple[Term, ...]
    decisions: tuple[Decision, ...]
    trace: tuple[Event, ...]
    end: End
    value: Term | None
    span: Span
    lock_depth: int
    passes: int
    danced: bool  # whether the mm dance was reached
    flags: Term | None = None  # what handle_mm_fault() was given first
    outcome_at: int = 0  # how many events came before the outcome
    outcome: Outcome | None = None  # what the first pass met
    found_vma: bool = False
    ways: tuple[tuple[Decision, ...], ...] = ()  # the decisions on every way that was merged
