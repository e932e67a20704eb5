# SPDX-License-Identifier: GPL-2.0-only
"""The small functions of an architecture's headers, read as functions of the file that calls them.

    #define STORE_L(n)  (STORE + (n))               esr.h of the tree
    static inline bool is_store(unsigned long code)
    {
            code = code & CODE;
            return code == STORE_L(0) || code == STORE_L(1);
    }

    needed(tree, path, "is_store", leave)           {"is_store", "STORE_L"}
    header_texts(tree, path, {"is_store", "STORE_L"})
                                                    esr.h, all but the function blank, and the
                                                    macros STORE_L(n), STORE and CODE

Only one that is the same in every configuration is read: it is defined once,
and neither it nor what is around it tests an option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codegen.base.diagnostics import UnreadableSource
from codegen.base.spans import SourceText, Span
from codegen.corpus.defines import definitions_of_arch, header_files_with, macros_of_arch
from codegen.csyntax.lex import lex_text
from codegen.csyntax.nodes import EnclosingBranch
from codegen.csyntax.parse import SyntaxTree, parse
from codegen.csyntax.renames import KEYWORDS
from codegen.frontend.conditions import ENABLED_WORDS
from codegen.frontend.numbers import literal_of

# include/linux/bits.h, include/uapi/linux/const.h: what constants are written with in C.
WRITTEN_WITH = (
    "#define BIT(n) (1UL << (n))",
    "#define BIT_ULL(n) (1ULL << (n))",
    "#define _BITUL(n) (1UL << (n))",
    "#define _BITULL(n) (1ULL << (n))",
    "#define UL(n) n##UL",
    "#define ULL(n) n##ULL",
    "#define _UL(n) n##UL",
    "#define _ULL(n) n##ULL",
    "#define _AC(n, t) n##t",
)
_WRITTEN_WITH = frozenset(line.split()[1].partition("(")[0] for line in WRITTEN_WITH)
_INLINE = frozenset(("inline", "__inline", "__inline__", "__always_inline"))
_CONFIGURED = ENABLED_WORDS | {"__is_defined", "__builtin_constant_p"}
_FOR_C = re.compile(r"(?:ifndef |if !\s*defined\s*\(?)__ASSEMBL(?:Y|ER)__\)?|ifdef __KERNEL__")
_BLACK = re.compile(r"[^\s]")


@dataclass(frozen=True)
class Definition:
    """A function, which stands in a header, or a macro with parameters (what follows `#define`)."""

    header: SourceText | None = None
    span: Span | None = None
    macro: str = ""

    @property
    def text(self) -> str:
        """What is defined, in the header's words."""
        return self.header.slice(self.span) if self.header and self.span else self.macro

    @property
    def tokens(self) -> tuple[str, ...]:
        """What it is made of, comments aside."""
        return tuple(t.text for t in lex_text(self.text, 0, len(self.text)))

    @property
    def words(self) -> list[tuple[str, bool]]:
        """The words in it, each with whether it is called."""
        tokens = list(lex_text(self.text, 0, len(self.text)))
        following = [*(t.text for t in tokens[1:]), ""]
        return [
            (t.text, f == "(")
            for t, f in zip(tokens, following, strict=True)
            if t.is_word and t.text not in KEYWORDS
        ]


@dataclass(frozen=True)
class HeaderText:
    """A header with everything blank but some functions, and the macros that these need."""

    source: SourceText
    macros: tuple[str, ...]
    functions: frozenset[str]


class NotReadError(Exception):
    """Why a name of a header is not read; the text is a sentence without its subject."""


class NotDefinedError(NotReadError):
    """No header of the architecture defines it with parameters."""


def definition(tree: Path, path: str, name: str) -> Definition:
    """What the headers of the file's architecture define a name as that is called.

    `path` is the file's, from the tree's root. Raises NotReadError.
    """
    macros = macros_of_arch(tree, path, name)
    plain = definitions_of_arch(tree, path, name) - {name}
    functions: dict[tuple[str, ...], Definition] = {}
    begun = re.compile(rf"(?<!\w){re.escape(name)}\s*\([^;{{}}]*\)[^;{{}}()]*\{{")
    for header in header_files_with(tree, path, name):
        if begun.search(header.text):
            functions |= _functions(_parsed(header), name)
    if len(functions) + len(macros) + len(plain) > 1:
        raise NotReadError("is defined more than once")
    if not functions and not macros:
        raise NotDefinedError("is not defined in a header of its architecture")
    found = functions.popitem()[1] if functions else Definition(macro=min(macros))
    if any(w in _CONFIGURED or w.startswith("CONFIG_") for w, _ in found.words):
        raise NotReadError("hangs on the configuration")
    return found


@lru_cache(maxsize=256)
def _parsed(header: SourceText) -> SyntaxTree:
    return parse(header)


def _functions(tree: SyntaxTree, name: str) -> dict[tuple[str, ...], Definition]:
    """The definitions of a name in a header, by their tokens. Raises NotReadError."""
    found = {}
    for function in tree.functions:
        if function.name != name:
            continue
        head = tree.source.slice(Span(function.span.start, function.name_span.start))
        if not _INLINE & set(head.split()):
            raise NotReadError("is no inline function")
        inside = any(function.span.covers(d.span) for d in tree.directives)
        if inside or not all(_is_guard(tree, e) for e in function.conditionals):
            raise NotReadError("hangs on the configuration")
        made = Definition(tree.source, function.span)
        found[made.tokens] = made
    return found


def _is_guard(tree: SyntaxTree, around: EnclosingBranch) -> bool:
    """Whether a conditional is there for every C file of the kernel: `#ifndef _ASM_ESR_H`."""
    directive = around.directive
    if around.index:
        return False
    if directive.kind in ("if", "ifdef", "ifndef") and _FOR_C.fullmatch(
        f"{directive.kind} {directive.text}"
    ):
        return True
    own = {d.name for d in tree.directives if d.kind == "define" and d.text == d.name}
    return directive.kind == "ifndef" and directive.name in own


def needed(tree: Path, path: str, name: str, leave: Callable[[str], bool]) -> dict[str, Definition]:
    """The definitions that a name's meaning is made of, by name, its own first.

    What is called there and is not read, or is one that `leave` holds for, stays a call.
    Raises NotReadError where the name itself is not read.
    """
    found = {name: definition(tree, path, name)}
    waiting = [name]
    while waiting:
        for word, called in found[waiting.pop()].words:
            if not called or word in found or word in _WRITTEN_WITH or leave(word):
                continue
            with suppress(NotReadError):
                found[word] = definition(tree, path, word)
                waiting.append(word)
    return found


def constants_in(tree: Path, path: str, found: Mapping[str, Definition]) -> dict[str, str]:
    """The numbers, as C writes them, of the constants that some definitions are made of."""
    words = {w for one in found.values() for w, called in one.words if not called}
    literals = {w: literal_of(tree, path, w) for w in sorted(words - found.keys())}
    return {w: literal for w, literal in literals.items() if literal is not None}


def header_texts(tree: Path, path: str, names: Collection[str]) -> tuple[HeaderText, ...]:
    """The headers with those of their functions and macros that `names` are.

    Raises UnreadableSource for a name that is not to be read.
    """
    found: dict[str, Definition] = {}
    for name in names:
        try:
            found[name] = definition(tree, path, name)
        except NotReadError as error:
            raise UnreadableSource(str(tree), f"{name}() is not read: it {error}") from None
    constants = constants_in(tree, path, found)
    macros = (
        *WRITTEN_WITH,
        *(f"#define {word} {literal}" for word, literal in constants.items()),
        *(f"#define {one.macro}" for one in found.values() if one.macro),
    )
    spans: dict[SourceText, dict[str, Span]] = {}
    for name, one in found.items():
        if one.header is not None and one.span is not None:
            spans.setdefault(one.header, {})[name] = one.span
    return tuple(
        HeaderText(_only(header, own.values()), macros, frozenset(own))
        for header, own in spans.items()
    )


def _only(header: SourceText, spans: Iterable[Span]) -> SourceText:
    """The header with everything else blank; what is left keeps its place."""
    pieces, last = [], 0
    for span in sorted(spans):
        pieces += [_BLACK.sub(" ", header.text[last : span.start]), header.slice(span)]
        last = span.end
    return SourceText(header.path, "".join([*pieces, _BLACK.sub(" ", header.text[last:])]))
