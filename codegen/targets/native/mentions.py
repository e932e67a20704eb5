# SPDX-License-Identifier: GPL-2.0-only
"""What the text of functions names, and in what place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codegen.frontend.nodes import ParsedFunction
from codegen.frontend.syntax import c_ast


def written_calls(functions: list[ParsedFunction]) -> frozenset[str]:
    """The accessors that are assigned to: `pgd_val(*pgd) = value`."""
    found: set[str] = set()

    def walk(node: Any) -> None:
        match node:
            case c_ast.Assignment(lvalue=c_ast.FuncCall(name=c_ast.ID(name=str() as name))):
                found.add(name)
            case _:
                pass
        for _, child in node.children():
            walk(child)

    for function in functions:
        walk(function.tree)
    return frozenset(found)


def case_labels(functions: list[ParsedFunction]) -> list[str]:
    """The names in case labels, which C wants to be constants, in the order of the text."""
    found: dict[str, None] = {}

    def walk(node: Any) -> Iterator[Any]:
        yield node
        for _, child in node.children():
            yield from walk(child)

    for function in functions:
        for node in walk(function.tree):
            if isinstance(node, c_ast.Case):
                found |= dict.fromkeys(n.name for n in walk(node.expr) if isinstance(n, c_ast.ID))
    return list(found)


def calls_in(functions: list[ParsedFunction]) -> dict[str, int]:
    """Every name that is called, with the most arguments that it gets."""
    found: dict[str, int] = {}

    def walk(node: Any) -> None:
        if isinstance(node, c_ast.FuncCall) and isinstance(node.name, c_ast.ID):
            count = len(node.args.exprs) if node.args else 0
            found[node.name.name] = max(count, found.get(node.name.name, 0))
        for _, child in node.children():
            walk(child)

    for function in functions:
        walk(function.tree)
    return found
