# SPDX-License-Identifier: GPL-2.0-only
"""What a run works on, and how a file of it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codegen.base.spans import SourceText
    from codegen.corpus.nodes import CFile, Source
    from codegen.ir.load import Unit


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


def included_files(request: Request, file: CFile) -> list[SourceText]:
    """The `.c` files that a file includes by quoted name, for looking things up in."""
    from codegen.corpus.read import read_included

    return read_included(request.source.root, file)
