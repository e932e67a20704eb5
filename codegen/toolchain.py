# SPDX-License-Identifier: GPL-2.0-only
"""Every stage of the tool, in order.

    corpus     text        open_source()
    frontend   constants   tree_constants()
    ir         programs    load_unit()
    tables     decisions   extract_tables()
    targets    products    convert_handler(), compare(), emit_simulator()

A stage is imported where it is used: `genfault --help` loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from codegen.base.diagnostics import Refusal
    from codegen.base.spans import SourceText
    from codegen.corpus.nodes import CFile, Source
    from codegen.frontend.nodes import Configuration
    from codegen.ir.handler import Found
    from codegen.ir.load import Unit, Variant
    from codegen.tables.nodes import HandlerTables
    from codegen.targets.c.nodes import HelperText, MmApi
    from codegen.targets.c.write import ConvertedFile
    from codegen.targets.compare.nodes import Comparison, DifferenceClass, Side

R = TypeVar("R")


@dataclass(frozen=True)
class Request:
    """What one run works on: the source, and the macros that the user has set."""

    source: Source
    fixed: Mapping[str, str | None] = field(default_factory=dict)
    jobs: int = 1


def open_request(
    path: Path | None, archs: Sequence[str], fixed: Mapping[str, str | None], jobs: int
) -> Request:
    """Finds the files of a SOURCE argument. Raises GenfaultError for one that is unusable."""
    from codegen.corpus.discover import open_source

    return Request(open_source(path, archs), fixed, jobs)


@cache
def constants_of(tree: Path | None) -> Mapping[str, int]:
    """The values of the fault flags: a tree's own, or the vocabulary's."""
    from codegen.frontend.constants import merge, tree_constants
    from codegen.ir.vocabulary import load

    vocabulary = load().constants
    return vocabulary if tree is None else merge(vocabulary, tree_constants(tree))


def unit_of(request: Request, file: CFile) -> Unit:
    """A file's programs, in every configuration."""
    from codegen.ir.load import load_unit

    return load_unit(file.source, constants_of(request.source.tree), request.fixed)


def listed(request: Request, file: CFile) -> tuple[HandlerTables, ...]:
    """The users of handle_mm_fault() in a file."""
    from codegen.tables.extract import list_handlers

    return list_handlers(unit_of(request, file), file.arch)


def tabled(request: Request, file: CFile) -> tuple[HandlerTables, ...]:
    """The same, with both tables of each handler."""
    from codegen.tables.extract import extract_tables

    return extract_tables(unit_of(request, file), file.arch)


def _nothing(count: int) -> None:
    """Nobody wants to know how far it is."""


def each_file(
    request: Request,
    work: Callable[[Request, CFile], R],
    done: Callable[[int], None] = _nothing,
) -> Iterator[R]:
    """`work` on every file, in parallel where there is more than one, results in file order."""
    files = request.source.files
    work = partial(_guarded, work)
    if request.jobs <= 1 or len(files) <= 1:
        for file in files:
            yield work(request, file)
            done(1)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(request.jobs) as pool:
        # The largest files first: a late large one would leave a core idle.
        order = sorted(range(len(files)), key=lambda i: -len(files[i].source.text))
        futures = {i: pool.submit(work, request, files[i]) for i in order}
        for i in range(len(files)):
            yield futures[i].result()
            done(1)


def _guarded(work: Callable[[Request, CFile], R], request: Request, file: CFile) -> R:
    """`work`, with the file named where it breaks. Raises InternalError."""
    from codegen.base.diagnostics import GenfaultError, InternalError

    try:
        return work(request, file)
    except GenfaultError:
        raise
    except (Exception, RecursionError) as error:
        raise InternalError(file.path, error) from error


# ---- conversion, comparison, simulation ----------------------------------------------


@dataclass(frozen=True)
class Product:
    """One handler, converted and compared: plain data, so that it travels between processes.

    `after` is the converted file where there is one to show; `differences` and
    `report` are the comparison's JSON and text.
    """

    listed: HandlerTables
    before: str
    after: str | None = None
    verdict: str = "UNSUPPORTED"
    differences: tuple[dict[str, Any], ...] = ()
    report: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_handler(self) -> bool:
        """Whether it counts: a second loop and other users of handle_mm_fault() do not."""
        return self.listed.role == "handler"


def helper_of(tree: Path | None, text: str = "") -> HelperText:
    """`generic_fault()` as it is rendered for a tree, or else for a handler's own words."""
    from codegen.targets.c.helper import render_helper

    return render_helper(_mm_api(tree, text))


def _mm_api(tree: Path | None, text: str) -> MmApi:
    from codegen.targets.c.helper import mm_api_of_file

    return mm_api_of_file(text) if tree is None else _tree_api(tree)


@cache
def _tree_api(tree: Path) -> MmApi:
    from codegen.targets.c.helper import read_mm_api

    return read_mm_api(tree)


def helper_source(tree: Path | None, text: str = "") -> SourceText:
    """The helper's C text under the name that it gets in the tree."""
    from codegen.base.spans import SourceText
    from codegen.targets.c.nodes import HELPER_C

    return SourceText(HELPER_C, helper_of(tree, text).c)


def after_unit(request: Request, source: SourceText, before: str = "") -> Unit:
    """A converted file's programs; the helper's own text is inlined in them.

    `before` is the text that was converted, which tells the helper where there is no tree.
    """
    from codegen.frontend.constants import enumerators
    from codegen.ir.load import load_unit

    tree = request.source.tree
    constants = {**constants_of(tree), **enumerators(helper_of(tree, before).header)}
    return load_unit(source, constants, request.fixed, helper_source(tree, before))


def judged(request: Request, file: CFile) -> tuple[HandlerTables, ...]:
    """The users of handle_mm_fault() in a file, with the reason where one does not convert."""
    return tuple(product.listed for product in converted(request, file, None))


def converted(
    request: Request, file: CFile, accepted: frozenset[str] | None
) -> tuple[Product, ...]:
    """Each handler of a file converted, parsed again from its bytes, and compared.

    `accepted` are the classes of difference that count as explained; None
    converts without comparing. A difference that is not accepted keeps the
    text back (`after` None) and makes the verdict DIFFERS.
    """
    from codegen.ir.handler import HandlerRole
    from codegen.tables.extract import list_handlers, with_refusal
    from codegen.targets.c.convert import Conversion, convert_handler

    unit = unit_of(request, file)
    products = []
    for listed in list_handlers(unit, file.arch):
        if listed.role is not HandlerRole.HANDLER or listed.refusals:
            products.append(Product(listed, file.source.text))
            continue
        outcome = convert_handler(unit, listed.function, _mm_api(request.source.tree, unit.source.text))
        if not isinstance(outcome, Conversion):
            products.append(Product(with_refusal(listed, outcome), file.source.text))
            continue
        product = Product(listed, file.source.text, outcome.source.text, notes=outcome.notes)
        if accepted is not None:
            product = _compared(request, unit, outcome.source, product, accepted)
        products.append(product)
    return tuple(products)


def _compared(
    request: Request, unit: Unit, source: SourceText, product: Product, accepted: frozenset[str]
) -> Product:
    judged_pair = _judged_pair(unit, after_unit(request, source, unit.source.text), product, accepted)
    if judged_pair.verdict in ("EQUAL", "EXPLAINED"):
        return judged_pair
    return replace(judged_pair, after=None)


def _judged_pair(before: Unit, after: Unit, product: Product, accepted: frozenset[str]) -> Product:
    """The product with the verdict over every pair of configurations that agree."""
    from codegen.targets.compare.merge import combined
    from codegen.targets.compare.printer import comparison_json, comparison_text

    pairs = sides(before, after, product.listed.function)
    comparison = combined([_compare(src, tgt, accepted) for src, tgt in pairs])
    return replace(
        product,
        verdict=comparison.verdict.value,
        differences=tuple(comparison_json(comparison)["differences"]),
        report=comparison_text(comparison),
    )


def _classes(accepted: frozenset[str]) -> frozenset[DifferenceClass]:
    from codegen.targets.compare.nodes import DifferenceClass

    return frozenset(DifferenceClass(name) for name in accepted)


def _compare(src: Side, tgt: Side, accepted: frozenset[str]) -> Comparison:
    from codegen.targets.compare.compare import compare

    return compare(src, tgt, accepted=_classes(accepted))


def sides(before: Unit, after: Unit, function: str) -> Iterator[tuple[Side, Side]]:
    """The programs of two files that are the same handler under a common configuration.

    `function` is the handler's name in `before`; `after` has it under the same
    name, or has one handler of its own.
    """
    from codegen.ir.handler import HandlerRole
    from codegen.ir.solver import PathSolver
    from codegen.tables.mode import find_mode
    from codegen.targets.compare.nodes import Side

    def side(variant: Variant, entry: str, handler: str, label: str) -> Side:
        mode = find_mode(variant.program, entry, handler, PathSolver())
        return Side(variant.program, entry, mode, label)

    for one in before.variants:
        found = next(
            (f for f in one.found if f.function == function and f.role is HandlerRole.HANDLER), None
        )
        if found is None:
            continue
        for two in after.variants:
            if not any(_agree(a, b) for a in one.configurations for b in two.configurations):
                continue
            theirs = next((f for f in two.found if f.role is HandlerRole.HANDLER), None)
            name = function if function in two.program.functions else None
            if name is None and theirs is not None:
                name = theirs.function
            for entry in found.entries:
                target = entry if entry in two.program.functions else name
                if name is None or target is None:
                    continue
                yield (
                    side(one, entry, function, before.source.path),
                    side(two, target, name, after.source.path),
                )


def _agree(a: Configuration, b: Configuration) -> bool:
    return all(b.settings.get(n, v) == v for n, v in a.settings.items())


def simulators(
    request: Request, file: CFile, converted_side: bool
) -> tuple[tuple[str, str | Refusal], ...]:
    """(name, Python text) of the simulator of each handler of a file, before or after.

    A refusal stands in for the text where the handler cannot be read, or does
    not convert.
    """
    from codegen.base.diagnostics import RefusedError
    from codegen.ir.handler import HandlerRole
    from codegen.tables.extract import list_handlers
    from codegen.targets.c.convert import Conversion, convert_handler
    from codegen.targets.simulator.emit import emit_simulator

    unit = unit_of(request, file)
    kernel = f"linux {request.source.kernel}" if request.source.kernel else request.source.name
    out: list[tuple[str, str | Refusal]] = []
    for listed in list_handlers(unit, file.arch):
        if listed.role is not HandlerRole.HANDLER:
            continue
        if listed.refusals:
            out.append((file.selector, listed.refusals[0]))
            continue
        variant, found = _first_variant(unit, listed.function)
        if converted_side:
            outcome = convert_handler(unit, listed.function, _mm_api(request.source.tree, unit.source.text))
            if not isinstance(outcome, Conversion):
                out.append((file.selector, outcome))
                continue
            after = after_unit(request, outcome.source, unit.source.text)
            variant = next(
                v
                for v in after.variants
                if any(_agree(a, b) for a in variant.configurations for b in v.configurations)
            )
        try:
            text = emit_simulator(variant.program, found, title=kernel, converted=converted_side)
        except RefusedError as error:
            out.append((file.selector, error.refusal))
        else:
            out.append((file.selector, text))
    return tuple(out)


def _first_variant(unit: Unit, function: str) -> tuple[Variant, Found]:
    return next((v, f) for v in unit.variants for f in v.found if f.function == function)


def helper_files(request: Request) -> list[ConvertedFile]:
    """The files that a tree gains with the helper; none for a source that is no tree."""
    from codegen.corpus.nodes import SourceKind
    from codegen.targets.c.nodes import HELPER_C, HELPER_HEADER
    from codegen.targets.c.write import ConvertedFile

    if request.source.kind is not SourceKind.TREE:
        return []
    helper = helper_of(request.source.tree)
    return [
        ConvertedFile(HELPER_HEADER, None, helper.header),
        ConvertedFile(HELPER_C, None, helper.c),
    ]


def pair_up(src: Source, tgt: Source) -> dict[str, CFile]:
    """The files of two sources that hold the same architecture's handler, by src's path.

    Raises GenfaultError where they have none in common.
    """
    from codegen.base.diagnostics import GenfaultError

    theirs = {f.path: f for f in tgt.files}
    by_selector = {f.selector: f for f in tgt.files}
    partners = {}
    for file in src.files:
        partner = theirs.get(file.path) or by_selector.get(file.selector)
        if partner is not None:
            partners[file.path] = partner
    if len(src.files) == len(tgt.files) == 1:
        partners = {src.files[0].path: tgt.files[0]}
    if not partners:
        raise GenfaultError(f"{src.name} and {tgt.name} have no handler in common")
    return partners


def against(
    request: Request,
    file: CFile,
    other: Request,
    partners: Mapping[str, CFile],
    accepted: frozenset[str],
) -> tuple[Product, ...]:
    """Each handler of a file compared with the same handler of another source."""
    from codegen.base.diagnostics import Refusal, RefusalCode
    from codegen.ir.handler import HandlerRole
    from codegen.tables.extract import list_handlers, with_refusal

    unit = unit_of(request, file)
    partner = partners.get(file.path)
    theirs = unit_of(other, partner) if partner is not None else None
    products = []
    for listed in list_handlers(unit, file.arch):
        if listed.role is not HandlerRole.HANDLER:
            continue
        product = Product(listed, file.source.text)
        twin = None
        if theirs is not None and partner is not None:
            twin = next(
                (h for h in list_handlers(theirs, partner.arch) if h.role is HandlerRole.HANDLER),
                None,
            )
        if listed.refusals or theirs is None or twin is None or twin.refusals:
            if not listed.refusals:
                reason = "has no counterpart that can be read in the other source"
                refusal = Refusal(
                    RefusalCode.NO_DANCE, reason, listed.function, listed.path, listed.line
                )
                refusal = twin.refusals[0] if twin is not None and twin.refusals else refusal
                product = replace(product, listed=with_refusal(listed, refusal))
            products.append(product)
            continue
        products.append(_judged_pair(unit, theirs, product, accepted))
    return tuple(products)


def checked(request: Request, file: CFile, accepted: frozenset[str]) -> tuple[Product, ...]:
    """Each handler of a file against the contract; the findings as differences."""
    from codegen.ir.handler import HandlerRole
    from codegen.tables.extract import list_handlers
    from codegen.targets.compare.check import check
    from codegen.targets.compare.merge import findings
    from codegen.targets.compare.printer import comparison_json, findings_text

    unit = unit_of(request, file)
    products = []
    for listed in list_handlers(unit, file.arch):
        product = Product(listed, file.source.text)
        if listed.role is HandlerRole.HANDLER and not listed.refusals:
            found = [check(src) for src, _ in sides(unit, unit, listed.function)]
            result = findings(found, _classes(accepted))
            product = replace(
                product,
                verdict=result.verdict.value,
                differences=tuple(comparison_json(result)["differences"]),
                report=findings_text(listed.path, listed.function, result),
            )
        products.append(product)
    return tuple(products)
