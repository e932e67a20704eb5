# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree's headers as an architecture's compiler finds them: who brings in whom.

<linux/uaccess.h>  ->  include/linux/uaccess.h  ->  <asm/uaccess.h>  ->  arch/A/include/asm/...

Some are in a folder that the configuration chooses (cpu-sh4/, abiv2/inc/), and
some are not there before a build writes them: those are left out of account.
An include counts as sure where no conditional but the guard stands around it;
a build defines __KERNEL__, and a C file does not define __ASSEMBLY__.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from codegen.csyntax.declared import NOTHING, Declared, declared_in

_DIRECTIVE = re.compile(
    r"^[ \t]*#[ \t]*(?:(if|ifdef|ifndef|elif|else|endif)\b[ \t]*([^\n]*)"
    r'|include[ \t]*(?:<([^>\n]+)>|"([^"\n]+)"))',
    re.MULTILINE,
)
_TRUE_DEFINED = frozenset(("__KERNEL__",))
_ASSEMBLY = frozenset(("__ASSEMBLY__", "__ASSEMBLER__"))


@dataclass(frozen=True)
class Header:
    """One header's text, and what it includes: (name, whether in every configuration)."""

    path: Path
    text: str
    includes: tuple[tuple[str, bool], ...]

    def declared(self) -> Declared:
        """The names that it gives itself."""
        known = _DECLARED.get(self.text)
        if known is None:
            known = _DECLARED[self.text] = declared_in(self.text)
        return known


def headers_of(tree: Path | None, file: Path) -> Headers | None:
    """The headers for a file of a tree; None without a tree, or for a file below no `arch/`."""
    # A file may be a link to somewhere else: where it is named is what counts.
    if tree is None or not file.absolute().is_relative_to(tree.absolute()):
        return None
    parts = file.absolute().relative_to(tree.absolute()).parts
    return Headers(tree, parts[1]) if parts[0] == "arch" and len(parts) > 2 else None


_READ: dict[Path, Header | None] = {}
_DECLARED: dict[str, Declared] = {}


class Headers:
    """The headers of a tree for one architecture (`arch` is its folder below `arch/`)."""

    def __init__(self, tree: Path, arch: str) -> None:
        self.tree, self.arch = tree, arch
        self._places = [
            *(tree / "arch" / arch / "include", tree / "include"),
            *(tree / "arch" / arch / "include/uapi", tree / "include/uapi"),
        ]
        self._found: dict[str, Header | None] = {}

    def find(self, name: str) -> Header | None:
        """What `#include <name>` gives; None where the tree does not have it."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> Header | None:
        for place in self._places:
            if (header := _read(place / name)) is not None:
                return header
        if name.startswith(("asm/", "uapi/asm/")):
            # Kbuild writes a wrapper for what an architecture has no file of its own for.
            inner = name.replace("asm/", "asm-generic/", 1)
            return _read(self.tree / "include" / inner) or _read(self.tree / "include/uapi" / inner)
        return self._chosen(name) if "/" in name else None

    def _chosen(self, name: str) -> Header | None:
        """Headers of one name of which the architecture's Makefile chooses one, as one."""
        found = [h for p in self._elsewhere.get(name, ()) if (h := _read(p)) is not None]
        if not found:
            return None
        includes = tuple((n, sure and len(found) == 1) for h in found for n, sure in h.includes)
        return Header(found[0].path, "\n".join(h.text for h in found), includes)

    @cached_property
    def _elsewhere(self) -> dict[str, list[Path]]:
        """The headers below `arch/A` by the last two parts of their names."""
        found: dict[str, list[Path]] = {}
        for path in sorted((self.tree / "arch" / self.arch).glob("**/*.h")):
            found.setdefault("/".join(path.parts[-2:]), []).append(path)
        return found

    def stays(self, names: Iterable[str]) -> dict[str, Header | None]:
        """The headers with these names and all that they bring in in every configuration."""
        return self._reached(names, {}, surely=True)

    def lost(self, name: str, stays: Mapping[str, Header | None]) -> dict[str, Header | None]:
        """What a header brings in, in some configuration, beside the headers that stay.

        What comes through one of those still comes, under its conditions or not.
        """
        return self._reached([name], stays, surely=False)

    def _reached(
        self, names: Iterable[str], known: Mapping[str, Header | None], *, surely: bool
    ) -> dict[str, Header | None]:
        found: dict[str, Header | None] = {}
        todo = list(names)
        while todo:
            name = todo.pop()
            if name in found or name in known:
                continue
            header = found[name] = self.find(name)
            if header is not None:
                todo += [n for n, sure in header.includes if sure or not surely]
        return found

    @cached_property
    def _unpacked(self) -> bool:
        """Whether the tree has the architecture's headers at all."""
        return (self.tree / "arch" / self.arch / "include/asm").is_dir()

    def is_whole(self, name: str) -> bool:
        """Whether the tree has all that the header brings in in every configuration."""
        needed = self.stays([name])
        return self._unpacked and all(
            h is not None or not n.startswith("linux/") for n, h in needed.items()
        )

    def own(self, name: str) -> Declared | None:
        """What a header is there for: its own names, its uapi part's, its architecture's.

        None where the tree does not have the header.
        """
        if self.find(name) is None:
            return None
        short = name.removeprefix("linux/")
        given = NOTHING
        for part in (name, f"uapi/{name}", f"asm/{short}", f"asm-generic/{short}"):
            header = self.find(part)
            if header is not None:
                given |= header.declared()
        return given


def _read(path: Path) -> Header | None:
    if path not in _READ:
        try:
            text = path.read_bytes().decode("latin-1")
        except OSError:
            _READ[path] = None
        else:
            _READ[path] = Header(path, text, tuple(_includes(path, text)))
    return _READ[path]


def _includes(path: Path, text: str) -> Iterator[tuple[str, bool]]:
    """(name, whether it comes in every configuration) of a header's includes.

    A header that is named in quotes and stands beside the one that names it
    is known by its whole path.
    """
    open_arms: list[bool] = []
    for match in _DIRECTIVE.finditer(text):
        kind, rest, name, quoted = match.groups()
        match kind:
            case None:
                beside = path.parent / quoted if quoted else None
                if beside is not None and beside.is_file():
                    name = str(beside)
                yield name or quoted, all(open_arms)
            case "if" | "ifdef" | "ifndef":
                open_arms.append(_holds(text, kind, rest, match.end()))
            case "endif":
                if open_arms:
                    open_arms.pop()
            case _:
                if open_arms:
                    open_arms[-1] = False


def _holds(text: str, kind: str, rest: str, end: int) -> bool:
    """Whether the condition always holds for a C file of the kernel."""
    word = re.match(r"!?\s*(?:defined\s*\(?\s*)?(\w+)", rest)
    name = word[1] if word else ""
    negated = kind == "ifndef" or rest.startswith("!")
    if negated:
        guard = re.match(rf"\s*(?:/\*.*?\*/\s*)*#\s*define\s+{re.escape(name)}\b", text[end:])
        return name in _ASSEMBLY or guard is not None
    return name in _TRUE_DEFINED and "&&" not in rest
