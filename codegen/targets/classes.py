# SPDX-License-Identifier: GPL-2.0-only
"""The classes of difference as docs/differences.md explains them.

The page is data: a heading of the second order for each class, its first
sentence the short description, its first paragraph the definition, the rest
where it is seen and what converting makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from codegen.base.resources import data_dir

_HEADING = re.compile(r"^## (\S+)$", re.MULTILINE)
_MARKS = re.compile(r"[`*]")


@dataclass(frozen=True)
class Explanation:
    """One class: its name, and its paragraphs in the page's own Markdown."""

    name: str
    paragraphs: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The first sentence, without marks."""
        return plain(re.split(r"(?<=\.)\s", self.paragraphs[0], maxsplit=1)[0])

    @property
    def markdown(self) -> str:
        """All paragraphs."""
        return "\n\n".join(self.paragraphs)


@cache
def explanations() -> Mapping[str, Explanation]:
    """Every class of the page by name, in the page's order."""
    text = (data_dir("docs") / "differences.md").read_text("utf-8")
    _, *parts = _HEADING.split(text)
    found = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        paragraphs = [" ".join(p.split()) for p in body.strip().split("\n\n")]
        found[name] = Explanation(name, tuple(paragraphs))
    return MappingProxyType(found)


def plain(markdown: str) -> str:
    """A paragraph without its marks."""
    return _MARKS.sub("", markdown)
