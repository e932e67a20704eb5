# SPDX-License-Identifier: GPL-2.0-only
"""The C text that wrongs are planted in: its statements and expressions, each a place.

Only functions that the machine follows from the handler's entries are looked
at: a wrong anywhere else is no wrong of the handler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from codegen.base.spans import SourceText, Span
from codegen.csyntax.nodes import FunctionText, Statement, StatementKind
from codegen.csyntax.parse import SyntaxTree, parse
from codegen.ir.program import Program, is_signal_code, is_signal_number
from codegen.ir.vocabulary import Role
from codegen.targets.c.expr import Call, Expr, Name, parse_expression, walk
from codegen.targets.c.source import declarators, every

_HEADED = frozenset(
    (
        StatementKind.IF,
        StatementKind.SWITCH,
        StatementKind.WHILE,
        StatementKind.DO,
        StatementKind.RETURN,
    )
)


@dataclass(frozen=True)
class Root:
    """One whole expression, the statement that it belongs to, and the function around it."""

    function: FunctionText
    statement: Statement
    expr: Expr


class View:
    """One text; `names` are the functions in reach, `program` says what words do."""

    def __init__(self, source: SourceText, names: frozenset[str], program: Program) -> None:
        self.source, self.program = source, program
        self.tree: SyntaxTree = parse(source)
        self._expressions: dict[Span, Expr] = {}
        self.functions = tuple(f for f in self.tree.functions if f.name in names)

    def text(self, span: Span) -> str:
        """The text at a place."""
        return self.source.slice(span)

    def role(self, word: str) -> Role | None:
        """What a word does; None for the file's own functions and for unknown words."""
        return self.program.role(word)

    def is_void(self, function: FunctionText) -> bool:
        """Whether a function returns nothing."""
        head = self.source.text[function.span.start : function.name_span.start]
        return "void" in head.split() and "*" not in head

    @cached_property
    def statements(self) -> tuple[tuple[FunctionText, Statement], ...]:
        """Every statement of the functions in reach, in the order of the text."""
        return tuple((f, s) for f in self.functions for s in every(self.tree.statements_in(f)))

    @cached_property
    def roots(self) -> tuple[Root, ...]:
        """Every whole expression: of statements, heads, return values and initialisers."""
        return tuple(
            Root(f, s, parse_expression(self.tree, span))
            for f, s in self.statements
            for span in _expression_spans(self.tree, s)
        )

    @cached_property
    def nodes(self) -> tuple[tuple[Root, Expr], ...]:
        """Every expression, the inner ones too."""
        return tuple((root, node) for root in self.roots for node in walk(root.expr))

    def lists(self) -> Iterator[tuple[FunctionText, Sequence[Statement]]]:
        """The statements that stand one behind the other: of a function, of a compound."""
        for function in self.functions:
            yield function, self.tree.statements_in(function)
        for function, statement in self.statements:
            if statement.kind is StatementKind.COMPOUND:
                yield function, statement.children

    def expression(self, statement: Statement) -> Expr | None:
        """The expression that a statement is."""
        if statement.kind is not StatementKind.EXPRESSION:
            return None
        known = self._expressions.get(statement.span)
        if known is None:
            known = self._expressions[statement.span] = parse_expression(self.tree, statement.span)
        return known

    def call(self, statement: Statement) -> Call | None:
        """The call that a statement is."""
        root = self.expression(statement)
        return root if isinstance(root, Call) else None

    def names_in(self, span: Span) -> frozenset[str]:
        """The plain names in an expression."""
        return frozenset(
            n.text for n in walk(parse_expression(self.tree, span)) if isinstance(n, Name)
        )

    def is_signal(self, call: Call) -> bool:
        """Whether a call raises a signal: by the vocabulary, or by number and code it is given."""
        if self.role(call.name) is Role.SIGNAL:
            return True
        if self.role(call.name) is not None:
            return False
        names = [n.text for a in call.args for n in walk(a) if isinstance(n, Name)]
        codes = ("code", "si_code", "sicode")
        code = any(is_signal_code(n) or n in codes for n in names)
        number = any(is_signal_number(n) or n in ("sig", "signo", "signr") for n in names)
        return code and number


def _expression_spans(tree: SyntaxTree, statement: Statement) -> Iterator[Span]:
    match statement.kind:
        case StatementKind.EXPRESSION:
            yield statement.span
        case StatementKind.DECLARATION:
            for declarator in declarators(tree, statement):
                if declarator.value is not None:
                    yield declarator.value
        case kind if kind in _HEADED:
            if statement.head is not None:
                yield statement.head
