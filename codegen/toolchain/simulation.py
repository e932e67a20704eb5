# SPDX-License-Identifier: GPL-2.0-only
"""The simulators of a file's handlers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from codegen.toolchain.conversion import after_of, convert_file
from codegen.toolchain.request import Request, included_files, unit_of

if TYPE_CHECKING:
    from codegen.base.diagnostics import Refusal
    from codegen.corpus.nodes import CFile
    from codegen.ir.handler import Found
    from codegen.ir.load import Unit, Variant

    Program = tuple[Unit, Variant, Found]


_WORD = re.compile(r"\b[A-Za-z_]\w*")


def simulators(
    request: Request, file: CFile, converted_side: bool, function: str | None = None
) -> tuple[tuple[str, str | Refusal], ...]:
    """(name, Python text) of the simulator of each handler of a file, before or after.

    With `function` it is that of a routine of the handler's file, run by itself. A
    refusal stands in for the text where the handler cannot be read, or does
    not convert, or where the file has no such routine.
    """
    from codegen.base.diagnostics import Refusal, RefusedError
    from codegen.targets.simulator.emit import emit_simulator

    kernel = f"linux {request.source.kernel}" if request.source.kernel else request.source.name
    programs = _converted(request, file) if converted_side else _as_they_are(request, file)
    out: list[tuple[str, str | Refusal]] = []
    for program in programs:
        if isinstance(program, Refusal):
            out.append((file.selector, program))
            continue
        unit, variant, found = program
        if function is not None:
            routine = _routine(unit, function, found)
            if isinstance(routine, Refusal):
                out.append((file.selector, routine))
                continue
            variant, found = routine
        try:
            text = emit_simulator(
                variant.program,
                found,
                title=kernel,
                converted=converted_side,
                configuration=str(variant.configurations[0]),
            )
        except RefusedError as error:
            out.append((file.selector, error.refusal))
        else:
            out.append((file.selector, text))
    return tuple(out)


def words_of_headers(request: Request, scenario: Iterable[str]) -> str:
    """The words in a scenario's names that no file says, and the headers of its tree define.

    A scenario of two trees has the numbers of both sides' constants.
    """
    from codegen.corpus.defines import definitions_of_arch

    tree, files = request.source.tree, request.source.files
    if tree is None:
        return ""
    said = {w for file in files for w in _WORD.findall(file.source.text)}
    words = {w for name in scenario for w in _WORD.findall(name)} - said
    known = {w for w in words for f in files if definitions_of_arch(tree, f.path, w)}
    return " ".join(sorted(known))


def _as_they_are(request: Request, file: CFile) -> Iterator[Program | Refusal]:
    """The handlers of a file, converted ones together with `generic_fault()`."""
    from codegen.tables.extract import list_handlers

    unit = unit_of(request, file)
    for listed in list_handlers(unit, file.arch, included_files(request, file)):
        if listed.role == "handler":
            first = _first_variant(unit, listed.function)
            yield (unit, *first) if first is not None else listed.refusals[0]


def _converted(request: Request, file: CFile) -> Iterator[Program | Refusal]:
    """The same handlers after their conversion."""
    from codegen.targets.compare.settings import agree

    for listed, unit, conversion in convert_file(request, file):
        if listed.role != "handler":
            continue
        before = _first_variant(unit, listed.function)
        if conversion is None or before is None:
            yield listed.refusals[0]
            continue
        variant, found = before
        after = after_of(request, file, conversion)
        yield next(
            (after, v, found)
            for v in after.variants
            if any(agree(a, b) for a in variant.configurations for b in v.configurations)
        )


def _first_variant(unit: Unit, function: str) -> tuple[Variant, Found] | None:
    found = ((v, f) for v in unit.variants for f in v.found if f.function == function)
    return next(found, None)


def _routine(unit: Unit, function: str, handler: Found) -> tuple[Variant, Found] | Refusal:
    """A routine's program in the first configuration in which the file defines it."""
    from codegen.base.diagnostics import Refusal, RefusalCode
    from codegen.ir.handler import Found, HandlerRole
    from codegen.ir.load import load_routine

    refusals: list[Refusal] = []
    for variant in load_routine(unit, function):
        program = variant.program
        if function in program.functions:
            span = program.functions[function].span
            return variant, Found(function, HandlerRole.OTHER, handler.dialect, span, (function,))
        refusals += variant.refusals
    path, line = unit.source.path, unit.source.line(handler.span.start)
    missing = Refusal(
        RefusalCode.UNREADABLE, "is no function that the file defines", function, path, line
    )
    return next(iter(refusals), missing)
