# SPDX-License-Identifier: GPL-2.0-only
"""What a header's small functions give, in the words of who calls them.

static inline int is_off(struct pt_regs *regs)
{
        return !(regs->status & ON);
}

inline_in([header], "is_off").of(("tsk->regs",))    "!(tsk->regs->status & ON)"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from codegen.csyntax.lex import Lexeme, lex_text
from codegen.csyntax.nodes import FunctionText
from codegen.csyntax.parse import SyntaxTree
from codegen.csyntax.renames import OPENING, Rename, given_at, tokens_of

_INLINE = frozenset(("static", "inline", "__always_inline", "__inline__", "noinline", "const"))
_WIDE = frozenset(("unsigned long", "long", "u64", "pte_t", "ulong"))
_SHORTEST = 3
"""How many tokens an expression has at least by which it is known again."""


@dataclass(frozen=True, slots=True)
class Inline:
    """A function that returns one expression: its parameters, the type of what it returns."""

    params: tuple[str, ...]
    returns: str
    value: str

    def of(self, args: Sequence[str]) -> str:
        """What a call with these arguments gives, in one line."""
        given = {
            p: a if re.fullmatch(r"[\w.]+(?:->[\w.]+)*", a) else f"({a})"
            for p, a in zip(self.params, args, strict=True)
        }
        text = re.sub(r"(?<![\w.>])[A-Za-z_]\w*", lambda m: given.get(m[0], m[0]), self.value)
        if self.returns == "bool" and not text.startswith("!"):
            return f"!!({text})"
        return text


def inline_in(headers: Iterable[str], name: str) -> Inline | None:
    """The function of that name in the headers; None where it is not defined once, and so."""
    found = {one for header in headers for one in _definitions(header, name)}
    return found.pop() if len(found) == 1 else None


def _definitions(header: str, name: str) -> Iterator[Inline | None]:
    """Each definition of the name; None for one that is something else, or does more."""
    if re.search(rf"#[ \t]*define[ \t]+{name}\b", header):
        yield None
    for place in re.finditer(rf"(?<!\w){name}[ \t\n]*\(", header):
        start = max(header.rfind(c, 0, place.start()) for c in ";}#\n") + 1
        tokens = list(lex_text(header, start, min(len(header), place.end() + 2000)))
        at = next((i for i, lx in enumerate(tokens) if lx.start == place.start()), None)
        if at is None:
            continue  # in a comment, or in a string
        head = [lx.text for lx in tokens[:at]]
        close = _closing(tokens, at + 1)
        if close is None or tokens[close + 1 : close + 2] == [] or not head:
            continue
        if tokens[close + 1].text == "{":
            yield _read(header, head, tokens[at + 2 : close], tokens[close + 2 :])


def _read(header: str, head: list[str], params: list[Lexeme], body: list[Lexeme]) -> Inline | None:
    if not {"inline", "__always_inline"} & set(head) or not body or body[0].text != "return":
        return None
    end = next((i for i, lx in enumerate(body) if lx.text in (";", "{", "}")), None)
    if end is None or body[end].text != ";" or [lx.text for lx in body[end + 1 : end + 2]] != ["}"]:
        return None
    returns = " ".join(w for w in head if w not in _INLINE)
    names = [_param(one) for one in _parted(params)]
    value = " ".join(header[body[1].start : body[end].start].split()) if end > 1 else ""
    # What a narrower type would cut off is not in the text that is put in.
    known = returns in ("bool", *_WIDE) or (returns == "int" and value.startswith("!"))
    if not value or not known or any(n is None for n in names) or "/*" in value:
        return None
    return Inline(tuple(n for n in names if n is not None), returns, value)


def _param(tokens: list[Lexeme]) -> str | None:
    """The name of a parameter that is a pointer, or as wide as one; None for any other."""
    words = [lx.text for lx in tokens if lx.text != "const"]
    if len(words) < 2 or not tokens[-1].is_word:
        return None
    wide = "*" in words or " ".join(words[:-1]) in _WIDE
    return words[-1] if wide else None


def _parted(tokens: list[Lexeme]) -> list[list[Lexeme]]:
    """Tokens between commas; none where there are none, or only `void`."""
    if [lx.text for lx in tokens] in ([], ["void"]):
        return []
    parts: list[list[Lexeme]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in OPENING) - (token.text in (")", "]", "}"))
        if token.text == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _closing(tokens: Sequence[Lexeme], at: int) -> int | None:
    """Where the bracket at a place closes."""
    depth = 0
    for i in range(at, len(tokens)):
        depth += (tokens[i].text in OPENING) - (tokens[i].text in (")", "]", "}"))
        if not depth:
            return i
    return None


def calls_in(
    tree: SyntaxTree, functions: Sequence[FunctionText]
) -> Iterator[tuple[str, str, tuple[str, ...], int]]:
    """(name, the call's text, its arguments, its line) of each call in the functions."""
    text = tree.source.text
    for function in functions:
        tokens = tokens_of(tree, function)
        for i, token in enumerate(tokens):
            if not token.is_word or given_at(tokens, token) is None:
                continue
            close = _closing(tokens, i + 1)
            if close is None:
                continue
            args = tuple(
                " ".join(text[p[0].start : p[-1].end].split()) if p else ""
                for p in _parted(tokens[i + 2 : close])
            )
            whole = " ".join(text[token.start : tokens[close].end].split())
            yield token.text, whole, args, tree.source.line(token.start)


def says(tree: SyntaxTree, functions: Sequence[FunctionText], value: str) -> int | None:
    """The line in which the functions say an expression themselves, or what it is not of."""
    wanted = [lx.text for lx in lex_text(value, 0, len(value))]
    while wanted[:1] == ["!"] or (wanted[:1] == ["("] and _wraps(wanted)):
        wanted = wanted[1:] if wanted[0] == "!" else wanted[1:-1]
    if len(wanted) < _SHORTEST:
        return None
    for function in functions:
        tokens = tokens_of(tree, function)
        texts = [lx.text for lx in tokens]
        for i in range(len(texts) - len(wanted) + 1):
            if texts[i : i + len(wanted)] == wanted:
                return tree.source.line(tokens[i].start)
    return None


def _wraps(words: list[str]) -> bool:
    """Whether the first bracket closes with the last word."""
    depth = 0
    for i, word in enumerate(words):
        depth += (word in OPENING) - (word in (")", "]", "}"))
        if not depth:
            return i == len(words) - 1
    return False


def read_off(
    src: SyntaxTree,
    tgt: SyntaxTree,
    functions: Iterable[tuple[str, str]],
    inline: dict[str, Inline],
) -> tuple[Rename, ...]:
    """The calls of tgt that give what src says by itself, `inline` being what a header has them do.

    src  if (regs->status & ON)      tgt  if (!is_off(regs))
    Rename("!(regs->status & ON)", "is_off(regs)")
    """
    beside = set(functions)
    pairs = [(f, g) for f in src.functions for g in tgt.functions if (f.name, g.name) in beside]
    mine, theirs = [f for f, _ in pairs], [g for _, g in pairs]
    found: dict[str, Rename] = {}
    for name, call, args, line in calls_in(tgt, theirs):
        known = inline.get(name)
        if known is None or call in found or len(args) != len(known.params):
            continue
        value = known.of(args)
        where = says(src, mine, value)
        if where is not None:
            found[call] = Rename(value, call, where, line)
    return tuple(found.values())
