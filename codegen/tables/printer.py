# SPDX-License-Identifier: GPL-2.0-only
"""The tables as a maintainer reads them: one handler at a time, or all in one matrix.

arc  arch/arc/mm/fault.c:72 do_page_fault()  lock_mm_and_find_vma
  decode
    102  regs->ecr_cause & ECR_C_PROTV_STORE   WRITE  any of VM_WRITE
    104  otherwise                             -      any of VM_READ
  signals                     user                         kernel
    no_vma                    SIGSEGV/SEGV_MAPERR :184     kernel :188
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from codegen.ir.environment import Outcome
from codegen.ir.handler import HandlerRole
from codegen.tables.nodes import (
    Access,
    AccessKind,
    Case,
    DecodeRow,
    HandlerTables,
    Result,
    ResultKind,
    SignalRow,
)

Paint = Callable[[str, str], str]
"""(text, style) to the text to show; styles are "title", "odd" and "dim"."""


def plain(text: str, style: str) -> str:  # noqa: ARG001
    """No colours."""
    return text


# ---- pieces --------------------------------------------------------------------


def access_text(access: Access) -> str:
    """`any of VM_READ|VM_WRITE`, `never`, `no check`."""
    match access.kind:
        case AccessKind.MASK:
            also = f" and {access.text}" if access.text else ""
            return "any of " + "|".join(access.bits) + also
        case AccessKind.NEVER:
            return "never"
        case AccessKind.UNCHECKED:
            return "no check"
        case AccessKind.BUG:
            return "the check panics"
        case AccessKind.PREDICATE:
            return access.text or ""


def result_text(result: Result) -> str:
    """`SIGSEGV/SEGV_MAPERR`, `return 0`, `kernel`."""
    match result.kind:
        case ResultKind.SIGNAL:
            return f"{result.signo}/{result.code}"
        case ResultKind.RETURN:
            return "return" if result.value is None else f"return {result.value}"
        case ResultKind.BUG:
            return "BUG"
        case _:
            return result.kind.value


def results_text(results: Sequence[Result]) -> str:
    """All that happens, in order."""
    return " + ".join(map(result_text, results))


def _flags(row: DecodeRow) -> str:
    names = [f.removeprefix("FAULT_FLAG_") for f in row.fault_flags]
    text = "|".join(names) or "-"
    if row.lost:
        text += " LOSES " + "|".join(f.removeprefix("FAULT_FLAG_") for f in row.lost)
    return text


def _case_text(case: Case) -> str:
    return f"{results_text(case.results)} :{case.line}"


# ---- one handler ------------------------------------------------------------------


def handler_text(tables: HandlerTables, paint: Paint = plain) -> str:
    """Both tables of one handler, or why there are none."""
    name = tables.arch or tables.path
    role = "" if tables.role is HandlerRole.HANDLER else f"  ({tables.role.value})"
    lines = [
        paint(
            f"{name}  {tables.path}:{tables.line} {tables.function}()  {tables.dialect}{role}",
            "title",
        )
    ]
    if tables.mode != "user_mode(regs)":
        lines.append(f"  user mode: {tables.mode}")
    if tables.reached_through:
        lines.append(f"  reached through {', '.join(tables.reached_through)}")
    for refusal in tables.refusals:
        lines.append(paint(f"  {refusal}", "odd"))
    if tables.decode:
        lines.append("  decode")
        lines += _aligned(
            [
                (
                    f"{row.line:>6}",
                    row.guard or "otherwise",
                    _flags(row),
                    access_text(row.access),
                    f"if {row.presence}" if row.presence else "",
                )
                for row in tables.decode
            ]
        )
    if tables.signals:
        lines += _signals(tables.signals)
    return "\n".join(lines) + "\n"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [min(max(len(r[i]) for r in rows), 60) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _signals(rows: Sequence[SignalRow]) -> list[str]:
    """User and kernel mode side by side where a cell is one line; guarded cases below."""
    table: list[tuple[str, str, str]] = [("  signals", "user", "kernel")]
    for outcome in Outcome:
        sides = []
        for mode in ("user", "kernel"):
            cells = [r for r in rows if (r.mode, r.outcome) == (mode, outcome)]
            sides.append([line for cell in cells for line in _cell_lines(cell)])
        for i in range(max(len(sides[0]), len(sides[1]))):
            table.append(
                (
                    f"    {outcome.value}" if i == 0 else "",
                    sides[0][i] if i < len(sides[0]) else "",
                    sides[1][i] if i < len(sides[1]) else "",
                )
            )
    return _aligned(table)


def _cell_lines(row: SignalRow) -> list[str]:
    lines = []
    for case in row.cases:
        text = _case_text(case)
        if case.guard:
            text += f"  if {case.guard}"
        if row.presence:
            text += f"  [{row.presence}]"
        if not row.possible:
            text += "  (cannot happen)"
        lines.append(text)
    return lines


# ---- all handlers --------------------------------------------------------------------

SHORT = {
    Outcome.NO_VMA: "no vma",
    Outcome.STACK_GROWTH_FAILURE: "no growth",
    Outcome.ACCESS_DENIED: "denied",
    Outcome.OOM: "OOM",
    Outcome.SIGSEGV: "SIGSEGV",
    Outcome.SIGBUS: "SIGBUS",
    Outcome.HWPOISON: "HWPOIS",
    Outcome.HWPOISON_LARGE: "_LARGE",
    Outcome.SIGNAL_PENDING: "signal",
    Outcome.COMPLETED: "COMPL",
    Outcome.RETRY: "RETRY",
    Outcome.SUCCESS: "success",
}
"""Each outcome as the head of a column."""


def across_text(handlers: Sequence[HandlerTables], paint: Paint = plain) -> str:
    """One matrix a mode: architectures down, outcomes across, each cell with its line.

    A cell that differs from the most common answer of its column is marked:
    painted on a terminal, with a `*` in plain text.
    """
    shown = [h for h in handlers if h.signals]
    out = []
    for mode in ("user", "kernel"):
        answers, usual = _answers(shown, mode)
        rows = [(f"{mode} mode", *(SHORT[o] for o in Outcome))]
        marks: list[tuple[bool, ...]] = [(True, *(False for _ in Outcome))]
        for h in shown:
            cells, odd = [h.arch or h.path], [False]
            for o in Outcome:
                answer, line = answers[h.path, h.function, o]
                different = answer != usual[o]
                odd.append(different)
                cells.append(f"{'*' if different else ' '}{answer}{line}")
            rows.append(tuple(cells))
            marks.append(tuple(odd))
        rows[0] = (rows[0][0], *(f" {name}" for name in rows[0][1:]))
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        for row, mark in zip(rows, marks, strict=True):
            cells = []
            for cell, width, odd_cell in zip(row, widths, mark, strict=True):
                padded = cell.ljust(width)
                cells.append(paint(padded, "odd") if odd_cell else padded)
            out.append(" ".join(cells).rstrip())
        out.append("")
    return "\n".join(out)


def short_cells(
    handlers: Sequence[HandlerTables], mode: str
) -> dict[tuple[str, str, Outcome], str]:
    """The answers of one mode in a few letters, by path, function and outcome.

    One that differs from the most common answer to its outcome begins with `*`,
    every other with a blank.
    """
    answers, usual = _answers(handlers, mode)
    return {
        key: f"{' ' if answer == usual[key[2]] else '*'}{answer}"
        for key, (answer, _) in answers.items()
    }


_Answers = dict[tuple[str, str, Outcome], tuple[str, str]]


def _answers(handlers: Sequence[HandlerTables], mode: str) -> tuple[_Answers, dict[Outcome, str]]:
    """Each handler's answer to each outcome with its line, and the most common answer to each."""
    answers = {(h.path, h.function, o): _short_cell(h, mode, o) for h in handlers for o in Outcome}
    usual = {
        o: Counter(answers[h.path, h.function, o][0] for h in handlers).most_common(1)[0][0]
        for o in Outcome
        if handlers
    }
    return answers, usual


def _short_cell(tables: HandlerTables, mode: str, outcome: Outcome) -> tuple[str, str]:
    """(the answer in a few letters, ":line"); of several answers the foremost, and `…`."""
    cases = [c for r in tables.signals if (r.mode, r.outcome) == (mode, outcome) for c in r.cases]
    if not cases:
        return "?", ""
    foremost = min(cases, key=lambda c: (_FOREMOST[mode].index(c.results[0].kind), len(c.results)))
    texts = {"+".join(map(_short_result, c.results)) for c in cases}
    shown = "+".join(map(_short_result, foremost.results))
    return shown + ("…" if len(texts) > 1 else ""), f":{foremost.line}"


_FOREMOST = {
    "user": [
        ResultKind.SIGNAL,
        ResultKind.OOM,
        ResultKind.BUG,
        ResultKind.RETRY,
        ResultKind.RETURN,
        ResultKind.KERNEL,
    ],
    "kernel": [
        ResultKind.KERNEL,
        ResultKind.SIGNAL,
        ResultKind.OOM,
        ResultKind.BUG,
        ResultKind.RETRY,
        ResultKind.RETURN,
    ],
}


def _short_result(result: Result) -> str:
    match result.kind:
        case ResultKind.SIGNAL:
            signal = (result.signo or "").removeprefix("SIG")
            family, _, code = (result.code or "").partition("_")
            if not code or not code.replace("_", "").isalnum():
                return signal
            # The code says which signal it is, unless the handler mixes them.
            short = code.split("_")[0]
            return short if signal.startswith(family) else f"{signal}.{short[:3]}"
        case ResultKind.KERNEL:
            return "kern"
        case ResultKind.RETURN:
            return "ret"
        case _:
            return result.kind.value


def summary_text(handlers: Sequence[HandlerTables]) -> str:
    """The counts at the end of a listing; they add up to what was found."""
    proper = [h for h in handlers if h.role is HandlerRole.HANDLER]
    others = [h for h in handlers if h.role is not HandlerRole.HANDLER]
    without = [h for h in proper if h.refusals]
    text = f"{_count(proper, 'handler')}, {len(proper) - len(without)} with tables"
    if without:
        text += f", {len(without)} not: " + ", ".join(h.arch or h.path for h in without)
    if others:
        text += f"; {_count(others, 'other user')} of handle_mm_fault()"
        unread = [h for h in others if h.refusals]
        if unread:
            text += f", {len(unread)} unreadable: " + ", ".join(h.path for h in unread)
    return text


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")


def listing_text(handlers: Sequence[HandlerTables], paint: Paint = plain) -> str:
    """One line a user of handle_mm_fault(): where it is, how it is written, whether it converts."""
    rows = []
    for h in handlers:
        configurations = f"{len(h.configurations)} configurations" if h.configurations else ""
        if h.role is not HandlerRole.HANDLER:
            verdict = h.role.value
        elif h.refusals:
            r = h.refusals[0]
            verdict = f"{r.code}: {r.reason}: {r.construct} (line {r.line})"
        else:
            options = "".join(f" --accept {cls}" for cls in h.wanted)
            verdict = f"converts with{options}" if options else "converts"
        rows.append(
            (
                h.arch or "-",
                f"{h.path}:{h.line}",
                f"{h.function}()",
                h.dialect.value,
                configurations,
                verdict,
            )
        )
    lines = [
        paint(line, "odd") if h.refusals else line
        for line, h in zip(_aligned(rows), handlers, strict=True)
    ]
    proper = [h for h in handlers if h.role is HandlerRole.HANDLER]
    refused = [h for h in proper if h.refusals]
    lines.append(
        f"{_count(proper, 'handler')}: {len(proper) - len(refused)} convert, "
        f"{len(refused)} do not; {len(handlers) - len(proper)} other users of handle_mm_fault()"
    )
    return "\n".join(lines)
