# SPDX-License-Identifier: GPL-2.0-only
"""The names of the rendered helper against a tree: what it uses is there, what it adds is not.

    mm/generic_fault.c  uses  FAULT_FLAG_USER, handle_mm_fault(), ...    declared in its includes
                        adds  generic_fault(), GFAULT_*, GENERIC_FAULT   nobody else's

A header that the tree does not have (a tree unpacked in part) cannot be asked;
then only the mm's own flags are, which every tree has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.targets.c.helper import COMMENT, HEADERS, HelperUnavailable
from codegen.targets.c.nodes import (
    HELPER_C,
    HELPER_CONFIG,
    HELPER_FUNCTION,
    HELPER_HEADER,
    HelperText,
)

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]+<([^>]+)>", re.MULTILINE)
_FLAG = re.compile(r"\b(?:FAULT_FLAG|VM_FAULT)_\w+")
_OTHER = re.compile(r"\b(?:PERF_COUNT|VM|VMA)_[A-Z_]+\b|\b[a-z]\w+(?=\()|\bWARN_ON_ONCE\b")
_LANGUAGE = {"if", "while", "for", "switch", "return", "sizeof", "likely", "unlikely"}
_ARCHITECTURES = {"instruction_pointer", "exception_ip", "might_sleep"}
"""Declared below arch/, or moved about too often to be looked for."""

_ADDED = re.compile(rf"\b(?:{HELPER_FUNCTION}|generic_fault_result|GFAULT_\w+)\b")
_ADDED_BYTES = (HELPER_FUNCTION.encode(), b"GFAULT_")


def check_names(tree: Path, helper: HelperText) -> None:
    """Raises HelperUnavailable for a name that the tree lacks, GenfaultError for one it has."""
    missing = _missing(tree, helper)
    if missing:
        raise HelperUnavailable(tree, f"its headers do not have {', '.join(missing)}")
    for path, line, word in _taken(tree):
        raise GenfaultError(
            f"{path}:{line}: {word} means something else in this tree; "
            f"genfault's {HELPER_FUNCTION}() would collide with it"
        )


def _missing(tree: Path, helper: HelperText) -> list[str]:
    code = COMMENT.sub(" ", helper.c)
    own = set(re.findall(r"^(?:static )?unsigned int (\w+)\(", code, re.MULTILINE))
    direct = [name for name in _INCLUDE.findall(code) if f"include/{name}" != HELPER_HEADER]
    wanted = list(dict.fromkeys(_FLAG.findall(code)))
    if all((tree / "include" / name).is_file() for name in direct):
        others = dict.fromkeys(_OTHER.findall(code))
        wanted += [w for w in others if w not in _LANGUAGE | _ARCHITECTURES | own]
        wanted = list(dict.fromkeys(wanted))
    known: set[str] = set()
    for text in _closure(tree, [*direct, *(f"linux/{name}" for name in HEADERS)]):
        known |= set(re.findall(r"\w+", text))
        if known.issuperset(wanted):
            return []
    return [name for name in wanted if name not in known]


def _closure(tree: Path, names: list[str]) -> Iterator[str]:
    """The text of the headers, and of those that they include, nearest first."""
    todo = list(dict.fromkeys(names))
    seen = set(todo)
    for name in todo:
        places = [tree / "include" / name, tree / "include/uapi" / name]
        if name.startswith("asm/"):
            places = [tree / "include/asm-generic" / name.removeprefix("asm/")]
        for place in places:
            try:
                text = COMMENT.sub(" ", place.read_text("latin-1"))
            except OSError:
                continue
            yield text
            for more in _INCLUDE.findall(text):
                if more not in seen:
                    seen.add(more)
                    todo.append(more)


def _taken(tree: Path) -> Iterator[tuple[str, int, str]]:
    """(path, line, word) where headers, the mm or a Kconfig file use a name of the helper's."""
    for path in _headers(tree):
        name = path.relative_to(tree).as_posix()
        if name in (HELPER_HEADER, HELPER_C):
            continue
        try:
            data = path.read_bytes()
        except OSError:
            continue
        if not any(word in data for word in _ADDED_BYTES):
            continue
        text = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), data.decode("latin-1"))
        for found in _ADDED.finditer(text):
            yield name, text.count("\n", 0, found.start()) + 1, found[0]
    option = re.compile(rf"^(?:menu)?config[ \t]+{HELPER_CONFIG}[ \t]*$", re.MULTILINE)
    for folder in (tree / "arch", tree / "init", tree / "kernel", tree / "lib"):
        for path in sorted(folder.glob("**/Kconfig*" if folder.name == "lib" else "*/Kconfig*")):
            text = path.read_bytes().decode("latin-1") if path.is_file() else ""
            if option_found := option.search(text):
                line = text.count("\n", 0, option_found.start()) + 1
                yield path.relative_to(tree).as_posix(), line, HELPER_CONFIG


def _headers(tree: Path) -> Iterator[Path]:
    folders = [tree / "include", tree / "mm", *sorted(tree.glob("arch/*/include"))]
    for top in folders:
        for folder, inner, files in os.walk(top):
            inner.sort()
            if top.name == "include" and Path(folder).name == "dt-bindings":
                inner.clear()
                continue
            for name in sorted(files):
                if name.endswith(".h") or (top.name == "mm" and name.endswith(".c")):
                    yield Path(folder) / name
