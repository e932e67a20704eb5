# SPDX-License-Identifier: GPL-2.0-only
"""scripts/worlds: the classes of a handler's differences hold in other worlds; a hole is found."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from codegen.base.resources import data_dir
from codegen.ir.terms import symbol
from codegen.targets.compare import telling
from codegen.targets.compare.cases import Case
from codegen.targets.compare.classify import classify
from codegen.targets.compare.compare import compare
from codegen.targets.compare.joints import Parting
from codegen.targets.compare.nodes import Comparison, DifferenceClass, Verdict
from codegen.targets.compare.pair import Walk
from scripts.world_by_world import handlers
from scripts.world_by_world.handlers import Options, Row, converted, planted

FEW = Options(worlds=60)


def rows(arch: str) -> list[Row]:
    return list(converted(data_dir("kernel_snippets"), [arch], FEW))


def what(found: list[Row]) -> set[str]:
    return {hole.what for row in found for hole in row.found.holes.values()}


@pytest.mark.parametrize("arch", ["arc", "hexagon", "riscv"])
def test_a_class_holds_in_other_worlds(arch: str) -> None:
    found = rows(arch)
    assert what(found) == set()
    assert all(row.told.verdict is Verdict.EXPLAINED for row in found)
    assert all(row.found.judged >= FEW.worlds // len(found) for row in found)
    assert all(row.found.pairs > 4 for row in found)


def test_a_planted_wrong_that_passes_is_looked_at() -> None:
    found = list(planted(data_dir("kernel_snippets"), ["arc"], Options(20, seed=2), 5))
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
    assert {row.told.verdict for row in found} == {Verdict.EXPLAINED}


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
    assert {row.told.verdict for row in found} == {Verdict.EQUAL}
    # Without a difference to begin with, one has to be found.
    assert what(found) == {"unseen"}
