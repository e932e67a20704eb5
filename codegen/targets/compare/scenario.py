# SPDX-License-Identifier: GPL-2.0-only
"""A program run in one concrete world, to see a difference with one's own eyes.

    {"user_mode(regs)": 1, "vma_found#1": 1, "handle_mm_fault#1": 1024, ...}

The names and numbers are those of `ir/concrete.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from codegen.ir.concrete import Evaluator
from codegen.ir.environment import Plan
from codegen.ir.solver import ResourceBound
from codegen.ir.terms import Term
from codegen.ir.trace import End, Event, EventKind
from codegen.targets.compare.joints import Joint
from codegen.targets.compare.nodes import Side
from codegen.targets.compare.observe import Observed, Step, Writes, differing, observe
from codegen.targets.compare.runs import Decided, Ended, Kept
from codegen.targets.compare.world import Halt, World

MAX_REPLAYED_PASSES = 12
_PLAN = Plan(contended=True, extra_bits=True, passes=MAX_REPLAYED_PASSES)
_ALL_ONES = (1 << 64) - 1
_ORDINAL = re.compile(r"^([\w ]+?)#(\d+)")
_CALL = re.compile(r"^(\w+)@(\d+)(?=\()")
_OF_FAULTS = frozenset({"handle_mm_fault", "signal_pending", "fatal_signal_pending"})


@dataclass(frozen=True)
class Replay:
    """What a program does in one scenario: the one path, and what is compared of it."""

    halt: Halt
    seen: Observed
    number: Callable[[Term], int]
    began: int

    @property
    def trace(self) -> tuple[Event, ...]:
        """All that happened, from the entry on; a WARN_ON() that does not fire is nothing."""
        return tuple(
            e for e in self.halt.trace if e.parts != ("condition",) or self.number(e.args[0])
        )

    def holds(self, condition: Term) -> bool:
        """Whether a condition holds in the scenario."""
        return bool(self.number(condition))

    def last(self) -> tuple[Step, ...]:
        """The steps since the last fault; since the dance began, if there was none."""
        trace = self.halt.trace
        calls = [i for i, e in enumerate(trace) if e.kind is EventKind.FAULT]
        return observe(trace[calls[-1] + 1 if calls else self.began :], self.holds).steps

    def told(self, steps: tuple[Step, ...]) -> tuple[object, ...]:
        """The steps worked out, up to the kernel's own routine; equal ones do the same.

        Whether the fixup then works is another matter.
        """
        told: list[object] = []
        for step in steps:
            if isinstance(step, Writes):
                told.append(
                    frozenset((self.number(e.args[1]), self.number(e.args[0])) for e in step.events)
                )
                continue
            args = tuple(map(self.number, step.args))
            is_signal = step.kind is EventKind.SIGNAL
            told.append((step.kind, step.parts if is_signal else step.name, args))
            if step.kind is EventKind.KERNEL:
                break
        return tuple(told)

    def faults(self) -> list[tuple[int, ...]]:
        """What handle_mm_fault() was given, call by call, and whether under a VMA's own lock."""
        given: list[tuple[int, ...]] = []
        own = False
        for event in self.halt.trace:
            if event.kind in (EventKind.VMA_LOCK, EventKind.LOCK):
                own = event.kind is EventKind.VMA_LOCK
            elif event.kind is EventKind.FAULT:
                given.append((*map(self.number, event.args), own))
        return given


def replay(
    side: Side, params: tuple[str, ...], scenario: Mapping[str, int], fast: bool = True
) -> Replay | None:
    """The one path that a scenario leads along; None if it leads nowhere.

    A scenario leads nowhere if it contradicts itself (a VMA that ends below
    where it begins), or never comes to an end. Worlds that give the same
    answers lead along the same path, which is run once (`side.runs`).
    """
    fast = fast and side.per_vma_lock
    evaluator = side.runs.scenarios.evaluator(scenario)

    def run(solver: Decided, kept: Kept | None) -> Ended:
        world = World(side.program, side.entry, _PLAN, solver, side.mode, params, fast)
        world.low_stack, world.known = side.low_stack, side.known
        world.until(MAX_REPLAYED_PASSES, MAX_REPLAYED_PASSES)
        world.came = lambda state: solver.keep(
            Kept(state.copy(), world.began, frozenset(world.blocks))
        )
        if kept is None:
            ways = world.stretch(world.start(), ())
        else:
            world.began, world.blocks = kept.began, set(kept.blocks)
            ways = world.resume([kept.state])
        paths = []
        with suppress(ResourceBound):
            paths = list(ways)
        leads = len(paths) == 1 and paths[0].end not in (End.STOP, End.RETRY)
        halt = paths[0] if leads else None
        return Ended(halt, world.began or 0, frozenset(world.blocks))

    ended = side.runs.run((side.entry, side.mode, side.low_stack, params, fast), evaluator, run)
    return None if ended.halt is None else _seen(ended.halt, ended.began, evaluator)


def replay_of(world: World, path: Halt) -> Replay:
    """The one path that a world with a Decided solver has led along, as it is compared."""
    assert isinstance(world.solver, Decided)
    return _seen(path, world.began or 0, world.solver.evaluator)


def _seen(halt: Halt, began: int, evaluator: Evaluator) -> Replay:
    run = Replay(halt, Observed((), ()), evaluator.number, began)
    return replace(run, seen=observe(halt.trace, run.holds))


def with_entry(scenario: Mapping[str, int], tables: frozenset[str]) -> dict[str, int]:
    """The scenario with an entry in the exception table for whatever is looked up by `tables`.

    Both sides may now come to a fault that neither came to before: a page's
    mask, which is never 0, has to be there.
    """
    values = {0, *scenario.values()}
    found = {f"{word}({v:#x})": 1 for word in tables for v in values}
    return {"PAGE_MASK": _ALL_ONES, **scenario, **found}


def permissive(scenario: Mapping[str, int], passes: int, answer: int) -> dict[str, int]:
    """The scenario with the lock free, VMAs that are there and permit everything.

    handle_mm_fault() gives `answer` on pass number `passes`.
    """
    changed = {**scenario, f"handle_mm_fault#{passes}": answer}
    for number in range(1, passes + 2):
        vma = f"vma#{number}->"
        changed |= {f"mmap_lock_contended#{number}": 0, f"vma_read_locked#{number}": 0}
        changed |= {f"vma_found#{number}": 1, f"{vma}vm_flags": _ALL_ONES}
        changed |= {f"{vma}vm_start": 0, f"{vma}vm_end": _ALL_ONES}
    return changed


Atoms = tuple[tuple[object, ...], ...]
"""Steps worked out; writes one by one, in the order in which they were made."""


def atoms(run: Replay, steps: tuple[Step, ...]) -> Atoms:
    """The steps as atoms: (kind, name, numbers), or (place, value) of a write."""
    found: list[tuple[object, ...]] = []
    for step in steps:
        if isinstance(step, Writes):
            found += [(run.number(e.args[1]), run.number(e.args[0])) for e in step.events]
        else:
            name = step.parts if step.kind is EventKind.SIGNAL else step.name
            found.append((step.kind, name, *map(run.number, step.args)))
    return tuple(found)


def early(a: Replay, b: Replay) -> Atoms:
    """What `a` does between lookup and first fault, where `b` does the same before it locks.

    Nothing, unless both do the same, in the same order, up to that fault.
    """
    mine, theirs = _up_to_fault(a), _up_to_fault(b)
    if mine is None or theirs is None or theirs[1]:
        return ()
    return mine[1] if mine[0] + mine[1] == theirs[0] else ()


def _up_to_fault(run: Replay) -> tuple[Atoms, Atoms] | None:
    """(what is done before the lock, what between lock and mm); None if the mm is not asked."""
    trace = run.trace
    ask = next((i for i, e in enumerate(trace) if e.kind is EventKind.FAULT), None)
    locks = [i for i, e in enumerate(trace[:ask]) if e.kind is EventKind.LOCK]
    if ask is None or not locks:
        return None
    inner = observe(trace[locks[-1] : ask], run.holds).steps
    if any(isinstance(s, Event) and s.kind is not EventKind.CALL for s in inner):
        return None
    outer = observe(trace[: locks[-1]], run.holds).steps
    return atoms(run, outer), atoms(run, inner)


def agree(a: Replay, b: Replay, *, counters: bool = True, moved: Atoms = ()) -> bool:
    """Whether two programs do the same in one scenario, locks and (`counters`) counts included.

    `moved` are steps that do not count, wherever they are made.
    """
    if a.halt.end is not b.halt.end:
        return False
    if moved:
        mine, theirs = (
            tuple(atom for atom in atoms(run, run.seen.steps) if atom not in moved)
            for run in (a, b)
        )
        if mine != theirs:
            return False
    elif a.seen.asked != b.seen.asked:
        return False
    elif differing(a.seen.steps, b.seen.steps, a.holds) is not None:
        return False
    if counters and differing(a.seen.accounting, b.seen.accounting, a.holds) is not None:
        return False
    if a.faults() != b.faults():
        return False
    if a.halt.end is not End.RETURN:
        return True
    value, other = a.halt.value, b.halt.value
    if value is not None and other is not None and a.number(value) != a.number(other):
        return False
    return a.halt.held == b.halt.held


@dataclass(frozen=True)
class Since:
    """What came before a pass: faults, locks, epochs; `base` is the epoch before the first."""

    faults: int
    acquired: int
    epochs: int
    base: int


def pass_before(joint: Joint) -> Since:
    """What came before the pass in which a pair of states stands."""
    begun = joint
    if joint.at_fault:
        begun = next((w.origin for w in joint.ways if w.origin is not None), joint)
    return Since(
        joint.src.faults, begun.src.acquired, max(begun.src.epoch - joint.base, 0), joint.base
    )


def shifted(scenario: Mapping[str, int], since: Since) -> dict[str, int]:
    """The scenario in which a pass is the first: what came before it is left out."""
    moved: dict[str, int] = {}
    for name, number in scenario.items():
        ordinal, call = _ORDINAL.match(name), _CALL.match(name)
        if ordinal is not None:
            word, old = ordinal.group(1), int(ordinal.group(2))
            new = old - (since.faults if word in _OF_FAULTS else since.acquired)
            if new > 0 or (new == 0 and word != "handle_mm_fault"):
                moved[f"{word}#{new}{name[ordinal.end() :]}"] = number
        elif call is not None and int(call.group(2)) > since.base:
            new = int(call.group(2)) - since.epochs
            if new > since.base or not since.base:
                mark = f"@{new}" if new else ""
                moved[f"{call.group(1)}{mark}{name[call.end() :]}"] = number
        else:
            moved[name] = number
    return moved
