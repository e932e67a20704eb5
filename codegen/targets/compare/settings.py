# SPDX-License-Identifier: GPL-2.0-only
"""Which configurations go together, and what to fix to have one again.

before: A | !A      after: A && B | A && !B      (A, A && B) is one pair; `A=y` chooses it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.frontend.nodes import Configuration
from codegen.ir.load import Variant

Choice = tuple[Variant, Sequence[Variant]]
"""A variant, and all that it was one of, in the order in which they come."""


def agree(a: Configuration, b: Configuration) -> bool:
    """Whether one kernel can be configured both ways."""
    return all(b.settings.get(n, v) == v for n, v in a.settings.items())


def settings_of(*choices: Choice) -> tuple[tuple[str, bool], ...]:
    """The macros to fix so that each variant is the first; none where it is anyway."""
    (one, _), (two, _) = choices
    pairs = ((a, b) for a in one.configurations for b in two.configurations if agree(a, b))
    first, second = next(pairs)
    wanted = {**second.settings, **first.settings}
    # What is neither on nor off cannot be said on a command line.
    kept = {n: v for n, v in wanted.items() if v in ("1", None)}
    for name in sorted(kept, reverse=True):
        fewer = {n: v for n, v in kept.items() if n != name}
        if all(_first(among, fewer) is variant for variant, among in choices):
            kept = fewer
    return tuple((n, v is not None) for n, v in sorted(kept.items()))


def _first(among: Sequence[Variant], settings: Mapping[str, str | None]) -> Variant | None:
    """The first variant where some macros are fixed."""
    fixed = Configuration(settings)
    return next((v for v in among if any(agree(fixed, c) for c in v.configurations)), None)
