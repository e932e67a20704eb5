# SPDX-License-Identifier: GPL-2.0-only
"""`scripts/worlds`: does a difference hide behind the class of another?

The comparison tells the class of a difference by a few of the worlds in which it
is seen. Here worlds are drawn at random, and where two programs do not agree, or one
departs from the contract, the class is asked for in that very world. Exit code 1 if
one is not as was told.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from codegen.base.diagnostics import GenfaultError

from .handlers import Options, Row, alone, both, converted, planted
from .measure import WHAT, Hole

_COLUMNS = (
    *("drawn", "possible", "differing", "judged", "pairs"),
    *("torn", "moved", "pages", "moot", "outcome", "beside"),
)


def main() -> int:
    """0: every class is as was told. 1: not so. 2: bad usage."""
    options = _options()
    rows = _rows(options, Options(options.worlds, options.seed, options.seconds))
    kept = []
    try:
        print(f"{'':34}" + "".join(f"{c:>10}" for c in _COLUMNS) + "  verdict", flush=True)
        for row in rows:
            print(_line(row), flush=True)
            for key, hole in sorted(row.found.holes.items(), key=repr):
                print(_shown(hole, row.found.often[key]), flush=True)
                kept.append({"handler": row.name, **asdict(hole)})
    except GenfaultError as error:
        print(f"worlds: {error}", file=sys.stderr)
        return 2
    if options.keep is not None:
        options.keep.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return int(bool(kept))


def _rows(options: argparse.Namespace, wanted: Options) -> Iterator[Row]:
    """The programs that were asked for."""
    source, archs = options.source, options.arch
    if options.check:
        return alone(source, archs, wanted)
    if options.target is not None:
        return both((source, options.target), archs, wanted)
    if options.planted:
        return planted(source, archs, wanted, options.planted)
    return converted(source, archs, wanted)


def _options() -> argparse.Namespace:
    whats = "\n".join(f"  {word:8} {meaning}" for word, meaning in WHAT.items())
    parser = argparse.ArgumentParser(
        prog="scripts/worlds",
        description=f"{__doc__}\nWhat may be told of a world:\n{whats}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="a kernel tree, a folder or a C file")
    parser.add_argument("target", type=Path, nargs="?", help="another, for the same handlers")
    parser.add_argument("--arch", action="append", default=[], help="only this one (repeatable)")
    parser.add_argument(
        "--worlds", type=int, default=1000, help="differing ones of a handler to judge"
    )
    parser.add_argument("--seed", type=int, default=1, help="which worlds are drawn")
    parser.add_argument("--seconds", type=float, default=1e9, help="at most for a configuration")
    parser.add_argument(
        "--planted", type=int, default=0, metavar="N", help="with N wrongs of scripts/mutants each"
    )
    parser.add_argument(
        "--check", action="store_true", help="each handler alone, against the contract"
    )
    parser.add_argument("--keep", type=Path, help="a file for the scenarios that are told")
    options = parser.parse_args()
    if (options.target is not None) + options.check + bool(options.planted) > 1:
        parser.error("a second source, --check and --planted do not go together")
    return options


def _line(row: Row) -> str:
    numbers = "".join(f"{getattr(row.found, c):10}" for c in _COLUMNS)
    return f"{row.name:34}{numbers}  {row.verdict}"


def _shown(hole: Hole, times: int) -> str:
    words = " ".join(f"--set '{n}={v:#x}'" for n, v in hole.scenario.items())
    told = ", ".join(filter(None, hole.told))
    return f"  {hole.what}, {times} times, {told}: {hole.words}\n    {words}"


if __name__ == "__main__":
    sys.exit(main())
