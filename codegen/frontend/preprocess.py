# SPDX-License-Identifier: GPL-2.0-only
"""The functions of a file, one token stream for each configuration.

Only the file's own `#define`s are expanded, and the vocabulary's few macros
(`unlikely()`, `BIT()`); no `#include` is followed, so every other name stays
as opaque as it is in the source. Directives are met in file order: a macro
means what it meant at that line (parisc undefines its decode macros).
"""

from __future__ import annotations

import copy
import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from codegen.base.diagnostics import UnreadableSource
from codegen.base.spans import SourceText, Span
from codegen.csyntax.nodes import Directive, FunctionText
from codegen.csyntax.parse import SyntaxTree
from codegen.frontend import conditions
from codegen.frontend.lex import MOST_TOKENS, Endless, Quiet, convert, raw_tokens
from codegen.frontend.nodes import Configuration, Kind, Token

_OPENERS = ("if", "ifdef", "ifndef")
_DEFINED_NAME = re.compile(r"\s*(\w+)")


class Infeasible(Exception):
    """The configuration runs into an active `#error`: nobody can build it."""


@dataclass(frozen=True)
class FunctionTokens:
    """A function definition that is active in a configuration, macros expanded."""

    function: FunctionText
    tokens: tuple[Token, ...]


@dataclass
class _Region:
    """One open `#if` … `#endif`: whether this branch is active, and whether one was."""

    active: bool
    taken: bool


class Preprocessor:
    """Preprocesses one file for any number of configurations.

    `macros` is C text with the vocabulary's `#define`s, `constants` the values
    that `#if` may need (`#if (1 << VM_READ_BIT) != VM_READ`).
    """

    def __init__(
        self, source: SourceText, tree: SyntaxTree, macros: str, constants: dict[str, int]
    ) -> None:
        self.source = source
        self.directives: tuple[Directive, ...] = tree.directives
        self.functions: tuple[FunctionText, ...] = tree.functions
        self._pp = Quiet()
        self._pp.macros.clear()
        for line in macros.splitlines():
            if line.startswith("#define "):
                self._pp.define(line[len("#define ") :])
        self._base = dict(self._pp.macros)
        self._constants = {n: str(v) for n, v in constants.items()}
        self._raw = raw_tokens(self._pp, source.text)
        for token in self._raw:
            token.origin = token.lexpos
        self._offsets = [t.lexpos for t in self._raw]
        self._texts: dict[Span, list[Any]] = {}

    # -- which macros matter -------------------------------------------------

    def tested(self, spans: list[Span]) -> list[dict[str, frozenset[str | None]]]:
        """What the conditionals test that lie in, or around, or choose macros for, `spans`."""
        words: set[str] = set()
        for span in spans:
            words |= {t.value for t in self._between(span) if t.type == "CPP_ID"}
        found: list[dict[str, frozenset[str | None]]] = []
        stack: list[list[dict[str, frozenset[str | None]]]] = []
        extents: list[int] = []
        for d in self.directives:
            if d.kind in _OPENERS:
                stack.append([conditions.tested_macros(d.kind, d.text)])
                extents.append(d.span.start)
            elif d.kind in ("elif", "elifdef", "elifndef") and stack:
                stack[-1].append(conditions.tested_macros(d.kind, d.text))
            elif d.kind == "endif" and stack:
                group, start = stack.pop(), extents.pop()
                region = Span(start, d.span.end)
                if any(s.start < region.end and region.start < s.end for s in spans):
                    found += group
            elif d.kind in ("define", "undef") and d.name in words:
                for group in stack:
                    found += group
                words |= set(re.findall(r"[A-Za-z_]\w*", d.text))
        for span in spans:
            for name in conditions.enabled_macros(self.source.slice(span)):
                found.append({name: frozenset({None, "1"})})
        own = self._always_defined()
        return [{n: v for n, v in group.items() if n not in own} for group in found]

    def _always_defined(self) -> set[str]:
        """Macros that the file itself defines outside any conditional, and constants."""
        depth = 0
        names = set(self._constants)
        for d in self.directives:
            if d.kind in _OPENERS:
                depth += 1
            elif d.kind == "endif":
                depth -= 1
            elif d.kind == "define" and depth == 0 and d.name:
                names.add(d.name)
        return names

    # -- one configuration ---------------------------------------------------

    def run(self, configuration: Configuration, names: frozenset[str]) -> list[FunctionTokens]:
        """The definitions of `names` that are active, in file order.

        Raises Infeasible where an active `#error` forbids the configuration.
        """
        pp = self._pp
        pp.macros = dict(self._base)
        self._set = {n for n, v in configuration.settings.items() if v is not None}
        self._values = {n: v for n, v in configuration.settings.items() if v is not None}
        wanted = [f for f in self.functions if f.name in names]
        regions: list[_Region] = []
        streams: dict[int, list[Token]] = {}
        last = 0
        for d in (*self.directives, None):
            end = d.span.start if d is not None else len(self.source.text)
            if all(r.active for r in regions):
                for i, function in enumerate(wanted):
                    low, high = max(last, function.span.start), min(end, function.span.end)
                    if low < high:
                        piece = self._expand(Span(low, high))
                        if function.name_span.start >= low and function.name_span.start < high:
                            streams.setdefault(i, [])
                        if i in streams or function.span.start >= low:
                            streams.setdefault(i, []).extend(piece)
            if d is None:
                break
            self._direct(d, regions)
            last = d.span.end
        return [
            FunctionTokens(f, tuple(streams[i]))
            for i, f in enumerate(wanted)
            if i in streams and any(t.text == "{" for t in streams[i])
        ]

    def _direct(self, d: Directive, regions: list[_Region]) -> None:
        outer = all(r.active for r in regions[:-1]) if regions else True
        match d.kind:
            case "if" | "ifdef" | "ifndef":
                here = all(r.active for r in regions)
                holds = here and self._holds(d)
                regions.append(_Region(holds, holds))
            case "elif" | "elifdef" | "elifndef" if regions:
                region = regions[-1]
                region.active = outer and not region.taken and self._holds(d)
                region.taken = region.taken or region.active
            case "else" if regions:
                region = regions[-1]
                region.active = outer and not region.taken
                region.taken = True
            case "endif" if regions:
                regions.pop()
            case "define" if all(r.active for r in regions):
                self._pp.define(d.text.replace("\\\n", "  "))
            case "undef" if all(r.active for r in regions):
                self._pp.macros.pop(d.text.strip(), None)
            case "error" if all(r.active for r in regions):
                raise Infeasible(f"{self.source.path}:{self.source.line(d.span.start)}")
            case _:
                pass

    def _holds(self, d: Directive) -> bool:
        if d.kind in ("ifdef", "ifndef", "elifdef", "elifndef"):
            match = _DEFINED_NAME.match(d.text)
            name = match.group(1) if match else ""
            defined = name in self._set or name in self._pp.macros
            return defined == (d.kind in ("ifdef", "elifdef"))
        text = conditions.ENABLED_TEST.sub(
            lambda m: str(int(conditions.is_enabled(m[1], m[2], self._set))), d.text
        )
        saved = self._pp.macros
        self._pp.macros = dict(saved)
        for name, value in {**self._constants, **self._values}.items():
            if name not in self._pp.macros:
                self._pp.define(f"{name} {value}")
        try:
            result = self._pp.evalexpr(self._pp.tokenize(text.replace("\\\n", "  ")))
        finally:
            self._pp.macros = saved
        value = result[0] if isinstance(result, tuple) else result
        return bool(value)

    # -- tokens --------------------------------------------------------------

    def _between(self, span: Span) -> list[Any]:
        low = bisect_left(self._offsets, span.start)
        high = bisect_left(self._offsets, span.end)
        return self._raw[low:high]

    def _expanded(self, invocation: list[Any]) -> list[Any]:
        name, place = str(invocation[0].value), invocation[0].lexpos
        try:
            out: list[Any] = self._pp.expand_macros(invocation)
        except Endless:
            reason = f"the macro {name} expands to more than {MOST_TOKENS} tokens"
            line = self.source.line(place)
            raise UnreadableSource(self.source.path, reason, line) from None
        return out

    def _expand(self, span: Span) -> list[Token]:
        pp = self._pp
        raw = self._between(span)
        out: list[Token] = []
        i = 0
        while i < len(raw):
            token = raw[i]
            if token.type == "CPP_ID" and token.value in conditions.ENABLED_WORDS:
                count, args, _ = pp.collect_args(raw[i + 1 :], True)
                if count and len(args) == 1 and len(args[0]) == 1:
                    option = str(args[0][0].value)
                    value = str(int(conditions.is_enabled(token.value, option, self._set)))
                    out.append(Token(Kind.NUMBER, value, _extent(raw[i], raw[i + count]), True))
                    i += 1 + count
                    continue
            if token.type == "CPP_ID" and token.value in pp.macros:
                macro = pp.macros[token.value]
                length = 1
                if macro.arglist is not None:
                    count, _, _ = pp.collect_args(raw[i + 1 :], True)
                    length = 1 + count if count else 0
                if length:
                    invocation = _extent(raw[i], raw[i + length - 1])
                    copies = [copy.copy(t) for t in raw[i : i + length]]
                    for expanded in self._expanded(copies):
                        origin = getattr(expanded, "origin", None)
                        place = (
                            invocation
                            if origin is None or origin not in invocation
                            else Span(origin, origin + len(str(expanded.value)))
                        )
                        if (new := convert(expanded, place, True)) is not None:
                            out.append(new)
                    i += length
                    continue
            place = Span(token.lexpos, token.lexpos + len(str(token.value)))
            if (plain := convert(token, place, False)) is not None:
                out.append(plain)
            i += 1
        return out


def _extent(first: Any, last: Any) -> Span:
    return Span(first.lexpos, last.lexpos + len(str(last.value)))
