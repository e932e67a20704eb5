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
from codegen.ir.environment import Outcome, Plan
from codegen.ir.machine import BEFORE_FAULT, Machine, State
from codegen.ir.printer import term_text
from codegen.ir.program import Program
from codegen.ir.solver import PathSolver
from codegen.ir.terms import FALSE, TRUE, Term, negate, substitute
from codegen.ir.trace import Decision, End, Event, EventKind, Path
from codegen.ir.vocabulary import LOCKING_ROLES, Role
from codegen.tables import cover
from codegen.tables.cover import Answered, Literal
from codegen.tables.nodes import Case, Result, ResultKind, SignalRow
from codegen.tables.questions import Questions

MODES = {"user": True, "kernel": False}


@dataclass(frozen=True)
class _Residual:
    """A leaf: what happens, other effects, and where the last of it happens."""

    results: tuple[Result, ...]
    effects: tuple[str, ...]
    span: Span


def extract_signals(
    program: Program, entry: str, handler: str, mode: Term | None, solver: PathSolver
) -> tuple[SignalRow, ...]:
    """The 24 cells of one program. Raises ResourceBound where the paths are too many."""
    rows = []
    for name, user in MODES.items():
        # What comes before the dance is the same for every outcome, and what
        # comes before the mm is asked for every outcome that is its answer.
        before = Machine(program, entry, Plan(mode=user), solver, mode, handler)
        states = before.states_before(LOCKING_ROLES)
        upto = Plan(mode=user, outcome=Outcome.SUCCESS, passes=1)
        asking = Machine(program, entry, upto, solver, mode, handler)
        asking.spelling, asking.names = before.spelling, before.names
        asked = asking.states_before(frozenset({Role.FAULT}), states) if states else []
        for outcome in Outcome:
            plan = Plan(mode=user, outcome=outcome, passes=1, skip_kernel=True)
            machine = Machine(program, entry, plan, solver, mode, handler)
            machine.spelling, machine.names = before.spelling, before.names
            early = outcome in BEFORE_FAULT
            cases = _cases(machine, program, states if early else asked)
            if cases:
                rows.append(SignalRow(name, outcome, cases))
    return tuple(rows)


def _cases(machine: Machine, program: Program, states: list[State]) -> tuple[Case, ...]:
    if not states:
        return ()
    questions = Questions(machine.solver)
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
    cases = []
    for cubes, results in cover.guards(list(dict.fromkeys(answered)), questions.conflict):
        guard = questions.texts(cubes, machine.words) or None
        leaf = fullest[results]
        cases.append(Case(guard, results, leaf.effects, program.source.line(leaf.span.start)))
    return tuple(cases)


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
            span = event.span
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
    return _Residual(tuple(results), tuple(effects), span)


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


def _effect(event: Event, machine: Machine) -> str | None:
    match event.kind:
        case EventKind.CALL:
            args = ", ".join(term_text(a, machine.words) for a in event.args)
            return f"{event.name}({args})"
        case EventKind.WRITE:
            return f"{event.name} = {term_text(event.args[0], machine.words)}"
        case _:
            return None
