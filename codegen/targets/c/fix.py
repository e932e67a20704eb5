# SPDX-License-Identifier: GPL-2.0-only
"""`--fix missing-case`: an answer for a result that the original leaves to BUG().

    SIGSEGV: BUG();                    what a missing mapping gets
    POISON:  BUG();              -->   force_sig_mceerr(BUS_MCEERR_AR, address, lsb);

The memory error goes the way of SIGBUS where the architecture has a routine of
its own for that, which alone knows what has to be saved beside the signal.
"""

from __future__ import annotations

import re

from codegen.targets.c.dispatch import Cases, Huge
from codegen.targets.c.nodes import HelperResult
from codegen.targets.c.scene import poison_shift
from codegen.targets.c.steps import Hole, Leaving, Line, Residual, Step, plain, tidy

R = HelperResult
FIXABLE = frozenset({"missing-case"})
"""The classes of difference in which a conversion has a choice."""

_SIGBUS = re.compile(r"force_sig_fault\(SIGBUS, BUS_ADRERR, (.+)\);$")


def fix_missing_cases(cases: Cases, result: str) -> Cases:
    """The cases without a BUG() for SIGSEGV or POISON; `result` is the result's variable.

    What the architecture has no other answer for either stays as it is.
    """
    fixed = dict(cases)
    if is_missing(cases[R.SIGSEGV]) and not is_missing(cases[R.MAPERR]):
        fixed[R.SIGSEGV] = cases[R.MAPERR]
    if Huge.POISON in cases and is_missing(cases[Huge.POISON]):
        del fixed[Huge.POISON]
    elif Huge.POISON in cases and is_missing(cases[R.POISON]):
        fixed[R.POISON] = fixed.pop(Huge.POISON)
    if is_missing(fixed[R.POISON]) and not is_missing(cases[R.SIGBUS]):
        fixed[R.POISON] = _as_memory_error(cases[R.SIGBUS], result)
    return fixed


def is_missing(residual: Residual) -> bool:
    """Whether a result ends in BUG() or panic(), and not in the kernel's own routine."""
    if residual.exit is None or residual.exit.kind is not Leaving.NEVER or not residual.steps:
        return False
    last = residual.steps[-1]
    return isinstance(last, Line) and bool(re.match(r"(BUG|panic)\b", plain(last.pieces)))


def _as_memory_error(residual: Residual, result: str) -> Residual:
    """What SIGBUS gets, told as a memory error where the signal is sent right there."""
    steps: list[Step] = []
    for step in residual.steps:
        found = _SIGBUS.match(tidy(plain(step.pieces))) if isinstance(step, Line) else None
        if found is None:
            steps.append(step)
            continue
        head = f"force_sig_mceerr(BUS_MCEERR_AR, {found[1]}, "
        steps.append(Line((head, Hole(poison_shift(result)), ");")))
    return Residual(tuple(steps), residual.exit)
