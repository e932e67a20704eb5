# SPDX-License-Identifier: GPL-2.0-only
"""The world that a handler runs in (house plan, section 6).

Every answer of the mm is a symbol with the ordinal of the acquisition or the
fault that it belongs to (`vma_found#1`, `handle_mm_fault#2`), so that both
sides of a comparison, the interpreter and the simulators speak of the same
thing. A `Plan` narrows the world: a mode, one outcome, one pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from codegen.ir.terms import (
    Term,
    arithmetic,
    disjoin,
    equal,
    field_address,
    integer,
    less,
    negate,
    object_address,
    symbol,
    truth,
)


class Outcome(StrEnum):
    """The outcomes of the mm dance; the values are the JSON contract's words."""

    NO_VMA = "no_vma"
    STACK_GROWTH_FAILURE = "stack_growth_failure"
    ACCESS_DENIED = "access_denied"
    OOM = "VM_FAULT_OOM"
    SIGSEGV = "VM_FAULT_SIGSEGV"
    SIGBUS = "VM_FAULT_SIGBUS"
    HWPOISON = "VM_FAULT_HWPOISON"
    HWPOISON_LARGE = "VM_FAULT_HWPOISON_LARGE"
    SIGNAL_PENDING = "signal_pending_after_RETRY"
    COMPLETED = "VM_FAULT_COMPLETED"
    RETRY = "VM_FAULT_RETRY_no_signal"
    SUCCESS = "success"


PROLOGUE = "prologue"
LOCK_CONTENDED = "lock_contended"
_COURSE: tuple[str | None, ...] = (None, PROLOGUE, LOCK_CONTENDED, *Outcome)


def outcome_place(word: str | None) -> int:
    """Where a word of the JSON contract comes in the course of a fault; None is any outcome."""
    return _COURSE.index(word)


_FAULT_BITS = {
    Outcome.OOM: "VM_FAULT_OOM",
    Outcome.SIGSEGV: "VM_FAULT_SIGSEGV",
    Outcome.SIGBUS: "VM_FAULT_SIGBUS",
    Outcome.HWPOISON: "VM_FAULT_HWPOISON",
    Outcome.HWPOISON_LARGE: "VM_FAULT_HWPOISON_LARGE",
    Outcome.SIGNAL_PENDING: "VM_FAULT_RETRY",
    Outcome.COMPLETED: "VM_FAULT_COMPLETED",
    Outcome.RETRY: "VM_FAULT_RETRY",
}
_NO_OUTCOMES = (
    "VM_FAULT_MAJOR",
    "VM_FAULT_NOPAGE",
    "VM_FAULT_LOCKED",
    "VM_FAULT_DONE_COW",
    "VM_FAULT_NEEDDSYNC",
)
_VALUE_OUTCOMES = (
    Outcome.SUCCESS,
    Outcome.OOM,
    Outcome.SIGBUS,
    Outcome.SIGSEGV,
    Outcome.HWPOISON,
    Outcome.HWPOISON_LARGE,
    Outcome.RETRY,
    Outcome.COMPLETED,
)


@dataclass(frozen=True)
class Plan:
    """How the world is narrowed.

    `mode` fixes user (True) or kernel mode; `outcome` what the first pass
    meets; `passes` how many calls of handle_mm_fault() are followed;
    `contended` whether taking the lock may have to wait; `extra_bits` whether
    handle_mm_fault() may return bits that are no outcome (MAJOR, LOCKED ...);
    `supposed` that it returns the outcome even where it cannot (no ALLOW_RETRY
    in the flags, a kernel without the bit).
    """

    mode: bool | None = None
    outcome: Outcome | None = None
    passes: int = 3
    contended: bool = False
    extra_bits: bool = False
    stop_at_fault: bool = False
    skip_kernel: bool = False
    supposed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One way that the world may answer: what then holds, and the value."""

    facts: tuple[Term, ...]
    value: Term
    outcome: Outcome | None = None


LOCK_ANSWERS = ("mmap_lock_contended", "killed_in_lock_wait", "vma_read_locked")
"""What a lock says when it is asked for."""

SIGNAL_ANSWERS = ("fatal_signal_pending", "signal_pending")
"""What is asked of the task behind a fault."""

ANSWERS = (*LOCK_ANSWERS, "vma_found", "vma", "stack_grown", "handle_mm_fault", *SIGNAL_ANSWERS)
"""What the world is asked in each pass, in that order; `vma` is all that the VMA holds."""


def truth_symbol(name: str) -> Term:
    """A named truth value of the world."""
    return symbol(name, 1)


def fault_answers(
    plan: Plan, constants: Mapping[str, int], ordinal: int, flags: Term
) -> tuple[Answer, ...]:
    """What call number `ordinal` of handle_mm_fault() may return (32 bits)."""
    outcomes: tuple[Outcome, ...] = _VALUE_OUTCOMES
    if plan.outcome is not None and ordinal == 1:
        outcomes = (plan.outcome,) if plan.outcome in (*_FAULT_BITS, Outcome.SUCCESS) else ()
    index_mask = constants.get("VM_FAULT_HINDEX_MASK", 0)
    extra = 0
    for beside in _NO_OUTCOMES:
        extra |= constants.get(beside, 0)
    raw = symbol(f"handle_mm_fault#{ordinal}", 32)
    answers = []
    for outcome in outcomes:
        name = _FAULT_BITS.get(outcome)
        if name is not None and name not in constants and not plan.supposed:
            continue
        bits = constants.get(name, 0) if name else 0
        free = extra if plan.extra_bits else 0
        if outcome is Outcome.HWPOISON_LARGE:
            free |= index_mask
        value = integer(bits, 32)
        if free:
            value = arithmetic("or", arithmetic("and", raw, integer(free, 32)), value)
        facts = [equal(arithmetic("and", raw, integer(~free, 32)), integer(bits, 32))]
        if outcome in (Outcome.RETRY, Outcome.SIGNAL_PENDING) and not plan.supposed:
            allow = constants.get("FAULT_FLAG_ALLOW_RETRY", 0)
            facts.append(truth(arithmetic("and", flags, integer(allow, flags.bits))))
        answers.append(Answer(tuple(facts), value, outcome))
    return tuple(answers)


def pending_facts(
    plan: Plan,
    ordinal: int,
    outcome: Outcome | None,  # noqa: ARG001
) -> tuple[Term, ...]:
    """What is known of the signals that are pending after fault `ordinal`."""
    fatal = truth_symbol(f"fatal_signal_pending#{ordinal}")
    pending = truth_symbol(f"signal_pending#{ordinal}")
    facts = [disjoin(negate(fatal), pending)]
    if plan.outcome is Outcome.SIGNAL_PENDING and ordinal == 1:
        facts.append(pending if plan.mode else fatal)
    elif plan.outcome is not None and ordinal == 1:
        # The tables describe each outcome by itself; a fatal signal beside an
        # error is a row of its own in no table.
        facts += [negate(fatal), negate(pending)]
    return tuple(facts)


def vma_object(ordinal: int) -> Term:
    """The VMA that acquisition number `ordinal` of the lock found."""
    return object_address(f"vma#{ordinal}")


def vma_facts(
    ordinal: int,
    address: Term,
    constants: Mapping[str, int],  # noqa: ARG001
    *,
    covers: bool | None,
) -> tuple[Term, ...]:
    """What holds of a VMA that was found: its flags are never 0.

    `covers`: it starts at or below the address (True), it lies above and the
    stack would have to grow (False), or either (None).
    """
    vma = vma_object(ordinal)
    flags = field_value(vma, "vm_flags")
    facts = [truth(flags)]
    start, end = field_value(vma, "vm_start"), field_value(vma, "vm_end")
    if address.bits == 64:
        facts.append(less(address, end, is_signed=False))
        if covers is not None:
            below = negate(less(address, start, is_signed=False))
            facts.append(below if covers else negate(below))
    return tuple(facts)


def field_value(base: Term, name: str) -> Term:
    """The value that a field has before anybody writes it (as the machine names it)."""
    from codegen.ir.printer import place_text

    return symbol(place_text(field_address(base, name), ordinals=True), 64)


def grows(constants: Mapping[str, int], ordinal: int) -> Term:
    """The VMA is a stack that grows down."""
    flags = field_value(vma_object(ordinal), "vm_flags")
    return truth(arithmetic("and", flags, integer(constants["VM_GROWSDOWN"], 64)))
