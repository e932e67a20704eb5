# SPDX-License-Identifier: GPL-2.0-only
"""One mutant of each operator: every wrong is seen, or there is a reason why it is none.

The whole campaign is `scripts/mutants`; here is a sample that is always the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from codegen.base.spans import SourceText
from codegen.targets.c.helper import render_helper
from codegen.targets.c.nodes import HELPER_C, MmApi, MmDialect
from codegen.toolchain import open_request

from .judge import Mutant, Result, Subject, subjects
from .observable import observable
from .operators import OPERATORS
from .planting import Operator, Part
from .reasons import reason_for
from .report import caught, escaped, missed, survives, unexplained

PER_VMA_LOCK = MmApi(
    MmDialect.LOCK_MM_AND_FIND_VMA,
    per_vma_lock=True,
    expand_stack_takes_mm=True,
    exception_ip=True,
)
FIND_VMA = MmApi(MmDialect.FIND_VMA)


@cache
def snippets() -> tuple[Subject, ...]:
    """The converted snippets, those that are likely to be quick to compare first."""
    found = subjects(open_request(None, (), {}, 1))
    return tuple(sorted(found, key=lambda s: (len(s.before.variants), len(s.converted.text))))


@cache
def under(api: MmApi) -> Subject:
    """The quickest, with the helper as another tree would have it."""
    quickest = next(s for s in snippets() if s.passes)
    return replace(quickest, helper=SourceText(HELPER_C, render_helper(api).c))


def candidates() -> Iterator[Subject]:
    quick = [s for s in snippets()[:5] if s.passes]
    yield from quick
    yield under(PER_VMA_LOCK)
    yield from (s for s in snippets()[5:] if s.passes)
    yield under(FIND_VMA)


def first_mutant(operator: Operator) -> tuple[Subject, Mutant] | None:
    """A place for the operator, in a handler that is quick to compare."""
    for subject in candidates():
        for part in sorted(operator.parts, reverse=True):
            found = [m for m in subject.mutants(part) if m.operator is operator]
            if found:
                return subject, found[0]
    return None


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda o: o.name)
def test_a_planted_wrong_is_seen(operator: Operator) -> None:
    """In the handler against the conversion, in the helper against the original as well.

    The bench is asked where the one or the other does not tell it.
    """
    chosen = first_mutant(operator)
    if chosen is None:
        pytest.skip("has no place in the snippets")
    subject, mutant = chosen
    # An original and a helper of two generations of the mm meet it differently.
    original = mutant.part is Part.HELPER and subject is not under(FIND_VMA)
    result = subject.judge(mutant, original=original, bench=False)
    if result.mutant != "DIFFERS" or (original and result.original != "DIFFERS"):
        result = subject.judge(mutant, original=original)
    what = f"{result} {mutant.told}"
    assert caught(result) or result.status == "same" or reason_for(result) is not None, what
    assert not missed(result), what
    assert not original or not escaped(result), what


@pytest.mark.parametrize("arch", ["arc", "arm64"])
def test_the_bench_shows_what_the_comparison_tells(arch: str) -> None:
    """Compiled C and comparison agree on a wrong, and on a change that is none."""
    subject = next(s for s in snippets() if s.file.selector == arch)
    wrongs = {m.operator.name: m for m in subject.mutants(Part.HELPER)}
    seen = subject.judge(wrongs["missing-unlock"])
    assert (seen.mutant, seen.original, seen.bench) == ("DIFFERS", "DIFFERS", "differs")
    same = subject.judge(wrongs["bus-before-segv"])
    assert (same.mutant, same.bench) == ("EQUAL", "agrees")
    assert survives(same) and reason_for(same)


def test_a_mutant_that_cannot_be_read_is_none() -> None:
    subject = snippets()[0]
    mutant = next(subject.mutants(Part.HANDLER))
    broken = subject.judge(replace(mutant, text=mutant.text.replace("generic_fault(", "(")))
    assert broken.status == "invalid"


def test_how_a_lock_is_taken_is_not_observed() -> None:
    one = (
        "lock mmap_lock()\nwrite a = 0x1\nunlock up_read()\nwrite a = 0x2\nreturn void lock=1 vma=0"
    )
    two = "vma-lock lock_vma_under_rcu()\nwrite a = 0x2\nreturn void lock=0 vma=1"
    assert observable(one) == observable(two)
    assert observable(two.replace("vma=1", "vma=0")) != observable(two)
    assert observable("impossible") is None


def result(**changes: str) -> Result:
    plain = Result("arc", "helper", "lost-tried", 0, "f", 1, "a -> b", "judged")
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_what_has_to_be_looked_at() -> None:
    good = result(mutant="DIFFERS", original="DIFFERS", bench="differs")
    like = result(mutant="DIFFERS", original="EXPLAINED", bench="like-original")
    through = result(mutant="DIFFERS", original="EXPLAINED", bench="differs")
    unseen = result(mutant="EQUAL", bench="differs")
    no_reason = result(mutant="EQUAL", bench="agrees")
    all_of_them = [good, like, through, unseen, no_reason]
    assert unexplained({"tree": all_of_them}) == [through, unseen, no_reason]
