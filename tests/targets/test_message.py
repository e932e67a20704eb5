# SPDX-License-Identifier: GPL-2.0-only
"""What the patches say: every class of difference has its words, and they fit a mail."""

from typing import Any

import pytest

from codegen.targets.c.message import arch_message, changes_of, either, helper_message, wrapped
from codegen.targets.c.nodes import DEFAULT_MM_API, MmApi, MmDialect
from codegen.targets.compare.nodes import DifferenceClass


def difference(
    cls: str, mode: str = "kernel", outcome: str | None = "VM_FAULT_SIGBUS", **more: Any
) -> dict[str, Any]:
    given: dict[str, Any] = {
        "class": cls,
        "mode": mode,
        "outcome": outcome,
        "explanation": f"{mode} mode, {outcome}: src does this; tgt does that.",
        "src": [],
        "tgt": [],
    }
    return given | more


def event(kind: str, name: str, *args: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "args": list(args), "line": 1}


@pytest.mark.parametrize("mode", ["user", "kernel"])
@pytest.mark.parametrize("outcome", ["VM_FAULT_SIGBUS", "lock_contended", "prologue", None])
@pytest.mark.parametrize("cls", [c.value for c in DifferenceClass])
def test_every_class_has_its_words(cls: str, mode: str, outcome: str | None) -> None:
    message = arch_message("x", "do_fault", [difference(cls, mode, outcome)])
    assert message.subject == "x: mm: use generic_fault()"
    paragraph = next(p for p in message.body.split("\n\n") if p.startswith("- "))
    assert " ".join(paragraph.split()).startswith(f"- In {mode} mode")
    assert paragraph.endswith(f"({cls})")
    assert "src" not in paragraph
    assert "tgt" not in paragraph
    assert "  " not in " ".join(paragraph.split("\n  "))
    assert all(len(line) <= 72 for line in message.body.splitlines())


def test_no_difference() -> None:
    body = arch_message("x", "do_fault", []).body
    assert body.endswith("\n\nNo change in behaviour.\n")
    assert "do_fault() decodes" in body


def test_outcomes_of_one_kind_are_one_sentence() -> None:
    found = [
        difference("missing-case", outcome=o)
        for o in ("VM_FAULT_HWPOISON", "VM_FAULT_HWPOISON_LARGE", "no_vma")
    ]
    (change,) = changes_of(found)
    assert either(change.outcomes) == (
        "no VMA is found or the mm says VM_FAULT_HWPOISON or VM_FAULT_HWPOISON_LARGE"
    )


def test_what_a_stale_outcome_did() -> None:
    before, after = event("signal", "force_sig_fault", 11, 2), event("signal", "f", 11, 1)
    texts = [
        arch_message("x", "f", [difference("stale-outcome", src=src, tgt=[after])]).body
        for src in ([before], [], [event("signal", "f", 7, 2)])
    ]
    for text, words in zip(texts, ("si_code", "nothing were wrong", "left behind"), strict=True):
        assert words in " ".join(text.split())


def test_names_of_what_is_lost() -> None:
    lost = difference("flag-loss", explanation="user mode: src has lost flags (USER, TRIED) that x")
    assert "(USER, TRIED)" in arch_message("x", "f", [lost]).body
    dropped = difference("dropped-effect", src=[event("write", "tsk->thread.x", 1)])
    assert "tsk->thread.x is no longer written" in " ".join(
        arch_message("x", "f", [dropped]).body.split()
    )


def test_the_helper_is_told_as_it_is_written() -> None:
    now = " ".join(helper_message(DEFAULT_MM_API).body.split())
    assert "lock_mm_and_find_vma() takes the lock" in now
    early = MmApi(MmDialect.MMAP_SEM, handle_mm_fault_takes_regs=False, killable=False)
    then = " ".join(helper_message(early).body.split())
    assert "counted here too" in then
    assert "can be killed" not in then


def test_tables_stay_as_they_are() -> None:
    text = "one\ntwo\n\n  a   b\n  c   d\n\n- " + "word " * 30
    assert wrapped(text, 40).startswith("one two\n\n  a   b\n  c   d\n\n- word")
    assert all(
        line.startswith(("  ", "- ")) for line in wrapped(text, 40).split("\n\n", 2)[2].splitlines()
    )


def test_an_effect_that_another_failure_has_is_said_to_be_gained() -> None:
    joined = difference("dropped-effect", tgt=[event("write", "tsk->thread.x", 1)])
    words = " ".join(arch_message("x", "f", [joined]).body.split())
    assert "VM_FAULT_SIGBUS, tsk->thread.x is written as before the other failures" in words


def test_an_effect_that_moves_is_told_in_the_words_of_the_comparison() -> None:
    told = "kernel mode, prologue: tgt calls g() before it looks the VMA up; src only later."
    call = [event("call", "g")]
    early = difference("dropped-effect", outcome="prologue", explanation=told, src=call, tgt=call)
    words = " ".join(arch_message("x", "f", [early]).body.split())
    assert (
        "- In kernel mode: the new one calls g() before it looks the VMA up; "
        "the old handler only later. (dropped-effect)"
    ) in words
