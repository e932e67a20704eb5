# SPDX-License-Identifier: GPL-2.0-only
"""Writing files whole: beside their place first, then renamed; never over another unasked."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from codegen.base.diagnostics import GenfaultError


def must_be_new(path: Path, *, force: bool = False) -> None:
    """Raises GenfaultError where `path` is there already and `force` is not given."""
    if path.exists() and not force:
        raise GenfaultError(f"{path} is there already; --force overwrites it")


def write_new(path: Path, text: str, *, force: bool = False) -> Path:
    """Writes `text` (UTF-8) to `path`; its folder is made. Gives the path.

    Raises GenfaultError where something is there already and `force` is not
    given, and where the place cannot be written.
    """
    must_be_new(path, force=force)
    return replace_file(path, text.encode("utf-8"))


def replace_file(path: Path, data: bytes) -> Path:
    """Puts `data` in the place of `path`, whole or not at all; a file's mode is kept.

    Raises GenfaultError where the place cannot be written.
    """
    return replace_files([(path, data)])[0]


def replace_files(files: Sequence[tuple[Path, bytes]]) -> list[Path]:
    """Puts all files in their places, each whole, and all or none of them. Gives their paths.

    Everything is written beside its place before the first file is replaced,
    so that a full disk, a folder that cannot be written or an interruption
    leaves all as it was; folders that were made for it go again. A link is
    followed, a file's mode is kept.

    Raises GenfaultError where a place cannot be written.
    """
    made: list[Path] = []
    staged: list[tuple[Path, Path]] = []
    done: list[tuple[Path, bytes | None]] = []
    path = Path()
    try:
        for path, data in files:
            place = path.resolve()
            made += _make_folders(place.parent)
            staged.append((_stage(place, data), place))
        for temporary, place in staged:
            path = place
            done.append((place, place.read_bytes() if place.exists() else None))
            temporary.replace(place)
    except BaseException as error:
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)
        for place, before in reversed(done):
            _put_back(place, before)
        for folder in reversed(made):
            folder.rmdir()
        if isinstance(error, OSError):
            raise GenfaultError(f"cannot write {path}: {error.strerror or error}") from error
        raise
    return [path for path, _ in files]


def _make_folders(folder: Path) -> list[Path]:
    """Makes a folder and those above it; the ones that were not there, outermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    made = []
    for new in reversed(missing):
        new.mkdir()
        made.append(new)
    return made


def _stage(place: Path, data: bytes) -> Path:
    """The data in a file beside its place, with the mode that it shall have."""
    mode = place.stat().st_mode & 0o7777 if place.exists() else 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        Path(name).chmod(mode)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _put_back(place: Path, before: bytes | None) -> None:
    """A place as it was, whether or not it has been replaced yet."""
    if before is None:
        place.unlink(missing_ok=True)
    elif place.read_bytes() != before:
        _stage(place, before).replace(place)


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
