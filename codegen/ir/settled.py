# SPDX-License-Identifier: GPL-2.0-only
"""A function whose branches ask only what no constant in them decides.

    (!IS_ENABLED(CONFIG_MMU) || !IS_ENABLED(CONFIG_64BIT)) && addr >= VMALLOC_START
    ->  1, 1:  0        any other setting:  addr >= VMALLOC_START

Configurations in which a condition comes to the same agree on the branch.
"""

from __future__ import annotations

from dataclasses import replace

from codegen.ir.nodes import Binary, Branch, Expr, Function, Literal, Unary
from codegen.ir.types import INT


def settled(function: Function) -> Function:
    """The same function; the conditions of its branches are the same as truth values."""
    blocks = []
    for block in function.blocks:
        match block.terminator:
            case Branch(condition=condition) as branch if (asked := _asked(condition)) != condition:
                blocks.append(replace(block, terminator=replace(branch, condition=asked)))
            case _:
                blocks.append(block)
    return replace(function, blocks=tuple(blocks))


def _asked(condition: Expr) -> Expr:
    match condition:
        case Unary(op="!", operand=operand):
            inner = _asked(operand)
            if isinstance(inner, Literal):
                return Literal(int(not inner.value), INT)
            return replace(condition, operand=inner)
        case Binary(op="&&" | "||" as op, left=left, right=right):
            first, second = _asked(left), _asked(right)
            if isinstance(first, Literal):
                decided = bool(first.value) is (op == "||")
                return Literal(int(op == "||"), INT) if decided else second
            return replace(condition, left=first, right=second)
        case _:
            return condition
