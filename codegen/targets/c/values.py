# SPDX-License-Identifier: GPL-2.0-only
"""What is known of a value while a handler's statements are followed.

A value that nothing is known of is None everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WIDTH = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Bits:
    """A number; the bits of `unknown` may be anything. `text` is how the source spells it.

    `inside` marks what only the helper knows: what handle_mm_fault() returned,
    and everything worked out of it. There is no text for it behind the call.
    """

    value: int
    unknown: int = 0
    text: str | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """A named constant whose number does not matter: SEGV_MAPERR, SIGBUS, PAGE_SHIFT."""

    text: str


@dataclass(frozen=True, slots=True)
class Vma:
    """The VMA that was found."""


@dataclass(frozen=True, slots=True)
class PoisonShift:
    """log2 of the size of the memory that is lost; `text` is how the helper's result tells it."""

    text: str


Value = Bits | Constant | Vma | PoisonShift

SOME = Bits(1, _WIDTH & ~1)
"""A number that is not 0."""

_FAMILY = re.compile(r"(SIG(?=[A-Z])|SEGV_|BUS_|ILL_|FPE_|TRAP_)\w+$")


def truth(value: Value | None) -> bool | None:
    """Whether C takes the value for true."""
    match value:
        case Bits(value=known, unknown=unknown):
            if known & ~unknown:
                return True
            return None if unknown else False
        case Vma():
            return True
        case Constant(text=text):
            # No signal has the number 0, and no fault's code.
            return True if _FAMILY.match(text) else None
        case _:
            return None


def same(left: Value | None, right: Value | None) -> bool | None:
    """Whether two values are equal."""
    match left, right:
        case Bits(), Bits():
            fixed = ~(left.unknown | right.unknown)
            if (left.value ^ right.value) & fixed & _WIDTH:
                return False
            return None if left.unknown or right.unknown else True
        case Constant(), Constant():
            if left.text == right.text:
                return True
            a, b = _FAMILY.match(left.text), _FAMILY.match(right.text)
            # Two signals, or two codes of one signal, have different numbers.
            return False if a and b and a.group(1) == b.group(1) else None
        case (Vma(), Bits(value=0, unknown=0)) | (Bits(value=0, unknown=0), Vma()):
            return False
        case _:
            return None


def combine(op: str, left: Value | None, right: Value | None) -> Value | None:
    """An arithmetic or bitwise operator on what is known."""
    match left, right:
        case Bits(), Bits():
            return _on_bits(op, left, right)
        case (Bits(value=0, unknown=0), _) | (_, Bits(value=0, unknown=0)) if op == "&":
            return Bits(0)
        case _:
            return None


def _on_bits(op: str, left: Bits, right: Bits) -> Bits | None:
    result = _number(op, left, right)
    if result is not None and (left.inside or right.inside):
        return Bits(result.value, result.unknown, None, True)
    return result


def _number(op: str, left: Bits, right: Bits) -> Bits | None:
    a, b = left.value & ~left.unknown, right.value & ~right.unknown
    match op:
        case "&":
            zero = (~left.value & ~left.unknown) | (~right.value & ~right.unknown)
            return Bits(a & b, (left.unknown | right.unknown) & ~zero)
        case "|":
            one = a | b
            return Bits(one, (left.unknown | right.unknown) & ~one)
        case "^":
            unknown = left.unknown | right.unknown
            return Bits((left.value ^ right.value) & ~unknown, unknown)
    if left.unknown or right.unknown:
        return None
    match op:
        case "+":
            return Bits((a + b) & _WIDTH)
        case "-":
            return Bits((a - b) & _WIDTH)
        case "*":
            return Bits((a * b) & _WIDTH)
        case "<<" if b < 64:
            return Bits((a << b) & _WIDTH)
        case ">>" if b < 64:
            return Bits(a >> b)
        case _:
            return None


def spelled(value: Value) -> str | None:
    """The value as C text behind the call, or None if it has no name there."""
    match value:
        case Constant(text=text):
            return text
        case Bits(inside=True):
            return None
        case Bits(unknown=0, text=str(name)):
            return name
        case Bits(value=number, unknown=0):
            return str(number)
        case PoisonShift(text=text):
            return text
        case _:
            return None
