# SPDX-License-Identifier: GPL-2.0-only
"""What two ways part in: the steps of either side that the other has not.

src  a() b() return      tgt  a() c() b() return      ->    tgt alone: c()
src  a() return          tgt  a() handle_mm_fault()   ->    nothing: only the ends differ
src  die(1) return       tgt  c() die(2) return       ->    tgt alone: c(); die(), altered
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from codegen.ir.terms import Term
from codegen.ir.trace import Event, EventKind
from codegen.targets.compare.observe import Step, Writes

_WORD = re.compile(r"[A-Za-z_]\w*")
_TELLING = frozenset({EventKind.SIGNAL, EventKind.KERNEL, EventKind.BUG, EventKind.OOM})


@dataclass(frozen=True)
class Apart:
    """The steps from where two ways part to where they do the same again.

    `altered` says that both do the same, with other values; `moved` that one
    does here what the other does before or later.
    """

    src: tuple[Step, ...]
    tgt: tuple[Step, ...]
    altered: bool = False
    moved: bool = False


def apart(
    src: tuple[Step, ...], tgt: tuple[Step, ...], number: Callable[[Term], int]
) -> tuple[Apart, ...]:
    """Every place where the ways of two sides part; `number` works values out in a scenario."""

    def told(steps: tuple[Step, ...]) -> list[object]:
        return [_told(s, number) for s in steps]

    mine, theirs = told(src), told(tgt)
    found = []
    matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            continue
        gone, come = src[i:j], tgt[k:m]
        if tag == "replace":
            # Two sets of writes with nothing behind them are one, more or less complete.
            alone = len(gone) == len(come) == 1
            while gone and come and (alone or _head(gone[0]) == _head(come[0])):
                if not _may_be_one(gone[0], come[0]):
                    break
                one, two = _unlike(gone[0], come[0], number)
                found.append(Apart(one, two, altered=bool(one and two)))
                gone, come = gone[1:], come[1:]
            if gone or come:
                found.append(Apart(gone, come))
        else:
            elsewhere = theirs if gone else mine
            moved = all(t in elsewhere for t in told(gone or come))
            found.append(Apart(gone, come, moved=moved))
    return tuple(found)


def _head(step: Step) -> object:
    """What is done, whatever it is given."""
    if isinstance(step, Writes):
        return frozenset(e.args[1] for e in step.events)
    return step.kind, step.name, step.parts


def _told(step: Step, number: Callable[[Term], int]) -> object:
    """The same, with what it is given."""
    if isinstance(step, Writes):
        return frozenset((e.args[1], number(e.args[0])) for e in step.events)
    name = step.parts if step.kind is EventKind.SIGNAL else step.name
    return step.kind, name, tuple(map(number, step.args))


def _may_be_one(a: Step, b: Step) -> bool:
    """Whether two steps are one and the same, given something else."""
    return _head(a) == _head(b) or (isinstance(a, Writes) and isinstance(b, Writes))


def _unlike(
    a: Step, b: Step, number: Callable[[Term], int]
) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Two such steps; of writes only those that the other side does not make."""
    if not isinstance(a, Writes) or not isinstance(b, Writes):
        return (a,), (b,)
    made = [{(e.args[1], number(e.args[0])) for e in step.events} for step in (a, b)]
    left = [
        tuple(e for e in step.events if (e.args[1], number(e.args[0])) not in theirs)
        for step, theirs in ((a, made[1]), (b, made[0]))
    ]
    one, two = ((Writes(events),) if events else () for events in left)
    return one, two


def gist(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The first of the steps, and the first that the task or the kernel will feel."""
    telling = next((s for s in steps if isinstance(s, Event) and s.kind in _TELLING), None)
    return tuple(dict.fromkeys(s for s in (*steps[:1], telling) if s is not None))


def only_in(steps: tuple[Step, ...], names: frozenset[str]) -> tuple[str, ...]:
    """The calls among the steps that are not among `names`, what the other program calls."""
    calls = (s.name for s in steps if isinstance(s, Event) and s.name not in names)
    return tuple(dict.fromkeys(calls))


def until_swapped(
    parts: tuple[Apart, ...],
    facts: Iterable[Term],
    called: tuple[frozenset[str], frozenset[str]],
) -> tuple[Apart, ...]:
    """The places up to one where each side calls what the other does not know, if the way hangs on
    what either call gave; else all of them.

    What follows there answers two questions that nobody can hold against each other.
    """
    for position, part in enumerate(parts):
        names = swapped(part, called)
        if names and _hangs_on(names, facts):
            return parts[: position + 1]
    return parts


def swapped(part: Apart, called: tuple[frozenset[str], frozenset[str]]) -> frozenset[str]:
    """What either side calls at one place, where the other has `called` nothing of the name."""
    mine, theirs = only_in(part.src, called[1]), only_in(part.tgt, called[0])
    return frozenset((*mine, *theirs)) if mine and theirs else frozenset()


def _hangs_on(names: frozenset[str], facts: Iterable[Term]) -> bool:
    """Whether a fact is about what one of the calls gave."""
    words = {word for fact in facts for name in fact.symbols() for word in _WORD.findall(name)}
    words |= {
        str(part.payload).partition("@")[0]
        for fact in facts
        for part in fact.walk()
        if part.op == "call"
    }
    return not names.isdisjoint(words)


def first_line(steps: tuple[Step, ...]) -> int | None:
    """The line of the first of the steps; None where there is none."""
    for step in steps:
        event = step if isinstance(step, Event) else step.events[0]
        return event.line
    return None
