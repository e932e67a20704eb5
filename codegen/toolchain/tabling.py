# SPDX-License-Identifier: GPL-2.0-only
"""The tables of each handler."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codegen.toolchain.conversion import attempt
from codegen.toolchain.request import Request, included_files, unit_of

if TYPE_CHECKING:
    from codegen.corpus.nodes import CFile
    from codegen.ir.load import Unit
    from codegen.tables.nodes import HandlerTables


def tabled(request: Request, file: CFile) -> tuple[HandlerTables, ...]:
    """The same, with both tables of each handler."""
    from codegen.tables.extract import extract_tables

    unit = unit_of(request, file)
    found = extract_tables(unit, file.arch, included_files(request, file))
    return tuple(with_status(request, file, unit, listed) for listed in found)


def with_status(request: Request, file: CFile, unit: Unit, listed: HandlerTables) -> HandlerTables:
    """The entry with the reason why a handler that was read does not convert."""
    from codegen.base.diagnostics import Refusal

    if listed.role != "handler" or listed.refusals:
        return listed
    outcome = attempt(request, file, unit, listed)
    return replace(listed, inconvertible=outcome) if isinstance(outcome, Refusal) else listed
