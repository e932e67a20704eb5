# SPDX-License-Identifier: GPL-2.0-only
"""A difference as the questions about it see it: both sides in one scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codegen.ir.environment import Outcome
from codegen.ir.trace import Event, EventKind
from codegen.targets.compare.apart import Apart
from codegen.targets.compare.joints import Channel
from codegen.targets.compare.observe import Step
from codegen.targets.compare.scenario import Atoms, Replay
from codegen.targets.compare.world import Halt


@dataclass(frozen=True)
class Tail:
    """What one side did since the last gate, and where it stands now."""

    steps: tuple[Step, ...]
    accounting: tuple[Event, ...]
    halt: Halt
    run: Replay

    def has(self, *kinds: EventKind) -> bool:
        """Whether an event of one of the kinds is among the steps."""
        return any(isinstance(s, Event) and s.kind in kinds for s in self.steps)

    @property
    def fast(self) -> bool:
        """Whether a VMA's own lock was ever taken."""
        return any(e.kind is EventKind.VMA_LOCK for e in self.halt_trace)

    @property
    def danced(self) -> bool:
        """Whether the side has come to the mm by now."""
        return self.halt.danced

    @property
    def halt_trace(self) -> tuple[Event, ...]:
        """The whole trace in the scenario."""
        return self.run.trace


@dataclass(frozen=True)
class Case:
    """A difference in one scenario, with the questions that only a run can answer.

    `apart` are the steps in which the sides part, where it is steps that part them.
    `pointers` are what the handler is given: the registers are among them, and
    `counters` are the words by which tgt reads the program counter from them.

    `calm`: do both sides agree once nobody else holds the lock? `alone`: does tgt
    with a VMA's own lock answer as it does itself with the mm's, once it is free? `entry`: once
    the exception table has an entry for the instruction? `slow`: both sides' runs
    where no VMA gives its own lock, if they agree there. `fresh`: both sides' runs
    had the last pass been the first. `bug_ahead`: does src still run into BUG()
    before it asks the mm, be it that there is a VMA or none?
    `allowed`: both sides' runs had the VMA been there and permitted the access,
    and the mm answered the last pass with what is given. `unmapped`: had nothing
    been there. `early`: what src does
    between lookup and mm, tgt before the lock; the other questions overlook it.
    """

    channel: Channel
    user: bool
    outcome: Outcome | None
    passes: int
    lock: int
    contended: bool
    src: Tail
    tgt: Tail
    apart: tuple[Apart, ...]
    constants: Mapping[str, int]
    pointers: tuple[str, ...]
    counters: tuple[str, ...]
    calm: Callable[[], bool]
    alone: Callable[[], bool]
    slow: Callable[[], tuple[Replay, Replay] | None]
    fresh: Callable[[], tuple[Replay, Replay] | None]
    entry: Callable[[], bool]
    bug_ahead: Callable[[], bool]
    allowed: Callable[[int], tuple[Replay, Replay] | None]
    unmapped: Callable[[], tuple[Replay, Replay] | None]
    early: Callable[[], Atoms]
