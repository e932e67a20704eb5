# SPDX-License-Identifier: GPL-2.0-only
"""Everything that is known of a source's handlers, on one page of HTML.

The page needs nothing beside itself: no script, no font, no picture. The same
input gives the same bytes.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import PurePosixPath
from typing import Any

from codegen import __version__
from codegen.ir.environment import Outcome
from codegen.tables.json import status
from codegen.tables.nodes import (
    AccessKind,
    Case,
    DecodeRow,
    HandlerTables,
    Result,
    ResultKind,
    SignalRow,
)
from codegen.tables.printer import access_text, result_text
from codegen.targets.classes import explanations
from codegen.targets.render import render
from codegen.targets.report.nodes import Entry
from codegen.targets.trace import aligned

MODES = ("user", "kernel")


@dataclass(frozen=True)
class Subject:
    """What the page is about: the source, and the helper's files that it would gain."""

    name: str
    kernel: str | None
    helper: Sequence[tuple[str, str]] = ()


def page_text(subject: Subject, entries: Sequence[Entry]) -> str:
    """The page."""
    handlers = [e for e in entries if e.is_handler]
    with_tables = [e for e in handlers if e.listed.signals]
    anchors = _anchors(handlers)
    return render(
        "report/page.html.j2",
        version=__version__,
        subject=subject,
        handlers=[_handler(e, anchors[id(e)]) for e in handlers],
        others=[e for e in entries if not e.is_handler],
        verdicts=sorted(Counter(e.verdict for e in handlers).items()),
        converts=sum(bool(e.patch) for e in handlers),
        findings=Counter(str(f["class"]) for e in handlers for f in e.findings).most_common(),
        classes=[(e, [segments(p) for p in e.paragraphs]) for e in explanations().values()],
        outcomes=[o.value for o in Outcome],
        across=[
            (mode, _across([(anchors[id(e)], e.listed) for e in with_tables], mode))
            for mode in MODES
        ],
        decodes=[(_name(e.listed), anchors[id(e)], _decode(e.listed)) for e in with_tables],
    )


def _name(listed: HandlerTables) -> str:
    """What `--arch` takes: the architecture, outside `arch/` the file's stem."""
    return listed.arch or PurePosixPath(listed.path).stem


def _anchors(entries: Sequence[Entry]) -> dict[int, str]:
    """A name for each handler's place on the page, each its own."""
    found: dict[int, str] = {}
    taken: Counter[str] = Counter()
    for entry in entries:
        base = re.sub(r"[^a-z0-9]+", "-", _name(entry.listed).lower()).strip("-") or "handler"
        taken[base] += 1
        found[id(entry)] = f"h-{base}" if taken[base] == 1 else f"h-{base}-{taken[base]}"
    return found


# ---- one handler ------------------------------------------------------------------------


def _handler(entry: Entry, anchor: str) -> dict[str, Any]:
    listed = entry.listed
    refusal = listed.refusals[0] if listed.refusals else listed.inconvertible
    return {
        "anchor": anchor,
        "name": _name(listed),
        "path": listed.path,
        "function": listed.function,
        "line": listed.line,
        "dialect": listed.dialect.value,
        "mode": listed.mode,
        "configurations": listed.configurations,
        "reached_through": listed.reached_through,
        "status": status(listed) if entry.patch or refusal else "kept back",
        "refusal": refusal,
        "wanted": listed.wanted,
        "verdict": entry.verdict,
        "notes": entry.notes,
        "classes": _classes(entry.differences),
        "finding_classes": _classes(entry.findings),
        "decode": _decode(listed),
        "signals": _signals(listed),
        "patch": patch_lines(entry.patch),
        "differences": _grouped(entry.differences, listed.path),
        "findings": _grouped(entry.findings, listed.path),
    }


def _classes(differences: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Each class with how many there are, as they come."""
    return list(Counter(str(d["class"]) for d in differences).items())


def _decode(listed: HandlerTables) -> list[dict[str, Any]]:
    return [_decode_row(row) for row in listed.decode]


def _decode_row(row: DecodeRow) -> dict[str, Any]:
    access = row.access
    is_mask = access.kind is AccessKind.MASK
    return {
        "guard": row.guard,
        "presence": row.presence,
        "line": row.line,
        "flags": [f.removeprefix("FAULT_FLAG_") for f in row.fault_flags],
        "lost": [f.removeprefix("FAULT_FLAG_") for f in row.lost],
        "access": " | ".join(access.bits) if is_mask else access_text(access),
        "also": access.text if is_mask else None,
        "is_code": is_mask or access.kind is AccessKind.PREDICATE,
    }


def _signals(listed: HandlerTables) -> list[tuple[str, list[list[SignalRow]]]]:
    """(outcome, the user cell's rows and the kernel cell's)."""
    if not listed.signals:
        return []
    return [
        (
            outcome.value,
            [[r for r in listed.signals if (r.mode, r.outcome) == (m, outcome)] for m in MODES],
        )
        for outcome in Outcome
    ]


def answer_text(case: Case) -> str:
    """What happens in a case, in order: `SEGV_MAPERR`, `kernel`, `BUG`.

    A code that says which signal it is stands for it.
    """
    return " + ".join(
        str(r.code) if r.kind is ResultKind.SIGNAL and _says_its_signal(r) else result_text(r)
        for r in case.results
    )


def _says_its_signal(result: Result) -> bool:
    family, _, rest = (result.code or "").partition("_")
    return rest.isidentifier() and bool(family) and result.signo == f"SIG{family}"


# ---- across -----------------------------------------------------------------------------


def _across(
    handlers: Sequence[tuple[str, HandlerTables]], mode: str
) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """A row a handler: (anchor, name, cells); a cell unlike most of its column is odd."""
    cells = {
        (anchor, outcome): _cell(listed, mode, outcome)
        for anchor, listed in handlers
        for outcome in Outcome
    }
    usual = {
        outcome: Counter(cells[anchor, outcome]["text"] for anchor, _ in handlers).most_common(1)
        for outcome in Outcome
    }
    return [
        (
            anchor,
            _name(listed),
            [
                {**cell, "odd": cell["text"] != usual[outcome][0][0]}
                for outcome in Outcome
                for cell in [cells[anchor, outcome]]
            ],
        )
        for anchor, listed in handlers
    ]


def _cell(listed: HandlerTables, mode: str, outcome: Outcome) -> dict[str, Any]:
    rows = [r for r in listed.signals if (r.mode, r.outcome) == (mode, outcome)]
    cases = [c for r in rows for c in r.cases]
    texts = list(dict.fromkeys(map(answer_text, cases)))
    return {
        "text": " or ".join(texts) or "?",
        "parts": texts,
        "lines": sorted({c.line for c in cases}),
        "possible": all(r.possible for r in rows),
    }


# ---- differences and findings -------------------------------------------------------------


def _grouped(differences: Sequence[Mapping[str, Any]], own: str) -> list[dict[str, Any]]:
    """Differences of one class and sentence together, in the order in which they come."""

    def kind(d: Mapping[str, Any]) -> tuple[str, str]:
        return str(d["class"]), d["explanation"].partition(": ")[2] or d["explanation"]

    first = {kind(d): i for i, d in reversed(list(enumerate(differences)))}
    ordered = sorted(differences, key=lambda d: first[kind(d)])
    return [
        {"class": cls, "sentence": sentence, "items": [_difference(d, own) for d in group]}
        for (cls, sentence), group in groupby(ordered, kind)
    ]


def _difference(d: Mapping[str, Any], own: str) -> dict[str, Any]:
    src, tgt = d["src"], d["tgt"]
    both = "tgt" in d["replay"] or bool(tgt)
    pairs = aligned(*([(e["text"], *e["args"]) for e in side] for side in (src, tgt)))
    rows = [
        {
            "src": None if a is None else _where(src[a]),
            "tgt": None if b is None else _where(tgt[b]),
            "sign": _sign(a, b) if both else " ",
            "text": (src[a] if a is not None else tgt[b])["text"],
        }
        for a, b in pairs
        if a is not None or b is not None
    ]
    return {
        "mode": d["mode"],
        "outcome": d["outcome"],
        "line": d["line"],
        "where": f"{own}:{d['line']}",
        "both": both,
        "rows": rows,
        "scenario": given(d),
        "replays": [(side, shell_words(argv)) for side, argv in d["replay"].items()],
    }


def shell_words(argv: Sequence[str]) -> list[str]:
    """A command line in the pieces that a line does not break: an option with its value."""
    words: list[str] = []
    for option, word in pairwise(["", *argv]):
        if option.startswith("--") and not word.startswith("--"):
            words[-1] += f" {shlex.quote(word)}"
        else:
            words.append(shlex.quote(word))
    return words


def _sign(a: int | None, b: int | None) -> str:
    if a is None:
        return "+"
    return "-" if b is None else " "


def given(difference: Mapping[str, Any]) -> list[str]:
    """The scenario in the words that `--set` takes: `handle_mm_fault#1=VM_FAULT_SIGBUS`."""
    argv = difference["replay"]["src"]
    return [word for option, word in pairwise(argv) if option == "--set"]


def _where(event: Mapping[str, Any]) -> str:
    return f"{event['file']}:{event['line']}" if "file" in event else str(event["line"])


# ---- text ---------------------------------------------------------------------------------


def patch_lines(patch: str) -> list[tuple[str, str]]:
    """(kind, line) of a unified diff; kinds are head, hunk, add, del, same."""
    kinds = {"+": "add", "-": "del", "@": "hunk", "\\": "hunk"}
    lines = []
    for line in patch.splitlines():
        kind = "head" if line.startswith(("--- ", "+++ ")) else kinds.get(line[:1], "same")
        lines.append((kind, line))
    return lines


def segments(paragraph: str) -> list[tuple[str, str]]:
    """(kind, text) of a paragraph's pieces: code between backticks, plain text elsewhere."""
    pieces = paragraph.split("`")
    return [("code" if i % 2 else "text", piece) for i, piece in enumerate(pieces) if piece]
