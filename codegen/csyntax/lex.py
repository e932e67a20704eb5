# SPDX-License-Identifier: GPL-2.0-only
"""Text to tokens: tree-sitter's leaves, and a small lexer wherever they cannot be trusted.

tree-sitter reads C without its macros, so the kernel's attributes leave error
nodes, and in the recovery a closing quote may pass for an opening one. What
is comment, literal or preprocessor line does not depend on any grammar:
`outline` finds these by themselves, and a leaf counts only where it lies
wholly outside of them.

    `x = f("a;b"); /* c */`  gives  x  =  f  (  "a;b"  )  ;  /* c */
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import tree_sitter
import tree_sitter_c

from codegen.base.spans import SourceText, Span

_LANGUAGE = tree_sitter.Language(tree_sitter_c.language())

_COMMENT = r"//(?:\\\r?\n|[^\n])*|/\*.*?(?:\*/|\Z)"
_LITERAL = r"""(?:\b(?:L|u8|u|U))?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
_OUTLINE = re.compile(
    rf"(?P<comment>{_COMMENT})|(?P<literal>{_LITERAL})|(?P<directive>^[ \t\f\v]*\#)", re.M | re.S
)
# A directive ends with its line, but neither a continuation nor a comment that runs on ends it.
_DIRECTIVE_REST = re.compile(rf"(?:\\\r?\n|{_COMMENT}|{_LITERAL}|[^\n])*", re.S)
COMMENT = re.compile(rf"(?P<comment>{_COMMENT})|{_LITERAL}", re.S)
"""Finds the comments in one directive; a match without the group is a literal."""

WORD = re.compile(r"[A-Za-z_$][\w$]*", re.A)
_LEXEME = re.compile(
    rf"(?P<opaque>{_COMMENT}|{_LITERAL})|(?P<identifier>{WORD.pattern})"
    r"|(?P<number_literal>\.?\d(?:[eEpP][+-]|[\w.])*)"
    r"|->|\+\+|--|<<=|>>=|\.\.\.|[-+*/%&|^=!<>]=|&&|\|\||<<|>>|##|(?P<trivia>\\\r?\n|\s+)|.",
    re.A | re.S,
)

_UNTRUSTED_LEAVES = frozenset(
    (
        *("ERROR", "comment", "string_content", "character", "escape_sequence", "preproc_arg"),
        *("system_lib_string", "\n", '"', "'"),
    )
)


class Lexeme(NamedTuple):
    """A token with its text at hand. A literal's text is `""`, a directive's `#`."""

    text: str
    start: int
    end: int
    kind: str

    @property
    def span(self) -> Span:
        """Where it is."""
        return Span(self.start, self.end)

    @property
    def is_word(self) -> bool:
        """Whether it is an identifier or a keyword."""
        return self.text[0].isalpha() or self.text[0] in "_$"


@dataclass(frozen=True, slots=True)
class Outline:
    """The parts of a file that are not code, each list in the order of the text.

    `comments` are all of them, also those inside directives; `regions` are
    (start, end, kind) of the comments, literals and directives, none inside another.
    """

    comments: tuple[Span, ...]
    literals: tuple[Span, ...]
    directives: tuple[Span, ...]
    regions: tuple[tuple[int, int, str], ...]


def outline(text: str) -> Outline:
    """The comments, literals and preprocessor lines of a C file's text.

    A directive goes from its `#` to the last character before the newline
    that ends it.
    """
    comments: list[Span] = []
    literals: list[Span] = []
    directives: list[Span] = []
    regions: list[tuple[int, int, str]] = []
    pos = 0
    while match := _OUTLINE.search(text, pos):
        kind = match.lastgroup
        assert kind is not None
        start, pos = match.span()
        match kind:
            case "comment":
                comments.append(Span(start, pos))
            case "literal":
                literals.append(Span(start, pos))
            case _:
                start = pos - 1
                rest = _DIRECTIVE_REST.match(text, pos)
                pos = rest.end() if rest else pos
                end = start + len(text[start:pos].rstrip())
                directives.append(Span(start, end))
                for inner in COMMENT.finditer(text, start, end):
                    if inner.group("comment") is not None:
                        comments.append(Span(*inner.span()))
                regions.append((start, end, kind))
                continue
        regions.append((start, pos, kind))
    return Outline(tuple(comments), tuple(literals), tuple(directives), tuple(regions))


def lex_text(text: str, start: int, end: int) -> Iterator[Lexeme]:
    """The tokens of a stretch of text by the small lexer; comments and literals are left out."""
    for match in _LEXEME.finditer(text, start, end):
        kind = match.lastgroup
        if kind not in ("trivia", "opaque"):
            yield Lexeme(match.group(), match.start(), match.end(), kind or match.group())


def _leaves(root: tree_sitter.Node) -> Iterator[tuple[int, int, str]]:
    """Every leaf that may be trusted: (start, end, kind)."""
    cursor = root.walk()
    while True:
        while cursor.goto_first_child():
            pass
        node = cursor.node
        assert node is not None
        kind = node.type
        if kind not in _UNTRUSTED_LEAVES:
            yield node.start_byte, node.end_byte, kind
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def lex(source: SourceText, shape: Outline) -> tuple[Lexeme, ...]:
    """The file's code tokens, with one lexeme for each literal and each directive.

    Comments are left out. Never fails: what no trustworthy leaf covers is
    read by `lex_text`.
    """
    text = source.text
    tree = tree_sitter.Parser(_LANGUAGE).parse(source.to_bytes())
    regions = shape.regions
    starts = [region[0] for region in regions]
    out: list[Lexeme] = []
    pos, at = 0, 0

    def fill(end: int) -> None:
        """Brings `out` up to `end`, taking in the regions on the way."""
        nonlocal pos, at
        while at < len(regions) and regions[at][0] < end:
            begin, stop, kind = regions[at]
            out.extend(lex_text(text, pos, begin))
            match kind:
                case "literal":
                    out.append(Lexeme('""', begin, stop, "literal"))
                case "directive":
                    out.append(Lexeme("#", begin, stop, "directive"))
            pos, at = stop, at + 1
        if not text[pos:end].isspace() and pos < end:
            out.extend(lex_text(text, pos, end))
        pos = max(pos, end)

    for start, end, kind in _leaves(tree.root_node):
        if start < pos or start == end:
            continue
        if at < len(regions) and end > regions[at][0]:
            # The leaf comes after the region, or touches one: then it does not count.
            last = bisect_right(starts, end - 1) - 1
            if regions[last][1] > start:
                continue
        fill(start)
        out.append(Lexeme(text[start:end], start, end, kind))
        pos = end
    fill(len(text))
    return tuple(out)
