# SPDX-License-Identifier: GPL-2.0-only
"""What of a state still matters, named alike on every way that leads to a gate.

code = SEGV_ACCERR; vma = vma#2; flags = 0x254 | TRIED      (second pass)
code = SEGV_ACCERR;              flags = 0x254 | TRIED      before the third
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from codegen.ir.concrete import Evaluator
from codegen.ir.live import live_before
from codegen.ir.state import State
from codegen.ir.terms import (
    Term,
    arithmetic,
    choose,
    equal,
    extend,
    local_address,
    rebuild,
    symbol,
)

_ORDINAL = re.compile(r"([\w ]*)#(\d+)")
# The value of a call with an effect; a place (`regs->pc@1`) has a version of its own instead.
_EPOCH = re.compile(r"\b(?<![>.*])(\w+)@(\d+)")
_MARK = re.compile(r"[#@]\d")
_CARRIED = "carried"
_OF_FAULTS = frozenset({"handle_mm_fault", "signal_pending", "fatal_signal_pending"})


class Likeness:
    """What makes states alike, whatever way led to them.

    Locals are named by how deep their frame lies, and what belongs to a pass
    (`vma#2`) by how many passes ago that was, so that a loop that has come to
    rest is seen to have.
    """

    def __init__(self) -> None:
        self._renamed: dict[tuple[object, ...], dict[Term, Term]] = {}
        self._flattened: dict[Term, Term] = {}

    def of(self, state: State, base: int) -> tuple[object, frozenset[str]]:
        """(what the state looks like, the names of the world that it still holds).

        `base` is the epoch in which the first pass began: names of the
        prologue (`get_fault_code@1`) are the same in every pass.
        """
        numbers = tuple(f.number for f in state.frames)
        places: set[tuple[Term, Term]] = set()
        names: set[str] = set()
        for place, value in self.living(state):
            names |= value.symbols()
            renamed = (self._rename(t, state, base, numbers) for t in (place, value))
            places.add(tuple(renamed))  # type: ignore[arg-type]
        position = tuple((f.function.name, f.label, f.index) for f in state.frames)
        return (position, frozenset(places)), frozenset(names)

    def living(self, state: State) -> Iterator[tuple[Term, Term]]:
        """Every place whose value can still be read, with the value."""
        depth = {frame.number: position for position, frame in enumerate(state.frames)}
        live = [live_before(f.function).get((f.label, f.index), frozenset()) for f in state.frames]
        for place, value in state.memory.items():
            root = place
            while root.op in ("field", "index"):
                root = root.args[0]
            if root.op == "local":
                number, name = local_of(root)
                if number not in depth or (root is place and name not in live[depth[number]]):
                    continue
            yield place, value

    def facts(self, facts: Iterable[Term], state: State, base: int) -> frozenset[Term]:
        """Facts, with what belongs to a pass named by how long ago it was."""
        return frozenset(self._rename(f, state, base, ()) for f in facts)

    def forget(self, src: State, tgt: State, base: int) -> tuple[State, State, tuple[Term, ...]]:
        """Both states with each value that passes gone by went into as one new unknown.

        What the unknowns stand for is told as facts. A value that grows from
        pass to pass (`major |= fault & VM_FAULT_MAJOR`) looks alike from then on.
        """
        unknown: dict[Term, Term] = {}
        states = []
        for state in (src, tgt):
            state = state.copy()
            numbers = tuple(f.number for f in state.frames)
            old = [(p, v) for p, v in self.living(state) if is_old(v, state, base)]
            for place, value in sorted(
                old, key=lambda pv: repr(self._rename(pv[0], state, base, numbers))
            ):
                if value not in unknown:
                    name = f"{_CARRIED} {len(unknown)}#{state.faults}"
                    unknown[value] = symbol(name, value.bits)
                state.memory[place] = unknown[value]
            states.append(state)
        return states[0], states[1], tuple(equal(u, v) for v, u in unknown.items())

    def _rename(self, term: Term, state: State, base: int, numbers: tuple[int, ...]) -> Term:
        key = (state.faults, state.acquired, state.epoch, base, numbers)
        memo = self._renamed.setdefault(key, {})
        known = memo.get(term)
        if known is not None:
            return known
        depth = {number: position for position, number in enumerate(numbers)}

        def renamed(term: Term) -> Term:
            done = memo.get(term)
            if done is None:
                done = memo[term] = again(term)
            return done

        def again(term: Term) -> Term:
            payload = term.payload
            if term.op == "local":
                number, name = local_of(term)
                return local_address(depth.get(number, -1), name)
            if term.op in ("sym", "object", "call") and _MARK.search(str(payload)):
                payload = _since(str(payload), state, base)
            if not term.args and payload is term.payload:
                return term
            return rebuild(term.op, tuple(map(renamed, term.args)), term.bits, payload)

        memo[term] = self._flat(renamed(term))
        return memo[term]

    def _flat(self, term: Term) -> Term:
        """Chains of one bitwise operator as a set: or-ing a flag in again changes nothing."""
        if not term.args:
            return term
        known = self._flattened.get(term)
        if known is None:
            args = tuple(self._flat(a) for a in term.args)
            inner = args[0]
            if term.op in ("or", "and"):
                known = _chain(term.op, args)
            elif term.op == "trunc" and inner.op in ("or", "and"):
                cut = tuple(extend(a, term.bits, False) for a in inner.args)
                known = self._flat(arithmetic(inner.op, *cut))
            else:
                known = rebuild(term.op, args, term.bits, term.payload)
            self._flattened[term] = known
        return known


def _chain(op: str, args: tuple[Term, ...]) -> Term:
    """The operands once each, constants last; choices by one condition are one choice."""
    operands: dict[Term, None] = {}
    choices: dict[Term, Term] = {}
    stack = list(args)
    while stack:
        term = stack.pop()
        if term.op == op:
            stack.extend(term.args)
        elif term.op == "ite" and term.args[1].is_constant and term.args[2].is_constant:
            condition = term.args[0]
            before = choices.get(condition)
            choices[condition] = term if before is None else _together(op, before, term)
        else:
            operands[term] = None
    operands |= dict.fromkeys(choices.values())
    first, *rest = sorted(operands, key=lambda t: (t.is_constant, t.order))
    for term in rest:
        first = arithmetic(op, first, term)
    return first


def _together(op: str, a: Term, b: Term) -> Term:
    return choose(
        a.args[0], arithmetic(op, a.args[1], b.args[1]), arithmetic(op, a.args[2], b.args[2])
    )


def local_of(term: Term) -> tuple[int, str]:
    """(the number of the activation, the name) of a local's address."""
    payload = term.payload
    assert isinstance(payload, tuple)
    number, name = payload
    return number, name


def stood_for(facts: Iterable[Term], scenario: Mapping[str, int]) -> dict[str, int]:
    """What the unknowns of `Likeness.forget()` are in a scenario, as the facts of a way tell.

    A later one may stand for what an earlier one went into.
    """
    found: dict[str, int] = {}
    for fact in facts:
        if fact.op != "eq":
            continue
        for unknown, value in (fact.args, fact.args[::-1]):
            name = unknown.name or ""
            if unknown.op == "sym" and name.startswith(_CARRIED) and name not in found:
                found[name] = Evaluator({**scenario, **found}).number(value)
    return found


def is_old(value: Term, state: State, base: int) -> bool:
    """Whether a fault, a VMA or a call of a pass before the last went into the value."""
    for name in value.symbols():
        ordinal = _ORDINAL.search(name)
        if ordinal is not None and (name.startswith(_CARRIED) or _age(ordinal, state) > 0):
            return True
        if is_call_since(name, base):
            return True
    return False


def is_call_since(name: str, base: int) -> bool:
    """Whether a name is the value of a call with an effect made after the first pass began."""
    epoch = _EPOCH.fullmatch(name)
    return epoch is not None and int(epoch.group(2)) > base


def _since(name: str, state: State, base: int) -> str:
    """A name of the world, told by how long ago it was: `vma#2`, `get_user@3`."""

    def passes(match: re.Match[str]) -> str:
        return f"{match.group(1)}#-{_age(match, state)}"

    def calls(match: re.Match[str]) -> str:
        epoch = int(match.group(2))
        return match.group() if epoch <= base else f"{match.group(1)}@-{state.epoch - epoch}"

    return _EPOCH.sub(calls, _ORDINAL.sub(passes, name))


def _age(match: re.Match[str], state: State) -> int:
    """How many passes ago a name's pass was."""
    name, ordinal = match.group(1), int(match.group(2))
    is_of_fault = name in _OF_FAULTS or name.startswith(_CARRIED)
    return (state.faults if is_of_fault else state.acquired) - ordinal
