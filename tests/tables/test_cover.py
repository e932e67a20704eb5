# SPDX-License-Identifier: GPL-2.0-only
"""The shortest guards say the same as the paths that they were made of."""

from collections.abc import Iterator
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from codegen.tables.cover import Answered, Cube, Literal, first_match, guards

ATOMS = 5
# A random decision tree: an answer, or (condition, tree where it holds, tree where not).
Tree = str | tuple[int, "Tree", "Tree"]
trees = st.recursive(
    st.sampled_from("ABCD"),
    lambda inner: st.tuples(st.integers(0, ATOMS - 1), inner, inner),
    max_leaves=12,
)


def paths(tree: Tree, above: Cube = frozenset()) -> Iterator[Answered[str]]:
    if isinstance(tree, str):
        yield Answered(above, tree)
        return
    atom, yes, no = tree
    for side, holds in ((yes, True), (no, False)):
        if (atom, not holds) not in above:
            yield from paths(side, above | {(atom, holds)})


def answer_of(tree: Tree, setting: tuple[bool, ...]) -> str:
    while not isinstance(tree, str):
        tree = tree[1] if setting[tree[0]] else tree[2]
    return tree


def holds(cube: Cube, setting: tuple[bool, ...]) -> bool:
    return all(setting[atom] is wanted for atom, wanted in cube)


def never(a: Literal, b: Literal) -> bool:
    return False


@given(trees)
def test_first_match_keeps_the_function(tree: Tree) -> None:
    rules = first_match(list(paths(tree)), never)
    assert rules[-1][0] == [frozenset()]
    for setting in product((False, True), repeat=ATOMS):
        found = next(a for cubes, a in rules if any(holds(c, setting) for c in cubes))
        assert found == answer_of(tree, setting)


@given(trees)
def test_guards_keep_the_function_and_exclude_each_other(tree: Tree) -> None:
    alternatives = guards(list(paths(tree)), never)
    for setting in product((False, True), repeat=ATOMS):
        found = [a for cubes, a in alternatives if any(holds(c, setting) for c in cubes)]
        assert found == [answer_of(tree, setting)]


def test_a_conflict_makes_a_guard_shorter() -> None:
    """Of two case labels, each excludes the other: `x == 1` needs no `x != 0`."""
    zero, one, other = (
        Answered(frozenset({(0, True)}), "zero"),
        Answered(frozenset({(0, False), (1, True)}), "one"),
        Answered(frozenset({(0, False), (1, False)}), "other"),
    )
    both = {(0, True), (1, True)}
    told = guards([zero, one, other], lambda a, b: {a, b} == both)
    assert told[:2] == [([frozenset({(0, True)})], "zero"), ([frozenset({(1, True)})], "one")]


def test_what_cannot_be_is_no_rule() -> None:
    """A path whose conditions exclude each other is not walked."""
    paths_ = [
        Answered(frozenset({(0, True), (1, True)}), "never"),
        Answered(frozenset({(0, True), (1, False)}), "a"),
        Answered(frozenset({(0, False)}), "b"),
    ]
    both = {(0, True), (1, True)}
    rules = first_match(paths_, lambda a, b: {a, b} == both)
    assert [answer for _, answer in rules] == ["a", "b"]


def test_the_simplest_rule_comes_first() -> None:
    """`x & W: A`, `x & I: B`, otherwise `C`."""
    tree: Tree = (0, "A", (1, "B", "C"))
    assert first_match(list(paths(tree)), never) == [
        ([frozenset({(0, True)})], "A"),
        ([frozenset({(1, True)})], "B"),
        ([frozenset()], "C"),
    ]
