# SPDX-License-Identifier: GPL-2.0-only
"""The ways to the fault put together to one tree, and the tree written as statements.

STORE            flags |= WRITE; mask WRITE      if (STORE) {
!STORE, FETCH    mask EXEC                 -->           flags |= WRITE; mask = VM_WRITE;
!STORE, !FETCH   mask READ                       } else if (FETCH) {
                                                         mask = VM_EXEC; ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codegen.targets.c.blocks import Block, If, Switch, Text
from codegen.targets.c.steps import Step
from codegen.targets.c.walk import Decision, Walk

UNCHECKED = "~0UL"
NEVER = "0"
Steps = Callable[[Sequence[Step]], list[Block]]


@dataclass(frozen=True, slots=True)
class Leaf:
    """The end of a way: what it does, and the mask that it needs; None behind a BUG()."""

    steps: tuple[Step, ...]
    mask: str | None
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fork:
    """A decision; `arms` are keyed by (labels,) of a switch, or by True and False."""

    steps: tuple[Step, ...]
    decision: Decision
    arms: tuple[tuple[object, Tree], ...]


Tree = Leaf | Fork


@dataclass(frozen=True)
class Way:
    """One walk to the fault and the mask that it needs."""

    walk: Walk
    mask: str | None


class Tangled(Exception):
    """The ways do not make a tree: they differ where no decision tells them apart."""


def grow(ways: Sequence[Way], at: int = 0) -> Tree:
    """The tree of all ways, which agree up to their event number `at`.

    Raises Tangled.
    """
    steps: list[Step] = []
    first = ways[0].walk.events
    while at < len(first):
        event = first[at]
        if isinstance(event, Decision):
            groups: dict[object, list[Way]] = {}
            for way in ways:
                other = way.walk.events[at] if at < len(way.walk.events) else None
                if not isinstance(other, Decision):
                    raise Tangled
                key: object = other.labels if other.labels is not None else other.taken
                groups.setdefault(key, []).append(way)
            arms = tuple((key, grow(group, at + 1)) for key, group in groups.items())
            if len(arms) == 1:
                return _with_steps(steps, arms[0][1])
            known = {arm for _, arm in arms}
            if len(known) == 1:
                # The condition decides nothing after all.
                return _with_steps(steps, arms[0][1])
            return Fork(tuple(steps), event, arms)
        if ways[0].mask != NEVER or ways[0].walk.reached:
            steps.append(event)
        at += 1
    if len({w.mask for w in ways}) > 1:
        raise Tangled
    return Leaf(tuple(steps), ways[0].mask, _comments_of(ways[0]))


def _comments_of(way: Way) -> tuple[str, ...]:
    """What the source says beside the check that the mask comes from."""
    return way.walk.walker.check_comments.get(way.mask or "", ())


def _with_steps(steps: Sequence[Step], tree: Tree) -> Tree:
    match tree:
        case Leaf():
            return Leaf((*steps, *tree.steps), tree.mask, tree.comments)
        case Fork():
            return Fork((*steps, *tree.steps), tree.decision, tree.arms)


def write_tree(tree: Tree, name: str, steps: Steps, *, default: bool) -> list[Block]:
    """The tree as statements that set the mask `name`.

    `steps` makes statements of a way's own steps. `default`: the mask of the
    last arm may be set before the chain, where that arm does nothing else.
    """
    match tree:
        case Leaf():
            blocks = steps(tree.steps)
            if tree.mask not in (None, name):
                blocks.append(Text(f"{name} = {tree.mask};", tree.comments))
            return blocks
        case Fork(decision=Decision(labels=None)):
            blocks = steps(tree.steps)
            arms = dict(tree.arms)
            last = _last(tree)
            if default and isinstance(last, Leaf) and not last.steps and last.mask:
                chain = _drop_last(tree, name, steps)
                first = [] if last.mask == name else [Text(f"{name} = {last.mask};")]
                return [*blocks, *first, *chain]
            then = write_tree(arms[True], name, steps, default=False)
            other = write_tree(arms[False], name, steps, default=False)
            condition = tree.decision.text
            return [*blocks, If(condition, tuple(then), tuple(other), tree.decision.remark)]
        case Fork():
            return [*steps(tree.steps), *_switch(tree, name, steps)]


def _last(tree: Tree) -> Tree:
    while isinstance(tree, Fork) and tree.decision.labels is None:
        following = dict(tree.arms)[False]
        if isinstance(following, Fork) and following.steps:
            return following
        tree = following
    return tree


def _drop_last(tree: Fork, name: str, steps: Steps) -> list[Block]:
    arms = dict(tree.arms)
    then = write_tree(arms[True], name, steps, default=False)
    other = arms[False]
    rest = _drop_last(other, name, steps) if isinstance(other, Fork) else []
    return [If(tree.decision.text, tuple(then), tuple(rest), tree.decision.remark)]


def _switch(tree: Fork, name: str, steps: Steps) -> list[Block]:
    arms: list[tuple[tuple[str, ...], Tree]] = [
        (labels, sub) for labels, sub in tree.arms if isinstance(labels, tuple)
    ]
    shown = [labels for labels, _ in arms if labels and labels != ("default",)]
    if len(shown) == 1 and len(arms) == 2:
        # All other labels are settled already: an if says it.
        labels = shown[0]
        tests = " || ".join(f"{tree.decision.text} == {label}" for label in labels)
        then = next(sub for got, sub in arms if got == labels)
        other = next(sub for got, sub in arms if got != labels)
        return [
            If(
                tests,
                tuple(write_tree(then, name, steps, default=False)),
                tuple(write_tree(other, name, steps, default=False)),
            )
        ]
    bodies = []
    leaves = set()
    for i, (labels, sub) in enumerate(arms):
        body = tuple(write_tree(sub, name, steps, default=False))
        if isinstance(sub, Leaf) and sub.mask is None:
            leaves.add(i)
        bodies.append((labels or ("default",), body))
    same: list[tuple[tuple[str, ...], tuple[Block, ...]]] = []
    for labels, body in bodies:
        if same and same[-1][1] == body and "default" not in labels:
            same[-1] = ((*same[-1][0], *labels), body)
        else:
            same.append((labels, body))
    gone = frozenset(
        i for i, (labels, _) in enumerate(same) for j in leaves if bodies[j][0] == labels
    )
    return [Switch(tree.decision.text, tuple(same), gone)]
