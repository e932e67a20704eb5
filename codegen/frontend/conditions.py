# SPDX-License-Identifier: GPL-2.0-only
"""Which macros the conditionals in reach test, and every setting worth trying.

A setting is tried for each macro as it is tested: `#ifdef X` and `defined(X)`
distinguish defined from not; `#if X > 2` distinguishes the values around 2;
`IS_ENABLED(CONFIG_X)`, in a conditional or in plain code, is the same macro as
`#ifdef CONFIG_X` (modules do not matter to code that must be built in).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import product
from math import prod

from codegen.frontend.nodes import Configuration

_DEFINED = re.compile(r"\bdefined\s*\(?\s*(\w+)\s*\)?")
ENABLED_TEST = re.compile(r"\bIS_(?:ENABLED|BUILTIN|REACHABLE|MODULE)\s*\(\s*(\w+)\s*\)")
_NUMBER = re.compile(r"\b(\d+)\b")
_WORD = re.compile(r"\b[A-Za-z_]\w*\b")

MAX_SETTINGS = 256


def tested_macros(kind: str, condition: str) -> dict[str, frozenset[str | None]]:
    """The macros that a conditional tests, each with the values worth trying.

    `kind` is the directive's (`ifdef`, `if`, `elif` …), `condition` its text
    behind the keyword. `None` is "not defined".

    Example: `if`, `defined(CONFIG_A) || CONFIG_LEVELS > 2` gives
    `{"CONFIG_A": {None, "1"}, "CONFIG_LEVELS": {None, "1", "2", "3"}}`.
    """
    either: frozenset[str | None] = frozenset({None, "1"})
    if kind in ("ifdef", "ifndef", "elifdef", "elifndef"):
        return {condition.split()[0]: either} if condition.split() else {}
    found: dict[str, frozenset[str | None]] = {}
    rest = condition
    for pattern in (ENABLED_TEST, _DEFINED):
        for match in pattern.finditer(rest):
            found[match.group(1)] = either
        rest = pattern.sub(" ", rest)
    numbers = {int(n) for n in _NUMBER.findall(rest)}
    around = {str(v) for n in numbers if n > 1 for v in (n - 1, n, n + 1)}
    for name in _WORD.findall(rest):
        found[name] = found.get(name, frozenset()) | either | around
    return found


def enabled_macros(text: str) -> set[str]:
    """The macros that `IS_ENABLED()` and its like test in plain code."""
    return set(ENABLED_TEST.findall(text))


def settings(
    tested: Sequence[dict[str, frozenset[str | None]]],
    fixed: dict[str, str | None],
    ignored: Iterable[str],
) -> list[Configuration]:
    """Every combination of the tested macros' values, `fixed` ones left as they are.

    At most MAX_SETTINGS; beyond that each macro is tried by itself on top of
    "nothing defined" and "everything defined", which reaches every branch of
    every conditional.
    """
    values: dict[str, set[str | None]] = {}
    for group in tested:
        for name, options in group.items():
            values.setdefault(name, set()).update(options)
    for name in ignored:
        values.pop(name, None)
    for name, value in fixed.items():
        if name in values:
            values[name] = {value}
    names = sorted(values)
    choices = [sorted(values[n], key=lambda v: (v is not None, v)) for n in names]
    if prod(map(len, choices)) <= MAX_SETTINGS:
        return [Configuration(dict(zip(names, pick, strict=True))) for pick in product(*choices)]
    nothing = {n: c[0] for n, c in zip(names, choices, strict=True)}
    everything = {n: c[-1] for n, c in zip(names, choices, strict=True)}
    picks = [nothing, everything]
    for name, choice in zip(names, choices, strict=True):
        picks += [{**base, name: value} for base in (nothing, everything) for value in choice]
    unique = {tuple(sorted(p.items())): p for p in picks}
    return [Configuration(p) for p in unique.values()]
