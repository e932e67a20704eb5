# SPDX-License-Identifier: GPL-2.0-only
"""What an operator is, and the few ways of planting a wrong that most of them share.

Operator("lost-tried", ...)  finds  `flags |= FAULT_FLAG_TRIED;`  and makes it  `;`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from codegen.base.spans import Span
from codegen.csyntax.edit import Edit, apply_edits
from codegen.csyntax.nodes import FunctionText, Statement, StatementKind
from codegen.targets.c.expr import Assign, Binary, Call, Expr, Name, bare, walk

from .view import Root, View


class Part(StrEnum):
    """Which of the two texts a wrong is planted in."""

    HANDLER = "handler"
    HELPER = "helper"


@dataclass(frozen=True)
class Plant:
    """One place, and what is done to it."""

    function: FunctionText
    edits: tuple[Edit, ...]

    @property
    def start(self) -> int:
        """Where the first change is."""
        return min(e.span.start for e in self.edits)

    def apply(self, view: View) -> str:
        """The text with the wrong in it."""
        return apply_edits(view.source, self.edits)

    def told(self, view: View) -> str:
        """`before -> after`, on one line."""
        before = " ... ".join(view.text(e.span) for e in self.edits)
        after = " ... ".join(e.replacement for e in self.edits)
        return f"{_short(before)} -> {_short(after)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else line[:87] + "..."


Finder = Callable[[View], Iterable[Plant]]


@dataclass(frozen=True)
class Operator:
    """One kind of wrong: `find` gives every place for it in a text."""

    name: str
    parts: frozenset[Part]
    what: str
    find: Finder

    def places(self, view: View) -> tuple[Plant, ...]:
        """Its places in the order of the text, none twice."""
        plants = {p.edits: p for p in self.find(view) if p.apply(view) != view.source.text}
        return tuple(sorted(plants.values(), key=lambda p: (p.start, p.edits)))


# ---- statements ------------------------------------------------------------------------


IsStatement = Callable[[View, FunctionText, Statement], bool]


def dropped(wanted: IsStatement) -> Finder:
    """The statement is not there."""
    return lambda view: (
        Plant(f, (Edit(s.span, ";"),)) for f, s in view.statements if wanted(view, f, s)
    )


def doubled(wanted: IsStatement) -> Finder:
    """The statement is there twice."""

    def find(view: View) -> Iterator[Plant]:
        for f, s in view.statements:
            if wanted(view, f, s):
                text = view.text(s.span)
                yield Plant(f, (Edit(s.span, f"{{ {text} {text} }}"),))

    return find


def exchanged(first: IsStatement, second: IsStatement) -> Finder:
    """Two statements, one right behind the other, are the other way round."""

    def find(view: View) -> Iterator[Plant]:
        for f, siblings in view.lists():
            for a, b in pairwise(siblings):
                if first(view, f, a) and second(view, f, b):
                    yield Plant(
                        f, (Edit(a.span, view.text(b.span)), Edit(b.span, view.text(a.span)))
                    )

    return find


def moved(wanted: IsStatement, behind: IsStatement) -> Finder:
    """The statement stands right behind another one of the function instead."""

    def find(view: View) -> Iterator[Plant]:
        for f, s in view.statements:
            if not wanted(view, f, s):
                continue
            for g, target in view.statements:
                if g == f and behind(view, g, target) and target != s:
                    at = Span(target.span.end, target.span.end)
                    yield Plant(f, (Edit(s.span, ";"), Edit(at, " " + view.text(s.span))))

    return find


def calling(*roles: object) -> IsStatement:
    """A statement that is a call of a word with one of the roles."""

    def wanted(view: View, _: FunctionText, s: Statement) -> bool:
        call = view.call(s)
        return call is not None and view.role(call.name) in roles

    return wanted


def naming(*words: str) -> IsStatement:
    """A statement that is a call of one of the words."""

    def wanted(view: View, _: FunctionText, s: Statement) -> bool:
        call = view.call(s)
        return call is not None and call.name in words

    return wanted


def signalling(view: View, _: FunctionText, s: Statement) -> bool:
    """A statement that raises a signal."""
    call = view.call(s)
    return call is not None and view.is_signal(call)


def of_kind(kind: StatementKind, words: frozenset[str] = frozenset()) -> IsStatement:
    """A statement of one kind whose head, if `words` are given, names one of them."""

    def wanted(view: View, _: FunctionText, s: Statement) -> bool:
        if s.kind is not kind:
            return False
        return not words or (s.head is not None and bool(words & view.names_in(s.head)))

    return wanted


def testing(*words: str) -> IsStatement:
    """An `if` whose condition names one of the words."""
    return of_kind(StatementKind.IF, frozenset(words))


def labelled(label: str) -> IsStatement:
    """The label itself."""
    return lambda _view, _f, s: s.kind is StatementKind.LABEL and s.label == label


def setting(*flags: str) -> IsStatement:
    """`flags |= FAULT_FLAG_X;`"""

    def wanted(view: View, _: FunctionText, s: Statement) -> bool:
        node = assignment(view, s)
        return (
            node is not None
            and node.op == "|="
            and any(isinstance(n, Name) and n.text in flags for n in walk(node.value))
        )

    return wanted


def assignment(view: View, s: Statement) -> Assign | None:
    """The assignment that a statement is."""
    root = view.expression(s)
    return root if isinstance(root, Assign) else None


# ---- expressions -----------------------------------------------------------------------


Replace = Callable[[View, Root, Expr], Iterable[str]]


def replaced(by: Replace) -> Finder:
    """Each expression for which `by` gives another text."""

    def find(view: View) -> Iterator[Plant]:
        for root, node in view.nodes:
            for text in by(view, root, node):
                yield Plant(root.function, (Edit(node.span, text),))

    return find


def renamed(**names: str) -> Finder:
    """One word for another."""

    def by(_view: View, _root: Root, node: Expr) -> Iterator[str]:
        if isinstance(node, Name) and node.text in names:
            yield names[node.text]

    return replaced(by)


def called(**names: str) -> Finder:
    """A call of one word instead of another, with the same arguments."""

    def find(view: View) -> Iterator[Plant]:
        for root, node in view.nodes:
            if isinstance(node, Call) and node.name in names:
                start = node.span.start
                span = Span(start, start + len(node.name))
                yield Plant(root.function, (Edit(span, names[node.name]),))

    return find


def conditions(view: View) -> Iterator[tuple[Root, Expr]]:
    """The whole conditions of `if`s."""
    for root in view.roots:
        if root.statement.kind is StatementKind.IF:
            yield root, root.expr


def operands(op: str, node: Expr) -> tuple[tuple[str, Expr], ...]:
    """(how the rest begins and ends, an operand) for both operands of `op`."""
    match node:
        case Binary(op=found, left=left, right=right) if found == op:
            return (("left", left), ("right", right))
        case _:
            return ()


def names(node: Expr) -> frozenset[str]:
    """The plain names in an expression."""
    return frozenset(n.text for n in walk(node) if isinstance(n, Name))


def is_comparison(node: Expr, op: str, *words: str) -> bool:
    """`x == WORD`, the word on the right."""
    match bare(node):
        case Binary(op=found, right=right) if found == op:
            inner = bare(right)
            return isinstance(inner, Name) and inner.text in words
        case _:
            return False
