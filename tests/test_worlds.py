# SPDX-License-Identifier: GPL-2.0-only
"""scripts/worlds: what is told of a handler holds in other worlds; a hole is found."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codegen.base.resources import data_dir
from codegen.ir.terms import symbol
from codegen.targets.compare import check, telling
from codegen.targets.compare.cases import Case
from codegen.targets.compare.classify import classify
from codegen.targets.compare.compare import compare
from codegen.targets.compare.joints import Parting
from codegen.targets.compare.nodes import Comparison, Difference, DifferenceClass, Side, Verdict
from codegen.targets.compare.pair import Walk
from codegen.targets.compare.survey import Survey
from scripts.world_by_world import compared, handlers
from scripts.world_by_world.compared import Pair, _Compared
from scripts.world_by_world.handlers import Options, Row, alone, both, converted, planted
from tests.compare.test_sources import as_they_are, tree

FEW = Options(worlds=60)
SNIPPETS = data_dir("kernel_snippets")


def rows(arch: str) -> list[Row]:
    return list(converted(SNIPPETS, [arch], FEW))


def what(found: list[Row]) -> set[str]:
    return {hole.what for row in found for hole in row.found.holes.values()}


@pytest.mark.parametrize("arch", ["arc", "hexagon", "riscv"])
def test_a_class_holds_in_other_worlds(arch: str) -> None:
    found = rows(arch)
    assert what(found) == set()
    assert all(row.verdict is Verdict.EXPLAINED for row in found)
    assert all(row.found.judged >= FEW.worlds // len(found) for row in found)
    assert all(row.found.pairs > 4 for row in found)


def test_a_planted_wrong_that_passes_is_looked_at() -> None:
    found = list(planted(SNIPPETS, ["arc"], Options(20, seed=2), 5))
    assert found
    assert what(found) == set()


def test_a_class_that_hangs_on_the_world_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest scenario, by which the class is told, has no page that had to be read."""

    def fickle(case: Case) -> DifferenceClass:
        major = case.src.run.number(symbol("handle_mm_fault#1", 32)) & 4
        return DifferenceClass.OTHER if major else classify(case)

    monkeypatch.setattr(telling, "classify", fickle)
    found = rows("arc")
    assert what(found) == {"hidden"}
    assert {row.verdict for row in found} == {Verdict.EXPLAINED}


def test_a_class_that_was_not_told_is_untold(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(*sides: Any, **known: Any) -> Comparison:
        told = compare(*sides, **known)
        kept = (d for d in told.differences if d.cls is not DifferenceClass.STALE_OUTCOME)
        return replace(told, differences=tuple(kept))

    monkeypatch.setattr(handlers, "compare", forgetful)
    assert what(rows("arc")) == {"untold"}


def test_a_walk_that_sees_nothing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(*_: object) -> Iterator[Parting]:
        return iter(())

    monkeypatch.setattr(Walk, "_partings", blind)
    found = rows("arc")
    assert {row.verdict for row in found} == {Verdict.EQUAL}
    # Without a difference to begin with, one has to be found.
    assert what(found) == {"unseen"}


def releases(folder: Path, *edits: tuple[str, str]) -> tuple[Path, Path]:
    """The arc snippet, and the same with each edit made wherever it can be."""
    text = (SNIPPETS / "arc.c").read_text("utf-8")
    paths = folder / "old" / "arc.c", folder / "new" / "arc.c"
    for path in paths:
        path.parent.mkdir(parents=True)
    paths[0].write_text(text, "utf-8")
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    paths[1].write_text(text, "utf-8")
    return paths


def test_two_releases_differ_as_was_told(tmp_path: Path) -> None:
    found = list(both(releases(tmp_path, ("SEGV_ACCERR", "SEGV_PKUERR")), [], FEW))
    assert what(found) == set()
    assert {row.verdict for row in found} == {Verdict.DIFFERS}
    assert all(row.found.judged >= FEW.worlds for row in found)


def test_two_releases_are_read_as_the_comparison_reads_them(tmp_path: Path) -> None:
    """Where the headers say that two names are one thing, nothing differs."""
    text = (SNIPPETS / "arc.c").read_text("utf-8")
    trees = [
        tree(tmp_path / name, text.replace("VMALLOC_START", name), as_they_are)
        for name in ("VMALLOC_START", "MODULES_VADDR")
    ]
    for root in trees:
        header = root / "arch/arc/include/asm/pgtable.h"
        header.parent.mkdir(parents=True)
        header.write_text("#define VMALLOC_START BASE\n#define MODULES_VADDR BASE\n")
    found = list(both((trees[0], trees[1]), [], Options(5)))
    assert {row.verdict for row in found} == {Verdict.EQUAL}
    assert what(found) == set()


def test_a_routine_that_is_one_step_is_looked_at_by_itself(tmp_path: Path) -> None:
    paths = releases(tmp_path, ("if (pgd_none(*ref))", "if (pgd_bad(*ref))"))
    found = {row.name: row for row in both(paths, [], FEW)}
    inside = found["arc 0 borrow_kernel_pgd()"]
    assert inside.verdict is Verdict.DIFFERS
    assert inside.found.judged >= FEW.worlds
    assert what(list(found.values())) == set()


@pytest.mark.parametrize("arch", ["arc", "sh", "um"])
def test_a_handler_departs_from_the_contract_as_was_told(arch: str) -> None:
    found = list(alone(SNIPPETS, [arch], FEW))
    assert what(found) == set()
    assert {row.verdict for row in found} == {Verdict.DIFFERS}
    assert all(row.found.differing for row in found)


def test_a_departure_that_was_not_told_is_untold(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(side: Side, solver: Any) -> tuple[Difference, ...]:
        told = check.check(side, solver)
        return tuple(d for d in told if d.cls is not DifferenceClass.UACCESS_LIVELOCK)

    monkeypatch.setattr(handlers, "check", forgetful)
    assert what(list(alone(SNIPPETS, ["hexagon"], FEW))) == {"untold"}


def test_a_look_that_sees_nothing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Survey, "_compare", lambda *_: None)
    found = list(alone(SNIPPETS, ["alpha"], Options(300)))
    told = {hole.told[2] for row in found for hole in row.found.holes.values()}
    assert what(found) == {"unseen"}
    assert "kernel-mode-signal" in told


def test_what_src_reads_through_itself_is_excused(monkeypatch: pytest.MonkeyPatch) -> None:
    """sparc32 goes to an entry of the exception table without asking whether there is one."""
    assert what(rows("sparc32")) == set()

    def unread(self: _Compared, user: bool, pair: Pair) -> tuple[Any, ...]:
        given = walked(self, user, pair)
        self.presumed[user] = frozenset()
        return given

    walked = _Compared._walked
    monkeypatch.setattr(_Compared, "_walked", unread)
    assert what(rows("sparc32")) == {"nowhere"}


def test_what_is_done_before_the_lock_or_under_it_is_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one where the VMA is not asked for the fault, which it is told of."""
    again, asked = "again:\n", "\tfault = handle_mm_fault("
    late, early = (edit[0] for edit in (releases(tmp_path / "a"), releases(tmp_path / "b")))
    for path, place in ((late, asked), (early, again)):
        text = path.read_text("utf-8")
        path.write_text(text.replace(place, "\tnotice(address);\n" + place), "utf-8")
    monkeypatch.setattr(compared, "_OF_AGREEING", 1)
    (row,) = both((late, early), [], FEW)
    assert row.found.moved > 0
    assert what([row]) == set()
