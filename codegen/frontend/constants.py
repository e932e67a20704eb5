# SPDX-License-Identifier: GPL-2.0-only
"""The values of FAULT_FLAG_*, VM_FAULT_* and VM_* in a tree's own headers.

They differ between kernels (VM_FAULT_COMPLETED came in 6.0, FAULT_FLAG_VMA_LOCK
in 6.4), and handlers define private bits beside them, so a tree's own numbers
are the ones to compute with. Source: include/linux/mm.h and mm_types.h.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from codegen.base.diagnostics import UnreadableSource
from codegen.frontend.lex import Quiet

_HEADERS = ("include/linux/mm_types.h", "include/linux/mm_types_task.h", "include/linux/mm.h")
_NAME = r"(?:FAULT_FLAG_|VM_FAULT_|VM_)\w+"
_DEFINE = re.compile(rf"^#[ \t]*define[ \t]+({_NAME})[ \t]+(.+)$", re.MULTILINE)
_ENUMERATOR = re.compile(rf"^\s*({_NAME})\s*=\s*([^,\n]+),", re.MULTILINE)
_BIT_HELPER = re.compile(r"\bBIT\s*\(")
_CAST = re.compile(r"\(\s*__force\s+\w+\s*\)")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@cache
def tree_constants(tree: Path) -> dict[str, int]:
    """Every constant of the three families that the tree's headers give a number to.

    A name that is defined more than once (for one architecture or another)
    takes its first value that is not 0. Raises UnreadableSource where the
    headers are missing.
    """
    texts: dict[str, str] = {}
    found = False
    for header in _HEADERS:
        path = tree / header
        if not path.is_file():
            continue
        found = True
        text = path.read_text("latin-1").replace("\\\n", " ")
        text = _COMMENT.sub(" ", text)
        for pattern in (_ENUMERATOR, _DEFINE):
            for match in pattern.finditer(text):
                name, value = match.group(1), match.group(2).strip()
                if "(" in name or (value in ("0", "VM_NONE") and name in texts):
                    continue
                if name not in texts or texts[name] in ("0", "VM_NONE"):
                    texts[name] = value
    if not found:
        raise UnreadableSource(str(tree), "has no include/linux/mm.h: the fault flags are unknown")
    evaluator = Quiet()
    evaluator.define("BIT(n) (1 << (n))")
    for name, value in texts.items():
        evaluator.define(f"{name} ({_CAST.sub('', value)})")
    values: dict[str, int] = {}
    for name in texts:
        value_ = _evaluate(evaluator, name)
        if value_ is not None:
            values[name] = value_
    return values


def _evaluate(evaluator: Quiet, name: str) -> int | None:
    """The number behind a name; None where it needs something that is no constant here."""
    tokens = evaluator.expand_macros(evaluator.tokenize(name))
    text = "".join(str(t.value) for t in tokens)
    if re.search(r"[A-Za-z_]\w*", re.sub(r"\b(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b", "", text)):
        return None
    result = evaluator.evalexpr(evaluator.tokenize(text))
    value = result[0] if isinstance(result, tuple) else result
    return int(value)


_ENUM = re.compile(r"\benum\b\s*\w*\s*\{([^{}]*)\}")
_LINE_COMMENT = re.compile(r"//[^\n]*")


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
