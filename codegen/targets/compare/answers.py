# SPDX-License-Identifier: GPL-2.0-only
"""What a handler answers a fault with, and whether two runs answer alike.

signal(SIGSEGV, SEGV_ACCERR), writes        an answer
printk(...), get_user(insn, ...)            none
"""

from __future__ import annotations

from dataclasses import replace

from codegen.ir.trace import Event, EventKind
from codegen.targets.compare.observe import Step, differing
from codegen.targets.compare.scenario import Replay


def answers(run: Replay) -> tuple[Step, ...]:
    """The signals, OOM, BUG, writes after the last fault, up to the kernel's own routine."""
    found: list[Step] = []
    for step in run.last():
        if isinstance(step, Event) and step.kind is EventKind.KERNEL:
            return (*found, replace(step, name="", args=()))
        if not isinstance(step, Event) or step.kind is not EventKind.CALL:
            found.append(step)
    return tuple(found)


def answers_differ(a: Replay, b: Replay) -> bool:
    """Whether two runs end in other signals or writes, or another fate.

    What the kernel's own routine and other calls are told (the instruction as
    it was read before) is left aside.
    """
    mine, theirs = answers(a), answers(b)
    if len(mine) != len(theirs) or differing(mine, theirs, a.holds) is not None:
        return True
    kernel = any(isinstance(s, Event) and s.kind is EventKind.KERNEL for s in mine)
    return not kernel and a.halt.end is not b.halt.end


def calls(run: Replay) -> list[Event]:
    """The calls that somebody else sees, after the last fault, in order."""
    return [s for s in run.last() if isinstance(s, Event) and s.kind is EventKind.CALL]


def bug_before(run: Replay, fault: int) -> bool:
    """Whether a run comes to BUG() or panic() before it asks the mm for the `fault`th time.

    One that the kernel's own routine ends in is none.
    """
    asked = 0
    for event in run.trace:
        match event.kind:
            case EventKind.BUG:
                return True
            case EventKind.KERNEL:
                return False
            case EventKind.FAULT:
                asked += 1
                if asked == fault:
                    return False
    return False
