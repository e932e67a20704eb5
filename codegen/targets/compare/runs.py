# SPDX-License-Identifier: GPL-2.0-only
"""One program in many concrete worlds: what two worlds have in common is run once.

    possible(vma_found#1)?   yes: decide(regs->cause == 2)?   yes: the path ...
                                                              no:  the path ...
                             no:  the path ...

What a machine does is settled by the answers that it gets, so the runs of a
program form a tree of questions with a path at each leaf. A world is led
through it by working out each question; the machine runs only where no world
has been before, from the last place on the way at which its state was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from codegen.ir.concrete import Evaluator
from codegen.ir.program import Program
from codegen.ir.solver import PathSolver
from codegen.ir.state import State
from codegen.ir.terms import Term, negate
from codegen.targets.compare.family import Blocks, Family
from codegen.targets.compare.world import Halt


class Decided(PathSolver):
    """Answers every question from one scenario; no z3 behind it."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.questions = 0

    @classmethod
    def of(cls, scenario: Mapping[str, int]) -> Decided:
        """The answers of a scenario."""
        return cls(Evaluator(scenario))

    def possible(self, facts: Iterable[Term]) -> bool:
        """Whether all of them hold."""
        return all(self.evaluator.number(f) for f in facts)

    def decide(self, condition: Term, facts: tuple[Term, ...]) -> bool | None:  # noqa: ARG002
        """Whether the condition holds."""
        return bool(self.evaluator.number(condition))

    def keep(self, kept: Kept) -> None:
        """Is told how a machine stands in the middle of its run."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Where a run came to its end, None if it led nowhere.

    `began` is how many events came before the dance, `blocks` are those that the
    run went through.
    """

    halt: Halt | None
    began: int
    blocks: Blocks = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """A machine in the middle of a run: its state, and what else has to be known to go on."""

    state: State
    began: int | None
    blocks: Blocks


@dataclass(eq=False, slots=True)
class _Node:
    """A question with what comes after either answer, or the end of a run.

    Neither is known of a node that no run has come past yet. `kept` is how the
    machine stood when it came there, if that was kept.
    """

    question: tuple[Term, ...] | None = None
    yes: _Node | None = None
    no: _Node | None = None
    ended: Ended | None = None
    kept: Kept | None = None

    def after(self, answer: bool) -> _Node | None:
        return self.yes if answer else self.no


class Scenarios:
    """The scenarios that programs were run in; in each, every term is worked out once."""

    def __init__(self) -> None:
        self._known: dict[frozenset[tuple[str, int]], Evaluator] = {}

    def evaluator(self, scenario: Mapping[str, int]) -> Evaluator:
        """The scenario's evaluator, the same one whenever it is asked for."""
        key = frozenset(scenario.items())
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Evaluator(dict(scenario))
        return found


class Runs:
    """The runs of one program, told apart by `key` where they begin otherwise.

    What a program of its family did on blocks that are the same here, it does
    here, too: `kin` holds the runs of those others. `scenarios` may be shared
    with any other program. `gone` takes the blocks that the program went through.
    """

    def __init__(
        self,
        program: Program | None = None,
        family: Family | None = None,
        kin: Sequence[Runs] = (),
        scenarios: Scenarios | None = None,
    ) -> None:
        self.program, self.family, self.kin = program, family, kin
        self.scenarios = scenarios or Scenarios()
        self.gone: set[tuple[str, str]] = set()
        self._roots: dict[tuple[object, ...], _Node] = {}

    def run(
        self,
        key: tuple[object, ...],
        evaluator: Evaluator,
        machine: Callable[[Decided, Kept | None], Ended],
    ) -> Ended:
        """The end of the run in one world; `machine` makes it where no other did before.

        It goes on from what it is given, if anything, and may keep() how it stands.
        Two calls with the same key must be given machines that do the same.
        """
        ended = self._found(key, evaluator)
        if ended is None:
            asked = _Asked(evaluator, self._roots.setdefault(key, _Node()))
            kept = asked.go_on()
            ended = asked.node.ended = machine(asked, kept)
        self.gone |= ended.blocks
        return ended

    def _found(self, key: tuple[object, ...], evaluator: Evaluator) -> Ended | None:
        node = self._led(key, evaluator)
        if node is not None and node.ended is not None:
            return node.ended
        return next((e for o in self.kin if (e := self._as(o, key, evaluator)) is not None), None)

    def _led(self, key: tuple[object, ...], evaluator: Evaluator) -> _Node | None:
        """The end of the questions that were asked in a world like this one; None past those."""
        node = self._roots.get(key)
        while node is not None and node.question is not None:
            node = node.after(all(evaluator.number(f) for f in node.question))
        return node

    def _as(self, other: Runs, key: tuple[object, ...], evaluator: Evaluator) -> Ended | None:
        """The end of another program's run in this world, where this one goes the same way."""
        if other is self or self.family is None or self.program is None or other.program is None:
            return None
        node = other._led(key, evaluator)
        if node is None or node.ended is None:
            return None
        alike = self.family.alike(other.program, self.program, node.ended.blocks)
        return node.ended if alike else None


class _Asked(Decided):
    """A Decided solver that writes its questions down from `node` on."""

    def __init__(self, evaluator: Evaluator, node: _Node) -> None:
        super().__init__(evaluator)
        self.node = node
        self._holding: set[Term] = set()

    def keep(self, kept: Kept) -> None:
        """See Decided."""
        self.node.kept = kept

    def go_on(self) -> Kept | None:
        """The last machine that was kept on the way of this world, which is where it is now."""
        answers: list[tuple[tuple[Term, ...], bool]] = []
        node, last, known = self.node, self.node, 0
        while node.question is not None:
            answer = Decided.possible(self, node.question)
            following = node.after(answer)
            if following is None:
                break
            answers.append((node.question, answer))
            node = following
            if node.kept is not None:
                last, known = node, len(answers)
        for asked, answer in answers[:known]:
            self._hold(asked, answer)
        self.node = last
        return last.kept

    def possible(self, facts: Iterable[Term]) -> bool:
        """Whether all of them hold; only what is not known from earlier answers is a question."""
        asked = tuple(f for f in facts if f not in self._holding and not _is_true(f))
        if not asked:
            return True
        answer = super().possible(asked)
        self._note(asked, answer)
        return answer

    def decide(self, condition: Term, facts: tuple[Term, ...]) -> bool | None:
        """Whether the condition holds."""
        if condition.is_constant or condition in self._holding:
            return super().decide(condition, facts)
        answer = super().decide(condition, facts)
        self._note((condition,), bool(answer))
        return answer

    def _note(self, asked: tuple[Term, ...], answer: bool) -> None:
        node = self.node
        if node.question is None:
            node.question = asked
        following = node.after(answer)
        if following is None:
            following = _Node()
            if answer:
                node.yes = following
            else:
                node.no = following
        self.node = following
        self._hold(asked, answer)

    def _hold(self, asked: tuple[Term, ...], answer: bool) -> None:
        if answer:
            self._holding.update(asked)
        elif len(asked) == 1:
            self._holding.add(negate(asked[0]))


def _is_true(fact: Term) -> bool:
    return fact.is_constant and bool(fact.value)
