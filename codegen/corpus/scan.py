# SPDX-License-Identifier: GPL-2.0-only
"""Finding the few files that mention `handle_mm_fault` among thousands, fast.

A kernel's `arch/` has some 1850 C files and 21 MB; reading them all and
searching the bytes takes 0.1 s, so there is no list of likely file names that
could miss one.
"""

import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from codegen.base.diagnostics import UnreadableSource
from codegen.corpus.read import FAULT_WORDS, MOST_BYTES, unreadable

_MOST_ENTRIES = 100_000
"""A folder with more below it (a home folder, `/`) was not meant."""


def c_files_below(folder: Path) -> Iterator[Path]:
    """Every `.c` file below `folder`; hidden folders and links to folders are not entered.

    Raises UnreadableSource for a folder that cannot be listed or has too much
    below it.
    """
    seen = 0
    todo = [os.fspath(folder)]
    while todo:
        current = todo.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith("."):
                            todo.append(entry.path)
                    elif entry.name.endswith(".c") and entry.is_file():
                        yield Path(entry.path)
        except OSError as error:
            raise unreadable(current, error) from error
        if seen > _MOST_ENTRIES:
            raise UnreadableSource(
                str(folder),
                f"more than {_MOST_ENTRIES} files and folders below it; "
                "name a kernel tree or a folder of C files",
            )


def mentions_fault(path: Path) -> bool:
    """Whether the file's bytes hold `handle_mm_fault`, or the helper's name, anywhere.

    Comments count: a candidate is read again by those who know C.

    Raises UnreadableSource when the file cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return False
            if status.st_size <= MOST_BYTES:
                content = os.read(descriptor, status.st_size)
                return any(word in content for word in FAULT_WORDS)
            with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as view:
                return any(view.find(word) >= 0 for word in FAULT_WORDS)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(str(path), error) from error
