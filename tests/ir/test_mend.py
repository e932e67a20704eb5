# SPDX-License-Identifier: GPL-2.0-only
"""What mending comes to is a scenario of the facts, told by the facts alone."""

import pytest

from codegen.ir.mend import mended
from codegen.ir.smallest import scenario_of, small_scenario_of
from codegen.ir.solver import PathSolver
from codegen.ir.terms import (
    Term,
    arithmetic,
    call,
    conjoin,
    disjoin,
    equal,
    integer,
    less,
    negate,
    symbol,
    truth,
)

ADDRESS, START, END, LIMIT = (symbol(n, 64) for n in ("address", "start", "end", "LIMIT"))
FLAGS, CAUSE, LOAD, STORE = (symbol(n, 64) for n in ("flags", "cause", "LOAD", "STORE"))
FATAL, PENDING, WRITE = (symbol(n, 1) for n in ("fatal", "pending", "write"))


def n(value: int) -> Term:
    return integer(value, 64)


def bits(word: Term, mask: int) -> Term:
    return truth(arithmetic("and", word, n(mask)))


def below(a: Term, b: Term) -> Term:
    return less(a, b, is_signed=False)


CASES: dict[str, tuple[list[Term], dict[str, int]]] = {
    "nothing has to be done": ([negate(FATAL), negate(below(ADDRESS, START))], {}),
    "one name is what two facts want": (
        [below(ADDRESS, END), negate(below(ADDRESS, START))],
        {"end": 1},
    ),
    # fatal alone breaks the other fact.
    "a change that breaks a fact is followed by another": (
        [FATAL, disjoin(negate(FATAL), PENDING)],
        {"fatal": 1, "pending": 1},
    ),
    "three that hang together": (
        [
            below(ADDRESS, LIMIT),
            below(ADDRESS, END),
            equal(arithmetic("and", ADDRESS, n(0xFF0)), n(0x4D0)),
        ],
        {"address": 0x4D0, "LIMIT": 0x4D1, "end": 0x4D1},
    ),
    "a bit that is in no mask": ([truth(FLAGS), negate(bits(FLAGS, 5))], {"flags": 2}),
    "one of two ways": (
        [
            WRITE,
            disjoin(conjoin(negate(WRITE), bits(FLAGS, 5)), conjoin(WRITE, bits(FLAGS, 2))),
        ],
        {"write": 1, "flags": 2},
    ),
    "three names, none like another": (
        [
            negate(equal(CAUSE, LOAD)),
            negate(equal(CAUSE, STORE)),
            negate(equal(LOAD, STORE)),
            equal(LOAD, n(2)),
        ],
        {"LOAD": 2, "cause": 1},
    ),
    "a call is named by what it is given": (
        [call("found", (ADDRESS,), 1), equal(ADDRESS, n(16))],
        {"address": 16, "found(0x10)": 1},
    ),
}


@pytest.mark.parametrize(("facts", "expected"), CASES.values(), ids=list(CASES))
def test_a_small_scenario_is_found(facts: list[Term], expected: dict[str, int]) -> None:
    found = mended(facts)
    assert found is not None
    assert all(map(found.number, facts))
    assert small_scenario_of(facts, PathSolver()) == expected


@pytest.mark.parametrize("facts", [f for f, _ in CASES.values()], ids=list(CASES))
def test_the_order_of_the_facts_does_not_count(facts: list[Term]) -> None:
    found = [small_scenario_of(some, PathSolver()) for some in (facts, facts[::-1])]
    assert found[0] == found[1]


def test_what_was_asked_before_does_not_count() -> None:
    facts = [below(ADDRESS, END), bits(FLAGS, 0x30), equal(CAUSE, STORE), truth(CAUSE)]
    solver = PathSolver()
    for fact in (below(n(9), ADDRESS), equal(FLAGS, n(0x3F)), equal(CAUSE, n(77))):
        scenario_of([*facts, fact], solver)
    assert small_scenario_of(facts, solver) == small_scenario_of(facts, PathSolver())


def test_where_mending_comes_to_nothing_the_solver_is_asked() -> None:
    product = equal(arithmetic("mul", ADDRESS, END), n(7919 * 104729))
    facts = [product, below(n(1), ADDRESS), below(ADDRESS, n(1 << 16)), below(END, n(1 << 20))]
    assert mended(facts) is None
    found = small_scenario_of(facts, PathSolver())
    assert found["address"] * found["end"] == 7919 * 104729


def test_facts_that_contradict_each_other_have_none() -> None:
    facts = [below(ADDRESS, END), below(END, ADDRESS)]
    assert mended(facts) is None
    with pytest.raises(ValueError, match="contradict"):
        small_scenario_of(facts, PathSolver())
