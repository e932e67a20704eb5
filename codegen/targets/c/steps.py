# SPDX-License-Identifier: GPL-2.0-only
"""What is left of a handler's statements when an outcome is known.

    force_sig_fault(sig, si_code, (void __user *)address);
    return;

is, with VM_FAULT_SIGBUS, `Line(force_sig_fault(<SIGBUS>, <BUS_ADRERR>, (void __user *)address);)`
and `Exit(return)`; the parts in angle brackets are holes, where an outcome shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Hole:
    """A piece of text that the outcome decided."""

    text: str


Pieces = tuple[str | Hole, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A statement that is kept, with the comments above it. `oom`: it calls the OOM killer."""

    pieces: Pieces
    comments: tuple[str, ...] = ()
    oom: bool = False
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """An `if` that the outcome does not decide."""

    condition: Pieces
    then: Residual
    otherwise: Residual
    comments: tuple[str, ...] = ()


Step = Line | Branch


class Leaving(StrEnum):
    """How control leaves for good."""

    RETURN = "return"
    GOTO = "goto"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Exit:
    """How a residual ends. `settings` are the locals that the code at `label` reads."""

    kind: Leaving
    value: Pieces = ()
    label: str = ""
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Residual:
    """Steps in order, and how they end; None where control goes on."""

    steps: tuple[Step, ...] = ()
    exit: Exit | None = None


def plain(pieces: Pieces) -> str:
    """The text with its holes filled in."""
    return "".join(p.text if isinstance(p, Hole) else p for p in pieces)


def tidy(text: str) -> str:
    """The text with every white space made one blank, and none inside parentheses' edges."""
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")").replace(") *", ")*")


def without_comments(residual: Residual) -> Residual:
    """The residual for comparing: no comments, white space made even."""
    steps: list[Step] = []
    for step in residual.steps:
        match step:
            case Line():
                steps.append(Line((tidy(plain(step.pieces)),), (), step.oom))
            case Branch():
                steps.append(
                    Branch(
                        (tidy(plain(step.condition)),),
                        without_comments(step.then),
                        without_comments(step.otherwise),
                    )
                )
    ending = residual.exit
    if ending is not None:
        ending = replace(ending, value=(tidy(plain(ending.value)),) if ending.value else ())
    return Residual(tuple(steps), ending)
