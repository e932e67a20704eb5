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
