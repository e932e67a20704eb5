# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's own headers define a macro, or an enumerator, as.

definitions(linux-6.12, "arch/mips/mm/fault.c", "MODULES_VADDR")    {"CKSSEG"}
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from codegen.base.spans import SourceText

_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+((?:\\\r?\n|[^\n])*)", re.MULTILINE)
_ENUM = re.compile(r"\benum\b\s*\w*\s*\{([^{}]*)\}")
_DIRECTIVE = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_WITH_PARAMETERS = re.compile(
    r"^[ \t]*#[ \t]*define[ \t]+(\w+)(\([^()\n]*\))[ \t]*((?:\\\r?\n|[^\n])*)", re.MULTILINE
)


def definitions(tree: Path, path: str, name: str) -> frozenset[str]:
    """Every value that headers give to an object-like macro or an enumerator, blanks and comments
    aside.

    Looked for in the headers of the architecture that the file at `path` belongs
    to, and only if these have none in those of all. Empty where nobody defines it.
    """
    own = definitions_of_arch(tree, path, name)
    return own or frozenset(_defined(tree / "include").get(name, ()))


def definitions_of_arch(tree: Path, path: str, name: str) -> frozenset[str]:
    """The same, looked for in the headers of the file's architecture only."""
    folder = _headers_of_arch(tree, path)
    return frozenset() if folder is None else frozenset(_defined(folder).get(name, ()))


def macros_of_arch(tree: Path, path: str, name: str) -> frozenset[str]:
    """Every definition of a macro with parameters in the headers of the file's architecture.

    `{"LEVEL(n) ((n) + FIRST)"}`: what follows `#define`, in one line, comments aside.
    """
    folder = _headers_of_arch(tree, path)
    return frozenset() if folder is None else frozenset(_with_parameters(folder).get(name, ()))


def _headers_of_arch(tree: Path, path: str) -> Path | None:
    """The folder of the headers of the architecture that the file at `path` belongs to."""
    arch, _, rest = path.removeprefix("arch/").partition("/")
    return tree / "arch" / arch / "include" if path.startswith("arch/") and rest else None


def _read(folder: Path) -> Iterator[tuple[Path, str]]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*.h")):
            try:
                yield path, path.read_text("latin-1")
            except OSError:
                continue


@cache
def _texts(folder: Path) -> tuple[tuple[Path, str], ...]:
    return tuple(_read(folder))


@cache
def _with_parameters(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for _, text in _texts(folder):
        for name, params, value in _WITH_PARAMETERS.findall(text):
            plain = _COMMENT.sub(" ", value.replace("\\\n", " "))
            found.setdefault(name, set()).add(" ".join(f"{name}{params} {plain}".split()))
    return found


@cache
def _defined(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for _, text in _read(folder):
        for name, value in (*_DEFINE.findall(text), *_enumerated(text)):
            plain = _COMMENT.sub(" ", value.replace("\\\n", " "))
            found.setdefault(name, set()).add("".join(plain.split()))
    return found


def _enumerated(text: str) -> Iterator[tuple[str, str]]:
    """The enumerators of a header, each with its value as text: `B` of `{ A, B }` is `(A)+1`."""
    if "enum" not in text:
        return
    for body in _ENUM.findall(_COMMENT.sub(" ", text)):
        following = "0"
        for item in _DIRECTIVE.sub("", body).split(","):
            name, equals, written = (part.strip() for part in item.partition("="))
            if name.isidentifier():
                yield name, written if equals else following
                following = f"({name})+1"


def headers_with(tree: Path, path: str, name: str) -> tuple[str, ...]:
    """The texts of those headers of the file's architecture in which a name stands."""
    return tuple(header.text for header in header_files_with(tree, path, name))


def header_files_with(tree: Path, path: str, name: str) -> tuple[SourceText, ...]:
    """Those headers themselves, each with its path from the tree's root."""
    folder = _headers_of_arch(tree, path)
    if folder is None:
        return ()
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return tuple(
        SourceText(header.relative_to(tree).as_posix(), text)
        for header, text in _texts(folder)
        if name in text and word.search(text)
    )


_ORDER = re.compile(r"^[ \t]*#[ \t]*include[ \t]+<linux/byteorder/(big|little)_endian\.h>", re.M)


def is_big_endian(tree: Path, path: str) -> bool | None:
    """Whether the file's architecture is; None where it is configured, or nothing says.

    Source: arch/*/include/uapi/asm/byteorder.h, which includes the one header or the other.
    """
    folder = _headers_of_arch(tree, path)
    header = None if folder is None else folder / "uapi/asm/byteorder.h"
    if header is None or not header.is_file():
        return None
    orders = set(_ORDER.findall(header.read_text("latin-1")))
    return orders == {"big"} if len(orders) == 1 else None
