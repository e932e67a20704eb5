# SPDX-License-Identifier: GPL-2.0-only
"""SignalMap: what is left of the handler when mode and outcome are fixed.

    user, VM_FAULT_SIGBUS   ->   tsk->thread.fault_address = address
                                 SIGBUS/BUS_ADRERR at address

The machine runs one pass under a plan that fixes both; what it observes behind
the outcome is the cell. A condition that is still open (a trap code, a sysctl)
becomes the guard of a case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from codegen.base.spans import Span
from codegen.ir.dance import BEFORE_FAULT
from codegen.ir.environment import Outcome, Plan
from codegen.ir.machine import Machine
from codegen.ir.printer import term_text
from codegen.ir.program import Program
from codegen.ir.solver import PathSolver
from codegen.ir.state import State
from codegen.ir.terms import FALSE, TRUE, Term, negate, substitute
from codegen.ir.trace import Decision, End, Event, EventKind, Path
from codegen.ir.vocabulary import LOCKING_ROLES, Role
from codegen.tables import cover
from codegen.tables.cover import Answered, Literal
from codegen.tables.nodes import Case, Result, ResultKind, SignalRow
from codegen.tables.questions import Questions
from codegen.tables.reuse import Recall

# A choice of addresses that is longer than this says less than the addresses alone.
_LONG = 120
# What the mm answers only where the flags allow it, or where the kernel has the bit.
_NEEDS_LEAVE = frozenset({Outcome.SIGNAL_PENDING, Outcome.RETRY, Outcome.COMPLETED})
MODES = {"user": True, "kernel": False}


@dataclass(frozen=True)
class _Residual:
    """A leaf: what happens, other effects, and where the last of it happens."""

    results: tuple[Result, ...]
    effects: tuple[str, ...]
    span: Span


def extract_signals(
    program: Program,
    entry: str,
    handler: str,
    mode: Term | None,
    solver: PathSolver,
    recall: Recall[tuple[Case, ...]] | None = None,
) -> tuple[SignalRow, ...]:
    """The 24 cells of one program. Raises ResourceBound where the paths are too many.

    `recall` holds the cells of other configurations, and takes these.
    """
    recall = recall or Recall()
    rows = []
    for name, user in MODES.items():
        prologue: _Prologue | None = None
        for outcome in Outcome:
            question = (entry, mode, user, outcome)
            cases = recall.find(question, program)
            if cases is None:
                prologue = prologue or _Prologue(program, entry, handler, mode, solver, user)
                machine = prologue.machine(outcome)
                cases = _cases(machine, program, prologue.states(outcome))
                recall.keep(question, program, machine.visited | prologue.visited, cases)
            if cases:
                rows.append(SignalRow(name, outcome, cases))
            elif outcome in _NEEDS_LEAVE:
                prologue = prologue or _Prologue(program, entry, handler, mode, solver, user)
                machine = prologue.machine(outcome, supposed=True)
                cases = _cases(machine, program, prologue.states(outcome))
                if cases:
                    rows.append(SignalRow(name, outcome, cases, possible=False))
    return tuple(rows)


class _Prologue:
    """The states from which the outcomes of one mode are told.

    What comes before the dance is the same for every outcome, and what comes
    before the mm is asked for every outcome that is its answer.
    """

    def __init__(
        self,
        program: Program,
        entry: str,
        handler: str,
        mode: Term | None,
        solver: PathSolver,
        user: bool,
    ) -> None:
        def planned(plan: Plan) -> Machine:
            return Machine(program, entry, plan, solver, mode, handler)

        self._planned, self._user = planned, user
        self._before = planned(Plan(mode=user))
        self._early = self._before.states_before(LOCKING_ROLES)
        asking = self.machine(Outcome.SUCCESS, skip_kernel=False)
        self._asked = self._early and asking.states_before(frozenset({Role.FAULT}), self._early)
        self.visited = self._before.visited | asking.visited

    def machine(
        self, outcome: Outcome, *, skip_kernel: bool = True, supposed: bool = False
    ) -> Machine:
        """A machine for one outcome that writes what was met before as it was met."""
        plan = Plan(
            mode=self._user,
            outcome=outcome,
            passes=1,
            skip_kernel=skip_kernel,
            supposed=supposed,
        )
        machine = self._planned(plan)
        machine.spelling, machine.names = self._before.spelling, self._before.names
        return machine

    def states(self, outcome: Outcome) -> list[State]:
        """Where the machine starts."""
        return self._early if outcome in BEFORE_FAULT else self._asked


def _cases(machine: Machine, program: Program, states: list[State]) -> tuple[Case, ...]:
    if not states:
        return ()
    questions = Questions(machine.solver, machine.distinct_labels)
    answered: list[Answered[tuple[Result, ...]]] = []
    fullest: dict[tuple[Result, ...], _Residual] = {}
    literals: dict[Decision, Literal] = {}

    def literal(asked: Decision) -> Literal:
        if asked not in literals:
            literals[asked] = _literal(asked, questions, machine)
        return literals[asked]

    for path in machine.run_merged(states):
        for chosen, known in _choices(path):
            residual = _residual(known, machine)
            if residual is None:
                continue
            for way in path.ways:
                cube = frozenset(map(literal, (*way, *chosen)))
                answered.append(Answered(cube, residual.results))
            fuller = fullest.get(residual.results)
            if fuller is None or len(residual.effects) > len(fuller.effects):
                # The fuller list of effects is kept.
                span = residual.span if fuller is None else fuller.span
                fullest[residual.results] = replace(residual, span=span)
    answered = list(dict.fromkeys(answered))
    bare = [replace(a, answer=_without_address(a.answer)) for a in answered]
    cases = []
    for cubes, results in cover.guards(list(dict.fromkeys(bare)), questions.conflict):
        guard = questions.texts(cubes, machine.words) or None
        mine = [a for a in answered if _without_address(a.answer) == results]
        leaf = fullest[mine[0].answer]
        told = _with_address(results, mine, questions, machine)
        cases.append(Case(guard, told, leaf.effects, program.source.line(leaf.span.start)))
    return tuple(cases)


def _without_address(results: tuple[Result, ...]) -> tuple[Result, ...]:
    return tuple(replace(r, addr=None) for r in results)


def _with_address(
    results: tuple[Result, ...],
    answered: list[Answered[tuple[Result, ...]]],
    questions: Questions,
    machine: Machine,
) -> tuple[Result, ...]:
    """The results with the addresses of their signals; a choice of several as `a ? b : c`."""
    out = []
    for i, result in enumerate(results):
        found = [Answered(a.cube, a.answer[i].addr) for a in answered]
        texts = list(dict.fromkeys(a.answer for a in found))
        addr = texts[0]
        if len(texts) > 1:
            rules = cover.first_match(found, questions.conflict)
            parts = [
                f"{questions.texts(cubes, machine.words)} ? {text} : " for cubes, text in rules[:-1]
            ]
            addr = "".join(parts) + str(rules[-1][1])
            if len(addr) > _LONG:
                addr = " or ".join(map(str, texts))
        out.append(replace(result, addr=addr))
    return tuple(out)


def _choices(path: Path) -> Iterator[tuple[tuple[Decision, ...], Path]]:
    """The path with every `?:` in a signal's number or code decided either way."""
    pending: list[tuple[tuple[Decision, ...], Path]] = [((), path)]
    while pending:
        chosen, known = pending.pop(0)
        choice = next(
            (
                t.args[0]
                for e in known.trace[known.outcome_at :]
                if e.kind is EventKind.SIGNAL
                for part in ("signo", "code")
                for t in (e.part(part) or TRUE).walk()
                if t.op == "ite"
            ),
            None,
        )
        if choice is None:
            yield chosen, known
            continue
        atom = negate(choice) if choice.op == "lnot" else choice
        for holds in (True, False):
            fixed = {atom: TRUE if holds else FALSE}
            trace = tuple(
                replace(e, args=tuple(substitute(a, fixed) for a in e.args))
                if e.kind is EventKind.SIGNAL
                else e
                for e in known.trace
            )
            asked = Decision(atom, holds, path.span, 0)
            pending.append(((*chosen, asked), replace(known, trace=trace)))


def _literal(asked: Decision, questions: Questions, machine: Machine) -> Literal:
    condition = negate(asked.condition) if asked.inverted else asked.condition
    words = term_text(condition, machine.words)
    return questions.literal(condition, asked.taken is not asked.inverted, asked.span, words)


def _residual(path: Path, machine: Machine) -> _Residual | None:
    if path.end is End.CUT or path.outcome is not machine.plan.outcome:
        return None
    behind = path.trace[path.outcome_at :]
    results: list[Result] = []
    effects: list[str] = []
    span = path.span
    for event in behind:
        result = _result(event, machine)
        if result is not None:
            if result not in results:
                results.append(result)
            span = event.place or event.span
        elif (effect := _effect(event, machine)) is not None:
            effects.append(effect)
    if path.end is End.RETRY:
        results.append(Result(ResultKind.RETRY))
        span = path.span
    if not results:
        if path.end is End.NEVER:
            results.append(Result(ResultKind.KERNEL))
        else:
            value = None if path.value is None else term_text(path.value, machine.words)
            results.append(Result(ResultKind.RETURN, value=value))
            span = _last_step(path, machine, span)
    return _Residual(tuple(results), tuple(effects), span)


def _last_step(path: Path, machine: Machine, end: Span) -> Span:
    """Where a path ends that runs off the end of a function: at what it did, or asked, last."""
    source = machine.program.source
    if source.slice(end) != "}":
        return end
    steps = [e.span for e in path.trace if e.source is source]
    steps += [] if steps else [d.span for d in path.decisions]
    return steps[-1] if steps else end


def _result(event: Event, machine: Machine) -> Result | None:
    match event.kind:
        case EventKind.SIGNAL:
            parts = {
                name: term_text(value, machine.words)
                for name, value in zip(event.parts, event.args, strict=True)
            }
            return Result(
                ResultKind.SIGNAL, parts.get("signo"), parts.get("code"), parts.get("addr")
            )
        case EventKind.OOM:
            return Result(ResultKind.OOM)
        case EventKind.KERNEL:
            return Result(ResultKind.KERNEL)
        case EventKind.BUG:
            return Result(ResultKind.BUG)
        case _:
            return None


def _written(event: Event) -> str | None:
    """The number that is written, as the source spells it: `14`, not `0xe`."""
    value = event.args[0]
    _, assigned, right = event.source.slice(event.span).partition("=")
    word = right.rstrip("; ").strip()
    if not (assigned and value.is_constant and value.name is None and word[:1].isdigit()):
        return None
    try:
        return word if int(word, 0) == value.value else None
    except ValueError:
        return None


def _effect(event: Event, machine: Machine) -> str | None:
    match event.kind:
        case EventKind.CALL:
            args = ", ".join(term_text(a, machine.words) for a in event.args)
            return f"{event.name}({args})"
        case EventKind.WRITE:
            handler = machine.program.functions[machine.handler]
            if event.source is handler.source and handler.span.covers(event.span):
                # `tsk->thread.fault_address = address`, as the handler says it.
                return " ".join(event.source.slice(event.span).split()).rstrip("; ")
            return f"{event.name} = {_written(event) or term_text(event.args[0], machine.words)}"
        case _:
            return None
