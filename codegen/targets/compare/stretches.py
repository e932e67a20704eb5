# SPDX-License-Identifier: GPL-2.0-only
"""The ways from a gate to the next, found once for every program that has them.

CONFIG_X changes do_sigbus()    the ways to handle_mm_fault() are the same with and without it

The configurations of a file share most of their blocks, and a handler that is
compared with itself shares them all. So a stretch is run in two parts: first
for all programs at once, as far as their blocks are the same; then, from the
blocks that are not, for each program, or for those together that have the same
blocks on all that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from codegen.ir.program import Program
from codegen.ir.state import State
from codegen.ir.terms import Term
from codegen.targets.compare.beside import Pairings
from codegen.targets.compare.family import Blocks, Family
from codegen.targets.compare.known import Known
from codegen.targets.compare.world import Halt, World

_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Ways, what the machine went through and learnt on them, and where it did not go on."""

    program: Program
    blocks: Blocks
    visited: frozenset[str]
    ways: list[Halt]
    presumed: dict[Term, Term]
    granted: dict[Term, Term]
    paused: list[State]


class Stretches:
    """The stretches of the programs of a handler; they must share solver and vocabulary.

    A program that is in none of the `families` is one by itself. `pairings` are
    what was found of the ways of two stretches side by side, `known` what came
    of whole comparisons.
    """

    def __init__(self, families: Sequence[Family] = ()) -> None:
        self.pairings = Pairings()
        self.known = Known(self._alike)
        self._known: dict[_Key, list[_Part]] = {}
        self._shared: dict[_Key, _Part] = {}
        self._whole: dict[tuple[int, int], list[Halt]] = {}
        # What is known by its identity is kept alive.
        self._families = {id(p): family for family in families for p in family.programs}

    def _alike(self, one: Program, two: Program, blocks: Blocks) -> bool:
        """Whether the blocks are the same in two programs of one family."""
        family = self._families.get(id(one))
        if one is two or family is None or family is not self._families.get(id(two)):
            return one is two
        return family.alike(one, two, blocks)

    def ways(self, world: World, state: State, facts: tuple[Term, ...]) -> list[Halt]:
        """As `world.stretch(state, facts)`; raises ResourceBound like it."""
        program = world.program
        family = self._families.setdefault(id(program), Family([program]))
        key = (*_world_of(world), *_likeness_of(state), facts)
        if not family.is_shared(state.frames):
            part = self._part(key, family, world, lambda: world.stretch(state, facts))
            return _told(world, part).ways
        head = self._shared.get(key)
        if head is None:
            world.apart = family.apart
            try:
                head = _run(world, world.stretch(state, facts))
            finally:
                world.apart = None
            self._shared[key] = head
        _told(world, head)
        if not head.paused:
            return head.ways
        rest = self._part((*key, id(head)), family, world, lambda: world.resume(head.paused))
        _told(world, rest)
        # The same ways are the same list.
        return self._whole.setdefault((id(head), id(rest)), [*head.ways, *rest.ways])

    def _part(
        self, key: _Key, family: Family, world: World, run: Callable[[], Iterator[Halt]]
    ) -> _Part:
        """What runs with all that is the program's own, unless another runs the same way."""
        known = self._known.setdefault(key, [])
        for part in known:
            if family.alike(part.program, world.program, part.blocks):
                return part
        part = _run(world, run())
        known.append(part)
        return part


def _run(world: World, ways: Iterator[Halt]) -> _Part:
    """The ways, with what the world went through and learnt on them alone."""
    before = world.visited, world.presumed, world.granted
    world.visited, world.presumed, world.granted = set(), {}, {}
    world.blocks, world.paused = set(), []
    try:
        found = list(ways)
        return _Part(
            world.program,
            frozenset(world.blocks),
            frozenset(world.visited),
            found,
            world.presumed,
            world.granted,
            world.paused,
        )
    finally:
        world.visited, world.presumed, world.granted = before


def _told(world: World, part: _Part) -> _Part:
    """The part, the world knowing what it would know had it run it."""
    world.visited |= part.visited
    world.gone |= part.blocks
    world.presumed.update(part.presumed)
    world.granted.update(part.granted)
    return part


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
    """A state in which a stretch begins, but for how it came there, and for the functions."""
    return (
        tuple(
            (f.function.name, f.label, f.index, f.number, f.result, f.span) for f in state.frames
        ),
        frozenset(state.memory.items()),
        frozenset(state.versions.items()),
        (state.acquired, state.faults, state.lock_depth, state.vma_locked, state.retrying),
        (state.epoch, state.frame_count, state.outcome, state.flags, state.outcome_at),
        frozenset(state.vmas.items()),
        state.others,
    )
