# SPDX-License-Identifier: GPL-2.0-only
"""Naming a difference: one small question per class of the house plan, section 6.

Each question looks at what both sides did after they parted, and at the world
in which they did. A class is only given in the direction towards the contract
of generic_fault(): src departs from it, tgt meets it. The same difference the
other way round is `other`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from codegen.ir.environment import Outcome
from codegen.ir.terms import integer, symbol
from codegen.ir.trace import End, Event, EventKind
from codegen.targets.compare.answers import answers_differ
from codegen.targets.compare.cases import Case, Tail
from codegen.targets.compare.contract import (
    FAILURES,
    counts_right,
    counts_the_fast_path,
    goes_to_fixup,
    is_refused,
    is_register,
    may_wait,
    meets_contract,
    runs_into_bug,
)
from codegen.targets.compare.joints import Channel
from codegen.targets.compare.nodes import DifferenceClass
from codegen.targets.compare.observe import Step, Writes, differing
from codegen.targets.compare.scenario import agree, atoms

_QUIET = frozenset({Outcome.SUCCESS, Outcome.COMPLETED, Outcome.SIGNAL_PENDING, Outcome.OOM})


def classify(case: Case) -> DifferenceClass:
    """The class of a difference."""
    for cls, question in _QUESTIONS[case.channel]:
        if question(case):
            return cls
    return DifferenceClass.OTHER


# ---- what the sides did ------------------------------------------------------------


def uaccess_livelock(case: Case) -> bool:
    """In kernel mode with a fatal signal pending, src just returns; tgt goes to its fixup."""
    return (
        not case.user
        and case.outcome is Outcome.SIGNAL_PENDING
        and case.src.halt.end is End.RETURN
        and not moves_on(case.src.steps)
        # What is noted for a signal that is never sent (riscv's bad_cause) is not asked for.
        and goes_to_fixup(case, noting=False)
    )


def moves_on(steps: tuple[Step, ...]) -> bool:
    """Whether anything happens that could keep the instruction from faulting again.

    A write may be to the program counter, and so may a call that is given an
    object (`pt_set_elr(regs, fixup->fixup)`).
    """
    for step in steps:
        if isinstance(step, Writes):
            return True
        if step.kind is EventKind.OOM:
            continue
        if step.kind is not EventKind.CALL or any(a.op == "object" for a in step.args):
            return True
    return False


def stale_outcome(case: Case) -> bool:
    """After a retry; had this pass been the first, src would have done what tgt does.

    tgt itself carries nothing over: it does the same in both passes. What src
    carries over is its answer; a call more (powerpc's count of pages that had to
    be read, kept over all passes) is none.
    """
    if case.passes < 2 or (not case.tgt.steps and case.tgt.halt.end is End.STOP):
        return False
    runs = case.fresh()
    if runs is None:
        return False
    src, tgt = runs
    then = tgt.told(tgt.last())
    if not agree(src, tgt, counters=False) and not (
        _at_routine(then) and then == src.told(src.last())
    ):
        return False
    now = case.tgt.run.told(case.tgt.steps)
    if _at_routine(now) and now == case.src.run.told(case.src.steps):
        return False
    same_end = _at_routine(then) or tgt.halt.end is case.tgt.halt.end
    return now == then and same_end and answers_differ(case.src.run, src)


def _at_routine(told: tuple[object, ...]) -> bool:
    """Whether the steps end in the kernel's own routine; how its fixup fares is another matter."""
    last = told[-1] if told else None
    return isinstance(last, tuple) and last[0] is EventKind.KERNEL


def missing_case(case: Case) -> bool:
    """src runs into BUG() or panic(); tgt has an answer, or runs into it at another point.

    In both cases tgt does nothing on the way that src does not do.
    """
    if not runs_into_bug(case.tgt.steps):
        return runs_into_bug(case.src.steps) and meets_contract(case)
    mine = _events(case.src)
    if any(e not in mine for e in _events(case.tgt)):
        return False
    return runs_into_bug(case.src.steps) or case.bug_ahead()


def _events(tail: Tail) -> tuple[object, ...]:
    """What a side does before it runs into BUG(): which calls, and signals to the letter."""
    told: list[object] = []
    for step in tail.steps:
        if not isinstance(step, Event) or step.kind is EventKind.BUG:
            continue
        signal = tuple(map(tail.run.number, step.args)) if step.kind is EventKind.SIGNAL else ()
        told.append((step.kind, step.name, signal))
    return tuple(told)


def kernel_mode_signal(case: Case) -> bool:
    """A fault in kernel mode is answered like one of user mode; tgt goes to its fixup only."""
    return not case.user and case.src.has(EventKind.SIGNAL, EventKind.OOM) and meets_contract(case)


def lock_wait(case: Case) -> bool:
    """The lock is contended, and that alone parts them; tgt waits as the contract says.

    In kernel mode it looks at the exception table first, and the wait can be
    killed: then it answers as if nothing was there.
    """
    if not case.contended:
        return _looked_up_unasked(case)
    if _waits_alike(case):
        return False
    refused = is_refused(case.tgt)
    killed = _is_killed(case)
    if refused != (killed or not may_wait(case)):
        return False
    # What src still did after its wait is moot where tgt did not get the lock.
    if not refused:
        return is_refused(case.src) and case.calm()
    if runs_into_bug(case.tgt.steps) or case.tgt.has(EventKind.OOM):
        return False
    return case.user or goes_to_fixup(case)


def _is_killed(case: Case) -> bool:
    """Whether the task is killed while it waits for the lock that is contended."""
    return bool(case.tgt.run.number(symbol(f"killed_in_lock_wait#{case.lock}", 1)))


def _looked_up_unasked(case: Case) -> bool:
    """src looks at the exception table with the lock got at once (CONFIG_DEBUG_VM), and oopses.

    An entry there is all that parts them; tgt looks only where it would wait.
    """
    locks = (EventKind.LOCK, EventKind.FAULT)
    mm = [e.kind for e in case.src.halt_trace if e.kind in locks]
    return (
        not case.user
        and mm[-1:] == [EventKind.LOCK]
        and case.src.has(EventKind.KERNEL)
        and not case.tgt.has(EventKind.SIGNAL, EventKind.OOM, EventKind.BUG)
        and case.entry()
    )


def _waits_alike(case: Case) -> bool:
    """Whether both sides were refused the lock by the same word; then that does not part them."""
    words = []
    for tail in (case.src, case.tgt):
        refused = [e for e in tail.halt_trace if e.kind in (EventKind.LOCK, EventKind.LOCK_WAIT)]
        if not refused or refused[-1].kind is EventKind.LOCK:
            return False
        event = refused[-1]
        words.append(re.findall(r"\w*lock\w*(?=\()", event.source.slice(event.span))[:1])
    return words[0] == words[1]


def fast_path(case: Case) -> bool:
    """tgt has taken a VMA's own lock, which src did not; without it both agree.

    tgt counts it, adds FAULT_FLAG_VMA_LOCK, and after a retry has not tried yet.
    Or both have taken it, and src answers there otherwise than without it.
    """
    if not case.tgt.fast:
        return False
    if case.src.fast:
        return case.channel is Channel.STEPS and _apart_from_itself(case)
    match case.channel:
        case Channel.FLAGS:
            return _fast_flags(case)
        case Channel.ACCOUNTING:
            return _without_vm_events(case.src) == _without_vm_events(
                case.tgt
            ) and counts_the_fast_path(case, case.tgt)
        case Channel.STEPS:
            # Only who has to wait for the mm's lock can be refused it.
            if not is_refused(case.src):
                return False
            return case.slow() is not None and (
                meets_contract(case) or case.tgt.halt.end is End.STOP or case.alone()
            )
        case _:
            return False


def _apart_from_itself(case: Case) -> bool:
    """src's fast path and slow path disagree; tgt answers on both as src does on the slow one."""
    runs = case.slow()
    return (
        runs is not None
        and answers_differ(case.src.run, runs[0])
        and not answers_differ(case.tgt.run, runs[1])
    )


def _fast_flags(case: Case) -> bool:
    lock = case.constants.get("FAULT_FLAG_VMA_LOCK", 0)
    tried = case.constants.get("FAULT_FLAG_TRIED", 0)
    mine, theirs = (
        case.src.run.number(case.src.halt.gate[1]),
        case.tgt.run.number(case.tgt.halt.gate[1]),
    )
    if case.passes == 1:
        return theirs == mine | lock
    # Only where the page had to be read does the slow path know of the fast one.
    answer = case.tgt.run.number(symbol("handle_mm_fault#1", 32))
    major = bool(answer & case.constants.get("VM_FAULT_MAJOR", 0))
    is_right = bool(theirs & tried) is major
    return case.passes == 2 and is_right and theirs | tried == mine | tried


def _without_vm_events(tail: Tail) -> list[tuple[int, ...]]:
    return [
        tuple(map(tail.run.number, e.args))
        for e in tail.accounting
        if "vm_" not in e.name or e.kind is EventKind.WRITE
    ]


def signal_code(case: Case) -> bool:
    """The same signals to the same addresses, with another si_code; all else is the same."""
    blank = tuple(map(_without_code, case.src.steps)), tuple(map(_without_code, case.tgt.steps))
    return blank != (case.src.steps, case.tgt.steps) and _same_otherwise(case, *blank)


def _without_code(step: Step) -> Step:
    if isinstance(step, Event) and step.kind is EventKind.SIGNAL and "code" in step.parts:
        args = list(step.args)
        args[step.parts.index("code")] = integer(0, 32)
        return replace(step, args=tuple(args))
    return step


def oops_reason(case: Case) -> bool:
    """The same routine for kernel faults, given another signal number or text.

    src's reason depends on the outcome, and tgt gives the one of another outcome.
    """
    if not case.src.danced or not goes_to_fixup(case):
        return False
    blank = tuple(map(_without_reason, case.src.steps)), tuple(map(_without_reason, case.tgt.steps))
    return blank != (case.src.steps, case.tgt.steps) and _same_otherwise(case, *blank)


def _without_reason(step: Step) -> Step:
    """Numbers and texts that the routine is given are blanked, whatever chose them."""
    if isinstance(step, Event) and step.kind is EventKind.KERNEL:
        blank = tuple(integer(0, 64) if _is_reason(a) else a for a in step.args)
        return replace(step, args=blank)
    return step


def _is_reason(term: object) -> bool:
    op = getattr(term, "op", "")
    if op == "ite":
        return all(map(_is_reason, term.args[1:]))  # type: ignore[attr-defined]
    return op in ("int", "text")


def bug_words(case: Case) -> bool:
    """Both sides run into BUG() by the same calls; a number printed before that differs.

    The word of the mm is not what the helper's result says.
    """
    src, tgt = case.src.steps, case.tgt.steps
    if not (runs_into_bug(src) and runs_into_bug(tgt)):
        return False
    blank = tuple(map(_without_numbers, src)), tuple(map(_without_numbers, tgt))
    return blank != (src, tgt) and _same_otherwise(case, *blank)


def _without_numbers(step: Step) -> Step:
    """A print keeps its format and no more."""
    if not isinstance(step, Event) or step.kind is not EventKind.CALL:
        return step
    prints = bool(step.args) and step.args[0].op == "text"
    return replace(step, args=step.args[:1]) if prints else step


def dropped_effect(case: Case) -> bool:
    """src writes a thread field or a counter before an outcome that tgt's helper settles.

    It settles every outcome of kernel mode, and OOM, a pending signal and
    success of user mode.
    """
    settled = case.outcome in _QUIET if case.user else case.outcome is not None
    if not settled or any(isinstance(s, Writes) for s in case.tgt.steps):
        return False
    if any(
        is_register(e.args[1]) for s in case.src.steps if isinstance(s, Writes) for e in s.events
    ):
        return False
    if not case.user and case.outcome not in _QUIET and not goes_to_fixup(case):
        return False
    kept = tuple(s for s in case.src.steps if not isinstance(s, Writes))
    return kept != case.src.steps and _same_otherwise(case, kept, case.tgt.steps)


def joined_effect(case: Case) -> bool:
    """src writes a thread field before most failures of kernel mode; tgt before this one, too.

    The helper's KERN does not say which failure it was. Had the mm failed in
    another way, src would have done just what tgt does.
    """
    if case.user or case.outcome in (None, Outcome.SUCCESS, Outcome.COMPLETED):
        return False
    kept = tuple(s for s in case.src.steps if not isinstance(s, Writes))
    theirs = tuple(s for s in case.tgt.steps if not isinstance(s, Writes))
    if theirs == case.tgt.steps or not _same_otherwise(case, kept, theirs):
        return False
    now = case.tgt.run.told(case.tgt.steps)
    for word in FAILURES:
        runs = case.allowed(case.constants.get(word, 0))
        if runs is not None and runs[0].told(runs[0].last()) == now:
            return True
    return False


def early_effect(case: Case) -> bool:
    """What src does between the lookup and the mm, pass for pass, tgt does once before the lock.

    There is no place for it inside the helper. It is the same effect, to the
    letter, wherever the mm is asked; where it is not, only tgt has it.
    """
    if case.src.halt.end is not case.tgt.halt.end:
        return False
    early = case.early()
    mine, theirs = atoms(case.src.run, case.src.steps), atoms(case.tgt.run, case.tgt.steps)
    match case.src.halt.end:
        case End.RETRY if early:
            return case.passes == 1 and mine + early == theirs
        case End.STOP if early:
            return mine == early and not theirs
        case _:
            return False


def _same_otherwise(case: Case, src: tuple[Step, ...], tgt: tuple[Step, ...]) -> bool:
    return (
        case.src.halt.end is case.tgt.halt.end and differing(src, tgt, case.tgt.run.holds) is None
    )


def accounting(case: Case) -> bool:
    """tgt counts one page fault where it asks the mm, none elsewhere; src counts otherwise.

    handle_mm_fault() does the maj/min accounting where it is given the registers.
    """
    return counts_right(case) and counts_the_fast_path(case, case.tgt)


def lock_balance(case: Case) -> bool:
    """src holds a lock, or has released one too many, where tgt has it right."""
    right = 1 if case.tgt.halt.end is End.STOP else 0
    return case.tgt.halt.held == right


def flag_loss(case: Case) -> bool:
    """src has lost flags that every fault of this mode has; tgt has all of these, and no more.

    But for the one that goes with a VMA's own lock, which src did not take.
    """
    mine = case.src.run.number(case.src.halt.gate[1])
    theirs = case.tgt.run.number(case.tgt.halt.gate[1])
    if case.tgt.halt.owns and not case.src.fast:
        lock = case.constants.get("FAULT_FLAG_VMA_LOCK", 0)
        if not theirs & lock:
            return False
        theirs &= ~lock
    usual = case.constants.get("FAULT_FLAG_DEFAULT", 0)
    if case.user:
        usual |= case.constants.get("FAULT_FLAG_USER", 0)
    if case.passes > 1:
        usual |= case.constants.get("FAULT_FLAG_TRIED", 0)
        # An mm that lets go of the lock once and no more is not asked to again.
        usual &= mine | theirs | ~case.constants.get("FAULT_FLAG_ALLOW_RETRY", 0)
    lost = theirs & ~mine
    return bool(lost) and mine | lost == theirs and not lost & ~usual and not usual & ~theirs


_Question = tuple[DifferenceClass, Callable[[Case], bool]]
_QUESTIONS: dict[Channel, tuple[_Question, ...]] = {
    Channel.STEPS: (
        (DifferenceClass.FAST_PATH, fast_path),
        (DifferenceClass.STALE_OUTCOME, stale_outcome),
        (DifferenceClass.LOCK_WAIT, lock_wait),
        (DifferenceClass.UACCESS_LIVELOCK, uaccess_livelock),
        (DifferenceClass.OOPS_REASON, bug_words),
        (DifferenceClass.MISSING_CASE, missing_case),
        (DifferenceClass.KERNEL_MODE_SIGNAL, kernel_mode_signal),
        (DifferenceClass.SIGNAL_CODE, signal_code),
        (DifferenceClass.OOPS_REASON, oops_reason),
        (DifferenceClass.DROPPED_EFFECT, dropped_effect),
        (DifferenceClass.DROPPED_EFFECT, joined_effect),
        (DifferenceClass.DROPPED_EFFECT, early_effect),
    ),
    Channel.ACCOUNTING: (
        (DifferenceClass.FAST_PATH, fast_path),
        (DifferenceClass.ACCOUNTING, accounting),
    ),
    Channel.HELD: ((DifferenceClass.LOCK_BALANCE, lock_balance),),
    Channel.FLAGS: (
        (DifferenceClass.FAST_PATH, fast_path),
        (DifferenceClass.FLAG_LOSS, flag_loss),
    ),
    Channel.ADDRESS: (),
}
