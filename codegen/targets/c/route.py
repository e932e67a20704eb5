# SPDX-License-Identifier: GPL-2.0-only
"""Where control goes in a handler's statements: jumps, labels, and the arms of what branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.base.spans import Span
from codegen.csyntax.nodes import Statement, StatementKind
from codegen.targets.c.steps import Exit, Pieces
from codegen.targets.c.values import Value

Chain = tuple[tuple[tuple[Statement, ...], int], ...]
"""A place: the lists of statements around it and where to go on in each, outermost first."""


@dataclass(frozen=True, slots=True)
class Decision:
    """An open condition on the way to the fault, and which way a walk took.

    For a switch `labels` are those of the arm taken (`default`, or none where
    no label fits), `key` its subject.
    """

    key: str
    text: str
    taken: bool
    span: Span
    remark: str = ""
    labels: tuple[str, ...] | None = None


class GoesTo(Exception):
    """Control goes on at a label."""

    def __init__(self, label: str, span: Span) -> None:
        super().__init__(label)
        self.label, self.span = label, span


class Returns(Exception):
    """Control leaves a function, with what is known of the value that it returns."""

    def __init__(self, value: Value | None, pieces: Pieces) -> None:
        super().__init__()
        self.value, self.pieces = value, pieces


class Breaks(Exception):
    """Control leaves a switch."""


class Leaves(Exception):
    """Control has left for good."""

    def __init__(self, ending: Exit | None) -> None:
        super().__init__()
        self.exit = ending


class AtLabel(Exception):
    """The walk has come to a label that stays."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


def chain_to(statements: Sequence[Statement], label: str) -> Chain | None:
    """Where a label is: the list of statements that holds it, and those around it."""
    statements = tuple(statements)
    for i, statement in enumerate(statements):
        if statement.kind is StatementKind.LABEL and statement.label == label:
            return ((statements, i),)
        for arm in arms_of(statement):
            inner = chain_to(arm, label)
            if inner is not None:
                return ((statements, i + 1), *inner)
    return None


def arms_of(statement: Statement) -> tuple[tuple[Statement, ...], ...]:
    """The lists of statements directly inside one: an if's two, a conditional's arms."""
    children = statement.children
    match statement.kind:
        case StatementKind.IF:
            before = tuple(c for c in children if c.kind is not StatementKind.ELSE)
            after = tuple(c for c in children if c.kind is StatementKind.ELSE)
            return (before, *(e.children for e in after))
        case StatementKind.PREPROC_GROUP:
            arms: list[list[Statement]] = [[]]
            for child in children:
                if child.kind is StatementKind.DIRECTIVE:
                    arms.append([])
                else:
                    arms[-1].append(child)
            return tuple(tuple(a) for a in arms if a)
        case _:
            return (children,) if children else ()
