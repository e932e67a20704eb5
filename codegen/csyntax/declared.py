# SPDX-License-Identifier: GPL-2.0-only
"""What a header gives to whoever includes it: the names that it defines or declares.

    #define A 1                        names    A, b, c, D, e, f
    extern int b; typedef long c;      tags     s
    enum { D };                        members  m
    static inline int e(void) { … }
    struct s { int m; } f(struct t *);

Every arm of a conditional counts, and `struct t;` by itself gives nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.csyntax.functions import pair_brackets
from codegen.csyntax.lex import Lexeme, lex_text, outline

_DEFINE = re.compile(r"#\s*define\s+([A-Za-z_]\w*)")
_TAGGED = frozenset(("struct", "union", "enum"))
_ENDS = frozenset((";", ",", "=", "[", ":", "("))
_KEYWORDS = frozenset(
    (
        *("auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else"),
        *("enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register"),
        *("return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef"),
        *("union", "unsigned", "void", "volatile", "while"),
    )
)
_DECLARING = re.compile(r"(?:DECLARE|DEFINE|EXPORT)\w*$|[A-Z][A-Z0-9_]+$")


@dataclass(frozen=True, slots=True)
class Declared:
    """The names by kind, as C keeps them apart; macros are among the `names`."""

    names: frozenset[str]
    tags: frozenset[str]
    members: frozenset[str]

    def __or__(self, other: Declared) -> Declared:
        return Declared(
            self.names | other.names, self.tags | other.tags, self.members | other.members
        )


NOTHING = Declared(frozenset(), frozenset(), frozenset())


def declared_in(text: str) -> Declared:
    """The names that a C header's text defines or declares, by its tokens alone.

    Where the header is more than this can read, it gives too many names rather
    than too few.
    """
    names: set[str] = set()
    shape = outline(text)
    lexemes: list[Lexeme] = []
    pos = 0
    for start, end, kind in shape.regions:
        lexemes += lex_text(text, pos, start)
        if kind == "directive":
            found = _DEFINE.match(text[start:end].replace("\\\n", "  "))
            if found:
                names.add(found[1])
        pos = end
    lexemes += lex_text(text, pos, len(text))
    reader = _Reader(lexemes)
    reader.outermost(0, len(lexemes))
    return Declared(
        frozenset(names | reader.names) - _KEYWORDS,
        frozenset(reader.tags),
        frozenset(reader.members) - _KEYWORDS,
    )


class _Reader:
    def __init__(self, lexemes: Sequence[Lexeme]) -> None:
        self.lexemes = lexemes
        self.pairs = pair_brackets(lexemes)
        self.names: set[str] = set()
        self.tags: set[str] = set()
        self.members: set[str] = set()

    def text(self, i: int) -> str:
        return self.lexemes[i].text if 0 <= i < len(self.lexemes) else ";"

    def outermost(self, i: int, end: int) -> None:
        """Declarations, definitions and uses of macros, one after the other."""
        while i < end:
            lexeme = self.lexemes[i]
            if lexeme.text == "{":
                i = self._braces(i)
            elif lexeme.text == "(":
                i = self._parentheses(i, self.names)
            else:
                if lexeme.is_word and self.text(i + 1) in _ENDS and not self._forward(i):
                    self.names.add(lexeme.text)
                i += 1

    def _forward(self, i: int) -> bool:
        """`struct t;` says that there is one, and no more."""
        return self.text(i - 1) in _TAGGED and self.text(i + 1) in (";", ",")

    def _braces(self, i: int) -> int:
        """What stands in braces: the members of a struct, enumerators, or code (no names)."""
        end = self.pairs.get(i, len(self.lexemes))
        kind = self._opened_by(i)
        match kind:
            case "enum":
                self._enumerators(i + 1, end)
            case "struct" | "union":
                self._members(i + 1, end)
        return end + 1

    def _opened_by(self, brace: int) -> str:
        """`struct`, `union` or `enum` where a brace opens such a body, and its tag is noted."""
        i = brace - 1
        while i >= 0 and self.lexemes[i].text not in (";", "}", "{"):
            if self.lexemes[i].text in _TAGGED:
                head = [lx.text for lx in self.lexemes[i + 1 : brace]]
                if "__attribute__" not in head and {"(", ")", "="} & set(head):
                    # The type of a function, of a parameter, or of what is initialised here.
                    return ""
                self.tags.update(lx.text for lx in self.lexemes[i + 1 : brace] if lx.is_word)
                return self.lexemes[i].text
            i -= 1
        return ""

    def _enumerators(self, i: int, end: int) -> None:
        expected = True
        while i < end:
            lexeme = self.lexemes[i]
            if expected and lexeme.is_word:
                self.names.add(lexeme.text)
                expected = False
            elif lexeme.text == ",":
                expected = True
            elif lexeme.text in "([{":
                i = self.pairs.get(i, i)
            i += 1

    def _members(self, i: int, end: int) -> None:
        while i < end:
            lexeme = self.lexemes[i]
            if lexeme.text == "{":
                i = self._braces(i)
            elif lexeme.text == "(":
                i = self._parentheses(i, self.members)
            else:
                if lexeme.is_word and self.text(i + 1) in _ENDS:
                    self.members.add(lexeme.text)
                i += 1

    def _parentheses(self, i: int, into: set[str]) -> int:
        """`(*f)` declares f, and a macro's arguments may be what it declares."""
        end = self.pairs.get(i, i)
        if self.text(i + 1) == "*" and self.text(i + 3) == ")":
            into.add(self.text(i + 2))
        elif _DECLARING.match(self.text(i - 1)):
            into.update(lx.text for lx in self.lexemes[i:end] if lx.is_word)
        return end + 1
