# SPDX-License-Identifier: GPL-2.0-only
"""The C types that matter here: width and signedness.

The model is LP64, as on the host that compiles the native bench: `int` has 32
bits, `long` and every pointer 64. A name whose type the handler's own text
does not tell (a field of `regs`, a macro of some header) is an `unsigned
long`; what an unknown function returns is a `long`.
"""

from dataclasses import dataclass, field

INT_BITS = 32
LONG_BITS = 64


@dataclass(frozen=True, slots=True)
class CType:
    """A C type: `bits` wide (0 for void), signed or not; printed like `u32`, `s64`, `ptr`.

    `known` is False where the type is our default and not the source's.
    `step` is how far `+ 1` moves a pointer, 0 where it leads to a record of
    unknown size; `to` is the number that it leads to, None where nobody knows.
    Two pointers are the same type whatever they point to.
    """

    bits: int
    signed: bool
    pointer: bool = False
    boolean: bool = False
    record: bool = False
    known: bool = True
    step: int = field(default=1, compare=False)
    to: "CType | None" = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        if self.bits == 0:
            return "void"
        if self.pointer:
            return "ptr"
        if self.boolean:
            return "bool"
        return f"{'s' if self.signed else 'u'}{self.bits}"


VOID = CType(0, False)
BOOL = CType(8, False, boolean=True)
CHAR = CType(8, True)
UCHAR = CType(8, False)
SHORT = CType(16, True)
USHORT = CType(16, False)
INT = CType(INT_BITS, True)
UINT = CType(INT_BITS, False)
LONG = CType(LONG_BITS, True)
ULONG = CType(LONG_BITS, False)
POINTER = CType(LONG_BITS, False, pointer=True)
RECORD = CType(LONG_BITS, False, record=True)
UNKNOWN_VALUE = CType(LONG_BITS, False, known=False)
UNKNOWN_RESULT = CType(LONG_BITS, True, known=False)


def promote(t: CType) -> CType:
    """C11 6.3.1.1: anything narrower than int becomes int."""
    return INT if t.bits < INT_BITS else t


def common(a: CType, b: CType) -> CType:
    """C11 6.3.1.8, the usual arithmetic conversions (integers only)."""
    a, b = promote(a), promote(b)
    if a.pointer or b.pointer:
        return ULONG
    if a.bits == b.bits:
        if a.signed and b.signed:
            return a
        return CType(a.bits, False, known=a.known and b.known)
    return a if a.bits > b.bits else b
