# SPDX-License-Identifier: GPL-2.0-only
"""One sentence for a difference, as a maintainer would say it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import assert_never

from codegen.ir.naming import plain
from codegen.ir.trace import End, Event, EventKind
from codegen.targets.compare.apart import Apart, gist
from codegen.targets.compare.cases import Case, Tail
from codegen.targets.compare.joints import Channel
from codegen.targets.compare.nodes import DifferenceClass
from codegen.targets.compare.observe import Step, Writes

_MOST_PARTS = 3
"""In how many places two ways may part for one sentence."""


def explanation(
    cls: DifferenceClass, case: Case, outcome: str | None, inside: str | None = None
) -> str:
    """What differs, in one sentence; `inside` is the routine that was compared by itself."""
    mode = "user" if case.user else "kernel"
    met = f"{mode} mode, {outcome}" if outcome else f"{mode} mode"
    match cls:
        case DifferenceClass.UACCESS_LIVELOCK:
            return (
                f"{met}: src returns to the faulting instruction, which faults again for ever; "
                "tgt goes to its fixup."
            )
        case DifferenceClass.STALE_OUTCOME:
            return (
                f"{met}: on pass {case.passes} src still acts on what an earlier pass left behind; "
                "tgt does what both do on a first pass."
            )
        case DifferenceClass.MISSING_CASE:
            return f"{met}: src runs into BUG() or panic(); tgt {_does(case.tgt)}."
        case DifferenceClass.SIGNAL_CODE:
            return f"{met}: the same signal with another si_code."
        case DifferenceClass.KERNEL_MODE_SIGNAL:
            return (
                f"{met}: src {_does(case.src)} for a fault in kernel mode; tgt {_does(case.tgt)}."
            )
        case DifferenceClass.LOCK_BALANCE:
            return f"{met}: src {_balance(case.src)}; tgt {_balance(case.tgt)}."
        case DifferenceClass.LOCK_WAIT:
            return (
                f"{met}: the lock is held by somebody else; src {_does(case.src)}, "
                f"tgt {_does(case.tgt)}."
            )
        case DifferenceClass.ACCOUNTING:
            return f"{met}: src {_counts(case.src)}; tgt {_counts(case.tgt)}."
        case DifferenceClass.FAST_PATH:
            if case.src.fast:
                return f"{met}: src's fast path answers otherwise than its slow path, tgt's do not."
            return f"{met}: tgt takes the VMA's own lock first, src the mm's."
        case DifferenceClass.FLAG_LOSS:
            return f"{met}: src has lost flags ({_flags(case)}) that every fault of this mode has."
        case DifferenceClass.DROPPED_EFFECT:
            return f"{met}: {_effect(case)}."
        case DifferenceClass.OOPS_REASON if case.tgt.has(EventKind.BUG):
            return f"{met}: another number is printed before BUG()."
        case DifferenceClass.OOPS_REASON:
            return f"{met}: the oops is given another signal number or text."
        case DifferenceClass.OTHER:
            where = f"inside {inside}(), " if inside else ""
            return f"{met}: {where}{_other(case)}."
        case _:
            assert_never(cls)


def _effect(case: Case) -> str:
    """Whose effect it is that the other does not have here."""
    if case.tgt.halt.end is End.RETRY:
        early = replace(case.tgt, steps=case.tgt.steps[len(case.src.steps) :])
        return f"tgt {_does(early)} before it looks the VMA up; src only once it asks the mm"
    if case.tgt.halt.end is End.STOP:
        return f"src {_does(case.src)} on each pass, tgt once before them all"
    if any(isinstance(s, Writes) for s in case.tgt.steps):
        return "src writes before most failures what tgt, to which they are one, writes here, too"
    return "src writes something before an outcome that tgt settles without it"


def _other(case: Case) -> str:
    match case.channel:
        case Channel.STEPS:
            return _steps_apart(case)
        case Channel.ACCOUNTING:
            return f"src {_counts(case.src)}; tgt {_counts(case.tgt)}"
        case Channel.HELD:
            return f"src {_balance(case.src)}; tgt {_balance(case.tgt)}"
        case Channel.FLAGS:
            return f"handle_mm_fault() is given other flags ({_flags(case)})"
        case Channel.ADDRESS:
            return "handle_mm_fault() is given an address in another page"
        case _:
            assert_never(case.channel)


def _steps_apart(case: Case) -> str:
    """Where two ways part, place by place, and where they go if that is not one place."""
    *before, last = case.apart or (Apart((), ()),)
    words = [part_text(part) for part in before]
    mine, theirs = _all(gist(last.src)), _all(gist(last.tgt))
    sides = ((last.src, case.src), (last.tgt, case.tgt))
    is_end = all(not part or part[-1:] == tail.steps[-1:] for part, tail in sides)
    if case.src.halt.end is not case.tgt.halt.end:
        if case.apart and not is_end and (last.altered or last.moved or not (mine and theirs)):
            words.append(part_text(last))
            mine = theirs = ""
        words.append(f"src {mine or _goes(case.src)}; tgt {theirs or _goes(case.tgt)}")
    elif case.apart:
        words.append(part_text(last))
    else:
        words.append(f"src {_returned(case.src)}; tgt {_returned(case.tgt)}")
    return ", and ".join(words[:_MOST_PARTS])


def part_text(part: Apart) -> str:
    """What the sides do otherwise at one place."""
    mine, theirs = _all(gist(part.src)), _all(gist(part.tgt))
    if part.altered and mine == theirs:
        return f"both {_of_both(mine)}, with other values"
    if part.moved:
        return f"only {'src' if mine else 'tgt'} {mine or theirs} at this point"
    if mine and theirs:
        return f"src {mine}; tgt {theirs}"
    return f"only src {mine}" if mine else f"only tgt {theirs}"


def part_words(part: Apart) -> tuple[str, ...]:
    """The same, side by side: what makes two places the same place."""
    if part.altered:
        return (part_text(part),)
    sides = (("src", part.src), ("tgt", part.tgt))
    return tuple(f"{side} {_all(gist(steps))}" for side, steps in sides if steps)


def _of_both(words: str) -> str:
    """`sends SIGSEGV` as two do it."""
    return re.sub(r"\b(call|send|write|tell|run)s\b", r"\1", words).replace("goes to", "go to")


def _returned(tail: Tail) -> str:
    value = tail.halt.value
    if tail.halt.end is not End.RETURN or value is None:
        return _goes(tail)
    return f"returns {value.name or plain(tail.run.number(value), value.bits)}"


def _does(tail: Tail) -> str:
    """What a side does, in words."""
    return _all(tail.steps) or _goes(tail)


def _all(steps: tuple[Step, ...]) -> str:
    """Steps in words, each once; what is written comes last."""
    words = [_step(s) for s in steps if isinstance(s, Event)]
    places = dict.fromkeys(e.name for s in steps if not isinstance(s, Event) for e in s.events)
    if places:
        words.append("writes " + ", ".join(places))
    return " and ".join(dict.fromkeys(words))


def _goes(tail: Tail) -> str:
    """Where a side goes."""
    return {
        "return": "returns",
        "stop": "calls handle_mm_fault()",
        "retry": "goes round again" if tail.halt.danced else "looks the VMA up",
    }.get(tail.halt.end.value, "does not come back")


def _step(event: Event) -> str:
    match event.kind:
        case EventKind.SIGNAL:
            code = event.part("code")
            signo = event.part("signo")
            names = [t.name or "a signal" for t in (signo, code) if t is not None and t.name]
            return f"sends {', '.join(names) or 'a signal'}"
        case EventKind.OOM:
            return "tells the OOM killer"
        case EventKind.KERNEL:
            return f"goes to {event.name}()"
        case EventKind.BUG:
            return f"runs into {event.name}()"
        case _:
            return f"calls {event.name}()"


def _counts(tail: Tail) -> str:
    names = [(e.args[0].name if e.args else None) or e.name for e in tail.accounting]
    return f"counts {', '.join(names)}" if names else "counts nothing"


def _balance(tail: Tail) -> str:
    held = tail.halt.held
    where = "at handle_mm_fault()" if tail.halt.end.value == "stop" else "at the end"
    return f"has released a lock too many {where}" if held < 0 else f"holds {held} lock(s) {where}"


def _flags(case: Case) -> str:
    mine = case.src.run.number(case.src.halt.gate[1])
    theirs = case.tgt.run.number(case.tgt.halt.gate[1])
    changed = mine ^ theirs
    names = [
        n.removeprefix("FAULT_FLAG_")
        for n, v in case.constants.items()
        if n.startswith("FAULT_FLAG_") and v and not v & (v - 1) and v & changed
    ]
    return ", ".join(names) or hex(changed)
