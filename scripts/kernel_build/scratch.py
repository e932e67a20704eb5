# SPDX-License-Identifier: GPL-2.0-only
"""A scratch copy of a kernel tree that costs milliseconds: links, and the files that differ.

    tree, {path: bytes}  --lay-->  folder

    arch/alpha -> a folder of links    because of arch/alpha/mm/fault.c
    arch/arc   -> link to TREE/arch/arc

A folder is real only where something in or below it differs; whatever else is
in it is one link into the tree. Nothing is ever written through a link: Kbuild
writes to its O= folder, and a file that differs is a file of the copy's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from scripts.kernel_build.recipes import Mend

# Folders with these names are no part of the source.
_LEFT_OUT = frozenset({".git", ".hg", ".svn", ".pc"})


def lay(tree: Path, differs: Mapping[str, bytes], folder: Path) -> None:
    """Makes `folder` look like `tree` with the files of `differs`; what was there before goes."""
    if folder.is_symlink() or folder.exists():
        shutil.rmtree(folder)
    real = {parent for path in differs for parent in PurePosixPath(path).parents}
    _fill(tree, folder, PurePosixPath(), real | {PurePosixPath()}, differs)


def _fill(
    tree: Path,
    folder: Path,
    here: PurePosixPath,
    real: set[PurePosixPath],
    differs: Mapping[str, bytes],
) -> None:
    place, original = folder / here, tree / here
    place.mkdir()
    inside = {p for p in real if p.parent == here and p != here}
    if original.is_dir():
        for entry in original.iterdir():
            path = here / entry.name
            if path not in inside and str(path) not in differs and entry.name not in _LEFT_OUT:
                (folder / path).symlink_to(entry)
    for path in inside:
        _fill(tree, folder, path, real, differs)
    for name, data in differs.items():
        if PurePosixPath(name).parent == here:
            (folder / name).write_bytes(data)


def mended(
    tree: Path, differs: Mapping[str, bytes], mends: tuple[Mend, ...], is_clang: bool
) -> dict[str, bytes]:
    """`differs` with those mends that this tree needs."""
    out = dict(differs)
    for mend in mends:
        if mend.clang and not is_clang:
            continue
        where = _read(tree, out, mend.where)
        text = _read(tree, out, mend.file)
        if mend.when.encode() in where and mend.find.encode() in text:
            out[mend.file] = text.replace(mend.find.encode(), mend.replace.encode())
    return out


def _read(tree: Path, differs: Mapping[str, bytes], path: str) -> bytes:
    if path in differs:
        return differs[path]
    try:
        return (tree / path).read_bytes()
    except FileNotFoundError:
        return b""


def unfit(tree: Path) -> str | None:
    """Why a folder is no kernel source that can be built out of place; None if it is."""
    for name in ("Makefile", "Kbuild", "Kconfig", "mm/Makefile", "scripts/Makefile.build"):
        if not (tree / name).is_file():
            return (
                f"{tree}: no {name}: this is no whole kernel tree "
                "(`genfault fetch --full 6.1` unpacks one)"
            )
    generated = [*tree.glob("arch/*/include/generated"), tree / "include/config", tree / ".config"]
    for path in generated:
        if path.exists():
            return (
                f"{tree}: {path.relative_to(tree)} is there: a tree that was built in place "
                "cannot be built out of place as well; `make mrproper` cleans it"
            )
    return None


def version_of(tree: Path) -> str:
    """`6.1.192`, as the tree's Makefile has it."""
    found: dict[str, str] = {}
    for line in (tree / "Makefile").read_text("latin-1").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found.setdefault(name.strip(), value.strip())
    return f"{found['VERSION']}.{found['PATCHLEVEL']}.{found['SUBLEVEL']}"
