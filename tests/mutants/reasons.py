# SPDX-License-Identifier: GPL-2.0-only
"""Why a mutant that nothing tells from the conversion is the same, by operator and text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .judge import Result


@dataclass(frozen=True)
class Reason:
    """Holds for the mutants of `operators` whose told change matches `told`."""

    operators: frozenset[str]
    told: re.Pattern[str]
    why: str


def _reason(operators: str, told: str, why: str) -> Reason:
    return Reason(frozenset(operators.split()), re.compile(told), why)


REASONS: tuple[Reason, ...] = (
    _reason(
        "poison-first bus-before-segv",
        "",
        "handle_mm_fault() returns one outcome only (house plan, section 6), so the order in "
        "which they are tested does not matter.",
    ),
    _reason(
        "outcome-always outcome-swapped outcome-never",
        r"VM_FAULT_HWPOISON|hstate",
        "The handler has one answer to lost memory of any size.",
    ),
    _reason(
        "helper-shift",
        "",
        "The handler does not look at the size of the lost memory: it runs into BUG(), or sends "
        "the same signal.",
    ),
    _reason(
        "mode-of-regs",
        "",
        "FAULT_FLAG_USER is set exactly where user_mode(regs) holds.",
    ),
    _reason(
        "swapped-result",
        r"GFAULT_FOAD -> GFAULT_DONE",
        "Handlers return after DONE and after FOAD alike.",
    ),
    _reason(
        "swapped-result",
        r"GFAULT_SIG\w+ -> GFAULT_SIG\w+",
        "In the order of the tests that the handler makes the two lead to the same.",
    ),
    _reason(
        "all-bits",
        "",
        "Each mask of the handler has one bit, or asks the VMA for nothing.",
    ),
    _reason(
        "wrong-argument",
        r"^(lock_vma_under_rcu|lock_mm_and_find_vma|find_vma|expand_stack)\(",
        "The world has one VMA for each pass, whatever address it is looked up by; nothing here "
        "is asked of the VMA that would tell.",
    ),
    _reason(
        "wrong-argument",
        r"^handle_mm_fault\(.*NULL\)$",
        "A limit: what registers handle_mm_fault() is given is in no trace; it only counts "
        "perf events for them.",
    ),
    _reason(
        "wrong-return",
        r"fault_info",
        "A limit: only the text that is logged with the signal hangs on it, and that is no part "
        "of a signal.",
    ),
    _reason(
        "wrong-return",
        r"^true -> ",
        "What is returned is still true.",
    ),
    _reason(
        "wrong-argument",
        r"^generic_fault\(.*& PAGE_MASK\)",
        "The handler's address is that of a page already.",
    ),
    _reason(
        "branch-never branch-always negated-condition lost-jump lost-not fixed-mode inverted-mode",
        r"^!?user_mode\(regs\) -> |^return; -> ;$",
        "In kernel mode generic_fault() says KERN, and the handler does not come here.",
    ),
    _reason(
        "lost-jump",
        r"^return true; -> ;$",
        "The next case returns the same.",
    ),
    _reason(
        "lost-call double-call",
        r"^no_context\(",
        "The call stands behind !user_mode(), and for kernel mode generic_fault() has said KERN "
        "before.",
    ),
    _reason(
        "swapped-tests",
        "",
        "The two tests exclude each other.",
    ),
    _reason(
        "double-call",
        r"die|panic|oops|BUG|unhandled_fault",
        "The first of the two calls does not come back.",
    ),
    _reason(
        "off-by-one",
        r"GFAULT_POISON",
        "The size of lost memory is a page at least, so POISON itself is never returned.",
    ),
)


def reason_for(result: Result) -> str | None:
    """The first reason that fits a survivor on which the bench agrees."""
    if any("a world that tgt has no way in" in note for note in result.notes):
        return "The mutant reads through a NULL pointer: UNKNOWN, which lets no conversion pass."
    if result.mutant == "UNKNOWN":
        return "The mutant goes round in a circle: UNKNOWN, which lets no conversion pass."
    if any("in the same page" in note for note in result.notes):
        return "Addresses in one page are the same to handle_mm_fault() (house plan, section 6)."
    if result.bench not in ("agrees", ""):
        return None
    for reason in REASONS:
        if result.operator in reason.operators and reason.told.search(result.told):
            return reason.why
    return None


ACCEPTED: tuple[Reason, ...] = (
    _reason(
        "fixed-mode-test",
        r"^flags & FAULT_FLAG_USER -> 0$",
        "Without its fast path the conversion does what the original does.",
    ),
    _reason(
        "outcome-always",
        r"^fault & VM_FAULT_MAJOR -> 1$",
        "After the fast path, too, the second pass has FAULT_FLAG_TRIED, as in the original.",
    ),
)


def reason_accepted(result: Result) -> str | None:
    """Why a mutant that differs may be accepted all the same, though it is not the original."""
    if result.mutant_classes == ("missing-case",):
        return "It is not the conversion only where that runs into BUG(), as the original does."
    for reason in ACCEPTED:
        if result.operator in reason.operators and reason.told.search(result.told):
            return reason.why
    return None
