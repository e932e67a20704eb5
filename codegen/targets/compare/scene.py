# SPDX-License-Identifier: GPL-2.0-only
"""A program in one mode, and how a way through it becomes a scenario.

scene.worlds(parting)       facts of ways that lead to it
scene.scenarios([facts])    {"handle_mm_fault#1": 1024, "user_mode(regs)": 1}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from codegen.ir.environment import Plan
from codegen.ir.nodes import Function
from codegen.ir.terms import Term
from codegen.ir.vocabulary import Role
from codegen.targets.compare.joints import Joint, Parting
from codegen.targets.compare.nodes import Side
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.survey import met
from codegen.targets.compare.telling import line_at
from codegen.targets.compare.world import World

MAX_HISTORIES = 6
"""How many ways to a finding are tried for one that some world leads along."""


@dataclass(frozen=True)
class Scene:
    """One side in one mode."""

    side: Side
    solver: SlicingSolver
    user: bool

    @property
    def entry(self) -> Function:
        """The function that the program starts in."""
        return self.side.program.functions[self.side.entry]

    @property
    def constants(self) -> Mapping[str, int]:
        """The numbers of the tree."""
        return self.side.program.constants

    @property
    def has_fast(self) -> bool:
        """Whether a VMA's own lock is tried first."""
        words = self.side.program.roles(self.side.entry)
        return self.side.per_vma_lock and Role.LOCK_VMA in words

    @property
    def mode_word(self) -> str:
        """How interface.md calls the mode."""
        return "user" if self.user else "kernel"

    def explained(self, outcome: str | None, words: str) -> str:
        """The sentence of a finding."""
        met = f"{self.mode_word} mode{', ' + outcome if outcome else ''}"
        return f"{met}: {words}."

    def world(self, contended: bool = True, fast: bool = True) -> World:
        """The program in the mode, to be walked."""
        plan = Plan(mode=self.user, contended=contended, extra_bits=True)
        side = self.side
        return World(
            side.program,
            side.entry,
            plan,
            self.solver,
            side.mode,
            fast=fast and side.per_vma_lock,
        )

    def worlds(self, parting: Parting, when: Term) -> Iterator[tuple[Term, ...]]:
        """The facts of a few ways that lead to a parting, where `when` holds, if there are any."""
        own = (*parting.facts[len(parting.joint.facts) :], parting.condition, when)
        yield from self.histories(parting.joint, own)

    def histories(self, joint: Joint, own: tuple[Term, ...]) -> Iterator[tuple[Term, ...]]:
        """The facts of a few ways to a joint, with `own`, as far as they hold together."""
        for history in islice(joint.histories(), MAX_HISTORIES):
            facts = tuple(dict.fromkeys((*(f for way in history for f in way.facts), *own)))
            if self.solver.possible(facts):
                yield facts

    def met(self, parting: Parting) -> Iterator[tuple[str | None, Term]]:
        """(what the pass met in which the sides part, when)."""
        found: dict[str | None, Term] = {}
        for halt in (parting.src, parting.tgt):
            for outcome, when in met(parting.joint, halt, self.solver, self.user, self.constants):
                if self.solver.decide(when, parting.facts) is not False:
                    found.setdefault(outcome, when)
        if len(found) > 1:
            found.pop(None, None)
        yield from found.items()

    def scenarios(self, ways: Iterable[tuple[Term, ...]]) -> Iterator[dict[str, int]]:
        """The smallest scenario of the facts of each way that some world leads along."""
        for facts in ways:
            # What the solver has two names for may be one thing.
            with suppress(ValueError):
                yield self.solver.smallest_scenario(facts)

    def line(self, parting: Parting) -> int:
        """Where a parting is seen first."""
        return line_at(parting, self.entry)
