# SPDX-License-Identifier: GPL-2.0-only
"""Converted files out of the tool: as a unified diff, below a folder, or in place."""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.base.files import replace_file


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
            (file.before or "").splitlines(True), file.after.splitlines(True), old, f"b/{file.path}"
        )
        for line in lines:
            out.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(out)


def write_below(folder: Path, files: Sequence[ConvertedFile]) -> list[Path]:
    """Writes the files below `folder` under their own paths.

    Raises GenfaultError before anything is written where one is there already.
    """
    taken = [folder / f.path for f in files if (folder / f.path).exists()]
    if taken:
        raise GenfaultError(f"{taken[0]} is there already; give --output an empty folder")
    return [replace_file(folder / f.path, f.after.encode("latin-1")) for f in files]


def write_in_place(root: Path, files: Sequence[ConvertedFile]) -> list[Path]:
    """Replaces the files of a source.

    Raises GenfaultError before anything is written where a file is not what
    was read, or has changes that git does not have yet.
    """
    for file in files:
        path = root / file.path
        if file.before is None:
            if path.exists() and path.read_bytes() != file.after.encode("latin-1"):
                raise GenfaultError(f"{path} is there already and is not ours")
            continue
        if path.read_bytes() != file.before.encode("latin-1"):
            raise GenfaultError(f"{path} has changed since it was read")
        if _uncommitted(path):
            raise GenfaultError(f"{path} has changes that are not committed; commit them first")
    return [replace_file(root / f.path, f.after.encode("latin-1")) for f in files]


def _uncommitted(path: Path) -> bool:
    """Whether git knows the file and sees a change in it."""
    try:
        done = subprocess.run(
            ["git", "status", "--porcelain", "--", path.name],
            cwd=path.parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0 and bool(done.stdout.strip())
