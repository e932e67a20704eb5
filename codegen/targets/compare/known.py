# SPDX-License-Identifier: GPL-2.0-only
"""What comparing two programs in one mode came to, for all who go the same way.

CONFIG_A is tested in kernel mode only   ->   user mode is compared once, with A and without

Whatever a comparison does, it does on blocks: it walks them, and it runs them
in scenarios. Two programs that have the same blocks there come to the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codegen.ir.program import Program
from codegen.targets.compare.family import Blocks
from codegen.targets.compare.nodes import Difference, DifferenceClass, Side

Alike = Callable[[Program, Program, Blocks], bool]
"""Whether the blocks are the same in both programs."""


Called = tuple[frozenset[str], frozenset[str]]
"""What either program calls."""


@dataclass(frozen=True)
class InMode:
    """What was found in one mode; `met` are the functions that both sides came to.

    `is_open` says that a bound was reached, and `notes` at which.
    """

    differences: tuple[Difference, ...]
    pairs: int
    passes: int
    met: frozenset[str]
    notes: tuple[str, ...]
    is_open: bool


@dataclass(frozen=True)
class _Known:
    programs: tuple[Program, Program]
    gone: tuple[Blocks, Blocks]
    called: Called
    found: InMode

    @property
    def is_unnamed(self) -> bool:
        """Whether a difference has no class: it is told by what either program calls at all."""
        return any(d.cls is DifferenceClass.OTHER for d in self.found.differences)


class Known:
    """The comparisons of a handler's configurations that are done.

    `key` has to hold all that a comparison hangs on but the blocks of either
    side that it goes through (`Runs.gone`).
    """

    def __init__(self, alike: Alike) -> None:
        self._alike = alike
        self._known: dict[object, list[_Known]] = {}

    def find(self, key: object, src: Side, tgt: Side, called: Called) -> InMode | None:
        """What came of programs that are like these on all blocks that they went through."""
        mine = src.program, tgt.program
        for known in self._known.get(key, ()):
            if known.is_unnamed and known.called != called:
                continue
            if all(map(self._alike, known.programs, mine, known.gone)):
                return known.found
        return None

    def keep(self, key: object, src: Side, tgt: Side, called: Called, found: InMode) -> None:
        """Remembers what was found; not where a bound was reached on the way."""
        if not found.is_open:
            gone = frozenset(src.runs.gone), frozenset(tgt.runs.gone)
            known = _Known((src.program, tgt.program), gone, called, found)
            self._known.setdefault(key, []).append(known)
