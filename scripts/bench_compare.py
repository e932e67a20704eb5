#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Times the exhaustive comparison from inside: each handler with itself and its conversion.

The seconds are of one core, without reading and converting, which have a
column of their own; the pairs are the path pairs that the comparison decided.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import TypeVar

from codegen.base.collector import look_seldom, pass_over
from codegen.corpus.nodes import CFile
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED, Comparison
from codegen.targets.compare.sides import compare_units
from codegen.toolchain import Request, after_of, convert_file, open_request

R = TypeVar("R")
HEAD = f"{'':14}{'read s':>8}{'itself s':>10}{'pairs':>8}{'converted s':>13}{'pairs':>8}  verdicts"


def main() -> None:
    parser = argparse.ArgumentParser(description="time the comparison, handler by handler")
    parser.add_argument("source", type=Path, help="a kernel tree, a folder or a file")
    parser.add_argument("--arch", action="append", default=[], help="only this architecture")
    options = parser.parse_args()
    report(options.source, options.arch)


def report(source: Path, archs: list[str]) -> None:
    """One line for each handler that can be read, and the sums."""
    request = open_request(source, archs, {}, 1)
    print(HEAD, flush=True)
    rows = []
    for file in request.source.files:
        for row in _rows(request, file):
            print(row.text, flush=True)
            rows.append(row)
    worst = max(rows, key=lambda r: r.itself_seconds + r.after_seconds)
    total = Row(
        "all",
        sum(r.read_seconds for r in rows),
        sum(r.itself_seconds for r in rows),
        sum(r.itself_pairs for r in rows),
        sum(r.after_seconds for r in rows),
        sum(r.after_pairs for r in rows),
        f"{len(rows)} handlers; the slowest is {worst.name}",
    )
    print(total.text)


@dataclass(frozen=True)
class Row:
    """What one handler took; `after_*` are 0 where it does not convert."""

    name: str
    read_seconds: float
    itself_seconds: float
    itself_pairs: int
    after_seconds: float = 0.0
    after_pairs: int = 0
    verdicts: str = ""

    @property
    def text(self) -> str:
        """One line of the report."""
        after = f"{self.after_seconds:13.2f}{self.after_pairs:8}" if self.after_pairs else " " * 21
        numbers = f"{self.read_seconds:8.2f}{self.itself_seconds:10.2f}{self.itself_pairs:8}"
        return f"{self.name:14}{numbers}{after}  {self.verdicts}"


def _rows(request: Request, file: CFile) -> list[Row]:
    found, read = _timed(lambda: list(convert_file(request, file)))
    rows = []
    for listed, unit, conversion in found:
        unread = not any(f.function == listed.function for v in unit.variants for f in v.found)
        if listed.role != "handler" or unread:
            continue
        name = listed.function
        itself, seconds = _timed(lambda u=unit, n=name: compare_units(u, u, n, frozenset()))
        after: Comparison | None = None
        after_seconds = 0.0
        if conversion is not None:
            other = after_of(request, file, conversion)
            after, after_seconds = _timed(
                lambda u=unit, o=other, n=name: compare_units(u, o, n, DEFAULT_ACCEPTED)
            )
        verdicts = [str(c.verdict) for c in (itself, after) if c is not None]
        rows.append(
            Row(
                file.selector,
                read,
                seconds,
                itself.pairs,
                after_seconds,
                after.pairs if after is not None else 0,
                " ".join(verdicts),
            )
        )
    return rows


def _timed(work: Callable[[], R]) -> tuple[R, float]:
    """(what the work gives, the processor seconds that it took)."""
    # As between two files of a tree: what is known already lives on.
    look_seldom()
    pass_over()
    start = process_time()
    result = work()
    return result, process_time() - start


if __name__ == "__main__":
    main()
