# SPDX-License-Identifier: GPL-2.0-only
"""The simulators of a file's handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen.toolchain.conversion import after_of, convert_file
from codegen.toolchain.request import Request

if TYPE_CHECKING:
    from codegen.base.diagnostics import Refusal
    from codegen.corpus.nodes import CFile
    from codegen.ir.handler import Found
    from codegen.ir.load import Unit, Variant


def simulators(
    request: Request, file: CFile, converted_side: bool
) -> tuple[tuple[str, str | Refusal], ...]:
    """(name, Python text) of the simulator of each handler of a file, before or after.

    A refusal stands in for the text where the handler cannot be read, or does
    not convert.
    """
    from codegen.base.diagnostics import RefusedError
    from codegen.targets.compare.sides import agree
    from codegen.targets.simulator.emit import emit_simulator

    kernel = f"linux {request.source.kernel}" if request.source.kernel else request.source.name
    out: list[tuple[str, str | Refusal]] = []
    for listed, unit, conversion in convert_file(request, file):
        if listed.role != "handler":
            continue
        unread = not any(f.function == listed.function for v in unit.variants for f in v.found)
        if unread or (converted_side and conversion is None):
            out.append((file.selector, listed.refusals[0]))
            continue
        variant, found = _first_variant(unit, listed.function)
        if converted_side and conversion is not None:
            here = variant.configurations
            after = after_of(request, file, conversion)
            variant = next(
                v
                for v in after.variants
                if any(agree(a, b) for a in here for b in v.configurations)
            )
        try:
            text = emit_simulator(
                variant.program,
                found,
                title=kernel,
                converted=converted_side,
                configuration=str(variant.configurations[0]),
            )
        except RefusedError as error:
            out.append((file.selector, error.refusal))
        else:
            out.append((file.selector, text))
    return tuple(out)


def _first_variant(unit: Unit, function: str) -> tuple[Variant, Found]:
    return next((v, f) for v in unit.variants for f in v.found if f.function == function)
