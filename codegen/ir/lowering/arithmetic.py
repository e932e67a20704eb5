# SPDX-License-Identifier: GPL-2.0-only
"""C's conversions and arithmetic on expressions that are lowered already.

Nothing here reads a syntax tree or adds an instruction.
"""

from __future__ import annotations

from codegen.ir import types
from codegen.ir.nodes import (
    AddressOf,
    Binary,
    Cast,
    Expr,
    Global,
    Index,
    Literal,
    Unary,
)
from codegen.ir.types import CType

COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})


def binary(op: str, left: Expr, right: Expr, step: int | None = None) -> Expr:
    """`left op right`, with the type that C gives it.

    `step` is how many bytes a pointer's `+ 1` adds, where its type does not tell.
    """
    if op in COMPARISONS:
        left, right = _signed_comparison(op, left, right)
        return Binary(op, left, right, types.INT)
    if op in ("<<", ">>"):
        ctype = types.promote(left.type)
    elif op in ("+", "-") and left.type.pointer:
        ctype = left.type
        step = left.type.step if step is None else step
        if right.type.pointer:
            return distance(left, right, step)
        if step == 0:
            return element(left, right if op == "+" else Unary("-", right, types.LONG))
        if step > 1:
            right = Binary("*", cast(right, types.LONG), Literal(step, types.LONG), types.LONG)
    else:
        ctype = types.common(left.type, right.type)
    return Binary(op, left, right, ctype)


def cast(value: Expr, ctype: CType) -> Expr:
    """A value as a type; a literal is converted at once, and keeps its name."""
    if ctype.bits == 0 or ctype.record or value.type == ctype:
        return value
    if isinstance(value, Literal) and not ctype.boolean:
        bits = value.value & ((1 << ctype.bits) - 1)
        if ctype.signed and bits >> (ctype.bits - 1):
            bits -= 1 << ctype.bits
        return Literal(bits, ctype, value.name)
    return Cast(value, ctype)


def element(base: Expr, index: Expr) -> Expr:
    """`base + index`, where what base points to has a size that nobody knows."""
    return AddressOf(Index(base, index, types.UNKNOWN_VALUE), base.type)


def distance(left: Expr, right: Expr, step: int) -> Expr:
    """`left - right` of two pointers, in elements."""
    apart = Cast(Binary("-", left, right, types.ULONG), types.LONG)
    if step == 1:
        return apart
    size = Literal(step, types.LONG) if step else Cast(Global("sizeof", types.ULONG), types.LONG)
    return Binary("/", apart, size, types.LONG)


def _signed_comparison(op: str, left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """A comparison of a name of unknown type with 0 or a negative number means a signed one.

    `cause < 0` of a header's field is never meant to be always false.
    """
    for one, other in ((left, right), (right, left)):
        negative = isinstance(other, Unary) and other.op == "-"
        zero = isinstance(other, Literal) and other.value == 0 and not other.type.pointer
        below = op in ("<", ">=") if one is left else op in (">", "<=")
        if not one.type.known and not one.type.pointer and (negative or (zero and below)):
            signed = Cast(one, types.LONG)
            return (signed, right) if one is left else (left, signed)
    return left, right


def joined(a: CType, b: CType) -> CType:
    """The type of `c ? a : b`."""
    if a.pointer and b.pointer:
        return a if a.to is not None or a.step != 1 else b
    if a.pointer or b.pointer:
        return a if a.pointer else b
    if a.record and b.record:
        return a
    return types.common(a, b)


def literal_type(number: int, suffix: str, unsigned_allowed: bool) -> CType:
    """C11 6.4.4.1: the first type of the list in which the number fits."""
    choices = [types.INT, types.UINT, types.LONG, types.ULONG]
    for ctype in choices:
        if "u" in suffix and ctype.signed:
            continue
        if "l" in suffix and ctype.bits < types.LONG_BITS:
            continue
        if not ctype.signed and "u" not in suffix and not unsigned_allowed:
            continue
        limit = 1 << (ctype.bits - (1 if ctype.signed else 0))
        if number < limit:
            return ctype
    return types.ULONG
