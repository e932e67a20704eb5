# SPDX-License-Identifier: GPL-2.0-only
"""Drawing scenarios, and the form in which traces are compared."""

from dataclasses import dataclass, field

import pytest

from codegen.targets.normal import (
    ADDRESSES,
    ARENA,
    Drawn,
    Draws,
    Kind,
    Normaliser,
    NormalTrace,
    mixed,
    slot_address,
)

DRAWS = Draws(
    kinds={"mm": Kind.POINTER, "is_thing": Kind.BOOL, "vm_flags": Kind.VM_FLAGS, "word": Kind.WORD},
    local_names=frozenset({"info", "insn"}),
    fixed={"CASE_ONE": 1},
    pool=(0, 7, 11),
    outcomes=(0,) * 8 + (0x400,) * 8,
    extra=0x4,
    index_mask=0xF0000,
    large=0x20,
    vm_flags=(1, 2, 4),
)


@dataclass
class Event:
    kind: str
    name: str
    args: tuple[int | str, ...] = ()


@dataclass
class Trace:
    events: list[Event] = field(default_factory=list)
    end: str = "return"
    value: int | None = None
    lock: int = 0
    vma_locked: bool = False


def test_the_same_seed_and_name_give_the_same_number() -> None:
    a, b = Drawn(7, DRAWS), Drawn(7, DRAWS)
    assert a["regs->pc"] == b["regs->pc"] == a.get("regs->pc")
    assert [Drawn(s, DRAWS)["regs->pc"] for s in range(50)] != [a["regs->pc"]] * 50


def test_kinds() -> None:
    assert {DRAWS.value(s, "is_thing(0x1)") for s in range(40)} == {0, 1}
    assert {DRAWS.value(s, "is_thing@3(regs)") for s in range(40)} == {0, 1}
    name = "current->mm@2"
    assert {DRAWS.value(s, name) for s in range(99)} == {0, slot_address(name)}
    assert all(DRAWS.value(s, "vma#1->vm_flags") for s in range(99))
    assert {DRAWS.value(s, "CASE_ONE") for s in range(9)} == {1}
    assert DRAWS.value(3, "uninitialized x") == 0
    assert slot_address("x") >= ARENA
    words = {DRAWS.value(s, "regs->word") for s in range(2000)}
    assert words >= {0, 1, *ADDRESSES} and max(words) < 1 << 64


def test_mixed_is_splitmix() -> None:
    # The reference implementation's first number from state 0 (its increment mixed).
    assert mixed(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ('f("a \\"b\\" c", 0x1)', 'f("", 0x1)'),
        ("f(&info, &info.si_code, &information)", "f(&?, &?, &information)"),
        ("insn@4", "?@4"),
        ("regs->pc@4", "regs->pc@4"),
    ],
)
def test_canonical_names(name: str, canonical: str) -> None:
    assert DRAWS.canonical(name) == canonical


def test_writes_between_events_have_no_order() -> None:
    normaliser = Normaliser(DRAWS, (32,))
    first = Trace([Event("write", "b", (1,)), Event("write", "a", (2,)), Event("write", "b", (3,))])
    second = Trace([Event("write", "a", (2,)), Event("write", "b", (3,))])
    assert normaliser.trace(first) == normaliser.trace(second)
    parted = Trace([first.events[0], Event("oom", "f"), *first.events[1:]])
    assert normaliser.trace(parted) != normaliser.trace(first)


def test_how_runs_end() -> None:
    normaliser = Normaliser(DRAWS, (32,))
    assert normaliser.trace(Trace(value=-1, lock=1)).end == "return 0xffffffff lock=1 vma=0"
    assert normaliser.trace(Trace(end="never", lock=1)).end == "never"
    endless = normaliser.trace(Trace([Event("oom", "f")], end="endless"))
    assert endless == NormalTrace((), "endless")
    trace = normaliser.trace(Trace([Event("oom", "f")]))
    assert NormalTrace.of(trace.text) == trace
