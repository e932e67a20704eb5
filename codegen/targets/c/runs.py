# SPDX-License-Identifier: GPL-2.0-only
"""Every run through a handler under a scenario, and what all runs leave behind an outcome."""

from __future__ import annotations

from codegen.base.diagnostics import RefusalCode
from codegen.targets.c.route import Chain
from codegen.targets.c.scene import Scenario, Setup
from codegen.targets.c.source import Body, HandlerFile
from codegen.targets.c.steps import Residual, without_comments
from codegen.targets.c.walk import Walk, Walker

MAX_RUNS = 256


def run_all(
    file: HandlerFile, handler: Body, scenario: Scenario, setup: Setup, chain: Chain
) -> list[Walk]:
    """Every run from a place of the handler under a scenario, open decisions taken each way.

    Raises RefusedError where the handler does something that cannot be followed.
    """
    choices: list[tuple[int, int]] = []
    found: list[Walk] = []
    for _ in range(MAX_RUNS):
        walker = Walker(file, handler, scenario, setup)
        walk = walker.run(chain, choices)
        if walk is not None:
            found.append(walk)
        choices = walker.choices[: walker.position]
        while choices and choices[-1][0] + 1 >= choices[-1][1]:
            choices.pop()
        if not choices:
            return found
        index, arity = choices.pop()
        choices.append((index + 1, arity))
    raise file.refuse(
        RefusalCode.RESOURCE, "too many ways lead to the fault", handler.text.name_span
    )


def the_residual(
    file: HandlerFile, handler: Body, scenario: Scenario, setup: Setup, chain: Chain
) -> Residual | None:
    """What is left behind an outcome; None if it cannot happen.

    Raises RefusedError if different ways to the outcome leave different code.
    """
    walks = run_all(file, handler, scenario, setup, chain)
    if not walks:
        return None
    residuals = [w.residual for w in walks if w.residual is not None]
    first = residuals[0]
    for other in residuals[1:]:
        if without_comments(other) != without_comments(first):
            raise file.refuse(
                RefusalCode.SHAPE,
                f"what follows {scenario.outcome} depends on the way to it",
                handler.text.name_span,
            )
    return first
