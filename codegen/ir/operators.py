# SPDX-License-Identifier: GPL-2.0-only
"""What the operators of terms come to on numbers, in the semantics of SMT-LIB's bit-vectors.

    operate("ashr", (0x80, 1), 8, 8)   ->   0xc0

The folding builders of `terms.py`, the solver's examples and the evaluation of
scenarios work everything out here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


def operate(op: str, values: Sequence[int], width: int, bits: int) -> int:
    """The number, unsigned, that an operator gives for unsigned numbers.

    `width` is that of the operands, `bits` that of the result. What C leaves open
    is as in SMT-LIB: a shift by the width or more shifts all out, a division by 0
    gives all ones. Raises KeyError for what is no operator, and for those that
    need not look at all their operands (`land`, `lor`, `ite`).
    """
    match op:
        case "eq":
            return int(values[0] == values[1])
        case "and":
            return values[0] & values[1]
        case "or":
            return values[0] | values[1]
        case "lnot":
            return 1 - values[0]
        case "ult":
            return int(values[0] < values[1])
        case "slt":
            return int(signed(values[0], width) < signed(values[1], width))
        case "trunc" | "zext":
            return values[0] & ((1 << bits) - 1)
        case "sext":
            return signed(values[0], width) & ((1 << bits) - 1)
        case _:
            return _RARE[op](*values, width) & ((1 << bits) - 1)


def signed(value: int, width: int) -> int:
    """An unsigned number read as two's complement."""
    return value - (1 << width) if value >> (width - 1) else value


def _udiv(a: int, b: int, width: int) -> int:  # noqa: ARG001
    return a // b if b else -1


def _urem(a: int, b: int, width: int) -> int:  # noqa: ARG001
    return a % b if b else a


def _sdiv(a: int, b: int, width: int) -> int:
    """C truncates towards zero."""
    x, y = signed(a, width), signed(b, width)
    if not y:
        return 1 if x < 0 else -1
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def _srem(a: int, b: int, width: int) -> int:
    x, y = signed(a, width), signed(b, width)
    return x - _sdiv(a, b, width) * y if y else a


_RARE: dict[str, Callable[..., int]] = {
    "add": lambda a, b, _: a + b,
    "sub": lambda a, b, _: a - b,
    "mul": lambda a, b, _: a * b,
    "xor": lambda a, b, _: a ^ b,
    "not": lambda a, _: ~a,
    "neg": lambda a, _: -a,
    "shl": lambda a, b, width: a << b if b < width else 0,
    "lshr": lambda a, b, _: a >> b,
    "ashr": lambda a, b, width: signed(a, width) >> min(b, width - 1),
    "udiv": _udiv,
    "urem": _urem,
    "sdiv": _sdiv,
    "srem": _srem,
}
