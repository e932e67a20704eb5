# SPDX-License-Identifier: GPL-2.0-only
"""From a parting that was seen in a world to the difference that is told of it.

parting, scenario, both replays   ->   missing-case, kernel mode, VM_FAULT_SIGBUS, line 97
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property

from codegen.ir import environment as env
from codegen.ir.environment import Outcome
from codegen.ir.nodes import Function, PureCall
from codegen.ir.program import expressions_of
from codegen.ir.terms import Term
from codegen.ir.trace import End, Event
from codegen.ir.vocabulary import Role
from codegen.targets.compare.answers import answers_differ, bug_before
from codegen.targets.compare.apart import apart, first_line, only_in, swapped, until_swapped
from codegen.targets.compare.cases import Case, Tail
from codegen.targets.compare.classify import classify
from codegen.targets.compare.explain import explanation, part_words
from codegen.targets.compare.joints import Channel, Parting
from codegen.targets.compare.leaving import leaving
from codegen.targets.compare.live import stood_for
from codegen.targets.compare.mode import names_called
from codegen.targets.compare.nodes import Difference, DifferenceClass, Side
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
from codegen.targets.compare.told import Seen, Told
from codegen.targets.compare.world import line_of


@dataclass(frozen=True)
class Telling:
    """Both sides as a reader is told of them; `inside` as in `compare()`."""

    src: Side
    tgt: Side
    inside: str | None = None

    @cached_property
    def entry(self) -> Function:
        """src's function."""
        return self.src.program.functions[self.src.entry]

    @cached_property
    def params(self) -> tuple[str, ...]:
        """The names that the parameters go by on both sides."""
        return tuple(p.name for p in self.entry.params)

    @property
    def widths(self) -> dict[str, int]:
        """How wide either side takes the parameters, the wider counting."""
        theirs = self.tgt.program.functions[self.tgt.entry].params
        pairs = zip(self.entry.params, theirs, strict=False)
        return {
            a.name: max(a.type.bits, b.type.bits)
            for a, b in pairs
            if not any(p.type.pointer or p.type.record or p.type.boolean for p in (a, b))
        }

    @cached_property
    def tables(self) -> frozenset[str]:
        """The words that ask the exception table."""
        return self.src.program.vocabulary.words(Role.KERNEL_READS)

    @cached_property
    def constants(self) -> dict[str, int]:
        """What both programs call flags by."""
        return {**self.tgt.program.constants, **self.src.program.constants}

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

    def run(self, scenario: dict[str, int], facts: tuple[Term, ...]) -> Seen | None:
        """What both sides do in a scenario of these facts, where they do not agree.

        None where they do, or where it leads one of them nowhere. What the ways to
        it have carried over the passes has its number in both runs.
        """
        both = self._both({**scenario, **stood_for(facts, scenario)})
        return None if both is None or agree(*both) else Seen(scenario, *both, facts)

    def _both(self, scenario: Mapping[str, int], fast: bool = True) -> tuple[Replay, Replay] | None:
        src = replay(self.src, self.params, scenario, fast)
        tgt = replay(self.tgt, self.params, scenario, fast)
        return None if src is None or tgt is None else (src, tgt)

    def class_of(self, parting: Parting, user: bool, run: Seen) -> DifferenceClass:
        """The class of the difference that a handler's parting is in one world."""
        return classify(self.case(parting, user, run))

    def told(self, parting: Parting, user: bool, run: Seen) -> Told:
        """The difference that a parting is in one world."""
        case, scenario = self.case(parting, user, run), run.scenario
        if self.inside is not None:
            case = replace(case, apart=until_swapped(case.apart, parting.facts, self.called))
            cls, outcome = DifferenceClass.OTHER, None
        else:
            cls, outcome = classify(case), outcome_text(case)
        left = None
        if cls is DifferenceClass.OTHER and self.inside is None:
            left = leaving(case, self.src, self.tgt, scenario, self.called)
        difference = Difference(
            cls,
            "user" if user else "kernel",
            outcome,
            line_at(parting, self.entry),
            scenario,
            run.src.trace,
            run.tgt.trace,
            self._sentence(cls, case, outcome),
            inside=self.inside,
            tgt_line=self._tgt_line(parting),
            causes=self._causes(case) if cls is DifferenceClass.OTHER else (),
        )
        return Told(difference, left, parting, run)

    def _sentence(self, cls: DifferenceClass, case: Case, outcome: str | None) -> str:
        told = explanation(cls, case, outcome, self.inside)
        if self.inside is None or not case.apart or not swapped(case.apart[-1], self.called):
            return told
        return f"{told.removesuffix('.')}; what hangs on that is not told apart."

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

    def _tgt_line(self, parting: Parting) -> int:
        """The same in tgt's file."""
        line = first_line(parting.shown.steps[parting.position :])
        entry = self.tgt.program.functions[self.tgt.entry]
        is_step = parting.channel is Channel.STEPS
        return line if is_step and line is not None else line_of(parting.tgt, entry)

    def case(self, parting: Parting, user: bool, run: Seen) -> Case:
        """The parting, the world that it was seen in, and what the classes ask of others."""
        scenario, src, tgt, _ = run
        joint = parting.joint
        passes = joint.src.faults + 1
        acquired = joint.src.acquired - (1 if joint.at_fault and joint.src.acquired else 0)
        contended = f"mmap_lock_contended#{acquired + 1}"

        def alike(changed: dict[str, int], fast: bool = True) -> tuple[Replay, Replay] | None:
            both = self._both(changed, fast)
            return both if both and agree(*both, counters=False, moved=moved()) else None

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
            return self._both(shifted(scenario, pass_before(joint)))

        @cache
        def allowed(answer: int) -> tuple[Replay, Replay] | None:
            return self._both(permissive(scenario, passes, answer))

        @cache
        def unmapped() -> tuple[Replay, Replay] | None:
            changed = permissive(scenario, passes, 0)
            changed |= {f"vma_found#{n}": 0 for n in range(1, passes + 2)}
            return self._both(changed)

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
            _outcome(parting, scenario, user),
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


def line_at(parting: Parting, entry: Function) -> int:
    """Where the two part, in src's file: the first step that differs, else where src ends."""
    steps = parting.seen.steps
    if parting.position < len(steps):
        step = steps[parting.position]
        event = step if isinstance(step, Event) else step.events[0]
        return event.line
    return line_of(parting.src, entry)


def _outcome(parting: Parting, scenario: dict[str, int], user: bool) -> Outcome | None:
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


def outcome_text(case: Case) -> str | None:
    """The outcome as the JSON contract words it."""
    if case.contended and case.src.halt.outcome is None:
        return env.LOCK_CONTENDED
    if case.outcome is not None:
        return str(case.outcome)
    danced = case.src.halt.danced or case.tgt.halt.danced
    return None if danced else env.PROLOGUE
