# SPDX-License-Identifier: GPL-2.0-only
"""When a tree builds a file, out of its own Makefiles; and a new object in a Makefile's order.

    obj-$(CONFIG_MMU) += fault.o pageattr.o          arch/riscv/mm/fault.c    MMU
    mmu-$(CONFIG_MMU) := fault.o ioremap.o
    obj-y             += $(mmu-y)                    arch/sh/mm/fault.c       MMU
    obj-y += fault_$(BITS).o
      with BITS := 32 under ifeq ($(CONFIG_SPARC32),y)
                                                     arch/sparc/mm/fault_32.c SPARC32
    obj-y := init.o fault.o                          arch/alpha/mm/fault.c    always

Facts: Documentation/kbuild/makefiles.rst. A condition that is no CONFIG_
symbol's (`ifeq ($(ARCH),...)`) says nothing to Kconfig and counts as true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from codegen.targets.c.kconfig import Reader, common_start

Conditions = tuple[str, ...]
"""Kconfig expressions that all hold, each `X` or `!X`."""

_ASSIGNMENT = re.compile(
    r"^[ \t]*(?:export[ \t]+|override[ \t]+)*([-\w$(){}./]+)[ \t]*(?::=|\+=|\?=|::=|=)[ \t]*(.*)$"
)
_CONDITIONAL = re.compile(r"^[ \t]*(ifeq|ifneq|ifdef|ifndef|else|endif)\b[ \t]*(.*)$")
_BY_CONFIG = re.compile(r"^(.*)-\$[({]CONFIG_(\w+)[)}]$")
_TEST = re.compile(r"^[(\"'][ \t]*\$[({]CONFIG_(\w+)[)}][ \t]*[,\"'][ \t\"']*(y?)[ \t]*[)\"']?$")
_LISTS = ("obj", "lib", "core", "drivers", "libs", "head", "net", "init", "virt")


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name += words`, with what the conditionals around it test."""

    name: str
    words: tuple[str, ...]
    conditions: Conditions


def assignments(text: str) -> tuple[Assignment, ...]:
    """The assignments of a Makefile, in order, continuations joined."""
    return tuple(_assignments(text))


def _assignments(text: str) -> Iterator[Assignment]:
    arms: list[tuple[str | None, str | None]] = []  # (what holds here, what was tested last)
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        line = line.split("#", 1)[0].rstrip()
        if conditional := _CONDITIONAL.match(line):
            word, rest = conditional[1], conditional[2]
            match word:
                case "endif":
                    del arms[-1:]
                case "else":
                    tested = arms.pop()[1] if arms else None
                    again = _CONDITIONAL.match(rest)
                    holds = _tested(again[1], again[2]) if again else _not(tested)
                    arms.append((holds, holds if again else None))
                case _:
                    tested = _tested(word, rest)
                    arms.append((tested, tested))
        elif found := _ASSIGNMENT.match(line):
            holding = tuple(holds for holds, _ in arms if holds is not None)
            yield Assignment(found[1], tuple(found[2].split()), holding)


def _tested(word: str, rest: str) -> str | None:
    """The Kconfig expression that a make conditional tests, if it is one."""
    if word in ("ifdef", "ifndef"):
        name = re.fullmatch(r"CONFIG_(\w+)", rest.strip())
        symbol = name[1] if name else None
        return symbol if word == "ifdef" else _not(symbol)
    test = _TEST.match(rest.strip())
    if test is None:
        return None
    # ifeq (..., y) and ifneq (..., ) ask whether it is set.
    return test[1] if (word == "ifeq") == (test[2] == "y") else _not(test[1])


def _not(expression: str | None) -> str | None:
    return None if expression is None else negated(expression)


def negated(expression: str) -> str:
    """`!X` for `X`, and the other way round."""
    return expression[1:] if expression.startswith("!") else f"!{expression}"


def built_when(read: Reader, path: str) -> Conditions:
    """What has to be set in Kconfig for a tree to build `path`; empty for always.

    Asks the Makefile beside the file, then those above it in the same
    architecture for the folder. What no Makefile names counts as always built.
    """
    file = PurePosixPath(path)
    arch = PurePosixPath(*file.parts[:2])
    found = list(_listed_when(read, file.parent, file.with_suffix(".o").name, arch))
    folder = file.parent
    while folder not in (arch, arch.parent) and len(folder.parts) > 2:
        names = (f"{folder.name}/", f"{folder}/")
        for name in names:
            found += _listed_when(read, folder.parent, name, arch)
        folder = folder.parent
    return tuple(dict.fromkeys(found))


def _makefiles(read: Reader, folder: PurePosixPath) -> Iterator[tuple[Assignment, ...]]:
    for name in ("Kbuild", "Makefile"):
        if (text := read(f"{folder}/{name}")) is not None:
            yield assignments(text)


def _listed_when(read: Reader, folder: PurePosixPath, name: str, arch: PurePosixPath) -> Conditions:
    """The conditions under which a folder's Makefile lists an object or a folder."""
    for made in _makefiles(read, folder):
        ways = list(_ways(read, made, name, arch, frozenset()))
        if ways:
            # Several lists name it: built if any of them is, so only what they share counts.
            return tuple(c for c in ways[0] if all(c in way for way in ways))
    return ()


def _ways(
    read: Reader,
    made: tuple[Assignment, ...],
    name: str,
    arch: PurePosixPath,
    seen: frozenset[str],
) -> Iterator[Conditions]:
    if name in seen:
        return
    for assignment in made:
        for word in assignment.words:
            values = _fits(word, name)
            if values is None:
                continue
            by_config = _BY_CONFIG.match(assignment.name)
            here = (*assignment.conditions, *([by_config[2]] if by_config else []))
            for variable, value in values.items():
                here += _set_when(read, made, variable, value, arch)
            base = by_config[1] if by_config else re.sub(r"-(?:y|objs)$", "", assignment.name)
            if base in _LISTS:
                yield here
                continue
            inner = seen | {name}
            for used in (f"$({base}-y)", f"${{{base}-y}}", f"$({base})", f"{base}.o"):
                for way in _ways(read, made, used, arch, inner):
                    yield (*here, *way)


def _fits(word: str, name: str) -> dict[str, str] | None:
    """The values of a word's variables that make it the name: `fault_$(BITS).o` is fault_32.o."""
    if word == name:
        return {}
    if "$" not in word or name.startswith("$"):
        return None
    parts = re.split(r"\$[({](\w+)[)}]", word)
    if len(parts) == 1 or not (parts[0] or parts[-1]):
        return None
    pattern = "".join(
        re.escape(part) if i % 2 == 0 else f"(?P<{part}>\\w+)" for i, part in enumerate(parts)
    )
    try:
        found = re.fullmatch(pattern, name)
    except re.error:
        return None
    return found.groupdict() if found else None


def _set_when(
    read: Reader,
    made: tuple[Assignment, ...],
    variable: str,
    value: str,
    arch: PurePosixPath,
) -> Conditions:
    """When a variable has a value: by this Makefile, or the architecture's own."""
    for assigned in (made, *_makefiles(read, arch)):
        ways = [a.conditions for a in assigned if a.name == variable and a.words == (value,)]
        if len(ways) == 1:
            return ways[0]
    return ()


def with_object(text: str, line: str) -> str:
    """A Makefile with a line `obj-$(CONFIG_X) += x.o` beside the one that is most like it.

    Where no symbol begins with the same word, behind the last such line that
    no conditional surrounds.
    """
    if line.strip() in (known.strip() for known in text.splitlines()):
        return text
    physical = text.splitlines(keepends=True)
    newline = "\r\n" if "\r\n" in text else "\n"
    symbol = re.search(r"CONFIG_(\w+)", line)
    assert symbol is not None
    word = symbol[1].split("_")[0] + "_"
    listed: list[tuple[str, int, int]] = []
    depth = 0
    for at, physical_line in enumerate(physical):
        if conditional := _CONDITIONAL.match(physical_line):
            depth += {"endif": -1, "else": 0}.get(conditional[1], 1)
        named = re.match(r"^obj-\$\(CONFIG_(\w+)\)", physical_line)
        if named and depth == 0:
            end = at
            while physical[end].rstrip().endswith("\\") and end + 1 < len(physical):
                end += 1
            listed.append((named[1], at, end + 1))
    kin = [x for x in listed if x[0].startswith(word)]
    if kin:
        name, start, end = max(kin, key=lambda x: (common_start(x[0], symbol[1]), -x[1]))
        where = end if name < symbol[1] else start
    else:
        where = listed[-1][2] if listed else len(physical)
    if where and not physical[where - 1].endswith("\n"):
        physical[where - 1] += newline
    return "".join([*physical[:where], line.rstrip("\n") + newline, *physical[where:]])
