# SPDX-License-Identifier: GPL-2.0-only
"""Trees of decisions: what does not matter goes, what matters stays."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from codegen.base.spans import Span
from codegen.ir.terms import symbol
from codegen.tables import decision
from codegen.tables.decision import Leaf, Node, Tree

ASKED = [symbol(f"c{i}", 1) for i in range(4)]
NOWHERE = Span(0, 0)
trees = st.recursive(
    st.one_of(st.none(), st.sampled_from("AB").map(Leaf)),
    lambda inner: st.builds(
        lambda c, yes, no, inverted: Node(c, NOWHERE, yes, no, inverted),
        st.sampled_from(ASKED),
        inner,
        inner,
        st.booleans(),
    ),
    max_leaves=12,
)
Setting = dict[object, bool]


def value(tree: Tree[str], setting: Setting) -> str | None:
    while isinstance(tree, Node):
        tree = tree.then if setting[tree.condition] else tree.otherwise
    return None if tree is None else tree.value


def settings() -> list[Setting]:
    return [dict(zip(ASKED, s, strict=True)) for s in product((True, False), repeat=len(ASKED))]


def same(a: str, b: str) -> str | None:
    return a if a == b else None


@given(trees)
def test_reduce_keeps_every_answer(tree: Tree[str]) -> None:
    reduced = decision.reduce(tree, same)
    for setting in settings():
        before = value(tree, setting)
        assert before is None or value(reduced, setting) == before


@given(trees, st.sampled_from(ASKED), st.booleans())
def test_restrict_keeps_every_answer_under_the_condition(
    tree: Tree[str], condition: object, holds: bool
) -> None:
    restricted = decision.restrict(tree, condition, holds)  # type: ignore[arg-type]
    for setting in settings():
        if setting[condition] is holds:
            before = value(tree, setting)
            assert before is None or value(restricted, setting) == before


@given(trees)
def test_paths_are_the_leaves(tree: Tree[str]) -> None:
    for above, leaf in decision.paths(tree):
        here = tree
        for node, holds in above:
            assert here is node
            here = node.asked[1] if holds else node.asked[2]
        assert here == Leaf(leaf)
