# SPDX-License-Identifier: GPL-2.0-only
"""Whether two functions are the same but for the names of their locals and labels.

    int f(int a) { if (a) goto x; ...        alike
    int f(int b) { if (b) goto out; ...

What it takes is one look at both graphs; what is not alike may still do the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from codegen.base.spans import Span
from codegen.ir.nodes import Branch, Function, Jump, Local
from codegen.ir.program import successors
from codegen.ir.types import CType


def shape_of(function: Function) -> tuple[object, ...]:
    """What two functions have in common that are alike."""
    order: dict[str, int] = {}
    stack = [function.entry]
    while stack:
        label = stack.pop()
        if label not in order:
            order[label] = len(order)
            stack += reversed(successors(function, label))
    names: dict[str, int] = {}
    told: list[object] = [function.name, function.returns]
    for part in (*function.params, *function.distinct):
        told += _told(part, names)
    for label in order:
        block = function.block(label)
        for instruction in block.instructions:
            told += _told(instruction, names)
        told.append([order[target] for target in successors(function, label)])
        match block.terminator:
            case Jump():
                told.append("jump")
            case Branch(condition=condition):
                told += _told(condition, names)
            case ending:
                told += _told(ending, names)
    return tuple(map(str, told))


def _told(node: object, names: dict[str, int]) -> Iterator[object]:
    """A node as a row of words, locals by the order in which they first come."""
    match node:
        case Local(name=name, type=ctype):
            yield ("local", names.setdefault(name, len(names)), ctype)
        case Span():
            pass
        case tuple():
            yield len(node)
            for part in node:
                yield from _told(part, names)
        case CType():
            yield (node, node.to)
        case _ if is_dataclass(node):
            yield type(node).__name__
            for field in fields(node):
                yield from _told(getattr(node, field.name), names)
        case _:
            yield repr(node)
