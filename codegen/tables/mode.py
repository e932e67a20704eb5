# SPDX-License-Identifier: GPL-2.0-only
"""The handler's own condition for user mode (house plan, section 3).

It is the condition under which the handler sets FAULT_FLAG_USER, whatever it
is called: `user_mode(regs)`, `!(regs->psr & PSR_PS)`, `is_user`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from codegen.ir.environment import Outcome, Plan
from codegen.ir.machine import Machine
from codegen.ir.program import Program
from codegen.ir.solver import PathSolver
from codegen.ir.terms import Term, arithmetic, integer, negate, truth
from codegen.ir.trace import End, EventKind, Path
from codegen.ir.vocabulary import Role


def find_mode(
    program: Program,
    entry: str,
    handler: str,
    solver: PathSolver,
    blocks: set[tuple[str, str]] | None = None,
) -> Term | None:
    """The condition as a term over the entry state; None where it is `user_mode(regs)` itself.

    `blocks` are given those that were gone through to find it. Raises
    ResourceBound where the paths are too many.
    """
    machine = prologue(program, entry, handler, solver, None)
    machine.blocks = set() if blocks is None else blocks
    # Where the mm is asked no more, nothing is to be seen.
    machine.apart = partial(_behind_fault, program)
    return mode_of(machine, machine.run()) or mode_by_answer(
        program, entry, handler, solver, machine.blocks
    )


def _behind_fault(program: Program, name: str) -> frozenset[str]:
    """Of a function that asks the mm, the blocks behind which it does so no more."""
    ahead = program.blocks_before_fault(name)
    return frozenset(program.functions[name].block_map) - ahead if ahead else frozenset()


def prologue(
    program: Program, entry: str, handler: str, solver: PathSolver, mode: Term | None
) -> Machine:
    """A machine that runs up to the call of handle_mm_fault(), the VMA covering the address."""
    plan = Plan(outcome=Outcome.SUCCESS, stop_at_fault=True)
    return Machine(program, entry, plan, solver, mode, handler)


def mode_by_answer(
    program: Program,
    entry: str,
    handler: str,
    solver: PathSolver,
    blocks: set[tuple[str, str]] | None = None,
) -> Term | None:
    """The mode of a handler that never says FAULT_FLAG_USER and never asks user_mode().

    It is the condition that parts the signal from the exception table where no
    VMA is found: `if (error_code & ACE_USERMODE) force_sig_info(...)`. None
    where the handler does ask, or no one condition parts the two. Raises
    ResourceBound where the paths are too many.
    """
    if Role.USER_MODE in program.roles(entry) | program.roles(handler):
        return None
    plan = Plan(outcome=Outcome.NO_VMA, passes=1)
    machine = Machine(program, entry, plan, solver, None, handler)
    machine.blocks = set() if blocks is None else blocks
    ways: dict[bool, list[dict[Term, bool]]] = {True: [], False: []}
    for path in machine.run():
        kinds = {e.kind for e in path.trace}
        if path.outcome is not Outcome.NO_VMA or (EventKind.KERNEL in kinds) is (
            EventKind.SIGNAL in kinds
        ):
            continue
        ways[EventKind.SIGNAL in kinds].append({d.condition: d.taken for d in path.decisions})
    if not ways[True] or not ways[False]:
        return None
    for condition, polarity in ways[True][0].items():
        if all(w.get(condition) is polarity for w in ways[True]) and all(
            w.get(condition) is (not polarity) for w in ways[False]
        ):
            return condition if polarity else negate(condition)
    return None


def mode_of(machine: Machine, paths: Iterable[Path]) -> Term | None:
    """The mode, by the paths that `prologue()` runs along.

    Of the conditions on the way to handle_mm_fault(), the one that holds
    wherever the flag is set, and of several user_mode(regs), else the one that is
    seldom true without it (a row may lose the flag, as nios2's writes do).
    """
    bit = machine.constants["FAULT_FLAG_USER"]
    ways: list[tuple[bool, dict[Term, bool]]] = []
    chosen: Term | None = None
    for path in paths:
        if path.end is not End.STOP or path.flags is None:
            continue
        # The other flags may hang on a choice (`write ? FAULT_FLAG_WRITE : 0`).
        flag = arithmetic("and", path.flags, integer(bit, path.flags.bits))
        if flag.is_constant:
            ways.append((bool(flag.value), {d.condition: d.taken for d in path.decisions}))
        elif chosen is None and any(t.op == "ite" for t in flag.walk()):
            # `flags |= from_user ? FAULT_FLAG_USER : 0`: the condition of the choice.
            chosen = truth(flag)
    users = [decided for is_user, decided in ways if is_user]
    others = [decided for is_user, decided in ways if not is_user]
    if not users:
        return None if chosen is machine.user else chosen
    best: tuple[int, int, Term] | None = None
    for position, (condition, polarity) in enumerate(users[0].items()):
        if not all(decided.get(condition) is polarity for decided in users):
            continue
        if condition is machine.user and polarity:
            # It says so itself, however many rows lose the flag.
            return None
        missed = sum(1 for decided in others if decided.get(condition) in (polarity, None))
        term = condition if polarity else negate(condition)
        rank = (missed, position, term)
        if best is None or rank[:2] < best[:2]:
            best = rank
    if best is None or best[0] >= len(others):
        return None
    return best[2]
