# SPDX-License-Identifier: GPL-2.0-only
"""The tables of a file's variants as one, with presence conditions.

A row that every variant with a handler has needs no condition; others carry
the condition on the configuration under which they hold, as short as it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from codegen.frontend.nodes import Configuration
from codegen.tables.cover import Answered, Literal, guards
from codegen.tables.nodes import DecodeRow, SignalRow

R = TypeVar("R", DecodeRow, SignalRow)


def presence(chosen: Sequence[Configuration], everything: Sequence[Configuration]) -> str | None:
    """A condition that tells `chosen` from the rest of `everything`; None where there is no rest.

    Macros that do not matter are left out: `A && B || A && !B` is `A`.
    """
    inside = {_key(c) for c in chosen}
    if inside >= {_key(c) for c in everything}:
        return None
    atoms: list[tuple[str, str]] = []
    values: dict[str, set[str]] = {}
    for c in everything:
        for name, value in c.settings.items():
            if value is not None:
                values.setdefault(name, set()).add(value)
    for name in sorted(values):
        atoms += [(name, v) for v in sorted(values[name], key=lambda v: (v != "1", v))]

    def conflict(a: Literal, b: Literal) -> bool:
        """A macro has one value only."""
        return a[1] and b[1] and atoms[a[0]][0] == atoms[b[0]][0]

    answered = [
        Answered(
            frozenset((i, c.settings.get(name) == value) for i, (name, value) in enumerate(atoms)),
            _key(c) in inside,
        )
        for c in everything
    ]
    cubes = next(cubes for cubes, answer in guards(answered, conflict) if answer)
    parts = [" && ".join(_literal(*atoms[i], holds) for i, holds in sorted(c)) for c in cubes]
    if len(parts) > 1:
        parts = [f"({p})" if "&&" in p else p for p in parts]
    return " || ".join(parts)


def _key(configuration: Configuration) -> tuple[tuple[str, str | None], ...]:
    return tuple(sorted(configuration.settings.items(), key=lambda s: s[0]))


def _literal(name: str, value: str, holds: bool) -> str:
    if value == "1":
        return f"defined({name})" if holds else f"!defined({name})"
    return f"{name} {'==' if holds else '!='} {value}"


def merge_tables(
    tables: Sequence[tuple[tuple[Configuration, ...], tuple[R, ...]]],
    key: Callable[[R], object],
) -> tuple[R, ...]:
    """Rows of several variants as one table.

    `key` groups the rows that answer the same question (a cell of the signal
    map); within a group, equal rows share a presence condition. A decode is one
    question as a whole: variants whose decodes differ contribute all their rows.
    """
    everything = [c for configurations, _ in tables for c in configurations]
    order: list[object] = []
    groups: dict[object, dict[object, tuple[tuple[R, ...], list[Configuration]]]] = {}
    for configurations, rows in tables:
        by_key: dict[object, list[R]] = {}
        for row in rows:
            by_key.setdefault(key(row), []).append(row)
        for k, group in by_key.items():
            if k not in groups:
                order.append(k)
                groups[k] = {}
            alike = tuple(map(_answers, group))
            known, settings = groups[k].setdefault(alike, (tuple(group), []))
            settings.extend(configurations)
            groups[k][alike] = tuple(map(_fuller, known, group)), settings
    out: list[R] = []
    for k in order:
        for merged, settings in groups[k].values():
            condition = presence(settings, everything)
            out += [replace(row, presence=condition) for row in merged]
    return tuple(out)


def _answers(row: DecodeRow | SignalRow) -> object:
    """The row without its effects: a print that a configuration adds is no other answer."""
    match row:
        case SignalRow():
            return tuple(replace(c, effects=()) for c in row.cases)
        case DecodeRow():
            return row


def _fuller(a: R, b: R) -> R:
    """Of two rows that answer alike, the one that says more of the effects."""
    if isinstance(a, SignalRow) and isinstance(b, SignalRow):
        cases = tuple(
            x if len(x.effects) >= len(y.effects) else y
            for x, y in zip(a.cases, b.cases, strict=True)
        )
        return replace(a, cases=cases)
    return a
