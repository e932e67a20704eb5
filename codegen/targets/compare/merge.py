# SPDX-License-Identifier: GPL-2.0-only
"""The comparisons of a handler's configurations as one answer.

EXPLAINED (CONFIG_A)  +  DIFFERS (!CONFIG_A)   ->   DIFFERS, the differences of both
"""

from __future__ import annotations

from collections.abc import Sequence

from codegen.targets.compare.nodes import (
    Comparison,
    Difference,
    DifferenceClass,
    Verdict,
    grouped,
)

# The worst first: what holds in one configuration is not made good by another.
_WORST = (
    Verdict.DIFFERS,
    Verdict.UNSUPPORTED,
    Verdict.UNKNOWN,
    Verdict.EXPLAINED,
    Verdict.EQUAL,
)


def combined(comparisons: Sequence[Comparison]) -> Comparison:
    """One comparison for all; UNSUPPORTED where there was nothing to compare.

    The differences are grouped again over all of them.
    """
    if not comparisons:
        note = "the two have no configuration in common"
        return Comparison(Verdict.UNSUPPORTED, (), 0, 0, (note,))
    return Comparison(
        min((c.verdict for c in comparisons), key=_WORST.index),
        grouped(d for c in comparisons for d in c.differences),
        sum(c.pairs for c in comparisons),
        max(c.passes for c in comparisons),
        tuple(dict.fromkeys(n for c in comparisons for n in c.notes)),
    )


def findings(
    found: Sequence[tuple[Difference, ...]], accepted: frozenset[DifferenceClass]
) -> Comparison:
    """What `check` found in each configuration, as one comparison with the contract."""
    judged = []
    for differences in found:
        open_ones = any(d.cls not in accepted for d in differences)
        verdict = Verdict.EQUAL
        if differences:
            verdict = Verdict.DIFFERS if open_ones else Verdict.EXPLAINED
        judged.append(Comparison(verdict, differences, 0, 0))
    return combined(judged)
