# SPDX-License-Identifier: GPL-2.0-only
"""Handlers of machines and kernels that nobody has: old dialects, no retries, no mode flag.

The goldens in tests/cases/foreign/*.txt were checked against the C by hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.tables.nodes import HandlerTables
from codegen.tables.printer import handler_text
from codegen.toolchain import Product, converted, open_request, tabled

CASES = Path(__file__).parent.parent / "cases/foreign"
NAMES = sorted(p.stem for p in CASES.glob("*.c"))
EXPLAINED = frozenset({"lock-wait", "stale-outcome", "uaccess-livelock", "missing-case"})


def tables_of(name: str) -> HandlerTables:
    request = open_request(CASES / f"{name}.c", (), {}, 1)
    (tables,) = tabled(request, request.source.files[0])
    return tables


def conversion_of(name: str) -> Product:
    request = open_request(CASES / f"{name}.c", (), {}, 1)
    (product,) = converted(request, request.source.files[0], EXPLAINED)
    return product


@pytest.mark.parametrize("name", NAMES)
def test_tables(name: str, update_goldens: bool) -> None:
    text = handler_text(tables_of(name))
    golden = CASES / f"{name}.txt"
    if update_goldens:
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_each_has_all_cells(name: str) -> None:
    tables = tables_of(name)
    assert tables.role == "handler"
    assert len({(r.mode, r.outcome) for r in tables.signals}) == 24


def test_what_a_kernel_cannot_answer_is_marked() -> None:
    """No ALLOW_RETRY, no RETRY; and a kernel with an mmap_sem has no COMPLETED."""
    once = {r.outcome.value for r in tables_of("once").signals if not r.possible}
    assert once == {"signal_pending_after_RETRY", "VM_FAULT_RETRY_no_signal", "VM_FAULT_COMPLETED"}
    old = {r.outcome.value for r in tables_of("siginfo").signals if not r.possible}
    assert old == {"VM_FAULT_COMPLETED"}


def test_the_mode_may_be_a_bit_of_the_cause() -> None:
    assert tables_of("cause_bit").mode == "cause & 4"


def test_a_debug_check_in_the_dance_may_go() -> None:
    product = conversion_of("debug_lock")
    assert product.verdict == "EXPLAINED", product.report
    assert product.after is not None
    assert "CONFIG_DEBUG_VM" not in product.after
    assert "generic_fault(where, flags, need, regs)" in product.after


def test_an_mm_that_is_too_old_is_named() -> None:
    product = conversion_of("siginfo")
    assert product.after is None
    (refusal,) = product.listed.refusals
    assert "takes the mm first" in refusal.reason
