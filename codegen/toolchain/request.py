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
    from codegen.csyntax.renames import Rename
    from codegen.frontend.headers import HeaderText
    from codegen.ir.load import Unit


@dataclass(frozen=True)
class Request:
    """What one run works on: the source, and the macros that the user has set.

    `path` is the SOURCE argument as it was given, None for the bundled snippets;
    `fixes` are the classes of difference that a conversion is to mend; `inline`
    are the functions and macros of the tree's headers that are read with a file.
    """

    source: Source
    fixed: Mapping[str, str | None] = field(default_factory=dict)
    jobs: int = 1
    path: Path | None = None
    fixes: frozenset[str] = frozenset()
    same: tuple[Rename, ...] = ()
    inline: tuple[str, ...] = ()


def open_request(
    path: Path | None, archs: Sequence[str], fixed: Mapping[str, str | None], jobs: int
) -> Request:
    """Finds the files of a SOURCE argument. Raises GenfaultError for one that is unusable."""
    from codegen.corpus.discover import open_source

    return Request(open_source(path, archs), fixed, jobs, path)


def open_pair(
    paths: tuple[Path | None, Path],
    archs: Sequence[str],
    fixed: Mapping[str, str | None],
    jobs: int,
) -> tuple[Request, Request]:
    """The same for two sources; an architecture may be gone from one of them."""
    from codegen.corpus.pairs import open_both

    src, tgt = open_both(*paths, archs)
    return Request(src, fixed, jobs, paths[0]), Request(tgt, fixed, jobs, paths[1])


@cache
def constants_of(tree: Path | None) -> Mapping[str, int]:
    """The values of the fault flags: a tree's own, or the vocabulary's."""
    from codegen.frontend.constants import merge, tree_constants
    from codegen.ir.vocabulary import load

    vocabulary = load().constants
    return vocabulary if tree is None else merge(vocabulary, tree_constants(tree))


def unit_of(
    request: Request,
    file: CFile,
    beside: tuple[Request, CFile] | None = None,
    same: Sequence[Rename] = (),
) -> Unit:
    """A file's programs, in every configuration; lines that all end in CR LF are read as LF.

    A handler that calls `generic_fault()` is read together with it (see
    `helper_of`). `beside` is the file of another source that this one is
    compared with: the fault flags have the numbers of that source's tree, name
    by name, so that two kernels that number them otherwise can be compared.
    What this file says under the new name of one of `same` is read under the old.
    """
    from codegen.csyntax.parse import parse
    from codegen.csyntax.renames import respelt
    from codegen.frontend.constants import enumerators, reconciled
    from codegen.ir.load import load_unit

    constants = constants_of(request.source.tree)
    if beside is not None:
        constants = reconciled(constants_of(beside[0].source.tree), constants)
    helper = helper_of(request, file, beside)
    if helper is not None:
        constants = {**constants, **enumerators(helper.header.text)}
    library = None if helper is None else helper.c
    text, _ = respelt(file.source.with_newlines("\n"), (*request.same, *same))
    own = frozenset(request.inline) & {f.name for f in parse(text).functions}
    headers = headers_of(request, file, own)
    return load_unit(text, constants, request.fixed, library, headers, own)


def headers_of(
    request: Request, file: CFile, own: frozenset[str] = frozenset()
) -> tuple[HeaderText, ...]:
    """The headers that are read with a file, but for functions that are its `own`.

    Raises UnreadableSource for a name that cannot be read.
    """
    from codegen.base.diagnostics import UnreadableSource
    from codegen.frontend.headers import NotReadError, header_texts
    from codegen.ir.headers import made_of, not_read

    tree = request.source.tree
    wanted = [name for name in request.inline if name not in own]
    if not wanted:
        return ()
    if tree is None:
        raise UnreadableSource(request.source.name, "is no tree whose headers could be read")
    names: dict[str, None] = {}
    for name in wanted:
        try:
            found = made_of(tree, file.path, name)
            reason = not_read(tree, file.path, found, constants_of(tree))
        except NotReadError as error:
            reason = str(error)
        if reason is not None:
            raise UnreadableSource(str(tree), f"{name}() is not read: it {reason}")
        names |= dict.fromkeys(found)
    return header_texts(tree, file.path, tuple(names))


def own_unit_of(request: Request, file: CFile) -> Unit:
    """A file's programs by themselves: what it calls elsewhere is a call."""
    from codegen.ir.load import load_unit

    constants = constants_of(request.source.tree)
    return load_unit(file.source.with_newlines("\n"), constants, request.fixed)


def assumptions(request: Request, beside: Request | None = None) -> list[str]:
    """What is taken for granted of a source because its files do not say it, in sentences."""
    out = []
    for file in request.source.files:
        others = () if beside is None else beside.source.files
        near = (beside, others[0]) if beside is not None and others else None
        helper = helper_of(request, file, near)
        if helper is not None and helper.rendered:
            out.append(
                f"{file.path} calls generic_fault(), and there is no {helper.c.path} "
                "above it: taken as genfault writes it"
            )
    return out


@dataclass(frozen=True)
class HelperTexts:
    """The text of `generic_fault()` and its header; `rendered` where no file has it."""

    c: SourceText
    header: SourceText
    rendered: bool = False


def helper_of(
    request: Request, file: CFile, beside: tuple[Request, CFile] | None = None
) -> HelperTexts | None:
    """`generic_fault()` as a file that calls it finds it; None for a file that does not.

    That is the text in the tree, or in the folder that `convert --output` wrote,
    whatever hand changed it since. A file that stands alone gets it as it is
    rendered for the kernel of `beside`, or for its own words. Raises
    UnreadableSource for a text that is there and cannot be read.
    """
    from codegen.base.spans import SourceText
    from codegen.corpus.read import read_above
    from codegen.csyntax.identifiers import uses_of
    from codegen.csyntax.parse import parse
    from codegen.ir.handler import SHARED_HELPER
    from codegen.targets.c.after import helper_for, mm_api
    from codegen.targets.c.nodes import HELPER_C, HELPER_HEADER

    if SHARED_HELPER not in file.source.text:
        return None
    tree = parse(file.source.with_newlines("\n"))
    own = any(f.name == SHARED_HELPER for f in tree.functions)
    if own or not any(uses_of(tree, SHARED_HELPER, f.body) for f in tree.functions):
        return None
    root = request.source.root
    if (text := read_above(root, file, HELPER_C)) is not None:
        header = read_above(root, file, HELPER_HEADER)
        return HelperTexts(text, header or SourceText(HELPER_HEADER, ""))
    near, like = (request, file) if beside is None else beside
    helper = helper_for(mm_api(near.source.tree, like.source.text))
    return HelperTexts(
        SourceText(HELPER_C, helper.c), SourceText(HELPER_HEADER, helper.header), rendered=True
    )


def included_files(request: Request, file: CFile) -> list[SourceText]:
    """The `.c` files that a file includes by quoted name, for looking things up in."""
    from codegen.corpus.read import read_included

    return read_included(request.source.root, file)
