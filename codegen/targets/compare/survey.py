# SPDX-License-Identifier: GPL-2.0-only
"""Every way of one program, and the words for where a way stands.

Survey(world, solver, look).run()      look(joint, halt, observed) for each way
met(joint, halt, solver, user)         "no_vma", "lock_contended", "prologue", None ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from codegen.ir import environment as env
from codegen.ir.environment import LOCK_CONTENDED, PROLOGUE, Outcome, truth_symbol
from codegen.ir.solver import PathSolver
from codegen.ir.terms import TRUE, Term, conjoin, less, negate
from codegen.ir.trace import End
from codegen.targets.compare.beside import Pair
from codegen.targets.compare.bundles import Bundle, alone
from codegen.targets.compare.joints import Joint, Parting
from codegen.targets.compare.observe import Observed, lock_refused, observe
from codegen.targets.compare.pair import Walk
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.world import Halt, World


class Survey(Walk):
    """A walk over one program; `look` is given every way from a gate.

    `begun` are the joints from which a pass begins.
    """

    def __init__(
        self,
        world: World,
        solver: SlicingSolver,
        look: Callable[[Joint, Halt, Observed], None],
    ) -> None:
        super().__init__(world, world, solver, (), _nothing)
        self.look = look
        self.begun: list[Joint] = []

    def _bundled(self, stage: Sequence[Joint]) -> Iterator[Bundle]:
        """Each by itself: what is left behind in a local is what is looked for."""
        return map(alone, stage)

    def _pairs(self, bundle: Bundle) -> Iterator[tuple[Bundle, Pair]]:
        joint = bundle.joint
        faults, passes = self.limits(joint)
        for halt in self._stretch(self.src, joint.src, joint.facts, faults, passes):
            self.pairs += 1
            yield bundle, Pair(halt, halt, ())

    def _compare(self, bundle: Bundle, pair: Pair) -> None:
        def holds(condition: Term) -> bool | None:
            return self.solver.decide(condition, pair.src.facts)

        self.look(bundle.joint, pair.src, observe(pair.src.trace, holds))

    def _is_new(self, seen: dict[object, list[frozenset[Term]]], key: object, joint: Joint) -> bool:
        if not joint.at_fault:
            self.begun.append(joint)
        return super()._is_new(seen, key, joint)


def _nothing(parting: Parting) -> None:
    """A program does not part from itself."""


def met(
    joint: Joint, halt: Halt, solver: PathSolver, user: bool, constants: Mapping[str, int]
) -> Iterator[tuple[str | None, Term]]:
    """(what the pass met in which a way ends, when), as interface.md words it.

    None stands for a way on which nothing was met yet. A way on which others
    were joined may have met one thing or another.
    """
    assert halt.state is not None
    ordinal = halt.state.acquired
    looked_up = ordinal > joint.src.acquired and halt.state.vmas.get(ordinal, False)
    outcome = _plainly_met(joint, halt, solver, user)
    if looked_up and outcome is None and halt.end is not End.STOP:
        yield from _refused(halt, solver, constants)
    else:
        yield outcome, TRUE


def _plainly_met(joint: Joint, halt: Halt, solver: PathSolver, user: bool) -> str | None:
    assert halt.state is not None
    if halt.outcome is Outcome.RETRY:
        word = "signal_pending" if user else "fatal_signal_pending"
        pending = truth_symbol(f"{word}#{halt.state.faults}")
        if solver.decide(pending, halt.facts) is True:
            return str(Outcome.SIGNAL_PENDING)
    if halt.outcome is not None:
        return str(halt.outcome)
    if not joint.entered and halt.end is not End.RETRY:
        return PROLOGUE
    return LOCK_CONTENDED if lock_refused(halt.trace) else None


def _refused(
    halt: Halt, solver: PathSolver, constants: Mapping[str, int]
) -> Iterator[tuple[str, Term]]:
    """Why a VMA that was found is not enough: it may lie above the address, and be no stack."""
    assert halt.state is not None
    ordinal = halt.state.acquired
    vma = env.vma_object(ordinal)
    address = _looked_up(halt, env.field_value(vma, "vm_end"))
    grown = truth_symbol(f"stack_grown#{ordinal}")
    if address is None or solver.decide(grown, halt.facts) is True:
        yield str(Outcome.ACCESS_DENIED), TRUE
        return
    above = less(address, env.field_value(vma, "vm_start"), is_signed=False)
    grows = env.grows(constants, ordinal)
    for outcome, when in (
        (Outcome.ACCESS_DENIED, negate(above)),
        (Outcome.NO_VMA, conjoin(above, negate(grows))),
        (Outcome.STACK_GROWTH_FAILURE, conjoin(conjoin(above, grows), negate(grown))),
    ):
        if solver.decide(when, halt.facts) is not False:
            yield str(outcome), when


def _looked_up(halt: Halt, end: Term) -> Term | None:
    """The address for which the VMA was found: it lies below the VMA's end."""
    for fact in halt.facts:
        for part in fact.walk():
            if part.op == "ult" and part.args[1] is end:
                return part.args[0]
    return None
