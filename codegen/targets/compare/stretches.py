# SPDX-License-Identifier: GPL-2.0-only
"""The ways from a gate to the next, found once for every program that has them.

CONFIG_X changes do_sigbus()    the ways to handle_mm_fault() are the same with and without it

The configurations of a file share most of their functions, and a handler that
is compared with itself shares them all. What a program does from a state on
depends on the functions that it goes through there, and on nothing else of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from codegen.ir.program import Program
from codegen.ir.state import State
from codegen.ir.terms import Term
from codegen.targets.compare.world import Halt, World

_Needed = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The ways of a stretch, what they need of a program, and what the machine learnt on them."""

    needed: _Needed
    ways: list[Halt]
    presumed: dict[Term, Term]
    granted: dict[Term, Term]


class Stretches:
    """The stretches of the programs of a handler; they must share solver and vocabulary."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], list[_Stretch]] = {}
        self._functions: dict[tuple[int, str], object] = {}
        # What is known by its identity is kept alive.
        self._programs: dict[int, Program] = {}

    def ways(self, world: World, state: State, facts: tuple[Term, ...]) -> list[Halt]:
        """As `world.stretch(state, facts)`; raises ResourceBound like it."""
        program = world.program
        self._programs[id(program)] = program
        known = self._known.setdefault((*_world_of(world), *_likeness_of(state), facts), [])
        found = next((s for s in known if self._fits(program, s)), None)
        if found is None:
            found = self._found(world, state, facts)
            known.append(found)
        world.presumed.update(found.presumed)
        world.granted.update(found.granted)
        return found.ways

    def _fits(self, program: Program, stretch: _Stretch) -> bool:
        return all(self._function(program, name) == f for name, f in stretch.needed)

    def _found(self, world: World, state: State, facts: tuple[Term, ...]) -> _Stretch:
        before = world.visited, world.presumed, world.granted
        world.visited, world.presumed, world.granted = set(), {}, {}
        try:
            ways = list(world.stretch(state, facts))
            needed = tuple((n, self._function(world.program, n)) for n in sorted(world.visited))
            return _Stretch(needed, ways, world.presumed, world.granted)
        finally:
            visited = world.visited
            world.visited, world.presumed, world.granted = before
            world.visited |= visited

    def _function(self, program: Program, name: str) -> object:
        """What a call of `name` is in a program: the function, and how the call is taken."""
        key = (id(program), name)
        if key not in self._functions:
            self._functions[key] = None
            if name in program.functions:
                self._functions[key] = (
                    id(program.functions[name]),
                    program.taken(name),
                    program.writes_objects(name),
                    program.may_return(name),
                )
        return self._functions[key]


def _world_of(world: World) -> tuple[object, ...]:
    """All of a world but the functions that a stretch goes through."""
    return (
        world.plan,
        world.fault_limit,
        world.fast,
        world.low_stack,
        world.max_steps,
        world.mode,
        id(world.program.constants),
        id(world.program.source),
    )


def _likeness_of(state: State) -> tuple[object, ...]:
    """A state in which a stretch begins, but for how it came there."""
    return (
        tuple((f.function, f.label, f.index, f.number, f.result, f.span) for f in state.frames),
        frozenset(state.memory.items()),
        frozenset(state.versions.items()),
        (state.acquired, state.faults, state.lock_depth, state.vma_locked, state.retrying),
        (state.epoch, state.frame_count, state.outcome, state.flags, state.outcome_at),
        frozenset(state.vmas.items()),
        state.others,
    )
