# SPDX-License-Identifier: GPL-2.0-only
"""What stands at file scope: functions, macros, data; and what of it a function hangs on.

static const int limit[] = {1, 2};      data, `limit`
#define FIRST (limit[0])                macro, `FIRST`
static int first(void) { ... FIRST ...  function, `first`

Items(tree).needed({"first"})           all three, in the order of the file
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import pairwise

from codegen.base.spans import Span
from codegen.csyntax.directives import enclosing
from codegen.csyntax.lex import Lexeme
from codegen.csyntax.parse import SyntaxTree

_WORD = re.compile(r"[A-Za-z_$][\w$]*", re.A)
_STORAGE = frozenset(("static", "extern", "const", "volatile", "inline", "__inline__"))
_KEYWORDS = _STORAGE | frozenset(
    (
        *("typedef", "struct", "union", "enum", "unsigned", "signed"),
        *("char", "short", "int", "long", "void", "bool"),
    )
)
_ENDS = (";", ",", "[", "=", ":", "{")


class ItemKind(Enum):
    """What stands there; DATA is every declaration that is no prototype."""

    FUNCTION = "function"
    MACRO = "macro"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Item:
    """One definition at file scope. `initialised` is what has a value: `x[] = {1, 2}`."""

    kind: ItemKind
    names: frozenset[str]
    span: Span
    initialised: bool = False


@dataclass(frozen=True)
class Items:
    """The items of a file."""

    tree: SyntaxTree

    @cached_property
    def all(self) -> tuple[Item, ...]:
        """Every item, in the order of the file."""
        found = [Item(ItemKind.FUNCTION, frozenset({f.name}), f.span) for f in self.tree.functions]
        found += [
            Item(ItemKind.MACRO, frozenset({d.name}), d.span)
            for d in self.tree.directives
            if d.kind in ("define", "undef") and d.name
        ]
        found += self._data()
        return tuple(sorted(found, key=lambda i: i.span.start))

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, item in enumerate(self.all):
            for name in item.names:
                found.setdefault(name, []).append(number)
        return found

    def needed(
        self, names: Iterable[str], within: frozenset[str] | None = None
    ) -> tuple[Item, ...]:
        """The items of `names`, and those of the words in them, however far; in file order.

        Functions that are only named by data are left out; with `within` all
        functions but those.
        """
        reached: set[int] = set()
        stack = [(name, True) for name in names]
        while stack:
            name, by_code = stack.pop()
            for number in self._by_name.get(name, ()):
                item = self.all[number]
                is_function = item.kind is ItemKind.FUNCTION
                if is_function and not (by_code and (within is None or name in within)):
                    continue
                if number not in reached:
                    reached.add(number)
                    code = item.kind is not ItemKind.DATA
                    stack += ((w, code) for w in self.words(item) if w in self._by_name)
        return tuple(self.all[n] for n in sorted(reached))

    def words(self, item: Item) -> set[str]:
        """Every word in an item, those of preprocessor lines inside it included."""
        return {w for token in self.told(item)[1] for w in _WORD.findall(token) if token[0] != '"'}

    def told(self, item: Item) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(the conditionals around an item, its tokens); comments and white space are left out."""
        known = self._told.get(item.span)
        if known is None:
            known = self._told[item.span] = (self._around(item.span), tuple(self._tokens(item)))
        return known

    @cached_property
    def _told(self) -> dict[Span, tuple[tuple[str, ...], tuple[str, ...]]]:
        return {}

    def _around(self, span: Span) -> tuple[str, ...]:
        return tuple(
            f"{arm.directive.kind} {arm.directive.text}"
            for around in enclosing(self.tree.conditional_groups, span)
            for arm in around.conditional.branches[: around.index + 1]
        )

    def _tokens(self, item: Item) -> Iterator[str]:
        for lexeme in self._lexemes(item.span):
            match lexeme.kind:
                case "directive":
                    at = bisect_left(self.tree.directives, lexeme.start, key=lambda d: d.span.start)
                    directive = self.tree.directives[at]
                    yield f"#{directive.kind} {directive.text}"
                case "literal":
                    yield self.tree.source.slice(lexeme.span)
                case _:
                    yield lexeme.text

    def _lexemes(self, span: Span) -> tuple[Lexeme, ...]:
        low = bisect_left(self.tree.lexemes, span.start, key=lambda lx: lx.start)
        high = bisect_left(self.tree.lexemes, span.end, key=lambda lx: lx.start)
        return self.tree.lexemes[low:high]

    def _data(self) -> Iterator[Item]:
        """The declarations between the functions, each up to its semicolon."""
        bodies = sorted((f.span.start, f.span.end) for f in self.tree.functions)
        begun: list[Lexeme] = []
        depth = 0
        for lexeme in self.tree.lexemes:
            at = bisect_right(bodies, (lexeme.start, len(self.tree.source.text))) - 1
            if lexeme.kind == "directive" or (at >= 0 and lexeme.start < bodies[at][1]):
                continue
            begun.append(lexeme)
            depth += (lexeme.text in ("(", "[", "{")) - (lexeme.text in (")", "]", "}"))
            if lexeme.text == ";" and depth <= 0:
                item = _declared(begun)
                if item is not None:
                    yield item
                begun, depth = [], 0


def _declared(lexemes: list[Lexeme]) -> Item | None:
    """What a declaration declares; None for a prototype, which declares a function."""
    span = Span(lexemes[0].start, lexemes[-1].end)
    outer: list[str] = []
    braced: list[str] = []
    bracketed: list[str] = []
    depth = 0
    for text in (lx.text for lx in lexemes):
        depth -= text in (")", "]", "}")
        if depth == 0:
            outer.append(text)
        else:
            (braced if outer[-1] == "{" else bracketed).append(text)
        depth += text in ("(", "[", "{")
    outer = [text for text in outer if text != "*"]
    head = outer[: outer.index("=")] if "=" in outer else outer
    words = [w for w in head if _WORD.fullmatch(w) and w not in _KEYWORDS]
    if "{" not in head and "=" not in outer and "(" in outer:
        types = [w for w in outer[: outer.index("(")] if w not in _STORAGE]
        if len(types) > 1 or "typedef" in outer:
            return None
        # DEFINE_SPINLOCK(lock);
        words += [w for w in bracketed if _WORD.fullmatch(w) and w not in _KEYWORDS]
        return Item(ItemKind.DATA, frozenset(words), span)
    # An attribute may follow the name: `limit[2] __ro_after_init = ...`.
    names = {a for a, b in pairwise(outer) if a in words and (b in _ENDS or b.startswith("__"))} | {
        b for a, b in pairwise(outer) if a == "," and _WORD.fullmatch(b)
    }
    if "enum" in head:
        names |= {a for a, b in pairwise([*braced, ","]) if b in (",", "=") and _WORD.fullmatch(a)}
    return Item(ItemKind.DATA, frozenset(names), span, initialised="=" in outer)
