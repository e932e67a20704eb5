# SPDX-License-Identifier: GPL-2.0-only
"""What two ways have in common says neither more nor less than that one of them was gone."""

import random
from itertools import product

from codegen.ir.concrete import evaluate
from codegen.ir.solver import PathSolver
from codegen.ir.state import alternatives
from codegen.ir.terms import Term, arithmetic, conjoin, equal, integer, less, negate, symbol, truth
from codegen.targets.compare.slices import SlicingSolver

ATOMS = tuple(symbol(name, 1) for name in "abcd")
A, B, C, _ = ATOMS


def holds(facts: tuple[Term, ...], scenario: dict[str, int]) -> bool:
    return all(evaluate(f, scenario) for f in facts)


def some_facts(random_: random.Random) -> tuple[Term, ...]:
    chosen = random_.sample(ATOMS, random_.randrange(len(ATOMS)))
    return tuple(a if random_.getrandbits(1) else negate(a) for a in chosen)


def test_ways_that_differ_in_one_branch_are_one_way_without_it() -> None:
    assert alternatives((A, negate(B)), (A, B)) == (A,)
    assert alternatives((A,), (negate(A),)) == ()
    either = alternatives((A,), (negate(A), B))
    assert alternatives(either, (negate(A), negate(B))) == ()


def test_alternatives_hold_exactly_where_one_side_does() -> None:
    random_ = random.Random(1)
    for _ in range(300):
        ways = [some_facts(random_) for _ in range(random_.randrange(2, 6))]
        joined = ways[0]
        for way in ways[1:]:
            joined = alternatives(joined, way)
        for numbers in product((0, 1), repeat=len(ATOMS)):
            scenario = dict(zip("abcd", numbers, strict=True))
            assert holds(joined, scenario) == any(holds(w, scenario) for w in ways), (ways, joined)


def test_what_was_learnt_answers_as_z3_does() -> None:
    """Examples made from others and contradictions known from before change no answer."""
    random_ = random.Random(2)
    words = [symbol(name, 16) for name in ("x", "y", "z")]

    def fact() -> Term:
        word, number = random_.choice(words), integer(random_.choice((1, 2, 3, 0x100)), 16)
        one = random_.choice(
            (
                truth(arithmetic("and", word, number)),
                equal(arithmetic("and", word, integer(0x103, 16)), number),
                less(word, random_.choice(words), is_signed=False),
                conjoin(equal(word, number), random_.choice(ATOMS)),
            )
        )
        return one if random_.getrandbits(1) else negate(one)

    quick = SlicingSolver()
    answers, asked = set(), 0
    for _ in range(400):
        facts = [fact() for _ in range(random_.randrange(1, 7))]
        expected = PathSolver._check(PathSolver(), facts)
        before = quick.questions
        assert quick.possible(facts) == expected, facts
        asked += quick.questions - before
        model = quick.model(facts, {t for f in facts for t in f.walk() if t.op == "sym"})
        assert (model is not None) == expected
        if model is not None:
            assert holds(tuple(facts), {str(t.payload): v for t, v in model.items()})
        answers.add(expected)
    assert answers == {True, False}
    assert asked < 250
