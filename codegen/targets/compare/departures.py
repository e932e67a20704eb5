# SPDX-License-Identifier: GPL-2.0-only
"""What the contract of generic_fault() says of one way: one small question per class.

    way: kernel mode, RETRY, a fatal signal pending, `return;`   ->   uaccess-livelock

The questions about two ways (a later pass against the first, the fast path
against the slow one) are asked in stale.py and fast_path.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from codegen.ir.environment import LOCK_CONTENDED, Outcome, truth_symbol
from codegen.ir.nodes import Function
from codegen.ir.smallest import scenario_of
from codegen.ir.terms import TRUE, Term, arithmetic, conjoin, equal, integer
from codegen.ir.trace import End, Event, EventKind
from codegen.ir.vocabulary import Role, load
from codegen.targets.compare.classify import moves_on
from codegen.targets.compare.contract import runs_into_bug
from codegen.targets.compare.joints import Joint
from codegen.targets.compare.nodes import DifferenceClass
from codegen.targets.compare.observe import Observed
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.survey import met
from codegen.targets.compare.world import Halt, line_of

PAGE_FAULTS = "PERF_COUNT_SW_PAGE_FAULTS"
ERRORS = frozenset(
    {Outcome.OOM, Outcome.SIGSEGV, Outcome.SIGBUS, Outcome.HWPOISON, Outcome.HWPOISON_LARGE}
)
_OF_OUTCOME = ("handle_mm_fault#", "signal_pending#", "fatal_signal_pending#")


@dataclass(frozen=True)
class Finding:
    """One way that departs from the contract, before it has a scenario.

    It does so where `condition` holds besides the way's own facts; `words` say
    how, `flags` what handle_mm_fault() is not given.
    """

    cls: DifferenceClass
    outcome: str | None
    joint: Joint
    halt: Halt
    condition: Term
    line: int
    words: str
    flags: int = 0


@dataclass
class Contract:
    """The questions, in one mode; it remembers what can only be said at the end."""

    solver: SlicingSolver
    constants: Mapping[str, int]
    entry: Function
    user: bool
    has_fast: bool
    _counted: bool = False
    _uncounted: Finding | None = None
    _bugs: list[tuple[Finding, Event]] = field(default_factory=list)
    _cased: dict[object, list[Halt]] = field(default_factory=dict)
    _plain_bugs: set[object] = field(default_factory=set)

    def look(self, joint: Joint, halt: Halt, seen: Observed) -> Iterator[Finding]:
        """What is wrong with one way by itself."""
        kinds: dict[EventKind, Event] = {}
        for step in seen.steps:
            if isinstance(step, Event):
                kinds.setdefault(step.kind, step)
        self._note_bug(joint, halt, seen, kinds)
        yield from self._livelock(joint, halt, seen)
        yield from self._kernel_signal(joint, halt, kinds)
        yield from self._signals(joint, halt, seen)
        yield from self._balance(joint, halt)
        yield from self._flags(joint, halt)
        yield from self._waits(joint, halt)
        yield from self._counts(joint, halt, seen)

    def at_the_end(self) -> Iterator[Finding]:
        """What is wrong with all ways taken together."""
        for finding, bug in self._bugs:
            if _site(bug) in self._plain_bugs:
                continue
            if not self._has_case(finding):
                yield finding
        if self._uncounted is not None and not self._counted:
            yield self._uncounted

    def _findings(
        self,
        cls: DifferenceClass,
        joint: Joint,
        halt: Halt,
        line: int,
        words: str,
        *,
        condition: Term = TRUE,
        flags: int = 0,
    ) -> Iterator[Finding]:
        """One finding for each outcome that the way may have met."""
        for outcome, when in met(joint, halt, self.solver, self.user, self.constants):
            both = conjoin(condition, when)
            yield Finding(cls, outcome, joint, halt, both, line, words, flags)

    # -- BUG() -----------------------------------------------------------------------

    def _note_bug(
        self, joint: Joint, halt: Halt, seen: Observed, kinds: Mapping[EventKind, Event]
    ) -> None:
        """An outcome has no case if it alone leads to BUG().

        It has one where another condition than the outcome decides (um panics
        over a stale fault_addr), and where a fault without a VMA ends in the
        same panic, which is then the handler's oops.
        """
        if not joint.entered or halt.end in (End.STOP, End.RETRY):
            return
        is_bug = runs_into_bug(seen.steps)
        if joint.at_fault and halt.outcome in ERRORS:
            if not is_bug:
                self._cased.setdefault((joint, halt.outcome), []).append(halt)
                return
            bug = kinds[EventKind.BUG]
            words = f"{halt.outcome} has no case and runs into {bug.name}()"
            found = self._findings(DifferenceClass.MISSING_CASE, joint, halt, bug.line, words)
            self._bugs += [(finding, bug) for finding in found]
        elif is_bug and not joint.at_fault:
            self._plain_bugs.add(_site(kinds[EventKind.BUG]))

    def _has_case(self, finding: Finding) -> bool:
        """Whether the handler has an answer to the very outcome that led to BUG() here."""
        halt, joint = finding.halt, finding.joint
        answered = self._cased.get((joint, halt.outcome), [])
        if not answered:
            return False
        world = {
            t: t.name or ""
            for fact in halt.facts
            for t in fact.walk()
            if t.op == "sym" and (t.name or "").startswith(_OF_OUTCOME)
        }
        try:
            scenario = scenario_of(halt.facts, self.solver)
        except ValueError:
            # What the solver has two names for is one thing: no world leads there.
            return True
        same = tuple(equal(t, integer(scenario.get(name, 0), t.bits)) for t, name in world.items())
        return any(self.solver.possible((*way.facts, *same)) for way in answered)

    # -- signals ---------------------------------------------------------------------

    def _livelock(self, joint: Joint, halt: Halt, seen: Observed) -> Iterator[Finding]:
        """RETRY, a fatal signal pending in kernel mode, and nothing that leads elsewhere."""
        if self.user or not joint.at_fault or halt.end is not End.RETURN:
            return
        if halt.outcome is not Outcome.RETRY or moves_on(seen.steps):
            return
        assert halt.state is not None
        fatal = truth_symbol(f"fatal_signal_pending#{halt.state.faults}")
        if self.solver.decide(fatal, halt.facts) is True and _returns_nothing(halt):
            words = "the handler returns to the faulting instruction, which faults again for ever"
            line = line_of(halt, self.entry)
            yield from self._findings(DifferenceClass.UACCESS_LIVELOCK, joint, halt, line, words)

    def _kernel_signal(
        self, joint: Joint, halt: Halt, kinds: Mapping[EventKind, Event]
    ) -> Iterator[Finding]:
        if self.user or not joint.entered or not halt.danced:
            return
        cls = DifferenceClass.KERNEL_MODE_SIGNAL
        if (event := kinds.get(EventKind.SIGNAL)) is not None:
            words = f"{_signal_name(event)} is sent for a fault in kernel mode"
            yield from self._findings(cls, joint, halt, event.line, words)
        elif (event := kinds.get(EventKind.OOM)) is not None:
            words = "the OOM killer is told of a fault in kernel mode"
            yield from self._findings(cls, joint, halt, event.line, words)

    def _signals(self, joint: Joint, halt: Halt, seen: Observed) -> Iterator[Finding]:
        """A fault in user mode is answered with one signal."""
        if not self.user or not joint.entered:
            return
        sent = [s for s in seen.steps if isinstance(s, Event) and s.kind is EventKind.SIGNAL]
        if len(sent) > 1:
            first, second = map(_signal_name, sent[:2])
            words = f"{second} is sent behind {first} for the same fault"
            yield from self._findings(DifferenceClass.OTHER, joint, halt, sent[1].line, words)

    # -- the lock --------------------------------------------------------------------

    def _balance(self, joint: Joint, halt: Halt) -> Iterator[Finding]:
        if halt.end is not End.RETURN or not halt.held:
            return
        line = line_of(halt, self.entry)
        words = "the lock is still held at the return"
        if halt.held < 0:
            words = "the lock is released once too often"
            kinds = (EventKind.UNLOCK, EventKind.VMA_UNLOCK)
            line = next((e.line for e in reversed(halt.trace) if e.kind in kinds), line)
        yield from self._findings(DifferenceClass.LOCK_BALANCE, joint, halt, line, words)

    def _waits(self, joint: Joint, halt: Halt) -> Iterator[Finding]:
        """Kernel mode: the lock is waited for without a look at the exception table."""
        if self.user or not joint.entered or joint.at_fault or joint.src.faults:
            return
        taken = next((e for e in halt.trace if e.kind is EventKind.LOCK), None)
        names = {n.split("#")[0].split("@")[0] for f in halt.facts for n in f.symbols()}
        if taken is None or names & {"mmap_lock_contended", *load().words(Role.KERNEL_READS)}:
            return
        words = (
            "the mm's lock is waited for whether or not the exception table knows the instruction"
        )
        cls = DifferenceClass.LOCK_WAIT
        yield Finding(cls, LOCK_CONTENDED, joint, halt, TRUE, taken.line, words)

    # -- flags and counters ----------------------------------------------------------

    def _flags(self, joint: Joint, halt: Halt) -> Iterator[Finding]:
        """handle_mm_fault() has to be given FAULT_FLAG_DEFAULT at first, USER always."""
        first = joint.src.faults == 0
        if halt.end is not End.STOP or (not first and self.has_fast):
            return
        needed = self.constants.get("FAULT_FLAG_DEFAULT", 0) if first else 0
        if self.user:
            needed |= self.constants.get("FAULT_FLAG_USER", 0)
        flags, condition, names, lost = halt.gate[1], TRUE, [], 0
        for name, bit in self.constants.items():
            if not name.startswith("FAULT_FLAG_") or bit & (bit - 1) or not bit & needed:
                continue
            masked = arithmetic("and", flags, integer(bit, flags.bits))
            together = conjoin(condition, equal(masked, integer(0, flags.bits)))
            if self.solver.decide(together, halt.facts) is not False:
                condition, lost = together, lost | bit
                names.append(name)
        if lost:
            line = line_of(halt, self.entry)
            words = f"handle_mm_fault() is not given {', '.join(names)}"
            cls = DifferenceClass.FLAG_LOSS
            yield from self._findings(
                cls, joint, halt, line, words, condition=condition, flags=lost
            )

    def _counts(self, joint: Joint, halt: Halt, seen: Observed) -> Iterator[Finding]:
        """A fault counts as one, however many passes it takes."""
        events = page_faults(seen.accounting)
        if events:
            self._counted = True
            again = halt.end is End.RETRY if joint.at_fault else joint.src.faults > 0
            before = next(joint.histories(), ())
            words = "the fault is counted twice"
            if again:
                words = "the fault is counted again in every pass"
            if again or len(events) > 1 or any(page_faults(way.src) for way in before):
                cls = DifferenceClass.ACCOUNTING
                yield from self._findings(cls, joint, halt, events[-1].line, words)
        ends = halt.end not in (End.STOP, End.RETRY)
        if ends and joint.at_fault and halt.outcome is Outcome.SUCCESS and not self._uncounted:
            line = next((e.line for e in reversed(halt.trace) if e.kind is EventKind.FAULT), 0)
            words = f"the fault is not counted as {PAGE_FAULTS}"
            cls = DifferenceClass.ACCOUNTING
            self._uncounted = next(self._findings(cls, joint, halt, line, words))


def page_faults(events: tuple[Event, ...]) -> list[Event]:
    """The events that count a page fault as one."""
    return [
        e
        for e in events
        if e.kind is EventKind.ACCOUNTING and e.args and e.args[0].name == PAGE_FAULTS
    ]


def _site(event: Event) -> object:
    return (event.source.path, event.span)


def _signal_name(event: Event) -> str:
    signo = event.part("signo")
    return (signo and signo.name) or "a signal"


def _returns_nothing(halt: Halt) -> bool:
    """Nothing is handed to a caller that could act on it."""
    return halt.value is None or (halt.value.is_constant and halt.value.value == 0)
