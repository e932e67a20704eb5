# SPDX-License-Identifier: GPL-2.0-only
"""What the corpus hands to the floors above: files of C, and the source that they came from.

Printed form (`str`), one line a source and one a file:

    linux-source-6.1: tree, kernel 6.1.192, 25 files
      arch/arc/mm/fault.c [arc]
      arch/sparc/mm/fault_32.c [sparc32]
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from codegen.base.spans import SourceText


class SourceKind(StrEnum):
    """What a SOURCE argument turned out to be."""

    SNIPPETS = "snippets"
    """No argument: the `kernel_snippets/` that travel with the tool."""
    FILE = "file"
    """One C file, in a kernel tree or anywhere."""
    FOLDER = "folder"
    """A folder of C files, in a kernel tree or anywhere."""
    TREE = "tree"
    """The root of a kernel tree."""


@dataclass(frozen=True, slots=True)
class CFile:
    """One file that mentions `handle_mm_fault`, and so may hold a handler.

    `arch` is the folder below `arch/`, with the number that the file's name
    ends in (`arch/sparc/mm/fault_32.c` is sparc32); None outside `arch/`.
    `path` is posix and relative to the source's root.
    """

    arch: str | None
    path: str
    source: SourceText = field(repr=False)

    @property
    def selector(self) -> str:
        """The name that `--arch` takes: the arch, or outside `arch/` the file's stem."""
        return self.arch or PurePosixPath(self.path).stem

    def __str__(self) -> str:
        return f"{self.path} [{self.selector}]"


@dataclass(frozen=True, slots=True)
class Source:
    """A SOURCE argument, opened: its candidate files in order of path, never none.

    `root` is what the files' paths are relative to. `tree` is the kernel tree
    that the files belong to, in which their headers are found: the root itself
    for a tree, a folder above for a file or folder inside one, else None.
    `kernel` is that tree's version ("6.1.192"), None where no Makefile says it.
    """

    name: str
    kind: SourceKind
    root: Path
    tree: Path | None
    kernel: str | None
    files: tuple[CFile, ...]

    def __str__(self) -> str:
        kernel = f", kernel {self.kernel}" if self.kernel else ""
        head = f"{self.name}: {self.kind}{kernel}, {len(self.files)} files"
        return "\n".join([head, *(f"  {file}" for file in self.files)])
