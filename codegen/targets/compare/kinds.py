# SPDX-License-Identifier: GPL-2.0-only
"""Which partings look alike: those of one kind are looked at together, and told once.

channel, outcome, what is known of signals and locks, what either side does   ->   one kind
"""

from __future__ import annotations

from codegen.ir import environment as env
from codegen.ir.terms import Term
from codegen.ir.trace import EventKind
from codegen.targets.compare.joints import Channel, Parting
from codegen.targets.compare.observe import Step, Writes
from codegen.targets.compare.world import Halt


def kind_of(parting: Parting, tables: frozenset[str]) -> object:
    """What partings that look alike have in common; `tables` are the words that ask the
    exception table."""
    return (
        parting.channel,
        parting.position if parting.channel is Channel.FLAGS else 0,
        parting.src.outcome,
        parting.tgt.outcome,
        parting.joint.src.faults > 0,
        _answered(parting.facts, tables),
        _shape(parting.src),
        _shape(parting.tgt),
    )


def _answered(facts: tuple[Term, ...], tables: frozenset[str]) -> tuple[str, ...]:
    """What is known of the world's answers that a class hangs on.

    Which signals are pending or not, which locks are contended and which waits
    killed, and what the exception table was found to hold, asked by one of `tables`.
    """
    told = set()
    words = (*env.LOCK_ANSWERS, *env.SIGNAL_ANSWERS)
    for fact in facts:
        atom = fact.args[0] if fact.op == "lnot" else fact
        if any(t.op == "call" and str(t.payload).split("@")[0] in tables for t in atom.walk()):
            told.add(repr(fact))
        elif len(names := atom.symbols()) == 1 and min(names).partition("#")[0] in words:
            told.add(repr(fact).split("#")[0])
    return tuple(sorted(told))


def given(steps: tuple[Step, ...]) -> object:
    """What is done, and with which values, wherever in the text that is."""
    events = (e for s in steps for e in (s.events if isinstance(s, Writes) else (s,)))
    return tuple((e.kind, e.name, e.args) for e in events)


def letter(halt: Halt) -> object:
    """What a way does, with what it gives to whom."""
    steps = tuple((e.kind, e.name, e.args) for e in halt.trace)
    return halt.end, halt.gate, halt.value, halt.held, steps


def _shape(halt: Halt) -> tuple[object, ...]:
    steps = tuple(
        (e.kind, e.name, tuple(a.name if a.is_constant else None for a in e.args))
        for e in halt.trace
        if e.kind not in (EventKind.LOCK, EventKind.UNLOCK)
    )
    return (halt.end, halt.held, steps)
