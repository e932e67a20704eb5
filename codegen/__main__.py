# SPDX-License-Identifier: GPL-2.0-only
"""The command line: arguments in, data on stdout, diagnostics on stderr, an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codegen import __version__
from codegen.base.diagnostics import GenfaultError
from codegen.base.progress import progress_for_stderr

if TYPE_CHECKING:
    from codegen.tables.nodes import HandlerTables
    from codegen.toolchain import Request

CLEAN, FINDINGS, UNUSABLE = 0, 1, 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="genfault")
def cli() -> None:
    """Convert, compare and simulate the kernel's page-fault handlers.

    SOURCE is a C file, a folder of snippets, or the root of a kernel tree; left
    out, it is the bundled kernel_snippets/.
    """


def _source_options(command: Callable[..., Any]) -> Callable[..., Any]:
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
            "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
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


def _fixed(settings: Sequence[str]) -> dict[str, str | None]:
    fixed: dict[str, str | None] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or value not in ("y", "n", "m") or not name.isidentifier():
            raise click.BadParameter(f"{setting!r} is not NAME=y, NAME=n or NAME=m")
        fixed[name] = None if value == "n" else "1"
    return fixed


def _run(request: Request, work: Callable[..., Any], label: str) -> list[Any]:
    from codegen.toolchain import each_file

    progress = progress_for_stderr()
    progress.start(len(request.source.files), label)
    try:
        return list(each_file(request, work, progress.advance))
    finally:
        progress.finish()


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


def _report_refusals(handlers: Sequence[HandlerTables]) -> int:
    """Every refusal on stderr; the exit code that they make."""
    refusals = dict.fromkeys(r for h in handlers for r in h.refusals)
    for refusal in refusals:
        click.echo(str(refusal), err=True)
    return FINDINGS if refusals else CLEAN


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
    return FINDINGS if any(h.refusals for h in found) else CLEAN


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
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CLEAN)
    sys.exit(code if isinstance(code, int) else CLEAN)


if __name__ == "__main__":
    main()
