# SPDX-License-Identifier: GPL-2.0-only
"""Preprocessor lines, and the tree that `#if` ... `#endif` make of them.

#ifdef A        Conditional(branches=(ifdef A: "int a;\n",
int a;                                else:    "int b;\n"))
#else
int b;
#endif
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from codegen.base.spans import SourceText, Span
from codegen.csyntax.lex import COMMENT, Lexeme
from codegen.csyntax.nodes import Branch, Conditional, Directive, EnclosingBranch

_SHAPE = re.compile(r"#\s*([A-Za-z_]\w*)?(.*)", re.S)
_NAME = re.compile(r"\s*([A-Za-z_$][\w$]*)")
_OPENING = ("if", "ifdef", "ifndef")
_MIDDLE = ("elif", "elifdef", "elifndef", "else")


def read_directive(source: SourceText, span: Span) -> Directive:
    """The directive that `span` (from its `#` on) holds."""
    plain = source.slice(span).replace("\\\r\n", " ").replace("\\\n", " ")
    plain = COMMENT.sub(lambda m: " " if m.group("comment") is not None else m.group(), plain)
    match = _SHAPE.match(plain)
    assert match is not None
    kind, rest = match.group(1) or "", match.group(2).strip()
    if not kind and rest[:1].isdigit():
        kind = "line"
    name = None
    if kind in ("define", "undef", *_OPENING[1:], "elifdef", "elifndef"):
        named = _NAME.match(rest)
        name = named.group(1) if named else None
    return Directive(kind, span, name, " ".join(rest.split()))


@dataclass
class _Open:
    """A conditional whose `#endif` has not come yet."""

    heads: list[Directive]
    children: list[Conditional] = field(default_factory=list)

    def close(self, source: SourceText, endif: Directive | None) -> Conditional:
        ends = [_line_begin(source, head.span.start) for head in self.heads[1:]]
        ends.append(_line_begin(source, endif.span.start) if endif else len(source.text))
        branches = tuple(
            Branch(head, Span(min(_after_line(source, head.span.end), end), end))
            for head, end in zip(self.heads, ends, strict=True)
        )
        stop = endif.span.end if endif else len(source.text)
        span = Span(self.heads[0].span.start, stop)
        return Conditional(branches, endif, span, tuple(self.children))


def _line_begin(source: SourceText, offset: int) -> int:
    return source.text.rfind("\n", 0, offset) + 1


def _after_line(source: SourceText, offset: int) -> int:
    newline = source.text.find("\n", offset)
    return len(source.text) if newline < 0 else newline + 1


def conditional_groups(
    source: SourceText, directives: Sequence[Directive]
) -> tuple[Conditional, ...]:
    """The outermost conditionals, in order.

    An `#endif` or `#else` without an `#if` is passed over; an `#if` without
    its `#endif` runs to the end of the file.
    """
    top = _Open([])
    stack = [top]
    for directive in directives:
        if directive.kind in _OPENING:
            stack.append(_Open([directive]))
        elif len(stack) > 1 and directive.kind in _MIDDLE:
            stack[-1].heads.append(directive)
        elif len(stack) > 1 and directive.kind == "endif":
            done = stack.pop().close(source, directive)
            stack[-1].children.append(done)
    while len(stack) > 1:
        done = stack.pop().close(source, None)
        stack[-1].children.append(done)
    return tuple(top.children)


def enclosing(conditionals: Sequence[Conditional], span: Span) -> tuple[EnclosingBranch, ...]:
    """The arms that the whole of `span` lies in, outermost first."""
    found: list[EnclosingBranch] = []
    level: Sequence[Conditional] = conditionals
    while True:
        for conditional in level:
            arms = [i for i, arm in enumerate(conditional.branches) if arm.body.covers(span)]
            if arms:
                found.append(EnclosingBranch(conditional, arms[0]))
                level = conditional.children
                break
        else:
            return tuple(found)


def whole_conditionals(conditionals: Sequence[Conditional], span: Span) -> Span:
    """`span`, its start moved up so that it cuts through no conditional that ends inside it."""
    for conditional in conditionals:
        if conditional.span.start < span.start < conditional.span.end:
            if conditional.span.end <= span.end:
                return Span(conditional.span.start, span.end)
            return whole_conditionals(conditional.children, span)
    return span


def unbalanced_arms(
    conditionals: Sequence[Conditional], lexemes: Sequence[Lexeme]
) -> tuple[Span, ...]:
    """The arms to leave out so that brackets pair up: later arms of a conditional with an arm
    that opens or closes more than it has.

        #ifdef A
            if (a) {
        #else
            if (b) {        <- this one
        #endif
    """
    brackets = [(lx.start, lx.text) for lx in lexemes if lx.text in ("{", "}", "(", ")")]
    skipped: list[Span] = []

    def balanced(span: Span) -> bool:
        braces = parens = 0
        first = bisect_left(brackets, (span.start, ""))
        for start, text in brackets[first : bisect_left(brackets, (span.end, ""))]:
            if any(start in gone for gone in skipped):
                continue
            match text:
                case "{":
                    braces += 1
                case "}":
                    braces -= 1
                case "(":
                    parens += 1
                case _:
                    parens -= 1
            if braces < 0 or parens < 0:
                return False
        return braces == parens == 0

    def visit(conditional: Conditional) -> None:
        for child in conditional.children:
            visit(child)
        arms = [branch.body for branch in conditional.branches]
        if len(arms) > 1 and not all(map(balanced, arms)):
            skipped.extend(arms[1:])

    for conditional in conditionals:
        visit(conditional)
    return tuple(sorted(skipped))
