# SPDX-License-Identifier: GPL-2.0-only
"""What is compared, and what comes of it.

Side(program, "do_page_fault", mode, "arch/arc/mm/fault.c")
Comparison(EXPLAINED, (Difference(STALE_OUTCOME, "user", "no_vma", 98, {...}, ...),), 812, 3)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from codegen.frontend.nodes import Configuration
from codegen.ir.environment import ANSWERS
from codegen.ir.program import Program
from codegen.ir.terms import Term, symbol
from codegen.ir.trace import Event, EventKind
from codegen.ir.types import LONG_BITS
from codegen.targets.compare.runs import Runs


class DifferenceClass(StrEnum):
    """The closed list of the house plan, section 6; the values are part of the JSON contract."""

    UACCESS_LIVELOCK = "uaccess-livelock"
    STALE_OUTCOME = "stale-outcome"
    MISSING_CASE = "missing-case"
    SIGNAL_CODE = "signal-code"
    KERNEL_MODE_SIGNAL = "kernel-mode-signal"
    LOCK_BALANCE = "lock-balance"
    LOCK_WAIT = "lock-wait"
    ACCOUNTING = "accounting"
    FAST_PATH = "fast-path"
    FLAG_LOSS = "flag-loss"
    DROPPED_EFFECT = "dropped-effect"
    OOPS_REASON = "oops-reason"
    OTHER = "other"


DEFAULT_ACCEPTED = frozenset(
    {
        DifferenceClass.UACCESS_LIVELOCK,
        DifferenceClass.STALE_OUTCOME,
        DifferenceClass.MISSING_CASE,
        DifferenceClass.KERNEL_MODE_SIGNAL,
        DifferenceClass.LOCK_WAIT,
        DifferenceClass.FAST_PATH,
        DifferenceClass.ACCOUNTING,
        DifferenceClass.FLAG_LOSS,
        DifferenceClass.DROPPED_EFFECT,
        DifferenceClass.OOPS_REASON,
    }
)
"""What `convert` and one-argument `diff` accept unasked (interface.md, `--accept`)."""


class Verdict(StrEnum):
    """The answer for one pair; the values are part of the JSON contract."""

    EQUAL = "EQUAL"
    EXPLAINED = "EXPLAINED"
    DIFFERS = "DIFFERS"
    UNSUPPORTED = "UNSUPPORTED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Selection:
    """How `simulate` is told which program a Side is, where a file has several.

    `settings` are the macros to fix (`--configuration`), `entry` the number of
    the entry where a handler has more than one. `renamed` are src's names of
    parameters that go by another one here, `respelt` those of other things: a
    scenario speaks src's language.
    `function` is a routine of the file to start at, where it is not the handler.
    """

    settings: tuple[tuple[str, bool], ...] = ()
    entry: int | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    function: str | None = None
    respelt: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Side:
    """One program in one configuration, where it starts, and what user mode is in it.

    `mode` is the handler's own condition for user mode over the entry state
    (`codegen.tables.mode.find_mode`); None means `user_mode(regs)` itself.
    `per_vma_lock` is False in a configuration in which no VMA has a lock of
    its own: lock_vma_under_rcu() finds nothing there. `low_stack` is True where
    it is left to the program that no stack grows below FIRST_USER_ADDRESS.
    `configurations` are the settings that give rise to the program, none where
    there is only one. `handler` is the function that goes to the mm; "" is the entry itself.
    `numbers` are those that its headers give to names of the program's text.
    `runs` remembers what the program did in the worlds that it was run in.
    """

    program: Program
    entry: str
    mode: Term | None
    label: str
    per_vma_lock: bool = True
    selection: Selection = Selection()
    low_stack: bool = False
    configurations: tuple[Configuration, ...] = ()
    handler: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict, compare=False)
    runs: Runs = field(default_factory=Runs, compare=False, repr=False)

    @cached_property
    def known(self) -> Mapping[Term, int]:
        """The numbers, by the names as terms."""
        return {symbol(name, LONG_BITS): value for name, value in self.numbers.items()}


@dataclass(frozen=True)
class Renamed:
    """What src calls `old` seems to be called `new` in tgt; the lines where either is met."""

    old: str
    new: str
    src_line: int
    tgt_line: int


def size_of(scenario: Mapping[str, int]) -> tuple[int, int]:
    """(how many names, how many bits their numbers have) in a scenario."""
    return len(scenario), sum(v.bit_length() for v in scenario.values())


def in_order(scenario: Mapping[str, int]) -> dict[str, int]:
    """A scenario as it is read: the mode, what the registers and headers hold, pass by pass.

    The order in which the names were met hangs on what a process did before.
    """

    def place(name: str) -> tuple[object, ...]:
        asked = re.match(r"(\w+)#(\d+)", name)
        if asked is None:
            return 0, name != "user_mode(regs)", name.casefold(), name
        word, number = asked.groups()
        position = ANSWERS.index(word) if word in ANSWERS else len(ANSWERS)
        return int(number), position, word, name

    return {name: scenario[name] for name in sorted(scenario, key=place)}


@dataclass(frozen=True)
class Difference:
    """One difference with the smallest scenario that shows it.

    `mode` is `user` or `kernel`, `outcome` a word of interface.md or None,
    `line` where the two part, in src, `tgt_line` in tgt (None: tgt is no program).
    `causes` tells differences of one group apart: for each place where the two
    part what either does there; nothing where the explanation says it all.
    `also` are further differences of the class, mode and outcome that come of
    something else. `renamed` are the names that it all hangs on, where it is gone
    once they are taken for the same. `scenario` gives the names of the world
    their numbers; every name that it does not give is 0. `src` and `tgt` are
    the whole traces, `selections` how `simulate` finds either program again.
    `inside` is the routine of the file that was compared by itself, for a
    difference that is seen there. `hangs_on` are the macros that have to be set
    for it and that only one side's text tests, each with that side: they are its cause.
    """

    cls: DifferenceClass
    mode: str
    outcome: str | None
    line: int
    scenario: dict[str, int]
    src: tuple[Event, ...]
    tgt: tuple[Event, ...]
    explanation: str
    selections: tuple[Selection, Selection] = (Selection(), Selection())
    inside: str | None = None
    tgt_line: int | None = None
    causes: tuple[tuple[str, ...], ...] = ()
    also: tuple[Difference, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    hangs_on: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "scenario", in_order(self.scenario))

    @property
    def kind(self) -> tuple[DifferenceClass, str, str | None, str | None]:
        """Of the differences of one kind one is told: class, mode, outcome, and where it is."""
        return self.cls, self.mode, self.outcome, self.inside

    @property
    def size(self) -> tuple[int, int, int]:
        """How much a reader has to take in: faults, names, and how large the numbers are."""
        faults = sum(1 for e in self.src if e.kind is EventKind.FAULT)
        return (faults, *size_of(self.scenario))

    @property
    def text(self) -> tuple[tuple[str, int], ...]:
        """The scenario as it is told: what decides between two that are as small."""
        return tuple(self.scenario.items())

    def seen_in(self, src: Side, tgt: Side) -> Difference:
        """The same, known to have been seen between two programs."""
        return self.selected(src.selection, tgt.selection)

    def selected(self, src: Selection, tgt: Selection) -> Difference:
        """The same, and what stands beside it, known to be of what the simulators then run."""
        further = tuple(d.selected(src, tgt) for d in self.also)
        return replace(self, selections=(src, tgt), also=further)


def _told_by(d: Difference) -> str:
    """What makes two differences of a group the same: a class with a name of its own says it."""
    return d.explanation if d.cls is DifferenceClass.OTHER else str(d.cls)


def plainness(d: Difference) -> tuple[object, ...]:
    """The plainest first: one that asks for no macro to be set, with a small scenario.

    Of two that are as plain the text decides, not which was found first.
    """
    settings = tuple(s.settings for s in d.selections)
    asked = sum(on for _, on in settings[0])
    return asked, d.size, d.line, d.tgt_line or 0, d.text, d.explanation, d.causes, settings


def causes_of(differences: Iterable[Difference]) -> list[list[Difference]]:
    """For each class, mode and outcome the differences to tell of: the smallest of each cause,
    the smallest of all first.
    """
    groups: dict[object, list[Difference]] = {}
    for one in differences:
        for d in (replace(one, also=()) if one.also else one, *one.also):
            groups.setdefault(d.kind, []).append(d)
    out = []
    for alike in groups.values():
        told: list[Difference] = []
        known: set[str] = set()
        # Where several causes meet, either side's may be one that is told by itself.
        for d in sorted(alike, key=lambda d: (sum(map(len, d.causes)), *plainness(d))):
            places = d.causes or ((_told_by(d),),)
            if any(known.isdisjoint(place) for place in places):
                told.append(d)
            known.update(c for place in places for c in place)
        out.append(sorted(told, key=plainness))
    return out


def grouped(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """One difference per class, mode and outcome, the one with the smallest scenario.

    Others of the group that come of something else are found in its `also`, the
    smallest of each.
    """
    out = [replace(told[0], also=tuple(told[1:])) for told in causes_of(differences)]
    return tuple(sorted(out, key=lambda d: (d.cls, d.mode, d.line, d.outcome or "", d.text)))


@dataclass(frozen=True)
class Comparison:
    """The verdict, with the differences, the path pairs decided and the passes followed.

    `met` are the functions of the files that both sides go through or call, each
    with the mode (True for user mode) in which they do.
    """

    verdict: Verdict
    differences: tuple[Difference, ...]
    pairs: int
    passes: int
    notes: tuple[str, ...] = ()
    met: frozenset[tuple[bool, str]] = frozenset()
