# SPDX-License-Identifier: GPL-2.0-only
"""Handlers compared: with their conversion, and with the contract."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codegen.toolchain.conversion import after_of, convert_file
from codegen.toolchain.products import Product, classes_of, reading_of, simulate_command
from codegen.toolchain.request import Request, included_files, unit_of
from codegen.toolchain.tabling import with_status

if TYPE_CHECKING:
    from codegen.corpus.nodes import CFile
    from codegen.tables.nodes import HandlerTables


def converted(
    request: Request, file: CFile, accepted: frozenset[str], with_tables: bool = False
) -> tuple[Product, ...]:
    """Each handler of a file converted, parsed again from its bytes, and compared.

    `accepted` are the classes of difference that count as explained. Any other
    difference keeps the text back (`after` None) and makes the verdict DIFFERS.
    """
    from codegen.tables.extract import extract_tables
    from codegen.targets.compare.printer import comparison_text
    from codegen.targets.compare.sides import compare_units

    products = []
    for listed, unit, conversion in convert_file(request, file):
        product = Product(listed, file.source.text)
        if conversion is not None:
            after = after_of(request, file, conversion)
            comparison = compare_units(unit, after, listed.function, classes_of(accepted))
            product = replace(product, notes=conversion.notes)
            command = simulate_command(request, file)
            path = file.path
            fixes = (word for fix in sorted(request.fixes) for word in ("--fix", fix))
            after_command = (*command, "--converted", *fixes)
            reading = reading_of(unit, (path, path), command, after_command)
            product = product.judged(comparison, comparison_text(comparison, reading), reading)
            if product.verdict in ("EQUAL", "EXPLAINED"):
                newline = file.source.newline
                product = replace(product, after=conversion.source.with_newlines(newline).text)
            elif product.verdict == "DIFFERS":
                product = replace(product, wanted=_wanted(product, accepted))
        if with_tables and product.is_handler:
            found = extract_tables(unit, file.arch, included_files(request, file))
            tables = next((t for t in found if t.function == listed.function), None)
            product = replace(product, tables=tables)
        products.append(product)
    return tuple(products)


def _wanted(product: Product, accepted: frozenset[str]) -> tuple[str, ...]:
    """The classes that have to be accepted yet; none if that does not help."""
    missing = {str(d["class"]) for d in product.differences} - accepted
    return () if "other" in missing else tuple(sorted(missing))


def judged(request: Request, file: CFile) -> tuple[HandlerTables, ...]:
    """The users of handle_mm_fault() in a file, with the reason where one does not convert.

    A conversion that the comparison does not let pass is none; one that passes
    once the user accepts a class says which.
    """
    from codegen.base.diagnostics import Refusal, RefusalCode
    from codegen.tables.extract import with_refusal
    from codegen.targets.compare.nodes import DEFAULT_ACCEPTED

    out = []
    for product in converted(request, file, frozenset(DEFAULT_ACCEPTED)):
        listed = product.listed
        if product.wanted:
            listed = replace(listed, wanted=product.wanted)
        elif product.verdict in ("DIFFERS", "UNKNOWN"):
            classes = {str(d["class"]) for d in product.differences} - set(DEFAULT_ACCEPTED)
            reason = f"the conversion is {product.verdict}, {', '.join(sorted(classes))}"
            refusal = Refusal(RefusalCode.DIFFERS, reason, listed.function, file.path, listed.line)
            listed = with_refusal(listed, refusal)
        out.append(listed)
    return tuple(out)


def checked(request: Request, file: CFile, accepted: frozenset[str]) -> tuple[Product, ...]:
    """Each handler of a file against the contract; the findings as differences."""
    from codegen.base.diagnostics import Refusal, RefusalCode
    from codegen.ir.solver import ResourceBound
    from codegen.tables.extract import list_handlers, with_refusal
    from codegen.targets.compare.check import check_all
    from codegen.targets.compare.merge import findings
    from codegen.targets.compare.printer import findings_text
    from codegen.targets.compare.sides import sides

    unit = unit_of(request, file)
    products = []
    for listed in list_handlers(unit, file.arch):
        product = Product(with_status(request, file, unit, listed), file.source.text)
        if listed.role == "handler" and not listed.refusals:
            try:
                found = check_all(src for src, _ in sides(unit, unit, listed.function))
            except ResourceBound as bound:
                refusal = Refusal(
                    RefusalCode.RESOURCE, str(bound), listed.function, file.path, listed.line
                )
                product = replace(product, listed=with_refusal(listed, refusal), verdict="UNKNOWN")
            else:
                result = findings(found, classes_of(accepted))
                reading = reading_of(unit, (file.path,) * 2, simulate_command(request, file), None)
                text = findings_text(listed.path, listed.function, result, reading)
                product = product.judged(result, text, reading)
        products.append(product)
    return tuple(products)
