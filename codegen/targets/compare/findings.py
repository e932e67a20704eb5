# SPDX-License-Identifier: GPL-2.0-only
"""What the partings of a walk come to: differences that happen, each with its smallest scenario.

partings that look alike   ->   replayed in both programs, classified, the smallest told
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain, islice
from zlib import crc32

from codegen.ir import environment as env
from codegen.ir.environment import Plan
from codegen.ir.machine import MAX_STEPS
from codegen.ir.nodes import Global
from codegen.ir.printer import term_text
from codegen.ir.program import expressions_of
from codegen.ir.terms import Term, arithmetic, equal, integer, negate, order_of, symbol, truth
from codegen.ir.types import LONG_BITS
from codegen.targets.compare.joints import Channel, Parting, Unmatched
from codegen.targets.compare.kinds import given, kind_of, letter
from codegen.targets.compare.leaving import once_a_place
from codegen.targets.compare.nodes import (
    Difference,
    DifferenceClass,
    Side,
    causes_of,
    plainness,
    size_of,
)
from codegen.targets.compare.pair import Walk
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.stretches import Stretches
from codegen.targets.compare.telling import Telling, line_at
from codegen.targets.compare.told import Seen, Told
from codegen.targets.compare.world import World, line_of

MAX_HISTORIES = 400
"""How many ways to a difference are tried before it is left open."""
MAX_ENDINGS = 8
"""How many ways to an end are tried for one on which the difference is seen again."""
MAX_LOOKED_AT = 48
"""How many differences of all kinds are looked at for the smallest scenario."""
MAX_KEPT = 400
"""How many differences of one kind are kept for the one that is told."""
MAX_ALIKE = 12
"""How many worlds are tried for one of them."""


_ByClass = dict[DifferenceClass, Told]


@dataclass
class Findings:
    """The partings of the last walk, by kind, and what they come to."""

    src: Side
    tgt: Side
    solver: SlicingSolver
    stretches: Stretches
    inside: str | None = None
    max_steps: int = MAX_STEPS
    partings: dict[object, list[Parting]] = field(default_factory=dict)
    crowded: set[object] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.telling = Telling(self.src, self.tgt, self.inside)
        self.entry = self.telling.entry

    def walk(self, user: bool) -> Walk:
        """A walk over both sides in one mode; what it finds is kept here."""
        self.partings, self.crowded = {}, set()
        self.differences, self.notes = [], []
        plan = Plan(mode=user, contended=True, extra_bits=True)
        worlds = [
            World(
                s.program, s.entry, plan, self.solver, s.mode, self.telling.params, s.per_vma_lock
            )
            for s in (self.src, self.tgt)
        ]
        for world, side in zip(worlds, (self.src, self.tgt), strict=True):
            world.low_stack = side.low_stack
            world.known = {**self.tgt.known, **self.src.known}
            world.max_steps = self.max_steps
            world.widths = self.telling.widths
            world.ways = partial(self.stretches.ways, world)
            world.gone = side.runs.gone
            world.gone.clear()
        facts, pairings = tuple(self.numbers), self.stretches.pairings
        return Walk(worlds[0], worlds[1], self.solver, facts, self._keep, pairings)

    def key(self, walk: Walk, user: bool) -> object:
        """All that a walk and what it comes to hang on, but for the blocks gone through."""
        sides = tuple(
            (s.entry, s.handler, s.mode, s.label, s.per_vma_lock, s.low_stack)
            for s in (self.src, self.tgt)
        )
        constants = id(self.src.program.constants), id(self.tgt.program.constants)
        told = self.telling.counters, self.inside, self.max_steps
        return user, sides, constants, walk.start().facts, tuple(self.numbers), told

    @cached_property
    def numbers(self) -> dict[Term, None]:
        """What the headers say of the names in the two programs."""
        given = {**self.tgt.numbers, **self.src.numbers}
        named = {
            e.name
            for side in (self.src, self.tgt)
            for function in side.program.functions.values()
            for e in expressions_of(function)
            if isinstance(e, Global)
        }
        return {
            equal(symbol(name, LONG_BITS), integer(value, LONG_BITS)): None
            for name, value in sorted(given.items())
            if name in named
        }

    def _asked(self, facts: tuple[Term, ...]) -> tuple[Term, ...]:
        """The facts without the numbers of names that no other fact is about."""
        about = {n for fact in facts if fact not in self.numbers for n in fact.symbols()}
        return tuple(f for f in facts if f not in self.numbers or f.symbols() <= about)

    def _keep(self, parting: Parting) -> None:
        """Partings that look alike are one kind; a few of each, the shortest, are enough."""
        kind = kind_of(parting, self.telling.tables)
        kept = self.partings.setdefault(kind, [])
        kept.append(parting)
        kept.sort(key=lambda p: (p.joint.src.faults, len(p.facts)))
        if len(kept) > MAX_KEPT:
            self.crowded.add(kind)
            del kept[MAX_KEPT:]

    def really_unmatched(self, walk: Walk) -> str | None:
        """What is to be said of src's ways that some world leads along, and that beside no way of
        tgt.

        Where pairs of states were told once, src may take a way that no world
        leads along; such a way needs no partner.
        """
        lost: list[Unmatched] = []
        for way in walk.lost:
            own = (*way.src.facts[len(way.joint.facts) :], *way.facts)
            for tried, history in enumerate(way.joint.histories()):
                facts = (*(f for step in history for f in step.facts), *own)
                if tried >= MAX_HISTORIES or self.solver.possible(facts):
                    lost.append(way)
                    break
        if not lost:
            return None
        line = line_of(lost[0].src, self.entry)
        note = f"{len(lost)} ways of src (line {line}) meet a world that tgt has no way in"
        where = sorted({term_text(fact) for way in lost for fact in way.undefined})
        return f"{note}, where {' or '.join(where)}" if where else note

    def settle(self, walk: Walk, user: bool) -> None:
        """Makes differences of the partings of one mode: those that really happen."""
        # Where there are few kinds, more of each are looked at for the smallest scenario.
        most = max(1, MAX_LOOKED_AT // max(1, len(self.partings)))
        found: list[_ByClass] = []
        left: list[tuple[list[tuple[Parting, Seen]], list[Parting], _ByClass]] = []
        for kind, kept in self.partings.items():
            happens = kind in self.crowded
            seen: list[tuple[Parting, Seen]] = []
            looked = 0
            for parting in kept:
                looked += 1
                feasible, run = self._seen(walk, parting)
                happens = happens or feasible
                if run is not None:
                    seen.append((parting, run))
                if len(seen) >= most:
                    break
            told: _ByClass = {}
            # What looks alike may be of another class in another world.
            judged = (self.telling.told(parting, user, run) for parting, run in seen)
            for one in sorted(judged, key=lambda t: plainness(t.difference)):
                told.setdefault(one.difference.cls, one)
            found.append(told)
            left.append((seen[:1], kept[looked:], told))
            if kind in self.crowded:
                where = f"line {line_at(kept[0], self.entry)}, {kept[0].channel.value}"
                self.notes.append(
                    f"of more than {MAX_KEPT} differences some have no class ({where})"
                )
            if not seen and happens and kept[0].channel is not Channel.ACCOUNTING:
                # What is counted in one stretch here and in another there is counted all
                # the same, where no whole run of the kind shows a difference.
                where = f"line {line_at(kept[0], self.entry)}, {kept[0].channel.value}"
                self.notes.append(f"a difference could not be replayed ({where})")
        # Nothing is worse than `other`, and inside a routine there is nothing else.
        if self.inside is None and not any(DifferenceClass.OTHER in told for told in found):
            done: set[object] = set()
            for seen, partings, told in left:
                self._complete(walk, partings, user, told)
                for parting, run in seen:
                    way = (given(parting.shown.steps), *told)
                    if parting.channel is Channel.STEPS and parting.shown.steps and way not in done:
                        done.add(way)
                        self._tell_apart(walk, parting, user, run, told)
        places = once_a_place(one for told in found for one in told.values())
        told_by = {id(one.difference): one for one in places}
        for causes in causes_of(one.difference for one in told_by.values()):
            self.differences += [self._smallest(told_by[id(d)], user) for d in causes]

    def _smallest(self, told: Told, user: bool) -> Difference:
        """The difference in the smallest scenario, where it is the same one there."""
        small = told.difference
        scenario = self.solver.smallest_scenario(self._asked(told.run.facts))
        is_smaller = size_of(scenario) < size_of(told.run.scenario)
        run = self.telling.run(scenario, told.run.facts) if is_smaller else None
        if run is None:
            return small
        smallest = self.telling.told(told.parting, user, run).difference
        same = (smallest.cls, smallest.outcome) == (small.cls, small.outcome)
        return min(small, smallest, key=plainness) if same else small

    def _complete(
        self, walk: Walk, partings: Sequence[Parting], user: bool, told: _ByClass
    ) -> None:
        """Adds to what is `told` of a kind those of its other partings that are of another class.

        Of what is counted, or held, on ways that are the same to the letter one is enough.
        """
        met: set[object] = set()
        for parting in partings:
            if DifferenceClass.OTHER in told:
                return
            if parting.channel in (Channel.ACCOUNTING, Channel.HELD):
                ways = letter(parting.src), letter(parting.tgt)
                if ways in met:
                    continue
                met.add(ways)
            _, run = self._seen(walk, parting)
            if run is None or self.telling.class_of(parting, user, run) in told:
                continue
            one = self.telling.told(parting, user, run)
            told[one.difference.cls] = one

    def _tell_apart(
        self, walk: Walk, parting: Parting, user: bool, run: Seen, told: _ByClass
    ) -> None:
        """Adds the class that a parting has once no two values are equal by chance.

        In the smallest scenario most numbers are 0: whoever is given another one than
        it should be is given the same there.
        """
        case = self.telling.case(parting, user, run)
        runs = [run.src, run.tgt, *(case.unmapped() or ()), *(case.allowed(0) or ())]
        values = {
            term
            for one in runs
            for event in one.halt.trace
            for arg in event.args
            for term in arg.walk()
            if term.op in ("sym", "call") and term.bits >= 16 and "#" not in str(term.payload)
        }
        if DifferenceClass.OTHER in told or not values:
            return
        _, again = self._seen(walk, parting, sorted(values, key=order_of))
        if again is None or self.telling.class_of(parting, user, again) in told:
            return
        other = self.telling.told(parting, user, again)
        told[other.difference.cls] = other

    # -- from a parting to a difference ----------------------------------------------

    def _seen(
        self, walk: Walk, parting: Parting, values: Sequence[Term] = ()
    ) -> tuple[bool, Seen | None]:
        """(whether there is a world in which it happens, both sides as replayed in one).

        No two of `values` are equal there, and none is 0, as far as that can be.
        """
        feasible = False
        for world in self._worlds(parting):
            plain = self._distinct(self._plainest(world), values)
            # Where all that comes later may be 0, nothing has to be known of it.
            ways = chain((plain,), _finished(walk, parting, plain))
            for facts in islice(ways, MAX_ENDINGS + 1):
                try:
                    scenario = self.solver.scenario(self._asked(facts))
                except ValueError:
                    # What the solver has two names for is one thing: no world leads there.
                    continue
                feasible = True
                run = self.telling.run(scenario, facts)
                if run is not None:
                    return True, run
        return feasible, None

    def _worlds(self, parting: Parting) -> Iterator[tuple[Term, ...]]:
        """The facts of ways that lead to the parting, a few; none if no way does."""
        base = len(parting.joint.facts)
        own = (*parting.facts[base:], parting.condition)
        met = 0
        for tried, history in enumerate(parting.joint.histories()):
            if tried >= MAX_HISTORIES:
                self.notes.append(f"a difference after {tried} ways to it was left open")
                return
            facts = tuple(dict.fromkeys((*(f for way in history for f in way.facts), *own)))
            if self.solver.possible(facts):
                met += 1
                yield facts
            if met >= MAX_ALIKE:
                return

    def _plainest(self, facts: tuple[Term, ...]) -> tuple[Term, ...]:
        """The facts, and the lock free where it can be."""
        for fact in plain_world(facts):
            if self.solver.possible((*facts, fact)):
                facts = (*facts, fact)
        return facts

    def _distinct(self, facts: tuple[Term, ...], values: Sequence[Term]) -> tuple[Term, ...]:
        """The facts, and that each value has some bits of its own, or is at least not 0.

        That ties no two of them together, so what is found out of one serves wherever
        it is met.
        """
        for value in values:
            own = integer(1 + crc32(repr(value).encode()) % 255 << 4, value.bits)
            bits = equal(arithmetic("and", value, integer(0xFF0, value.bits)), own)
            for fact in (bits, truth(value)):
                if self.solver.also_possible((fact,), facts):
                    facts = (*facts, fact)
                    break
        return facts


def _finished(walk: Walk, parting: Parting, facts: tuple[Term, ...]) -> Iterator[tuple[Term, ...]]:
    """The facts with those of ways to the end on both sides; as they are if there is none."""
    known = False
    for src in islice(walk.src.endings(parting.src, facts), MAX_ENDINGS):
        for both in islice(walk.tgt.endings(parting.tgt, src), 2):
            known = True
            yield both
    if not known:
        yield facts


def plain_world(facts: tuple[Term, ...]) -> Iterator[Term]:
    """What a reader would suppose unless he is told otherwise."""
    seen: dict[str, Term] = {}
    for fact in facts:
        for part in fact.walk():
            if part.op == "sym" and isinstance(part.payload, str):
                seen[part.payload] = part
    for name, part in seen.items():
        if part.bits == 1 and name.partition("#")[0] in env.LOCK_ANSWERS:
            yield negate(part)
