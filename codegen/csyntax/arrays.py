# SPDX-License-Identifier: GPL-2.0-only
"""Arrays that hold functions: how a handler is reached that nobody calls by name.

static const struct fault_info fault_info[] = {
        { do_page_fault, SIGSEGV, SEGV_MAPERR, "level 0 translation fault" },
                                            ->   ("fault_info", its place)
"""

from __future__ import annotations

from collections.abc import Iterator

from codegen.base.spans import Span
from codegen.csyntax.parse import SyntaxTree


def arrays_naming(tree: SyntaxTree, names: frozenset[str]) -> tuple[tuple[str, Span], ...]:
    """(name, place) of each array at file scope whose initialiser names one of `names`."""
    return tuple((name, place) for name, place, words in _initialised_arrays(tree) if words & names)


def function_tables(tree: SyntaxTree) -> dict[str, tuple[str, ...]]:
    """The arrays at file scope that list functions of the file and nothing else, in order.

    static void (*const answers[])(struct pt_regs *) = { oops, [1] = segv };   ->   (oops, segv)
    """
    functions = {f.name for f in tree.functions}
    bodies = [f.body for f in tree.functions]
    code = [lx for lx in tree.lexemes if lx.kind not in ("directive", "skipped")]
    texts = [lx.text for lx in code]
    found: dict[str, tuple[str, ...]] = {}
    for i, lexeme in enumerate(code[:-1]):
        if not lexeme.is_word or texts[i + 1] != "[" or any(lexeme.start in b for b in bodies):
            continue
        try:
            start = texts.index("{", i)
            stop = texts.index(";", i)
            end = texts.index("}", start)
        except ValueError:
            continue
        if texts[start - 1] != "=" or not start < end < stop:
            continue
        listed: dict[int, str] = {}
        for item in " ".join(texts[start + 1 : end]).split(","):
            at, _, value = item.rpartition("=")
            name, place = value.strip(" &"), at.strip(" []") or str(len(listed))
            if name in functions and place.isdigit():
                listed[int(place)] = name
            elif item.strip():
                listed = {}
                break
        if listed and sorted(listed) == list(range(len(listed))):
            found[lexeme.text] = tuple(listed[n] for n in range(len(listed)))
    return found


def _initialised_arrays(tree: SyntaxTree) -> Iterator[tuple[str, Span, set[str]]]:
    """Every `name[…] = { … }` outside of functions, with the words between its braces."""
    bodies = [f.body for f in tree.functions]
    code = [lx for lx in tree.lexemes if lx.kind not in ("directive", "skipped")]
    for i, lexeme in enumerate(code[:-1]):
        if not lexeme.is_word or code[i + 1].text != "[":
            continue
        if any(lexeme.start in body for body in bodies):
            continue
        close = next((j for j in range(i + 1, len(code)) if code[j].text == "]"), len(code))
        if [lx.text for lx in code[close + 1 : close + 3]] != ["=", "{"]:
            continue
        depth, words, before = 0, set(), ""
        for inner in code[close + 2 :]:
            depth += (inner.text == "{") - (inner.text == "}")
            if inner.is_word and before != ".":
                words.add(inner.text)
            before = inner.text
            if depth == 0:
                break
        yield lexeme.text, lexeme.span, words
