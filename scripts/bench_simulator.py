#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs per second: a handler's simulator beside its own C text, compiled.

    scripts/bench simulator

Both sides answer the same scenarios. The compiled bench draws each scenario
itself and prints the trace; the simulator is timed on scenarios that are drawn
already, one call after the other and as a batch (simulate_many()). Each takes
turns with the others, and the best of several turns counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from codegen.ir.handler import HandlerRole
from codegen.targets.native.bench import Bench, build_bench
from codegen.targets.normal import Drawn
from codegen.targets.simulator.emit import emit_simulator
from codegen.targets.simulator.run import ImpossibleScenario, Simulator
from codegen.toolchain import open_request, unit_of

SCENARIOS = 4000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tree", type=Path)
    parser.add_argument("--arch", action="append", default=[])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    for line in report(options.tree, options.arch or ["arc", "arm64", "mips"], options.runs):
        print(line, flush=True)


def report(tree: Path, archs: list[str], runs: int) -> Iterator[str]:
    """A line for each handler: what each side does in a second, and the ratios."""
    yield f"{'handler':12}{'compiled/s':>12}{'python/s':>10}{'ratio':>7}{'batch/s':>10}{'ratio':>7}"
    request = open_request(tree, archs, {}, 1)
    for file in request.source.files:
        unit = unit_of(request, file)
        chosen = [(v, f) for v in unit.variants for f in v.found if f.role is HandlerRole.HANDLER]
        if not chosen:
            continue
        variant, found = chosen[0]
        text = emit_simulator(variant.program, found, title=tree.name, converted=False)
        setting = variant.configurations[0]
        with (
            tempfile.TemporaryDirectory() as folder,
            build_bench(variant.program, found, unit.source, setting, None, Path(folder)) as bench,
        ):
            compiled, single, batch = _rates(bench, Simulator(text), runs)
        yield (
            f"{file.selector:12}{compiled:12,.0f}{single:10,.0f}{compiled / single:7.1f}"
            f"{batch:10,.0f}{compiled / batch:7.1f}"
        )


def _rates(bench: Bench, simulator: Simulator, runs: int) -> tuple[float, float, float]:
    scenarios = []
    for seed in range(1, SCENARIOS + 1):
        drawn = Drawn(seed, bench.draws)
        _run(simulator, drawn)
        scenarios.append(dict(drawn))
    ways: list[Callable[[], object]] = [
        lambda: bench.run_many(1, SCENARIOS),
        lambda: [_run(simulator, s) for s in scenarios],
        lambda: list(simulator.run_many(scenarios)),
    ]
    best = [0.0] * len(ways)
    for _ in range(runs):
        for i, way in enumerate(ways):
            start = perf_counter()
            way()
            best[i] = max(best[i], SCENARIOS / (perf_counter() - start))
    compiled, single, batch = best
    return compiled, single, batch


def _run(simulator: Simulator, scenario: dict[str, int]) -> object:
    try:
        return simulator.run(scenario)
    except ImpossibleScenario:
        return None


if __name__ == "__main__":
    sys.exit(main())
