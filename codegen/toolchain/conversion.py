# SPDX-License-Identifier: GPL-2.0-only
"""Handlers converted, not yet compared: the text, and its programs read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codegen.toolchain.request import Request, constants_of, included_files, own_unit_of

if TYPE_CHECKING:
    from codegen.base.diagnostics import Refusal
    from codegen.corpus.nodes import CFile
    from codegen.ir.load import Unit
    from codegen.tables.nodes import HandlerTables
    from codegen.targets.c.convert import Conversion


def convert_file(
    request: Request, file: CFile
) -> Iterator[tuple[HandlerTables, Unit, Conversion | None]]:
    """Each user of handle_mm_fault() in a file with its conversion; None, and why, without one."""
    from codegen.tables.extract import list_handlers, with_refusal
    from codegen.targets.c.convert import Conversion

    unit = own_unit_of(request, file)
    for listed in list_handlers(unit, file.arch, included_files(request, file)):
        if listed.role != "handler" or listed.refusals:
            yield listed, unit, None
            continue
        outcome = attempt(request, file, unit, listed)
        if isinstance(outcome, Conversion):
            yield listed, unit, outcome
        else:
            yield with_refusal(listed, outcome), unit, None


def attempt(
    request: Request, file: CFile, unit: Unit, listed: HandlerTables
) -> Conversion | Refusal:
    """The handler's conversion, or why there is none: the handler's fault or the tree's."""
    from codegen.base.diagnostics import Refusal, RefusalCode
    from codegen.targets.c.after import mm_api
    from codegen.targets.c.convert import convert_handler
    from codegen.targets.c.headers import headers_of
    from codegen.targets.c.helper import HelperUnavailable

    try:
        api = mm_api(request.source.tree, file.source.text)
    except HelperUnavailable as error:
        place = (listed.function, file.path, listed.line)
        return Refusal(RefusalCode.NO_HELPER, error.reason, *place)
    headers = headers_of(request.source.tree, request.source.root / file.path)
    return convert_handler(unit, listed.function, api, request.fixes, headers)


def after_of(request: Request, file: CFile, conversion: Conversion) -> Unit:
    """The converted file's programs, read again from its bytes."""
    from codegen.targets.c.after import after_unit, mm_api

    tree = request.source.tree
    api = mm_api(tree, file.source.text)
    return after_unit(conversion.source, api, constants_of(tree), request.fixed)
