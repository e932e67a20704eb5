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
    from codegen.ir.handler import Found
    from codegen.ir.load import Unit, Variant
    from codegen.tables.nodes import HandlerTables
    from codegen.targets.c.convert import Conversion
    from codegen.targets.c.series import Plan
    from codegen.targets.compare.nodes import Comparison, DifferenceClass
    from codegen.targets.compare.printer import Reading
    from codegen.targets.report.nodes import Entry

R = TypeVar("R")


@dataclass(frozen=True)
class Request:
    """What one run works on: the source, and the macros that the user has set.

    `path` is the SOURCE argument as it was given, None for the bundled snippets;
    `fixes` are the classes of difference that a conversion is to mend.
    """

    source: Source
    fixed: Mapping[str, str | None] = field(default_factory=dict)
    jobs: int = 1
    path: Path | None = None
    fixes: frozenset[str] = frozenset()


def open_request(
    path: Path | None, archs: Sequence[str], fixed: Mapping[str, str | None], jobs: int
) -> Request:
    """Finds the files of a SOURCE argument. Raises GenfaultError for one that is unusable."""
    from codegen.corpus.discover import open_source

    return Request(open_source(path, archs), fixed, jobs, path)


@cache
def constants_of(tree: Path | None) -> Mapping[str, int]:
    """The values of the fault flags: a tree's own, or the vocabulary's."""
    from codegen.frontend.constants import merge, tree_constants
    from codegen.ir.vocabulary import load

    vocabulary = load().constants
    return vocabulary if tree is None else merge(vocabulary, tree_constants(tree))


def unit_of(request: Request, file: CFile, numbers_of: Request | None = None) -> Unit:
    """A file's programs, in every configuration; lines that all end in CR LF are read as LF.

    With `numbers_of` the fault flags have the numbers of that source's tree,
    name by name, so that two kernels that number them otherwise can be compared.
    """
    from codegen.frontend.constants import reconciled
    from codegen.ir.load import load_unit

    constants = constants_of(request.source.tree)
    if numbers_of is not None:
        constants = reconciled(constants_of(numbers_of.source.tree), constants)
    return load_unit(file.source.with_newlines("\n"), constants, request.fixed)


def listed(request: Request, file: CFile) -> tuple[HandlerTables, ...]:
    """The users of handle_mm_fault() in a file."""
    from codegen.tables.extract import list_handlers

    return list_handlers(unit_of(request, file), file.arch, included_files(request, file))


def tabled(request: Request, file: CFile) -> tuple[HandlerTables, ...]:
    """The same, with both tables of each handler."""
    from codegen.tables.extract import extract_tables

    unit = unit_of(request, file)
    found = extract_tables(unit, file.arch, included_files(request, file))
    return tuple(_with_status(request, file, unit, listed) for listed in found)


def _with_status(request: Request, file: CFile, unit: Unit, listed: HandlerTables) -> HandlerTables:
    """The entry with the reason why a handler that was read does not convert."""
    from codegen.base.diagnostics import Refusal

    if listed.role != "handler" or listed.refusals:
        return listed
    outcome = _attempt(request, file, unit, listed)
    return replace(listed, inconvertible=outcome) if isinstance(outcome, Refusal) else listed


def _attempt(
    request: Request, file: CFile, unit: Unit, listed: HandlerTables
) -> Conversion | Refusal:
    """The handler's conversion, or why there is none: the handler's fault or the tree's."""
    from codegen.base.diagnostics import Refusal, RefusalCode
    from codegen.targets.c.after import mm_api
    from codegen.targets.c.convert import convert_handler
    from codegen.targets.c.helper import HelperUnavailable

    try:
        api = mm_api(request.source.tree, file.source.text)
    except HelperUnavailable as error:
        place = (listed.function, file.path, listed.line)
        return Refusal(RefusalCode.NO_HELPER, error.reason, *place)
    return convert_handler(unit, listed.function, api, request.fixes)


def included_files(request: Request, file: CFile) -> list[SourceText]:
    """The `.c` files that a file includes by quoted name, for looking things up in."""
    from codegen.corpus.read import read_included

    return read_included(request.source.root, file)


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
        raise InternalError(file.path, f"{type(error).__name__}: {error}") from error


# ---- conversion, comparison, simulation ----------------------------------------------


@dataclass(frozen=True)
class Product:
    """One handler, converted and compared: plain data, so that it travels between processes.

    `after` is the converted file where there is one to show; `differences` and
    `report` are the comparison's JSON and text. `wanted` are the classes that
    the user would have to accept to see it; `tables` are there where they were
    asked for.
    """

    listed: HandlerTables
    before: str
    after: str | None = None
    verdict: str = "UNSUPPORTED"
    differences: tuple[dict[str, Any], ...] = ()
    report: str = ""
    notes: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    tables: HandlerTables | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from the other handlers of its file."""
        return self.listed.function, self.listed.line

    @property
    def is_handler(self) -> bool:
        """Whether it counts: a second loop and other users of handle_mm_fault() do not."""
        return self.listed.role == "handler"

    @property
    def why_not(self) -> str | None:
        """Why there is no converted text to show; None where there is."""
        if self.after is not None:
            return None
        for refusal in self.listed.refusals:
            where = f"{refusal.path}:{refusal.line}"
            return f"{refusal.reason} ({where}: {refusal.construct})"
        classes = sorted({str(d["class"]) for d in self.differences})
        return f"the conversion is {self.verdict} ({', '.join(classes)})"

    def judged(self, comparison: Comparison, report: str, reading: Reading) -> Product:
        """The product with a comparison's verdict."""
        from codegen.targets.compare.printer import comparison_json

        document = comparison_json(comparison, reading)
        verdict = comparison.verdict.value
        differences = tuple(document["differences"])
        return replace(self, verdict=verdict, differences=differences, report=report)


def convert_file(
    request: Request, file: CFile
) -> Iterator[tuple[HandlerTables, Unit, Conversion | None]]:
    """Each user of handle_mm_fault() in a file with its conversion; None, and why, without one."""
    from codegen.tables.extract import list_handlers, with_refusal
    from codegen.targets.c.convert import Conversion

    unit = unit_of(request, file)
    for listed in list_handlers(unit, file.arch, included_files(request, file)):
        if listed.role != "handler" or listed.refusals:
            yield listed, unit, None
            continue
        outcome = _attempt(request, file, unit, listed)
        if isinstance(outcome, Conversion):
            yield listed, unit, outcome
        else:
            yield with_refusal(listed, outcome), unit, None


def after_of(request: Request, file: CFile, conversion: Conversion) -> Unit:
    """The converted file's programs, read again from its bytes."""
    from codegen.targets.c.after import after_unit, mm_api

    tree = request.source.tree
    api = mm_api(tree, file.source.text)
    return after_unit(conversion.source, api, constants_of(tree), request.fixed)


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
            comparison = compare_units(unit, after, listed.function, _classes(accepted))
            product = replace(product, notes=conversion.notes)
            command = simulate_command(request, file)
            path = file.path
            fixes = (word for fix in sorted(request.fixes) for word in ("--fix", fix))
            after_command = (*command, "--converted", *fixes)
            reading = _reading(unit, (path, path), command, after_command)
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


def simulate_command(request: Request, file: CFile) -> tuple[str, ...]:
    """The command that simulates a file's handler, less the scenario."""
    namesakes = [f for f in request.source.files if f.selector == file.selector]
    path = request.path
    words: list[str] = []
    if path is not None:
        # Where the name does not tell it from another file, its own path does.
        words.append(str(path if len(namesakes) == 1 else request.source.root / file.path))
    if path is None or (len(namesakes) == 1 and request.source.kind != "file"):
        words += ["--arch", file.selector]
    for name, value in request.fixed.items():
        words += ["--configuration", f"{name}={'n' if value is None else 'y'}"]
    return ("genfault", "simulate", *words)


def _reading(
    unit: Unit, files: tuple[str, str], src: tuple[str, ...], tgt: tuple[str, ...] | None
) -> Reading:
    from codegen.ir.naming import Naming
    from codegen.targets.compare.printer import Reading

    constants = unit.variants[0].program.constants if unit.variants else {}
    return Reading(Naming(constants), files, src, tgt)


def _wanted(product: Product, accepted: frozenset[str]) -> tuple[str, ...]:
    """The classes that have to be accepted yet; none if that does not help."""
    missing = {str(d["class"]) for d in product.differences} - accepted
    return () if "other" in missing else tuple(sorted(missing))


def _classes(accepted: frozenset[str]) -> frozenset[DifferenceClass]:
    from codegen.targets.compare.nodes import DifferenceClass

    return frozenset(DifferenceClass(name) for name in accepted)


def plan(request: Request, products: Sequence[Product], whole_tree: bool = False) -> Plan:
    """All that changes, step by step: in a kernel tree the helper and the Kconfig lines too.

    For a file or folder inside a tree that is so only if `whole_tree`.
    """
    from codegen.targets.c.after import helper_for, mm_api
    from codegen.targets.c.names import check_names
    from codegen.targets.c.series import ConvertedHandler, plan_series, plan_texts

    handlers = [
        ConvertedHandler(p.listed.arch or p.listed.path, p.listed.path, p.before, p.after)
        for p in products
        if p.after is not None
    ]
    tree = request.source.tree
    if tree is None or not handlers or not (whole_tree or request.source.kind == "tree"):
        return plan_texts(handlers)
    helper = helper_for(mm_api(tree, ""))
    check_names(tree, helper)
    return plan_series(tree, helper, handlers)


def series_mails(
    request: Request, planned: Plan, products: Sequence[Product], signoff: bool
) -> tuple[dict[str, bytes], list[str]]:
    """The mails of a planned series by file name, and what is worth telling the user."""
    from codegen import __version__
    from codegen.tables.narrow import narrow_decode, narrow_signals
    from codegen.targets.c.after import mm_api
    from codegen.targets.c.mail import mails
    from codegen.targets.c.message import Judged, arch_message, cover_message, helper_message

    tree = request.source.tree
    assert tree is not None
    by_path = {p.listed.path: p for p in products if p.after is not None}
    messages = []
    for step in planned.steps:
        product = next((by_path[f.path] for f in step.files if f.path in by_path), None)
        if step.arch is None or product is None:
            messages.append(helper_message(mm_api(tree, "")))
        else:
            function, found = product.listed.function, product.differences
            messages.append(arch_message(step.arch, function, found))
    judged = [
        Judged(
            p.listed.arch or p.listed.path,
            p.listed.path,
            p.listed.function,
            p.verdict,
            tuple(sorted({str(d["class"]) for d in p.differences})),
            p.why_not,
            None if p.after is None else (p.before.count("\n"), p.after.count("\n")),
        )
        for p in products
        if p.is_handler
    ]
    tables = [p.tables for p in products if p.tables is not None]
    kernel = request.source.kernel or request.source.name
    decode, signals = narrow_decode(tables), narrow_signals(tables)
    cover = cover_message(judged, kernel, __version__, decode, signals)
    return mails(tree, planned, messages, cover, signoff=signoff)


def against(
    request: Request,
    file: CFile,
    other: Request,
    partners: Mapping[str, CFile],
    accepted: frozenset[str],
) -> tuple[Product, ...]:
    """Each handler of a file compared with the same handler of another source."""
    from codegen.base.diagnostics import Refusal, RefusalCode
    from codegen.tables.extract import list_handlers, with_refusal
    from codegen.targets.compare.printer import comparison_text
    from codegen.targets.compare.sides import compare_units

    unit = unit_of(request, file)
    partner = partners.get(file.path)
    theirs = None if partner is None else unit_of(other, partner, numbers_of=request)
    twins = () if theirs is None else list_handlers(theirs, file.arch)
    twin = next((h for h in twins if h.role == "handler"), None)
    products = []
    for listed in list_handlers(unit, file.arch):
        product = Product(_with_status(request, file, unit, listed), file.source.text)
        if listed.role != "handler":
            continue
        if listed.refusals:
            products.append(product)
        elif theirs is None or twin is None or twin.refusals:
            reason = "has no counterpart that can be read in the other source"
            missing = Refusal(RefusalCode.NO_DANCE, reason, listed.function, file.path, listed.line)
            refusal = twin.refusals[0] if twin is not None and twin.refusals else missing
            products.append(replace(product, listed=with_refusal(listed, refusal)))
        else:
            comparison = compare_units(unit, theirs, listed.function, _classes(accepted))
            assert partner is not None
            reading = _reading(
                unit,
                (file.path, partner.path),
                simulate_command(request, file),
                simulate_command(other, partner),
            )
            text = comparison_text(comparison, reading)
            products.append(product.judged(comparison, text, reading))
    return tuple(products)


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
        product = Product(_with_status(request, file, unit, listed), file.source.text)
        if listed.role == "handler" and not listed.refusals:
            try:
                found = check_all(src for src, _ in sides(unit, unit, listed.function))
            except ResourceBound as bound:
                refusal = Refusal(
                    RefusalCode.RESOURCE, str(bound), listed.function, file.path, listed.line
                )
                product = replace(product, listed=with_refusal(listed, refusal), verdict="UNKNOWN")
            else:
                result = findings(found, _classes(accepted))
                reading = _reading(unit, (file.path,) * 2, simulate_command(request, file), None)
                text = findings_text(listed.path, listed.function, result, reading)
                product = product.judged(result, text, reading)
        products.append(product)
    return tuple(products)


def sarif_log(
    request: Request,
    products: Sequence[Product],
    accepted: frozenset[str],
    arguments: Sequence[str],
    code: int,
) -> dict[str, Any]:
    """What `check` found as a SARIF log."""
    from codegen import __version__
    from codegen.targets.report.sarif import Checked, Invocation, sarif_document

    handlers = [
        Checked(
            p.listed.path,
            p.listed.function,
            p.listed.line,
            p.listed.arch,
            p.differences,
            p.listed.refusals,
        )
        for p in products
    ]
    root = request.source.root
    return sarif_document(handlers, Invocation(arguments, code, root, __version__, accepted))


def reported(request: Request, file: CFile, accepted: frozenset[str]) -> tuple[Entry, ...]:
    """Everything that is known of a file's handlers, for the page."""
    from codegen.targets.c.write import ConvertedFile, diff_text
    from codegen.targets.report.nodes import Entry

    tables = {(h.function, h.line): h for h in tabled(request, file)}
    findings = {p.key: p.differences for p in checked(request, file, frozenset())}
    entries = []
    for product in converted(request, file, accepted):
        listed = product.listed
        known = tables.get(product.key, listed)
        patch = ""
        if product.after is not None:
            patch = diff_text([ConvertedFile(file.path, product.before, product.after)])
        # The tables of a handler that does not convert are there all the same.
        refusals = known.refusals or (() if known.signals else listed.refusals)
        reason = known.inconvertible or next(iter(listed.refusals), None)
        entries.append(
            Entry(
                replace(
                    known,
                    refusals=refusals,
                    inconvertible=None if patch else reason,
                    wanted=product.wanted,
                ),
                product.verdict,
                product.differences,
                findings.get(product.key, ()),
                _unicode(patch),
                product.notes,
            )
        )
    return tuple(entries)


def _unicode(text: str) -> str:
    """A file's bytes, one character each, as the text that they are."""
    return text.encode("latin-1").decode("utf-8", "replace")


def page_of(request: Request, entries: Sequence[Entry]) -> str:
    """The page on a source."""
    from codegen.targets.c.after import helper_for, mm_api
    from codegen.targets.c.nodes import HELPER_C, HELPER_HEADER
    from codegen.targets.report.page import Subject, page_text

    helper: list[tuple[str, str]] = []
    if request.source.kind == "tree":
        text = helper_for(mm_api(request.source.tree, ""))
        helper = [(HELPER_C, text.c), (HELPER_HEADER, text.header)]
    return page_text(Subject(request.source.name, request.source.kernel, helper), entries)


def simulators(
    request: Request, file: CFile, converted_side: bool
) -> tuple[tuple[str, str | Refusal], ...]:
    """(name, Python text) of the simulator of each handler of a file, before or after.

    A refusal stands in for the text where the handler cannot be read, or does
    not convert.
    """
    from codegen.base.diagnostics import RefusedError
    from codegen.targets.compare.sides import agree
    from codegen.targets.simulator.emit import emit_simulator

    kernel = f"linux {request.source.kernel}" if request.source.kernel else request.source.name
    out: list[tuple[str, str | Refusal]] = []
    for listed, unit, conversion in convert_file(request, file):
        if listed.role != "handler":
            continue
        unread = not any(f.function == listed.function for v in unit.variants for f in v.found)
        if unread or (converted_side and conversion is None):
            out.append((file.selector, listed.refusals[0]))
            continue
        variant, found = _first_variant(unit, listed.function)
        if converted_side and conversion is not None:
            here = variant.configurations
            after = after_of(request, file, conversion)
            variant = next(
                v
                for v in after.variants
                if any(agree(a, b) for a in here for b in v.configurations)
            )
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


def _first_variant(unit: Unit, function: str) -> tuple[Variant, Found]:
    return next((v, f) for v in unit.variants for f in v.found if f.function == function)
