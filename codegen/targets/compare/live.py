# SPDX-License-Identifier: GPL-2.0-only
"""What of a state still matters: the locals that are read later, named alike on every way.

    .entry:  code = SEGV_MAPERR      live before `vma = find_vma(...)`: mm, address, code, regs
             vma = find_vma(...)
"""

from __future__ import annotations

import re
from functools import lru_cache

from codegen.ir.machine import State
from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Branch,
    Call,
    Deref,
    Field,
    Function,
    Global,
    Index,
    Local,
    LValue,
    Return,
)
from codegen.ir.program import expressions_of, subexpressions, successors
from codegen.ir.terms import Term, local_address, object_address, substitute, symbol

_ORDINAL = re.compile(r"([\w ]*)#(\d+)")
_OF_FAULTS = frozenset({"handle_mm_fault", "signal_pending", "fatal_signal_pending"})


@lru_cache(maxsize=4096)
def live_before(function: Function) -> dict[tuple[str, int], frozenset[str]]:
    """For every instruction (block label, index; the terminator comes last): what is live before it.

    A local whose address is taken, and a struct, is live everywhere.
    """
    always = {
        part.target.name
        for part in expressions_of(function)
        if isinstance(part, AddressOf) and isinstance(part.target, Local)
    }
    always |= {p.name for p in (*function.params, *function.locals) if p.type.record}
    entering: dict[str, frozenset[str]] = {b.label: frozenset() for b in function.blocks}
    points: dict[tuple[str, int], frozenset[str]] = {}
    changed = True
    while changed:
        changed = False
        for block in reversed(function.blocks):
            live: set[str] = set(always)
            for target in successors(function, block.label):
                live |= entering[target]
            match block.terminator:
                case Branch(condition=condition):
                    live |= _read(condition)
                case Return(value=value) if value is not None:
                    live |= _read(value)
                case _:
                    pass
            points[(block.label, len(block.instructions))] = frozenset(live)
            for index in range(len(block.instructions) - 1, -1, -1):
                instruction = block.instructions[index]
                match instruction:
                    case Assign(target=target, value=value):
                        live -= _written(target)
                        live |= _read(value) | _read_by_target(target)
                    case Call(result=result, args=args):
                        if result is not None:
                            live.discard(result.name)
                        for arg in args:
                            live |= _read(arg)
                live |= always
                points[(block.label, index)] = frozenset(live)
            if frozenset(live) != entering[block.label]:
                entering[block.label] = frozenset(live)
                changed = True
    return points


def _read(expr: object) -> set[str]:
    return {p.name for p in subexpressions(expr) if isinstance(p, Local)}  # type: ignore[arg-type]


def _written(target: LValue) -> set[str]:
    return {target.name} if isinstance(target, Local) else set()


def _read_by_target(target: LValue) -> set[str]:
    match target:
        case Local() | Global():
            return set()
        case Field() | Index() | Deref():
            return _read(target)


class Likeness:
    """What makes states alike, whatever way led to them.

    Locals are named by how deep their frame lies, and what belongs to a pass
    (`vma#2`) by how many passes ago that was, so that a loop that has come to
    rest is seen to have.
    """

    def __init__(self) -> None:
        self._renamed: dict[tuple[Term, int, int, tuple[int, ...]], Term] = {}

    def of(self, state: State) -> tuple[object, frozenset[str]]:
        """(what the state looks like, the names of the world that it still holds)."""
        numbers = tuple(f.number for f in state.frames)
        depth = {number: position for position, number in enumerate(numbers)}
        live = [
            live_before(f.function).get((f.label, f.index), frozenset()) for f in state.frames
        ]
        places: set[tuple[Term, Term]] = set()
        names: set[str] = set()
        for place, value in state.memory.items():
            root = place
            while root.op in ("field", "index"):
                root = root.args[0]
            if root.op == "local":
                frame, name = root.payload  # type: ignore[misc]
                if frame not in depth or (root is place and name not in live[depth[frame]]):
                    continue
            names |= value.symbols()
            places.add((self._rename(place, state, numbers), self._rename(value, state, numbers)))
        position = tuple((f.function.name, f.label, f.index) for f in state.frames)
        held = (state.lock_depth, state.vma_locked)
        return (position, frozenset(places), held), frozenset(names)

    def facts(self, facts: frozenset[Term], state: State) -> frozenset[Term]:
        """Facts, with what belongs to a pass named by how long ago it was."""
        return frozenset(self._rename(f, state, ()) for f in facts)

    def _rename(self, term: Term, state: State, numbers: tuple[int, ...]) -> Term:
        key = (term, state.faults, state.acquired, numbers)
        known = self._renamed.get(key)
        if known is None:
            depth = {number: position for position, number in enumerate(numbers)}
            leaves: dict[Term, Term] = {}
            for leaf in term.walk():
                if leaf.op == "local":
                    frame, name = leaf.payload  # type: ignore[misc]
                    leaves[leaf] = local_address(depth.get(frame, -1), name)
                elif leaf.op in ("sym", "object") and "#" in str(leaf.payload):
                    name = _ORDINAL.sub(lambda m: _ago(m, state), str(leaf.payload))
                    leaves[leaf] = (
                        symbol(name, leaf.bits) if leaf.op == "sym" else object_address(name)
                    )
            known = self._renamed[key] = substitute(term, leaves) if leaves else term
        return known


def _ago(match: re.Match[str], state: State) -> str:
    name, ordinal = match.group(1), int(match.group(2))
    now = state.faults if name in _OF_FAULTS else state.acquired
    return f"{name}#-{now - ordinal}"
