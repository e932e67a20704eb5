# SPDX-License-Identifier: GPL-2.0-only
"""Statements put as one would write them: no else behind a way that leaves, nothing unused."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codegen.targets.simulator import python
from codegen.targets.simulator.expressions import negated
from codegen.targets.simulator.python import If, Line, Py, Statement

_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")


def branch(
    condition: Py, then: list[Statement], otherwise: list[Statement], comments: tuple[str, ...]
) -> list[Statement]:
    """if and else, without an else behind a way that leaves."""
    if condition.text in ("True", "False"):
        return then if condition.text == "True" else otherwise
    tail = _same_tail(then, otherwise)
    if tail:
        rest = branch(condition, then[: -len(tail)], otherwise[: -len(tail)], comments)
        return [*rest, *tail]
    if not then and not otherwise:
        return [] if condition.plain else [Line("", condition)]
    if not then:
        then, otherwise, condition = otherwise, [], negated(condition)
    if otherwise and python.leaves(otherwise) and not python.leaves(then):
        then, otherwise, condition = otherwise, then, negated(condition)
    if (
        python.leaves(then)
        and python.leaves(otherwise)
        and isinstance(then[-1], Line)
        and len(otherwise) == 1
        and len(then) > 1
    ):
        then, otherwise, condition = otherwise, then, negated(condition)
    if python.leaves(then):
        return [If(condition, then, [], comments), *otherwise]
    only = then[0] if len(then) == 1 and not otherwise else None
    if isinstance(only, If) and not only.otherwise:
        both = python.both(condition, only.condition)
        return [If(both, only.then, [], comments + only.comments)]
    return [If(condition, then, otherwise, comments)]


def _same_tail(then: list[Statement], otherwise: list[Statement]) -> list[Statement]:
    """The jump that both ways end with."""
    if len(then) < 2 or len(otherwise) < 2 or then[-2:] != otherwise[-2:]:
        return []
    last = then[-1]
    return then[-2:] if isinstance(last, Line) and last.before == "continue" else []


def drop_unused(body: list[Statement]) -> bool:
    """Takes out what is written to a local that nothing reads; True if there was anything."""
    text = _STRING.sub('""', "\n".join(_texts(body)))
    found = False

    def sweep(inner: list[Statement]) -> None:
        nonlocal found
        for statement in list(inner):
            match statement:
                case If():
                    sweep(statement.then)
                    sweep(statement.otherwise)
                    if not statement.then:
                        position = next(i for i, s in enumerate(inner) if s is statement)
                        inner[position : position + 1] = branch(
                            statement.condition, [], statement.otherwise, statement.comments
                        )
                case python.Cases():
                    for _, case in statement.cases:
                        sweep(case)
                case Line(name=str() as name, value=Py() as value):
                    if re.search(rf"\b{name}\b", text):
                        continue
                    found = True
                    position = next(i for i, s in enumerate(inner) if s is statement)
                    inner[position : position + 1] = [] if value.plain else [Line("", value)]
                case _:
                    pass

    sweep(body)
    return found


def _texts(body: list[Statement]) -> Iterator[str]:
    """What the statements read."""
    for statement in body:
        match statement:
            case If():
                yield statement.condition.text
                yield from _texts(statement.then)
                yield from _texts(statement.otherwise)
            case python.Cases():
                for _, case in statement.cases:
                    yield from _texts(case)
            case Line():
                yield statement.before if statement.name is None else ""
                yield statement.value.text if statement.value else ""


def tidy(body: list[Statement], is_void: bool) -> None:
    """A value that is returned at once needs no name; nor does the end of a void function."""
    for statement in body:
        match statement:
            case If():
                tidy(statement.then, False)
                tidy(statement.otherwise, False)
            case python.Cases():
                for _, inner in statement.cases:
                    tidy(inner, False)
            case _:
                pass
    if len(body) > 1:
        last, value = body[-1], body[-2]
        if (
            isinstance(last, Line)
            and last.before == "return "
            and last.value is not None
            and isinstance(value, Line)
            and value.name is not None
            and last.value.text == value.name
            and value.before == f"{value.name} = "
        ):
            body[-2:] = [Line("return ", value.value)]
    if is_void and len(body) > 1 and isinstance(body[-1], Line) and body[-1].before == "return":
        body.pop()
