# SPDX-License-Identifier: GPL-2.0-only
"""The differences of two programs in one world.

A walk whose solver knows one scenario goes along the one pair of ways that the
scenario leads along, and what it finds is classified by that very scenario.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from codegen.ir.state import State
from codegen.ir.terms import Term
from codegen.targets.compare.findings import Findings
from codegen.targets.compare.live import Likeness
from codegen.targets.compare.nodes import Difference, Side
from codegen.targets.compare.runs import Decided
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

    `parts`: do their ways part at all? `lost`: does tgt read through a pointer
    that is NULL, where src does not? `same_page`: is the mm given another address
    of the same page?
    """

    differences: tuple[Difference, ...]
    parts: bool
    lost: bool
    same_page: bool


def judge(src: Side, tgt: Side, scenario: Mapping[str, int], user: bool) -> Judged:
    """The differences, each with its class in this world. Raises what `Walk.run` raises.

    The sides are as `mode.in_one_world()` gives them.
    """
    solver = OneWorld.of(scenario)
    found = Findings(src, tgt, cast(SlicingSolver, solver), Stretches())
    walk = found.walk(user)
    walk.likeness = _Remembering()
    walk.run()
    parts = bool(found.partings)
    found.settle(walk, user)
    lost = bool(walk.unmatched) and not solver.possible(walk.tgt.presumed)
    return Judged(tuple(found.differences), parts, lost, walk.same_page)
