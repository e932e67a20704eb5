# SPDX-License-Identifier: GPL-2.0-only
"""Kconfig files as text: which entry is the architecture's own, and adding to a file in its order.

    config RISCV                       config RISCV
            def_bool y                         def_bool y
            select GENERIC_CPU   --with_select(GENERIC_FAULT, "MMU")-->
            select HAVE_KVM                    select GENERIC_CPU
                                               select GENERIC_FAULT if MMU
                                               select HAVE_KVM

Facts: Documentation/kbuild/kconfig-language.rst. An architecture's own entry
has no prompt and is always on; it is the one with the most selects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Reader = Callable[[str], str | None]
"""A tree's file as text by its path from the top; None where there is none."""

_HEAD = re.compile(r"^(?:menu)?config[ \t]+(\w+)[ \t]*(?:#.*)?$")
_TOP = re.compile(r"^(?:config|menuconfig|choice|endchoice|comment|menu|endmenu|if|endif|source)\b")
_SELECT = re.compile(r"^[ \t]+select[ \t]+(\w+)\b(.*)$")
_SOURCE = re.compile(r'^[ \t]*source[ \t]+"?([^"\s]+)"?', re.MULTILINE)
_PROMPT = re.compile(r'^[ \t]+(?:prompt|bool|tristate|int|hex|string)[ \t]+["\']')
_ON = re.compile(r"^[ \t]+(?:def_bool|default)[ \t]+y[ \t]*(?:#.*)?$")
_DEPENDS = re.compile(r"^[ \t]+depends[ \t]+on\b")


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line with its continuations: where it is in the file's physical lines."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Select:
    """`select SYMBOL if condition` of an entry."""

    symbol: str
    condition: str | None
    line: Line


@dataclass(frozen=True, slots=True)
class Entry:
    """A `config` entry: its lines from `start` up to `end`, blank lines behind it not included."""

    name: str
    start: int
    end: int
    lines: tuple[Line, ...]
    selects: tuple[Select, ...]
    conditional: bool
    """Whether it stands within an `if`."""

    @property
    def always_on(self) -> bool:
        """Whether it is `y` whatever else is set: no prompt, no dependency, `y` by default."""
        texts = [line.text for line in self.lines]
        return (
            not self.conditional
            and any(_ON.match(t) for t in texts)
            and not any(_PROMPT.match(t) or _DEPENDS.match(t) for t in texts)
        )


def entries(text: str) -> tuple[Entry, ...]:
    """The `config` and `menuconfig` entries of a file, in order."""
    found = []
    depth = 0
    lines = list(_logical_lines(text))
    for position, line in enumerate(lines):
        if re.match(r"^if\b", line.text):
            depth += 1
        elif re.match(r"^endif\b", line.text):
            depth -= 1
        elif head := _HEAD.match(line.text):
            body = list(_body(lines[position + 1 :]))
            end = body[-1].end if body else line.end
            attributes = tuple(_attributes(body))
            selects = tuple(
                Select(m[1], _condition(m[2]), a)
                for a in attributes
                if (m := _SELECT.match(a.text))
            )
            found.append(Entry(head[1], line.start, end, attributes, selects, depth > 0))
    return tuple(found)


def _logical_lines(text: str) -> Iterator[Line]:
    physical = text.splitlines()
    start = 0
    while start < len(physical):
        end, whole = start + 1, physical[start]
        while whole.endswith("\\") and end < len(physical):
            whole = whole[:-1] + " " + physical[end]
            end += 1
        yield Line(start, end, whole.rstrip())
        start = end


def _body(lines: list[Line]) -> Iterator[Line]:
    """What belongs to an entry: up to the next thing at the margin, without trailing blanks."""
    held: list[Line] = []
    for line in lines:
        if line.text and not line.text[0].isspace():
            if _TOP.match(line.text) or not line.text.startswith("#"):
                return
            held.append(line)
        elif line.text:
            yield from held
            held = []
            yield line
        else:
            held.append(line)


def _attributes(body: list[Line]) -> Iterator[Line]:
    """The lines of an entry up to its help text."""
    for line in body:
        if re.match(r"^[ \t]+(?:---)?help(?:---)?$", line.text):
            return
        yield line


def _condition(rest: str) -> str | None:
    found = re.match(r"\s+if\s+([^#]+)", rest)
    return " ".join(found[1].split()) if found else None


def architecture_entry(read: Reader, path: str) -> tuple[str, Entry] | None:
    """(file, entry) that carries an architecture's selects, from its top Kconfig file down.

    Files that it sources from its own folder are looked at too. None where no
    entry that is always on selects anything.
    """
    folder = path.rsplit("/", 1)[0]
    found: list[tuple[str, Entry]] = []
    todo, seen = [path], set()
    while todo:
        current = todo.pop(0)
        text = read(current)
        if current in seen or text is None:
            continue
        seen.add(current)
        found += [(current, e) for e in entries(text) if e.always_on and e.selects]
        for name in _SOURCE.findall(text):
            name = re.sub(r"\$\(?(?:SRCARCH|ARCH|HEADER_ARCH)\)?", folder.split("/")[-1], name)
            if name.startswith(folder + "/"):
                todo.append(name)
    return max(found, key=lambda f: len(f[1].selects), default=None)


def always_on(read: Reader, path: str, symbol: str) -> bool:
    """Whether a symbol is `y` in every configuration of the architecture."""
    text = read(path) or ""
    mine = [e for e in entries(text) if e.name == symbol]
    return len(mine) == 1 and mine[0].always_on


def with_select(text: str, entry: Entry, symbol: str, condition: str | None) -> str:
    """The file with `select symbol if condition` in its place among the entry's selects.

    That is where the fewest of the others are out of order with it; in a list
    that is not sorted, beside one whose name begins with the same word.
    """
    if any(s.symbol == symbol and s.condition in (None, condition) for s in entry.selects):
        return text
    physical = text.splitlines(keepends=True)
    names = [s.symbol for s in entry.selects]
    wrong = [
        sum(n > symbol for n in names[:at]) + sum(n < symbol for n in names[at:])
        for at in range(len(names) + 1)
    ]
    places = range(len(names) + 1)
    word = len(symbol.split("_")[0])
    kin = [at for at in places if _kin(names, at, symbol) > word]
    at = min(kin or places, key=lambda i: (wrong[i], -_kin(names, i, symbol), i))
    model = entry.selects[max(at - 1, 0)].line
    where = model.end if at else model.start
    indent = re.match(r"[ \t]*", physical[model.start])
    assert indent is not None
    tail = f" if {condition}" if condition else ""
    line = f"{indent[0]}select {symbol}{tail}{_newline(text)}"
    return "".join([*physical[:where], line, *physical[where:]])


def _kin(names: list[str], at: int, symbol: str) -> int:
    """How many letters the neighbours at a place share with the symbol."""
    near = names[max(at - 1, 0) : at + 1]
    return max((common_start(n, symbol) for n in near), default=0)


def common_start(one: str, other: str) -> int:
    """How many characters two words have in common at their start."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)


def with_entry(text: str, entry: str, symbol: str) -> str:
    """The file with a new entry of that symbol beside the one whose name is most alike.

    Where no name begins with the same word, before the end of the file's last
    menu.
    """
    physical = text.splitlines(keepends=True)
    word = symbol.split("_")[0] + "_"
    kin = [e for e in entries(text) if not e.conditional and e.name.startswith(word)]
    new = entry.replace("\n", _newline(text))
    blank = _newline(text)
    if kin:
        nearest = max(kin, key=lambda e: (common_start(e.name, symbol), e.start))
        if nearest.name < symbol:
            return "".join([*physical[: nearest.end], blank, new, *physical[nearest.end :]])
        return "".join([*physical[: nearest.start], new, blank, *physical[nearest.start :]])
    last = next((i for i in range(len(physical) - 1, -1, -1) if physical[i].strip()), -1)
    if last >= 0 and re.match(r"^endmenu\b", physical[last]):
        return "".join([*physical[:last], new, blank, *physical[last:]])
    return "".join([*physical[: last + 1], blank, new])


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
