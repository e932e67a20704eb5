# SPDX-License-Identifier: GPL-2.0-only
"""The command line of scripts/kernel-build."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.base.files import replace_file
from codegen.corpus.debian import default_directory
from scripts.kernel_build import report, review, scratch, steps
from scripts.kernel_build.recipes import Recipe, find_toolchain, load_recipes
from scripts.kernel_build.report import Row
from scripts.kernel_build.series import Handler, Series, SeriesError, make_series

CLEAN, FINDINGS, UNUSABLE = 0, 1, 2
_NEEDED = ("make", "git", "perl", "gcc", "flex", "bison", "bc")
_HELPER_FILES = (steps.HELPER_SOURCE, "include/linux/generic_fault.h")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 all is clean; 1 something was found; 2 bad usage, or nothing could be compiled."""
    options = _parser().parse_intermixed_args(arguments)
    try:
        return _Run(options).run()
    except (SeriesError, GenfaultError) as error:
        print(f"kernel-build: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("\nkernel-build: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/kernel-build",
        description="Compile each converted handler and mm/generic_fault.c with the "
        "architecture's own compiler against the tree's real headers, before and after; "
        "sparse and checkpatch.pl too. Only what is new is a finding. TREE is only read.",
        epilog="Exit code: 0 all is clean; 1 something new was found; 2 bad usage.",
    )
    parser.add_argument("tree", metavar="TREE", type=Path, help="a whole kernel tree, not built in")
    parser.add_argument("archs", metavar="ARCH", nargs="*", help="only these; all that convert")
    parser.add_argument("--patches", type=Path, help="compile this series, not genfault's own")
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="CLASS",
        help="convert handlers with this class of difference, too (see genfault convert)",
    )
    parser.add_argument(
        "--fix",
        action="append",
        default=[],
        metavar="CLASS",
        help="convert to the better behaviour, where there is a choice (see genfault convert)",
    )
    parser.add_argument("--cache", type=Path, help="where the builds are kept")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="make -j")
    parser.add_argument("--results", type=Path, help="keep the results in this JSON file, too")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument(
        "--quick", action="store_true", help="no sparse: about a third of the time less"
    )
    return parser


@dataclass(frozen=True)
class _Job:
    recipe: Recipe
    handler: Handler


class _Run:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.tree: Path = options.tree.resolve()
        self.recipes = load_recipes()
        self.has_sparse = shutil.which("sparse") is not None and not options.quick
        self.rows: list[Row] = []

    def run(self) -> int:
        self.check_usage()
        version = scratch.version_of(self.tree)
        base: Path = self.options.cache or default_directory() / "kernel-build"
        # Objects know the source by its path: one place for each tree.
        cache = base / f"{version}-{report.digest(str(self.tree).encode())[:8]}"
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SeriesError(f"cannot write {cache}: {error.strerror}") from error
        with _alone(cache), tempfile.TemporaryDirectory(prefix="kernel-build-") as folder:
            self.say(f"linux {version}: {self.tree}")
            series = self.series(Path(folder))
            self.tree_row(series, cache)
            for job in self.jobs(series):
                self.one(job, series, cache)
        return self.finish(version)

    def check_usage(self) -> None:
        reason = scratch.unfit(self.tree)
        if reason is not None:
            raise SeriesError(reason)
        known = {name for r in self.recipes.values() for name in (r.name, r.arch)}
        for arch in self.options.archs:
            if arch not in known:
                raise SeriesError(f"no recipe for {arch!r}; there are {', '.join(sorted(known))}")
        missing = [tool for tool in _NEEDED if shutil.which(tool) is None]
        if missing:
            raise SeriesError(f"Kbuild needs {', '.join(missing)}, which is not installed")
        if not self.has_sparse and not self.options.quick:
            print("kernel-build: sparse is not installed: not run", file=sys.stderr)

    def series(self, folder: Path) -> Series:
        wanted = self.options.archs
        archs = {r.arch for r in self.recipes.values() if {r.name, r.arch} & set(wanted)}
        self.tell("the series")
        asked = [word for name in self.options.accept for word in ("--accept", name)]
        asked += [word for name in self.options.fix for word in ("--fix", name)]
        return make_series(self.tree, sorted(archs), asked, self.options.patches, folder)

    def jobs(self, series: Series) -> Iterator[_Job]:
        """What to compile, in order; a row for each handler that is left out."""
        wanted = set(self.options.archs)
        folders = {path.split("/")[1] for path in series.files if path.startswith("arch/")}
        for arch in sorted(series.handlers.keys() - {r.arch for r in self.recipes.values()}):
            self.leave_out(arch, "no recipe for this architecture")
        for recipe in self.recipes.values():
            if wanted and not wanted & {recipe.name, recipe.arch}:
                continue
            handler = series.handlers.get(recipe.arch)
            if handler is None:
                if wanted:
                    self.leave_out(recipe.name, "this tree has no such handler")
            elif handler.folder not in folders and not wanted:
                self.leave_out(recipe.name, f"does not convert ({handler.why_not})")
            else:
                yield _Job(recipe, handler)

    def leave_out(self, name: str, reason: str) -> None:
        self.say(f"{name:12} {reason}")
        self.rows.append(Row(name, None, "", "", "", "", (), reason))

    def one(self, job: _Job, series: Series, cache: Path) -> None:
        recipe, handler = job.recipe, job.handler
        toolchain = find_toolchain(recipe, cache / "standins")
        if toolchain is None:
            self.leave_out(recipe.name, f"not compiled: {recipe.missing()}")
            return
        place = steps.Place(cache / f"{recipe.name}-{toolchain.how}")
        place.folder.mkdir(parents=True, exist_ok=True)
        taken = []

        def tell(doing: str) -> None:
            self.tell(f"{recipe.name}: {doing}")

        jobs, sparse = self.options.jobs, self.has_sparse
        for step in steps.build(
            self.tree, recipe, toolchain, handler, series, place, jobs, sparse, tell
        ):
            taken.append(step)
            self.say(*report.step_lines(recipe.name, step))
        for patch in _patches_of(series, handler.file):
            step = review.checkpatch(cache / "tree", patch)
            taken.append(step)
            self.say(*report.step_lines(recipe.name, step))
        self.rows.append(
            Row(
                recipe.name,
                recipe.arch,
                toolchain.how,
                toolchain.version,
                report.digest(series.files.get(handler.file, b"")),
                report.digest(series.files.get(steps.HELPER_SOURCE, b"")),
                tuple(taken),
            )
        )

    def tree_row(self, series: Series, cache: Path) -> None:
        """What is judged once: the helper's own patch and its kernel-doc."""
        if steps.HELPER_SOURCE not in series.files:
            return
        source = cache / "tree"
        scratch.lay(self.tree, series.files, source)
        taken = [review.kernel_doc(source, _HELPER_FILES)]
        taken += [review.checkpatch(source, p) for p in _patches_of(series, steps.HELPER_SOURCE)]
        for step in taken:
            self.say(*report.step_lines("generic", step))
        helper = report.digest(series.files[steps.HELPER_SOURCE])
        self.rows.append(Row("generic", None, "", "", "", helper, tuple(taken)))

    def finish(self, version: str) -> int:
        self.tell("")
        compiled = [row for row in self.rows if row.compiler]
        if self.options.results is not None:
            path: Path = self.options.results
            merged = report.document(version, self.rows, report.read_results(path))
            replace_file(path, f"{json.dumps(merged, indent=1)}\n".encode())
        if self.options.format == "json":
            print(json.dumps(report.document(version, self.rows, {}), indent=1))
        else:
            self.say("", report.summary(self.rows))
        if not compiled:
            print("kernel-build: nothing was compiled", file=sys.stderr)
            return UNUSABLE
        return FINDINGS if any(row.failed for row in self.rows) else CLEAN

    def say(self, *lines: str) -> None:
        self.tell("")
        if self.options.format == "text":
            for line in lines:
                print(line, flush=True)

    def tell(self, doing: str) -> None:
        """What is being done, for a person who waits; nothing into a pipe."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K{doing}", end="", file=sys.stderr, flush=True)


def _patches_of(series: Series, path: str) -> list[Path]:
    mark = f"\n+++ b/{path}\n"
    return [p for p in series.patches if mark in p.read_text("latin-1")]


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One run at a time in one place; a second one waits."""
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("kernel-build: another run is at work here; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
