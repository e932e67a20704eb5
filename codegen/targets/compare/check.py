# SPDX-License-Identifier: GPL-2.0-only
"""One program against the contract of generic_fault(), as findings.

    check(side) -> (Difference(UACCESS_LIVELOCK, "kernel", "signal_pending_after_RETRY", 147, ...),)

The contract needs no program of its own. What it says of one way (kernel mode
sends no signal, a retry that is not taken ends in the fixup, ...) is asked of
each way; that a pass does what the first one would, and that the fast path
does what the slow one would, is a comparison of the program with itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from codegen.ir.concrete import scenario_of
from codegen.ir.environment import Outcome, Plan, truth_symbol
from codegen.ir.state import State
from codegen.ir.terms import TRUE, Term, arithmetic, equal, integer
from codegen.ir.trace import End, Event, EventKind
from codegen.ir.vocabulary import Role
from codegen.targets.compare.classify import moves_on
from codegen.targets.compare.compare import Findings, line_of, smallest
from codegen.targets.compare.contract import runs_into_bug
from codegen.targets.compare.live import Likeness
from codegen.targets.compare.nodes import Difference, DifferenceClass, Side
from codegen.targets.compare.observe import Observed, Step, differing, observe
from codegen.targets.compare.pair import Channel, Joint, Parting, Walk, Way
from codegen.targets.compare.scenario import Replay, pass_before, replay, shifted
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.world import Halt, World

_ERRORS = frozenset(
    {Outcome.OOM, Outcome.SIGSEGV, Outcome.SIGBUS, Outcome.HWPOISON, Outcome.HWPOISON_LARGE}
)
MAX_TRIED = 6
"""How many ways are tried for a scenario of one finding."""


@dataclass(frozen=True)
class Finding:
    """One way that departs from the contract, before it has a scenario."""

    cls: DifferenceClass
    outcome: str | None
    joint: Joint
    halt: Halt
    condition: Term
    line: int
    explanation: str


class Survey(Walk):
    """A walk over one program; `look` is given every way from a gate."""

    def __init__(
        self,
        world: World,
        solver: SlicingSolver,
        look: Callable[[Joint, Halt, Observed], None],
    ) -> None:
        super().__init__(world, world, solver, (), _nothing)
        self.look = look
        self.begun: list[Joint] = []

    def _pairs(self, joint: Joint) -> Iterator[tuple[Halt, Halt]]:
        faults, passes = self.limits(joint)
        for halt in self._stretch(self.src, joint.src, joint.facts, faults, passes):
            self.pairs += 1
            yield halt, halt

    def _compare(self, joint: Joint, src: Halt, tgt: Halt) -> None:  # noqa: ARG002
        def holds(condition: Term) -> bool | None:
            return self.solver.decide(condition, src.facts)

        self.look(joint, src, observe(src.trace, holds))

    def _is_new(self, seen: dict[object, frozenset[Term]], key: object, joint: Joint) -> bool:
        if not joint.at_fault:
            self.begun.append(joint)
        return super()._is_new(seen, key, joint)


def _nothing(parting: Parting) -> None:
    """A program does not part from itself."""


def check(side: Side) -> tuple[Difference, ...]:
    """Every way in which a handler departs from the contract, one finding per class, mode, outcome.

    Raises ResourceBound where the ways are too many.
    """
    if side.entry not in side.program.functions:
        return ()
    checker = _Checker(side)
    for user in (True, False):
        checker.mode(user)
    return smallest(checker.differences)


@dataclass
class _Checker:
    side: Side
    solver: SlicingSolver = field(default_factory=SlicingSolver)
    differences: list[Difference] = field(default_factory=list)
    found: dict[object, list[Finding]] = field(default_factory=dict)
    user: bool = True
    counted: bool = False
    danced: Finding | None = None

    def __post_init__(self) -> None:
        self.entry = self.side.program.functions[self.side.entry]
        self.constants = self.side.program.constants
        self.has_fast = self.side.per_vma_lock and Role.LOCK_VMA in self.side.program.roles(
            self.side.entry
        )

    def world(self, contended: bool = True, fast: bool = True) -> World:
        """The program in the mode at hand."""
        plan = Plan(mode=self.user, contended=contended, extra_bits=True)
        return World(
            self.side.program,
            self.side.entry,
            plan,
            self.solver,
            self.side.mode,
            fast=fast and self.side.per_vma_lock,
        )

    def mode(self, user: bool) -> None:
        """Everything that is to be found in one mode."""
        self.user, self.found = user, {}
        self.counted, self.danced = False, None
        survey = Survey(self.world(), self.solver, self._look)
        survey.run()
        self._keep_uncounted()
        for kept in self.found.values():
            self._settle(survey, kept)
        self._stale(survey)
        if self.has_fast:
            self._fast_and_slow()

    def _keep_uncounted(self) -> None:
        if not self.counted and self.danced is not None:
            self._keep(self.danced)

    # -- one way ---------------------------------------------------------------------

    def _look(self, joint: Joint, halt: Halt, seen: Observed) -> None:
        for cls, condition, line, words in self._departures(joint, halt, seen):
            waits = cls is DifferenceClass.LOCK_WAIT
            outcome = "lock_contended" if waits else self._outcome(joint, halt)
            met = f"{self._mode_word} mode{', ' + outcome if outcome else ''}"
            self._keep(Finding(cls, outcome, joint, halt, condition, line, f"{met}: {words}."))

    def _keep(self, finding: Finding) -> None:
        kept = self.found.setdefault((finding.cls, finding.outcome), [])
        kept.append(finding)
        kept.sort(key=lambda f: (f.joint.src.faults, len(f.halt.facts)))
        del kept[MAX_TRIED:]

    def _departures(
        self, joint: Joint, halt: Halt, seen: Observed
    ) -> Iterator[tuple[DifferenceClass, Term, int, str]]:
        end = line_of(halt, self.entry)
        kinds = {s.kind: s for s in seen.steps if isinstance(s, Event)}
        at_last = halt.end not in (End.STOP, End.RETRY)
        after = joint.at_fault
        if self._is_livelock(halt, seen) and after:
            yield (
                DifferenceClass.UACCESS_LIVELOCK,
                TRUE,
                end,
                "the handler returns to the faulting instruction, which faults again for ever",
            )
        if after and runs_into_bug(seen.steps) and halt.outcome in _ERRORS:
            bug = kinds[EventKind.BUG]
            words = f"{halt.outcome} has no case and runs into {bug.name}()"
            yield DifferenceClass.MISSING_CASE, TRUE, bug.line, words
        if not self.user and EventKind.SIGNAL in kinds and self._in_dance(joint, halt):
            event = kinds[EventKind.SIGNAL]
            signo = event.part("signo")
            words = f"{(signo and signo.name) or 'a signal'} is sent for a fault in kernel mode"
            yield DifferenceClass.KERNEL_MODE_SIGNAL, TRUE, event.line, words
        if not self.user and EventKind.OOM in kinds and self._in_dance(joint, halt):
            words = "the OOM killer is told of a fault in kernel mode"
            yield DifferenceClass.KERNEL_MODE_SIGNAL, TRUE, kinds[EventKind.OOM].line, words
        if halt.end is End.RETURN and halt.held:
            words = (
                "the lock is still held at the return"
                if halt.held > 0
                else "the lock is released once too often"
            )
            yield DifferenceClass.LOCK_BALANCE, TRUE, _unlock_line(halt, end), words
        if halt.end is End.STOP:
            yield from self._flags_lost(joint, halt)
        if not self.user and joint.entered and not after and joint.src.faults == 0:
            yield from self._waits(halt)
        yield from self._counts(joint, halt, seen, at_last)

    def _in_dance(self, joint: Joint, halt: Halt) -> bool:
        return joint.entered and halt.danced

    def _is_livelock(self, halt: Halt, seen: Observed) -> bool:
        """RETRY, a fatal signal pending in kernel mode, and nothing that leads elsewhere."""
        assert halt.state is not None
        if self.user or halt.outcome is not Outcome.RETRY or halt.end is not End.RETURN:
            return False
        if moves_on(seen.steps):
            return False
        fatal = truth_symbol(f"fatal_signal_pending#{halt.state.faults}")
        return self.solver.decide(fatal, halt.facts) is True and _returns_nothing(halt)

    def _flags_lost(
        self, joint: Joint, halt: Halt
    ) -> Iterator[tuple[DifferenceClass, Term, int, str]]:
        first = joint.src.faults == 0
        if not first and self.has_fast:
            return
        needed = self.constants.get("FAULT_FLAG_DEFAULT", 0) if first else 0
        if self.user:
            needed |= self.constants.get("FAULT_FLAG_USER", 0)
        flags = halt.gate[1]
        for name, bit in self.constants.items():
            if not name.startswith("FAULT_FLAG_") or not bit or bit & (bit - 1):
                continue
            if not bit & needed:
                continue
            lost = equal(arithmetic("and", flags, integer(bit, flags.bits)), integer(0, flags.bits))
            if self.solver.decide(lost, halt.facts) is not False:
                line = line_of(halt, self.entry)
                words = f"handle_mm_fault() is not given {name}"
                yield DifferenceClass.FLAG_LOSS, lost, line, words
                return

    def _waits(self, halt: Halt) -> Iterator[tuple[DifferenceClass, Term, int, str]]:
        """Kernel mode: the lock is waited for without a look at the exception table."""
        taken = next((e for e in halt.trace if e.kind is EventKind.LOCK), None)
        names = {n.split("#")[0].split("@")[0] for f in halt.facts for n in f.symbols()}
        if taken is None or names & {"mmap_lock_contended", *_TABLE}:
            return
        words = (
            "the mm's lock is waited for whether or not the exception table knows the instruction"
        )
        yield DifferenceClass.LOCK_WAIT, TRUE, taken.line, words

    def _counts(
        self, joint: Joint, halt: Halt, seen: Observed, at_last: bool
    ) -> Iterator[tuple[DifferenceClass, Term, int, str]]:
        """A fault counts as one, however many passes it takes."""
        events = [e for e in seen.accounting if e.args and e.args[0].name == _PAGE_FAULTS]
        if events:
            self.counted = True
            again = halt.end is End.RETRY if joint.at_fault else joint.src.faults > 0
            if again:
                words = "the fault is counted again in every pass"
                yield DifferenceClass.ACCOUNTING, TRUE, events[0].line, words
        if at_last and joint.at_fault and halt.outcome is Outcome.SUCCESS and self.danced is None:
            self.danced = Finding(
                DifferenceClass.ACCOUNTING,
                str(Outcome.SUCCESS),
                joint,
                halt,
                TRUE,
                line_of(halt, self.entry),
                f"{self._mode_word} mode: the fault is not counted as {_PAGE_FAULTS}.",
            )

    @property
    def _mode_word(self) -> str:
        return "user" if self.user else "kernel"

    def _outcome(self, joint: Joint, halt: Halt) -> str | None:
        if halt.outcome is Outcome.RETRY:
            assert halt.state is not None
            word = "signal_pending" if self.user else "fatal_signal_pending"
            pending = truth_symbol(f"{word}#{halt.state.faults}")
            if self.solver.decide(pending, halt.facts) is True:
                return str(Outcome.SIGNAL_PENDING)
        if halt.outcome is not None:
            return str(halt.outcome)
        if not joint.entered and halt.end is not End.RETRY:
            return "prologue"
        locks = [e.kind for e in halt.trace if e.kind in (EventKind.LOCK_WAIT, EventKind.LOCK)]
        if locks and locks[-1] is EventKind.LOCK_WAIT:
            return "lock_contended"
        assert halt.state is not None
        looked_up = halt.state.vmas.get(halt.state.acquired, False)
        if halt.end is not End.STOP and looked_up and not joint.at_fault:
            return str(Outcome.ACCESS_DENIED)
        return None

    # -- scenarios -------------------------------------------------------------------

    def _settle(self, walk: Walk, kept: list[Finding]) -> None:
        """The first finding of a kind that some world has."""
        for finding in kept:
            for facts in self._worlds(finding):
                told = self._told(walk, finding, facts)
                if told is not None:
                    self.differences.append(told)
                    return

    def _worlds(self, finding: Finding) -> Iterator[tuple[Term, ...]]:
        own = (*finding.halt.facts[len(finding.joint.facts) :], finding.condition)
        for history in islice(finding.joint.histories(), MAX_TRIED):
            facts = tuple(dict.fromkeys((*(f for way in history for f in way.facts), *own)))
            if self.solver.possible(facts):
                yield facts

    def _told(self, walk: Walk, finding: Finding, facts: tuple[Term, ...]) -> Difference | None:
        for ending in islice(walk.src.endings(finding.halt, facts), 1):
            scenario = self.scenario(ending)
            run = replay(self.side, (), scenario)
            if run is None or finding.halt.end not in (run.halt.end, End.STOP, End.RETRY):
                continue
            return Difference(
                finding.cls,
                self._mode_word,
                finding.outcome,
                finding.line,
                scenario,
                run.trace,
                (),
                finding.explanation,
            )
        return None

    def scenario(self, facts: tuple[Term, ...]) -> dict[str, int]:
        """A scenario of the facts."""
        found = scenario_of(facts, self.solver)
        return {n: v for n, v in found.items() if not n.startswith("carried")}

    # -- a pass against the first ----------------------------------------------------

    def _stale(self, survey: Survey) -> None:
        """The second pass against what the first would have done in its place."""
        heads = [j for j in survey.begun if j.src.faults == 0]
        for later in survey.begun:
            if later.src.faults != 1 or not later.src.retrying:
                continue
            for head in heads:
                ways = [w for w in later.ways if w.origin and _comes_from(w.origin, head)]
                if ways:
                    self._compare_passes(later, head, ways)

    def _compare_passes(self, later: Joint, head: Joint, ways: list[Way]) -> None:
        first = _as_first(head.src, later.src, self.constants)
        if first is None:
            return
        partings: list[Parting] = []
        walk = Walk(self.world(), self.world(), self.solver, (), partings.append)
        facts = tuple(dict.fromkeys((*later.facts, *head.facts)))
        walk.run(Joint(later.src, first, facts, ways, base=later.base), last=later.src.faults + 1)
        kinds: dict[object, list[Parting]] = {}
        for parting in partings:
            if parting.channel is Channel.STEPS and not _is_access(parting):
                key = (parting.src.outcome, parting.tgt.outcome, parting.src.end)
                kinds.setdefault(key, []).append(parting)
        for kept in kinds.values():
            for parting in sorted(kept, key=lambda p: len(p.facts))[:MAX_TRIED]:
                told = self._stale_told(walk, parting)
                if told is not None:
                    self.differences.append(told)
                    break

    def _stale_told(self, walk: Walk, parting: Parting) -> Difference | None:
        own = (*parting.facts[len(parting.joint.facts) :], parting.condition)
        for history in islice(parting.joint.histories(), MAX_TRIED):
            facts = tuple(dict.fromkeys((*(f for way in history for f in way.facts), *own)))
            if not self.solver.possible(facts):
                continue
            for ending in islice(walk.src.endings(parting.src, facts), 2):
                scenario = self.scenario(ending)
                now = replay(self.side, (), scenario)
                then = replay(self.side, (), shifted(scenario, pass_before(parting.joint)))
                if now is None or then is None or not _answers_differ(now, then):
                    continue
                return self._of_two(DifferenceClass.STALE_OUTCOME, parting, scenario, now, then)
        return None

    def _of_two(
        self,
        cls: DifferenceClass,
        parting: Parting,
        scenario: dict[str, int],
        src: Replay,
        tgt: Replay,
    ) -> Difference:
        outcome = self._outcome(parting.joint, parting.src) or self._outcome(
            parting.joint, parting.tgt
        )
        words = (
            "the second pass still acts on what the first left behind"
            if cls is DifferenceClass.STALE_OUTCOME
            else "the fast path and the slow path answer differently"
        )
        met = f"{self._mode_word} mode{', ' + outcome if outcome else ''}"
        return Difference(
            cls,
            self._mode_word,
            outcome,
            Findings.line(parting, self.entry),
            scenario,
            src.trace,
            tgt.trace,
            f"{met}: {words}.",
        )

    # -- the fast path against the slow one ------------------------------------------

    def _fast_and_slow(self) -> None:
        partings: list[Parting] = []
        fast, slow = self.world(contended=False), self.world(contended=False, fast=False)
        locked = truth_symbol("vma_read_locked#1")
        walk = Walk(fast, slow, self.solver, (locked,), partings.append)
        walk.run(last=1)
        kinds: dict[object, list[Parting]] = {}
        for parting in partings:
            if parting.channel in (Channel.STEPS, Channel.HELD) and _same_vma(parting):
                key = (parting.channel, parting.src.outcome, parting.src.end, parting.tgt.end)
                kinds.setdefault(key, []).append(parting)
        for kept in kinds.values():
            for parting in sorted(kept, key=lambda p: len(p.facts))[:MAX_TRIED]:
                told = self._fast_told(walk, parting)
                if told is not None:
                    self.differences.append(told)
                    break

    def _fast_told(self, walk: Walk, parting: Parting) -> Difference | None:
        own = (*parting.facts[len(parting.joint.facts) :], parting.condition)
        for history in islice(parting.joint.histories(), MAX_TRIED):
            facts = tuple(dict.fromkeys((*(f for way in history for f in way.facts), *own)))
            if not self.solver.possible(facts):
                continue
            for ending in islice(walk.src.endings(parting.src, facts), 2):
                scenario = self.scenario(ending)
                fast = replay(self.side, (), scenario)
                slow = replay(self.side, (), scenario, fast=False)
                if (
                    fast is not None
                    and slow is not None
                    and (fast.halt.held != slow.halt.held or _answers_differ(fast, slow))
                ):
                    return self._of_two(DifferenceClass.FAST_PATH, parting, scenario, fast, slow)
        return None


_PAGE_FAULTS = "PERF_COUNT_SW_PAGE_FAULTS"
_TABLE = frozenset(
    {"search_exception_tables", "search_kernel_exception_table", "search_module_extables"}
)


def _returns_nothing(halt: Halt) -> bool:
    """Nothing is handed to a caller that could act on it."""
    return halt.value is None or (halt.value.is_constant and halt.value.value == 0)


def _unlock_line(halt: Halt, end: int) -> int:
    unlocks = [e.line for e in halt.trace if e.kind in (EventKind.UNLOCK, EventKind.VMA_UNLOCK)]
    return unlocks[-1] if unlocks and halt.held < 0 else end


def _comes_from(joint: Joint, head: Joint) -> bool:
    """Whether a way to `joint` leads through `head`."""
    return joint is head or any(w.origin and _comes_from(w.origin, head) for w in joint.ways)


def _as_first(head: State, later: State, constants: Mapping[str, int]) -> State | None:
    """The later state as it were, had the pass before left no outcome; None if it left none.

    An outcome is a constant that was put somewhere (`code = SEGV_ACCERR`), or
    what handle_mm_fault() returned. What was learnt of the access meanwhile,
    and FAULT_FLAG_TRIED, are no outcome.
    """
    protocol = constants.get("FAULT_FLAG_TRIED", 0) | constants.get("FAULT_FLAG_ALLOW_RETRY", 0)
    state = None
    for place, value in Likeness().living(later):
        before = head.memory.get(place)
        if before is None or before is value or before.bits != value.bits:
            continue
        if value.is_constant and before.is_constant:
            if value.value | protocol == before.value | protocol:
                continue
        elif not value.is_constant and not any(
            name.startswith("handle_mm_fault#") for name in value.symbols()
        ):
            continue
        state = state or later.copy()
        state.memory[place] = before
    return state


def _is_access(parting: Parting) -> bool:
    """Whether the sides part over what the access was, which no pass changes."""
    return End.STOP in (parting.src.end, parting.tgt.end)


def _same_vma(parting: Parting) -> bool:
    """Whether both paths found the VMA once, so that it is the same one."""
    src, tgt = parting.src.state, parting.tgt.state
    return src is not None and tgt is not None and src.acquired == tgt.acquired


def _answers_differ(a: Replay, b: Replay) -> bool:
    """Whether two runs end in other signals or writes, or another fate.

    What the kernel's own routine and other calls are told (the instruction as
    it was read before) is left aside.
    """
    mine, theirs = _answers(a), _answers(b)
    if len(mine) != len(theirs) or differing(mine, theirs, a.holds) is not None:
        return True
    kernel = any(isinstance(s, Event) and s.kind is EventKind.KERNEL for s in mine)
    return not kernel and a.halt.end is not b.halt.end


def _answers(run: Replay) -> tuple[Step, ...]:
    """The signals, OOM, BUG, writes after the last fault, up to the kernel's own routine."""
    answers: list[Step] = []
    for step in run.last():
        if isinstance(step, Event) and step.kind is EventKind.KERNEL:
            return (*answers, replace(step, name="", args=()))
        if not isinstance(step, Event) or step.kind is not EventKind.CALL:
            answers.append(step)
    return tuple(answers)
