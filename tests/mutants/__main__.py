# SPDX-License-Identifier: GPL-2.0-only
"""`scripts/mutants`: plants wrongs in converted handlers and says which of them are seen."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.base.progress import progress_for_stderr
from codegen.corpus.debian import default_directory, fetch
from codegen.toolchain import Request, open_request

from .campaign import ROOT, Choice, Store, run
from .operators import OPERATORS
from .planting import Part
from .report import document, summary, unexplained

_RELEASES = ("6.1", "6.12")


def main() -> int:
    """0: every wrong that shows in the bench is seen. 1: not so. 2: bad usage."""
    options = _options()
    if options.list:
        for operator in OPERATORS:
            parts = "+".join(sorted(operator.parts))
            print(f"{operator.name:24} {parts:15} {operator.what}")
        return 0
    unknown = set(options.operator) - {o.name for o in OPERATORS}
    if unknown:
        print(f"mutants: no operator is called {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    choice = Choice(
        frozenset(options.operator),
        tuple(Part(p) for p in options.part) or tuple(Part),
        frozenset(options.helper_with),
        options.limit,
    )
    stores: list[tuple[str, Store]] = []
    try:
        for name in options.source or _RELEASES:
            request = _request(name, options.arch)
            store = Store(options.results / f"{request.source.name}.jsonl", keep=options.keep)
            if not options.report_only:
                run(request, choice, store, options.jobs, bench=not options.no_bench)
            stores.append((request.source.name, store))
    except GenfaultError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    results = {name: store.results() for name, store in stores}
    if options.write:
        (ROOT / "docs" / "mutants.md").write_text(document(results), encoding="utf-8")
    print(summary(results))
    return 1 if unexplained(results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument(
        "source", nargs="*", help="6.1, 6.12 or any SOURCE of genfault; default: both releases"
    )
    parser.add_argument("--arch", action="append", default=[], help="only this architecture")
    parser.add_argument("--operator", action="append", default=[], help="only this operator")
    parser.add_argument("--part", action="append", default=[], choices=[p.value for p in Part])
    parser.add_argument(
        "--helper-with",
        action="append",
        default=[],
        metavar="ARCH",
        help="plant the helper's wrongs under this handler only (default: under all)",
    )
    parser.add_argument("--limit", type=int, default=0, help="places of an operator in a text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-bench", action="store_true", help="leave the compiled C out")
    parser.add_argument("--list", action="store_true", help="the operators, and no more")
    parser.add_argument("--keep", action="store_true", help="keep results of an older tool")
    parser.add_argument("--report-only", action="store_true", help="judge nothing new")
    parser.add_argument("--write", action="store_true", help="write docs/mutants.md")
    parser.add_argument(
        "--results",
        type=Path,
        default=default_directory() / "mutants",
        help="where results are kept, to go on from",
    )
    return parser.parse_args()


def _request(name: str, archs: list[str]) -> Request:
    if name in _RELEASES:
        path = fetch(name, default_directory(), False, progress_for_stderr())
    else:
        path = Path(name)
    return open_request(path, archs, {}, 1)


if __name__ == "__main__":
    sys.exit(main())
