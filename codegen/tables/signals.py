# SPDX-License-Identifier: GPL-2.0-only
"""SignalMap: what is left of the handler when mode and outcome are fixed.

    user, VM_FAULT_SIGBUS   ->   tsk->thread.fault_address = address
                                 SIGBUS/BUS_ADRERR at address

The machine runs one pass under a plan that fixes both; what it observes behind
the outcome is the cell. A condition that is still open (a trap code, a sysctl)
becomes the guard of a case.
"""

from __future__ import annotations

from dataclasses import dataclass

from codegen.base.spans import Span
from codegen.ir.environment import Outcome, Plan
from codegen.ir.machine import BEFORE_FAULT, Machine, State
from codegen.ir.printer import term_text
from codegen.ir.program import Program
from codegen.ir.solver import PathSolver
from codegen.ir.terms import Term
from codegen.ir.vocabulary import LOCKING_ROLES, Role
from codegen.ir.trace import End, Event, EventKind, Path
from codegen.tables import decision
from codegen.tables.nodes import Case, Result, ResultKind, SignalRow

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
        asking.spelling = before.spelling
        asked = asking.states_before(frozenset({Role.FAULT}), states) if states else []
        for outcome in Outcome:
            plan = Plan(mode=user, outcome=outcome, passes=1, skip_kernel=True)
            machine = Machine(program, entry, plan, solver, mode, handler)
            machine.spelling = before.spelling
            early = outcome in BEFORE_FAULT
            cases = _cases(machine, program, states if early else asked)
            if cases:
                rows.append(SignalRow(name, outcome, cases))
    return tuple(rows)


def _cases(machine: Machine, program: Program, states: list[State]) -> tuple[Case, ...]:
    if not states:
        return ()
    tree = decision.grow((p.decisions, _residual(p, machine)) for p in machine.run(states))
    rules = decision.exact(decision.reduce(tree, _same))
    cases = []
    for conditions, _, leaf in rules:
        guard = None
        if len(rules) > 1:
            guard = " && ".join(_bracketed(c, machine) for c in conditions)
        line = program.source.line(leaf.span.start)
        cases.append(Case(guard, leaf.results, leaf.effects, line))
    return tuple(cases)


def _bracketed(condition: Term, machine: Machine) -> str:
    text = term_text(condition, machine.spelling)
    return f"({text})" if "||" in text or " ? " in text else text


def _same(a: _Residual, b: _Residual) -> _Residual | None:
    """Leaves with the same results are one; the fuller list of effects is kept."""
    if a.results != b.results:
        return None
    return a if len(a.effects) >= len(b.effects) else b


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
            value = None if path.value is None else term_text(path.value, machine.spelling)
            results.append(Result(ResultKind.RETURN, value=value))
    return _Residual(tuple(results), tuple(effects), span)


def _result(event: Event, machine: Machine) -> Result | None:
    match event.kind:
        case EventKind.SIGNAL:
            parts = {
                name: term_text(value, machine.spelling)
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
            args = ", ".join(term_text(a, machine.spelling) for a in event.args)
            return f"{event.name}({args})"
        case EventKind.WRITE:
            return f"{event.name} = {term_text(event.args[0], machine.spelling)}"
        case _:
            return None
