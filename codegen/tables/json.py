# SPDX-License-Identifier: GPL-2.0-only
"""The tables in the JSON form of the contract with users (schema genfault/1)."""

from __future__ import annotations

from typing import Any

from codegen.base.diagnostics import Refusal, RefusalCode
from codegen.tables.nodes import (
    Access,
    AccessKind,
    Case,
    DecodeRow,
    HandlerTables,
    Result,
    ResultKind,
    SignalRow,
)


def handler_json(tables: HandlerTables, *, with_tables: bool) -> dict[str, Any]:
    """One HANDLER object; `decode` and `signals` only where they were asked for."""
    refusal = tables.refusals[0] if tables.refusals else tables.inconvertible
    out: dict[str, Any] = {
        "arch": tables.arch,
        "role": tables.role.value,
        "file": tables.path,
        "function": tables.function,
        "line": tables.line,
        "dialect": tables.dialect.value,
        "status": status(tables),
        "refusal": None if refusal is None else refusal_json(refusal),
        "configurations": list(tables.configurations),
    }
    if tables.wanted:
        out["accept"] = list(tables.wanted)
    if tables.reached_through:
        out["reached_through"] = list(tables.reached_through)
    if with_tables:
        out["decode"] = [decode_json(r) for r in tables.decode]
        out["signals"] = [signal_json(r) for r in tables.signals]
    return out


def status(tables: HandlerTables) -> str:
    """`unreadable`, `refused` or `convertible`, the contract's words."""
    if not tables.refusals:
        return "convertible" if tables.inconvertible is None else "refused"
    return "unreadable" if tables.refusals[0].code is RefusalCode.UNREADABLE else "refused"


def refusal_json(refusal: Refusal) -> dict[str, Any]:
    """A refusal without its file, which the handler names."""
    return {
        "code": refusal.code.value,
        "reason": refusal.reason,
        "construct": refusal.construct,
        "line": refusal.line,
    }


def decode_json(row: DecodeRow) -> dict[str, Any]:
    """One row of the decode; `lost` only where flags are."""
    out: dict[str, Any] = {
        "guard": row.guard,
        "presence": row.presence,
        "line": row.line,
        "fault_flags": list(row.fault_flags),
        "access": access_json(row.access),
    }
    if row.lost:
        out["lost"] = list(row.lost)
    return out


def access_json(access: Access) -> dict[str, Any]:
    """How the VMA is checked."""
    out: dict[str, Any] = {"kind": access.kind.value}
    if access.kind is AccessKind.MASK:
        out["bits"] = list(access.bits)
    if access.text is not None:
        # What limits a mask further has a name of its own: it is not the predicate.
        out["also" if access.kind is AccessKind.MASK else "text"] = access.text
    return out


def signal_json(row: SignalRow) -> dict[str, Any]:
    """One cell of the signal map."""
    out: dict[str, Any] = {
        "mode": row.mode,
        "outcome": row.outcome.value,
        "presence": row.presence,
        "cases": [_case_json(c) for c in row.cases],
    }
    if not row.possible:
        # Only where it is so: what the handler would do is told all the same.
        out["possible"] = False
    return out


def _case_json(case: Case) -> dict[str, Any]:
    results = [result_json(r) for r in case.results]
    return {
        "guard": case.guard,
        "line": case.line,
        "result": results[0] if len(results) == 1 else results,
        "effects": list(case.effects),
    }


def result_json(result: Result) -> dict[str, Any]:
    """One thing that happens."""
    out: dict[str, Any] = {"kind": result.kind.value}
    if result.kind is ResultKind.SIGNAL:
        out |= {"signo": result.signo, "code": result.code, "addr": result.addr}
    if result.kind is ResultKind.RETURN:
        out["value"] = result.value
    return out
