# SPDX-License-Identifier: GPL-2.0-only
"""What the page is made of: everything that is known of one handler, as plain data.

Entry(listed, "EXPLAINED", (difference, ...), (finding, ...), "--- a/arch/arc/mm/fault.c ...")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codegen.tables.json import handler_json
from codegen.tables.nodes import HandlerTables


@dataclass(frozen=True)
class Entry:
    """One user of handle_mm_fault().

    `differences` are what the conversion changes (with `verdict`), `findings`
    where the handler departs from the contract, both as their JSON has them.
    `patch` is the conversion as a unified diff, empty without one that passed;
    `is_open` whether anything keeps the run from being clean.
    """

    listed: HandlerTables
    verdict: str = "UNSUPPORTED"
    differences: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    patch: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_handler(self) -> bool:
        """Whether it counts: a second loop and other users of handle_mm_fault() do not."""
        return self.listed.role == "handler"

    @property
    def is_open(self) -> bool:
        """Whether it is something to look at: a refusal, a difference, a finding."""
        if not self.is_handler:
            return bool(self.listed.refusals)
        return bool(self.findings) or self.verdict not in ("EQUAL", "EXPLAINED")

    @property
    def document(self) -> dict[str, Any]:
        """The entry in the JSON form of the contract."""
        return {
            **handler_json(self.listed, with_tables=True),
            "verdict": self.verdict,
            "differences": list(self.differences),
            "findings": list(self.findings),
            "patch": self.patch,
        }
