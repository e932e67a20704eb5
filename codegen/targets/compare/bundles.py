# SPDX-License-Identifier: GPL-2.0-only
"""Pairs of states that differ in what they carry along only, followed as one.

    flags = 0x254    flags = 0x255        flags = 0x254 | (either 0 & 1)

Most ways from a gate never look at what an earlier stretch left in a local. So
what differs from member to member is an unknown there, the same one wherever
the members have the same values. What a way comes to for a member is the way
with the member's own values put in; it is worked out where it is needed: at
the next gate, and where both sides part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, reduce

from codegen.ir.program import is_signal_code, is_signal_number
from codegen.ir.state import State
from codegen.ir.terms import FALSE, TRUE, Term, arithmetic, integer, substitute, symbol
from codegen.ir.trace import Event
from codegen.targets.compare.joints import Joint, Unmatched
from codegen.targets.compare.live import Likeness
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.world import Halt

MAX_MEMBERS = 16
"""How many pairs of states are followed as one."""

_ADDRESSES = frozenset({"object", "field", "index", "local", "text"})

Pair = tuple[Joint, Halt, Halt]


@dataclass(frozen=True)
class Member:
    """One of the pairs of states, and what it has in an unknown's place."""

    joint: Joint
    values: dict[Term, Term]


@dataclass(frozen=True)
class Bundle:
    """Pairs of states that `joint` stands for; one alone stands for itself."""

    joint: Joint
    members: tuple[Member, ...]
    unknowns: frozenset[str] = frozenset()

    @property
    def is_single(self) -> bool:
        """Whether `joint` is the only member."""
        return len(self.members) == 1

    def is_sound(self, ways: Sequence[Halt]) -> bool:
        """Whether no way reads or writes through an unknown: memory is told apart by its places."""
        terms: set[Term] = set()
        for way in ways:
            terms.update(way.facts, way.gate, *(e.args for e in way.trace))
            if way.value is not None:
                terms.add(way.value)
            if way.state is not None:
                terms.update(way.state.memory, way.state.memory.values())
        return not any(
            self.unknowns & _in_places(t)
            for t in terms
            if not self.unknowns.isdisjoint(t.symbols())
        )

    def each(self, src: Halt, tgt: Halt, solver: SlicingSolver) -> Iterator[Pair]:
        """The pair of ways as each member goes it that can."""
        for member in self.members:
            if self.is_single:
                yield member.joint, src, tgt
            else:
                found = self._of(member, src, tgt, solver)
                if found is not None:
                    yield found

    def unmatched(
        self,
        src: Halt,
        facts: tuple[Term, ...],
        undefined: tuple[Term, ...],
        solver: SlicingSolver,
    ) -> Iterator[Unmatched]:
        """That src goes a way and tgt none, under `facts`, as it is for each member."""
        if self.is_single:
            yield Unmatched(self.joint, src, facts, undefined)
            return
        for member in self.members:
            own = self._facts(member, src.facts[len(self.joint.facts) :])
            more = self._facts(member, facts)
            if own is None or more is None:
                continue
            if solver.also_possible((*own, *more), member.joint.facts):
                halt = self._halt(member, src, (*member.joint.facts, *own))
                yield Unmatched(member.joint, halt, more, self.put(member, undefined))

    def put(self, member: Member, terms: Sequence[Term]) -> tuple[Term, ...]:
        """Terms with the member's values in them."""
        memo: dict[Term, Term] = {}
        return tuple(
            t if self.unknowns.isdisjoint(t.symbols()) else substitute(t, member.values, memo)
            for t in terms
        )

    def _of(self, member: Member, src: Halt, tgt: Halt, solver: SlicingSolver) -> Pair | None:
        known = len(self.joint.facts)
        own = self._facts(member, src.facts[known:])
        more = self._facts(member, tgt.facts[len(src.facts) :])
        if own is None or more is None:
            return None
        if not solver.also_possible((*own, *more), member.joint.facts):
            return None
        facts = (*member.joint.facts, *own)
        return (
            member.joint,
            self._halt(member, src, facts),
            self._halt(member, tgt, (*facts, *more)),
        )

    def _facts(self, member: Member, facts: Sequence[Term]) -> tuple[Term, ...] | None:
        found = tuple(f for f in self.put(member, facts) if f is not TRUE)
        return None if FALSE in found else found

    def _halt(self, member: Member, halt: Halt, facts: tuple[Term, ...]) -> Halt:
        return replace(
            halt,
            facts=facts,
            trace=self._events(member, halt.trace),
            value=None if halt.value is None else self.put(member, (halt.value,))[0],
            gate=self.put(member, halt.gate),
            state=None if halt.state is None else self._state(member, halt.state),
        )

    def _events(self, member: Member, trace: Sequence[Event]) -> tuple[Event, ...]:
        events = []
        for event in trace:
            args = self.put(member, event.args)
            events.append(event if args == event.args else replace(event, args=args))
        return tuple(events)

    def _state(self, member: Member, state: State) -> State:
        own = state.copy()
        values = tuple(own.memory.values())
        own.memory = dict(zip(own.memory, self.put(member, values), strict=True))
        own.trace = list(self._events(member, own.trace))
        if own.flags is not None:
            own.flags = self.put(member, (own.flags,))[0]
        return own


def bundled(joints: Sequence[Joint], likeness: Likeness) -> Iterator[Bundle]:
    """The pairs of states at their gates, together where they differ only in what they carry."""
    alike: dict[object, list[Joint]] = {}
    for joint in joints:
        alike.setdefault(_kind(joint, likeness), []).append(joint)
    for kind in alike.values():
        for start in range(0, len(kind), MAX_MEMBERS):
            yield _bundle(kind[start : start + MAX_MEMBERS], likeness)


def alone(joint: Joint) -> Bundle:
    """A pair of states that is followed by itself."""
    return Bundle(joint, (Member(joint, {}),))


def _kind(joint: Joint, likeness: Likeness) -> object:
    """All of a pair of states but the values that it only carries along."""
    sides = tuple(
        (
            tuple((f.function.name, f.label, f.index, f.number) for f in s.frames),
            (s.acquired, s.faults, s.lock_depth, s.vma_locked, s.epoch, s.retrying, s.outcome),
            frozenset(s.versions.items()),
            frozenset(s.vmas.items()),
            frozenset((p, None if _is_carried(v) else v) for p, v in likeness.living(s)),
        )
        for s in (joint.src, joint.tgt)
    )
    return (joint.at_fault, joint.entered, joint.base, sides)


def _bundle(joints: list[Joint], likeness: Likeness) -> Bundle:
    if len(joints) == 1:
        return alone(joints[0])
    first = joints[0]
    unknown: dict[tuple[Term, ...], Term] = {}
    values: list[dict[Term, Term]] = [{} for _ in joints]
    sides = []
    for side in ("src", "tgt"):
        states: list[State] = [getattr(j, side) for j in joints]
        state = states[0].copy()
        state.frame_count = max(s.frame_count for s in states)
        for place, value in likeness.living(states[0]):
            column = tuple(s.memory[place] for s in states)
            if all(v is value for v in column):
                continue
            if column not in unknown:
                unknown[column] = _either(column, len(unknown), values)
            state.memory[place] = unknown[column]
        sides.append(state)
    shared = set(first.facts).intersection(*(j.facts for j in joints[1:]))
    facts = tuple(f for f in first.facts if f in shared)
    names = frozenset(n for u in unknown.values() for n in u.symbols() if n.startswith(_NAME))
    members = tuple(Member(j, v) for j, v in zip(joints, values, strict=True))
    joint = Joint(
        sides[0], sides[1], facts, [], first.at_fault, entered=first.entered, base=first.base
    )
    return Bundle(joint, members, names)


_NAME = "either "


def _either(column: tuple[Term, ...], number: int, values: list[dict[Term, Term]]) -> Term:
    """An unknown for one value of each member; bits that all have alike stay known."""
    bits = column[0].bits
    unknown = either = symbol(f"{_NAME}{number}", bits)
    if bits > 1 and all(v.is_constant for v in column):
        numbers = [v.value for v in column]
        common = reduce(lambda a, b: a & b, numbers)
        apart = reduce(lambda a, b: a | b, numbers) & ~common
        either = arithmetic("and", either, integer(apart, bits))
        either = arithmetic("or", either, integer(common, bits))
    for known, value in zip(values, column, strict=True):
        known[unknown] = value
        # The value itself, with the name that a constant has.
        known[either] = value
    return either


def _is_carried(value: Term) -> bool:
    """Whether a value may be an unknown: no address, and nothing that a signal is known by."""
    return not any(
        t.op in _ADDRESSES
        or (
            t.is_constant
            and (t.name == "NULL" or is_signal_code(t.name) or is_signal_number(t.name))
        )
        for t in _outside_calls(value)
    )


def _outside_calls(term: Term) -> Iterator[Term]:
    stack = [term]
    while stack:
        term = stack.pop()
        yield term
        if term.op not in ("sym", "call"):
            stack.extend(term.args)


@cache
def _in_places(term: Term) -> frozenset[str]:
    """The names in the addresses that a term speaks of, and in those of what it reads."""
    found: frozenset[str] = frozenset()
    if term.op in ("field", "index") or (term.op == "sym" and term.args):
        found = term.symbols()
    for arg in term.args:
        found |= _in_places(arg)
    return found
