# SPDX-License-Identifier: GPL-2.0-only
"""What a field of a header's union is of the value that the union was given.

    union word { unsigned long val; struct { unsigned long page : 52; unsigned long low : 12; }; };
    union word w = { .val = regs->code };      w.page   is   (regs->code >> 12 & 0xfffffffffffff)

That holds for a big-endian machine, where the first field has the highest bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from codegen.csyntax.lex import Lexeme, lex_text
from codegen.csyntax.nodes import FunctionText
from codegen.csyntax.parse import SyntaxTree
from codegen.csyntax.renames import Rename, tokens_of

_LONG = 64
_JOINTS = (".", "->")
_FIELD = re.compile(r"unsigned long (\w+)? ?: ?(\d+) ?;")
_BODY = re.compile(
    r"\{ unsigned long (?P<whole>\w+) ?; struct \{ "
    r"(?P<fields>(?:unsigned long (?:\w+ ?)?: ?\d+ ?; )+)\} ?(?P<named>\w*) ?; \} ?;"
)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a union by name: (how far up, how many bits) of the member `whole`."""

    whole: str
    places: tuple[tuple[str, int, int], ...]


def fields_in(headers: Iterable[str], tag: str, big_endian: bool) -> Fields | None:
    """The fields of `union tag`; None where the headers do not define it once, and so."""
    found = {
        one
        for header in headers
        for place in re.finditer(rf"\bunion\s+{re.escape(tag)}\s*(?=\{{)", header)
        for one in [_read(header[place.end() :], big_endian)]
    }
    return found.pop() if len(found) == 1 else None


def _read(text: str, big_endian: bool) -> Fields | None:
    words = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text[:4000], flags=re.DOTALL)
    body = _BODY.match(" ".join(words.split()))
    if body is None or body["named"]:
        return None
    fields = [(name or "", int(bits)) for name, bits in _FIELD.findall(body["fields"])]
    if sum(bits for _, bits in fields) != _LONG:
        return None
    places, below = [], 0
    for name, bits in reversed(fields) if big_endian else fields:
        if name:
            places.append((name, below, bits))
        below += bits
    return Fields(body["whole"], tuple(places))


@dataclass(frozen=True, slots=True)
class _Given:
    """A local of a union's type and what it begins with."""

    tag: str
    member: str
    value: str


def read_unions(
    tree: SyntaxTree, functions: Sequence[FunctionText], fields_of: Callable[[str], Fields | None]
) -> tuple[Rename, ...]:
    """The fields that the functions read of such locals, each as what it is of the value.

    A local counts if every function that has it gives it the same value, and
    none changes it, hands on its address, or writes to the value before it is read.
    """
    given: dict[str, set[_Given | None]] = {}
    read: dict[tuple[str, str], int] = {}
    for function in functions:
        tokens = tokens_of(tree, function)
        own = set()
        for name, at, found in _declared(tree, tokens):
            own.add(name)
            fine = found is not None and _only_read(tokens, name, at, found.value)
            given.setdefault(name, set()).add(found if fine else None)
        for before, token, dot, member in zip(
            tokens, tokens[1:], tokens[2:], tokens[3:], strict=False
        ):
            if dot.text == "." and token.is_word and before.text not in _JOINTS:
                read.setdefault((token.text, member.text), tree.source.line(token.start))
                if token.text not in own:
                    given.setdefault(token.text, set()).add(None)
    out = []
    for (name, field), line in read.items():
        known = given.get(name, set())
        one = next(iter(known)) if len(known) == 1 else None
        fields = None if one is None else fields_of(one.tag)
        if one is None or fields is None or one.member != fields.whole:
            continue
        value = _field(one.value, field, fields)
        if value is not None:
            out.append(Rename(value, f"{name}.{field}", 0, line))
    return tuple(out)


def _field(value: str, member: str, fields: Fields) -> str | None:
    if member == fields.whole:
        return f"({value})"
    place = next((p for p in fields.places if p[0] == member), None)
    return None if place is None else f"({value} >> {place[1]} & {(1 << place[2]) - 1:#x})"


def _declared(
    tree: SyntaxTree, tokens: Sequence[Lexeme]
) -> Iterable[tuple[str, int, _Given | None]]:
    """(name, where what follows begins, what it is given) of each local of a union's type."""
    for i, token in enumerate(tokens):
        if token.text != "union" or i + 2 >= len(tokens) or not tokens[i + 2].is_word:
            continue
        tag, name = tokens[i + 1].text, tokens[i + 2].text
        head = [lx.text for lx in tokens[i + 3 : i + 6]]
        end = next((k for k in range(i, len(tokens)) if tokens[k].text == "}"), None)
        if head != ["=", "{", "."] or end is None or tokens[i + 7].text != "=":
            yield name, i + 3, None
            continue
        value = tree.source.text[tokens[i + 8].start : tokens[end].start]
        plain = re.fullmatch(r"[\w.]+(?:->[\w.]+)*", value.strip())
        yield name, end, _Given(tag, tokens[i + 6].text, plain[0]) if plain else None


def _only_read(tokens: Sequence[Lexeme], name: str, after: int, value: str) -> bool:
    """Whether behind its declaration a local is only read, and only before its value is written."""
    words = [lx.text for lx in lex_text(value, 0, len(value))]
    written = False
    for i in range(after, len(tokens)):
        here = tokens[i].text
        if here == name and tokens[i - 1].text not in (".", "->"):
            nxt = [lx.text for lx in tokens[i + 1 : i + 4]]
            if written or nxt[:1] != ["."] or tokens[i - 1].text in ("&", "++", "--"):
                return False
            if len(nxt) > 2 and (nxt[2] in ("++", "--") or _assigns(nxt[2])):
                return False
        elif here == ";" and _writes(tokens, i, words):
            written = True
    return True


def _writes(tokens: Sequence[Lexeme], end: int, words: list[str]) -> bool:
    """Whether the statement that ends here begins with an assignment to the value."""
    start = end
    while start > 0 and tokens[start - 1].text not in (";", "{", "}"):
        start -= 1
    texts = [lx.text for lx in tokens[start:end]]
    return any(
        texts[k : k + len(words)] == words
        and k + len(words) < len(texts)
        and _assigns(texts[k + len(words)])
        for k in range(len(texts))
    )


def _assigns(operator: str) -> bool:
    """Whether a token is `=`, or an assignment that does something else as well."""
    return operator.endswith("=") and operator not in ("==", "!=", "<=", ">=")
