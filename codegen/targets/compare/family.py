# SPDX-License-Identifier: GPL-2.0-only
"""What the programs of one handler have in common: block by block, what is the same in all.

    #ifdef CONFIG_HUGETLB_PAGE         do_sparc64_fault() has three texts; of its 122 blocks
            ...                        103 are the same in each, and what goes through
    #endif                             these alone goes the same way in every configuration

A block is the same where it has the same text, where the same locals matter in
it, and where its calls are taken alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from codegen.ir.handler import HandlerRole
from codegen.ir.live import live_before
from codegen.ir.load import Unit, Variant
from codegen.ir.nodes import Call, Function
from codegen.ir.placed import by_place
from codegen.ir.program import Program
from codegen.ir.settled import settled
from codegen.ir.state import Frame

Blocks = frozenset[tuple[str, str]]
"""Blocks by the names of their functions and their labels."""


class Family:
    """The programs of a handler in its configurations; they share source and vocabulary."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self.programs = tuple(programs)
        self._apart: dict[str, frozenset[str]] = {}
        self._unlike: dict[tuple[int, int], frozenset[str]] = {}
        self._calls: dict[tuple[int, str], object] = {}
        self._differing: dict[tuple[int, int, str], frozenset[str]] = {}

    def apart(self, name: str) -> frozenset[str]:
        """The labels of a function's blocks that are not the same in every program."""
        found = self._apart.get(name)
        if found is None:
            first, *others = self.programs
            found = frozenset().union(*(self._differ(first, p, name) for p in others))
            self._apart[name] = found
        return found

    def is_shared(self, frames: Iterable[Frame]) -> bool:
        """Whether what stands in these frames goes on alike in more programs than one."""
        return len(self.programs) > 1 and not any(
            f.label in self.apart(f.function.name) for f in frames
        )

    def alike(self, one: Program, two: Program, blocks: Blocks) -> bool:
        """Whether the blocks are the same in both programs."""
        return one is two or not any(
            label in self._differ(one, two, name) for name, label in blocks
        )

    def _differ(self, one: Program, two: Program, name: str) -> frozenset[str]:
        """The labels of the blocks of a function that are not the same in two programs."""
        key = (id(one), id(two), name)
        found = self._differing.get(key)
        if found is None:
            found = self._differing[key] = self._unlike_in(one, two, name)
        return found

    def _unlike_in(self, one: Program, two: Program, name: str) -> frozenset[str]:
        a, b = one.functions.get(name), two.functions.get(name)
        if a is None and b is None:
            return frozenset()
        if a is None or b is None:
            return frozenset((a or b).block_map)  # type: ignore[union-attr]
        unlike = frozenset() if a is b else self._unlike_blocks(a, b)
        return unlike | frozenset(
            block.label
            for block in a.blocks
            if block.label not in unlike
            and any(
                isinstance(i, Call) and self._call(one, i.name) != self._call(two, i.name)
                for i in block.instructions
            )
        )

    def _unlike_blocks(self, a: Function, b: Function) -> frozenset[str]:
        key = (id(a), id(b))
        found = self._unlike.get(key)
        if found is None:
            found = self._unlike[key] = _unlike(a, b)
        return found

    def _call(self, program: Program, name: str) -> object:
        """What a call of `name` is in a program: how it is taken, and what it may do."""
        key = (id(program), name)
        if key not in self._calls:
            self._calls[key] = name in program.functions and (
                program.taken(name),
                program.writes_objects(name),
                program.may_return(name),
            )
        return self._calls[key]


class Families:
    """The programs of texts in their configurations, one family for each text.

    Where there are several programs, blocks and temporaries are named by their
    place, and branches settled.
    """

    def __init__(self, *texts: Sequence[Variant]) -> None:
        self.all: list[Family] = []
        self._programs: dict[int, Program] = {}
        for variants in texts:
            programs = [v.program for v in variants]
            if programs:
                self.all.append(Family(_placed(programs) if len(programs) > 1 else programs))
                self._programs |= zip(map(id, variants), self.all[-1].programs, strict=True)

    @classmethod
    def of_handlers(cls, *units: Unit) -> Families:
        """The configurations of units in which they have a handler."""
        each = {id(u): u for u in units}.values()
        return cls(*(tuple(v for v in u.variants if _has_handler(v)) for u in each))

    def program(self, variant: Variant) -> Program:
        """A variant's program, as it stands in its family if it is in one."""
        return self._programs.get(id(variant), variant.program)

    def of(self, program: Program) -> Family:
        """The family of a program; one that is in none is alone from now on."""
        for family in self.all:
            if any(p is program for p in family.programs):
                return family
        self.all.append(Family([program]))
        return self.all[-1]


def _has_handler(variant: Variant) -> bool:
    return any(f.role is HandlerRole.HANDLER for f in variant.found)


def _placed(programs: Sequence[Program]) -> Iterator[Program]:
    functions: dict[int, Function] = {}
    for program in programs:
        for function in program.functions.values():
            if id(function) not in functions:
                functions[id(function)] = by_place(settled(function))
        own = {name: functions[id(f)] for name, f in program.functions.items()}
        yield replace(program, functions=own)


def _unlike(a: Function, b: Function) -> frozenset[str]:
    every = frozenset(a.block_map) | frozenset(b.block_map)
    if (a.params, a.returns, a.entry, a.distinct) != (b.params, b.returns, b.entry, b.distinct):
        return every
    mine, theirs = live_before(a), live_before(b)
    same = {
        label
        for label in a.block_map.keys() & b.block_map.keys()
        if a.block_map[label] == b.block_map[label]
        and all(
            mine[label, i] == theirs[label, i]
            for i in range(len(a.block_map[label].instructions) + 1)
        )
    }
    return every - same
