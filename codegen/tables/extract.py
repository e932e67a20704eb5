# SPDX-License-Identifier: GPL-2.0-only
"""Both tables of every handler of a file, over all its configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codegen.base.diagnostics import Refusal, RefusalCode, RefusedError
from codegen.base.spans import SourceText
from codegen.csyntax.arrays import arrays_naming
from codegen.csyntax.identifiers import uses_of, words_in
from codegen.csyntax.parse import parse
from codegen.frontend.nodes import Configuration
from codegen.ir.handler import SHARED_HELPER, Dialect, Found, HandlerRole
from codegen.ir.load import Unit, Variant
from codegen.ir.printer import term_text
from codegen.ir.solver import PathSolver, ResourceBound
from codegen.tables.decode import Decode, extract_decode
from codegen.tables.merge import merge_tables, presence
from codegen.tables.nodes import Case, DecodeRow, HandlerTables, SignalRow
from codegen.tables.reuse import Recall
from codegen.tables.signals import extract_signals

_DIALECT_ORDER = list(Dialect)


def list_handlers(
    unit: Unit, arch: str | None, included: Sequence[SourceText] = ()
) -> tuple[HandlerTables, ...]:
    """The users of handle_mm_fault() in a file, without their tables.

    `included` are C files that the file includes by quoted name: they are not
    expanded, only searched for arrays that the handler stands in. A file in
    which nothing is found but some function in reach cannot be read gives one
    entry that carries the refusals.
    """
    seen: dict[str, list[tuple[Variant, Found]]] = {}
    for variant in unit.variants:
        for found in variant.found:
            seen.setdefault(found.function, []).append((variant, found))
    everything = [c for v in unit.variants for c in v.configurations]
    out = []
    for function, places in seen.items():
        found = places[0][1]
        role = min((f.role for _, f in places), key=list(HandlerRole).index)
        dialect = max((f.dialect for _, f in places), key=_DIALECT_ORDER.index)
        conditions = tuple(str(presence(v.configurations, everything) or "") for v, _ in places)
        out.append(
            HandlerTables(
                arch,
                role,
                unit.source.path,
                function,
                _definition_line(unit, function, found),
                dialect,
                tuple(c for c in dict.fromkeys(conditions) if c),
                refusals=unit.refusals if role is HandlerRole.HANDLER else (),
                reached_through=_reached_through(unit, function, included),
            )
        )
    converted = _already_converted(unit, arch)
    handler = next((h for h in out if h.role is HandlerRole.HANDLER), None)
    if converted is not None and not _is_part_of(unit, handler, converted):
        # What loops beside a converted handler was left to (sparc32's forced user faults).
        beside = [replace(h, role=HandlerRole.SECOND) if h is handler else h for h in out]
        return (converted, *beside)
    if handler is not None:
        return tuple(out)
    if not unit.refusals:
        return tuple(out)
    if out:
        # What could not be read may be what makes one of these a handler.
        return tuple(replace(h, refusals=unit.refusals) for h in out)
    return (_unread(unit, arch),)


def _reached_through(unit: Unit, function: str, included: Sequence[SourceText]) -> tuple[str, ...]:
    """`name[] path:line` of each array of functions that leads to the handler."""
    names = {function}
    callers = {f.name: set(words_in(unit.tree, f.body)) for f in unit.tree.functions}
    while more := {n for n, words in callers.items() if words & names} - names:
        names |= more
    out = []
    for tree in (unit.tree, *map(parse, included)):
        for name, place in arrays_naming(tree, frozenset(names)):
            out.append(f"{name}[] {tree.source.path}:{tree.source.line(place.start)}")
    return tuple(dict.fromkeys(out))


def _already_converted(unit: Unit, arch: str | None) -> HandlerTables | None:
    """The entry of a handler that calls the helper: there is no dance left to read."""
    for function in unit.tree.functions:
        if function.name != SHARED_HELPER and uses_of(unit.tree, SHARED_HELPER, function.body):
            line = unit.source.line(function.name_span.start)
            reason = f"the handler calls {SHARED_HELPER}() already"
            refusal = Refusal(RefusalCode.CONVERTED, reason, function.name, unit.source.path, line)
            return HandlerTables(
                arch,
                HandlerRole.HANDLER,
                unit.source.path,
                function.name,
                line,
                Dialect.LOCK_MM_AND_FIND_VMA,
                (),
                refusals=(refusal,),
            )
    return None


def _is_part_of(unit: Unit, handler: HandlerTables | None, converted: HandlerTables) -> bool:
    """Whether a loop around handle_mm_fault() and the call of the helper are one handler's."""
    if handler is None or handler.function == converted.function:
        return handler is not None
    bodies = {f.name: f.body for f in unit.tree.functions}
    pairs = (handler.function, converted.function), (converted.function, handler.function)
    return any(a in bodies and uses_of(unit.tree, b, bodies[a]) for a, b in pairs)


def _unread(unit: Unit, arch: str | None) -> HandlerTables:
    """The entry of a file whose handler, as far as can be told, is what can not be read."""
    first = unit.refusals[0]
    place = unit.source.line_start(first.line)
    inside = [f for f in unit.tree.functions if place in f.span or f.name_span.start == place]
    name = inside[0].name if inside else first.construct
    line = unit.source.line(inside[0].name_span.start) if inside else first.line
    return HandlerTables(
        arch,
        HandlerRole.HANDLER,
        unit.source.path,
        name,
        line,
        Dialect.FIND_VMA,
        (),
        refusals=unit.refusals,
    )


def _definition_line(unit: Unit, function: str, found: Found) -> int:
    """The line of the function's name; a name defined in several arms counts where it is found."""
    for text in unit.tree.functions:
        if text.name == function and text.span == found.span:
            return unit.source.line(text.name_span.start)
    return unit.source.line(found.span.start)


def extract_tables(
    unit: Unit, arch: str | None, included: Sequence[SourceText] = ()
) -> tuple[HandlerTables, ...]:
    """Both tables of each handler that can be read; others come with their refusals.

    Only the handler proper has tables; a second loop and other users are listed.
    """
    out = []
    for listed in list_handlers(unit, arch, included):
        if listed.role is not HandlerRole.HANDLER or listed.refusals:
            out.append(listed)
            continue
        try:
            out.append(_with_tables(unit, listed))
        except RefusedError as error:
            out.append(with_refusal(listed, error.refusal))
        except ResourceBound as bound:
            refusal = Refusal(
                RefusalCode.RESOURCE, str(bound), listed.function, listed.path, listed.line
            )
            out.append(with_refusal(listed, refusal))
    return tuple(out)


def with_refusal(listed: HandlerTables, refusal: Refusal) -> HandlerTables:
    """The handler with one more reason why it is not dealt with."""
    return replace(listed, refusals=(*listed.refusals, refusal))


def _with_tables(unit: Unit, listed: HandlerTables) -> HandlerTables:
    decodes: list[tuple[tuple[Configuration, ...], tuple[DecodeRow, ...]]] = []
    signals: list[tuple[tuple[Configuration, ...], tuple[SignalRow, ...]]] = []
    mode_text = listed.mode
    # One for all variants: they ask much the same questions.
    solver = PathSolver()
    cases: Recall[tuple[Case, ...]] = Recall()
    rows: Recall[Decode] = Recall()
    for variant in unit.variants:
        found = next(
            (
                f
                for f in variant.found
                if f.function == listed.function and f.role is HandlerRole.HANDLER
            ),
            None,
        )
        if found is None:
            continue
        program = variant.program
        decode = extract_decode(program, found.entries, found.function, solver, rows)
        cells: list[SignalRow] = []
        for entry in found.entries:
            mode = decode.modes[entry]
            if mode is not None:
                mode_text = term_text(mode)
            cells += extract_signals(program, entry, found.function, mode, solver, cases)
        decodes.append((variant.configurations, decode.rows))
        signals.append((variant.configurations, _of_all_entries(cells)))
    return replace(
        listed,
        decode=merge_tables(decodes, lambda _: "decode"),
        signals=merge_tables(signals, lambda row: (row.mode, row.outcome)),
        mode=mode_text,
    )


def _of_all_entries(cells: list[SignalRow]) -> tuple[SignalRow, ...]:
    """The cells of several callers: equal ones are one, others stand side by side."""
    out: list[SignalRow] = []
    for cell in cells:
        twin = next((c for c in out if (c.mode, c.outcome) == (cell.mode, cell.outcome)), None)
        if twin is None:
            out.append(cell)
            continue
        if twin.possible is not cell.possible:
            out[out.index(twin)] = twin if twin.possible else cell
            continue
        results = {c.results for c in twin.cases}
        new = tuple(c for c in cell.cases if c.results not in results)
        if new:
            out[out.index(twin)] = SignalRow(twin.mode, twin.outcome, (*twin.cases, *new))
    return tuple(out)
