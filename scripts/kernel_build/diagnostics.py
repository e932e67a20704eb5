# SPDX-License-Identifier: GPL-2.0-only
"""What compilers and sparse say, so that before and after can be told apart.

"…/src/arch/arc/mm/fault.c:81:6: warning: unused variable 'vma' [-Wunused-variable]"
    -->  Diagnostic(file="arch/arc/mm/fault.c", line=81, kind="warning", text="unused …")
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_FORM = re.compile(
    r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):(?:\d+:)? "
    r"(?P<kind>warning|error|fatal error): (?P<text>.*)$"
)


@dataclass(frozen=True)
class Diagnostic:
    """One warning or error; `file` is a path inside the tree where it is in one."""

    file: str
    line: int
    kind: str
    text: str

    @property
    def is_error(self) -> bool:
        """Whether the file was not taken because of it."""
        return self.kind != "warning"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.text}"


def diagnostics_in(output: str, roots: Sequence[Path]) -> tuple[Diagnostic, ...]:
    """The warnings and errors in a tool's output; `roots` are cut off paths."""
    found = []
    prefixes = [f"{root}/" for root in roots]
    for line in output.splitlines():
        matched = _FORM.match(line)
        if matched is None:
            continue
        file = matched["file"]
        for prefix in prefixes:
            file = file.removeprefix(prefix)
        kind = "warning" if matched["kind"] == "warning" else "error"
        found.append(Diagnostic(file, int(matched["line"]), kind, matched["text"]))
    return tuple(found)


def new_ones(before: Sequence[Diagnostic], after: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """What is said after and was not before; where a line stands does not matter."""
    known = Counter((d.file, d.kind, d.text) for d in before)
    fresh = []
    for diagnostic in after:
        key = (diagnostic.file, diagnostic.kind, diagnostic.text)
        if known[key] > 0:
            known[key] -= 1
        else:
            fresh.append(diagnostic)
    return tuple(fresh)
