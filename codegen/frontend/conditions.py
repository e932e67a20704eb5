# SPDX-License-Identifier: GPL-2.0-only
"""Which macros the conditionals in reach test, and every setting worth trying.

A setting is tried for each macro as it is tested: `#ifdef X` and `defined(X)`
distinguish defined from not; `#if X > 2` distinguishes the values around 2.
Kbuild defines CONFIG_X for y and CONFIG_X_MODULE for m, never both, and
include/linux/kconfig.h makes its tests of them, in conditionals and in plain
code: `IS_BUILTIN(CONFIG_X)` asks for the one, `IS_MODULE()` for the other,
`IS_ENABLED()` for either. `IS_REACHABLE()` is `IS_BUILTIN()` in code that is no
module itself. That an option can be m is tried only where somebody asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from itertools import product
from math import prod

from codegen.frontend.nodes import Configuration

_DEFINED = re.compile(r"\bdefined\s*\(?\s*(\w+)\s*\)?")
ENABLED_TEST = re.compile(r"\b(IS_(?:ENABLED|BUILTIN|REACHABLE|MODULE))\s*\(\s*(\w+)\s*\)")
ENABLED_WORDS = frozenset({"IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE", "IS_MODULE"})
_MODULE = "_MODULE"
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
    found |= dict.fromkeys(enabled_macros(rest), either)
    rest = ENABLED_TEST.sub(" ", rest)
    found |= {match.group(1): either for match in _DEFINED.finditer(rest)}
    rest = _DEFINED.sub(" ", rest)
    numbers = {int(n) for n in _NUMBER.findall(rest)}
    around = {str(v) for n in numbers if n > 1 for v in (n - 1, n, n + 1)}
    for name in _WORD.findall(rest):
        found[name] = found.get(name, frozenset()) | either | around
    return found


def enabled_macros(text: str) -> set[str]:
    """The macros that `IS_ENABLED()` and its like test in a text."""
    return {
        option + _MODULE if word == "IS_MODULE" else option
        for word, option in ENABLED_TEST.findall(text)
    }


def is_enabled(word: str, option: str, defined: Container[str]) -> bool:
    """What `word(option)` is, one of ENABLED_WORDS, where the macros `defined` are defined."""
    match word:
        case "IS_MODULE":
            return option + _MODULE in defined
        case "IS_ENABLED":
            return option in defined or option + _MODULE in defined
        case _:
            return option in defined


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
    # y and m: no option is both.
    twins = [(n, n + _MODULE) for n in names if n + _MODULE in values]
    choices = [sorted(values[n], key=lambda v: (v is not None, v)) for n in names]
    if prod(map(len, choices)) <= MAX_SETTINGS:
        every = (dict(zip(names, pick, strict=True)) for pick in product(*choices))
        return [Configuration(p) for p in every if not any(p[o] and p[m] for o, m in twins)]
    nothing = {n: c[0] for n, c in zip(names, choices, strict=True)}
    everything = {n: c[-1] for n, c in zip(names, choices, strict=True)}
    picks = [nothing, everything]
    for name, choice in zip(names, choices, strict=True):
        picks += [{**base, name: value} for base in (nothing, everything) for value in choice]
    for pick in picks:
        pick |= {m: None for o, m in twins if pick[o]}
    unique = {tuple(sorted(p.items())): p for p in picks}
    return [Configuration(p) for p in unique.values()]
