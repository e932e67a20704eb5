# SPDX-License-Identifier: GPL-2.0-only
"""From a SOURCE argument to the files that may hold a handler.

    genfault tables                          the bundled snippets, each by its stem
    genfault tables linux-6.1                arch/** and virt/** of the tree
    genfault tables linux-6.1/arch/arc       the files below, known as the tree's
    genfault tables my/fault.c --arch fault  one file, by its stem

Nothing is parsed here: a candidate is a file that mentions `handle_mm_fault`.
"""

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from codegen.base.diagnostics import GenfaultError, UnreadableSource
from codegen.base.resources import data_dir
from codegen.corpus.nodes import CFile, Source, SourceKind
from codegen.corpus.read import read_c, unreadable
from codegen.corpus.scan import c_files_below, mentions_fault
from codegen.corpus.tree import (
    arch_of,
    enclosing_tree,
    is_tree,
    kernel_version,
    looks_like_a_broken_tree,
    missing_marks,
)

_TREE_FOLDERS = ("arch", "virt")
"""Where a kernel keeps what runs a fault; mm/, kernel/ and drivers/ only call in."""


class UnknownArch(GenfaultError):
    """An architecture that a source does not have."""


def open_source(path: Path | None, archs: Sequence[str] = ()) -> Source:
    """What `path` holds, narrowed to `archs` (all when empty).

    None is the bundled `kernel_snippets/`. A folder with a Makefile, `arch/`
    and `include/linux/` is a kernel tree, any other a folder of C files, and
    what is no folder is a C file. A file or folder inside a kernel tree has
    its paths, archs and headers from that tree.

    Raises UnreadableSource for a path that holds no fault path (see
    `corpus.read`) or a folder that is a broken kernel tree, UnknownArch for an
    arch that the source does not have.
    """
    if path is None:
        return _open_snippets(archs)
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - keeps symlinks as the user named them
    try:
        folder = os.path.isdir(absolute)  # noqa: PTH112 - false, not an error, for odd paths
        if not folder:
            return _open_file(path, absolute, archs)
        if is_tree(absolute):
            return _open_tree(path, absolute, archs)
        if looks_like_a_broken_tree(absolute):
            lacks = " and no ".join(missing_marks(absolute))
            raise UnreadableSource(str(path), f"not a kernel tree: it has no {lacks}")
        return _open_folder(absolute, archs)
    except OSError as error:
        raise unreadable(str(path), error) from error


def _open_snippets(archs: Sequence[str]) -> Source:
    try:
        root = data_dir("kernel_snippets")
    except FileNotFoundError as error:
        raise GenfaultError(str(error)) from error
    files = _candidates(root, root, c_files_below(root))
    return _source("kernel_snippets", SourceKind.SNIPPETS, root, None, files, archs)


def _open_file(path: Path, absolute: Path, archs: Sequence[str]) -> Source:
    tree = enclosing_tree(absolute)
    root = tree or absolute.parent
    name = absolute.relative_to(root).as_posix()
    file = CFile(arch_of(name), name, read_c(absolute, name, str(path)))
    return _source(path.as_posix(), SourceKind.FILE, root, tree, [file], archs)


def _open_folder(absolute: Path, archs: Sequence[str]) -> Source:
    tree = enclosing_tree(absolute)
    files = _candidates(absolute, tree or absolute, c_files_below(absolute))
    return _source(absolute.name, SourceKind.FOLDER, tree or absolute, tree, files, archs)


def _open_tree(path: Path, root: Path, archs: Sequence[str]) -> Source:
    # Most runs name one arch: look first only where it can be. Everywhere else
    # only when that finds too little, and the message has to list them all.
    likely = [
        folder
        for folder in (root / "arch").iterdir()
        if folder.is_dir() and any(arch.startswith(folder.name) for arch in archs)
    ]
    files = _candidates(path, root, _c_files(likely), complain=False)
    if not archs or not set(archs) <= {file.selector for file in files}:
        folders = [root / name for name in _TREE_FOLDERS if (root / name).is_dir()]
        files = _candidates(path, root, _c_files(folders))
    return _source(root.name, SourceKind.TREE, root, root, files, archs)


def _c_files(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in folders:
        yield from c_files_below(folder)


def _candidates(
    shown: Path, root: Path, paths: Iterable[Path], *, complain: bool = True
) -> list[CFile]:
    """Those of `paths` that mention the word, read; complains when there is none."""
    seen = 0
    files = []
    for path in paths:
        seen += 1
        if mentions_fault(path):
            name = path.relative_to(root).as_posix()
            files.append(CFile(arch_of(name), name, read_c(path, name, str(path))))
    if complain and not seen:
        raise UnreadableSource(str(shown), "no .c file in this folder")
    if complain and not files:
        raise UnreadableSource(
            str(shown), f"no fault path: none of its {seen} .c files calls handle_mm_fault()"
        )
    return sorted(files, key=lambda file: file.path)


def _source(
    name: str,
    kind: SourceKind,
    root: Path,
    tree: Path | None,
    files: list[CFile],
    archs: Sequence[str],
) -> Source:
    """The source narrowed to `archs`; GenfaultError for one that it does not have."""
    known = sorted({file.selector for file in files})
    for arch in archs:
        if arch not in known:
            raise UnknownArch(_unknown_arch(name, arch, known))
    chosen = tuple(file for file in files if not archs or file.selector in archs)
    return Source(name, kind, root, tree, kernel_version(tree) if tree else None, chosen)


def _unknown_arch(name: str, arch: str, known: list[str]) -> str:
    close = difflib.get_close_matches(arch, known, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"{name}: no arch {arch!r} here, only {', '.join(known)}{hint}"
