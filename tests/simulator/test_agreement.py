# SPDX-License-Identifier: GPL-2.0-only
"""The simulators against the symbolic machine: two readings of the same C that must agree.

Each path of the machine gives a scenario; what the path does under it must be
what the emitted module does, event by event.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path as File
from random import Random
from typing import Any

import pytest

from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.frontend.constants import merge, tree_constants
from codegen.ir.concrete import ConcreteTrace, concrete_trace
from codegen.ir.environment import Plan
from codegen.ir.handler import Found
from codegen.ir.load import load_unit
from codegen.ir.machine import Machine
from codegen.ir.program import Program
from codegen.ir.smallest import scenario_of
from codegen.ir.solver import PathSolver
from codegen.ir.state import State
from codegen.ir.terms import Term
from codegen.ir.trace import End, Path
from codegen.ir.vocabulary import load
from codegen.targets.simulator.emit import emit_simulator
from codegen.targets.simulator.run import ImpossibleScenario, Simulator

SNIPPETS = sorted(data_dir("kernel_snippets").glob("*.c"))
PLAN = Plan(passes=2, contended=True, extra_bits=True)
MOST_CHECKED = 300


def handlers(
    path: File, name: str, constants: Mapping[str, int]
) -> Iterator[tuple[Program, Found]]:
    """Every handler of a file in every configuration."""
    unit = load_unit(SourceText.from_bytes(name, path.read_bytes()), constants)
    for variant in unit.variants:
        for found in variant.found:
            yield variant.program, found


class Walker(Machine):
    """The machine on random walks: at each fork one way, each time another."""

    def walk(self, random: Random) -> Path | None:
        """One path; None where the world that was chosen is cut off."""
        here: State | Path = self.start()
        while isinstance(here, State):
            ways = self._advance(here)
            if not ways:
                return None
            here = random.choice(ways)
        return None if here.end is End.CUT else here


def sampled(program: Program, entry: str, solver: PathSolver, most: int) -> Iterator[Path]:
    """All paths where there are few, else some from all over the tree, the same every time."""
    paths = list(islice(Machine(program, entry, PLAN, solver).run(), most + 1))
    if len(paths) <= most:
        yield from paths
        return
    random, walker = Random(entry), Walker(program, entry, PLAN, solver)
    found = {path.facts: path for path in paths[:: len(paths) // 20]}
    for _ in range(6 * most):
        if len(found) >= most:
            break
        path = walker.walk(random)
        if path is not None:
            found[path.facts] = path
    yield from found.values()


def terms_of(path: Path) -> list[Term]:
    """What the trace shows."""
    shown = [arg for event in path.trace for arg in event.args]
    return shown if path.value is None else [*shown, path.value]


def difference(path: Path, want: ConcreteTrace, trace: Any) -> str | None:
    """The first place where the simulator does something else; None where there is none."""
    got = [(e.kind, e.name, e.args, int(e.line)) for e in trace.events]
    expected = [(str(e.kind), e.name, e.args, e.line) for e in want.events]
    if path.end in (End.RETRY, End.STOP):
        # The plan stops before the third pass, the simulator goes on.
        got = got[: len(expected)]
    for mine, theirs in zip(got, expected, strict=False):
        if mine != theirs:
            return f"simulator {mine}, machine {theirs}"
    if len(got) != len(expected):
        return f"simulator {got[len(expected) :]}, machine {expected[len(got) :]}"
    if path.end is End.NEVER and trace.end != "never":
        return f"the simulator ends with {trace.end}"
    if path.end is not End.RETURN:
        return None
    bits = path.value.bits if path.value is not None else 64
    value = None if trace.value is None else trace.value & ((1 << bits) - 1)
    if (trace.end, value) != ("return", want.value):
        return f"simulator {trace.end} {value}, machine returns {want.value}"
    if (trace.lock, trace.passes) != (want.lock, want.passes):
        return f"simulator {trace.lock}/{trace.passes}, machine {want.lock}/{want.passes}"
    return None


def disagreements(program: Program, found: Found, most: int) -> tuple[int, list[str]]:
    """(paths compared, what differs)."""
    text = emit_simulator(program, found, title="a test", converted=False)
    simulator = Simulator(text)
    count, wrong = 0, []
    for position, entry in enumerate(found.entries):
        solver = PathSolver()
        for path in sampled(program, entry, solver, most):
            scenario = {**scenario_of(path.facts, solver), "entry": position}
            want = concrete_trace(path, scenario)
            count += 1
            differs = difference(path, want, simulator.run(scenario))
            if differs is not None:
                wrong.append(f"{entry}: {differs} in {scenario}")
    return count, wrong


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda p: p.stem)
def test_every_snippet_is_simulated_as_the_machine_runs_it(path: File) -> None:
    count = 0
    programs = list(handlers(path, f"arch/x/{path.name}", load().constants))
    for program, found in programs:
        compared, wrong = disagreements(program, found, MOST_CHECKED // len(programs))
        assert not wrong, "\n".join(wrong[:3])
        count += compared
    assert count > 40


@pytest.mark.parametrize("name", ["arch/arc/mm/fault.c", "arch/arm64/mm/fault.c"])
def test_real_handlers_are_simulated_as_the_machine_runs_them(kernel_61: File, name: str) -> None:
    constants = merge(load().constants, tree_constants(kernel_61))
    for program, found in handlers(kernel_61 / name, name, constants):
        compared, wrong = disagreements(program, found, MOST_CHECKED)
        assert compared > 50
        assert not wrong, "\n".join(wrong[:3])


def test_a_wrong_line_in_the_simulator_is_noticed() -> None:
    """The comparison itself can fail: one lost unlock, one wrong signal."""
    path = data_dir("kernel_snippets") / "arc.c"
    program, found = next(handlers(path, "arc.c", load().constants))
    text = emit_simulator(program, found, title="a test", converted=False)
    solver = PathSolver()
    cases = []
    for symbolic in sampled(program, found.entries[0], solver, MOST_CHECKED):
        scenario = scenario_of(symbolic.facts, solver)
        cases.append((symbolic, scenario, concrete_trace(symbolic, scenario)))
    for old, new in (
        ('w.unlock("mmap_read_unlock"', 'w.effect("mmap_read_unlock"'),
        ("code = SEGV_ACCERR", "code = SEGV_MAPERR"),
        ("flags |= FAULT_FLAG_TRIED", "flags &= FAULT_FLAG_TRIED"),
        ("if not vma:", "if vma:"),
    ):
        assert old in text
        wrong = Simulator(text.replace(old, new))
        found_out = 0
        for symbolic, scenario, want in cases:
            try:
                found_out += difference(symbolic, want, wrong.run(scenario)) is not None
            except (AttributeError, ImpossibleScenario):
                found_out += 1
        assert found_out, new
