# SPDX-License-Identifier: GPL-2.0-only
"""Differences that come of names: told once, with what they hang on.

compared as they stand   regs->ecr_cause and regs->ecr.cause are two things: 12 differences
taken for the same       none

One difference is left: the names, and the smallest scenario in which they would
matter if they did not mean the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codegen.targets.compare.nodes import (
    Comparison,
    Difference,
    DifferenceClass,
    Renamed,
    Verdict,
)


def told_as_names(
    plain: Comparison, renamed: Comparison, names: Sequence[Renamed]
) -> Comparison | None:
    """`renamed`, a comparison that takes `names` for the same, with one difference about them.

    None where that explains nothing of `plain`, the comparison of both as they
    stand: then the names are no matter.
    """
    if renamed.verdict is Verdict.UNSUPPORTED or not names:
        return None
    left = {_kind(d) for d in _every(renamed)}
    gone = [d for d in _every(plain) if _kind(d) not in left]
    if len(left) >= len({_kind(d) for d in _every(plain)}) or not gone:
        return None
    taken = {(d.cls, d.mode, d.outcome) for d in renamed.differences}

    def order(d: Difference) -> tuple[object, ...]:
        return (DifferenceClass.OTHER, d.mode, d.outcome) in taken, d.mode != "user", d.size

    smallest = min(gone, key=order)
    about = replace(
        smallest,
        cls=DifferenceClass.OTHER,
        explanation=_sentence(names, smallest, everything=not left),
        renamed=tuple(names),
        also=(),
        causes=(),
    )
    return replace(
        renamed,
        verdict=Verdict.DIFFERS,
        differences=(about, *renamed.differences),
        pairs=plain.pairs + renamed.pairs,
    )


def _every(c: Comparison) -> list[Difference]:
    return [one for d in c.differences for one in (d, *d.also)]


def _kind(d: Difference) -> tuple[object, ...]:
    return (d.cls, d.mode, d.outcome, d.explanation)


def _sentence(names: Sequence[Renamed], d: Difference, *, everything: bool) -> str:
    pairs = " and ".join(
        f"{r.old} (src line {r.src_line}) is {r.new} (tgt line {r.tgt_line})" for r in names
    )
    options = " ".join(f"--same '{r.old}={r.new}'" for r in names)
    met = f"{d.mode} mode{', ' + d.outcome if d.outcome else ''}"
    rest = "nothing else differs" if everything else "what else differs is told apart from it"
    return f"{met}: only names differ if {pairs}, which no text says; with {options} {rest}."
