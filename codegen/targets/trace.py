# SPDX-License-Identifier: GPL-2.0-only
"""Two traces as one text, as `diff -u` would have it: what is common once, then - src, + tgt.

104                     104    __get_user(insn, pc)
126                          - mmap_lock()
     mm/generic_fault.c:78   + lock_vma_under_rcu()
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from codegen.ir.concrete import Evaluator, concrete_event
from codegen.ir.naming import Naming, settled
from codegen.ir.trace import Event, EventKind

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One event as it is shown: what it says, and where it stands."""

    text: str
    kind: EventKind
    name: str
    args: tuple[int | str, ...]
    line: int
    file: str

    def where(self, own: str) -> str:
        """The line; with the file where that is not `own`."""
        return f"{self.line}" if self.file == own else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a merged trace; None where a side has nothing there."""

    src: Step | None
    tgt: Step | None

    @property
    def sign(self) -> str:
        """` `, `-` or `+`."""
        if self.src is None:
            return "+"
        return "-" if self.tgt is None else " "

    @property
    def step(self) -> Step:
        """The step that the row shows."""
        step = self.src or self.tgt
        assert step is not None
        return step


def steps(trace: Sequence[Event], scenario: Mapping[str, int], naming: Naming) -> tuple[Step, ...]:
    """The events with their arguments worked out in the scenario, and named."""
    evaluator = Evaluator(scenario)
    return tuple(_step(event, evaluator, naming) for event in trace)


def _step(event: Event, evaluator: Evaluator, naming: Naming) -> Step:
    concrete = concrete_event(event, evaluator)
    words = ", ".join(naming.arguments(event, evaluator))
    is_write = event.kind is EventKind.WRITE
    text = f"{concrete.name} = {words}" if is_write else f"{concrete.name}({words})"
    if event.kind not in _SAYS_ITSELF:
        text += f"  [{event.kind}]"
    named = tuple(
        settled(term, evaluator).name or "" if naming.is_signal(term, evaluator) else number
        for term, number in zip(event.args, concrete.args, strict=False)
    )
    return Step(text, event.kind, concrete.name, named, concrete.line, concrete.file)


_SAYS_ITSELF = frozenset({EventKind.CALL, EventKind.FAULT, EventKind.WRITE})


def merged(src: Sequence[Step], tgt: Sequence[Step]) -> tuple[Row, ...]:
    """Both traces in one, in order; what both do the same way stands in one row."""
    mine, theirs = ([(s.text, s.args) for s in side] for side in (src, tgt))
    return tuple(
        Row(None if a is None else src[a], None if b is None else tgt[b])
        for a, b in aligned(mine, theirs)
    )


def aligned(
    src: Sequence[Hashable], tgt: Sequence[Hashable]
) -> list[tuple[int | None, int | None]]:
    """The positions of both sequences beside each other; None where a side has no equal."""
    rows: list[tuple[int | None, int | None]] = []
    for kind, a, b, c, d in SequenceMatcher(None, src, tgt, autojunk=False).get_opcodes():
        if kind == "equal":
            rows += zip(range(a, b), range(c, d), strict=True)
        else:
            rows += [(x, None) for x in range(a, b)]
            rows += [(None, y) for y in range(c, d)]
    return rows


def merged_text(src: Sequence[Step], tgt: Sequence[Step], files: tuple[str, str]) -> list[str]:
    """The lines of a merged trace; `files` are the handlers' own on either side."""
    rows = [
        (
            "" if row.src is None else row.src.where(files[0]),
            "" if row.tgt is None else row.tgt.where(files[1]),
            row.sign,
            row.step.text,
        )
        for row in merged(src, tgt)
    ]
    if not rows:
        return ["nothing happens on either side"]
    rows.insert(0, ("src", "tgt", "", ""))
    left, right = (max(len(row[i]) for row in rows) for i in (0, 1))
    return _laid_out([(f"{a:>{left}}  {b:>{right}} {sign:1} ", text) for a, b, sign, text in rows])


def single_text(trace: Sequence[Step], own: str) -> list[str]:
    """The lines of one trace."""
    if not trace:
        return ["nothing"]
    wide = max(len(s.where(own)) for s in trace)
    return _laid_out([(f"{s.where(own):>{wide}}  ", s.text) for s in trace])


def _laid_out(rows: Sequence[tuple[str, str]], indent: int = 4) -> list[str]:
    return [line.rstrip() for head, text in rows for line in wrapped(head, text, WIDTH - indent)]


def wrapped(head: str, text: str, width: int) -> list[str]:
    """`head` and `text`, broken after `, ` or `|` where a line would be longer than `width`."""
    lines, rest = [], text
    while len(head) + len(rest) > width:
        room = width - len(head)
        cut = max(rest.rfind(", ", 0, room) + 2, rest.rfind("|", 0, room) + 1)
        if cut < 12:
            break
        lines.append(head + rest[:cut].rstrip())
        rest, head = rest[cut:], " " * (len(head) + (0 if lines[1:] else 4))
    return [*lines, head + rest]
