# SPDX-License-Identifier: GPL-2.0-only
"""The tables of many handlers in the width of a mail, for the letter before a patch series.

user mode   no vma  denied  SIGSEGV
alpha       MAPERR  ACCERR *ACCERR
arc         MAPERR  ACCERR  MAPERR

arc
  WRITE   VM_WRITE   regs->ecr_cause & ECR_C_PROTV_STORE
  -       VM_READ    otherwise
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from codegen.ir.environment import Outcome
from codegen.tables.nodes import Access, AccessKind, HandlerTables
from codegen.tables.printer import SHORT, short_cells

WIDTH = 75
"""The most that a line takes; one of a mail that is quoted once still fits a terminal."""


def narrow_signals(handlers: Sequence[HandlerTables]) -> str:
    """The SignalMaps: a matrix for each mode, its columns broken into as many as the width needs.

    A cell that differs from the most common answer of its column has a `*`.
    """
    shown = [h for h in handlers if h.signals]
    blocks = []
    for mode in ("user", "kernel"):
        cells = short_cells(shown, mode)
        names = [f"{mode} mode", *(h.arch or h.path for h in shown)]
        first = max(map(len, names))
        columns = [
            [f" {SHORT[o]}", *(_ascii(cells[h.path, h.function, o]) for h in shown)]
            for o in Outcome
        ]
        for group in _groups(columns, WIDTH - 2 - first):
            rows = []
            for i, name in enumerate(names):
                row = " ".join(column[i].ljust(max(map(len, column))) for column in group)
                rows.append(f"  {name:<{first}} {row}".rstrip())
            blocks.append("\n".join(rows))
    return "\n\n".join(blocks)


def _ascii(text: str) -> str:
    return text.replace("…", "..")


def _groups(columns: list[list[str]], room: int) -> list[list[list[str]]]:
    groups: list[list[list[str]]] = []
    left = 0
    for column in columns:
        width = max(map(len, column)) + 1
        if not groups or width > left:
            groups.append([])
            left = room
        groups[-1].append(column)
        left -= width
    return groups


def narrow_decode(handlers: Sequence[HandlerTables]) -> str:
    """The AccessDecodes: a row a line, the guard last and continued below itself."""
    blocks = []
    for handler in handlers:
        if not handler.decode:
            continue
        rows = [
            (
                "|".join(f.removeprefix("FAULT_FLAG_") for f in row.fault_flags) or "-",
                _access(row.access),
                (row.guard or "otherwise") + (f" [{row.presence}]" if row.presence else ""),
            )
            for row in handler.decode
        ]
        flags = min(max(len(r[0]) for r in rows), 24)
        access = min(max(len(r[1]) for r in rows), 28)
        lines = [f"  {handler.arch or handler.path}"]
        for row in rows:
            head = f"    {row[0]:<{flags}}  {row[1]:<{access}}  "
            hang = " " * (8 + flags + access)
            lines.append(
                textwrap.fill(
                    row[2],
                    WIDTH,
                    initial_indent=head,
                    subsequent_indent=hang,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def _access(access: Access) -> str:
    match access.kind:
        case AccessKind.MASK:
            return "|".join(access.bits) + (" and more" if access.text else "")
        case AccessKind.NEVER:
            return "none"
        case AccessKind.UNCHECKED:
            return "any"
        case AccessKind.BUG:
            return "panics"
        case AccessKind.PREDICATE:
            return "not a mask"
