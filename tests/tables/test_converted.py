# SPDX-License-Identifier: GPL-2.0-only
"""A converted handler has the tables of the original: read again, together with the helper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codegen.base.diagnostics import RefusalCode
from codegen.corpus.nodes import CFile
from codegen.ir.environment import Outcome
from codegen.tables.nodes import AccessKind, DecodeRow, HandlerTables, ResultKind, SignalRow
from codegen.toolchain import Request, convert_file, each_file, open_request, tabled

CONVERTED = {"6.1": ((), 12), "6.12": (("arc", "riscv", "s390"), 3)}
"""Which handlers of a kernel (none: all), and how many of them convert."""


def both(request: Request, file: CFile) -> list[tuple[HandlerTables, HandlerTables]]:
    """The tables of each handler of a file that converts, before and after."""
    out = []
    for listed, _, conversion in convert_file(request, file):
        if conversion is not None:
            after = replace(file, source=conversion.source)
            (one,) = (t for t in tabled(request, file) if t.function == listed.function)
            (two,) = (t for t in tabled(request, after) if t.role == "handler")
            (again,) = (h for h, _, _ in convert_file(request, after) if h.role == "handler")
            assert again.function == listed.function
            assert [r.code for r in again.refusals] == [RefusalCode.CONVERTED]
            out.append((one, two))
    return out


def kinds(row: SignalRow) -> list[tuple[object, ...]]:
    """What a cell says, without lines and the words of its guards.

    An access check that ends in BUG() stands before the lock once it is
    converted, among the early exits: no cell tells of it any more.
    """
    return [
        tuple((r.kind, r.signo, r.code) for r in case.results)
        for case in sorted(row.cases, key=lambda c: str(c.results))
        if row.outcome is not Outcome.ACCESS_DENIED or case.results[0].kind is not ResultKind.BUG
    ]


def access(row: DecodeRow) -> tuple[object, ...]:
    return row.fault_flags, row.access.kind, row.access.bits


@pytest.mark.parametrize("release", ["6.1", "6.12"])
def test_the_tables_outlive_the_conversion(release: str, kernel_61: Path, kernel_612: Path) -> None:
    archs, count = CONVERTED[release]
    request = open_request(kernel_61 if release == "6.1" else kernel_612, archs, {}, 2)
    pairs = [pair for found in each_file(request, both) for pair in found]
    assert len(pairs) == count
    for before, after in pairs:
        assert after.function == before.function
        assert not after.refusals
        assert after.inconvertible is not None
        rows = {access(r) for r in before.decode if r.access.kind is not AccessKind.BUG}
        assert {access(r) for r in after.decode} == rows, before.arch
        old = {(r.mode, r.outcome): r for r in before.signals}
        assert {(r.mode, r.outcome) for r in after.signals} >= old.keys(), before.arch
        for row in after.signals:
            told = kinds(row)
            if row.mode == "kernel" and told == [((ResultKind.KERNEL, None, None),)]:
                continue  # what the contract asks for, whatever the original did
            assert (row.mode, row.outcome) in old, (before.arch, row)
            assert told == kinds(old[row.mode, row.outcome]), (before.arch, row)
