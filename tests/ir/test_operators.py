# SPDX-License-Identifier: GPL-2.0-only
"""What operators come to on numbers is what z3 says that they come to."""

import random

import pytest
import z3

from codegen.ir.operators import operate
from codegen.ir.solver import PathSolver
from codegen.ir.terms import Term, equal, integer, less, rebuild, symbol

BITS = 8
EDGES = (0, 1, 2, 7, 8, 9, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
BINARY = "add sub mul and or xor shl lshr ashr udiv urem sdiv srem eq ult slt".split()
A, B = symbol("a", BITS), symbol("b", BITS)


def built(op: str) -> Term:
    if op == "eq":
        return equal(A, B)
    if op in ("ult", "slt"):
        return less(A, B, is_signed=op == "slt")
    return rebuild(op, (A, B), BITS, None)


@pytest.mark.parametrize("op", BINARY)
def test_two_operands_come_to_what_z3_says(op: str) -> None:
    solver = PathSolver()
    said = solver._translate(built(op))
    random_ = random.Random(op)
    pairs = [(a, b) for a in EDGES for b in EDGES]
    pairs += [(random_.randrange(256), random_.randrange(256)) for _ in range(40)]
    mine = [solver._translate(t) for t in (A, B)]
    for a, b in pairs:
        numbers = [(mine[0], z3.BitVecVal(a, BITS)), (mine[1], z3.BitVecVal(b, BITS))]
        value = z3.simplify(z3.substitute(said, *numbers))
        expected = int(z3.is_true(value)) if z3.is_bool(value) else value.as_long()
        assert operate(op, (a, b), BITS, 1 if z3.is_bool(value) else BITS) == expected, (a, b)


@pytest.mark.parametrize(
    ("op", "bits"), [("not", BITS), ("neg", BITS), ("zext", 16), ("sext", 16), ("trunc", 4)]
)
def test_one_operand_comes_to_what_z3_says(op: str, bits: int) -> None:
    solver = PathSolver()
    said = solver._translate(rebuild(op, (A,), bits, None))
    for a in range(256):
        value = z3.simplify(z3.substitute(said, (solver._translate(A), z3.BitVecVal(a, BITS))))
        assert operate(op, (a,), BITS, bits) == value.as_long(), a


def test_builders_fold_what_operators_come_to() -> None:
    for op in BINARY[:9]:
        for a in EDGES:
            for b in EDGES:
                folded = rebuild(op, (integer(a, BITS), integer(b, BITS)), BITS, None)
                assert folded is integer(operate(op, (a, b), BITS, BITS), BITS)


def test_what_is_no_operator_is_refused() -> None:
    with pytest.raises(KeyError):
        operate("ite", (1, 2, 3), BITS, BITS)
