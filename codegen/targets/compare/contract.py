# SPDX-License-Identifier: GPL-2.0-only
"""What the contract of generic_fault() asks of one side of a difference.

`classify.py` accepts a difference only where src departs from this and tgt
does not; a wrong that tgt has besides must not get through with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from codegen.ir.environment import Outcome
from codegen.ir.terms import Term, call, object_address, symbol
from codegen.ir.trace import End, Event, EventKind
from codegen.targets.compare.cases import Case, Tail
from codegen.targets.compare.observe import Step, Writes, lock_refused
from codegen.targets.compare.scenario import Replay

FAILURES = ("VM_FAULT_SIGSEGV", "VM_FAULT_SIGBUS", "VM_FAULT_OOM", "VM_FAULT_HWPOISON")
"""The words of handle_mm_fault() that make a failure."""

_SIGNO = {
    Outcome.NO_VMA: "SIGSEGV",
    Outcome.STACK_GROWTH_FAILURE: "SIGSEGV",
    Outcome.ACCESS_DENIED: "SIGSEGV",
    Outcome.SIGSEGV: "SIGSEGV",
    Outcome.SIGBUS: "SIGBUS",
    Outcome.HWPOISON: "SIGBUS",
    Outcome.HWPOISON_LARGE: "SIGBUS",
}
_PERF = "PERF_COUNT_SW_PAGE_FAULTS"


def meets_contract(case: Case) -> bool:
    """Whether tgt does with this outcome what generic_fault() and its callers do.

    Kernel mode: the exception table or the oops, as src itself goes there for
    another outcome; no signal, no OOM, no BUG. User mode: the outcome's own
    signal, the OOM call, or nothing.
    """
    tgt = case.tgt
    if runs_into_bug(tgt.steps):
        return False
    if not case.user:
        if case.outcome in (Outcome.SUCCESS, Outcome.COMPLETED):
            return not tgt.has(EventKind.SIGNAL, EventKind.OOM, EventKind.KERNEL)
        return goes_to_fixup(case)
    signals = [s for s in tgt.steps if isinstance(s, Event) and s.kind is EventKind.SIGNAL]
    signo = _SIGNO.get(case.outcome) if case.outcome is not None else None
    if signo is not None:
        numbers = [s.part("signo") for s in signals]
        wanted = case.constants.get(signo)
        return (
            len(numbers) == 1 and numbers[0] is not None and (tgt.run.number(numbers[0]) == wanted)
        )
    if case.outcome is Outcome.OOM:
        return tgt.has(EventKind.OOM) and not signals
    return not signals and not tgt.has(EventKind.OOM, EventKind.KERNEL)


def goes_to_fixup(case: Case, *, noting: bool = True) -> bool:
    """In kernel mode: tgt does what src does for some failure of kernel mode, signals left out.

    KERN does not say which failure it was, so there is one answer to all of
    them. A fixup may be a call, or a new program counter written to `regs`.
    Without `noting`, what either writes beside the registers does not count.
    """
    if case.tgt.has(EventKind.SIGNAL, EventKind.OOM):
        return False
    now = case.tgt.run.told(case.tgt.steps)
    if not now and case.tgt.halt.end is not End.NEVER:
        return False
    if not noting and any(
        _same_from(0, case.tgt.run.told(without_notes(case.tgt.steps)), answer)
        for answer in kernel_answers(case, noting=False)
    ):
        return True
    # What both did before they parted may tell of the outcome (a print of `fault`).
    before = 0
    for mine, theirs in zip(case.src.run.told(case.src.steps), now, strict=False):
        if mine != theirs:
            break
        before += 1
    return any(_same_from(before, now, answer) for answer in kernel_answers(case))


def without_notes(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps without what is written anywhere but to the registers."""
    kept: list[Step] = []
    for step in steps:
        if isinstance(step, Writes):
            events = tuple(e for e in step.events if is_register(e.args[1]))
            if events:
                kept.append(Writes(events))
        else:
            kept.append(step)
    return tuple(kept)


def is_register(place: Term) -> bool:
    """Whether a place is in the registers, which the interrupted code gets back."""
    while place.op in ("field", "index"):
        place = place.args[0]
    return place.op == "object" and place.payload == "regs"


def _same_from(before: int, now: tuple[object, ...], answer: tuple[object, ...]) -> bool:
    """Whether two tell the same steps, the first `before` of them with any arguments."""
    return (
        len(now) == len(answer)
        and now[before:] == answer[before:]
        and tuple(map(_head, now[:before])) == tuple(map(_head, answer[:before]))
    )


def _head(step: object) -> object:
    """What a step is, without its arguments; which places are written is not told apart."""
    return step[:2] if isinstance(step, tuple) else type(step)


def kernel_answers(case: Case, *, noting: bool = True) -> Iterator[tuple[object, ...]]:
    """What src does for each failure of kernel mode, without signals and the OOM call.

    Without `noting`, without what it writes beside the registers.
    """
    questions: list[Callable[[], tuple[Replay, Replay] | None]] = [case.unmapped]
    questions += [partial(case.allowed, case.constants.get(w, 0)) for w in FAILURES]
    for ask in questions:
        pair = ask()
        if pair is None:
            continue
        src, _ = pair
        quiet: tuple[Step, ...] = tuple(
            s
            for s in src.last()
            if not (isinstance(s, Event) and s.kind in (EventKind.SIGNAL, EventKind.OOM))
        )
        yield src.told(quiet if noting else without_notes(quiet))


def runs_into_bug(steps: tuple[Step, ...]) -> bool:
    """Whether BUG() or panic() is met, and not as the end of the kernel's own routine."""
    for step in steps:
        if isinstance(step, Event) and step.kind in (EventKind.BUG, EventKind.KERNEL):
            return step.kind is EventKind.BUG
    return False


def counts_right(case: Case) -> bool:
    """tgt counts one page fault where the mm is asked, and maj/min once if at all; src does not.

    For these registers, at this address. Where both count the page fault alike,
    src counts something else besides, or less often.
    """
    mine, theirs = _page_faults(case.src), _page_faults(case.tgt)
    if mine == theirs:
        return _counts_major_right(case)
    return _is_one_fault(case.tgt, theirs) and not _is_one_fault(case.src, mine)


def _page_faults(tail: Tail) -> list[tuple[int, ...]]:
    """What was given with each page fault that was counted."""
    return [
        tuple(map(tail.run.number, e.args[1:]))
        for e in tail.halt_trace
        if e.kind is EventKind.ACCOUNTING and e.args and e.args[0].name == _PERF
    ]


def _is_one_fault(tail: Tail, counted: list[tuple[int, ...]]) -> bool:
    waited = any(e.kind is EventKind.LOCK_WAIT for e in tail.halt_trace)
    # A fault is one, whether the lock is got or not.
    if len(counted) != int(tail.run.halt.danced or waited):
        return False
    given = [tail.run.number(e.args[0]) for e in tail.halt_trace if e.kind is EventKind.FAULT]
    for one in counted:
        times, registers, address = (*one, 1, 1, 1)[:3] if len(one) < 3 else one[:3]
        if times != 1 or not registers or (given and len(one) > 2 and address != given[0]):
            return False
    return True


def _counts_major_right(case: Case) -> bool:
    """Of maj_flt and min_flt, with the perf events of theirs, tgt counts one; or neither."""
    tail, bit = case.tgt, case.constants.get("VM_FAULT_MAJOR", 0)
    told: list[str] = []
    faults = 0
    major = False
    for event in tail.halt_trace:
        match event.kind:
            case EventKind.FAULT:
                faults += 1
                answer = tail.run.number(symbol(f"handle_mm_fault#{faults}", 32))
                major = major or bool(answer & bit)
            case EventKind.WRITE if event.args[1].payload in ("maj_flt", "min_flt"):
                told.append(str(event.args[1].payload)[:3])
            case EventKind.ACCOUNTING if event.args and event.args[0].name:
                name = event.args[0].name
                if name.startswith(_PERF + "_"):
                    told.append(name[len(_PERF) + 1 :].lower())
    wanted = "maj" if major else "min"
    return all(t == wanted for t in told) and len(told) in (0, 2)


def counts_the_fast_path(case: Case, tail: Tail) -> bool:
    """Each time that a VMA's own lock was used is counted once, as success or as retry."""
    retry = case.constants.get("VM_FAULT_RETRY", 0)
    faults = 0
    wanted: list[str] = []
    told: list[str] = []
    locked = False
    for event in tail.halt_trace:
        match event.kind:
            case EventKind.VMA_LOCK:
                locked = True
                wanted.append("VMA_LOCK_SUCCESS")
            case EventKind.LOCK | EventKind.LOCK_WAIT:
                locked = False
            case EventKind.FAULT:
                faults += 1
                if locked and tail.run.number(symbol(f"handle_mm_fault#{faults}", 32)) & retry:
                    wanted[-1] = "VMA_LOCK_RETRY"
            case EventKind.ACCOUNTING if "vm_" in event.name and event.args:
                told.append(event.args[0].name or "")
    return told == wanted


def is_refused(tail: Tail) -> bool:
    """Whether a side was refused the lock when it last asked for it."""
    return lock_refused(tail.halt_trace) and tail.halt.end is not End.STOP


def may_wait(case: Case) -> bool:
    """Whether the contract lets the lock be waited for: not where kernel mode has no entry."""
    if case.user:
        return True
    return any(case.tgt.run.number(t) for name in case.pointers for t in _lookups(case, name))


def _lookups(case: Case, regs: str) -> Iterator[Term]:
    for word in case.counters:
        pointer = call(word, (object_address(regs),), 64)
        yield call("search_exception_tables", (pointer,), 64)
