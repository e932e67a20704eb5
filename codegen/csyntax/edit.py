# SPDX-License-Identifier: GPL-2.0-only
"""Change a file's text, byte for byte the same wherever no edit says otherwise."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codegen.base.spans import SourceText, Span
from codegen.csyntax.nodes import Statement
from codegen.csyntax.parse import SyntaxTree


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Put `replacement` where `span` is; an empty span inserts, an empty replacement deletes."""

    span: Span
    replacement: str


def apply_edits(source: SourceText, edits: Iterable[Edit]) -> str:
    """The text after all edits; the spans are those of the text before. No edits: the text itself.

    Edits may come in any order. Several insertions at one place keep the
    order in which they came, and stand before a replacement that starts there.

    Raises ValueError when two edits overlap, or one lies outside the text.
    """
    ordered = sorted(edits, key=lambda edit: (edit.span.start, edit.span.end))
    if not ordered:
        return source.text
    pieces: list[str] = []
    pos = 0
    for edit in ordered:
        if edit.span.start < pos:
            raise ValueError(f"edits overlap at offset {edit.span.start} of {source.path}")
        if edit.span.end > len(source.text):
            raise ValueError(f"an edit ends past the end of {source.path}")
        pieces += (source.text[pos : edit.span.start], edit.replacement)
        pos = edit.span.end
    return "".join((*pieces, source.text[pos:]))


def delete_statements(
    tree: SyntaxTree, statements: Iterable[Statement], *, keep_comments: bool = False
) -> tuple[Edit, ...]:
    """Edits that take statements out with the comments directly above them and beside them.

    Lines that hold nothing else go whole, and no blank line is left doubled
    or hanging at a brace. `keep_comments` leaves the comments above in place.
    """
    spans = []
    for statement in statements:
        above = () if keep_comments else statement.leading_comments
        spans.append(Span(above[0].start if above else statement.span.start, statement.span.end))
    return delete_spans(tree, spans)


def delete_spans(tree: SyntaxTree, spans: Iterable[Span]) -> tuple[Edit, ...]:
    """Edits that take `spans` out of the text cleanly, see `delete_statements`.

    Spans may touch or overlap. Where code stays on a span's line, only the
    span goes, with the white space on one side of it.
    """
    gone: list[Span] = []
    for span in _joined(tree.source, sorted(spans)):
        gone.append(_with_lines(tree, span))
    return tuple(Edit(_without_blanks(tree.source, s), "") for s in _joined(tree.source, gone))


def _joined(source: SourceText, spans: Sequence[Span]) -> list[Span]:
    """Spans that only white space parts become one."""
    out: list[Span] = []
    for span in spans:
        if out and not source.text[out[-1].end : span.start].strip():
            out[-1] = Span(out[-1].start, max(out[-1].end, span.end))
        else:
            out.append(span)
    return out


def _with_lines(tree: SyntaxTree, span: Span) -> Span:
    """`span` with all of its lines if nothing but a comment beside it shares them."""
    text = tree.source.text
    lines = tree.line_span(span)
    after = span.end
    for comment in tree.comments:
        if span.end <= comment.start < lines.end and not text[after : comment.start].strip():
            after = comment.end
    lines_end = tree.line_span(Span(span.start, after)).end
    before_blank = not text[lines.start : span.start].strip()
    after_blank = not text[after:lines_end].strip()
    if before_blank and after_blank:
        return Span(lines.start, lines_end)
    if after_blank:
        # Code before it stays, and a comment behind may speak of that code.
        end = span.end if after > span.end else span.end + _blanks(text, span.end)
        start = span.start - _blanks_before(text, span.start)
        return Span(start, end)
    return Span(span.start, span.end + _blanks(text, span.end))


def _blanks(text: str, at: int) -> int:
    return len(text[at:]) - len(text[at:].lstrip(" \t")) if at < len(text) else 0


def _blanks_before(text: str, at: int) -> int:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return len(line) - len(line.rstrip(" \t"))


def _without_blanks(source: SourceText, span: Span) -> Span:
    """A deletion of whole lines, and the blank lines around it that would be one too many."""
    text = source.text
    start, end = span.start, span.end
    if start == end or (start and text[start - 1] != "\n") or text[end - 1] != "\n":
        return span
    above = start
    while above and not (line := _line_before(text, above)).strip():
        above -= len(line)
    below = end
    while below < len(text) and not (line := _line_at(text, below)).strip():
        below += len(line)
    opens = above == 0 or _line_before(text, above).rstrip().endswith("{")
    closes = below == len(text) or _line_at(text, below).lstrip().startswith("}")
    if opens or closes:
        return Span(above, below)
    if above == start and _line_before(text, above).startswith(("#if", "#el")):
        # What stood right below a conditional's line had no blank line above it.
        return Span(start, below)
    if above < start:
        # Blank lines above stay; those below would double them.
        return Span(start, below)
    return span


def _line_before(text: str, at: int) -> str:
    """The line that ends just before `at`, with its newline."""
    return text[text.rfind("\n", 0, at - 1) + 1 : at]


def _line_at(text: str, at: int) -> str:
    """The line that starts at `at`, with its newline if it has one."""
    newline = text.find("\n", at)
    return text[at:] if newline < 0 else text[at : newline + 1]
