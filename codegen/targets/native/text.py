# SPDX-License-Identifier: GPL-2.0-only
"""The handler's own text, less what plays no part.

What stays is byte for byte where it was: the functions that the machine
follows, and every directive. A helper that the machine takes as one step keeps
its signature and gets another body; everything else becomes blank lines.
"""

from __future__ import annotations

from collections.abc import Mapping

from codegen.base.spans import SourceText, Span
from codegen.csyntax.parse import SyntaxTree


def bench_text(
    source: SourceText,
    tree: SyntaxTree,
    kept: frozenset[str],
    bodies: Mapping[str, str],
    edits: Mapping[Span, str],
) -> str:
    """The C text to compile.

    `kept` are the functions that stay, `bodies` what stands between the braces
    of those that are one step, `edits` replacements inside of the functions (a
    foreign machine's `asm`), one line each.
    """
    pieces: list[tuple[Span, str]] = []
    for function in tree.functions:
        if function.name in kept:
            pieces.append((function.span, _edited(source, function.span, edits)))
        elif function.name in bodies:
            head = source.slice(Span(function.span.start, function.body.start))
            gap = source.slice(function.body).count("\n")
            body = f"{{ {bodies[function.name]} }}"
            pieces.append((function.span, head + body + "\n" * gap))
    inside = [span for span, _ in pieces]
    for directive in tree.directives:
        if not any(directive.span.start in span for span in inside):
            pieces.append((directive.span, source.slice(directive.span)))
    pieces.sort(key=lambda p: p[0])
    out: list[str] = []
    at = 0
    for span, text in pieces:
        out.append("\n" * source.text.count("\n", at, span.start))
        out.append(text)
        at = span.end
    out.append("\n")
    return "".join(out)


def _edited(source: SourceText, span: Span, edits: Mapping[Span, str]) -> str:
    out: list[str] = []
    at = span.start
    for place in sorted(edits):
        if place.start < at or place.end > span.end:
            continue
        out.append(source.text[at : place.start])
        out.append(edits[place] + "\n" * source.slice(place).count("\n"))
        at = place.end
    out.append(source.text[at : span.end])
    return "".join(out)


def include_names(tree: SyntaxTree) -> list[str]:
    """The headers that the text includes; in the bench they are empty."""
    names: dict[str, None] = {}
    for directive in tree.directives:
        if directive.kind == "include":
            name = directive.text.strip()
            if name[:1] in '<"' and name[-1:] in '>"':
                names[name[1:-1]] = None
    return list(names)
