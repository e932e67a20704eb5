# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios and traces in the one form in which the simulators and the native bench agree.

A scenario may be drawn from a seed: each name gets its number the first time
that somebody asks for it, and the number depends on the seed and the name
only, so that two programs that ask for the same names get the same numbers
(`Draws`, `Drawn`; the C side is in templates/native/world.c.j2).

A trace is lines of text (`NormalTrace`). Writes that no other event separates
have no order among them, and only the last one to a place counts; the address
of a variable is `&?` and a string `""`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b
from time import perf_counter
from typing import Any

from codegen.ir.nodes import Function, Global
from codegen.ir.program import Program, expressions_of

_MASK = (1 << 64) - 1
_MOST_PLANS = 1 << 14
# The pointers of a scenario lead into one region of memory, a page for each name.
ARENA = 0x5EED_0000_0000
SLOT_BITS = 12
SLOT_MASK = 0xFF_FFFF


class Kind(IntEnum):
    """What numbers a name is given."""

    WORD = 0
    BOOL = 1
    POINTER = 2
    VM_FLAGS = 3
    FAULT = 4
    ZERO = 5
    LIKELY = 6
    RARE = 7
    ADDRESS = 8  # an integer that is used as a pointer: never 0
    SMALL = 9  # an index, or the count of a shift
    OFFSET = 10  # what is added to a pointer of unknown type: whole words
    CODE = 11  # what is asked to be equal to something: few numbers, so that it is at times


OUTCOMES = (
    "",
    "",
    "",
    "VM_FAULT_OOM",
    "VM_FAULT_SIGBUS",
    "VM_FAULT_SIGSEGV",
    "VM_FAULT_HWPOISON",
    "VM_FAULT_HWPOISON_LARGE",
    "VM_FAULT_RETRY",
    "VM_FAULT_RETRY",
    "VM_FAULT_RETRY",
    "VM_FAULT_RETRY",
    "VM_FAULT_RETRY",
    "VM_FAULT_COMPLETED",
    "VM_FAULT_COMPLETED",
    "",
)
_EXTRA = ("VM_FAULT_MAJOR", "VM_FAULT_NOPAGE", "VM_FAULT_LOCKED", "VM_FAULT_DONE_COW")
ADDRESSES = (
    0,
    0x1000,
    0x2000,
    0x7000,
    0x4000_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xC000_0000,
    0xFFFF_F000,
    0x7FFF_FFFF_F000,
    0x8000_0000_0000,
    0xFFFF_0000_0000_0000,
    0xFFFF_FFFF_8000_0000,
    0xFFFF_FFFF_FFFF_F000,
    0x1234,
    0x4000_1008,
)
_WORLD = {
    "handle_mm_fault": Kind.FAULT,
    "vma_found": Kind.LIKELY,
    "vma_before_found": Kind.LIKELY,
    "stack_grown": Kind.LIKELY,
    "vma_read_locked": Kind.BOOL,
    "mmap_lock_contended": Kind.RARE,
    "killed_in_lock_wait": Kind.RARE,
    "signal_pending": Kind.RARE,
    "fatal_signal_pending": Kind.RARE,
    "user_mode": Kind.BOOL,
    "vm_flags": Kind.VM_FLAGS,
}


def name_hash(name: str) -> int:
    """The number of a name, 32 bits."""
    return zlib.crc32(name.encode("latin-1", "replace"))


def slot_address(name: str) -> int:
    """Where in the region the pointer of this name leads, or the object itself is."""
    return ARENA + ((name_hash(name) & SLOT_MASK) << SLOT_BITS)


def mixed(number: int) -> int:
    """64 bits that look random, from 64 that need not (the finaliser of splitmix64)."""
    number = (number ^ (number >> 30)) * 0xBF58_476D_1CE4_E5B9 & _MASK
    number = (number ^ (number >> 27)) * 0x94D0_49BB_1331_11EB & _MASK
    return number ^ (number >> 31)


@dataclass(frozen=True)
class Draws:
    """How names of one program are given numbers.

    `kinds` maps the last part of a name (a field, a variable, a function) to
    what it holds; `local_names` are the variables of the functions; `fixed` names
    have the same number in every scenario (what stands in case labels).
    """

    kinds: Mapping[str, Kind]
    local_names: frozenset[str]
    fixed: Mapping[str, int]
    pool: tuple[int, ...]
    outcomes: tuple[int, ...]
    extra: int
    index_mask: int
    large: int
    vm_flags: tuple[int, ...]
    _plans: dict[str, tuple[int, Kind, int | None]] = field(default_factory=dict, compare=False)

    def value(self, seed: int, name: str) -> int:
        """The number of a name in the scenario of a seed."""
        plan = self._plans.get(name)
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[name] = self._plan(name)
        crc, kind, fixed = plan
        if fixed is not None:
            return fixed
        # mixed(), written out: this is where a campaign spends its time.
        bits = crc + seed * 0x9E37_79B9_7F4A_7C15 & _MASK
        bits = (bits ^ (bits >> 30)) * 0xBF58_476D_1CE4_E5B9 & _MASK
        bits = (bits ^ (bits >> 27)) * 0x94D0_49BB_1331_11EB & _MASK
        bits ^= bits >> 31
        if kind is Kind.WORD:
            return self._word(bits)
        match kind:
            case Kind.BOOL:
                return bits & 1
            case Kind.LIKELY:
                return int(bits & 7 != 0)
            case Kind.RARE:
                return int(bits & 7 == 0)
            case Kind.POINTER:
                return ARENA + ((crc & SLOT_MASK) << SLOT_BITS) if bits & 7 else 0
            case Kind.ADDRESS:
                return ARENA + ((crc & SLOT_MASK) << SLOT_BITS)
            case Kind.SMALL:
                return bits >> 6 & 15
            case Kind.CODE:
                return bits >> 6 & 3 if bits & 0x30 else self._word(bits)
            case Kind.OFFSET:
                return (1 + (bits >> 6) % 15) * 8
            case Kind.VM_FLAGS:
                return self._vm_flags(bits)
            case Kind.FAULT:
                return self._fault(bits)
            case _:
                return 0

    def _plan(self, name: str) -> tuple[int, Kind, int | None]:
        """(the number of the name, what it holds, its number where that never changes)."""
        name = self.canonical(name)
        return name_hash(name), self.kind(name), self.fixed.get(name)

    def canonical(self, name: str) -> str:
        """The name as far as both sides know it: without strings and variables."""
        if '"' in name:
            name = _STRING.sub('""', name)
        if "&" in name and (found := self._address) is not None:
            name = found.sub("&?", name)
        if "@" in name and (match := _FETCHED.match(name)) and match[1] in self.local_names:
            name = f"?@{match[2]}"
        return name

    @property
    def _address(self) -> re.Pattern[str] | None:
        return _locals_pattern(self.local_names)

    def kind(self, name: str) -> Kind:
        """What a (canonical) name holds."""
        if name.startswith(("uninitialized ", "missing ")):
            return Kind.ZERO
        base = _VERSION.sub("", name)
        if base.startswith("*"):
            return Kind.WORD
        if base.endswith(")"):
            word = _VERSION.sub("", base[: base.index("(")])
        else:
            base = _INDEX.sub("", base)
            cut = max(base.rfind("->") + 2, base.rfind(".") + 1)
            word = base[cut:] if cut > 1 else base
        return self.kinds.get(word, Kind.WORD)

    def _word(self, bits: int) -> int:
        rest, way = bits >> 6, bits & 15
        if way < 3:
            return rest & 7
        if way < 5:
            return 1 << rest % 34
        if way in (6, 7):
            return ADDRESSES[rest % len(ADDRESSES)]
        pool = self.pool
        match way:
            case 5:
                return pool[rest % len(pool)]
            case 8:
                return _MASK
            case 9:
                return rest & 0xFF
            case 10:
                return rest & 0xFFFF_FFFF
            case 11:
                return mixed((bits + 1) & _MASK)
            case 12:
                return _MASK - (rest & 15)
            case 13:
                return (1 << rest % 64) - 1
            case 14:
                return 0
            case _:
                return pool[rest % len(pool)] | pool[(rest >> 8) % len(pool)]

    def _vm_flags(self, bits: int) -> int:
        rest = bits >> 6
        value = 0
        for position, flag in enumerate(self.vm_flags):
            if rest >> position & 1:
                value |= flag
        if bits & 15 == 0:
            value |= mixed((bits + 2) & _MASK)
        return value or 0x10

    def _fault(self, bits: int) -> int:
        rest = bits >> 6
        value = self.outcomes[bits & 15]
        if value and value == self.large:
            value |= (rest >> 16) & self.index_mask
        if bits & 0x30 == 0:
            value |= rest & self.extra
        return value


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_VERSION = re.compile(r"[@#]\d+\Z")
_INDEX = re.compile(r"(?:\[[^\]]*\])+\Z")
_FETCHED = re.compile(r"(\w+)(?:\.\d+)?@(\d+)\Z")
_ORDINAL = re.compile(r"[#@]\d+")
_PATTERNS: dict[frozenset[str], re.Pattern[str] | None] = {}


def _locals_pattern(names: frozenset[str]) -> re.Pattern[str] | None:
    """`&x`, and what is inside of x, for the variables x."""
    if names not in _PATTERNS:
        words = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
        text = rf"&(?:{words})(?![\w>-])(?:\.\w+|\[[^\]]*\])*" if names else None
        _PATTERNS[names] = re.compile(text) if text else None
    return _PATTERNS[names]


class Drawn(dict[str, int]):
    """The scenario of a seed; the names that somebody asked for are in it."""

    def __init__(self, seed: int, draws: Draws) -> None:
        super().__init__()
        self.seed, self.draws = seed, draws

    def __missing__(self, name: str) -> int:
        value = self[name] = self.draws.value(self.seed, name)
        return value

    def get(self, name: str, default: Any = 0) -> Any:  # noqa: ARG002
        """The number of any name at all."""
        if name in self:
            return self[name]
        value = self[name] = self.draws.value(self.seed, name)
        return value


def draws_for(
    program: Program,
    functions: Sequence[Function],
    kinds: Mapping[str, Kind] | None = None,
    fixed: Mapping[str, int] | None = None,
) -> Draws:
    """How the names of a program get numbers; `functions` are those that run.

    `kinds` and `fixed` are what is known besides the vocabulary.
    """
    constants, vocabulary = program.constants, program.vocabulary
    found: dict[str, Kind] = {}
    for name, ctype in {**vocabulary.results, **vocabulary.fields}.items():
        if ctype.boolean:
            found[name] = Kind.BOOL
        elif ctype.pointer:
            found[name] = Kind.POINTER
    found |= kinds or {}
    # What is known to be small in the symbolic machine's world is small here.
    found |= dict.fromkeys(vocabulary.bounds, Kind.SMALL)
    found |= _WORLD
    variables = {x.name.split(".")[0] for f in functions for x in (*f.params, *f.locals)}
    shared = {e.name for f in functions for e in expressions_of(f) if isinstance(e, Global)}
    flags = ("VM_READ", "VM_WRITE", "VM_EXEC", "VM_GROWSDOWN", "VM_SHARED", "VM_MAYREAD")
    extra = 0
    for name in _EXTRA:
        extra |= constants.get(name, 0)
    return Draws(
        found,
        frozenset(v for v in variables - shared if not v.startswith(("%", "."))),
        dict(fixed or {}),
        tuple(sorted({v & _MASK for v in constants.values()})),
        tuple(constants.get(n, 0) for n in OUTCOMES),
        extra,
        constants.get("VM_FAULT_HINDEX_MASK", 0),
        constants.get("VM_FAULT_HWPOISON_LARGE", 0),
        tuple(constants.get(n, 0) for n in flags),
    )


# ---- traces ----------------------------------------------------------------------


@dataclass(frozen=True)
class NormalTrace:
    """What a run did: a line for each event, and how it ended.

    `end` is `return VALUE lock=N vma=N`, `never`, `endless`, `impossible` (the
    scenario is none), `wild` (the compiled handler followed a pointer to
    nowhere) or `undefined` (C does not say what the shift or division gives);
    of the last four the events do not count.
    """

    events: tuple[str, ...]
    end: str

    @property
    def text(self) -> str:
        """One line for each event and one for the end."""
        return "\n".join((*self.events, self.end))

    @classmethod
    def of(cls, text: str) -> NormalTrace:
        """The trace that has this text."""
        *events, end = text.split("\n")
        return cls(tuple(events), end)


UNCOUNTED = ("endless", "impossible", "wild", "undefined")
# How a run may end that says nothing about the two sides.
NO_ANSWER = ("wild", "undefined")


@dataclass(frozen=True)
class Normaliser:
    """Traces of a simulator in the normal form; `bits` is the width of the entry's value."""

    draws: Draws
    bits: tuple[int, ...]
    _cache: dict[str, str] = field(default_factory=dict, compare=False)

    def trace(self, trace: Any, entry: int = 0) -> NormalTrace:
        """The normal form of a simulator's trace (or of anything with the same fields)."""
        if trace.end in UNCOUNTED:
            return NormalTrace((), str(trace.end))
        lines: list[str] = []
        writes: dict[str, str] = {}
        show = self._show
        for event in trace.events:
            if event.kind == "write":
                writes[event.name] = show(event.args[0])
                continue
            if writes:
                lines += sorted(f"write {n} = {v}" for n, v in writes.items())
                writes = {}
            lines.append(f"{event.kind} {event.name}({', '.join(map(show, event.args))})")
        lines += sorted(f"write {n} = {v}" for n, v in writes.items())
        if trace.end != "return":
            return NormalTrace(tuple(lines), str(trace.end))
        if trace.value is None:
            value = "void"
        else:
            value = f"{int(trace.value) & ((1 << self.bits[entry]) - 1):#x}"
        locks = f"lock={trace.lock} vma={int(trace.vma_locked)}"
        return NormalTrace(tuple(lines), f"return {value} {locks}")

    def _show(self, arg: int | str) -> str:
        if isinstance(arg, str):
            found = self._cache.get(arg)
            if found is None:
                found = self._cache[arg] = self.draws.canonical(arg)
            return found
        return f"{arg:#x}"


def normaliser_for(program: Program, entries: tuple[str, ...], draws: Draws) -> Normaliser:
    """The normaliser for the traces of a program that starts at `entries`."""
    return Normaliser(draws, tuple(program.functions[e].returns.bits or 64 for e in entries))


# ---- two sides on the same scenarios -----------------------------------------------


@dataclass(frozen=True)
class Disagreement:
    """One seed whose traces differ."""

    seed: int
    simulated: str
    native: str


@dataclass(frozen=True)
class Agreement:
    """What came of running both sides; `skipped` runs had no answer (`NO_ANSWER`)."""

    runs: int
    skipped: int
    disagreements: tuple[Disagreement, ...]
    native_seconds: float
    simulator_seconds: float

    @property
    def compared(self) -> int:
        """The runs that both sides finished."""
        return self.runs - self.skipped


def compare_runs(
    run_many: Callable[[int, int], list[str]],
    simulate: Callable[[Drawn], Any],
    impossible: type[Exception],
    normaliser: Normaliser,
    first: int,
    count: int,
    batch: int = 1000,
    seen: set[int] | None = None,
) -> Agreement:
    """Runs both sides on `count` scenarios from the seed `first` on.

    `run_many` is the bench's, `simulate` the simulator's, which raises
    `impossible` for a scenario that the kernel cannot be in. The seconds are
    what each side took, the normal form included. `seen` is given a number for
    each trace, so that one can tell how many different ones there were.
    """
    native = simulator = 0.0
    skipped = 0
    differing: list[Disagreement] = []
    for start in range(first, first + count, batch):
        size = min(batch, first + count - start)
        before = perf_counter()
        texts = run_many(start, size)
        middle = perf_counter()
        native += middle - before
        for seed, text in enumerate(texts, start):
            if text.rpartition("\n")[2] in NO_ANSWER:
                skipped += 1
                continue
            if seen is not None:
                seen.add(int.from_bytes(blake2b(text.encode(), digest_size=8).digest()))
            got = _simulated(simulate, impossible, normaliser, seed)
            if got != text:
                differing.append(Disagreement(seed, got, text))
        simulator += perf_counter() - middle
    return Agreement(count, skipped, tuple(differing), native, simulator)


def _simulated(
    simulate: Callable[[Drawn], Any],
    impossible: type[Exception],
    normaliser: Normaliser,
    seed: int,
) -> str:
    """The text of the simulator's trace under a seed."""
    scenario = Drawn(seed, normaliser.draws)
    try:
        trace = simulate(scenario)
    except impossible:
        return "impossible"
    last = len(normaliser.bits) - 1
    entry = min(scenario["entry"], last) if last else 0
    return normaliser.trace(trace, entry).text
