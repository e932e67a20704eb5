# SPDX-License-Identifier: GPL-2.0-only
"""How Python's garbage collector is set: terms and states are many, and few are in cycles."""

from __future__ import annotations

import gc

_YOUNG = 20_000
"""How many new objects it waits for; from Python's own 700 on an eighth of the time went there."""
_OLDER = (20, 50)


def look_seldom() -> None:
    """The collector looks for cycles more seldom, in this process, from now on."""
    gc.set_threshold(_YOUNG, *_OLDER)


def pass_over() -> None:
    """What there is now lives on (terms, words, parsers): the collector does not go through it."""
    gc.freeze()
