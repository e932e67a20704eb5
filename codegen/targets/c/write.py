# SPDX-License-Identifier: GPL-2.0-only
"""Converted files out of the tool: as a unified diff, below a folder, or in place."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.base.files import replace_files
from codegen.targets.c.git import uncommitted


@dataclass(frozen=True)
class ConvertedFile:
    """A file before and after; `before` None where it is new. Text is Latin-1 for bytes."""

    path: str
    before: str | None
    after: str


def diff_text(files: Sequence[ConvertedFile]) -> str:
    """All files as one unified diff that `patch -p1` takes."""
    out: list[str] = []
    for file in files:
        old = f"a/{file.path}" if file.before is not None else "/dev/null"
        lines = difflib.unified_diff(
            _lines(file.before or ""), _lines(file.after), old, f"b/{file.path}"
        )
        for line in lines:
            out.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(out)


def _lines(text: str) -> list[str]:
    """Lines as `patch` counts them: a form feed or a lone carriage return ends none."""
    return [line + "\n" for line in text.split("\n")[:-1]] + [
        rest for rest in text.split("\n")[-1:] if rest
    ]


def write_below(folder: Path, files: Sequence[ConvertedFile], *, force: bool) -> list[Path]:
    """Writes the files below `folder` under their own paths, all or none.

    Raises GenfaultError where one is there already and `force` is not given,
    and where the folder cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise GenfaultError(f"{folder} is no folder")
    taken = [folder / f.path for f in files if (folder / f.path).exists()]
    if taken and not force:
        raise GenfaultError(
            f"{taken[0]} is there already; give --output an empty folder, or --force"
        )
    return replace_files([(folder / f.path, f.after.encode("latin-1")) for f in files])


def write_in_place(root: Path, files: Sequence[ConvertedFile], *, allow_dirty: bool) -> list[Path]:
    """Replaces the files of a source, all or none.

    Raises GenfaultError before anything is written where a file is not what
    was read, is read-only, or has changes that git does not have yet and
    `allow_dirty` is not given.
    """
    for file in files:
        path = root / file.path
        if file.before is None:
            if path.exists():
                raise GenfaultError(f"{path} is there already and is not ours")
            continue
        if path.read_bytes() != file.before.encode("latin-1"):
            raise GenfaultError(f"{path} has changed since it was read")
        if not path.stat().st_mode & 0o222:
            raise GenfaultError(f"{path} is read-only; nothing was changed")
    dirty = [] if allow_dirty else uncommitted(root, [f.path for f in files])
    if dirty:
        more = f" and {len(dirty) - 1} more" if len(dirty) > 1 else ""
        raise GenfaultError(
            f"{root / dirty[0]}{more} has changes that are not committed; "
            "commit them first, or give --allow-dirty"
        )
    return replace_files([(root / f.path, f.after.encode("latin-1")) for f in files])
