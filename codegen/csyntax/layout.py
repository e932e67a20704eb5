# SPDX-License-Identifier: GPL-2.0-only
"""Lines, and the comments that stand above a piece of code."""

from bisect import bisect_right
from collections.abc import Sequence

from codegen.base.spans import SourceText, Span


def line_span(source: SourceText, span: Span) -> Span:
    """`span` extended to whole lines: the indentation before it, the newline after it."""
    start = source.text.rfind("\n", 0, span.start) + 1
    if span.end > span.start and source.text[span.end - 1] == "\n":
        return Span(start, span.end)
    newline = source.text.find("\n", span.end)
    return Span(start, len(source.text) if newline < 0 else newline + 1)


def comments_above(source: SourceText, comments: Sequence[Span], offset: int) -> tuple[Span, ...]:
    """The comments on lines of their own right above `offset`, top to bottom.

    None if something else stands before `offset` on its line; a blank line ends them.
    """
    text = source.text
    found: list[Span] = []
    at = bisect_right(comments, Span(offset, len(text) + offset)) - 1
    while at >= 0:
        comment = comments[at]
        between = text[comment.end : offset]
        line = text.rfind("\n", 0, comment.start) + 1
        own_line = not text[line : comment.start].strip()
        if not own_line or between.strip() or between.count("\n") != 1:
            break
        found.append(comment)
        offset = comment.start
        at -= 1
    return tuple(reversed(found))


def block_comment_above(source: SourceText, comments: Sequence[Span], offset: int) -> Span | None:
    """The comment block right above: one `/* */`, or adjoining `//` lines taken together."""
    above = comments_above(source, comments, offset)
    if not above:
        return None
    start = above[-1].start
    for comment in reversed(above):
        if not source.text.startswith("//", comment.start):
            break
        start = comment.start
    return Span(start, above[-1].end)
