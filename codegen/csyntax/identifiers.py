# SPDX-License-Identifier: GPL-2.0-only
"""Where a name is used: to find locals, labels, statics and macros that nothing needs any more."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from codegen.base.spans import Span
from codegen.csyntax.lex import Lexeme, lex_text
from codegen.csyntax.parse import SyntaxTree

_OPERAND_FOLLOWS = ("=", "(", "[", ",", "{", "return", "*")


class UseKind(StrEnum):
    """What a whole-word occurrence is.

    NAME is a variable, function, macro or type; MEMBER stands after `.` or
    `->`; TAG after struct, union or enum; LABEL after goto or `&&` at the
    start of an operand, or before the colon that makes it a label; DIRECTIVE
    in a preprocessor line, whatever it is there.
    """

    NAME = "name"
    MEMBER = "member"
    TAG = "tag"
    LABEL = "label"
    DIRECTIVE = "directive"


@dataclass(frozen=True, slots=True)
class Use:
    """One occurrence of a word."""

    span: Span
    kind: UseKind


def words_in(
    tree: SyntaxTree, span: Span | None = None, *, directives: bool = False
) -> dict[str, tuple[Use, ...]]:
    """Every word in `span` (the whole file if None) with its occurrences in order.

    Comments and literals hold none. Those in preprocessor lines count only
    with `directives`. Keywords are words too.
    """
    found: dict[str, list[Use]] = {}
    for lexeme, kind in _occurrences(tree, span or Span(0, len(tree.source.text)), directives):
        found.setdefault(lexeme.text, []).append(Use(lexeme.span, kind))
    return {word: tuple(uses) for word, uses in found.items()}


def uses_of(
    tree: SyntaxTree, name: str, span: Span | None = None, *, directives: bool = False
) -> tuple[Use, ...]:
    """The occurrences of `name` as a whole word in `span`, see `words_in`."""
    where = span or Span(0, len(tree.source.text))
    return tuple(
        Use(lexeme.span, kind) for lexeme, kind in _occurrences(tree, where, directives, name)
    )


def _occurrences(
    tree: SyntaxTree, span: Span, directives: bool, name: str | None = None
) -> Iterator[tuple[Lexeme, UseKind]]:
    lexemes = tree.lexemes
    for i in range(bisect_left(lexemes, span.start, key=lambda lx: lx.end), len(lexemes)):
        lexeme = lexemes[i]
        if lexeme.start >= span.end:
            return
        if lexeme.kind == "directive":
            if directives:
                # Past the `#` and the directive's own word.
                inner = [
                    lx for lx in lex_text(tree.source.text, lexeme.start, lexeme.end) if lx.is_word
                ]
                for word in inner[1:]:
                    if span.covers(word.span) and name in (None, word.text):
                        yield word, UseKind.DIRECTIVE
        elif lexeme.is_word and span.covers(lexeme.span) and name in (None, lexeme.text):
            yield lexeme, _kind(lexemes, i)


def _kind(lexemes: tuple[Lexeme, ...], i: int) -> UseKind:
    before = lexemes[i - 1].text if i else ";"
    after = lexemes[i + 1].text if i + 1 < len(lexemes) else ";"
    if before in (".", "->"):
        return UseKind.MEMBER
    if before in ("struct", "union", "enum"):
        return UseKind.TAG
    if before == "goto":
        return UseKind.LABEL
    if before == "&" and i > 1 and lexemes[i - 2].end == lexemes[i - 1].start:
        # The grammar has no `&&label`: where an operand begins it reads two `&`.
        return UseKind.LABEL if lexemes[i - 2].text == "&" else UseKind.NAME
    if before == "&&" and (i < 2 or lexemes[i - 2].text in _OPERAND_FOLLOWS):
        return UseKind.LABEL
    # `c ? x : y` has no statement's end before x; `case A:` has the word case.
    starts = before in (";", "{", "}", ":", ")", "else", "#")
    if after == ":" and starts and lexemes[i].text != "default":
        return UseKind.LABEL
    return UseKind.NAME
