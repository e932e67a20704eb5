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
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from codegen.corpus.nodes import CFile, Source
    from codegen.ir.load import Unit
    from codegen.tables.nodes import HandlerTables

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


def each_file(
    request: Request,
    work: Callable[[Request, CFile], R],
    done: Callable[[int], None] = lambda count: None,
) -> Iterator[R]:
    """`work` on every file, in parallel where there is more than one, results in file order."""
    files = request.source.files
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
