# SPDX-License-Identifier: GPL-2.0-only
"""The lossless view as lines of text, for golden files and for looking at; form: see nodes.py."""

from collections.abc import Iterable, Iterator

from codegen.csyntax.nodes import Conditional, FunctionText, Statement
from codegen.csyntax.parse import SyntaxTree


def print_function(tree: SyntaxTree, function: FunctionText) -> str:
    """The function's line, and one for each statement in it; positions are lines of the file."""
    static = " static" if function.is_static else ""
    first, last = tree.source.line(function.span.start), tree.source.line(function.span.end)
    lines = [f"function {function.name}{static} {first}..{last}"]
    lines.extend(_statements(tree, tree.statements_in(function), "  "))
    return "\n".join(lines)


def print_conditionals(conditionals: Iterable[Conditional], indent: str = "") -> str:
    """One line for each conditional: its arms' directives."""
    lines: list[str] = []
    for conditional in conditionals:
        arms = [f"{b.directive.kind} {b.directive.text}".strip() for b in conditional.branches]
        lines.append(f"{indent}conditional {' | '.join(arms)}")
        if conditional.children:
            lines.append(print_conditionals(conditional.children, indent + "  "))
    return "\n".join(lines)


def _statements(tree: SyntaxTree, statements: Iterable[Statement], indent: str) -> Iterator[str]:
    for statement in statements:
        label = f" {statement.label}" if statement.label else ""
        first = tree.source.line(statement.span.start)
        last = tree.source.line(max(statement.span.start, statement.span.end - 1))
        yield f"{indent}{statement.kind}{label} {first}..{last}"
        yield from _statements(tree, statement.children, indent + "  ")
