# SPDX-License-Identifier: GPL-2.0-only
"""When the walk over two programs may stop: what was walked covers what is left out."""

from codegen.ir.state import State
from codegen.ir.terms import Term, negate, symbol
from codegen.targets.compare.joints import Joint
from codegen.targets.compare.live import Likeness
from codegen.targets.compare.pair import Walk

P, Q, R = (symbol(name, 1) for name in "pqr")


class _Bare(Walk):
    def __init__(self) -> None:
        self.likeness = Likeness()


def _new(*facts: tuple[Term, ...]) -> list[bool]:
    """Which of these, arriving one after the other in the same state, are walked."""
    walk = _Bare()
    seen: dict[object, list[frozenset[Term]]] = {}
    state = State([], {}, {}, (), (), [])
    return [walk._is_new(seen, "here", Joint(state, state, known)) for known in facts]


def test_what_is_known_of_a_state_that_was_walked_is_not_walked_again() -> None:
    assert _new((P,), (P,)) == [True, False]
    assert _new((P,), (P, Q)) == [True, False]


def test_where_less_is_known_there_is_more_to_walk() -> None:
    assert _new((P, Q), (P,), (P, Q)) == [True, True, False]


def test_two_parts_that_were_walked_do_not_make_the_whole() -> None:
    """R with P and R with Q leave out R with neither."""
    assert _new((P, R), (Q, R), (R,)) == [True, True, True]
    assert _new((P, R), (Q, R), (R, negate(P))) == [True, True, True]
