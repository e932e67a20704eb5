# SPDX-License-Identifier: GPL-2.0-only
"""Which functions of their headers two releases of a handler have to be read with.

    src  if ((esr & TYPE) == PERM)      tgt  if (is_permission(esr))

What only one of them calls, or what the two trees do not define alike, is read where it
does nothing but compute; what both call by one name, and both trees define alike, is one
thing. A name that no text of the other side could have to do with stays a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from codegen.corpus.nodes import CFile
    from codegen.frontend.headers import Definition
    from codegen.ir.load import Unit
    from codegen.targets.compare.nodes import Comparison
    from codegen.toolchain.request import Request

_FIELD = re.compile(r"(?:->|\.)\s*([A-Za-z_]\w*)")
_MACRO = re.compile(r"^#define (\w+)", re.MULTILINE)
# What the machine itself has a meaning for.
_UNDERSTOOD = frozenset(("instruction_pointer", "exception_ip"))


@dataclass(frozen=True)
class Release:
    """One of two sources: a handler's file, the functions that are held against the other's."""

    request: Request
    file: CFile
    unit: Unit
    functions: tuple[str, ...]

    @property
    def tree(self) -> Path | None:
        """The kernel tree, whose headers are asked."""
        return self.request.source.tree

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of the file."""
        from codegen.csyntax.identifiers import words_in

        return frozenset(words_in(self.unit.tree, directives=True))

    @cached_property
    def calls(self) -> frozenset[str]:
        """What the functions call."""
        return frozenset().union(*(names for names, _ in self.each))

    @cached_property
    def each(self) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
        """What each of the functions calls, and all its words; nothing where it is not there."""
        from codegen.csyntax.renames import KEYWORDS, tokens_of

        tree = self.unit.tree
        called: dict[str, set[str]] = {}
        words: dict[str, set[str]] = {}
        for function in tree.functions:
            tokens = tokens_of(tree, function)
            names = {a.text for a, b in pairwise(tokens) if a.is_word and b.text == "("}
            called.setdefault(function.name, set()).update(names)
            words.setdefault(function.name, set()).update(t.text for t in tokens if t.is_word)
        own = KEYWORDS | called.keys() | {d.name for d in tree.directives if d.kind == "define"}
        return tuple(
            (frozenset(called.get(n, set()) - own), frozenset(words.get(n, set())))
            for n in self.functions
        )


@dataclass(frozen=True)
class _Meaning:
    """What a name is made of in a tree's headers, and why it is not read, if it is not.

    The reason is empty for a name that no header defines.
    """

    found: Mapping[str, Definition] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None

    def alike(self, other: _Meaning) -> bool:
        """Whether it is defined in the same words, and no constant has two numbers."""
        mine, theirs = ({n: d.tokens for n, d in one.found.items()} for one in (self, other))
        numbers = {w: _number(n) for w, n in other.constants.items()}
        return mine == theirs and all(
            numbers.get(w, _number(n)) == _number(n) for w, n in self.constants.items()
        )

    @property
    def functions(self) -> frozenset[str]:
        """The functions in it, the name itself among them."""
        return frozenset(n for n, one in self.found.items() if one.header is not None)

    @property
    def says(self) -> frozenset[str]:
        """The constants, fields and calls in it."""
        from codegen.frontend.headers import WRITTEN_WITH
        from codegen.ir.vocabulary import load

        known = load()
        macros = _MACRO.findall("\n".join((known.macros, *WRITTEN_WITH)))
        said: set[str] = set()
        for one in self.found.values():
            said |= {w for w, called in one.words if called or w[0].isupper()}
            said |= set(_FIELD.findall(one.text))
        said -= {*self.found, *known.fields, *known.constants, *macros}
        return frozenset(said)


def _number(literal: str) -> int:
    return int(literal.strip("()UL"), 0)


@dataclass(frozen=True)
class Reading:
    """The functions to read on either side, and where they stand.

    `numbers` are those of constants that no longer are names. `unread` has what one side
    alone calls, or the trees define otherwise, and why it stays a call.
    """

    inline: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    headers: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Every function that is read."""
        return frozenset(self.headers)

    def notes(self, comparison: Comparison) -> list[str]:
        """What was read, and what was not of that on which differences hang."""
        told = [one for d in comparison.differences for one in (d, *d.also)]
        asked = {n for d in told for n in d.scenario}
        called = {w for n in asked for w in re.findall(r"(\w+)(?:@\d+)?\(", n)}
        for d in told:
            called |= {event.name for event in d.src} ^ {event.name for event in d.tgt}
        read = [f"{n}() is read in {header}" for n, header in self.headers.items()]
        return read + [f"{n}() is not read: it {w}" for n, w in self.unread.items() if n in called]


def read_apart(src: Release, tgt: Release, *, parted: bool) -> Reading:
    """What to read of the headers of two releases' trees.

    Unless the handlers are `parted` only what both call, and the trees do not define alike.
    """
    if src.tree is None or tgt.tree is None:
        return Reading()
    return _Choice((src, tgt)).made(parted)


@dataclass
class _Choice:
    """The releases, while it is found out what to read."""

    releases: tuple[Release, Release]
    known: dict[tuple[int, str], _Meaning] = field(default_factory=dict)

    def made(self, parted: bool) -> Reading:
        """The choice; see `read_apart()`."""
        unread: dict[str, str] = {}
        chosen: dict[str, frozenset[int]] = {}
        for name in sorted(frozenset().union(*(r.calls for r in self.releases))):
            sides = frozenset(i for i in (0, 1) if name in self.releases[i].calls)
            if not self._may_be_read(name) or (len(sides) == 1 and not parted):
                continue
            meanings = [self._meaning(i, name) for i in sorted(sides)]
            if not any(m.found or m.reason for m in meanings):
                continue
            alike = len(sides) == 2 and meanings[0].alike(meanings[1])
            if alike and not (parted and self._speaks_of_other(name)):
                continue
            reason = next((m.reason for m in meanings if m.reason is not None), None)
            if reason:
                unread[name] = reason
            elif reason is not None:
                continue
            elif len(sides) == 2 or self._speaks_of_other(name):
                chosen[name] = sides
        self._settle(chosen, unread)
        return self._reading(chosen, unread)

    def _settle(self, chosen: dict[str, frozenset[int]], unread: dict[str, str]) -> None:
        """Has a function that another is made of read wherever a text calls it."""
        for side, name, inner in self._made_of(chosen):
            there = chosen.get(inner, frozenset())
            if inner in self.releases[1 - side].calls and 1 - side not in there:
                if self._meaning(1 - side, inner).reason is None:
                    chosen[inner] = there | {1 - side}
                else:
                    unread[name] = f"calls {inner}(), which is not read on both sides"
                    del chosen[name]
                self._settle(chosen, unread)
                return

    def _made_of(self, chosen: Mapping[str, frozenset[int]]) -> Iterator[tuple[int, str, str]]:
        """(side, name, a function that it is made of) for all that is chosen."""
        for name, sides in chosen.items():
            for side in sorted(sides):
                for inner in sorted(self._meaning(side, name).functions - {name}):
                    yield side, name, inner

    def _reading(self, chosen: Mapping[str, frozenset[int]], unread: Mapping[str, str]) -> Reading:
        headers: dict[str, str] = {}
        numbers: dict[str, int] = {}
        for name, sides in chosen.items():
            for side in sorted(sides):
                one = self._meaning(side, name)
                header = one.found[name].header
                headers[name] = "" if header is None else header.path
                # One tree may have a number for what in the other hangs on the configuration.
                numbers |= self._numbers(one.constants)[side]
        mine, theirs = (tuple(n for n in chosen if i in chosen[n]) for i in (0, 1))
        return Reading((mine, theirs), headers, numbers, unread)

    def _may_be_read(self, name: str) -> bool:
        from codegen.ir.vocabulary import Role, load

        vocabulary = load()
        known = name in vocabulary.bounds or name in _UNDERSTOOD
        return vocabulary.role(name) in (None, Role.PURE) and not known

    def _speaks_of_other(self, name: str) -> bool:
        """Whether a definition says what the text that does not call it there says as well."""
        for side, other in ((0, 1), (1, 0)):
            pairs = zip(self.releases[side].each, self.releases[other].each, strict=True)
            alone = [b for (a, _), b in pairs if name in a - b[0]]
            if not alone:
                continue
            said = self._meaning(side, name).says
            everywhere = name not in self.releases[other].calls
            words = self.releases[other].words if everywhere else {w for _, b in alone for w in b}
            if not said.isdisjoint(words):
                return True
        return False

    def _meaning(self, side: int, name: str) -> _Meaning:
        key = (side, name)
        if key not in self.known:
            self.known[key] = self._looked_up(self.releases[side], name)
        return self.known[key]

    def _looked_up(self, release: Release, name: str) -> _Meaning:
        from codegen.frontend.headers import NotDefinedError, NotReadError, constants_in
        from codegen.ir.headers import made_of, not_read
        from codegen.toolchain.request import constants_of

        tree, path = release.tree, release.file.path
        assert tree is not None
        try:
            found = made_of(tree, path, name)
        except NotDefinedError:
            return _Meaning(reason="")
        except NotReadError as error:
            return _Meaning(reason=str(error))
        constants = constants_in(tree, path, found)
        words = self.releases[0].words | self.releases[1].words
        macro = next((n for n, one in found.items() if one.header is None and n in words), None)
        if found[name].header is None:
            reason: str | None = "is a macro"
        elif macro is not None:
            reason = f"hangs on {macro}(), which is no function"
        elif (apart := self._disagreed(n for n in constants if n in words)) is not None:
            reason = f"hangs on {apart}, which the trees define otherwise"
        else:
            reason = not_read(tree, path, found, constants_of(tree))
        return _Meaning(found, constants, reason)

    def _disagreed(self, names: Iterable[str]) -> str | None:
        """The first of some constants that has two numbers."""
        mine, theirs = self._numbers(names)
        return next((n for n in sorted(mine) if theirs.get(n, mine[n]) != mine[n]), None)

    def _numbers(self, names: Iterable[str]) -> tuple[dict[str, int], ...]:
        """The numbers of some constants, by side."""
        from codegen.frontend.numbers import header_numbers

        asked = tuple(names)
        return tuple(
            header_numbers(r.tree, r.file.path, asked) if r.tree is not None else {}
            for r in self.releases
        )
