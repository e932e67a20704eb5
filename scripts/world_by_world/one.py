# SPDX-License-Identifier: GPL-2.0-only
"""What is to be told of one world: where two programs differ, where one departs from the contract.

A walk whose solver knows one scenario goes along the one pair of ways that the
scenario leads along, and what it finds is classified by that very scenario.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from codegen.ir.state import State
from codegen.ir.terms import Term, negate
from codegen.targets.compare.check import Checking
from codegen.targets.compare.findings import Findings
from codegen.targets.compare.joints import Channel
from codegen.targets.compare.live import Likeness
from codegen.targets.compare.nodes import Difference, Side
from codegen.targets.compare.runs import Decided
from codegen.targets.compare.scene import Scene
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.stretches import Stretches


class OneWorld(Decided):
    """What a walk asks its solver, answered from one scenario."""

    def also_possible(self, more: tuple[Term, ...], facts: tuple[Term, ...]) -> bool:  # noqa: ARG002
        """Whether `more` holds."""
        return self.possible(more)

    def scenario(self, facts: Sequence[Term]) -> dict[str, int]:  # noqa: ARG002
        """The scenario itself."""
        return dict(self.evaluator.scenario)

    smallest_scenario = scenario


class _Remembering(Likeness):
    """In one world there is one way to a state, and nothing to be forgotten or told once."""

    def of(self, state: State, base: int) -> tuple[object, frozenset[str]]:
        """No state looks like another."""
        return object(), super().of(state, base)[1]

    def forget(self, src: State, tgt: State, base: int) -> tuple[State, State, tuple[Term, ...]]:  # noqa: ARG002
        """Both states as they are."""
        return src, tgt, ()


@dataclass(frozen=True)
class Judged:
    """The differences of two programs in one world.

    `parts`: do their ways part at all? `placed`: in nothing but where, between two
    gates, the same is done? `lost`: of the pointers that tgt reads through, that
    they are NULL, where src does not read through them. `same_page`: is the mm given
    another address of the same page?
    """

    differences: tuple[Difference, ...]
    parts: bool
    placed: bool
    lost: tuple[Term, ...]
    same_page: bool


def judge(
    src: Side, tgt: Side, scenario: Mapping[str, int], user: bool, inside: str | None = None
) -> Judged:
    """The differences, each with its class in this world. Raises what `Walk.run` raises.

    The sides are as `mode.in_one_world()` gives them; `inside` is as in `compare()`.
    """
    solver = OneWorld.of(scenario)
    found = Findings(src, tgt, cast(SlicingSolver, solver), Stretches(), inside)
    walk = found.walk(user)
    walk.likeness = _Remembering()
    walk.run()
    partings = [p for kept in found.partings.values() for p in kept]
    placed = all(
        p.channel in (Channel.STEPS, Channel.ACCOUNTING) and p.src.end is p.tgt.end
        for p in partings
    )
    found.settle(walk, user)
    presumed = walk.tgt.presumed.items() if walk.unmatched else ()
    lost = tuple(negate(learnt) for fact, learnt in presumed if not solver.possible((fact,)))
    return Judged(tuple(found.differences), bool(partings), placed, lost, walk.same_page)


def departures(side: Side, scenario: Mapping[str, int], user: bool) -> tuple[Difference, ...]:
    """Where a program departs from the contract in one world. Raises what `check()` raises.

    What the contract says of all ways together (an outcome that has no case, a fault
    that is never counted) is said of this world alone.
    """
    solver = cast(SlicingSolver, OneWorld.of(scenario))
    checking = Checking(Scene(side, solver, user))
    checking.survey.likeness = _Remembering()
    return tuple(checking.differences())
