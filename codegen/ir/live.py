# SPDX-License-Identifier: GPL-2.0-only
"""Where a function's locals still matter, and where its ways meet.

if (write)          a: branch write ? b : c
    flags |= W;     b: flags = flags | W; jump c
f(flags);           c: call f(flags)              c is a join; write is dead in it
"""

from __future__ import annotations

from functools import lru_cache

from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Branch,
    Call,
    Expr,
    Function,
    Local,
    LValue,
    Return,
)
from codegen.ir.program import expressions_of, reachable_blocks, subexpressions, successors

Point = tuple[str, int]
"""A block's label and the index of an instruction in it; the terminator comes last."""


@lru_cache(maxsize=4096)
def live_before(function: Function) -> dict[Point, frozenset[str]]:
    """The locals that are read at or after each point before they are written.

    A local whose address is taken, and a struct, is live everywhere.
    """
    always = {
        part.target.name
        for part in expressions_of(function)
        if isinstance(part, AddressOf) and isinstance(part.target, Local)
    }
    always |= {p.name for p in (*function.params, *function.locals) if p.type.record}
    entering: dict[str, frozenset[str]] = {b.label: frozenset() for b in function.blocks}
    points: dict[Point, frozenset[str]] = {}
    changed = True
    while changed:
        changed = False
        for block in reversed(function.blocks):
            live = set(always)
            for target in successors(function, block.label):
                live |= entering[target]
            match block.terminator:
                case Branch(condition=condition):
                    live |= _read(condition)
                case Return(value=value) if value is not None:
                    live |= _read(value)
                case _:
                    pass
            points[block.label, len(block.instructions)] = frozenset(live)
            for index in range(len(block.instructions) - 1, -1, -1):
                match block.instructions[index]:
                    case Assign(target=Local() as local, value=value):
                        live.discard(local.name)
                        live |= _read(value)
                    case Assign() as assign:
                        live |= _read(assign.target) | _read(assign.value)
                    case Call(result=result, args=args):
                        if result is not None:
                            live.discard(result.name)
                        for arg in args:
                            live |= _read(arg)
                live |= always
                points[block.label, index] = frozenset(live)
            if entering[block.label] != live:
                entering[block.label] = frozenset(live)
                changed = True
    return points


def _read(expr: Expr | LValue) -> set[str]:
    return {p.name for p in subexpressions(expr) if isinstance(p, Local)}


@lru_cache(maxsize=4096)
def joins(function: Function) -> frozenset[str]:
    """The labels of the blocks that control enters from more than one place."""
    entered: dict[str, int] = {}
    for label in reachable_blocks(function):
        for target in set(successors(function, label)):
            entered[target] = entered.get(target, 0) + 1
    return frozenset(label for label, count in entered.items() if count > 1)


@lru_cache(maxsize=4096)
def order(function: Function) -> dict[str, int]:
    """The place of each reachable block in reverse post-order, each before what it leads to."""
    seen: set[str] = set()
    done: list[str] = []
    stack: list[tuple[str, bool]] = [(function.entry, False)]
    while stack:
        label, finished = stack.pop()
        if finished:
            done.append(label)
        elif label not in seen:
            seen.add(label)
            stack.append((label, True))
            stack += [(target, False) for target in successors(function, label)]
    return {label: i for i, label in enumerate(reversed(done))}
