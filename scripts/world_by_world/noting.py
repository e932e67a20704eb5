# SPDX-License-Identifier: GPL-2.0-only
"""Runs that tell what they asked the world: by which names, and which conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from codegen.ir.concrete import Evaluator
from codegen.ir.terms import Term
from codegen.targets.compare.runs import Decided, Ended, Kept, Runs, Scenarios


class Named(dict[str, int]):
    """A scenario that notes the names that somebody asks for."""

    def __init__(self, scenario: Mapping[str, int]) -> None:
        super().__init__(scenario)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = 0) -> Any:
        """See dict."""
        self.asked.add(name)
        return super().get(name, default)


class Forgetting(Scenarios):
    """There are too many scenarios to keep them all."""

    def evaluator(self, scenario: Mapping[str, int]) -> Evaluator:
        """A new one each time."""
        return Evaluator(scenario)


class Questions(Runs):
    """Keeps what the last run asked, and nothing else."""

    asked: tuple[Term, ...] = ()

    def run(
        self,
        key: tuple[object, ...],  # noqa: ARG002
        evaluator: Evaluator,
        machine: Callable[[Decided, Kept | None], Ended],
    ) -> Ended:
        """See Runs."""
        noting = _Noting(evaluator)
        ended = machine(noting, None)
        self.asked = tuple(t for t in noting.asked if not t.is_constant)
        return ended


class _Noting(Decided):
    """Answers from a scenario, and notes what was asked."""

    def __init__(self, evaluator: Evaluator) -> None:
        super().__init__(evaluator)
        self.asked: dict[Term, None] = {}

    def possible(self, facts: Iterable[Term]) -> bool:
        """See Decided."""
        asked = tuple(facts)
        self.asked |= dict.fromkeys(asked)
        return super().possible(asked)

    def decide(self, condition: Term, facts: tuple[Term, ...]) -> bool | None:
        """See Decided."""
        self.asked[condition] = None
        return super().decide(condition, facts)
