# SPDX-License-Identifier: GPL-2.0-only
"""Two files to the pairs of programs that are the same handler in the same configuration.

before: A | !A      after: A && B | A && !B | !A     ->    three pairs
"""

from __future__ import annotations

from collections.abc import Iterator

from codegen.frontend.nodes import Configuration
from codegen.ir.handler import HandlerRole
from codegen.ir.load import Unit, Variant
from codegen.ir.solver import PathSolver
from codegen.tables.mode import find_mode
from codegen.targets.compare.compare import compare
from codegen.targets.compare.merge import combined
from codegen.targets.compare.nodes import Comparison, DifferenceClass, Side

_PER_VMA_LOCK = "CONFIG_PER_VMA_LOCK"


def compare_units(
    before: Unit, after: Unit, function: str, accepted: frozenset[DifferenceClass]
) -> Comparison:
    """The handler `function` of `before` against `after`, over every configuration of both."""
    pairs = sides(before, after, function)
    return combined([compare(src, tgt, accepted=accepted) for src, tgt in pairs])


def sides(before: Unit, after: Unit, function: str) -> Iterator[tuple[Side, Side]]:
    """The pairs to compare; `after` has the handler under the same name, or one of its own."""
    for one in before.variants:
        found = next(
            (f for f in one.found if f.function == function and f.role is HandlerRole.HANDLER), None
        )
        if found is None:
            continue
        for two in after.variants:
            if not any(agree(a, b) for a in one.configurations for b in two.configurations):
                continue
            name = _handler_in(two, function)
            if name is None:
                continue
            locks = _has_vma_lock(one) and _has_vma_lock(two)
            for entry in found.entries:
                target = entry if entry in two.program.functions else name
                yield (
                    _side(one, entry, function, before.source.path, locks),
                    _side(two, target, name, after.source.path, locks),
                )


def agree(a: Configuration, b: Configuration) -> bool:
    """Whether one kernel can be configured both ways."""
    return all(b.settings.get(n, v) == v for n, v in a.settings.items())


def _handler_in(variant: Variant, function: str) -> str | None:
    if function in variant.program.functions:
        return function
    theirs = next((f for f in variant.found if f.role is HandlerRole.HANDLER), None)
    return None if theirs is None else theirs.function


def _has_vma_lock(variant: Variant) -> bool:
    """Whether lock_vma_under_rcu() may find one; it never does where it is configured away."""
    return any(c.settings.get(_PER_VMA_LOCK, "1") is not None for c in variant.configurations)


def _side(variant: Variant, entry: str, handler: str, label: str, locks: bool) -> Side:
    mode = find_mode(variant.program, entry, handler, PathSolver())
    return Side(variant.program, entry, mode, label, per_vma_lock=locks)
