# SPDX-License-Identifier: GPL-2.0-only
"""Takes out what lost its last user: locals, stores, labels, static functions, macros.

Only what had a user before the conversion goes, and a use in any `#ifdef` arm
is a use: the result is right in every configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from codegen.base.spans import SourceText, Span
from codegen.csyntax.edit import Edit, apply_edits, delete_spans, delete_statements
from codegen.csyntax.identifiers import UseKind, uses_of, words_in
from codegen.csyntax.nodes import FunctionText, Statement, StatementKind
from codegen.csyntax.parse import SyntaxTree, parse
from codegen.targets.c.expr import Assign, Call, Name, parse_expression, walk
from codegen.targets.c.source import declarators, every

_VALUE_KINDS = (UseKind.NAME, UseKind.DIRECTIVE)


def clean(source: SourceText, before: SyntaxTree, function: str) -> SourceText:
    """The text of a converted file without anything that only the dance had used."""
    for _ in range(30):
        tree = parse(source)
        edits = (
            _labels(tree, function)
            or _locals(tree, before, function)
            or _functions(tree, before)
            or _macros(tree, before)
        )
        if not edits:
            return source
        source = SourceText(source.path, apply_edits(source, edits))
    return source


def _handlers(tree: SyntaxTree, function: str) -> list[FunctionText]:
    return [f for f in tree.functions if f.name == function]


def _labels(tree: SyntaxTree, function: str) -> tuple[Edit, ...]:
    gone: list[Statement] = []
    for handler in _handlers(tree, function):
        statements = list(every(tree.statements_in(handler)))
        used = {s.label for s in statements if s.kind is StatementKind.GOTO}
        words = words_in(tree, handler.body)
        for s in statements:
            if s.kind is StatementKind.LABEL and s.label is not None and s.label not in used:
                others = [u for u in words.get(s.label, ()) if u.span.start not in s.span]
                if not others and not _in_a_macro(tree, s.label):
                    gone.append(s)
    return delete_statements(tree, gone, keep_comments=True)


def _in_a_macro(tree: SyntaxTree, name: str) -> bool:
    return any(
        d.kind == "define" and re.search(rf"\b{re.escape(name)}\b", d.text) for d in tree.directives
    )


def _locals(tree: SyntaxTree, before: SyntaxTree, function: str) -> tuple[Edit, ...]:
    """Declarators of locals that are not read any more, with what is still stored to them."""
    for handler in _handlers(tree, function):
        old = [f for f in before.functions if f.name == function]
        statements = list(every(tree.statements_in(handler)))
        for s in statements:
            if s.kind is not StatementKind.DECLARATION:
                continue
            names = declarators(tree, s)
            for d in names:
                reads, stores = _uses(tree, handler, statements, d.name, d.span)
                if reads or (d.value is not None and _has_effect(tree, d.value)):
                    continue
                earlier = [u for f in old for u in uses_of(before, d.name, f.body)]
                if len(earlier) <= 1 + len(stores):
                    # It was not used before either.
                    continue
                edits = delete_statements(tree, stores, keep_comments=False)
                return (*edits, *_without_declarator(tree, s, [n.span for n in names], d.span))
    return ()


def _uses(
    tree: SyntaxTree,
    handler: FunctionText,
    statements: Iterable[Statement],
    name: str,
    declarator: Span,
) -> tuple[bool, list[Statement]]:
    """(whether a local is read, the plain statements that only store to it)."""
    stores: list[Statement] = []
    for s in statements:
        if s.kind is not StatementKind.EXPRESSION:
            continue
        node = parse_expression(tree, s.span)
        if (
            isinstance(node, Assign)
            and node.op == "="
            and isinstance(node.target, Name)
            and node.target.text == name
            and not any(isinstance(p, Name) and p.text == name for p in walk(node.value))
            and not _has_effect(tree, node.value.span)
        ):
            stores.append(s)
    targets = {s.span.start for s in stores}
    for use in uses_of(tree, name, handler.body, directives=True):
        if use.kind not in _VALUE_KINDS:
            continue
        if use.span.start in targets or declarator.covers(use.span):
            continue
        return True, stores
    return False, stores


def _has_effect(tree: SyntaxTree, span: Span) -> bool:
    """Whether an initialiser may do more than give a value."""
    return any(isinstance(p, Call | Assign) for p in walk(parse_expression(tree, span)))


def _without_declarator(
    tree: SyntaxTree, s: Statement, spans: list[Span], gone: Span
) -> tuple[Edit, ...]:
    if len(spans) == 1:
        return delete_statements(tree, (s,), keep_comments=False)
    at = spans.index(gone)
    if at:
        return (Edit(Span(spans[at - 1].end, gone.end), ""),)
    return (Edit(Span(gone.start, spans[1].start), ""),)


def _functions(tree: SyntaxTree, before: SyntaxTree) -> tuple[Edit, ...]:
    """Static functions that nothing names any more."""
    gone: list[Span] = []
    for f in tree.functions:
        if not f.is_static or _outside(tree, f.name) or not _outside(before, f.name):
            continue
        start = f.span.start if f.leading_comment is None else f.leading_comment.start
        gone.append(Span(start, f.span.end))
    return delete_spans(tree, gone)


def _outside(tree: SyntaxTree, name: str) -> bool:
    """Whether a function is named outside of its own definitions."""
    bodies = [f.span for f in tree.functions if f.name == name]
    for use in uses_of(tree, name, directives=True):
        if not any(body.covers(use.span) for body in bodies):
            return True
    return False


def _macros(tree: SyntaxTree, before: SyntaxTree) -> tuple[Edit, ...]:
    """The file's macros that nothing names any more."""
    gone: list[Span] = []
    for d in tree.directives:
        if d.kind != "define" or d.name is None:
            continue
        if _named(before, d.name) and not _named(tree, d.name):
            gone.append(d.span)
    return delete_spans(tree, gone)


def _named(tree: SyntaxTree, name: str) -> bool:
    """Whether a macro is named anywhere but where it is defined."""
    own = [d.span for d in tree.directives if d.kind == "define" and d.name == name]
    for use in uses_of(tree, name, directives=True):
        home = [span for span in own if span.covers(use.span)]
        if not home:
            return True
    return False


# -- declarations ------------------------------------------------------


def join_declarations(source: SourceText, function: str, name: str, ctype: str) -> SourceText:
    """Puts the declaration of a new local into a plain one of the same type, if there is one.

    unsigned int mask;
    unsigned int res;      -->     unsigned int mask, res;
    """
    tree = parse(source)
    for handler in _handlers(tree, function):
        statements = [s for s in tree.statements_in(handler) if s.kind is StatementKind.DECLARATION]
        own = next((s for s in statements if source.slice(s.span) == f"{ctype} {name};"), None)
        if own is None:
            continue
        for s in statements:
            text = source.slice(s.span)
            if s is own or not re.fullmatch(rf"{ctype} \w+(, \w+)*;", text):
                continue
            line = tree.line_span(s.span)
            if source.slice(Span(s.span.end, line.end)).strip():
                continue
            edits = (
                Edit(Span(s.span.end - 1, s.span.end), f", {name};"),
                *delete_statements(tree, (own,)),
            )
            return SourceText(source.path, apply_edits(source, edits))
    return source
