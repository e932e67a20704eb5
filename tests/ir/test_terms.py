# SPDX-License-Identifier: GPL-2.0-only
"""The folding builders mean what C and the solver mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.ir.solver import PathSolver
from codegen.ir.terms import (
    Term,
    arithmetic,
    choose,
    conjoin,
    disjoin,
    divide,
    equal,
    extend,
    integer,
    invert,
    less,
    minus,
    negate,
    number,
    shift,
    substitute,
    symbol,
    truth,
)

WIDTH = 8
NAMES = ("a", "b", "c")
SYMBOLS = {n: symbol(n, WIDTH) for n in NAMES}
Values = dict[str, int]


@dataclass(frozen=True)
class Made:
    """A term of WIDTH bits and, apart from it, what it is worth."""

    term: Term
    value: Callable[[Values], int]


def cut(value: int) -> int:
    return value & ((1 << WIDTH) - 1)


def signed(value: int) -> int:
    return value - (1 << WIDTH) if value >> (WIDTH - 1) else value


ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
}
leaves = st.one_of(
    st.sampled_from(NAMES).map(lambda n: Made(SYMBOLS[n], lambda v: v[n])),
    st.sampled_from([0, 1, 2, 3, 4, 7, 0x7F, 0x80, 0xFF]).map(
        lambda k: Made(integer(k, WIDTH), lambda v: k)
    ),
)


def grown(inner: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    def binary(op: str, x: Made, y: Made) -> Made:
        apply = ARITHMETIC[op]
        return Made(arithmetic(op, x.term, y.term), lambda v: cut(apply(x.value(v), y.value(v))))

    def compared(kind: str, x: Made, y: Made) -> Made:
        match kind:
            case "eq":
                return Made(
                    number(equal(x.term, y.term), WIDTH), lambda v: int(x.value(v) == y.value(v))
                )
            case "ult":
                return Made(
                    number(less(x.term, y.term, False), WIDTH),
                    lambda v: int(x.value(v) < y.value(v)),
                )
            case "slt":
                return Made(
                    number(less(x.term, y.term, True), WIDTH),
                    lambda v: int(signed(x.value(v)) < signed(y.value(v))),
                )
            case "land":
                return Made(
                    number(conjoin(truth(x.term), truth(y.term)), WIDTH),
                    lambda v: int(bool(x.value(v)) and bool(y.value(v))),
                )
            case _:
                return Made(
                    number(disjoin(truth(x.term), negate(truth(y.term))), WIDTH),
                    lambda v: int(bool(x.value(v)) or not y.value(v)),
                )

    def shifted(op: str, x: Made, count: int) -> Made:
        def value(v: Values) -> int:
            if op == "shl":
                return cut(x.value(v) << count)
            return cut((signed(x.value(v)) if op == "ashr" else x.value(v)) >> count)

        return Made(shift(op, x.term, integer(count, WIDTH)), value)

    def narrowed(bits: int, is_signed: bool, x: Made) -> Made:
        def value(v: Values) -> int:
            low = x.value(v) & ((1 << bits) - 1)
            return cut(low - (1 << bits) if is_signed and low >> (bits - 1) else low)

        return Made(extend(extend(x.term, bits, False), WIDTH, is_signed), value)

    def divided(op: str, x: Made, by: int) -> Made:
        def value(v: Values) -> int:
            return x.value(v) // by if op == "udiv" else x.value(v) % by

        return Made(divide(op, x.term, integer(by, WIDTH)), value)

    return st.one_of(
        st.builds(binary, st.sampled_from(sorted(ARITHMETIC)), inner, inner),
        st.builds(compared, st.sampled_from(["eq", "ult", "slt", "land", "lor"]), inner, inner),
        st.builds(
            lambda c, x, y: Made(
                choose(truth(c.term), x.term, y.term),
                lambda v: x.value(v) if c.value(v) else y.value(v),
            ),
            inner,
            inner,
            inner,
        ),
        st.builds(shifted, st.sampled_from(["shl", "lshr", "ashr"]), inner, st.integers(0, 7)),
        st.builds(narrowed, st.integers(2, 7), st.booleans(), inner),
        st.builds(divided, st.sampled_from(["udiv", "urem"]), inner, st.integers(1, 9)),
        inner.map(lambda x: Made(invert(x.term), lambda v: cut(~x.value(v)))),
        inner.map(lambda x: Made(minus(x.term), lambda v: cut(-x.value(v)))),
    )


terms = st.recursive(leaves, grown, max_leaves=12)
values = st.fixed_dictionaries({n: st.integers(0, 255) for n in NAMES})


@given(terms, values)
@settings(max_examples=300)
def test_folding_keeps_the_value(made: Made, setting: Values) -> None:
    known = {SYMBOLS[n]: integer(v, WIDTH) for n, v in setting.items()}
    folded = substitute(made.term, known)
    assert folded.is_constant
    assert folded.value == made.value(setting)


@given(terms, values)
@settings(max_examples=60, deadline=None)
def test_the_solver_agrees(made: Made, setting: Values) -> None:
    facts = [equal(SYMBOLS[n], integer(v, WIDTH)) for n, v in setting.items()]
    is_that = equal(made.term, integer(made.value(setting), WIDTH))
    solver = PathSolver()
    assert solver.possible((*facts, is_that))
    assert not solver.possible((*facts, negate(is_that)))


@given(terms, terms, values)
@settings(max_examples=60, deadline=None)
def test_what_the_facts_decide_is_so(first: Made, second: Made, setting: Values) -> None:
    """A decided condition has that value wherever the facts hold."""
    fact, condition = truth(first.term), truth(second.term)
    if fact.is_constant:
        return
    known = PathSolver().decide(condition, (fact,))
    if known is not None and first.value(setting):
        assert bool(second.value(setting)) is known


def test_equal_terms_are_one_object() -> None:
    a = symbol("a", WIDTH)
    assert equal(a, integer(3, WIDTH)) is equal(integer(3, WIDTH), a)
    assert arithmetic("and", integer(3, WIDTH), a) is arithmetic("and", a, integer(3, WIDTH))


def test_a_flag_that_was_set_is_set() -> None:
    flags, bit = symbol("flags", 32), symbol("BIT", 32)
    assert arithmetic("and", arithmetic("or", flags, bit), bit) is bit
