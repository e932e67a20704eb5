# SPDX-License-Identifier: GPL-2.0-only
"""Decision trees: the paths of the machine, reduced to the conditions that matter.

The machine's paths are a tree already: every fork is a condition. A leaf that
does not concern the question (the handler left before the mm dance) is `None`;
a node whose sides agree, or of which one side is `None`, goes.

    kprobe_page_fault(regs) ? None : (write ? W : R)    becomes    write ? W : R
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from codegen.base.spans import Span
from codegen.ir.terms import Term, negate
from codegen.ir.trace import Decision

L = TypeVar("L")


@dataclass(frozen=True)
class Leaf(Generic[L]):
    """What it comes to."""

    value: L


@dataclass(frozen=True)
class Node(Generic[L]):
    """A condition, and what it comes to where it holds and where not."""

    condition: Term
    span: Span
    then: Tree[L]
    otherwise: Tree[L]
    inverted: bool = False

    @property
    def asked(self) -> tuple[Term, Tree[L], Tree[L]]:
        """(the condition as the source asks it, the tree if it holds, the tree if not)."""
        if self.inverted:
            return negate(self.condition), self.otherwise, self.then
        return self.condition, self.then, self.otherwise


Tree = Leaf[L] | Node[L] | None


@dataclass
class _Growing(Generic[L]):
    decision: Decision | None = None
    sides: dict[bool, _Growing[L]] | None = None
    leaf: L | None = None


def grow(paths: Iterable[tuple[tuple[Decision, ...], L | None]]) -> Tree[L]:
    """The tree of all paths; a path's value None is "does not concern us"."""
    root: _Growing[L] = _Growing()
    for decisions, value in paths:
        here = root
        for decision in decisions:
            if here.sides is None:
                here.decision, here.sides = decision, {}
            elif here.decision is None or here.decision.condition is not decision.condition:
                break
            here = here.sides.setdefault(decision.taken, _Growing())
        else:
            if here.leaf is None:
                here.leaf = value
    return _freeze(root)


def _freeze(growing: _Growing[L]) -> Tree[L]:
    # Deep trees are as deep as a handler has branches; recursion is fine.
    if growing.sides is None or growing.decision is None:
        return None if growing.leaf is None else Leaf(growing.leaf)
    then = _freeze(growing.sides[True]) if True in growing.sides else None
    otherwise = _freeze(growing.sides[False]) if False in growing.sides else None
    if growing.leaf is not None and then is None and otherwise is None:
        return Leaf(growing.leaf)
    asked = growing.decision
    return Node(asked.condition, asked.span, then, otherwise, asked.inverted)


def make(
    condition: Term,
    span: Span,
    then: Tree[L],
    otherwise: Tree[L],
    merge: Callable[[L, L], L | None],
    inverted: bool = False,
) -> Tree[L]:
    """A reduced node. `merge` joins two leaves that need no telling apart, or gives None."""
    if then is None:
        return otherwise
    if otherwise is None:
        return then
    if condition.is_constant:
        return then if condition.value else otherwise
    joined = join(then, otherwise, merge)
    if joined is not None:
        return joined
    return Node(condition, span, then, otherwise, inverted)


def join(a: Tree[L], b: Tree[L], merge: Callable[[L, L], L | None]) -> Tree[L]:
    """Two trees as one where they agree; None where they do not."""
    match a, b:
        case None, _:
            return b
        case _, None:
            return a
        case Leaf(value=x), Leaf(value=y):
            merged = merge(x, y)
            return None if merged is None else Leaf(merged)
        case Node(), Node() if a.condition is b.condition:
            then = join(a.then, b.then, merge)
            otherwise = join(a.otherwise, b.otherwise, merge)
            if (then is None and not (a.then is None and b.then is None)) or (
                otherwise is None and not (a.otherwise is None and b.otherwise is None)
            ):
                return None
            return Node(a.condition, a.span, then, otherwise, a.inverted)
        case _:
            return None


def reduce(tree: Tree[L], merge: Callable[[L, L], L | None]) -> Tree[L]:
    """The tree without the conditions that do not matter."""
    match tree:
        case Node():
            return make(
                tree.condition,
                tree.span,
                reduce(tree.then, merge),
                reduce(tree.otherwise, merge),
                merge,
                tree.inverted,
            )
        case _:
            return tree


def restrict(tree: Tree[L], condition: Term, holds: bool) -> Tree[L]:
    """The tree where `condition` is known."""
    match tree:
        case Node():
            if tree.condition is condition:
                return restrict(tree.then if holds else tree.otherwise, condition, holds)
            then = restrict(tree.then, condition, holds)
            otherwise = restrict(tree.otherwise, condition, holds)
            if then is tree.then and otherwise is tree.otherwise:
                return tree
            if then is None:
                return otherwise
            if otherwise is None:
                return then
            return Node(tree.condition, tree.span, then, otherwise, tree.inverted)
        case _:
            return tree


def paths(tree: Tree[L]) -> Iterator[tuple[tuple[tuple[Node[L], bool], ...], L]]:
    """Each leaf with the nodes above it, outermost first, and whether what they ask holds."""
    match tree:
        case Leaf():
            yield (), tree.value
        case Node():
            _, yes, no = tree.asked
            for side, holds in ((yes, True), (no, False)):
                for above, leaf in paths(side):
                    yield ((tree, holds), *above), leaf
        case _:
            pass
