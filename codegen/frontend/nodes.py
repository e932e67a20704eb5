# SPDX-License-Identifier: GPL-2.0-only
"""Tokens that know where they stand, configurations, and parsed functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from codegen.base.spans import Span


class Kind(Enum):
    """What a token is, as far as rewriting needs to know."""

    WORD = "word"
    NUMBER = "number"
    STRING = "string"
    CHARACTER = "character"
    PUNCTUATION = "punctuation"


@dataclass(frozen=True, slots=True)
class Token:
    """One token after preprocessing; `span` is the text in the file that gave rise to it.

    Every token of a macro's expansion carries the span of the invocation, so
    that `goto VMALLOC_FAULT_TARGET` and what it means are the same place.
    """

    kind: Kind
    text: str
    span: Span
    expanded: bool = False


@dataclass(frozen=True)
class Configuration:
    """A setting of the macros that conditionals in reach test.

    `settings` maps a macro to its value as text, or to None where it is not
    defined. A macro that is not listed is not defined.

    Printed like the condition that selects it:
    `defined(CONFIG_64BIT) && !defined(MODULE_START)`; empty where there is
    nothing to choose.
    """

    settings: Mapping[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = []
        for name in sorted(self.settings):
            value = self.settings[name]
            if value is None:
                parts.append(f"!defined({name})")
            elif value == "1":
                parts.append(f"defined({name})")
            else:
                parts.append(f"{name} == {value}")
        return " && ".join(parts)

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.settings.items(), key=lambda s: s[0])))


@dataclass(frozen=True)
class ParsedFunction:
    """A function definition as pycparser's tree, and the tokens its coordinates count.

    pycparser read one token a line: `coord.line - first_line` indexes `tokens`.
    """

    name: str
    tree: Any
    tokens: tuple[Token, ...]
    first_line: int
    span: Span
    is_static: bool

    def index(self, coord: Any) -> int:
        """The index of the token at a pycparser coordinate."""
        return int(coord.line) - self.first_line
