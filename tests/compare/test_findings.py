# SPDX-License-Identifier: GPL-2.0-only
"""Every finding in every handler of both trees, against what a reader of the sources finds.

`tests/cases/check/*.toml` holds the truth. A class, mode or outcome too many is
a false alarm, one too few a miss; each finding's scenario runs in the emitted
simulator with the trace that the finding shows.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codegen.base.spans import SourceText
from codegen.frontend.constants import merge, tree_constants
from codegen.ir.concrete import Evaluator, concrete_event
from codegen.ir.handler import Found, HandlerRole
from codegen.ir.load import Variant, load_unit
from codegen.ir.solver import PathSolver
from codegen.ir.vocabulary import load
from codegen.tables.mode import find_mode
from codegen.targets.compare.check import check
from codegen.targets.compare.nodes import Difference, Side
from codegen.targets.simulator.emit import emit_simulator
from codegen.targets.simulator.run import Simulator

CASES = Path(__file__).parent.parent / "cases/check"
TRUTH = {v: tomllib.loads((CASES / f"{v}.toml").read_text("utf-8")) for v in ("6.1", "6.12")}
FILES = {
    "hexagon": "hexagon/mm/vm_fault.c",
    "sparc32": "sparc/mm/fault_32.c",
    "sparc64": "sparc/mm/fault_64.c",
    "um": "um/kernel/trap.c",
}


def handler(tree: Path, arch: str, fixed: Mapping[str, str]) -> tuple[Side, Variant, Found]:
    """The first configuration of an architecture's handler in which `fixed` holds."""
    path = tree / "arch" / FILES.get(arch, f"{arch}/mm/fault.c")
    source = SourceText.from_bytes(str(path.relative_to(tree)), path.read_bytes())
    unit = load_unit(source, merge(load().constants, tree_constants(tree)), dict(fixed))
    for variant in unit.variants:
        for found in variant.found:
            if found.role is HandlerRole.HANDLER:
                entry = found.entries[0]
                mode = find_mode(variant.program, entry, found.function, PathSolver())
                return Side(variant.program, entry, mode, source.path), variant, found
    raise AssertionError(f"{path} has no handler")


def grouped(findings: tuple[Difference, ...]) -> dict[str, set[str]]:
    """The findings as the truth's files word them."""
    found: dict[str, set[str]] = {}
    for d in findings:
        found.setdefault(str(d.cls), set()).add(f"{d.mode} {d.outcome}" if d.outcome else d.mode)
    return found


def disagreement(simulator: Simulator, d: Difference) -> Any:
    """What the simulator does otherwise in a finding's scenario; None where it agrees."""
    trace = simulator.run({**d.scenario, "entry": 0})
    got = [(e.kind, e.name, e.args, int(e.line)) for e in trace.events]
    evaluator = Evaluator(d.scenario)
    shown = (concrete_event(e, evaluator) for e in d.src)
    want = [(str(e.kind), e.name, e.args, e.line) for e in shown]
    return None if got == want else (got, want)


def holds(tree: Path, version: str, arch: str) -> None:
    truth = dict(TRUTH[version][arch])
    side, variant, found = handler(tree, arch, truth.pop("configuration", {}))
    findings = check(side)
    assert grouped(findings) == {cls: set(cases) for cls, cases in truth.items()}
    if not findings:
        return
    simulator = Simulator(emit_simulator(variant.program, found, title="a test", converted=False))
    for d in findings:
        assert d.line > 0
        assert d.tgt != d.src, d
        assert disagreement(simulator, d) is None, d


@pytest.mark.parametrize("arch", sorted(TRUTH["6.1"]))
def test_findings_in_6_1(kernel_61: Path, arch: str) -> None:
    holds(kernel_61, "6.1", arch)


@pytest.mark.parametrize("arch", sorted(TRUTH["6.12"]))
def test_findings_in_6_12(kernel_612: Path, arch: str) -> None:
    holds(kernel_612, "6.12", arch)


@pytest.mark.parametrize(("version", "count"), [("6.1", 23), ("6.12", 22)])
def test_the_truth_has_every_handler(version: str, count: int) -> None:
    assert len(TRUTH[version]) == count
