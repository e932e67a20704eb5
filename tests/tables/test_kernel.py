# SPDX-License-Identifier: GPL-2.0-only
"""The tables of the real kernels: nothing lost, every cell there, four handlers in full."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from codegen.ir.environment import Outcome
from codegen.ir.handler import HandlerRole
from codegen.tables.nodes import HandlerTables
from codegen.tables.printer import across_text, result_text, summary_text
from codegen.toolchain import each_file, open_request, tabled

CASES = Path(__file__).parent.parent / "cases" / "kernel"
# The tables of a whole tree are asked for by every test: they are made once.
_made: dict[Path, tuple[list[HandlerTables], float]] = {}


def tables_of(tree: Path) -> tuple[list[HandlerTables], float]:
    if tree not in _made:
        began = time.monotonic()
        request = open_request(tree, (), {}, 2)
        found = [h for handlers in each_file(request, tabled) for h in handlers]
        _made[tree] = found, time.monotonic() - began
    return _made[tree]


@pytest.fixture(params=["6.1", "6.12"])
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def found(
    release: str, kernel_61: Path, kernel_612: Path, update_goldens: bool
) -> list[HandlerTables]:
    return tables_of(kernel_61 if release == "6.1" else kernel_612)[0]


def test_every_handler_is_found(
    release: str, found: list[HandlerTables], update_goldens: bool
) -> None:
    text = "".join(f"{h.arch} {h.path} {h.function} {h.role} {h.dialect}\n" for h in found)
    golden = CASES / release / "handlers.txt"
    if update_goldens:
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_the_line_is_that_of_the_function(
    release: str, found: list[HandlerTables], kernel_61: Path, kernel_612: Path
) -> None:
    tree = kernel_61 if release == "6.1" else kernel_612
    for handler in found:
        lines = (tree / handler.path).read_text("latin-1").split("\n")
        assert handler.function in lines[handler.line - 1], handler


def test_every_handler_has_its_24_cells(release: str, found: list[HandlerTables]) -> None:
    proper = [h for h in found if h.role is HandlerRole.HANDLER]
    assert len(proper) == {"6.1": 23, "6.12": 22}[release]
    everything = {(mode, outcome) for mode in ("user", "kernel") for outcome in Outcome}
    for handler in proper:
        assert not handler.refusals
        assert {(r.mode, r.outcome) for r in handler.signals} == everything, handler.arch
        assert handler.decode, handler.arch
        assert all(r.cases for r in handler.signals), handler.arch


def test_every_line_is_in_the_file(
    release: str, found: list[HandlerTables], kernel_61: Path, kernel_612: Path
) -> None:
    tree = kernel_61 if release == "6.1" else kernel_612
    for handler in found:
        lines = (tree / handler.path).read_text("latin-1").split("\n")
        places = [r.line for r in handler.decode]
        places += [c.line for r in handler.signals for c in r.cases]
        for line in places:
            assert lines[line - 1].strip() not in ("", "*/", "{", "}"), (handler.arch, line)


def test_the_last_row_of_a_decode_is_otherwise(found: list[HandlerTables]) -> None:
    """First match wins, so a row without a guard ends the list of its configuration."""
    for handler in found:
        by_presence: dict[str | None, list[str | None]] = {}
        for row in handler.decode:
            by_presence.setdefault(row.presence, []).append(row.guard)
        for guards in by_presence.values():
            assert guards[-1] is None and None not in guards[:-1], handler.arch
            assert len(set(guards)) == len(guards), handler.arch


EXPECTED = sorted((p.parent.name, p.stem) for p in CASES.glob("*/*.txt") if p.stem != "handlers")


@pytest.mark.parametrize(("release", "arch"), EXPECTED)
def test_cells_in_full(release: str, arch: str, found: list[HandlerTables]) -> None:
    """What these handlers do, read off their source by hand."""
    handler = next(h for h in found if h.arch == arch and h.role is HandlerRole.HANDLER)
    text = ""
    for row in handler.signals:
        answers = [" + ".join(_kind(result_text(r)) for r in c.results) for c in row.cases]
        text += f"{row.mode} {row.outcome}: {' | '.join(answers)}\n"
    assert text == (CASES / release / f"{arch}.txt").read_text("utf-8")


def _kind(text: str) -> str:
    return "bug" if text == "BUG" else text.split(" ")[0]


def test_the_matrix_fits_a_terminal(found: list[HandlerTables]) -> None:
    assert max(map(len, across_text(found).split("\n"))) <= 160


def test_the_counts_add_up(release: str, found: list[HandlerTables]) -> None:
    handlers = {"6.1": 23, "6.12": 22}[release]
    others = len(found) - handlers
    assert summary_text(found).startswith(f"{handlers} handlers, {handlers} with tables; {others} ")
