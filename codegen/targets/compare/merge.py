# SPDX-License-Identifier: GPL-2.0-only
"""The comparisons of a handler's configurations as one answer.

EXPLAINED (CONFIG_A)  +  DIFFERS (!CONFIG_A)   ->   DIFFERS, the differences of both
"""

from __future__ import annotations

from collections.abc import Sequence

from codegen.targets.compare.nodes import Comparison, Difference, DifferenceClass, Verdict

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

    Of the differences of one class, mode and outcome the one with the
    smallest scenario stands for all.
    """
    if not comparisons:
        note = "the two have no configuration in common"
        return Comparison(Verdict.UNSUPPORTED, (), 0, 0, (note,))
    best: dict[object, Difference] = {}
    for comparison in comparisons:
        for d in comparison.differences:
            if d.kind not in best or d.size < best[d.kind].size:
                best[d.kind] = d
    return Comparison(
        min((c.verdict for c in comparisons), key=_WORST.index),
        tuple(sorted(best.values(), key=lambda d: (d.cls, d.mode, d.line))),
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
