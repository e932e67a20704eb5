# SPDX-License-Identifier: GPL-2.0-only
"""Puts C text on lines in kernel style: tabs, 80 columns, arguments under their parenthesis."""

from __future__ import annotations

import re
from collections.abc import Sequence

WIDTH = 80
LIMIT = 100
TAB = 8


def columns(line: str) -> int:
    """How wide a line is on the screen."""
    return len(line.expandtabs(TAB))


def wrap(text: str, depth: int) -> list[str]:
    """A statement or a condition's line, indented `depth` tabs.

    Text that fits stays on one line; else it is broken behind commas and
    logical operators, and what follows is aligned with the innermost open
    parenthesis.

        f(a,    ->  \tforce_sig_fault(SIGSEGV, res == A ? B : C,
          b);       \t\t\t(void __user *)address);
    """
    line = "\t" * depth + " ".join(text.split())
    lines: list[str] = []
    while columns(line) > WIDTH:
        cut = _break(line, WIDTH) or _break(line, LIMIT, first=True)
        if cut is None:
            break
        head, rest = line[:cut].rstrip(), line[cut:].lstrip()
        lines.append(head)
        line = _indent(_open_column(head, lines)) + rest
    lines.append(line)
    return lines


def _break(line: str, width: int, *, first: bool = False) -> int | None:
    """The last (or first) place within `width` where a line may be broken, outermost first."""
    best: int | None = None
    best_depth = 1 << 30
    depth, quoted = 0, False
    start = len(line) - len(line.lstrip())
    for i, c in enumerate(line):
        if c == '"' and line[i - 1] != "\\":
            quoted = not quoted
        if quoted:
            continue
        depth += (c in "([{") - (c in ")]}")
        after = i + 1
        if i < start or columns(line[:after]) > width:
            continue
        breaks = (
            c == "," or line[i - 1 : i + 1] in ("&&", "||") or (c == "=" and line[i - 1] == " ")
        )
        # An assignment is only broken at its `=` where nothing else can be.
        level = depth + 100 if c == "=" else depth
        better = level < best_depth or (level == best_depth and not first)
        if breaks and line[after : after + 1] == " " and better:
            best, best_depth = after, level
    return best


def _open_column(line: str, before: Sequence[str]) -> int:
    """The column behind the innermost parenthesis that a line leaves open."""
    stack: list[int] = []
    for text in [*before[:-1], line]:
        wide = text.expandtabs(TAB)
        quoted = False
        for i, c in enumerate(wide):
            if c == '"' and wide[i - 1 : i] != "\\":
                quoted = not quoted
            if quoted:
                continue
            if c == "(":
                stack.append(i + 1)
            elif c == ")" and stack:
                stack.pop()
    if stack:
        return stack[-1]
    first = before[0].expandtabs(TAB) if before else line.expandtabs(TAB)
    return len(first) - len(first.lstrip()) + TAB


def _indent(column: int) -> str:
    return "\t" * (column // TAB) + " " * (column % TAB)


def comment_lines(comment: str, depth: int) -> list[str]:
    """A comment moved to another depth; a block keeps its own lines."""
    lines = comment.split("\n")
    out = ["\t" * depth + lines[0].strip()]
    for line in lines[1:]:
        stripped = line.strip()
        if stripped.startswith("*"):
            out.append("\t" * depth + " " + stripped)
        else:
            out.append("\t" * depth + "   " + stripped if stripped else "")
    return out


def shift(text: str, depth: int) -> list[str]:
    """Whole lines of the source moved to another depth of indentation."""
    lines = text.split("\n")
    old = len(re.match(r"\t*", lines[0])[0])  # type: ignore[index]
    out = []
    for line in lines:
        tabs = len(re.match(r"\t*", line)[0])  # type: ignore[index]
        if not line.strip() or line.startswith("#"):
            out.append(line)
        else:
            out.append("\t" * max(0, tabs - old + depth) + line[tabs:])
    return out
