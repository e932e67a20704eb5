#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every handler's simulator against its compiled C, on many random scenarios.

    scripts/campaign linux-source-6.1 --arch arc --runs 1000000

Each handler is run before and (where it converts) after, in every
configuration that its text tells apart; the runs of a side are shared among
them. What was done is kept in the folder `--state`, so that a campaign goes on
where it was stopped; a side whose text has changed since starts anew. A
disagreement is shown with the scenario that replays it.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import sys
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

from codegen.base.diagnostics import GenfaultError, RefusedError
from codegen.base.spans import SourceText
from codegen.corpus.nodes import CFile
from codegen.ir.handler import Found, HandlerRole
from codegen.ir.load import Unit, Variant
from codegen.targets.c.after import helper_for, mm_api
from codegen.targets.c.nodes import HELPER_C
from codegen.targets.native.bench import Bench, build_bench
from codegen.targets.normal import Drawn, Normaliser, compare_runs, normaliser_for
from codegen.targets.simulator.emit import emit_simulator
from codegen.targets.simulator.run import ImpossibleScenario, Simulator
from codegen.toolchain import Request, after_of, convert_file, open_request

CHUNK = 20_000
COVERED = 5_000  # scenarios that are run once more, line by line
FILE = "simulator.py"


@dataclass
class Result:
    """What is known of one configuration of one side."""

    digest: str
    done: int = 0
    skipped: int = 0
    distinct: int = 0
    native: float = 0.0
    simulator: float = 0.0
    disagreements: int = 0
    first: dict[str, Any] | None = None
    branches: int = 0
    taken: int = 0
    missed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """One side of one file's handler, in a process of its own."""

    request: Request
    file: CFile
    after: bool
    runs: int
    state: Path

    @property
    def name(self) -> str:
        """Handler and side, as the table shows them."""
        return f"{self.request.source.name} {self.file.selector} {self.side}"

    @property
    def side(self) -> str:
        """Which side it is."""
        return "after" if self.after else "before"


@dataclass(frozen=True)
class Done:
    """What came of a job: a result for each configuration, or why there is none."""

    name: str
    results: tuple[tuple[str, Result], ...] = ()
    reason: str | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trees", nargs="+", type=Path, help="kernel trees, folders or C files")
    parser.add_argument("--arch", action="append", default=[], help="only this one (repeatable)")
    parser.add_argument("--side", choices=["before", "after", "both"], default="both")
    parser.add_argument("--runs", type=int, default=100_000, help="for each handler and side")
    parser.add_argument("--jobs", type=int, default=2, help="how many handlers at once")
    parser.add_argument("--state", type=Path, default=Path("campaign"), help="what is kept")
    parser.add_argument("--seconds", type=float, default=1e9, help="start nothing new after these")
    parser.add_argument("--missed", action="store_true", help="list the branches not taken")
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    sides = {"before": [False], "after": [True], "both": [False, True]}[options.side]
    jobs = [
        Job(request, file, after, options.runs, options.state)
        for request in (open_request(tree, options.arch, {}, 1) for tree in options.trees)
        for file in request.source.files
        for after in sides
    ]
    start = perf_counter()
    finished: list[list[Done]] = [[] for _ in jobs]
    with ProcessPoolExecutor(options.jobs) as pool:
        waiting = {pool.submit(run, j, start + options.seconds): i for i, j in enumerate(jobs)}
        for future in as_completed(waiting):
            done = finished[waiting[future]] = future.result()
            for one in done:
                print(_progress(one), file=sys.stderr, flush=True)
    return _table([d for done in finished for d in done], options.missed)


def _progress(done: Done) -> str:
    return f"{done.name}: {done.reason or sum(r.done for _, r in done.results)}"


# ---- one side --------------------------------------------------------------------


def run(job: Job, until: float) -> list[Done]:
    """All handlers of a file, on one side."""
    try:
        return [_side(job, unit, library, until) for unit, library in _units(job)]
    except GenfaultError as error:
        return [Done(job.name, reason=str(error))]


def _units(job: Job) -> Iterator[tuple[Unit | str, SourceText | None]]:
    """The programs of each handler in the file, or why there are none."""
    tree = job.request.source.tree
    for listed, unit, conversion in convert_file(job.request, job.file):
        if listed.role != HandlerRole.HANDLER:
            continue
        if not job.after:
            yield unit, None
        elif conversion is None:
            yield str(listed.refusals[0]), None
        else:
            api = mm_api(tree, job.file.source.text)
            helper = SourceText(HELPER_C, helper_for(api).c)
            yield after_of(job.request, job.file, conversion), helper


def _side(job: Job, unit: Unit | str, library: SourceText | None, until: float) -> Done:
    if isinstance(unit, str):
        return Done(job.name, reason=unit)
    chosen = [(v, f) for v in unit.variants for f in v.found if f.role is HandlerRole.HANDLER]
    if not chosen:
        reasons = [
            str(r) for r in (*unit.refusals, *(r for v in unit.variants for r in v.refusals))
        ]
        return Done(job.name, reason=reasons[0] if reasons else "no handler")
    each = -(-job.runs // len(chosen))
    results = []
    for number, (variant, found) in enumerate(chosen):
        configuration = str(variant.configurations[0])
        try:
            with tempfile.TemporaryDirectory() as folder:
                run_ = _Run(job, unit, variant, found, library, number, Path(folder))
                results.append((configuration, run_.go(each, until)))
        except (GenfaultError, RefusedError) as error:
            results.append((configuration, Result("", first={"reason": str(error)})))
    return Done(job.name, tuple(results))


class _Run:
    """One configuration."""

    def __init__(
        self,
        job: Job,
        unit: Unit,
        variant: Variant,
        found: Found,
        library: SourceText | None,
        number: int,
        folder: Path,
    ) -> None:
        self.job, self.variant = job, variant
        self.text = emit_simulator(
            variant.program, found, title=job.request.source.name, converted=job.after
        )
        self.simulator = Simulator(self.text)
        self.build = (variant.program, found, unit.source, variant.configurations[0], library)
        self.folder = folder
        stem = "_".join(job.name.split())
        self.path = job.state / f"{stem}.{number}.json"
        self.seen_path = self.path.with_suffix(".seen")

    def go(self, runs: int, until: float) -> Result:
        with build_bench(*self.build, self.folder) as bench:
            normaliser = normaliser_for(self.variant.program, self.build[1].entries, bench.draws)
            written = sorted(p for p in self.folder.rglob("*.[ch]") if p.is_file())
            # What the docstring says of it changes no run.
            digest = hashlib.sha256(self.text[self.text.index("\nfrom __future__") :].encode())
            for path in written:
                digest.update(path.read_bytes())
            result, seen = self._known(digest.hexdigest())
            while result.done < runs and perf_counter() < until:
                self._chunk(result, seen, bench, normaliser, min(CHUNK, runs - result.done))
                self._keep(result, seen)
            if not result.branches:
                self._cover(result, bench.draws)
                self._keep(result, seen)
        return result

    def _known(self, digest: str) -> tuple[Result, set[int]]:
        if self.path.is_file():
            result = Result(**json.loads(self.path.read_text()))
            if result.digest == digest:
                seen = array("Q")
                seen.frombytes(self.seen_path.read_bytes())
                return result, set(seen)
        return Result(digest), set()

    def _keep(self, result: Result, seen: set[int]) -> None:
        self.seen_path.write_bytes(array("Q", seen).tobytes())
        self.path.write_text(json.dumps(asdict(result), indent=1))

    def _chunk(
        self, result: Result, seen: set[int], bench: Bench, normaliser: Normaliser, count: int
    ) -> None:
        agreement = compare_runs(
            bench.run_many,
            self.simulator.run,
            ImpossibleScenario,
            normaliser,
            result.done + 1,
            count,
            seen=seen,
        )
        result.done += count
        result.skipped += agreement.skipped
        result.distinct = len(seen)
        result.native += agreement.native_seconds
        result.simulator += agreement.simulator_seconds
        result.disagreements += len(agreement.disagreements)
        if agreement.disagreements and result.first is None:
            one = agreement.disagreements[0]
            result.first = {
                "seed": one.seed,
                "scenario": self._scenario(one.seed, normaliser),
                "simulator": one.simulated.split("\n"),
                "compiled": one.native.split("\n"),
            }

    def _scenario(self, seed: int, normaliser: Normaliser) -> dict[str, int]:
        drawn = Drawn(seed, normaliser.draws)
        with suppress(ImpossibleScenario):
            self.simulator.run(drawn)
        return {name: value for name, value in drawn.items() if value}

    def _cover(self, result: Result, draws: Any) -> None:
        forks = _forks(self.text)
        arcs: set[tuple[int, int]] = set()
        with _Arcs(arcs):
            for seed in range(1, COVERED + 1):
                try:
                    self.simulator.run(Drawn(seed, draws))
                except ImpossibleScenario:
                    continue
        lines = self.text.split("\n")
        for first, last, inside in forks:
            ways = {(b in inside) for a, b in arcs if first <= a <= last and not first <= b <= last}
            result.branches += 2
            result.taken += len(ways)
            if len(ways) < 2:
                never = (
                    "never true" if False in ways else "never false" if ways else "never reached"
                )
                said = " ".join(x.strip() for x in lines[first - 1 : last + 1])
                result.missed.append(f"{never}: {said}")


def _forks(text: str) -> list[tuple[int, int, range]]:
    """(first and last line of the condition, lines of the body) of each `if` of the handler."""
    start = text[: text.index("# ==== the handler")].count("\n")
    return [
        (node.test.lineno, node.test.end_lineno or 0, range(node.body[0].lineno, _end(node.body)))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.If) and node.lineno > start and node.col_offset
    ]


def _end(body: list[ast.stmt]) -> int:
    return (body[-1].end_lineno or 0) + 1


class _Arcs:
    """Notes every step from line to line of an emitted simulator."""

    def __init__(self, arcs: set[tuple[int, int]]) -> None:
        self.arcs = arcs
        self.last: dict[FrameType, int] = {}

    def __enter__(self) -> None:
        sys.settrace(self._enter)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, _event: str, _arg: object) -> Any:
        return self._step if frame.f_code.co_filename == FILE else None

    def _step(self, frame: FrameType, event: str, _arg: object) -> Any:
        if event == "line":
            self.arcs.add((self.last.get(frame, 0), frame.f_lineno))
            self.last[frame] = frame.f_lineno
        elif event == "return":
            self.arcs.add((self.last.pop(frame, 0), -1))
        return self._step


# ---- the table ---------------------------------------------------------------------


def _table(finished: list[Done], missed: bool) -> int:
    wide = max(len(d.name) for d in finished)
    print(
        f"{'handler':{wide}} {'conf.':>5} {'runs':>9} {'skipped':>8} {'distinct':>9} "
        f"{'differ':>7} {'branches':>9} {'native/s':>9} {'python/s':>9}"
    )
    code = 0
    for done in finished:
        if done.reason is not None:
            print(f"{done.name:{wide}} - {done.reason}")
            continue
        results = [r for _, r in done.results]
        total = _sum(results)
        print(
            f"{done.name:{wide}} {len(results):5} {total['done']:9,.0f} {total['skipped']:8,.0f} "
            f"{total['distinct']:9,.0f} {total['disagreements']:7,.0f} "
            f"{total['taken']:4.0f}/{total['branches']:<4.0f} "
            f"{_rate(total['done'], total['native'])} {_rate(total['done'], total['simulator'])}"
        )
        for configuration, result in done.results:
            if result.first is not None:
                code = 1
                print(f"  {configuration}: {_shown(result.first)}")
        if missed:
            for line in sorted({m for r in results for m in r.missed}):
                print(f"  {line}")
    return code


def _rate(runs: float, seconds: float) -> str:
    return f"{runs / seconds:9,.0f}" if seconds else f"{'-':>9}"


def _sum(results: list[Result]) -> dict[str, float]:
    names = "done skipped distinct disagreements taken branches native simulator".split()
    return {name: sum(getattr(r, name) for r in results) for name in names}


def _shown(first: Mapping[str, Any]) -> str:
    if "reason" in first:
        return str(first["reason"])
    words = " ".join(f"--set '{n}={v:#x}'" for n, v in first["scenario"].items())
    lines = [f"seed {first['seed']}, genfault simulate … {words}"]
    for name in ("simulator", "compiled"):
        lines += [f"    {name}: {line}" for line in first[name]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
