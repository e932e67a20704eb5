# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's own headers define a macro, or an enumerator, as.

definitions(linux-6.12, "arch/mips/mm/fault.c", "MODULES_VADDR")    {"CKSSEG"}
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+((?:\\\r?\n|[^\n])*)", re.MULTILINE)
_ENUM = re.compile(r"\benum\b\s*\w*\s*\{([^{}]*)\}")
_DIRECTIVE = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


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
    arch, _, rest = path.removeprefix("arch/").partition("/")
    if not path.startswith("arch/") or not rest:
        return frozenset()
    return frozenset(_defined(tree / "arch" / arch / "include").get(name, ()))


def _read(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*.h")):
            try:
                yield path.read_text("latin-1")
            except OSError:
                continue


@cache
def _texts(folder: Path) -> tuple[str, ...]:
    return tuple(_read(folder))


@cache
def _defined(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for text in _read(folder):
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
    arch, _, rest = path.removeprefix("arch/").partition("/")
    if not path.startswith("arch/") or not rest:
        return ()
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    texts = _texts(tree / "arch" / arch / "include")
    return tuple(text for text in texts if name in text and word.search(text))


_ORDER = re.compile(r"^[ \t]*#[ \t]*include[ \t]+<linux/byteorder/(big|little)_endian\.h>", re.M)


def is_big_endian(tree: Path, path: str) -> bool | None:
    """Whether the file's architecture is; None where it is configured, or nothing says.

    Source: arch/*/include/uapi/asm/byteorder.h, which includes the one header or the other.
    """
    arch, _, rest = path.removeprefix("arch/").partition("/")
    header = tree / "arch" / arch / "include/uapi/asm/byteorder.h"
    if not path.startswith("arch/") or not rest or not header.is_file():
        return None
    orders = set(_ORDER.findall(header.read_text("latin-1")))
    return orders == {"big"} if len(orders) == 1 else None
