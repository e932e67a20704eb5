# SPDX-License-Identifier: GPL-2.0-only
"""A program run in stretches, from one place where the world answers to the next.

Both sides of a comparison stop at the same places: before handle_mm_fault()
and where another pass takes the lock. There their states stand side by side,
are compared, and those that look alike are told once, so that the ways to a
gate do not multiply with the ways from it.

The world is that of `ir/environment.py`, with one thing made exact: the VMA
that lock_mm_and_find_vma() gives is the one that find_vma() and expand_stack()
would have given, so that handlers of different generations meet the same mm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from codegen.base.spans import Span
from codegen.ir import environment as env
from codegen.ir.environment import Outcome, Plan
from codegen.ir.machine import Machine
from codegen.ir.nodes import Call, Function
from codegen.ir.program import Program
from codegen.ir.solver import PathSolver, ResourceBound
from codegen.ir.state import Fork, State, Stop
from codegen.ir.terms import (
    Term,
    conjoin,
    disjoin,
    extend,
    integer,
    less,
    negate,
    object_address,
    symbol,
    truth,
)
from codegen.ir.trace import End, EventKind, Path
from codegen.ir.vocabulary import Role

MAX_STRETCH = 20_000
"""How many ways from one gate to the next are followed before giving up."""

MAX_PASS = 5
"""How many passes are followed where the loop does not come to rest."""


_TAKE_ADDRESS = frozenset(
    {
        Role.LOCK_FIND,
        Role.FIND_VMA,
        Role.FIND_VMA_PREV,
        Role.LOCK_VMA,
        Role.EXPAND_STACK,
        Role.FAULT,
    }
)


@dataclass(frozen=True, slots=True)
class Halt(Path):
    """A path from a gate to a gate or to the end, with the state it left behind.

    `gate` is what handle_mm_fault() is about to be given where `end` is STOP.
    """

    state: State | None = None
    gate: tuple[Term, ...] = ()

    @property
    def held(self) -> int:
        """How many locks the path holds where it stands."""
        assert self.state is not None
        return self.state.lock_depth + int(self.state.vma_locked)

    @property
    def owns(self) -> bool:
        """Whether the path stands there with a VMA's own lock."""
        return self.state is not None and self.state.vma_locked


class World(Machine):
    """A Machine that halts at the gates.

    `params` are the names that the parameters go by (src's on both sides);
    `fast` is False for a run that never gets a VMA's own lock. `began` is how
    many events came before the dance on the path that was run last. `ways` gives
    the ways of `stretch()`, and may be set to what remembers them.
    """

    noting = False

    def __init__(
        self,
        program: Program,
        entry: str,
        plan: Plan,
        solver: PathSolver,
        mode: Term | None,
        params: tuple[str, ...] = (),
        fast: bool = True,
    ) -> None:
        super().__init__(program, entry, plan, solver, mode)
        self.params = params
        self.fast = fast
        # How wide the other side takes a parameter: the narrower gets what is left of it.
        self.widths: Mapping[str, int] = {}
        self.ways: Callable[[State, tuple[Term, ...]], Sequence[Halt]] = self._all_ways
        # The blocks that were gone through in all stretches so far.
        self.gone: set[tuple[str, str]] = set()
        self.fault_limit = 0
        self.began: int | None = None
        # Told where a way stands once the mm has answered, and only one answer could be.
        self.came: Callable[[State], None] | None = None
        self._gate: tuple[Term, ...] = ()

    def start(self) -> State:
        """The state at the entry, the parameters named as `params` says."""
        state = State([], {}, {}, self.axioms + self.distinct_labels, (), [])
        args: list[Term] = []
        for position, param in enumerate(self.entry.params):
            name = self.params[position] if position < len(self.params) else param.name
            if param.type.pointer or param.type.record:
                args.append(object_address(name))
            else:
                whole = symbol(name, max(self.widths.get(name, 0), param.type.bits))
                args.append(extend(whole, param.type.bits, False))
        self._enter(state, self.entry, args, None, self.entry.span)
        return state

    def stretch(self, state: State, facts: tuple[Term, ...]) -> Iterator[Halt]:
        """Every way from where `state` stands to the next gate or an end, under `facts`.

        `state` itself is left as it is. Raises ResourceBound when there are too many.
        """
        first = self._mine(state)
        first.facts, first.decisions, first.trace, first.steps = facts, (), [], 0
        yield from self._from([first])

    def resume(self, paused: Sequence[State]) -> Iterator[Halt]:
        """Every way on from states that paused in a stretch, of this program or one like it."""
        yield from self._from([self._mine(s) for s in paused])

    def _from(self, states: Sequence[State]) -> Iterator[Halt]:
        # A block that has begun is gone through as well, in the callers, too.
        self.blocks |= {(f.function.name, f.label) for s in states for f in s.frames}
        ways = self.run_merged(states, State.exact_likeness, State.join)
        for count, way in enumerate(ways):
            if count >= MAX_STRETCH:
                raise ResourceBound(f"more than {MAX_STRETCH} ways from one gate to the next")
            assert isinstance(way, Halt)
            yield way

    def _mine(self, state: State) -> State:
        """The state, standing in this program's functions where it came of another's."""
        own = state.copy()
        for frame in own.frames:
            frame.function = self.program.functions[frame.function.name]
        return own

    def _all_ways(self, state: State, facts: tuple[Term, ...]) -> list[Halt]:
        return list(self.stretch(state, facts))

    def until(self, faults: int, passes: int) -> None:
        """The next stretches halt before fault number `faults` + 1 and before pass `passes` + 1."""
        self.fault_limit = faults
        self.plan = replace(self.plan, passes=passes)

    def endings(self, halt: Halt, facts: tuple[Term, ...]) -> Iterator[tuple[Term, ...]]:
        """The facts of ways from where a path halted to an end, far ones between near ones."""
        if halt.state is None or halt.end not in (End.STOP, End.RETRY):
            yield facts
            return
        at_fault = halt.end is End.STOP
        faults = halt.state.faults + int(at_fault)
        self.until(faults, faults if at_fault else faults + 1)
        paths = self.ways(halt.state, facts)
        near = [p.facts for p in paths if p.end not in (End.STOP, End.RETRY)]
        gates = [p for p in paths if p.end in (End.STOP, End.RETRY)] if faults < MAX_PASS else []
        far = (end for gate in gates for end in self.endings(gate, gate.facts))
        for one, other in zip_longest(near, far):
            yield from (end for end in (one, other) if end is not None)

    def _fork(self, state: State, forks: list[Fork]) -> list[State | Path]:
        ways = super()._fork(state, forks)
        if self.came is not None and len(ways) == 1 and isinstance(ways[0], State):
            self.came(ways[0])
        return ways

    # -- the gates -------------------------------------------------------------------

    def _path(self, state: State, end: End, span: Span, value: Term | None) -> Halt:
        base = super()._path(state, end, span, value)
        fields = {name: getattr(base, name) for name in Path.__dataclass_fields__}
        gate, self._gate = self._gate, ()
        return Halt(**fields, state=state, gate=gate if end is End.STOP else ())

    def _halt(self, state: State, end: End, span: Span) -> None:
        """Stops before the instruction at hand, so that the next stretch begins with it."""
        state.frames[-1].index -= 1
        raise self.stop(end, span)

    @staticmethod
    def stop(end: End, span: Span) -> Exception:
        """The machine's own way of ending a path inside an instruction."""

        return Stop(end, span)

    def _next_pass(self, state: State, span: Span) -> None:
        if not state.faults:
            self.began = len(state.trace)
        # Before the first pass there is a gate, too; a handler may also lock the mm
        # for something else, when nobody has asked for another pass.
        if state.faults >= self.plan.passes and (state.retrying or not state.faults):
            self._gate_of_pass(state, span)

    def _gate_of_pass(self, state: State, span: Span) -> None:
        state.outcome = None
        self._halt(state, End.RETRY, span)

    def _fault(self, state: State, instruction: Call, args: list[Term]) -> list[Fork]:
        if state.faults >= self.plan.passes:
            self._gate_of_pass(state, instruction.span)
        if state.faults >= self.fault_limit:
            self._gate = tuple(args[1:3])
            self._halt(state, End.STOP, instruction.span)
        # The machine notes the first pass's outcome only; each pass has its own here.
        state.outcome = None
        return super()._fault(state, instruction, args)

    def _dance(
        self, state: State, instruction: Call, role: Role, args: list[Term]
    ) -> list[Fork] | None:
        # The prototypes say `unsigned long address`, whatever the handler keeps it in.
        if role in _TAKE_ADDRESS and len(args) > 1:
            args = [args[0], extend(args[1], 64, False), *args[2:]]
        return super()._dance(state, instruction, role, args)

    # -- the VMA ---------------------------------------------------------------------

    def _lock_find(self, state: State, instruction: Call, args: list[Term]) -> list[Fork]:
        self._next_pass(state, instruction.span)
        span = instruction.span
        ordinal = state.acquired + 1
        address = args[1] if len(args) > 1 else symbol("address", 64)
        found = env.truth_symbol(f"vma_found#{ordinal}")
        facts, there = self._there(ordinal, address)
        # Where no VMA was found there is none of which anything holds.
        nothing = tuple(disjoin(negate(found), fact) for fact in facts)
        contended = env.truth_symbol(f"mmap_lock_contended#{ordinal}")
        killed = env.truth_symbol(f"killed_in_lock_wait#{ordinal}")

        def take(way: State) -> None:
            self._acquire(way, span)
            self._give(way, instruction, self._found(way, ordinal))

        def none(way: State) -> None:
            way.acquired += 1
            self._outcome(way, Outcome.NO_VMA)
            self._give(way, instruction, integer(0, 64, "NULL"))

        def refused(way: State) -> None:
            way.acquired += 1
            self._event(way, EventKind.LOCK_WAIT, "mmap_lock", (), span)
            self._give(way, instruction, integer(0, 64, "NULL"))

        got = negate(contended) if self.plan.contended else None
        if got is None:
            return [((found, *facts, there), take), ((*nothing, negate(there)), none)]
        # Waiting that succeeds is the same as not having had to wait.
        waits = conjoin(self._may_wait(args), negate(killed))
        got = disjoin(got, waits)
        return [
            ((got, found, *facts, there), take),
            ((got, *nothing, negate(there)), none),
            ((contended, negate(waits)), refused),
        ]

    def _there(self, ordinal: int, address: Term) -> tuple[tuple[Term, ...], Term]:
        """(what holds of VMA number `ordinal` if it is found, whether it covers the address
        or can grow to it).
        """
        found = env.truth_symbol(f"vma_found#{ordinal}")
        grown = env.truth_symbol(f"stack_grown#{ordinal}")
        vma = env.vma_object(ordinal)
        flags = truth(env.field_value(vma, "vm_flags"))
        start, end = env.field_value(vma, "vm_start"), env.field_value(vma, "vm_end")
        below = less(address, end, is_signed=False)
        covers = negate(less(address, start, is_signed=False))
        grows = conjoin(env.grows(self.constants, ordinal), grown)
        return (flags, below), conjoin(found, disjoin(covers, grows))

    def _lock_vma(self, state: State, instruction: Call, args: list[Term]) -> list[Fork]:
        if not state.faults:
            self._next_pass(state, instruction.span)
        if not self.fast:
            return [((), lambda way: self._give(way, instruction, integer(0, 64, "NULL")))]
        ordinal = state.acquired + 1
        found = env.truth_symbol(f"vma_found#{ordinal}")
        forks = super()._lock_vma(state, instruction, args)
        # A VMA that has its own lock is there for everybody else, too.
        return [(((found, *facts) if len(facts) > 1 else facts), update) for facts, update in forks]


def line_of(halt: Halt, entry: Function) -> int:
    """The line at which a path halted or ended."""
    frames = halt.state.frames if halt.state is not None else []
    source = frames[-1].function.source if frames else entry.source
    return source.line(halt.span.start)
