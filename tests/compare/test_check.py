# SPDX-License-Identifier: GPL-2.0-only
"""Findings against the contract: the snippets, and wrongs planted in them."""

from pathlib import Path

import pytest

from codegen.base.spans import SourceText
from codegen.ir.trace import EventKind
from codegen.ir.vocabulary import load
from codegen.targets.compare.check import check
from codegen.targets.compare.nodes import Difference
from codegen.targets.compare.scenario import replay

from .conftest import Snippet, sides_of


def classes(findings: tuple[Difference, ...]) -> set[str]:
    return {str(d.cls) for d in findings}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("arc", {"stale-outcome"}),
        ("alpha", {"uaccess-livelock", "missing-case", "kernel-mode-signal", "stale-outcome"}),
        ("arm64", set()),
        ("loongarch", set()),
        ("nios2", {"uaccess-livelock", "missing-case", "flag-loss", "stale-outcome"}),
        ("sh", {"lock-balance", "missing-case", "kernel-mode-signal"}),
    ],
)
def test_findings_on_snippets(name: str, expected: set[str], snippet: Snippet) -> None:
    side = snippet(name)
    findings = check(side)
    assert classes(findings) == expected
    for finding in findings:
        assert finding.line > 0
        assert replay(side, (), finding.scenario) is not None


def test_findings_on_a_machine_that_nobody_has() -> None:
    """An address in an int, a stack below, a way out that only the prototype says never returns."""
    path = Path(__file__).parent.parent / "cases/foreign/narrow.c"
    (side,) = sides_of(SourceText.from_bytes(path.name, path.read_bytes()), load().constants)
    assert classes(check(side)) == {"accounting", "lock-wait", "stale-outcome"}


def test_a_repaired_livelock_is_none(snippet: Snippet) -> None:
    repaired = snippet(
        "hexagon",
        (
            "if (fault_signal_pending(outcome, regs))\n\t\treturn;",
            "if (fault_signal_pending(outcome, regs)) {\n\t\tif (!user_mode(regs))\n"
            "\t\t\tgoto kernel;\n\t\treturn;\n\t}",
        ),
    )
    before, after = classes(check(snippet("hexagon"))), classes(check(repaired))
    assert before - after == {"uaccess-livelock"}
    assert after <= before


@pytest.mark.parametrize(
    ("edit", "cls", "mode"),
    [
        (("\tmmap_read_unlock(mm);\nunlocked:", "unlocked:"), "lock-balance", "user"),
        (("flags |= FAULT_FLAG_USER;", ";"), "flag-loss", "user"),
        (
            ("\tif (!user_mode(regs))\n\t\tgoto no_context;\n\tif (fault & VM_FAULT_OOM)",
             "\tif (fault & VM_FAULT_OOM)"),
            "kernel-mode-signal",
            "kernel",
        ),
        (
            ("again:\n", "again:\n\tperf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);\n"),
            "accounting",
            "user",
        ),
        (("\tsigno = SIGSEGV;\n", "\tBUG_ON(fault & VM_FAULT_HWPOISON);\n\tsigno = SIGSEGV;\n"),
         "missing-case", "user"),
    ],
)  # fmt: skip
def test_a_planted_wrong_is_found(
    edit: tuple[str, str], cls: str, mode: str, snippet: Snippet
) -> None:
    clean = {(str(d.cls), d.mode) for d in check(snippet("arc"))}
    assert (cls, mode) not in clean
    found = {(str(d.cls), d.mode) for d in check(snippet("arc", edit))}
    assert (cls, mode) in found


def test_a_stale_value_is_named_where_it_is_used(snippet: Snippet) -> None:
    side = snippet("arc")
    source = side.program.source
    for finding in check(side):
        assert "`fault` still holds what handle_mm_fault() gave in the first pass" in (
            finding.explanation
        )
        # The test that takes VM_FAULT_RETRY for no error.
        assert "VM_FAULT_ERROR" in source.text.splitlines()[finding.line - 1]


def test_wiped_flags_are_told_where_they_are_wiped(snippet: Snippet) -> None:
    side = snippet("nios2")
    lines = side.program.source.text.splitlines()
    lost = [d for d in check(side) if str(d.cls) == "flag-loss"]
    assert {lines[d.line - 1].strip() for d in lost} == {"fault_flags = FAULT_FLAG_WRITE;"}
    assert {d.mode: "FAULT_FLAG_USER" in d.explanation for d in lost} == {
        "user": True,
        "kernel": False,
    }


@pytest.mark.parametrize(
    ("condition", "missing"),
    [
        ("fault & VM_FAULT_HWPOISON", True),
        ("(fault & VM_FAULT_HWPOISON) && !fatal_signal_pending(current)", True),
        # Whether the outcome has a case does not hang on this.
        ("tsk->thread.fault_address", False),
    ],
)
def test_bug_is_a_missing_case_if_the_outcome_decides(
    condition: str, missing: bool, snippet: Snippet
) -> None:
    side = snippet("arc", ("\tsigno = SIGSEGV;\n", f"\tBUG_ON({condition});\n\tsigno = SIGSEGV;\n"))
    assert ("missing-case" in classes(check(side))) is missing


@pytest.mark.parametrize("name", ["alpha", "hexagon", "nios2", "sh"])
def test_the_contract_has_a_trace_of_its_own(name: str, snippet: Snippet) -> None:
    """Livelock and kernel signals end in the fixup, BUG() in the outcome's answer, and so on."""
    for d in check(snippet(name)):
        kinds = [e.kind for e in d.tgt]
        assert d.tgt
        # nios2's oops ends in panic().
        answered = kinds[: kinds.index(EventKind.KERNEL)] if EventKind.KERNEL in kinds else kinds
        assert EventKind.BUG not in answered
        match str(d.cls):
            case "uaccess-livelock" | "kernel-mode-signal":
                assert EventKind.KERNEL in kinds
                assert EventKind.SIGNAL not in kinds
            case "lock-balance":
                taken = kinds.count(EventKind.LOCK)
                assert kinds.count(EventKind.UNLOCK) == taken
            case "missing-case":
                assert (EventKind.KERNEL if d.mode == "kernel" else EventKind.SIGNAL) in kinds
