# SPDX-License-Identifier: GPL-2.0-only
"""Worlds of one program or two, drawn at random, each made of an earlier one.

regs->cause = 13, handle_mm_fault#1 = RETRY   ->   regs->cause = 15, handle_mm_fault#1 = RETRY

What is turned is an answer of the mm, the lock or the task, or a name that a
program asked for: to a number on the other side of the question.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice, permutations

from codegen.ir.concrete import Evaluator
from codegen.ir.solver import ResourceBound
from codegen.ir.terms import Term
from codegen.targets.compare.nodes import Side
from codegen.targets.compare.scenario import Replay, agree, permissive, replay
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.world import World

from .noting import Named, Questions

PASSES = 3
"""The mm's answers are drawn for so many passes; later ones find nothing wrong."""
_ONES = (1 << 64) - 1
_ODD = (0, 1, 2, 4, 0x1000, 0x8000_0000, 1 << 63, _ONES, _ONES - 4095)
_FAILURES = ("OOM", "SIGBUS", "SIGSEGV", "HWPOISON", "HWPOISON_LARGE", "RETRY", "COMPLETED")
_BESIDE = ("MAJOR", "LOCKED", "NOPAGE")
_MOST_MENDED = 40
_MOST_LED = 6
"""How many of a program's first stretches are followed to an end."""


def ways_of(world: World, facts: tuple[Term, ...]) -> Iterator[tuple[Term, ...]]:
    """The facts of a few of a program's ways from the entry to an end, where `facts` hold."""
    world.until(0, 0)
    with suppress(ResourceBound):
        begun = world.ways(world.start(), facts)
        for halt in begun[:: -(-len(begun) // _MOST_LED) or 1]:
            yield from islice(world.endings(halt, halt.facts), 2)


class Worlds:
    """Worlds of one program, or of two.

    `params` are the names that the parameters go by, `given` is what holds in every
    world of each mode that is looked at, True for user mode: at the entry, and of every kernel's
    headers wherever the programs go. `ways` are the facts of ways to begin with, of
    either mode; `solver` finds worlds that lead along them.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        params: tuple[str, ...],
        given: Mapping[bool, Sequence[Term]],
        ways: Mapping[bool, Sequence[tuple[Term, ...]]],
        solver: SlicingSolver,
        seed: int,
    ) -> None:
        self.sides, self.params, self.given = tuple(sides), params, given
        self.random = random.Random(seed)
        self.constants = {n: v for s in reversed(sides) for n, v in s.program.constants.items()}
        failures = (self.constants.get(f"VM_FAULT_{w}", 0) for w in _FAILURES)
        self.answers = (0, *(n for n in failures if n))
        beside = (self.constants.get(f"VM_FAULT_{w}", 0) for w in _BESIDE)
        self.beside = (0, 0, 0, *(n for n in beside if n))
        self.retry = self.constants.get("VM_FAULT_RETRY", 0)
        large = self.constants.get("VM_FAULT_HINDEX_MASK", 0)
        self.index = large & -large
        self.vm = [
            v for n, v in self.constants.items() if n.startswith("VM_") and v and v < 1 << 12
        ]
        self.base = permissive({}, PASSES, 0)
        self.fixed = {n: v for side in sides for n, v in side.numbers.items()}
        self.first = {
            user: solver.scenario(tuple(facts)) if solver.possible(facts) else {}
            for user, facts in given.items()
        }
        self.led = [solver.scenario(facts) for user in ways for facts in ways[user]]

    def plain(self) -> Iterator[dict[str, int]]:
        """Worlds to begin with: all is well, in either mode; every outcome on the first pass.

        Some ways are found by nobody who does not look for them.
        """
        yield from map(self.mended, self.led)
        for user in map(int, self.given):
            for answer in self.answers:
                world = {**self.base, "user_mode(regs)": user, "handle_mm_fault#1": answer}
                world |= self.first[bool(user)]
                self._mend(world)
                yield world

    def user(self, scenario: Mapping[str, int]) -> bool | None:
        """The mode of the world; None where there is no such world."""
        evaluator = Evaluator(scenario)
        user = bool(scenario.get("user_mode(regs)"))
        if user not in self.given:
            return None
        return user if all(evaluator.number(f) for f in self.given[user]) else None

    def runs(self, scenario: Mapping[str, int]) -> tuple[Replay | None, ...]:
        """Each program in one world; None for one that goes nowhere.

        It goes nowhere either where what was learnt on the way does not hold (the mode is
        another one after a call that may write to the registers).
        """
        runs = (replay(side, self.params, scenario) for side in self.sides)
        return tuple(
            r if r is not None and all(map(r.number, r.halt.facts)) else None for r in runs
        )

    def asked(self, scenario: Mapping[str, int]) -> tuple[Term, ...]:
        """What the programs ask of this world, and had its mm been kinder."""
        found: dict[Term, None] = {}
        for world in (scenario, *(permissive(scenario, n, 0) for n in (1, 2))):
            for side in self.sides:
                questions = Questions()
                replay(replace(side, runs=questions), self.params, world)
                found |= dict.fromkeys(questions.asked)
        return tuple(found)

    def bare(self, scenario: Mapping[str, int]) -> dict[str, int]:
        """The world without what no program asks of it."""
        named = Named(scenario)
        runs = [run for run in self.runs(named) if run is not None]
        if len(runs) == len(self.sides):
            for run in runs:
                run.told(run.seen.steps)
                run.faults()
            for a, b in permutations(runs, 2):
                agree(a, b)
        return {n: v for n, v in scenario.items() if n in named.asked}

    def turned(self, scenario: Mapping[str, int], asked: Sequence[Term]) -> dict[str, int]:
        """A world like this one but for a few answers."""
        changed = dict(scenario)
        if self.random.random() < 0.3:
            changed = {**self.base, **changed}
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 5))):
            if asked and self.random.random() < 0.55:
                self._turn(changed, self.random.choice(asked))
            else:
                self._answer(changed)
        self._mend(changed)
        return {n: v for n, v in changed.items() if v}

    def _turn(self, changed: dict[str, int], fact: Term) -> None:
        """Another number for a name that a branch hangs on."""
        terms = list(fact.walk())
        named = [t for t in terms if t.op in ("sym", "call")]
        if not named:
            return
        evaluator = Evaluator(changed)
        term = self.random.choice(named)
        now = evaluator.number(term)
        ones = (1 << term.bits) - 1
        if term.bits == 1:
            changed[evaluator.name(term)] = 1 - now
            return
        known = [t.value for t in terms if t.op == "int"] or [0]
        other = [evaluator.number(t) for t in terms if t.bits == term.bits and t is not term]
        number = self.random.choice(known)
        tries = [number, number + 1, number - 1, now | number, now & ~number, now ^ number]
        tries += [self.random.choice(_ODD), 1 << self.random.randrange(64), now ^ 1]
        tries += [n + d for n in other for d in (-1, 0, 1)]
        changed[evaluator.name(term)] = self.random.choice(tries) & ones

    def _answer(self, changed: dict[str, int]) -> None:
        """Another answer of the mm, the lock or the task."""
        number = self.random.choice((1, 1, 1, 2, 2, 3))
        word = self.random.choice(
            ("fault", "fault", "fault", "retry", "signal", "vma", "lock", "stack", "mode", "flags")
        )
        pick = self.random.choice
        match word:
            case "fault":
                answer = pick(self.answers) | pick(self.beside)
                if answer & self.constants.get("VM_FAULT_HWPOISON_LARGE", 0):
                    answer |= self.index * self.random.randrange(4)
                changed[f"handle_mm_fault#{number}"] = answer
            case "retry":
                changed["handle_mm_fault#1"] = self.retry | pick(self.beside)
            case "signal":
                fatal, pending = pick(((0, 0), (0, 1), (1, 1)))
                changed[f"fatal_signal_pending#{number}"] = fatal
                changed[f"signal_pending#{number}"] = pending
            case "vma":
                changed[f"vma_found#{number}"] = pick((0, 1))
            case "lock":
                name = pick(("mmap_lock_contended", "killed_in_lock_wait", "vma_read_locked"))
                changed[f"{name}#{number}"] = pick((0, 1))
            case "stack":
                changed[f"vma#{number}->vm_start"] = pick((0, _ONES, _ONES - 1))
                changed[f"stack_grown#{number}"] = pick((0, 1))
            case "mode":
                changed["user_mode(regs)"] = 1 - changed.get("user_mode(regs)", 0)
            case "flags":
                flags = pick((0x10, _ONES, *self.vm))
                for _ in range(self.random.randrange(4)):
                    flags |= pick(self.vm)
                changed[f"vma#{number}->vm_flags"] = flags

    def mended(self, scenario: Mapping[str, int]) -> dict[str, int]:
        """The world with what every world has."""
        changed = dict(scenario)
        self._mend(changed)
        return changed

    def _mend(self, changed: dict[str, int]) -> None:
        """What no world is without; and two words for one mode say the same."""
        changed |= self.fixed
        for number in range(1, PASSES + 2):
            if changed.get(f"fatal_signal_pending#{number}"):
                changed[f"signal_pending#{number}"] = 1
            for name, usual in (
                (f"vma#{number}->vm_flags", 0x10),
                (f"vma#{number}->vm_end", _ONES),
            ):
                changed[name] = changed.get(name) or usual
            if changed.get(f"vma_read_locked#{number}"):
                vma = f"vma#{number}->"
                there = {f"vma_found#{number}": 1, f"{vma}vm_start": 0, f"{vma}vm_end": _ONES}
                changed |= there
        for _ in range(_MOST_MENDED):
            evaluator = Evaluator(changed)
            user = bool(changed.get("user_mode(regs)"))
            wrong = [f for f in self.given.get(user, ()) if not evaluator.number(f)]
            if not wrong:
                return
            named = [t for t in self.random.choice(wrong).walk() if t.op in ("sym", "call")]
            if not named:
                return
            term = self.random.choice(named)
            numbers = [t.value for f in wrong for t in f.walk() if t.op == "int"] or [0]
            number = self.random.choice((0, 1, evaluator.number(term) + 1, *numbers, _ONES))
            changed[evaluator.name(term)] = number & ((1 << term.bits) - 1)
        changed |= self.first.get(bool(changed.get("user_mode(regs)")), {})
