# SPDX-License-Identifier: GPL-2.0-only
"""Positions in source text.

Every later floor names a place in the original file with a `Span` of
character offsets, so that a table cell, a counterexample and a conversion all
point at the line that a maintainer would open.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of character offsets into one file's text."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"span runs backwards: {self.start}..{self.end}")

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset < self.end

    def covers(self, other: "Span") -> bool:
        """Whether `other` lies wholly inside this span."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True)
class SourceText:
    """One C file: the name that reports show, and its text.

    `path` is relative to the source that it came from ("arch/arc/mm/fault.c").
    `text` decodes the file's bytes as Latin-1, which maps every byte to one
    character: offsets are byte offsets, and encoding the text again gives the
    file's own bytes whatever its encoding was.
    """

    path: str
    text: str = field(repr=False)

    @cached_property
    def _line_starts(self) -> tuple[int, ...]:
        return (0, *(i + 1 for i, c in enumerate(self.text) if c == "\n"))

    def line(self, offset: int) -> int:
        """The 1-based line that holds `offset`."""
        return bisect_right(self._line_starts, offset)

    def column(self, offset: int) -> int:
        """The 1-based column of `offset` in its line, in bytes."""
        return offset - self._line_starts[self.line(offset) - 1] + 1

    def line_start(self, line: int) -> int:
        """The offset of the first character of a 1-based line."""
        return self._line_starts[line - 1]

    def slice(self, span: Span) -> str:
        """The text that `span` covers."""
        return self.text[span.start : span.end]

    @cached_property
    def newline(self) -> str:
        """What ends every line of the file: CR LF if it does so throughout, else LF."""
        lines = self.text.count("\n")
        return "\r\n" if lines and self.text.count("\r\n") == lines else "\n"

    def with_newlines(self, newline: str) -> "SourceText":
        """The same lines with another end, where all have the same; places move, lines do not."""
        if newline == self.newline:
            return self
        return SourceText(self.path, self.text.replace(self.newline, newline))

    def to_bytes(self) -> bytes:
        """The file's bytes, exactly as they were read."""
        return self.text.encode("latin-1")

    @classmethod
    def from_bytes(cls, path: str, data: bytes) -> "SourceText":
        """A file's bytes as text; every byte is one character, whatever they mean."""
        return cls(path, data.decode("latin-1"))
