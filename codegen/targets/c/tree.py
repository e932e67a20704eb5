# SPDX-License-Identifier: GPL-2.0-only
"""The ways to the fault put together to one tree, and the tree written as statements.

STORE            flags |= WRITE; mask WRITE      if (STORE) {
!STORE, FETCH    mask EXEC                 -->           flags |= WRITE; mask = VM_WRITE;
!STORE, !FETCH   mask READ                       } else if (FETCH) {
                                                         mask = VM_EXEC; ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from codegen.targets.c.blocks import Block, If, Switch, Text
from codegen.targets.c.route import Decision
from codegen.targets.c.source import words
from codegen.targets.c.steps import Line, Step, plain
from codegen.targets.c.walk import Walk

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


@dataclass(frozen=True)
class Mask:
    """The variable that the tree sets: its name, and what it holds already, if that is known."""

    name: str
    start: str | None
    steps: Steps

    def sets(self, leaf: Leaf) -> list[Block]:
        """The statements that give the variable the mask of a leaf."""
        if leaf.mask in (None, self.name, self.start):
            return []
        return [Text(f"{self.name} = {leaf.mask};", leaf.comments)]


def write_tree(tree: Tree, mask: Mask, *, default: bool) -> list[Block]:
    """The tree as statements that set the mask.

    `default`: the mask of the last arm may be set before the chain, where that
    arm does nothing else.
    """
    match tree:
        case Leaf():
            return [*mask.steps(tree.steps), *mask.sets(tree)]
        case Fork(decision=Decision(labels=None)):
            blocks = mask.steps(tree.steps)
            override = _override(tree)
            if override is not None:
                rest, last, leaf = override
                test = If(last.decision.text, tuple(mask.sets(leaf)), (), last.decision.remark)
                return [*blocks, *write_tree(rest, mask, default=True), test]
            arms = dict(tree.arms)
            end = _last(tree)
            starts = isinstance(end, Leaf) and end.mask == mask.start
            if (default or starts) and isinstance(end, Leaf) and not end.steps and end.mask:
                chain = _drop_last(tree, mask)
                return [*blocks, *mask.sets(replace(end, comments=())), *chain]
            then = write_tree(arms[True], mask, default=False)
            other = write_tree(arms[False], mask, default=False)
            return [*blocks, *_if(tree.decision, then, other)]
        case Fork():
            return [*mask.steps(tree.steps), *_switch(tree, mask)]


def _if(decision: Decision, then: list[Block], other: list[Block]) -> list[Block]:
    """An if whose arms may have nothing to do."""
    if then:
        return [If(decision.text, tuple(then), tuple(other), decision.remark)]
    return [If(negation(decision.text), tuple(other))] if other else []


def negation(condition: str) -> str:
    """The condition turned round: `!(a && b)`, and `f(x)` for `!f(x)`."""
    inner = condition[1:].strip()
    if condition.startswith("!") and re.fullmatch(r"\w+(\(\w*\))?", inner):
        return inner
    return f"!{condition}" if re.fullmatch(r"\w+(\(\w*\))?", condition) else f"!({condition})"


def masks_of(tree: Tree) -> set[str | None]:
    """The masks at all ends of the tree."""
    match tree:
        case Leaf():
            return {tree.mask}
        case Fork():
            return {mask for _, arm in tree.arms for mask in masks_of(arm)}


def _override(tree: Fork) -> tuple[Fork, Fork, Leaf] | None:
    """A decision that both arms of another come to, and take to the same mask.

    if (store) {                            if (store)
            if (fetch) mask = VM_EXEC;              mask = VM_WRITE;
            else mask = VM_WRITE;           else
    } else {                          -->           mask = VM_READ;
            if (fetch) mask = VM_EXEC;      if (fetch)
            else mask = VM_READ;                    mask = VM_EXEC;
    }

    (the first decision without the second; the second; its mask)
    """
    arms = dict(tree.arms)
    one, two = arms[True], arms[False]
    if not isinstance(one, Fork) or not isinstance(two, Fork):
        return None
    if one.decision.labels is not None or one.decision.key != two.decision.key:
        return None
    taken, again = dict(one.arms)[True], dict(two.arms)[True]
    if not isinstance(taken, Leaf) or taken != again or taken.steps or taken.mask is None:
        return None
    written = {plain(step.pieces).split("=")[0].strip(" |") for step in _lines(one, two)}
    if written & words(one.decision.text):
        return None
    rest = tuple(
        (key, _with_steps(list(fork.steps), dict(fork.arms)[False]))
        for key, fork in ((True, one), (False, two))
    )
    return replace(tree, steps=(), arms=rest), one, taken


def _lines(*forks: Fork) -> list[Line]:
    return [step for fork in forks for step in fork.steps if isinstance(step, Line)]


def _last(tree: Tree) -> Tree:
    while isinstance(tree, Fork) and tree.decision.labels is None:
        following = dict(tree.arms)[False]
        if isinstance(following, Fork) and following.steps:
            return following
        tree = following
    return tree


def _drop_last(tree: Fork, mask: Mask) -> list[Block]:
    arms = dict(tree.arms)
    then = write_tree(arms[True], mask, default=False)
    other = arms[False]
    rest = _drop_last(other, mask) if isinstance(other, Fork) else []
    return _if(tree.decision, then, rest)


def _switch(tree: Fork, mask: Mask) -> list[Block]:
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
        return _if(
            replace(tree.decision, text=tests, remark=""),
            write_tree(then, mask, default=False),
            write_tree(other, mask, default=False),
        )
    bodies: list[tuple[tuple[str, ...], tuple[Block, ...], bool]] = []
    for labels, sub in arms:
        body = tuple(write_tree(sub, mask, default=False))
        leaves = isinstance(sub, Leaf) and sub.mask is None
        labels = labels or ("default",)
        if not body and labels == ("default",):
            # Everything else leaves the mask as it is.
            continue
        if bodies and bodies[-1][1:] == (body, leaves) and "default" not in labels:
            bodies[-1] = ((*bodies[-1][0], *labels), body, leaves)
        else:
            bodies.append((labels, body, leaves))
    gone = frozenset(i for i, (_, _, leaves) in enumerate(bodies) if leaves)
    return [Switch(tree.decision.text, tuple((labels, body) for labels, body, _ in bodies), gone)]
