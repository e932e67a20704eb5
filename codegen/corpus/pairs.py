# SPDX-License-Identifier: GPL-2.0-only
"""Two sources side by side: which file of one is which file of the other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.corpus.discover import UnknownArch, open_source
from codegen.corpus.nodes import CFile, Source, SourceKind


def open_both(src: Path | None, tgt: Path, archs: Sequence[str]) -> tuple[Source, Source]:
    """Both sources, narrowed to `archs`; one may have no file left.

    An architecture that is gone from one of two kernels is no wrong argument.
    Raises what `open_source` does, UnknownArch for an arch that neither has.
    """
    opened = []
    missing: list[UnknownArch] = []
    for path in (src, tgt):
        try:
            opened.append(open_source(path, archs))
        except UnknownArch as error:
            missing.append(error)
            whole = open_source(path)
            kept = tuple(f for f in whole.files if f.selector in archs)
            opened.append(replace(whole, files=kept))
    there = {f.selector for source in opened for f in source.files}
    if missing and not there.issuperset(archs):
        raise missing[0]
    return opened[0], opened[1]


def pair_up(src: Source, tgt: Source) -> dict[str, CFile]:
    """The file of `tgt` for each file of `src` that has one, by src's path.

    By path, else by architecture or stem; two sources of one file each are a
    pair, unless a kernel says that they are of two architectures. Raises
    GenfaultError where both have files and nothing in common.
    """
    if len(src.files) == len(tgt.files) == 1:
        one, two = src.files[0], tgt.files[0]
        trees = src.kind is tgt.kind is SourceKind.TREE
        if not trees or one.selector == two.selector:
            return {one.path: two}
    by_path = {f.path: f for f in tgt.files}
    by_selector = {f.selector: f for f in tgt.files}
    found = {f.path: by_path.get(f.path) or by_selector.get(f.selector) for f in src.files}
    partners = {path: file for path, file in found.items() if file is not None}
    if not partners and src.files and tgt.files:
        raise GenfaultError(f"{src.name} and {tgt.name} have no handler in common")
    return partners
