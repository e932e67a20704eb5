# SPDX-License-Identifier: GPL-2.0-only
"""The numbers that an architecture's headers give to their constants.

header_numbers(linux-6.12, "arch/x86/mm/fault.c", {"X86_PF_USER", "PAGE_MASK"})
{"X86_PF_USER": 4}

A constant that hangs on the configuration has more than one number, and none here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from codegen.corpus.defines import definitions_of_arch
from codegen.frontend.lex import Quiet

_MASK = (1 << 64) - 1
_NAME = re.compile(r"(?<!\w)[A-Za-z_]\w*")
_LITERAL = re.compile(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b")
_PLAIN = re.compile(r"[\s0-9a-fA-FxX()|&~+\-*/%<>^]*")
_CAST = re.compile(r"\((?:unsigned)?(?:long)+(?:int)?\)|\((?:u64|u32|ulong)\)")
_DEEPEST = 16
_DIGITS = r"\b(?:0[xX][0-9a-fA-F]+|\d+)"
_WIDE = re.compile(rf"{_DIGITS}[uU]?[lL]|\b(?:_?U?L{{1,2}}|_?BIT\w*)\(|,U?L|\(\w*long|\(u64\)")
_UNSIGNED = re.compile(
    rf"{_DIGITS}[lL]*[uU]|\b(?:_?UL{{1,2}}|_?BIT\w*)\(|,U|\(unsigned|\((?:u64|u32|ulong)\)"
)
# include/linux/bits.h, include/uapi/linux/const.h: what constants are written with.
_WAYS = (
    "BIT(n) (1 << (n))",
    "BIT_ULL(n) (1 << (n))",
    "_BITUL(n) (1 << (n))",
    "_BITULL(n) (1 << (n))",
    "UL(n) (n)",
    "ULL(n) (n)",
    "_UL(n) (n)",
    "_ULL(n) (n)",
    "_AC(n, t) (n)",
)
_KNOWN = frozenset(way.partition("(")[0] for way in _WAYS)


def header_numbers(tree: Path, path: str, names: Iterable[str]) -> dict[str, int]:
    """The numbers of those of `names` that the headers of the file's architecture define once.

    Definitions that are alike count as one, and whatever they are made of has to
    be of that kind, too. `path` is the file's, from the tree's root.
    """
    numbers: dict[str, int] = {}
    for name in sorted(set(names)):
        text = _spelt_out(tree, path, name, 0)
        number = None if text is None else _evaluated(text)
        if number is not None:
            numbers[name] = number & _MASK
    return numbers


def literal_of(tree: Path, path: str, name: str) -> str | None:
    """A constant's number as a literal of its type: `0x3f`, `0x80000000UL`; None where it has none.

    It is an `int`, or as large as it has to be, unless a suffix or what it is written
    with (`UL(1)`, `BIT(n)`) says more.
    """
    number = header_numbers(tree, path, (name,)).get(name)
    if number is None:
        return None
    said = _words_of(tree, path, name, 0)
    wide = any(_WIDE.search(text) for text in said)
    unsigned = any(_UNSIGNED.search(text) for text in said)
    suffix = ("U" if unsigned else "") + ("L" if wide else "")
    if number >> 63 and not unsigned:
        return f"(-{(1 << 64) - number:#x}{suffix})"
    return f"{number & (_MASK if wide else 0xFFFFFFFF) if unsigned else number:#x}{suffix}"


def _words_of(tree: Path, path: str, name: str, depth: int) -> set[str]:
    """The texts that a constant is made of."""
    said = set(definitions_of_arch(tree, path, name))
    if depth <= _DEEPEST:
        for word in {w for text in said for w in _NAME.findall(text)}:
            said |= _words_of(tree, path, word, depth + 1)
    return said


def _spelt_out(tree: Path, path: str, name: str, depth: int) -> str | None:
    """A constant with the constants that it is made of put in; None where one has no one value."""
    texts = definitions_of_arch(tree, path, name)
    if len(texts) != 1 or depth > _DEEPEST:
        return None
    (text,) = texts
    pieces, last = [], 0
    text = _LITERAL.sub(r"\1", _CAST.sub("", text))
    for word in _NAME.finditer(text):
        if word[0] in _KNOWN or word[0] in ("UL", "ULL", "U", "L", "LL"):
            continue
        inner = _spelt_out(tree, path, word[0], depth + 1)
        if inner is None:
            return None
        pieces += [text[last : word.start()], f"({inner})"]
        last = word.end()
    return "".join([*pieces, text[last:]])


def _evaluated(text: str) -> int | None:
    """The value of an expression of literals; None where it is something else."""
    evaluator = Quiet()
    for way in _WAYS:
        evaluator.define(way)
    tokens = evaluator.expand_macros(evaluator.tokenize(text))
    plain = "".join(str(t.value) for t in tokens)
    if not plain.strip() or not _PLAIN.fullmatch(plain):
        return None
    result = evaluator.evalexpr(evaluator.tokenize(plain))
    value = result[0] if isinstance(result, tuple) else result
    return None if evaluator.return_code else int(value)
