# SPDX-License-Identifier: GPL-2.0-only
"""Findings against the contract: what is known of the real handlers, and nothing else."""

from pathlib import Path

import pytest

from codegen.targets.compare.check import check
from codegen.targets.compare.nodes import Difference, DifferenceClass
from codegen.targets.compare.scenario import replay

from .conftest import Snippet, tree_sides

LIVELOCKS = set(
    "alpha hexagon ia64 m68k microblaze nios2 openrisc parisc riscv sparc32 sparc64".split()
)


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


def test_the_livelocks_of_6_1_and_not_one_more(kernel_61: Path) -> None:
    found: dict[str, set[DifferenceClass]] = {}
    for arch, side in tree_sides(kernel_61):
        found[arch] = {d.cls for d in check(side)}
    with_class = {
        cls: {arch for arch, has in found.items() if cls in has} for cls in DifferenceClass
    }
    assert with_class[DifferenceClass.UACCESS_LIVELOCK] == LIVELOCKS
    assert with_class[DifferenceClass.LOCK_BALANCE] == {"sh"}
    assert with_class[DifferenceClass.FLAG_LOSS] == {"nios2"}
    assert {"arc", "csky", "mips"} <= with_class[DifferenceClass.STALE_OUTCOME]
    assert with_class[DifferenceClass.KERNEL_MODE_SIGNAL] >= {
        "alpha", "openrisc", "sh", "sparc32", "xtensa",
    }  # fmt: skip
    assert not found["x86"]
    assert not found["arm64"]


def test_6_12_has_no_livelock(kernel_612: Path) -> None:
    found = {
        arch
        for arch, side in tree_sides(kernel_612)
        if DifferenceClass.UACCESS_LIVELOCK in {d.cls for d in check(side)}
    }
    assert found == set()
