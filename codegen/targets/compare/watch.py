# SPDX-License-Identifier: GPL-2.0-only
"""A run in one concrete world that also remembers which way each branch went, and every store.

    watch(side, scenario).turns    (("arch/arc/mm/fault.c", Span(...), ".12", "do_page_fault"), ...)

Two runs that differ in one value only part at the first use of that value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codegen.base.spans import SourceText, Span
from codegen.ir.environment import Plan
from codegen.ir.machine import Machine
from codegen.ir.nodes import Branch
from codegen.ir.solver import ResourceBound
from codegen.ir.state import State
from codegen.ir.terms import Term
from codegen.ir.trace import End, Path
from codegen.targets.compare.nodes import Side
from codegen.targets.compare.runs import Decided
from codegen.targets.compare.scenario import MAX_REPLAYED_PASSES, Replay, replay_of
from codegen.targets.compare.world import World


@dataclass(frozen=True)
class Turn:
    """One branch of a function, and the block that came next."""

    source: SourceText
    span: Span
    label: str
    function: str

    @property
    def line(self) -> int:
        """The 1-based line of the branch."""
        return self.source.line(self.span.start)


@dataclass(frozen=True)
class Store:
    """One value that was put in a place."""

    place: Term
    value: Term
    source: SourceText
    span: Span

    @property
    def line(self) -> int:
        """The 1-based line of the assignment."""
        return self.source.line(self.span.start)


@dataclass(frozen=True)
class Watched:
    """What a run does, and how it came to do it."""

    run: Replay
    turns: tuple[Turn, ...]
    stores: tuple[Store, ...]


def watch(
    side: Side, scenario: Mapping[str, int], state: State | None = None, *, fast: bool = True
) -> Watched | None:
    """The one path of a scenario, from the entry or from `state`; None if it leads nowhere."""
    world = _Watching(side, Decided.of(scenario), fast)
    world.until(MAX_REPLAYED_PASSES, MAX_REPLAYED_PASSES)
    try:
        paths = list(world.stretch(state or world.start(), ()))
    except ResourceBound:
        return None
    if len(paths) != 1 or paths[0].end in (End.STOP, End.RETRY):
        return None
    run = replay_of(world, paths[0])
    return Watched(run, tuple(world.turns), tuple(world.stores))


class _Watching(World):
    """A World that writes down what it goes through."""

    def __init__(self, side: Side, solver: Decided, fast: bool) -> None:
        plan = Plan(contended=True, extra_bits=True, passes=MAX_REPLAYED_PASSES)
        fast = fast and side.per_vma_lock
        super().__init__(side.program, side.entry, plan, solver, side.mode, (), fast)
        self.turns: list[Turn] = []
        self.stores: list[Store] = []

    def _branch(self, state: State, branch: Branch) -> list[State | Path] | None:
        frame = state.frames[-1]
        states = Machine._branch(self, state, branch)
        self.turns.append(
            Turn(frame.function.source, branch.span, frame.label, frame.function.name)
        )
        return states

    def _store(self, state: State, place: Term, value: Term, span: Span) -> None:
        self.stores.append(Store(place, value, state.frames[-1].function.source, span))
        super()._store(state, place, value, span)
