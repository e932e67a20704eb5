# SPDX-License-Identifier: GPL-2.0-only
"""A function whose blocks and temporaries are named by where they stand in the file.

    .17:  %18 = f(x)   jump .16             .1042:  %1051 = f(x)   jump .1060

Lowering counts them, so that one more `#ifdef` in a function gives all that
comes behind it other names. Named by their place, the configurations of a
function agree on every block that has the same text in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from codegen.base.spans import Span
from codegen.ir.nodes import Assign, Block, Branch, Call, Function, Jump, Local
from codegen.ir.types import CType


def by_place(function: Function) -> Function:
    """The same function, its unnamed blocks and its temporaries named by place."""
    labels = _labels(function)
    temporaries = _named(
        (local.name, instruction.span.start)
        for block in function.blocks
        for instruction in block.instructions
        if (local := _written(instruction)) is not None and local.name[1:].isdigit()
    )

    def renamed(local: Local) -> Local:
        place = temporaries.get(local.name)
        return local if place is None else replace(local, name=f"%{place}")

    blocks = tuple(
        Block(
            labels.get(block.label, block.label),
            tuple(_rewritten(i, renamed) for i in block.instructions),
            _retargeted(_rewritten(block.terminator, renamed), labels),
        )
        for block in function.blocks
    )
    return replace(function, blocks=blocks, locals=tuple(map(renamed, function.locals)))


def _labels(function: Function) -> dict[str, str]:
    """The names of the unnamed blocks: their first place; an empty one is named for the next."""

    def place(label: str, seen: tuple[str, ...] = ()) -> str:
        block = function.block(label)
        if block.instructions:
            return str(block.instructions[0].span.start)
        match block.terminator:
            case Jump(target=target) if target not in seen:
                return f"before {place(target, (*seen, label))}"
            case Jump():
                return "nowhere"
            case ending:
                return str(ending.span.start)

    unnamed = [b.label for b in function.blocks if b.label[1:].isdigit()]
    return {label: f".{name}" for label, name in _named((u, place(u)) for u in unnamed).items()}


def _named(places: Iterator[tuple[str, object]]) -> dict[str, str]:
    """A name for each thing: its (first) place, and how many stand there before it."""
    found: dict[str, str] = {}
    count: dict[object, int] = {}
    for thing, place in places:
        if thing not in found:
            count[place] = count.get(place, 0) + 1
            found[thing] = f"{place}" if count[place] == 1 else f"{place}/{count[place]}"
    return found


def _written(instruction: Assign | Call) -> Local | None:
    match instruction:
        case Assign(target=Local() as target):
            return target
        case Call(result=result):
            return result
        case _:
            return None


def _retargeted(terminator: Any, labels: dict[str, str]) -> Any:
    match terminator:
        case Jump(target=target):
            return Jump(labels.get(target, target))
        case Branch(then=then, otherwise=otherwise):
            return replace(
                terminator,
                then=labels.get(then, then),
                otherwise=labels.get(otherwise, otherwise),
            )
        case _:
            return terminator


def _rewritten(node: Any, renamed: Callable[[Local], Local]) -> Any:
    """A node with every local renamed; what does not change is the same object."""
    match node:
        case Local():
            return renamed(node)
        case Span() | CType() | str() | None:
            return node
        case tuple():
            parts = tuple(_rewritten(part, renamed) for part in node)
            return node if all(a is b for a, b in zip(parts, node, strict=True)) else parts
        case _ if is_dataclass(node) and not isinstance(node, type):
            changed = {
                f.name: new
                for f in fields(node)
                if (new := _rewritten(old := getattr(node, f.name), renamed)) is not old
            }
            return replace(node, **changed) if changed else node
        case _:
            return node
