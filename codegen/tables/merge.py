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
from codegen.tables.nodes import DecodeRow, SignalRow

R = TypeVar("R", DecodeRow, SignalRow)
Setting = tuple[str | None, ...]


def presence(
    chosen: Sequence[Configuration], everything: Sequence[Configuration]
) -> str | None:
    """A condition that tells `chosen` from the rest of `everything`; None where there is no rest.

    Macros that do not matter are left out, and neighbours are joined:
    `A && B || A && !B` is `A`.
    """
    inside = {_key(c) for c in chosen}
    if inside >= {_key(c) for c in everything}:
        return None
    names = sorted({n for c in everything for n in c.settings})
    universe = [tuple(c.settings.get(n) for n in names) for c in everything]
    wanted = {tuple(c.settings.get(n) for n in names) for c in chosen}
    for name in list(names):
        i = names.index(name)

        def without(s: Setting, i: int = i) -> Setting:
            return s[:i] + s[i + 1 :]

        positive = {without(s) for s in wanted}
        negative = {without(s) for s in universe if s not in wanted}
        if not positive & negative:
            names.pop(i)
            universe = [without(s) for s in universe]
            wanted = positive
    terms: set[tuple[tuple[str, str | None], ...]] = {
        tuple(zip(names, setting, strict=True)) for setting in wanted
    }
    terms = _joined(terms)
    parts = sorted(" && ".join(_literal(n, v) for n, v in term) for term in terms)
    if len(parts) > 1:
        parts = [f"({p})" if "&&" in p else p for p in parts]
    return " || ".join(parts)


def _key(configuration: Configuration) -> tuple[tuple[str, str | None], ...]:
    return tuple(sorted(configuration.settings.items(), key=lambda s: s[0]))


def _literal(name: str, value: str | None) -> str:
    if value is None:
        return f"!defined({name})"
    return f"defined({name})" if value == "1" else f"{name} == {value}"


Term = tuple[tuple[str, str | None], ...]


def _joined(terms: set[Term]) -> set[Term]:
    """Joins terms that differ in one macro, defined against not defined."""
    changed = True
    while changed:
        changed = False
        for term in sorted(terms, key=str):
            for i, (name, value) in enumerate(term):
                other = (*term[:i], (name, None if value else "1"), *term[i + 1 :])
                if other in terms and value in (None, "1"):
                    terms = (terms - {term, other}) | {term[:i] + term[i + 1 :]}
                    changed = True
                    break
            if changed:
                break
    return terms


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
    groups: dict[object, dict[tuple[R, ...], list[Configuration]]] = {}
    for configurations, rows in tables:
        by_key: dict[object, list[R]] = {}
        for row in rows:
            by_key.setdefault(key(row), []).append(row)
        for k, group in by_key.items():
            if k not in groups:
                order.append(k)
                groups[k] = {}
            groups[k].setdefault(tuple(group), []).extend(configurations)
    out: list[R] = []
    for k in order:
        for group, configurations in groups[k].items():
            condition = presence(configurations, everything)
            out += [replace(row, presence=condition) for row in group]
    return tuple(out)
