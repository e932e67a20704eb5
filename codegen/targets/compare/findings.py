# SPDX-License-Identifier: GPL-2.0-only
"""What the partings of a walk come to: differences that happen, each with its smallest scenario.

partings that look alike   ->   replayed in both programs, classified, the smallest told
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from itertools import chain, islice
from typing import NamedTuple
from zlib import crc32

from codegen.ir import environment as env
from codegen.ir.environment import Outcome, Plan
from codegen.ir.machine import MAX_STEPS
from codegen.ir.nodes import Function, Global, PureCall
from codegen.ir.printer import term_text
from codegen.ir.program import expressions_of
from codegen.ir.terms import Term, arithmetic, equal, integer, negate, order_of, symbol, truth
from codegen.ir.trace import End, Event, EventKind
from codegen.ir.types import LONG_BITS
from codegen.ir.vocabulary import Role
from codegen.targets.compare.answers import answers_differ, bug_before
from codegen.targets.compare.apart import apart, first_line, only_in, swapped, until_swapped
from codegen.targets.compare.cases import Case, Tail
from codegen.targets.compare.classify import classify
from codegen.targets.compare.explain import explanation, part_words
from codegen.targets.compare.joints import Channel, Parting, Unmatched
from codegen.targets.compare.leaving import Leaving, leaving, once_a_place
from codegen.targets.compare.mode import names_called
from codegen.targets.compare.nodes import (
    Difference,
    DifferenceClass,
    Side,
    plainness,
)
from codegen.targets.compare.observe import Step, Writes
from codegen.targets.compare.pair import Walk
from codegen.targets.compare.scenario import (
    Atoms,
    Replay,
    agree,
    early,
    pass_before,
    permissive,
    replay,
    shifted,
    with_entry,
)
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.stretches import Stretches
from codegen.targets.compare.world import Halt, World, line_of

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


_ByClass = dict[DifferenceClass, tuple[Difference, Leaving | None]]


class Seen(NamedTuple):
    """A difference as it was replayed: the scenario, and what either side did in it."""

    scenario: dict[str, int]
    src: Replay
    tgt: Replay


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
        self.params = tuple(p.name for p in self.src.program.functions[self.src.entry].params)
        self.entry = self.src.program.functions[self.src.entry]
        self.tables = self.src.program.vocabulary.words(Role.KERNEL_READS)
        self.constants = {**self.tgt.program.constants, **self.src.program.constants}

    def walk(self, user: bool) -> Walk:
        """A walk over both sides in one mode; what it finds is kept here."""
        self.partings, self.crowded = {}, set()
        self.differences, self.notes = [], []
        plan = Plan(mode=user, contended=True, extra_bits=True)
        worlds = [
            World(s.program, s.entry, plan, self.solver, s.mode, self.params, s.per_vma_lock)
            for s in (self.src, self.tgt)
        ]
        for world, side in zip(worlds, (self.src, self.tgt), strict=True):
            world.low_stack = side.low_stack
            world.max_steps = self.max_steps
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
        told = self.counters, self.inside, self.max_steps
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
        kind = (
            parting.channel,
            parting.position if parting.channel is Channel.FLAGS else 0,
            parting.src.outcome,
            parting.tgt.outcome,
            parting.joint.src.faults > 0,
            _answered(parting.facts, self.tables),
            _shape(parting.src),
            _shape(parting.tgt),
        )
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
            judged = (self._told(parting, user, *run) for parting, run in seen)
            for one in sorted(judged, key=lambda d: plainness(d[0])):
                told.setdefault(one[0].cls, one)
            found.append(told)
            left.append((seen[:1], kept[looked:], told))
            if kind in self.crowded:
                where = f"line {self.line(kept[0], self.entry)}, {kept[0].channel.value}"
                self.notes.append(
                    f"of more than {MAX_KEPT} differences some have no class ({where})"
                )
            if not seen and happens and kept[0].channel is not Channel.ACCOUNTING:
                # What is counted in one stretch here and in another there is counted all
                # the same, where no whole run of the kind shows a difference.
                where = f"line {self.line(kept[0], self.entry)}, {kept[0].channel.value}"
                self.notes.append(f"a difference could not be replayed ({where})")
        # Nothing is worse than `other`, and inside a routine there is nothing else.
        if self.inside is None and not any(DifferenceClass.OTHER in told for told in found):
            done: set[object] = set()
            for seen, partings, told in left:
                self._complete(walk, partings, user, told)
                for parting, run in seen:
                    way = (_given(parting.shown.steps), *told)
                    if parting.channel is Channel.STEPS and parting.shown.steps and way not in done:
                        done.add(way)
                        self._tell_apart(walk, parting, user, run, told)
        self.differences += once_a_place(one for told in found for one in told.values())

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
                ways = _letter(parting.src), _letter(parting.tgt)
                if ways in met:
                    continue
                met.add(ways)
            _, run = self._seen(walk, parting)
            if run is None or classify(self._case(parting, user, *run)) in told:
                continue
            one = self._told(parting, user, *run)
            told[one[0].cls] = one

    def _tell_apart(
        self, walk: Walk, parting: Parting, user: bool, run: Seen, told: _ByClass
    ) -> None:
        """Adds the class that a parting has once no two values are equal by chance.

        In the smallest scenario most numbers are 0: whoever is given another one than
        it should be is given the same there.
        """
        case = self._case(parting, user, *run)
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
        if again is None or classify(self._case(parting, user, *again)) in told:
            return
        other = self._told(parting, user, *again)
        told[other[0].cls] = other

    @staticmethod
    def line(parting: Parting, entry: Function) -> int:
        """Where the two part, in src's file: the first step that differs, else where src ends."""
        steps = parting.seen.steps
        if parting.position < len(steps):
            step = steps[parting.position]
            event = step if isinstance(step, Event) else step.events[0]
            return event.line
        return line_of(parting.src, entry)

    def _causes(self, case: Case) -> tuple[tuple[str, ...], ...]:
        """For each place where two ways part, what tells it: a call that only one program
        makes at all, else what either side does there."""
        if case.channel is not Channel.STEPS:
            return ()
        told = []
        for part in case.apart:
            mine = [f"src {n}" for n in only_in(part.src, self.called[1])]
            theirs = [f"tgt {n}" for n in only_in(part.tgt, self.called[0])]
            told.append(tuple(mine + theirs) or part_words(part))
        return tuple(told)

    @cached_property
    def counters(self) -> tuple[str, ...]:
        """The words by which tgt asks where the fault happened.

        lock_mm_and_find_vma() asks by the first; where nobody asks by the second
        (arch/mips), a scenario says nothing of it.
        """
        asked = {
            e.name
            for function in self.tgt.program.functions.values()
            for e in expressions_of(function)
            if isinstance(e, PureCall)
        }
        return ("instruction_pointer", *({"exception_ip"} & asked))

    @cached_property
    def called(self) -> tuple[frozenset[str], frozenset[str]]:
        """What either program calls from its entry on."""
        return names_called(self.src), names_called(self.tgt)

    def tgt_line(self, parting: Parting) -> int:
        """The same in tgt's file."""
        line = first_line(parting.shown.steps[parting.position :])
        entry = self.tgt.program.functions[self.tgt.entry]
        is_step = parting.channel is Channel.STEPS
        return line if is_step and line is not None else line_of(parting.tgt, entry)

    # -- from a parting to a difference ----------------------------------------------

    def _seen(
        self, walk: Walk, parting: Parting, values: Sequence[Term] = ()
    ) -> tuple[bool, Seen | None]:
        """(whether there is a world in which it happens, both sides as replayed in one).

        No two of `values` are equal there, and none is 0, as far as that can be.
        """
        feasible = False
        for world in self._worlds(parting):
            feasible = True
            plain = self._distinct(self._plainest(world), values)
            # Where all that comes later may be 0, nothing has to be known of it.
            ways = chain((plain,), _finished(walk, parting, plain))
            for facts in islice(ways, MAX_ENDINGS + 1):
                scenario = self.solver.scenario(self._asked(facts))
                src = replay(self.src, self.params, scenario)
                tgt = replay(self.tgt, self.params, scenario)
                if src is not None and tgt is not None and not agree(src, tgt):
                    return True, Seen(scenario, src, tgt)
        return feasible, None

    def _told(
        self,
        parting: Parting,
        user: bool,
        scenario: dict[str, int],
        src: Replay,
        tgt: Replay,
    ) -> tuple[Difference, Leaving | None]:
        case = self._case(parting, user, scenario, src, tgt)
        if self.inside is not None:
            case = replace(case, apart=until_swapped(case.apart, parting.facts, self.called))
            cls, outcome = DifferenceClass.OTHER, None
        else:
            cls, outcome = classify(case), outcome_text(case)
        left = None
        if cls is DifferenceClass.OTHER and self.inside is None:
            left = leaving(case, self.src, self.tgt, scenario, self.called)
        told = Difference(
            cls,
            "user" if user else "kernel",
            outcome,
            self.line(parting, self.entry),
            scenario,
            src.trace,
            tgt.trace,
            self._sentence(cls, case, outcome),
            inside=self.inside,
            tgt_line=self.tgt_line(parting),
            causes=self._causes(case) if cls is DifferenceClass.OTHER else (),
        )
        return told, left

    def _sentence(self, cls: DifferenceClass, case: Case, outcome: str | None) -> str:
        told = explanation(cls, case, outcome, self.inside)
        if self.inside is None or not case.apart or not swapped(case.apart[-1], self.called):
            return told
        return f"{told.removesuffix('.')}; what hangs on that is not told apart."

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

    def _case(
        self,
        parting: Parting,
        user: bool,
        scenario: dict[str, int],
        src: Replay,
        tgt: Replay,
    ) -> Case:
        joint = parting.joint
        passes = joint.src.faults + 1
        acquired = joint.src.acquired - (1 if joint.at_fault and joint.src.acquired else 0)
        contended = f"mmap_lock_contended#{acquired + 1}"

        def alike(changed: dict[str, int], fast: bool = True) -> tuple[Replay, Replay] | None:
            a = replay(self.src, self.params, changed, fast)
            b = replay(self.tgt, self.params, changed, fast)
            if a is None or b is None or not agree(a, b, counters=False, moved=moved()):
                return None
            return a, b

        def alone() -> bool:
            free = {**scenario, contended: 0}
            with_own = replay(self.tgt, self.params, free)
            without = replay(self.tgt, self.params, free, fast=False)
            return (
                with_own is not None
                and without is not None
                and agree(tgt, with_own)
                and not answers_differ(with_own, without)
            )

        # More than one question asks for these runs.
        @cache
        def fresh() -> tuple[Replay, Replay] | None:
            moved = shifted(scenario, pass_before(joint))
            a = replay(self.src, self.params, moved)
            b = replay(self.tgt, self.params, moved)
            return None if a is None or b is None else (a, b)

        @cache
        def allowed(answer: int) -> tuple[Replay, Replay] | None:
            changed = permissive(scenario, passes, answer)
            a = replay(self.src, self.params, changed)
            b = replay(self.tgt, self.params, changed)
            return None if a is None or b is None else (a, b)

        @cache
        def unmapped() -> tuple[Replay, Replay] | None:
            changed = permissive(scenario, passes, 0)
            changed |= {f"vma_found#{n}": 0 for n in range(1, passes + 2)}
            a = replay(self.src, self.params, changed)
            b = replay(self.tgt, self.params, changed)
            return None if a is None or b is None else (a, b)

        @cache
        def moved() -> Atoms:
            runs = allowed(0)
            return () if runs is None else early(*runs)

        def bug_ahead() -> bool:
            if parting.src.end is not End.RETRY:
                return False
            runs = (allowed(0), unmapped())
            return any(r is not None and bug_before(r[0], passes) for r in runs)

        return Case(
            parting.channel,
            user,
            self._outcome(parting, scenario, user),
            passes,
            acquired + 1,
            bool(scenario.get(contended)),
            Tail(parting.seen.steps, parting.seen.accounting, parting.src, src),
            Tail(parting.shown.steps, parting.shown.accounting, parting.tgt, tgt),
            apart(parting.seen.steps, parting.shown.steps, src.number)
            if parting.channel is Channel.STEPS
            else (),
            self.constants,
            tuple(p.name for p in self.entry.params if p.type.pointer),
            self.counters,
            calm=lambda: alike({**scenario, contended: 0}) is not None,
            alone=alone,
            slow=lambda: alike(scenario, fast=False),
            fresh=fresh,
            entry=lambda: alike(with_entry(scenario, self.tables)) is not None,
            bug_ahead=bug_ahead,
            allowed=allowed,
            unmapped=unmapped,
            early=moved,
        )

    def _outcome(self, parting: Parting, scenario: dict[str, int], user: bool) -> Outcome | None:
        """What the pass met in which the sides parted; None before there was an outcome."""
        outcome = parting.src.outcome or parting.tgt.outcome
        number = parting.joint.src.faults + 1
        ordinal = parting.src.state.acquired if parting.src.state else 0
        if outcome is Outcome.RETRY:
            word = "signal_pending" if user else "fatal_signal_pending"
            if scenario.get(f"{word}#{number}"):
                return Outcome.SIGNAL_PENDING
        if outcome is Outcome.NO_VMA and scenario.get(f"vma_found#{ordinal}"):
            return Outcome.STACK_GROWTH_FAILURE
        if outcome is None and not parting.joint.at_fault and parting.joint.entered:
            if parting.src.end is not End.STOP and parting.src.found_vma:
                return Outcome.ACCESS_DENIED
            if parting.src.end is not End.STOP and scenario.get(f"vma_found#{ordinal}"):
                return Outcome.NO_VMA
        return outcome


def _finished(walk: Walk, parting: Parting, facts: tuple[Term, ...]) -> Iterator[tuple[Term, ...]]:
    """The facts with those of ways to the end on both sides; as they are if there is none."""
    known = False
    for src in islice(walk.src.endings(parting.src, facts), MAX_ENDINGS):
        for both in islice(walk.tgt.endings(parting.tgt, src), 2):
            known = True
            yield both
    if not known:
        yield facts


def outcome_text(case: Case) -> str | None:
    """The outcome as the JSON contract words it."""
    if case.contended and case.src.halt.outcome is None:
        return env.LOCK_CONTENDED
    if case.outcome is not None:
        return str(case.outcome)
    danced = case.src.halt.danced or case.tgt.halt.danced
    return None if danced else env.PROLOGUE


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


def _answered(facts: tuple[Term, ...], tables: frozenset[str]) -> tuple[str, ...]:
    """What is known of the world's answers that a class hangs on.

    Which signals are pending or not, which locks are contended and which waits
    killed, and what the exception table was found to hold, asked by one of `tables`.
    """
    told = set()
    words = (*env.LOCK_ANSWERS, *env.SIGNAL_ANSWERS)
    for fact in facts:
        atom = fact.args[0] if fact.op == "lnot" else fact
        if any(t.op == "call" and str(t.payload).split("@")[0] in tables for t in atom.walk()):
            told.add(repr(fact))
        elif len(names := atom.symbols()) == 1 and min(names).partition("#")[0] in words:
            told.add(repr(fact).split("#")[0])
    return tuple(sorted(told))


def _given(steps: tuple[Step, ...]) -> object:
    """What is done, and with which values, wherever in the text that is."""
    events = (e for s in steps for e in (s.events if isinstance(s, Writes) else (s,)))
    return tuple((e.kind, e.name, e.args) for e in events)


def _letter(halt: Halt) -> object:
    """What a way does, with what it gives to whom."""
    steps = tuple((e.kind, e.name, e.args) for e in halt.trace)
    return halt.end, halt.gate, halt.value, halt.held, steps


def _shape(halt: object) -> tuple[object, ...]:
    trace: tuple[Event, ...] = halt.trace  # type: ignore[attr-defined]
    end, held = halt.end, halt.held  # type: ignore[attr-defined]
    steps = tuple(
        (e.kind, e.name, tuple(a.name if a.is_constant else None for a in e.args))
        for e in trace
        if e.kind not in (EventKind.LOCK, EventKind.UNLOCK)
    )
    return (end, held, steps)
