# SPDX-License-Identifier: GPL-2.0-only
"""What a walk over two programs meets: pairs of states at a gate, and ways that part there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from codegen.ir.state import State
from codegen.ir.terms import Term
from codegen.ir.trace import Event
from codegen.targets.compare.observe import Observed
from codegen.targets.compare.world import Halt


class Channel(Enum):
    """What a pair of ways differs in; each is compared by itself."""

    STEPS = "steps"
    ACCOUNTING = "accounting"
    HELD = "held"
    FLAGS = "flags"
    ADDRESS = "address"


@dataclass(frozen=True)
class Way:
    """One way to a pair of states: where it began, the facts and both traces since."""

    origin: Joint | None
    facts: tuple[Term, ...]
    src: tuple[Event, ...]
    tgt: tuple[Event, ...]


@dataclass(eq=False)
class Joint:
    """Both sides at the same gate: before handle_mm_fault() (`at_fault`), or before a pass.

    At the entry `entered` is False. `facts` hold on every way here. `base` is
    the epoch in which the first pass began.
    """

    src: State
    tgt: State
    facts: tuple[Term, ...]
    ways: list[Way] = field(default_factory=list)
    at_fault: bool = False
    entered: bool = True
    base: int = 0

    def histories(self) -> Iterator[tuple[Way, ...]]:
        """Every sequence of ways from the entry to here, shortest first where one is known."""
        for way in sorted(self.ways, key=lambda w: len(w.facts)):
            if way.origin is None:
                yield (way,)
            else:
                for before in way.origin.histories():
                    yield (*before, way)


@dataclass(frozen=True)
class Parting:
    """One pair of ways that differs: in which channel, and under what further condition."""

    channel: Channel
    joint: Joint
    src: Halt
    tgt: Halt
    seen: Observed
    shown: Observed
    condition: Term
    facts: tuple[Term, ...]
    position: int = 0


@dataclass(frozen=True)
class Unmatched:
    """A way of src from a joint, and the facts of that part of its world in which tgt goes none.

    `undefined` holds there, and C does not say what tgt does then. `parted` is True
    where all the ways that tgt goes in the rest of the world are told to be different.
    """

    joint: Joint
    src: Halt
    facts: tuple[Term, ...]
    undefined: tuple[Term, ...]
    parted: bool = False


@dataclass(frozen=True)
class SamePage:
    """handle_mm_fault() is given another address in the same page: no difference, but told."""
