# SPDX-License-Identifier: GPL-2.0-only
"""The score: operator by operator, tree by tree, and every survivor with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .judge import Result
from .operators import OPERATORS
from .reasons import reason_accepted, reason_for

Results = Mapping[str, Sequence[Result]]


def caught(result: Result) -> bool:
    """Whether the comparison tells the mutant from the unmutated conversion."""
    return result.mutant == "DIFFERS" or result.status == "invalid"


def shows(result: Result) -> bool:
    """Whether the compiled C shows a difference from the unmutated conversion."""
    return result.bench in ("differs", "like-original")


def survives(result: Result) -> bool:
    """Whether nothing tells the mutant from the conversion: it is the same, or it is missed."""
    return result.status == "judged" and result.mutant != "DIFFERS"


def missed(result: Result) -> bool:
    """Whether the bench shows a difference and the comparison says that there is none."""
    if not shows(result) or caught(result) or result.mutant == "UNKNOWN":
        return False
    return not any("in the same page" in note for note in result.notes)


def escaped(result: Result) -> bool:
    """Whether an accepted class lets through what the original does not do either."""
    return caught(result) and result.bench == "differs" and result.original != "DIFFERS"


def unexplained(results: Results) -> list[Result]:
    """The missed, the escaped, and the survivors that nobody has a reason for."""
    return [
        r
        for found in results.values()
        for r in found
        if missed(r)
        or (escaped(r) and reason_accepted(r) is None)
        or (survives(r) and reason_for(r) is None)
    ]


def summary(results: Results) -> str:
    """A line for each tree, and one for each result that has to be looked at."""
    lines = []
    for name, found in results.items():
        judged = [r for r in found if r.status == "judged"]
        differing = [r for r in judged if shows(r)]
        seen = [r for r in differing if caught(r)]
        let = [r for r in differing if r.bench == "differs" and r.original == "DIFFERS"]
        asked = [r for r in differing if r.bench == "differs"]
        lines.append(
            f"{name}: {len(found)} mutants of {len({r.operator for r in found})} operators, "
            f"{len(judged)} judged; the bench shows {len(differing)} to differ, "
            f"{len(seen)} of these DIFFERS from the conversion, "
            f"{len(let)} of {len(asked)} from the original; "
            f"{sum(map(survives, found))} survive"
        )
    for r in unexplained(results):
        lines.append(
            f"  {r.key} line {r.line}: {r.told} | {r.mutant} {'+'.join(r.mutant_classes)} | "
            f"{r.original} {'+'.join(r.original_classes)} | bench {r.bench}"
        )
    return "\n".join(lines)


def document(results: Results) -> str:
    """docs/mutants.md."""
    lines = [
        "# Planted wrongs",
        "",
        "Written by `scripts/mutants --write`; do not edit.",
        "",
        "Small wrongs are planted in converted handlers and in `generic_fault()`, one at a time.",
        "Each mutant is compared with the unmutated conversion (nothing accepted) and with the",
        "original (the default classes accepted); and both are compiled and run on the same",
        "random scenarios. *Caught*: the comparison tells it from the conversion. *Shows*: the",
        "compiled C shows a difference. *Let through*: it shows, and the comparison with the",
        "original accepts it though the original does not do the same. *Survivors*: neither",
        "comparison nor bench tells it from the conversion.",
        "",
    ]
    for name, found in results.items():
        lines += [f"## {name}", "", *_score(found), "", *_table(found), ""]
        without = [o for o in OPERATORS if not any(r.operator == o.name for r in found)]
        if without:
            lines += ["No place in this tree:", ""]
            lines += [f"* {o.name}: {o.what}" for o in without]
            lines.append("")
        lines += _survivors(found)
    return "\n".join(lines).rstrip() + "\n"


def _score(found: Sequence[Result]) -> list[str]:
    differing = [r for r in found if shows(r)]
    asked = [r for r in differing if r.bench == "differs"]
    return [
        f"* {len(found)} mutants in {len({r.arch for r in found})} handlers, "
        f"{sum(r.status == 'invalid' for r in found)} of them no handler any more, "
        f"{sum(r.status == 'same' for r in found)} no other program",
        f"* the bench shows {len(differing)} to differ; caught: {sum(map(caught, differing))}",
        f"* of these {len(differing) - len(asked)} do what the original does; of the other "
        f"{len(asked)}, DIFFERS from the original: "
        f"{sum(r.original == 'DIFFERS' for r in asked)}",
        f"* caught without being seen in the bench: "
        f"{sum(caught(r) and r.bench == 'agrees' for r in found)}",
        f"* survivors: {sum(map(survives, found))}",
    ]


def _table(found: Sequence[Result]) -> list[str]:
    lines = [
        "| operator | places | caught | shows | let through | survivors | what is wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    for operator in OPERATORS:
        mine = [r for r in found if r.operator == operator.name]
        if mine:
            lines.append(
                f"| {operator.name} | {len(mine)} | {sum(map(caught, mine))} "
                f"| {sum(map(shows, mine))} | {sum(map(escaped, mine))} "
                f"| {sum(map(survives, mine))} | {operator.what} |"
            )
    return lines


def _survivors(found: Sequence[Result]) -> list[str]:
    survivors = _by_reason([(reason_for(r), r) for r in found if survives(r)], "Survivors:")
    through = [(reason_accepted(r), r) for r in found if escaped(r)]
    return [*survivors, *_by_reason(through, "Let through:")]


def _by_reason(found: Sequence[tuple[str | None, Result]], title: str) -> list[str]:
    reasons: dict[str, list[Result]] = {}
    for reason, result in found:
        reasons.setdefault(reason or "NOT EXPLAINED.", []).append(result)
    if not reasons:
        return []
    lines = [title, ""]
    for reason, results in sorted(reasons.items()):
        places = sorted({f"{r.operator} in {r.function}(): `{r.told}`" for r in results})
        lines += [f"* {len(results)}: {reason}", *(f"  * {place}" for place in places)]
    return [*lines, ""]
