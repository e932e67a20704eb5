# SPDX-License-Identifier: GPL-2.0-only
"""What is known of one handler once it was compared, and how to replay it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from codegen.toolchain.request import Request

if TYPE_CHECKING:
    from codegen.corpus.nodes import CFile
    from codegen.ir.load import Unit
    from codegen.tables.nodes import HandlerTables
    from codegen.targets.compare.nodes import Comparison, DifferenceClass
    from codegen.targets.compare.printer import Reading


@dataclass(frozen=True)
class Product:
    """One handler, converted and compared: plain data, so that it travels between processes.

    `after` is the converted file where there is one to show; `differences` and
    `report` are the comparison's JSON and text. `wanted` are the classes that
    the user would have to accept to see it; `tables` are there where they were
    asked for. `same` are the names, `OLD=NEW`, that were taken for the same.
    """

    listed: HandlerTables
    before: str
    after: str | None = None
    verdict: str = "UNSUPPORTED"
    differences: tuple[dict[str, Any], ...] = ()
    report: str = ""
    notes: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    tables: HandlerTables | None = None
    same: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from the other handlers of its file."""
        return self.listed.function, self.listed.line

    @property
    def is_handler(self) -> bool:
        """Whether it counts: a second loop and other users of handle_mm_fault() do not."""
        return self.listed.role == "handler"

    @property
    def why_not(self) -> str | None:
        """Why there is no converted text to show; None where there is."""
        if self.after is not None:
            return None
        for refusal in self.listed.refusals:
            where = f"{refusal.path}:{refusal.line}"
            return f"{refusal.reason} ({where}: {refusal.construct})"
        classes = sorted({str(d["class"]) for d in self.differences})
        return f"the conversion is {self.verdict} ({', '.join(classes)})"

    def judged(self, comparison: Comparison, report: str, reading: Reading) -> Product:
        """The product with a comparison's verdict."""
        from codegen.targets.compare.printer import comparison_json

        document = comparison_json(comparison, reading)
        verdict = comparison.verdict.value
        differences = tuple(document["differences"])
        return replace(self, verdict=verdict, differences=differences, report=report)


def reading_of(
    unit: Unit,
    files: tuple[str, str],
    src: tuple[str, ...],
    tgt: tuple[str, ...] | None,
    theirs: Unit | None = None,
) -> Reading:
    """How a comparison is told: the names of constants, both files, the commands that replay.

    `theirs` is the other source's file, whose constants src's kernel may not have.
    """
    from codegen.ir.naming import Naming
    from codegen.targets.compare.printer import Reading

    constants = dict(_constants(unit))
    if theirs is None:
        return Reading(Naming(constants), files, src, tgt)
    mine, others = _variables(unit), _variables(theirs)
    naming = Naming({**_constants(theirs), **constants})
    own = Naming(constants), Naming(_constants(theirs))
    return Reading(naming, files, src, tgt, (others - mine, mine - others), own)


def _constants(unit: Unit) -> Mapping[str, int]:
    """What the names of a kernel's flags are worth."""
    return unit.variants[0].program.constants if unit.variants else {}


def _variables(unit: Unit) -> frozenset[str]:
    """The variables and fields that a file's functions say; what is in capitals is none."""
    from codegen.ir.nodes import Field, Global
    from codegen.ir.program import expressions_of

    functions = (f for v in unit.variants for f in v.program.functions.values())
    said = {e.name for f in functions for e in expressions_of(f) if isinstance(e, (Field, Global))}
    return frozenset(n for n in said if not n.isupper())


def simulate_command(request: Request, file: CFile) -> tuple[str, ...]:
    """The command that simulates a file's handler, less the scenario."""
    namesakes = [f for f in request.source.files if f.selector == file.selector]
    path = request.path
    words: list[str] = []
    if path is not None:
        # Where the name does not tell it from another file, its own path does.
        words.append(str(path if len(namesakes) == 1 else request.source.root / file.path))
    if path is None or (len(namesakes) == 1 and request.source.kind != "file"):
        words += ["--arch", file.selector]
    for name, value in request.fixed.items():
        words += ["--configuration", f"{name}={'n' if value is None else 'y'}"]
    for name in request.inline:
        words += ["--inline", name]
    return ("genfault", "simulate", *words)


def classes_of(accepted: frozenset[str]) -> frozenset[DifferenceClass]:
    """The classes of difference by their names. Raises ValueError for a name that is none."""
    from codegen.targets.compare.nodes import DifferenceClass

    return frozenset(DifferenceClass(name) for name in accepted)
