# SPDX-License-Identifier: GPL-2.0-only
"""One file's bytes as `SourceText`, or the one reason why it cannot be C that we read."""

import os
import re
import stat
from pathlib import Path, PurePosixPath

from codegen.base.diagnostics import UnreadableSource
from codegen.base.spans import SourceText
from codegen.corpus.nodes import CFile

FAULT_WORDS = (b"handle_mm_fault", b"generic_fault")
"""The mm's entry point (mm/memory.c): a file without it has no fault path."""

MOST_BYTES = 4 << 20
"""The largest file that we read; the largest handler of 6.1 has 50 kB."""

_SUFFIXES = (".c", ".h", ".inc")


def read_c(path: Path, name: str, shown: str) -> SourceText:
    """The file `path` as text named `name`; messages call it `shown`.

    Raises UnreadableSource for a path that is missing, no regular file,
    unreadable, too large, empty, binary (with the line of the first NUL byte),
    not C, or without a mention of `handle_mm_fault`.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableSource(shown, "not a regular file")
            # Read one byte more than allowed: the file may grow under us.
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise unreadable(shown, error) from error
    if len(data) > MOST_BYTES:
        raise UnreadableSource(shown, f"larger than {MOST_BYTES >> 20} MiB: not a fault handler")
    if not data:
        raise UnreadableSource(shown, "empty file")
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise UnreadableSource(shown, "binary file: it holds a NUL byte", line)
    if not path.name.endswith(_SUFFIXES):
        raise UnreadableSource(shown, f"not C: a C file's name ends in {', '.join(_SUFFIXES)}")
    if b"{" not in data:
        raise UnreadableSource(shown, "not C: there is no function body in it")
    if not any(word in data for word in FAULT_WORDS):
        raise UnreadableSource(shown, "no fault path: nothing calls handle_mm_fault()")
    return SourceText.from_bytes(name, data)


_INCLUDED = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"\n]+\.c)"', re.MULTILINE)


def read_included(root: Path, file: CFile) -> list[SourceText]:
    """The `.c` files that a file includes by quoted name; what is not there is left out."""
    out = []
    for name in dict.fromkeys(_INCLUDED.findall(file.source.text)):
        relative = PurePosixPath(file.path).parent / name
        try:
            data = (root / relative).read_bytes()
        except OSError:
            continue
        out.append(SourceText.from_bytes(str(relative), data[:MOST_BYTES]))
    return out


def read_above(root: Path, file: CFile, name: str) -> SourceText | None:
    """`name` (`mm/generic_fault.c`) in the nearest folder above a file that has it.

    So it is found in a kernel tree, and in what `convert --output` wrote as
    well. Raises UnreadableSource for one that is there and cannot be read.
    """
    for folder in (root / file.path).parents:
        path = folder / name
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise unreadable(str(path), error) from error
        return SourceText.from_bytes(name, data[:MOST_BYTES]).with_newlines("\n")
    return None


def unreadable(shown: str, error: OSError) -> UnreadableSource:
    """What the system said about a path, as one message."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return UnreadableSource(shown, "no such file or folder")
        case IsADirectoryError():
            return UnreadableSource(shown, "a folder, where a C file is needed")
        case _:
            return UnreadableSource(shown, f"cannot be read: {error.strerror or error}")


def _open_without_waiting(path: str, flags: int) -> int:
    # A named pipe would keep a plain open() waiting for a writer.
    return os.open(path, flags | os.O_NONBLOCK)
