# SPDX-License-Identifier: GPL-2.0-only
"""The command line: arguments in, data on stdout, diagnostics on stderr, an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codegen import __version__
from codegen.base.diagnostics import (
    GenfaultError,
    InternalError,
    RefusalCode,
    UnreadableSource,
)
from codegen.base.progress import progress_for_stderr

if TYPE_CHECKING:
    from codegen.csyntax.renames import Rename
    from codegen.tables.nodes import HandlerTables
    from codegen.targets.c.series import Plan
    from codegen.targets.report.nodes import Entry
    from codegen.toolchain import Product, Request

CLEAN, FINDINGS, UNUSABLE = 0, 1, 2

_FINE = frozenset({RefusalCode.CONVERTED})
"""The refusals of a conversion that are no finding."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="genfault")
def cli() -> None:
    """Convert, compare and simulate the kernel's page-fault handlers.

    SOURCE is a C file, a folder of snippets, or the root of a kernel tree; left
    out, it is the bundled kernel_snippets/.
    """


def _source_options(
    command: Callable[..., Any], forms: Sequence[str] = ("text", "json")
) -> Callable[..., Any]:
    options = [
        click.argument("source", required=False, type=click.Path(path_type=Path)),
        click.option("--arch", "archs", multiple=True, metavar="A", help="Only this architecture."),
        click.option(
            "--configuration",
            "settings",
            multiple=True,
            metavar="NAME=y|n|m",
            help="Fix a macro that conditionals test.",
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice(forms),
            default="text",
            show_default=True,
        ),
        click.option(
            "--jobs",
            type=click.IntRange(1),
            default=os.cpu_count() or 1,
            help="How many files at once.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _request(
    source: Path | None, archs: Sequence[str], settings: Sequence[str], jobs: int
) -> Request:
    from codegen.toolchain import open_request

    return open_request(source, archs, _fixed(settings), jobs)


def _assume(request: Request, beside: Request | None = None) -> None:
    """Says on stderr what is taken for granted of a source."""
    from codegen.toolchain import assumptions

    for assumption in assumptions(request, beside):
        click.echo(f"genfault: note: {assumption}", err=True)


def _fixed(settings: Sequence[str]) -> dict[str, str | None]:
    fixed: dict[str, str | None] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or value not in ("y", "n", "m") or not name.isidentifier():
            raise click.BadParameter(f"{setting!r} is not NAME=y, NAME=n or NAME=m")
        fixed[name] = "1" if value == "y" else None
        if value == "m":
            fixed[f"{name}_MODULE"] = "1"
    return fixed


def _run(request: Request, work: Callable[..., Any], label: str) -> list[Any]:
    from codegen.toolchain import each_file

    progress = progress_for_stderr()
    progress.start(len(request.source.files), label)
    try:
        found = list(each_file(request, work, progress.advance))
    finally:
        progress.finish()
    if request.source.files and not any(found):
        # What was chosen by its text may name it in a comment only.
        raise UnreadableSource(
            str(request.source.name), "no fault path: nothing calls handle_mm_fault()"
        )
    return found


def _number(count: int, of: str) -> str:
    """`1 handler`, `23 handlers`."""
    return f"{count} {of}" if count == 1 else f"{count} {of}s"


def _document(request: Request, command: str, handlers: list[dict[str, Any]]) -> str:
    document = {
        "schema": "genfault/1",
        "command": command,
        "source": request.source.name,
        "kernel": request.source.kernel,
        "handlers": handlers,
    }
    return json.dumps(document, indent=1)


def _paint(text: str, style: str) -> str:
    match style:
        case "title":
            return click.style(text, bold=True)
        case "odd":
            return click.style(text, fg="yellow")
        case _:
            return click.style(text, dim=True)


def _report_refusals(
    handlers: Sequence[HandlerTables], fine: frozenset[RefusalCode] = frozenset()
) -> int:
    """Every refusal on stderr; the exit code that they make but for the `fine` ones."""
    refusals = dict.fromkeys(r for h in handlers for r in h.refusals)
    for refusal in refusals:
        click.echo(str(refusal), err=True)
    return FINDINGS if any(r.code not in fine for r in refusals) else CLEAN


@cli.command("list")
@_source_options
def list_(
    source: Path | None, archs: Sequence[str], settings: Sequence[str], form: str, jobs: int
) -> int:
    """Every handler found, and whether it converts."""
    from codegen.tables.json import handler_json
    from codegen.tables.printer import listing_text
    from codegen.toolchain import judged

    request = _request(source, archs, settings, jobs)
    found = [h for handlers in _run(request, judged, "reading handlers") for h in handlers]
    if form == "json":
        click.echo(_document(request, "list", [handler_json(h, with_tables=False) for h in found]))
    else:
        click.echo(listing_text(found, _paint))
    return FINDINGS if any(r.code not in _FINE for h in found for r in h.refusals) else CLEAN


@cli.command()
@_source_options
@click.option("--across", is_flag=True, help="One matrix: architectures down, outcomes across.")
def tables(
    source: Path | None,
    archs: Sequence[str],
    settings: Sequence[str],
    form: str,
    jobs: int,
    across: bool,
) -> int:
    """The two tables of each handler."""
    from codegen.tables.json import handler_json
    from codegen.tables.printer import across_text, handler_text, summary_text
    from codegen.toolchain import tabled

    request = _request(source, archs, settings, jobs)
    _assume(request)
    found = [h for handlers in _run(request, tabled, "extracting tables") for h in handlers]
    if form == "json":
        click.echo(_document(request, "tables", [handler_json(h, with_tables=True) for h in found]))
    else:
        if across:
            click.echo(across_text(found, _paint))
        else:
            for handler in found:
                click.echo(handler_text(handler, _paint))
        click.echo(summary_text(found))
    return _report_refusals(found)


def _classes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    accept = click.option(
        "--accept", "accept", multiple=True, metavar="CLASS", help="This class is explained."
    )
    reject = click.option(
        "--reject", "reject", multiple=True, metavar="CLASS", help="This class is not."
    )
    return accept(reject(command))


def _accepted(accept: Sequence[str], reject: Sequence[str], default: bool) -> frozenset[str]:
    """The classes of difference that count as explained."""
    from codegen.targets.compare.nodes import DEFAULT_ACCEPTED, DifferenceClass

    known = {c.value for c in DifferenceClass}
    for name in (*accept, *reject):
        if name not in known:
            raise click.BadParameter(
                f"{name!r} is no class of difference; there are {', '.join(sorted(known))}"
            )
    if DifferenceClass.OTHER in accept:
        raise click.BadParameter("a difference of the class 'other' is never accepted")
    start = {c.value for c in DEFAULT_ACCEPTED} if default else set()
    return frozenset((start | set(accept)) - set(reject))


def _fix_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--fix",
        "fix",
        multiple=True,
        metavar="CLASS",
        callback=_fixes,
        help="Convert to the better behaviour where there is a choice: missing-case.",
    )(command)


def _fixes(
    _context: click.Context, _option: click.Parameter, names: Sequence[str]
) -> frozenset[str]:
    """The classes that a conversion is to mend; there is a choice in few."""
    if names:
        from codegen.targets.c.fix import FIXABLE

        for name in names:
            if name not in FIXABLE:
                choices = ", ".join(sorted(FIXABLE))
                raise click.BadParameter(f"there is no choice in {name!r}; there is in {choices}")
    return frozenset(names)


def _renames(
    _context: click.Context, _option: click.Parameter, given: Sequence[str]
) -> tuple[Rename, ...]:
    """What `--same` says; the first `=` that is not part of another operator parts the two."""
    from codegen.csyntax.renames import parsed

    found = []
    for text in given:
        rename = parsed(text)
        if rename is None:
            raise click.BadParameter(f"{text!r} is not OLD=NEW")
        found.append(rename)
    return tuple(found)


def _product_json(product: Product) -> dict[str, Any]:
    from codegen.tables.json import handler_json

    out = handler_json(product.listed, with_tables=False)
    out["verdict"] = product.verdict
    out["differences"] = list(product.differences)
    if product.same:
        out["same"] = list(product.same)
    return out


def _products(
    request: Request, accepted: frozenset[str], *, with_tables: bool = False
) -> list[Product]:
    from codegen.toolchain import converted

    work = partial(converted, accepted=accepted, with_tables=with_tables)
    return [p for products in _run(request, work, "converting") for p in products]


def _report_products(products: Sequence[Product]) -> int:
    """Refusals and verdicts on stderr; the exit code that they make.

    A handler that is converted already is told, and is no finding.
    """
    code = _report_refusals([p.listed for p in products], _FINE)
    for product in products:
        if product.report:
            where = f"{product.listed.path}:{product.listed.line}: {product.listed.function}()"
            click.echo(f"{where}: {product.verdict}", err=True)
            for note in product.notes:
                click.echo(f"  {note}", err=True)
            if product.verdict not in ("EQUAL", "EXPLAINED"):
                code = FINDINGS
                click.echo(product.report, err=True)
            if product.wanted:
                options = " ".join(f"--accept {cls}" for cls in product.wanted)
                click.echo(f"{where}: {options} would let it pass", err=True)
    return code


@cli.command()
@_source_options
@_fix_option
@_classes_options
@click.option("--diff", "as_diff", is_flag=True, help="Unified diff on stdout (the default).")
@click.option("--output", type=click.Path(path_type=Path), help="Write the files below DIR.")
@click.option("--in-place", is_flag=True, help="Change the files of SOURCE.")
@click.option(
    "--patches",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a series for `git am` into DIR, the helper first.",
)
@click.option("--signoff", is_flag=True, help="Sign the patches off as git's committer.")
@click.option("--allow-dirty", is_flag=True, help="Change files with uncommitted changes too.")
@click.option("--force", is_flag=True, help="Write over files that are there already.")
def convert(
    source: Path | None,
    archs: Sequence[str],
    settings: Sequence[str],
    form: str,
    jobs: int,
    accept: Sequence[str],
    reject: Sequence[str],
    as_diff: bool,
    output: Path | None,
    in_place: bool,
    patches: Path | None,
    signoff: bool,
    allow_dirty: bool,
    force: bool,
    fix: frozenset[str],
) -> int:
    """Converted C: handlers that call generic_fault().

    What is shown or written was parsed again from its bytes and compared with
    the original over all paths. In a kernel tree the helper, its Kconfig entry
    and the lines that select and build it come with it.
    """
    from codegen.targets.c.write import diff_text, write_below, write_in_place
    from codegen.toolchain import plan

    if sum((as_diff, output is not None, in_place, patches is not None)) > 1:
        raise click.UsageError("--diff, --output, --in-place and --patches exclude each other")
    request = replace(_request(source, archs, settings, jobs), fixes=fix)
    if in_place and source is None:
        raise click.UsageError("--in-place needs a SOURCE: the bundled snippets stay as they are")
    if patches is not None and request.source.tree is None:
        raise click.UsageError("--patches needs a kernel tree, or a file in one, as SOURCE")
    accepted = _accepted(accept, reject, default=True)
    products = _products(request, accepted, with_tables=patches is not None)
    planned = plan(request, products, whole_tree=patches is not None, force=force)
    files = planned.files
    if form == "json":
        documents = []
        for product in products:
            document = _product_json(product)
            document["converted"] = product.after
            documents.append(document)
        click.echo(_document(request, "convert", documents))
    elif output is None and not in_place and patches is None:
        click.echo(diff_text(files), nl=False)
    if output is not None:
        for path in write_below(output, files, force=force):
            click.echo(f"wrote {path}", err=True)
    if in_place:
        for path in write_in_place(request.source.root, files, allow_dirty=allow_dirty):
            click.echo(f"changed {path}", err=True)
    if patches is not None and planned.steps:
        for path in _write_patches(request, planned, products, patches, signoff, force=force):
            # As format-patch prints them; stdout is the document's if there is one.
            click.echo(str(path), err=form == "json")
    for lacking in planned.lacking:
        click.echo(f"genfault: {lacking}", err=True)
    return _report_products(products) or (FINDINGS if planned.lacking else CLEAN)


def _write_patches(
    request: Request,
    planned: Plan,
    products: Sequence[Product],
    folder: Path,
    signoff: bool,
    *,
    force: bool,
) -> list[Path]:
    """The series into a folder; its paths."""
    from codegen.targets.c.mail import write_mails
    from codegen.toolchain import series_mails

    if planned.lacking:
        raise GenfaultError("no series for this tree: " + "; ".join(planned.lacking))
    made, notes = series_mails(request, planned, products, signoff)
    for note in notes:
        click.echo(f"genfault: {note}", err=True)
    return write_mails(folder, made, force=force)


@cli.command()
@_source_options
@_fix_option
@_classes_options
@click.argument("target", required=False, type=click.Path(path_type=Path))
@click.option(
    "--same",
    "same",
    multiple=True,
    metavar="OLD=NEW",
    callback=_renames,
    help="What SOURCE calls OLD is NEW in TARGET: a name, a field, or any run of tokens.",
)
def diff(
    source: Path | None,
    target: Path | None,
    archs: Sequence[str],
    settings: Sequence[str],
    form: str,
    jobs: int,
    accept: Sequence[str],
    reject: Sequence[str],
    fix: frozenset[str],
    same: Sequence[Rename],
) -> int:
    """Behaviour before and after: SOURCE against its conversion, or against TARGET."""
    from codegen.corpus.pairs import pair_up
    from codegen.toolchain import against, open_pair, unpaired

    accepted = _accepted(accept, reject, default=target is None)
    if target is not None and fix:
        raise click.UsageError("--fix goes with a conversion, not with two sources")
    if target is None:
        if same:
            raise click.UsageError("--same goes with two sources")
        request = replace(_request(source, archs, settings, jobs), fixes=fix)
        products = _products(request, accepted)
    else:
        request, other = open_pair((source, target), archs, _fixed(settings), jobs)
        partners = pair_up(request.source, other.source)
        _assume(request, other)
        _assume(other, request)
        work = partial(against, other=other, partners=partners, accepted=accepted, same=same)
        products = [p for found in _run(request, work, "comparing") for p in found]
        products += unpaired(request, other, partners)
        _report_unused(same, products)
    if form == "json":
        click.echo(_document(request, "diff", [_product_json(p) for p in products]))
        return _report_refusals([p.listed for p in products]) or _verdict_code(products)
    for product in products:
        if product.report:
            title = f"{product.listed.path}:{product.listed.line}: {product.listed.function}()"
            click.echo(_paint(title, "title"))
            click.echo(product.report)
    counts = Counter(p.verdict for p in products if p.is_handler)
    told = ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
    click.echo(f"{_number(counts.total(), 'handler')}: {told}")
    return _report_refusals([p.listed for p in products]) or _verdict_code(products)


def _report_unused(same: Sequence[Rename], products: Sequence[Product]) -> None:
    """A name that nobody says is most likely mistyped."""
    used = {s for p in products for s in p.same}
    for rename in same:
        if str(rename) not in used:
            click.echo(f"genfault: note: no handler of TARGET says {rename.new}", err=True)


def _verdict_code(products: Sequence[Product]) -> int:
    clean = all(p.verdict in ("EQUAL", "EXPLAINED") for p in products if p.is_handler)
    return CLEAN if clean else FINDINGS


@cli.command()
@partial(_source_options, forms=("text", "json", "sarif"))
@_classes_options
def check(
    source: Path | None,
    archs: Sequence[str],
    settings: Sequence[str],
    form: str,
    jobs: int,
    accept: Sequence[str],
    reject: Sequence[str],
) -> int:
    """Each handler against the contract of generic_fault(), as findings."""
    from codegen.toolchain import checked, sarif_log

    accepted = _accepted(accept, reject, default=False)
    request = _request(source, archs, settings, jobs)
    _assume(request)
    work = partial(checked, accepted=accepted)
    products = [p for found in _run(request, work, "checking") for p in found]
    code = _report_refusals([p.listed for p in products]) or _verdict_code(products)
    if form == "json":
        click.echo(_document(request, "check", [_product_json(p) for p in products]))
    elif form == "sarif":
        log = sarif_log(request, products, accepted, sys.argv[1:], code)
        click.echo(json.dumps(log, indent=1))
    else:
        for product in products:
            if product.report:
                click.echo(product.report, nl=False)
        counts = Counter(str(d["class"]) for p in products for d in p.differences)
        told = ", ".join(f"{n} {cls}" for cls, n in sorted(counts.items())) or "no findings"
        click.echo(f"{_number(sum(p.is_handler for p in products), 'handler')}: {told}")
    return code


@cli.command()
@_source_options
@_classes_options
@click.option(
    "-o",
    "--output",
    "page",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the page.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def report(
    source: Path | None,
    archs: Sequence[str],
    settings: Sequence[str],
    form: str,
    jobs: int,
    accept: Sequence[str],
    reject: Sequence[str],
    page: Path,
    force: bool,
) -> int:
    """One self-contained page: tables, conversions, differences and findings."""
    from codegen.base.files import must_be_new, write_new
    from codegen.toolchain import page_of, reported

    must_be_new(page, force=force)
    accepted = _accepted(accept, reject, default=True)
    request = _request(source, archs, settings, jobs)
    _assume(request)
    work = partial(reported, accepted=accepted)
    found = [e for entries in _run(request, work, "looking at everything") for e in entries]
    click.echo(f"wrote {write_new(page, page_of(request, found), force=force)}", err=True)
    if form == "json":
        click.echo(_document(request, "report", [e.document for e in found]))
    else:
        click.echo(f"{_number(sum(e.is_handler for e in found), 'handler')}: {_counted(found)}")
    code = _report_refusals([e.listed for e in found])
    return code or (FINDINGS if any(e.is_open for e in found) else CLEAN)


def _counted(entries: Sequence[Entry]) -> str:
    """How many handlers have which verdict, and how many findings there are."""
    verdicts = Counter(e.verdict for e in entries if e.is_handler)
    findings = sum(len(e.findings) for e in entries)
    told = [f"{n} {verdict}" for verdict, n in sorted(verdicts.items())]
    return ", ".join([*told, f"{_number(findings, 'finding')} of check"])


@cli.command()
@_source_options
@_fix_option
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="One name of the scenario; the rest is 0.",
)
@click.option("--emit", type=click.Path(path_type=Path), help="Write the simulator module.")
@click.option("--emit-dir", type=click.Path(path_type=Path), help="Write one module a handler.")
@click.option("--converted", "after", is_flag=True, help="The converted side.")
@click.option("--function", metavar="NAME", help="A routine of the handler's file, by itself.")
@click.option(
    "--same",
    "same",
    multiple=True,
    metavar="OLD=NEW",
    callback=_renames,
    help="Read what SOURCE calls NEW as OLD, as `diff --same` does.",
)
@click.option(
    "--inline",
    "inline",
    multiple=True,
    metavar="NAME",
    help="Follow this function of SOURCE's headers, or routine of its file, as `diff` does.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def simulate(
    source: Path | None,
    archs: Sequence[str],
    settings: Sequence[str],
    form: str,
    jobs: int,
    assignments: Sequence[str],
    emit: Path | None,
    emit_dir: Path | None,
    after: bool,
    function: str | None,
    force: bool,
    fix: frozenset[str],
    same: Sequence[Rename],
    inline: Sequence[str],
) -> int:
    """Run one scenario and show its trace, or write the simulator module."""
    from codegen.base.diagnostics import Refusal
    from codegen.base.files import write_new
    from codegen.targets.simulator.run import load_simulator, scenario_from, trace_json
    from codegen.toolchain import simulators, words_of_headers

    request = _request(source, archs, settings, jobs)
    request = replace(request, fixes=fix, same=tuple(same), inline=tuple(inline))
    if (same or inline) and after:
        raise click.UsageError("--same and --inline go with a source as it is")
    work = partial(simulators, converted_side=after, function=function)
    if fix and not after:
        raise click.UsageError("--fix goes with --converted")
    if not after:
        _assume(request)
    found = [m for modules in _run(request, work, "writing simulators") for m in modules]
    code = CLEAN
    modules = []
    for name, module in found:
        if isinstance(module, Refusal):
            click.echo(str(module), err=True)
            code = FINDINGS
        else:
            modules.append((name, module))
    if emit_dir is not None:
        for name, text in modules:
            path = write_new(emit_dir / f"{name}.py", text, force=force)
            click.echo(f"wrote {path}", err=True)
        return code
    if len(found) != 1:
        raise click.UsageError(
            f"SOURCE has {len(found)} handlers; choose one with --arch, or use --emit-dir"
        )
    if not modules:
        return code
    _, text = modules[0]
    if emit is not None:
        click.echo(f"wrote {write_new(emit, text, force=force)}", err=True)
        return code
    simulator = load_simulator(text)
    scenario = scenario_from(assignments, simulator.constants())
    known = (
        *(file.source.text for file in request.source.files),
        words_of_headers(request, scenario),
    )
    trace, unused = simulator.run_noting(scenario, *known)
    for name in unused:
        click.echo(f"genfault: note: the run did not ask for {name}", err=True)
    click.echo(
        json.dumps(trace_json(trace), indent=1) if form == "json" else simulator.table(trace)
    )
    return code


@cli.command()
@click.argument("release", type=click.Choice(["6.1", "6.12"]))
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Where to keep it.")
@click.option("--full", is_flag=True, help="Unpack the whole tree, to build it.")
def fetch(release: str, directory: Path | None, full: bool) -> int:
    """The real kernel source, as Debian packages it; prints the tree's path."""
    from codegen.corpus import debian

    progress = progress_for_stderr()
    tree = debian.fetch(release, directory or debian.default_directory(), full, progress)
    click.echo(str(tree))
    return CLEAN


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 clean, 1 findings, 2 bad usage or unreadable input."""
    try:
        code = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="genfault",
            standalone_mode=False,
        )
    except click.exceptions.Abort:
        click.echo("genfault: interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(UNUSABLE)
    except GenfaultError as error:
        click.echo(f"genfault: {error}", err=True)
        sys.exit(UNUSABLE)
    except InternalError as error:
        click.echo(f"genfault: {error}", err=True)
        if os.environ.get("GENFAULT_DEBUG"):
            traceback.print_exception(error)
        sys.exit(UNUSABLE)
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CLEAN)
    sys.exit(code if isinstance(code, int) else CLEAN)


if __name__ == "__main__":
    main()
