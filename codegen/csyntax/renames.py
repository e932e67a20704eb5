# SPDX-License-Identifier: GPL-2.0-only
"""Names that go by another one in a second text of the same functions.

    src  if (regs->ecr_cause & STORE)     tgt  if (regs->ecr.cause & STORE)

    renames(src, tgt)      (Rename("ecr_cause", "ecr.cause", 102, 103),)
    respelt(tgt, found)    if (regs->ecr_cause & STORE)

A header's content is in neither text, so that two such names are one and the
same thing is a guess until somebody says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from codegen.base.spans import SourceText
from codegen.csyntax.lex import Lexeme, lex_text
from codegen.csyntax.nodes import FunctionText
from codegen.csyntax.parse import SyntaxTree

KEYWORDS = frozenset(
    (
        *("if", "else", "for", "while", "do", "switch", "case", "default", "goto", "return"),
        *("break", "continue", "sizeof", "struct", "union", "enum", "static", "const", "void"),
        *("unsigned", "signed", "long", "int", "short", "char", "bool", "inline", "extern"),
        *("ifdef", "ifndef", "elif", "endif", "define", "undef", "defined", "typeof", "volatile"),
    )
)
_JOINTS = (".", "->")
OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")


@dataclass(frozen=True, slots=True)
class Rename:
    """What src calls `old` is called `new` in tgt; where either is met first, 0 where not."""

    old: str
    new: str
    src_line: int = 0
    tgt_line: int = 0

    def __str__(self) -> str:
        return f"{self.old}={self.new}"


_PARTING = re.compile(r"(?<![=!<>+\-*/%&|^])=(?!=)")


def parsed(text: str) -> Rename | None:
    """`OLD=NEW` as a rename; None where it is none."""
    old, *rest = (part.strip() for part in _PARTING.split(text, maxsplit=1))
    if not rest or not old or not rest[0] or old == rest[0]:
        return None
    return Rename(old, rest[0])


def renames(
    src: SyntaxTree, tgt: SyntaxTree, functions: Collection[tuple[str, str]], known: Collection[str]
) -> tuple[Rename, ...]:
    """The names of src that stand in tgt under another one, throughout, one for one.

    The `functions` of src and tgt are laid side by side, token by token. A pair of
    names (`a`, `a.b`, `a->b`) that stand in each other's place makes a rename if
    tgt does not use the old one anywhere in these functions, nor src the new
    one, and no other name stands in either's place. `known` are names that both
    sides understand, which are no renames of anything; neither is what one of
    the texts declares itself, nor a function that is given more, or fewer, or
    what is called in one text only.
    """
    beside = set(functions)
    pairs = [(f, g) for f in src.functions for g in tgt.functions if (f.name, g.name) in beside]
    mine_used = {w for one, _ in pairs for w in _words(src, one)}
    theirs_used = {w for _, two in pairs for w in _words(tgt, two)}
    own = _declared(src) | _declared(tgt) | set(known)
    found: dict[tuple[str, str], Rename] = {}
    unlike: set[tuple[str, str]] = set()
    for one, two in pairs:
        mine, theirs = tokens_of(src, one), tokens_of(tgt, two)
        for old, new in _in_place(mine, theirs):
            names = "".join(lx.text for lx in old), "".join(lx.text for lx in new)
            if not _may_be_renamed(old, new, own, mine_used, theirs_used):
                continue
            if given_at(mine, old[-1]) != given_at(theirs, new[-1]):
                unlike.add(names)
            lines = src.source.line(old[0].start), tgt.source.line(new[0].start)
            found.setdefault(names, Rename(*names, *lines))
    olds = [r.old for r in found.values()]
    news = [r.new for r in found.values()]
    return tuple(
        r
        for r in found.values()
        if olds.count(r.old) == 1 and news.count(r.new) == 1 and (r.old, r.new) not in unlike
    )


def _may_be_renamed(
    old: Sequence[Lexeme],
    new: Sequence[Lexeme],
    own: Collection[str],
    mine: Collection[str],
    theirs: Collection[str],
) -> bool:
    """Whether two chains of names may be two names of one thing."""
    words = [lx.text for lx in (*old, *new) if lx.is_word]
    if any(w in own or w in KEYWORDS for w in words):
        return False
    # The last word is what is named; `ecr` may be there in both.
    return old[-1].text not in theirs and not {new[0].text, new[-1].text} <= set(mine)


def given_at(tokens: Sequence[Lexeme], name: Lexeme) -> int | None:
    """How many arguments a name is called with where it stands; None where it is not called."""
    at = next(i for i, lx in enumerate(tokens) if lx.start == name.start) + 1
    if at >= len(tokens) or tokens[at].text != "(":
        return None
    depth = commas = 0
    for position, token in enumerate(tokens[at:]):
        depth += (token.text in OPENING) - (token.text in _CLOSING)
        commas += token.text == "," and depth == 1
        if not depth:
            return commas + 1 if position > 1 else 0
    return None


def tokens_of(tree: SyntaxTree, function: FunctionText) -> list[Lexeme]:
    """The tokens of a function, comments aside."""
    return list(lex_text(tree.source.text, function.span.start, function.span.end))


def _words(tree: SyntaxTree, function: FunctionText) -> Iterator[str]:
    return (lx.text for lx in tokens_of(tree, function) if lx.is_word)


def _declared(tree: SyntaxTree) -> set[str]:
    """The functions and macros of a file, and what stands behind a type in it."""
    names = {f.name for f in tree.functions}
    names |= {d.name for d in tree.directives if d.kind == "define" and d.name}
    for function in tree.functions:
        tokens = tokens_of(tree, function)
        for before, word, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
            declares = before.is_word and before.text not in ("return", "goto", "case", "else")
            if word.is_word and (declares or before.text == "*") and after.text in "=;,)[":
                names.add(word.text)
            if word.is_word and after.text == ":":
                names.add(word.text)
    return names


def _in_place(
    mine: list[Lexeme], theirs: list[Lexeme]
) -> Iterator[tuple[list[Lexeme], list[Lexeme]]]:
    """Chains of names that stand where the other text has another chain."""
    texts = [lx.text for lx in mine], [lx.text for lx in theirs]
    matcher = SequenceMatcher(None, *texts, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "replace":
            continue
        old, new = list(_chains(mine[i:j])), list(_chains(theirs[k:m]))
        if len(old) == len(new):
            yield from zip(old, new, strict=True)


def _chains(tokens: list[Lexeme]) -> Iterator[list[Lexeme]]:
    """The chains `a`, `a.b`, `a->b.c` among the tokens."""
    chain: list[Lexeme] = []
    for token in tokens:
        joint = token.text in _JOINTS
        if chain and (joint if chain[-1].is_word else token.is_word):
            chain.append(token)
            continue
        if chain and chain[-1].is_word:
            yield chain
        chain = [token] if token.is_word else []
    if chain and chain[-1].is_word:
        yield chain


def respelt(source: SourceText, renamed: Iterable[Rename]) -> tuple[SourceText, frozenset[Rename]]:
    """The text with the names that src gives to things, and which renames it had a use for.

    Tokens are replaced wherever they stand in that order, in preprocessor
    lines as well; every line keeps its number.
    """
    text, used = source.text, set()
    for rename in renamed:
        pattern = [lx.text for lx in lex_text(rename.new, 0, len(rename.new))]
        tokens = list(lex_text(text, 0, len(text)))
        pieces, last, at = [], 0, 0
        while pattern and at + len(pattern) <= len(tokens):
            here = tokens[at : at + len(pattern)]
            if [lx.text for lx in here] == pattern:
                start, end = here[0].start, here[-1].end
                word = rename.old if len(pattern) == 1 else _held_together(rename)
                pieces += [text[last:start], word, "\n" * text.count("\n", start, end)]
                last, at = end, at + len(pattern)
                used.add(rename)
            else:
                at += 1
        text = "".join([*pieces, text[last:]])
    return (SourceText(source.path, text) if used else source), frozenset(used)


def _held_together(rename: Rename) -> str:
    """What stands in for several tokens: in brackets unless it is a name."""
    if re.fullmatch(r"[\w.]+(?:->[\w.]+)*", rename.old):
        return rename.old
    return f"({rename.old})"
