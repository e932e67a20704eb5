# SPDX-License-Identifier: GPL-2.0-only
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.ir.concrete import address_of, evaluate
from codegen.ir.smallest import scenario_of
from codegen.ir.solver import PathSolver
from codegen.ir.terms import (
    Term,
    arithmetic,
    call,
    choose,
    conjoin,
    disjoin,
    divide,
    equal,
    extend,
    field_address,
    index_address,
    integer,
    invert,
    less,
    loaded,
    minus,
    negate,
    object_address,
    shift,
    symbol,
    truth,
)

REGS = object_address("regs")
A, B = symbol("a", 32), symbol("b", 32)
P, Q = symbol("p", 64), symbol("q", 64)


@pytest.mark.parametrize(
    ("term", "value"),
    [
        (symbol("regs->cause", 64), 5),
        (symbol("nobody said", 64), 0),
        (symbol("regs->cause", 2), 1),
        (call("f", (REGS, integer(0x20, 64)), 64), 7),
        (call("f", (field_address(REGS, "pc"), integer(0, 32)), 64), 8),
        (call("f", (object_address("&init_mm"), integer(0, 32)), 64), 9),
        (REGS, address_of("regs")),
        (field_address(REGS, "pc"), address_of("&regs->pc")),
        (extend(symbol("minus", 32), 64, True), (1 << 64) - 2),
        (extend(symbol("minus", 32), 64, False), (1 << 32) - 2),
        (divide("sdiv", symbol("minus", 32), integer(0, 32)), 1),
        (divide("urem", symbol("regs->cause", 64), integer(0, 64)), 5),
        (choose(truth(symbol("regs->cause", 64)), integer(3, 8), integer(4, 8)), 3),
    ],
)
def test_terms_have_values_by_name(term: Term, value: int) -> None:
    scenario = {
        "regs->cause": 5,
        "f(regs, 0x20)": 7,
        "f(&regs->pc, 0x0)": 8,
        "f(&init_mm, 0x0)": 9,
        "minus": (1 << 32) - 2,
    }
    assert evaluate(term, scenario) == value


def test_a_computed_place_is_named_by_where_it_is() -> None:
    place = field_address(index_address(object_address("&table"), symbol("i", 64)), "fn")
    term = loaded("table[i].fn@1", place, 64)
    assert evaluate(term, {"i": 3, "table[3].fn@1": 44}) == 44
    either = choose(truth(P), REGS, object_address("current"))
    term = loaded("(p ? regs : current)->x", field_address(either, "x"), 64)
    assert evaluate(term, {"p": 1, "regs->x": 1, "current->x": 2}) == 1
    assert evaluate(term, {"p": 0, "regs->x": 1, "current->x": 2}) == 2


def test_two_ways_to_the_same_place_agree() -> None:
    table = object_address("&table")
    first = loaded("table[i]", index_address(table, symbol("i", 64)), 64)
    second = loaded("table[j]", index_address(table, symbol("j", 64)), 64)
    facts = [
        equal(symbol("i", 64), symbol("j", 64)),
        negate(equal(first, integer(0, 64))),
        negate(less(second, integer(9, 64), False)),
    ]
    scenario = scenario_of(facts, PathSolver())
    assert all(evaluate(f, scenario) for f in facts)


def test_what_contradicts_itself_has_no_scenario() -> None:
    with pytest.raises(ValueError, match="contradict"):
        scenario_of([less(A, B, False), less(B, A, False)], PathSolver())


def test_an_address_is_no_small_number() -> None:
    with pytest.raises(Exception, match="no scenario"):
        scenario_of([less(REGS, integer(0x1000, 64), False)], PathSolver())


def test_scenarios_are_small() -> None:
    facts = [truth(arithmetic("and", P, integer(0x30, 64))), less(integer(5, 32), A, False)]
    scenario = scenario_of(facts, PathSolver())
    assert set(scenario) == {"p", "a"}
    assert scenario["p"] in (0x10, 0x20)
    assert scenario["a"] == 6


def bools(word: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    two = st.tuples(word, word)
    leaf = st.one_of(
        two.map(lambda t: equal(*t)),
        two.map(lambda t: less(*t, is_signed=True)),
        two.map(lambda t: less(*t, is_signed=False)),
        word.map(truth),
    )
    return st.recursive(
        leaf,
        lambda x: st.one_of(
            x.map(negate),
            st.tuples(x, x).map(lambda t: conjoin(*t)),
            st.tuples(x, x).map(lambda t: disjoin(*t)),
        ),
        max_leaves=3,
    )


def words() -> st.SearchStrategy[Term]:
    leaf = st.one_of(
        st.sampled_from([A, B, call("f", (A,), 32), call("f", (B,), 32)]),
        st.integers(0, 2**32 - 1).map(lambda n: integer(n, 32)),
    )
    return st.recursive(
        leaf,
        lambda x: st.one_of(
            st.tuples(st.sampled_from(["add", "sub", "mul", "and", "or", "xor"]), x, x).map(
                lambda t: arithmetic(*t)
            ),
            st.tuples(st.sampled_from(["shl", "lshr", "ashr"]), x, x).map(lambda t: shift(*t)),
            st.tuples(st.sampled_from(["udiv", "sdiv", "urem", "srem"]), x, x).map(
                lambda t: divide(*t)
            ),
            x.map(invert),
            x.map(minus),
            x.map(lambda t: extend(extend(t, 64, True), 32, False)),
            x.map(lambda t: extend(extend(t, 8, False), 32, True)),
        ),
        max_leaves=4,
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(fact=bools(words()))
def test_the_solver_and_the_evaluator_mean_the_same(fact: Term) -> None:
    """Whatever the solver says is possible, the evaluator finds true in that scenario."""
    solver = PathSolver()
    for wanted in (fact, negate(fact)):
        if wanted.is_constant or not solver.possible([wanted]):
            continue
        assert evaluate(wanted, scenario_of([wanted], solver)) == 1
