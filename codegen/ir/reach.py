# SPDX-License-Identifier: GPL-2.0-only
"""Which functions of a file reach which, by their words alone: nothing has to be parsed for it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from codegen.csyntax.arrays import function_tables
from codegen.csyntax.identifiers import words_in
from codegen.csyntax.parse import SyntaxTree


def reach_of(tree: SyntaxTree, targets: set[str]) -> tuple[set[str], set[str]]:
    """(functions to parse, functions that reach one of `targets`), by their words alone."""
    words = _words_of_functions(tree)
    core = {n for n, w in words.items() if w & targets}
    changed = bool(core)
    while changed:
        callers = {n for n, w in words.items() if w & core} - core
        core |= callers
        changed = bool(callers)
    return called_from(tree, core, words), core


def called_from(
    tree: SyntaxTree, names: set[str], words: Mapping[str, set[str]] | None = None
) -> set[str]:
    """The functions of the file that are among `names`, or named by one that is, however far."""
    words = _words_of_functions(tree) if words is None else words
    reach = set(names)
    stack = list(names)
    while stack:
        for callee in (words.get(stack.pop(), set()) & words.keys()) - reach:
            reach.add(callee)
            stack.append(callee)
    return reach


def _words_of_functions(tree: SyntaxTree) -> dict[str, set[str]]:
    """The words in each function, in the macros and the tables of functions that it names."""
    words: dict[str, set[str]] = {}
    for function in tree.functions:
        found = set(words_in(tree, function.body))
        words.setdefault(function.name, set()).update(found)
    macros: dict[str, set[str]] = {}
    for d in tree.directives:
        if d.kind == "define" and d.name:
            macros.setdefault(d.name, set()).update(re.findall(r"[A-Za-z_]\w*", d.text))
    tables = function_tables(tree)
    for name in words:
        for word in list(words[name]):
            words[name] |= macros.get(word, set())
        for word in list(words[name]):
            words[name] |= set(tables.get(word, ()))
    return words
