# SPDX-License-Identifier: GPL-2.0-only
"""The results as a person reads them, and as the table in docs/ takes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.kernel_build.steps import Step

SCHEMA = "genfault-kernel-build/1"
_COLUMNS = {
    "before": ("before",),
    "alone": ("helper alone",),
    "after": ("config", "after"),
    "helper": ("helper", "kernel-doc"),
    "fast path": ("fast path",),
    "unused": ("left-overs", "helper left-overs"),
    "sparse": ("sparse", "helper sparse"),
    "checkpatch": ("checkpatch",),
}


@dataclass(frozen=True)
class Row:
    """One recipe's result; `why_not` where nothing was compiled.

    `handler` and `helper` are digests of the texts that were compiled, so that a
    reader of the results sees whether they are those of today.
    """

    name: str
    arch: str | None
    how: str
    compiler: str
    handler: str
    helper: str
    steps: tuple[Step, ...]
    why_not: str = ""

    @property
    def failed(self) -> bool:
        """Whether a step found something."""
        return any(step.ok is False for step in self.steps)


def digest(data: bytes) -> str:
    """A text's name in the results."""
    return hashlib.sha256(data).hexdigest()[:16]


def step_lines(name: str, step: Step) -> list[str]:
    """One line for a step, and one below it for each thing found."""
    match step.ok:
        case None:
            word = "not done"
        case True:
            word = "ok"
        case False:
            word = f"{len(step.new)} new" if step.new else "FAILED"
    known = f"{step.known} known" if step.known else ""
    told = ", ".join(part for part in (known, step.note) if part)
    line = f"{name:12} {step.name:18} {word:9} {step.seconds:6.1f} s  {told}"
    return [line.rstrip(), *(f"    {found}" for found in step.new)]


def cell(steps: Sequence[Step], column: str) -> str:
    """What the summary says in a column: ok, how many are new, FAILED, -, or nothing."""
    taken = [s for s in steps if s.name in _COLUMNS[column]]
    if not taken:
        return ""
    if any(s.ok is False and not s.new for s in taken):
        return "FAILED"
    fresh = sum(len(s.new) for s in taken if s.ok is False)
    if fresh:
        return f"{fresh} new"
    if all(s.ok is None for s in taken):
        return "-"
    return "ok"


def summary(rows: Sequence[Row]) -> str:
    """The table of all architectures."""
    head = ["", "with", *_COLUMNS]
    lines = [head]
    notes = []
    for row in rows:
        if row.why_not:
            notes.append(f"{row.name}: {row.why_not}")
        else:
            lines.append([row.name, row.how, *(cell(row.steps, c) for c in _COLUMNS)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    told = ["  ".join(w.ljust(n) for w, n in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*(line.rstrip() for line in told), *notes])


def document(kernel: str, rows: Sequence[Row], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The results as JSON; rows of `earlier` that were not compiled now stay."""
    kept = earlier.get("rows", {}) if earlier.get("kernel") == kernel else {}
    fresh = {row.name: _row_json(row) for row in rows if not row.why_not}
    merged = dict(sorted({**kept, **fresh}.items()))
    return {"schema": SCHEMA, "kernel": kernel, "rows": merged}


def _row_json(row: Row) -> dict[str, Any]:
    out = asdict(row)
    del out["name"], out["why_not"]
    # How long it took is this machine's, and says nothing about the text.
    for step in out["steps"]:
        del step["seconds"]
    return out


def read_results(path: Path) -> dict[str, Any]:
    """Results that were written earlier; nothing where there are none."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return data if isinstance(data, dict) and data.get("schema") == SCHEMA else {}
