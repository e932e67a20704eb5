# SPDX-License-Identifier: GPL-2.0-only
"""The values of FAULT_FLAG_*, VM_FAULT_* and VM_* in a tree's own headers.

They differ between kernels (VM_FAULT_COMPLETED came in 6.0, FAULT_FLAG_VMA_LOCK
in 6.4), and handlers define private bits beside them, so a tree's own numbers
are the ones to compute with. Source: include/linux/mm.h and mm_types.h.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from codegen.base.diagnostics import UnreadableSource
from codegen.frontend.lex import Quiet

_HEADERS = ("include/linux/mm_types.h", "include/linux/mm_types_task.h", "include/linux/mm.h")
_NAME = r"(?:FAULT_FLAG_|VM_FAULT_|VM_)\w+"
_DEFINE = re.compile(rf"^#[ \t]*define[ \t]+({_NAME})[ \t]+(.+)$", re.MULTILINE)
_FUNCTION_LIKE = re.compile(r"^#[ \t]*define[ \t]+(\w+\([\w, ]*\))[ \t]+(.+)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_ENUM = re.compile(r"\benum\b\s*\w*\s*\{([^{}]*)\}")
_CAST = re.compile(r"\(\s*__force\s+\w+\s*\)")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_LINE_COMMENT = re.compile(r"//[^\n]*")
_NOTHING = ("0", "VM_NONE")

# What no mm has ever been without: a header that does not tell them was not understood.
_ESSENTIAL = (
    "FAULT_FLAG_WRITE",
    "FAULT_FLAG_ALLOW_RETRY",
    "FAULT_FLAG_KILLABLE",
    "FAULT_FLAG_TRIED",
    "FAULT_FLAG_USER",
    "VM_FAULT_OOM",
    "VM_FAULT_SIGBUS",
    "VM_FAULT_RETRY",
    "VM_READ",
    "VM_WRITE",
    "VM_EXEC",
    "VM_GROWSDOWN",
)


@cache
def tree_constants(tree: Path) -> dict[str, int]:
    """Every constant of the three families that the tree's headers give a number to.

    A name that is defined more than once (for one architecture or another)
    takes its first value that is not 0. Raises UnreadableSource where the
    headers are missing, or give no number to a constant that all kernels have.
    """
    texts: dict[str, str] = {}
    evaluator = Quiet()
    evaluator.define("BIT(n) (1 << (n))")
    headers = [tree / header for header in _HEADERS if (tree / header).is_file()]
    if not headers:
        raise UnreadableSource(str(tree), "has no include/linux/mm.h: the fault flags are unknown")
    for path in headers:
        text = _COMMENT.sub(" ", path.read_text("latin-1").replace("\\\n", " "))
        for match in _FUNCTION_LIKE.finditer(text):
            evaluator.define(f"{match.group(1)} {_CAST.sub('', match.group(2))}")
        for name, value in (*_enumerated(evaluator, text), *_defined(text)):
            if name not in texts or (texts[name] in _NOTHING and value not in _NOTHING):
                texts[name] = value
    for name, value in texts.items():
        evaluator.define(f"{name} ({_CAST.sub('', value)})")
    family = re.compile(_NAME)
    values: dict[str, int] = {}
    for name in texts:
        number = _evaluate(evaluator, name) if family.fullmatch(name) else None
        if number is not None:
            values[name] = number
    missing = [name for name in _ESSENTIAL if name not in values]
    if missing:
        where = ", ".join(str(path.relative_to(tree)) for path in headers)
        raise UnreadableSource(str(tree), f"{where}: no number found for {', '.join(missing)}")
    return values


def _defined(text: str) -> Iterator[tuple[str, str]]:
    """The object-like macros of the families: name and what it stands for."""
    for match in _DEFINE.finditer(text):
        yield match.group(1), match.group(2).strip()


def _enumerated(evaluator: Quiet, text: str) -> Iterator[tuple[str, str]]:
    """The enumerators of a header, each with its value as text.

    In linux 7.2 `DECLARE_VMA_BIT(READ, 0)` makes one, and VM_READ is made of it
    (include/linux/mm.h), so macros are expanded first. What conditionals leave
    out counts too: an architecture's own bits are wanted whatever it is.
    """
    for body in _ENUM.findall(text):
        expanded = evaluator.expand_macros(evaluator.tokenize(_DIRECTIVE.sub("", body)))
        following = "0"
        for item in "".join(str(token.value) for token in expanded).split(","):
            name, equals, written = (part.strip() for part in item.partition("="))
            if name.isidentifier():
                value = written if equals else following
                yield name, value
                following = f"({name}) + 1"


def _evaluate(evaluator: Quiet, name: str) -> int | None:
    """The number behind a name; None where it needs something that is no constant here."""
    tokens = evaluator.expand_macros(evaluator.tokenize(name))
    text = "".join(str(t.value) for t in tokens)
    if re.search(r"[A-Za-z_]\w*", re.sub(r"\b(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b", "", text)):
        return None
    result = evaluator.evalexpr(evaluator.tokenize(text))
    value = result[0] if isinstance(result, tuple) else result
    return int(value)


def enumerators(text: str) -> dict[str, int]:
    """The values of the enumerators that a file itself defines.

    `enum t { A, B = 4, C };` gives A 0, B 4, C 5. One whose value is no number
    here, and those counted on from it, are left out.
    """
    values: dict[str, int] = {}
    clean = _LINE_COMMENT.sub(" ", _COMMENT.sub(" ", text))
    for body in _ENUM.findall(clean):
        following: int | None = 0
        for item in body.split(","):
            name, equals, written = (part.strip() for part in item.partition("="))
            if not name.isidentifier():
                continue
            if equals:
                try:
                    following = int(written, 0)
                except ValueError:
                    following = values.get(written)
            if following is not None:
                values[name] = following
                following += 1
    return values


def merge(vocabulary: dict[str, int], tree: dict[str, int]) -> dict[str, int]:
    """The vocabulary's constants with the three families replaced by the tree's."""
    family = re.compile(rf"^{_NAME}$")
    kept = {n: v for n, v in vocabulary.items() if not family.match(n)}
    merged = kept | tree
    if "FAULT_FLAG_DEFAULT" not in merged:
        merged["FAULT_FLAG_DEFAULT"] = merged.get("FAULT_FLAG_ALLOW_RETRY", 0) | merged.get(
            "FAULT_FLAG_KILLABLE", 0
        )
    return merged


_FAMILY = re.compile(r"FAULT_FLAG_|VM_FAULT_|VM_")


def reconciled(src: Mapping[str, int], tgt: Mapping[str, int]) -> dict[str, int]:
    """The constants of `tgt` with the numbers that `src` gives to the same names.

    src: A 0x1, B 0x2      tgt: A 0x4, C 0x2, D 0x6 (A | C)     ->    A 0x1, C 0x4, D 0x5

    Two kernels that only number their flags differently are the same kernel. A
    bit that only `tgt` has a name for keeps its place where that is free, and
    gets another where it is not. What is made of several bits is made of the
    same ones again, so that a mask that has gained a bit still shows.
    """
    out = dict(tgt)
    for prefix in ("FAULT_FLAG_", "VM_FAULT_", "VM_"):
        mine = {n: v for n, v in src.items() if _family(n) == prefix}
        theirs = {n: v for n, v in tgt.items() if _family(n) == prefix}
        out |= _renumbered(mine, theirs)
    return out


def _family(name: str) -> str | None:
    match = _FAMILY.match(name)
    return match.group() if match else None


def _renumbered(src: Mapping[str, int], tgt: Mapping[str, int]) -> dict[str, int]:
    """One family of flags: see `reconciled`."""
    moved: dict[int, int] = {}  # a bit of tgt's to the one of src's

    def pair(theirs: list[int], mine: list[int]) -> None:
        for old, new in zip(theirs, mine, strict=True):
            moved.setdefault(old, new)

    numbers = {n for n in (*src, *tgt) if n.endswith("_BIT") or "_BIT_" in n}
    common = [n for n in tgt if n in src and n not in numbers]
    for name in common:
        if _is_bit(tgt[name]) and _is_bit(src[name]):
            pair(_bits(tgt[name]), _bits(src[name]))
    for name in common:  # a field of several bits, like VM_FAULT_HINDEX_MASK
        theirs, mine = _bits(tgt[name]), _bits(src[name])
        if len(theirs) == len(mine) and moved.keys().isdisjoint(theirs):
            pair(theirs, mine)
    taken = _used(src, numbers) | set(moved.values())
    for bit in sorted(_used(tgt, numbers) - moved.keys()):
        place = bit if bit not in taken else _free(taken)
        moved[bit] = place
        taken.add(place)
    out = {}
    for name, value in tgt.items():
        if name in src and (name in numbers or (_is_bit(value) and _is_bit(src[name]))):
            out[name] = src[name]
        elif name in numbers:
            out[name] = value
        elif value < 0:
            out[name] = ~sum({1 << moved[b] for b in _bits(~value)})
        else:
            out[name] = sum({1 << moved[b] for b in _bits(value)})
    return out


def _used(constants: Mapping[str, int], numbers: set[str]) -> set[int]:
    """The bits that have a name or are part of something that has."""
    return {b for n, v in constants.items() if n not in numbers for b in _bits(v if v >= 0 else ~v)}


def _free(taken: set[int]) -> int:
    """The lowest bit that nothing has."""
    return next(b for b in range(len(taken) + 1) if b not in taken)


def _is_bit(value: int) -> bool:
    return value > 0 and not value & (value - 1)


def _bits(value: int) -> list[int]:
    return [b for b in range(value.bit_length()) if value >> b & 1] if value > 0 else []
