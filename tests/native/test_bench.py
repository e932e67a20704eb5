# SPDX-License-Identifier: GPL-2.0-only
"""The simulators against the host's compiler: two readings of the same C that must agree."""

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from codegen.base.diagnostics import GenfaultError
from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.frontend.constants import enumerators, merge, tree_constants
from codegen.ir.handler import Found, HandlerRole
from codegen.ir.load import Unit, Variant, load_unit
from codegen.ir.vocabulary import load
from codegen.targets.c.convert import Conversion, convert_handler
from codegen.targets.c.helper import read_mm_api, render_helper
from codegen.targets.c.nodes import DEFAULT_MM_API, HELPER_C, MmApi
from codegen.targets.native import bench as native
from codegen.targets.native.bench import Bench, BenchError, build_bench
from codegen.targets.normal import Agreement, NormalTrace, compare_runs, normaliser_for
from codegen.targets.simulator.emit import emit_simulator
from codegen.targets.simulator.run import ImpossibleScenario, Simulator

SNIPPETS = sorted(data_dir("kernel_snippets").glob("*.c"))
RUNS = 2000
# What a scenario of random numbers may lead to that says nothing (a wild pointer).
MOST_SKIPPED = 0.25


def unit_of(path: Path, name: str, constants: Mapping[str, int]) -> Unit:
    return load_unit(SourceText.from_bytes(name, path.read_bytes()), constants)


def handlers(unit: Unit) -> Iterator[tuple[Variant, Found]]:
    for variant in unit.variants:
        for found in variant.found:
            if found.role is HandlerRole.HANDLER:
                yield variant, found


def bench_of(
    variant: Variant, found: Found, source: SourceText, library: SourceText | None, where: Path
) -> Bench:
    return build_bench(variant.program, found, source, variant.configurations[0], library, where)


def agree(
    unit: Unit, library: SourceText | None, where: Path, runs: int
) -> Iterator[tuple[str, Agreement]]:
    """Both sides of every configuration of a file's handler."""
    for number, (variant, found) in enumerate(handlers(unit)):
        text = emit_simulator(variant.program, found, title="test", converted=library is not None)
        simulator = Simulator(text)
        place = where / str(number)
        place.mkdir()
        with bench_of(variant, found, unit.source, library, place) as bench:
            normaliser = normaliser_for(variant.program, found.entries, bench.draws)
            yield (
                str(variant.configurations[0]),
                compare_runs(
                    bench.run_many, simulator.run, ImpossibleScenario, normaliser, 1, runs
                ),
            )


def check(unit: Unit, library: SourceText | None, where: Path, runs: int) -> None:
    checked = 0
    for configuration, agreement in agree(unit, library, where, runs):
        for d in agreement.disagreements:
            pytest.fail(
                f"{unit.source.path} ({configuration}), seed {d.seed}:\n"
                f"--- simulator\n{d.simulated}\n--- compiled\n{d.native}"
            )
        assert agreement.skipped <= MOST_SKIPPED * runs, (configuration, agreement.skipped)
        checked += agreement.compared
    assert checked > 0


def after(unit: Unit, constants: Mapping[str, int], api: MmApi) -> tuple[Unit, SourceText] | None:
    """The file converted, as the tool reads it again, and the helper that it calls."""
    found = next(f for _, f in handlers(unit))
    conversion = convert_handler(unit, found.function, api)
    if not isinstance(conversion, Conversion):
        return None
    helper = render_helper(api)
    library = SourceText(HELPER_C, helper.c)
    known = {**constants, **enumerators(helper.header)}
    return load_unit(conversion.source, known, None, library), library


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda p: p.stem)
def test_snippet(path: Path, tmp_path: Path) -> None:
    check(unit_of(path, path.name, load().constants), None, tmp_path, RUNS)


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda p: p.stem)
def test_converted_snippet(path: Path, tmp_path: Path) -> None:
    constants = load().constants
    converted = after(unit_of(path, path.name, constants), constants, DEFAULT_MM_API)
    if converted is None:
        pytest.skip("is refused")
    check(*converted, tmp_path, RUNS)


@pytest.mark.parametrize("arch", ["arc", "arm64"])
def test_real_handler(arch: str, kernel_61: Path, tmp_path: Path) -> None:
    constants = merge(dict(load().constants), tree_constants(kernel_61))
    name = f"arch/{arch}/mm/fault.c"
    unit = unit_of(kernel_61 / name, name, constants)
    before = tmp_path / "before"
    before.mkdir()
    check(unit, None, before, RUNS // 2)
    converted = after(unit, constants, read_mm_api(kernel_61))
    assert converted is not None
    behind = tmp_path / "after"
    behind.mkdir()
    check(*converted, behind, RUNS // 2)


@pytest.fixture
def arc(tmp_path: Path) -> Iterator[Bench]:
    path = data_dir("kernel_snippets") / "arc.c"
    unit = unit_of(path, path.name, load().constants)
    variant, found = next(handlers(unit))
    with bench_of(variant, found, unit.source, None, tmp_path) as bench:
        yield bench


STORE = {
    "user_mode(regs)": 1,
    "current->mm": 0x1000,
    "regs->ecr_cause": 2,
    "address": 0x2000,
    "vma_found#1": 1,
    "vma#1->vm_flags": 7,
    "vma#1->vm_end": 0x3000,
}


def test_scenario_by_names(arc: Bench) -> None:
    """A scenario that is written out gives the trace that the simulator gives."""
    found = arc.found
    simulator = Simulator(emit_simulator(arc.program, found, title="test", converted=False))
    normaliser = normaliser_for(arc.program, found.entries, arc.draws)
    outcomes = {}
    for word in ("VM_FAULT_OOM", "VM_FAULT_SIGBUS", "VM_FAULT_SIGSEGV", "VM_FAULT_COMPLETED"):
        scenario = {**STORE, "handle_mm_fault#1": arc.program.constants[word]}
        trace = arc.run(scenario)
        assert trace == normaliser.trace(simulator.run(scenario))
        outcomes[word] = trace.events[-1]
    assert outcomes["VM_FAULT_OOM"] == "oom pagefault_out_of_memory()"
    assert outcomes["VM_FAULT_SIGBUS"].startswith("signal force_sig_fault(0x7, 0x2, ")
    assert outcomes["VM_FAULT_SIGSEGV"].startswith("signal force_sig_fault(0xb, ")


def test_runs_do_not_depend_on_what_ran_before(arc: Bench) -> None:
    together = arc.run_many(1, 50)
    assert [arc.run_many(seed, 1)[0] for seed in range(1, 51)] == together
    assert len(set(together)) > 10


def test_a_late_alarm_does_no_harm(arc: Bench) -> None:
    """The timer of one batch may run out while nobody asks for another."""
    texts = arc.run_many(1, 20)
    process = arc._process
    assert process is not None
    process.send_signal(signal.SIGVTALRM)
    assert arc.run_many(1, 20) == texts


def test_impossible_and_lost(arc: Bench) -> None:
    constants = arc.program.constants
    both = constants["VM_FAULT_OOM"] | constants["VM_FAULT_SIGBUS"]
    assert arc.run({**STORE, "handle_mm_fault#1": both}) == NormalTrace((), "impossible")
    # Nothing was given: no mm, so the kernel's own way.
    assert arc.run({}).end != "impossible"


def test_a_wrong_reading_is_seen(tmp_path: Path) -> None:
    """The program of one text against the compiled C of another, one operator apart."""
    path = data_dir("kernel_snippets") / "arc.c"
    text = path.read_text("latin-1")
    wrong = text.replace("VM_FAULT_SIGBUS", "VM_FAULT_SIGSEGV", 1)
    assert wrong != text
    constants = load().constants
    right_unit = unit_of(path, path.name, constants)
    (variant, found) = next(handlers(right_unit))
    wrong_variant, wrong_found = next(handlers(load_unit(SourceText(path.name, wrong), constants)))
    simulator = Simulator(
        emit_simulator(wrong_variant.program, wrong_found, title="test", converted=False)
    )
    with bench_of(variant, found, right_unit.source, None, tmp_path) as bench:
        normaliser = normaliser_for(variant.program, found.entries, bench.draws)
        agreement = compare_runs(
            bench.run_many, simulator.run, ImpossibleScenario, normaliser, 1, RUNS
        )
    assert agreement.disagreements


def test_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = data_dir("kernel_snippets") / "arc.c"
    unit = unit_of(path, path.name, load().constants)
    variant, found = next(handlers(unit))
    monkeypatch.setattr(native, "COMPILER", "no-such-compiler")
    with pytest.raises(GenfaultError, match="no-such-compiler, which is not installed"):
        bench_of(variant, found, unit.source, None, tmp_path)


def test_broken_text(tmp_path: Path) -> None:
    """What the compiler does not take is said with its own words."""
    path = data_dir("kernel_snippets") / "arc.c"
    unit = unit_of(path, path.name, load().constants)
    variant, found = next(handlers(unit))
    text = unit.source.text.replace("no_context:", "no_context: break;", 1)
    assert text != unit.source.text
    broken = SourceText(path.name, text)
    with pytest.raises(BenchError, match=r"arc\.c:.*error"):
        bench_of(variant, found, broken, None, tmp_path)
