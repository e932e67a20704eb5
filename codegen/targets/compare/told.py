# SPDX-License-Identifier: GPL-2.0-only
"""A parting as it was seen in one world, and the difference that is told of it."""

from __future__ import annotations

from typing import NamedTuple

from codegen.ir.terms import Term
from codegen.targets.compare.joints import Parting
from codegen.targets.compare.nodes import Difference
from codegen.targets.compare.scenario import Replay

Leaving = tuple[object, tuple[object, ...]]
"""(where it is: which side leaves, the handler's last branch on its way; the signals sent)."""


class Seen(NamedTuple):
    """A difference as it was replayed: the scenario, what either side did in it, and the facts
    that it is a scenario of."""

    scenario: dict[str, int]
    src: Replay
    tgt: Replay
    facts: tuple[Term, ...]


class Told(NamedTuple):
    """A difference, where a side leaves in it, and the parting that it is as it was replayed."""

    difference: Difference
    left: Leaving | None
    parting: Parting
    run: Seen
