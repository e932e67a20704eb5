# SPDX-License-Identifier: GPL-2.0-only
"""The `#include`s of a converted file: the helper's comes, what only the dance needed goes.

    #include <linux/extable.h>             #include <linux/extable.h>
    #include <linux/perf_event.h>   -->    #include <linux/generic_fault.h>

An include goes where the file used a name of that header before and uses none
now, and where nothing else comes only through it: a name that the file still
uses must be brought in, in every configuration, by what stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from codegen.base.spans import SourceText, Span
from codegen.csyntax.declared import Declared
from codegen.csyntax.edit import Edit, apply_edits, delete_spans
from codegen.csyntax.identifiers import UseKind, words_in
from codegen.csyntax.nodes import Directive, FunctionText, StatementKind
from codegen.csyntax.parse import SyntaxTree, parse
from codegen.targets.c.headers import Header, Headers
from codegen.targets.c.nodes import HELPER_INCLUDE
from codegen.targets.c.source import declarators, every, parameters_of

_POINTER = re.compile(r"\b(?:struct|union)\s+(\w+)\s*\*?\s*(\w+)\s*[,;=)]")


@dataclass(frozen=True, slots=True)
class _Used:
    """What a file takes from its headers, by kind."""

    names: frozenset[str]
    tags: frozenset[str]
    members: frozenset[str]

    def from_header(self, header: Declared) -> Declared:
        """What of it the header gives."""
        return Declared(
            self.names & header.names, self.tags & header.tags, self.members & header.members
        )


def drop_includes(
    source: SourceText,
    before: SyntaxTree,
    headers: Headers | None,
    purposes: Mapping[str, tuple[str, ...]],
) -> SourceText:
    """The converted text without the includes that nothing needs any more.

    `before` is the file as it was. Without a tree's `headers` only those with
    known `purposes` can go: header to the beginnings of all the names that a
    handler may take from it.
    """
    for _ in range(len(before.directives)):
        tree = parse(source)
        used, had = _used(tree), _used(before)
        included = _included(tree)
        gone = next(
            (
                directive
                for directive, name in included
                if name != HELPER_INCLUDE
                and not _conditional(tree, directive.span)
                and (
                    _without_purpose(used, had, purposes.get(name, ()))
                    if headers is None
                    else _unneeded(headers, name, [n for _, n in included], used, had)
                )
            ),
            None,
        )
        if gone is None:
            return source
        source = SourceText(source.path, apply_edits(source, delete_spans(tree, [gone.span])))
    return source


def _without_purpose(used: _Used, had: _Used, beginnings: tuple[str, ...]) -> bool:
    """Whether all names that begin so are gone."""
    if not beginnings:
        return False
    now, then = used.names | used.tags, had.names | had.tags
    return any(n.startswith(beginnings) for n in then) and not any(
        n.startswith(beginnings) for n in now
    )


def _unneeded(headers: Headers, name: str, included: list[str], used: _Used, had: _Used) -> bool:
    """Whether a header was there for names of its own, and for nothing that is left."""
    own = headers.own(name)
    if own is None or not headers.is_whole(name):
        return False
    wanted = had.from_header(own)
    if not wanted.names and not wanted.tags:
        return False
    stays = headers.stays(n for n in included if n != name)
    needed = used.from_header(own)
    if needed.names or needed.tags or _only(needed, stays.values()).members:
        return False
    return not any(
        _any(_only(used.from_header(header.declared()), stays.values()))
        for header in headers.lost(name, stays).values()
        if header is not None
    )


def _any(used: Declared) -> bool:
    return bool(used.names or used.tags or used.members)


def _only(wanted: Declared, stays: Iterable[Header | None]) -> Declared:
    """What of `wanted` none of the headers that stay gives."""
    for header in stays:
        if not _any(wanted):
            break
        if header is None or not any(
            word in header.text for word in (*wanted.names, *wanted.tags, *wanted.members)
        ):
            continue
        given = header.declared()
        wanted = Declared(
            wanted.names - given.names, wanted.tags - given.tags, wanted.members - given.members
        )
    return wanted


def _included(tree: SyntaxTree) -> list[tuple[Directive, str]]:
    """Every `#include <linux/...>` or `<asm/...>` and the name in it."""
    return [
        (d, match[1])
        for d in tree.directives
        if d.kind == "include" and (match := re.match(r"[<\"]([^>\"]+)[>\"]", d.text))
    ]


def _used(tree: SyntaxTree) -> _Used:
    """The words of a file that it does not declare itself.

    What stands behind `->` belongs to the struct that the variable before it
    points to; only where that is not to be seen the member's own name counts.
    """
    own = {f.name for f in tree.functions}
    own |= {d.name for d in tree.directives if d.kind == "define" and d.name}
    scopes = [(f.span, *_locals(tree, f)) for f in tree.functions]
    starts = {lx.start: i for i, lx in enumerate(tree.lexemes)}
    names: set[str] = set()
    tags: set[str] = set()
    members: set[str] = set()
    includes = [d.span for d in tree.directives if d.kind == "include"]
    for word, uses in words_in(tree, directives=True).items():
        for use in uses:
            if use.kind is UseKind.DIRECTIVE and any(span.covers(use.span) for span in includes):
                continue
            local, structs = next(
                ((n, s) for span, n, s in scopes if span.covers(use.span)), (frozenset(), {})
            )
            match use.kind:
                case UseKind.TAG:
                    tags.add(word)
                case UseKind.MEMBER:
                    at = starts[use.span.start]
                    base = tree.lexemes[at - 2].text if at > 1 else ""
                    chained = at > 2 and tree.lexemes[at - 3].text in ("->", ".")
                    if chained or base not in structs:
                        members.add(word)
                case UseKind.LABEL:
                    pass
                case _ if word not in own and word not in local:
                    names.add(word)
    return _Used(frozenset(names), frozenset(tags), frozenset(members))


def _locals(tree: SyntaxTree, function: FunctionText) -> tuple[frozenset[str], dict[str, str]]:
    """A function's parameters and locals; of those that are structs, or point to one, the tags."""
    names = {n for n in parameters_of(tree, function) if n}
    for s in every(tree.statements_in(function)):
        if s.kind is StatementKind.DECLARATION:
            names |= {d.name for d in declarators(tree, s)}
    text = tree.source.slice(function.span)
    structs = {name: tag for tag, name in _POINTER.findall(text) if name in names}
    return frozenset(names), structs


# -- the helper's header ----------------------------------------------------------------


def add_include(source: SourceText) -> SourceText:
    """The text with the helper's header included, in order where the includes are in order."""
    tree = parse(source)
    wanted = f"#include <{HELPER_INCLUDE}>"
    found = [
        (d, match.group(1))
        for d in tree.directives
        if d.kind == "include" and (match := re.match(r"<(linux/[^>]+)>", d.text))
    ]
    outer = [(d, name) for d, name in found if not _conditional(tree, d.span)]
    if any(name == HELPER_INCLUDE for _, name in found):
        return source
    if not outer:
        first = next((d for d in tree.directives if d.kind == "include"), None)
        at = first.span.start if first is not None else _after_head(source)
        new = f"{wanted}\n" if first is not None else f"{wanted}\n\n"
        return SourceText(source.path, apply_edits(source, [Edit(Span(at, at), new)]))
    names = [name for _, name in outer]
    place = outer[-1][0]
    if names == sorted(names):
        smaller = [d for d, name in outer if name < HELPER_INCLUDE]
        if not smaller:
            start = outer[0][0].span.start
            edit = Edit(Span(start, start), wanted + "\n")
            return SourceText(source.path, apply_edits(source, [edit]))
        place = smaller[-1]
    end = tree.line_span(place.span).end
    return SourceText(source.path, apply_edits(source, [Edit(Span(end, end), wanted + "\n")]))


def _conditional(tree: SyntaxTree, span: Span) -> bool:
    return any(c.span.covers(span) for c in tree.conditional_groups)


def _after_head(source: SourceText) -> int:
    """Behind the comments that a file begins with; one right above code belongs to the code."""
    tree = parse(source)
    end = 0
    for comment in tree.comments:
        newline = source.text.find("\n", comment.end) + 1
        if source.text[end : comment.start].strip() or not newline:
            break
        if not source.text.startswith(("\n", "//", "/*", "#"), newline):
            break
        end = newline
    return end + 1 if source.text.startswith("\n", end) else end
