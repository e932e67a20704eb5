# SPDX-License-Identifier: GPL-2.0-only
"""Every operator, by part."""

from __future__ import annotations

from .handler import HANDLER_OPERATORS
from .helper import HELPER_OPERATORS
from .planting import Operator, Part
from .shared import SHARED

OPERATORS: tuple[Operator, ...] = (*SHARED, *HANDLER_OPERATORS, *HELPER_OPERATORS)


def operators_for(part: Part) -> tuple[Operator, ...]:
    """Those that can be planted in one of the two texts."""
    return tuple(o for o in OPERATORS if part in o.parts)
