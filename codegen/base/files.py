# SPDX-License-Identifier: GPL-2.0-only
"""Writing files whole: beside their place first, then renamed; never over another unasked."""

import os
import tempfile
from pathlib import Path

from codegen.base.diagnostics import GenfaultError


def write_new(path: Path, text: str, *, force: bool = False) -> Path:
    """Writes `text` (UTF-8) to `path`; its folder is made. Gives the path.

    Raises GenfaultError where something is there already and `force` is not
    given, and where the place cannot be written.
    """
    if path.exists() and not force:
        raise GenfaultError(f"{path} is there already; --force overwrites it")
    return replace_file(path, text.encode("utf-8"))


def replace_file(path: Path, data: bytes) -> Path:
    """Puts `data` in the place of `path`, whole or not at all; a file's mode is kept.

    Raises GenfaultError where the place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask()
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise GenfaultError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
