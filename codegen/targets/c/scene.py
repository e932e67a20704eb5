# SPDX-License-Identifier: GPL-2.0-only
"""What a walk through a handler is told beforehand, and how it may end.

Scenario(VM_FAULT_SIGBUS, user)  -->  if (fault & VM_FAULT_SIGBUS)  is true
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen.base.spans import Span
from codegen.ir.environment import Outcome
from codegen.targets.c.nodes import HelperResult
from codegen.targets.c.source import Body
from codegen.targets.c.steps import Pieces
from codegen.targets.c.values import Value

MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is fixed. `outcome` None: the access is allowed, and the walk ends at the fault.

    With STACK_GROWTH_FAILURE the VMA lies above the address, and the walk ends
    where the stack is grown.
    """

    outcome: Outcome | None
    mode: bool | None


@dataclass
class Frame:
    """A function that is being followed. `alias` is what its names mean to the handler."""

    body: Body
    serial: int
    env: dict[str, Value | None] = field(default_factory=dict)
    alias: dict[str, Pieces] = field(default_factory=dict)
    locals: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Setup:
    """What holds for every walk through a handler.

    `dance` is where the locking of the mm begins in the handler's text, `result`
    the variable that takes what the helper returns.
    """

    modes: Mapping[str, bool]
    kept_labels: frozenset[str]
    fault_labels: frozenset[str]
    vanishing: frozenset[str]
    start: Mapping[str, Value | None]
    live: Mapping[str, frozenset[str]] = field(default_factory=dict)
    flags: str = ""
    hoisted: frozenset[Span] = frozenset()
    dance: int | None = None
    result: str = ""


@dataclass(frozen=True, slots=True)
class Atom:
    """A condition that is not known: its text, and under which key it is remembered."""

    pieces: Pieces
    key: str
    positive: bool
    parts: tuple[tuple[str, bool], ...] = ()
    conjunction: bool | None = None


class ReachedFault(Exception):
    """The walk has come to handle_mm_fault() with everything allowed, or to expand_stack()."""


class Denied(Exception):
    """The walk leaves for good without a fault, and without a check."""


class Cut(Exception):
    """This path does not meet the scenario's outcome."""


def key_of(text: str) -> str:
    """An expression's text for comparing: no outer parentheses, blanks only between words."""
    text = re.sub(r"\s+", " ", text.strip())
    text = re.sub(r"(?<![\w])\s+|\s+(?![\w])", "", text)
    while text.startswith("(") and text.endswith(")") and one_pair(text):
        text = text[1:-1]
    return text


def one_pair(text: str) -> bool:
    """Whether the first parenthesis is closed by the last one."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0 and i < len(text) - 1:
            return False
    return True


def poison_shift(result: str) -> str:
    """How log2 of the lost memory's size is told by the helper's result."""
    return f"{result} - {HelperResult.POISON}"
