#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Times genfault from outside: what a user waits for, start-up included.

Nothing here passes or fails; the figures are for reading, and the machine's
name, cores and Python stand beside them.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import bench_spatch

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """One command to time; `name` groups it, `why` says what it stands for."""

    name: str
    why: str
    arguments: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description="time genfault's commands")
    parser.add_argument("names", nargs="*", help="only the groups named so")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, after one warm-up")
    parser.add_argument("--release", default="6.1", help="which kernel (default: 6.1)")
    options = parser.parse_args()
    tree = _tree(options.release)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, linux {options.release}, {options.runs} runs")
    print(f"{'':44}{'wall s: min':>12}{'median':>9}{'max':>9}{'cpu s':>9}{'MiB':>7}  exit")
    for case in _cases(tree):
        if not options.names or case.name in options.names:
            _report(case, options.runs)
    if not options.names or "compare" in options.names:
        _compare(tree)
    if not options.names or "simulator" in options.names:
        _simulators(tree, options.runs)
    if not options.names or "spatch" in options.names:
        bench_spatch.report(tree, options.runs)


def _compare(tree: str) -> None:
    """Seconds and path pairs of the comparison, handler by handler: bench_compare.py."""
    print("each handler compared with itself and with its conversion, one core", flush=True)
    script = ROOT / "scripts" / "bench_compare.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script, tree], env=environment, check=True)


def _simulators(tree: str, runs: int) -> None:
    """Runs per second of simulators beside the compiled handlers: bench_simulator.py."""
    print("simulators beside compiled handlers", flush=True)
    script = ROOT / "scripts" / "bench_simulator.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, script, tree, "--runs", str(runs)]
    subprocess.run(words, env=environment, check=True)


def _tree(release: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "codegen", "fetch", release],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _cases(tree: str) -> list[Case]:
    two = ("--arch", "arc", "--arch", "arm64")
    cases = [
        Case("start", "genfault --version", ("--version",)),
        Case("snippets", "genfault convert (kernel_snippets/)", ("convert",)),
        Case("convert", "convert TREE --arch arc --arch arm64", ("convert", tree, *two)),
        Case("tables", "tables TREE --arch arc --arch arm64", ("tables", tree, *two)),
        Case("tree", "tables TREE", ("tables", tree)),
        Case("diff", "diff TREE --arch arc --arch arm64", ("diff", tree, *two)),
    ]
    for folder in sorted((Path(tree) / "arch").iterdir()):
        files = [*folder.glob("mm/*fault*.c"), *folder.glob("kernel/trap.c")]
        if any(b"handle_mm_fault(" in f.read_bytes() for f in files):
            names = ["sparc32", "sparc64"] if folder.name == "sparc" else [folder.name]
            cases += [
                Case("handlers", f"tables TREE --arch {n}", ("tables", tree, "--arch", n))
                for n in names
            ]
    return cases


def _report(case: Case, runs: int) -> None:
    walls, cpus, peak, code = [], [], 0, 0
    for run in range(runs + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "codegen", *case.arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = done.returncode
        if run:  # the first one warms the caches
            walls.append(wall)
            cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            peak = max(peak, after.ru_maxrss // 1024)
    print(
        f"{case.why:44}{min(walls):12.3f}{statistics.median(walls):9.3f}{max(walls):9.3f}"
        f"{statistics.median(cpus):9.3f}{peak:7}  {code}",
        flush=True,
    )


if __name__ == "__main__":
    main()
