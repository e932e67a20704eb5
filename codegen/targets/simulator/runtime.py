# SPDX-License-Identifier: GPL-2.0-only
"""What a simulator needs to run: C's integers, and a world that answers from a scenario.

This text is embedded in every simulator, less what that one does not use, so it
imports nothing but the standard library. A scenario gives numbers to names; a
name that it does not give is 0. Every answer of the mm has the number of the
lock's acquisition or of the fault that it belongs to: `vma_found#1` is 1 if the
first acquisition finds a VMA, `handle_mm_fault#2` is what the second call of
handle_mm_fault() returns.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

# ---- values ------------------------------------------------------------------


# How many places are remembered from run to run.
_KEPT = 1 << 12


class Word(int):
    """A C value that knows its name.

    `kind` is "object" for the address of an object (`regs`, `&init_mm`),
    "place" for one inside an object (`&regs->pc`), "local" for a variable's,
    "text" for a string's; "symbol" for a value that was read, "call" for one
    that a call gave, "constant" for a named number. `root` is the object that
    an address is in and `origin` its kind; `scope` tells the variables of two
    calls apart, `is_pointer` marks a value that C takes for a pointer,
    `is_address` one that prints by its name and not as a number.
    """

    name: str
    root: str
    kind = "symbol"
    origin = "symbol"
    scope = ""
    is_pointer = False
    is_address = False


def word(
    number: int, name: str, kind: str, root: str = "", origin: str = "", scope: str = ""
) -> Word:
    """A new Word; without a `root` it is one itself."""
    new = Word(number)
    new.name, new.kind, new.scope = name, kind, scope
    new.root, new.origin = root or name + scope, origin or kind
    new.is_address = kind in ("object", "place", "local", "text")
    return new


class Line(int):
    """A line of another file than the handler's own."""

    file: str


def line_of(file: str, number: int) -> Line:
    """Line `number` of `file`."""
    line = Line(number)
    line.file = file
    return line


def address_of(name: str) -> int:
    """Where something is: a number that depends on its name only."""
    return 0xFFFF_8000_0000_0000 + (zlib.crc32(name.encode()) << 8)


@lru_cache(maxsize=_KEPT)
def text(literal: str) -> int:
    """The address of a literal that C spells like this."""
    return word(address_of(literal), literal, "text")


def string(inside: str) -> int:
    """The address of a string, given as it stands between C's quotes."""
    return text(f'"{inside}"')


def pointer(value: int) -> int:
    """A value that C takes for a pointer: a call that gets it may write what it points to."""
    if not isinstance(value, Word):
        return value
    same = word(value, value.name, value.kind, value.root, value.origin, value.scope)
    same.is_pointer = True
    return same


def constant(number: int, name: str) -> int:
    """A number that a signal is recognised by."""
    return word(number, name, "constant")


# ---- C's integers --------------------------------------------------------------


def _keep(old: int, new: int) -> int:
    """A pointer that only changed its sign is still that pointer."""
    if not isinstance(old, Word):
        return new
    return word(new, old.name, old.kind, old.root, old.origin, old.scope)


def boolean(x: int) -> int:
    """C's conversion to `bool`."""
    return 1 if x else 0


def u8(x: int) -> int:
    """C's conversion to an unsigned type of 8 bits."""
    return x & 0xFF


def u16(x: int) -> int:
    """C's conversion to an unsigned type of 16 bits."""
    return x & 0xFFFF


def u32(x: int) -> int:
    """C's conversion to an unsigned type of 32 bits."""
    return x if 0 <= x <= 0xFFFF_FFFF else x & 0xFFFF_FFFF


def u64(x: int) -> int:
    """C's conversion to an unsigned type of 64 bits."""
    return x if 0 <= x <= 0xFFFF_FFFF_FFFF_FFFF else _keep(x, x & 0xFFFF_FFFF_FFFF_FFFF)


def s8(x: int) -> int:
    """C's conversion to a signed type of 8 bits."""
    return (x + 0x80 & 0xFF) - 0x80


def s16(x: int) -> int:
    """C's conversion to a signed type of 16 bits."""
    return (x + 0x8000 & 0xFFFF) - 0x8000


def s32(x: int) -> int:
    """C's conversion to a signed type of 32 bits."""
    if -0x8000_0000 <= x <= 0x7FFF_FFFF:
        return x
    return (x + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000


def s64(x: int) -> int:
    """C's conversion to a signed type of 64 bits."""
    if -0x8000_0000_0000_0000 <= x <= 0x7FFF_FFFF_FFFF_FFFF:
        return x
    return _keep(x, (x + 0x8000_0000_0000_0000 & 0xFFFF_FFFF_FFFF_FFFF) - 0x8000_0000_0000_0000)


def shift_left(x: int, count: int, bits: int) -> int:
    """`x << count`, not yet cut to its type; a count of the width or more leaves nothing."""
    return x << count if count < bits else 0


def shift_right(x: int, count: int, bits: int) -> int:
    """`x >> count`; a count of the width or more leaves nothing but the sign."""
    return x >> min(count, bits)


def divide(x: int, y: int) -> int:
    """`x / y`, towards zero; what C leaves open, `x / 0`, is all ones (or 1 if x is negative)."""
    if y == 0:
        return 1 if x < 0 else -1
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def remainder(x: int, y: int) -> int:
    """`x % y`, with the sign of `x`; `x % 0` is `x`."""
    return x - divide(x, y) * y if y else x


# ---- the trace -----------------------------------------------------------------

Arg = int | str


class Event(NamedTuple):
    """One observable step; an argument that is an address is given by its name."""

    kind: str
    name: str
    args: tuple[Arg, ...]
    line: int

    @property
    def where(self) -> str:
        """The C line, with the file where it is not the handler's own."""
        return f"{self.line.file}:{self.line}" if isinstance(self.line, Line) else f"{self.line}"


class Trace(NamedTuple):
    """What a run did.

    `end` is "return", "never" after a call that does not come back, or
    "endless" where the handler goes round and round. `value` is what the
    handler returned; `lock` how often the mmap lock is still held, negative if
    it was released too often; `vma_locked` whether the VMA's own lock is;
    `passes` counts the calls of handle_mm_fault().
    """

    events: tuple[Event, ...]
    end: str
    value: int | None
    lock: int
    vma_locked: bool
    passes: int


class Ended(Exception):
    """The run is over: what was called does not come back, or the handler never ends."""

    end = "never"


class Endless(Ended):
    """The handler goes round and round."""

    end = "endless"


class ScenarioError(Exception):
    """The scenario asks for what the kernel never does."""


# ---- the world -----------------------------------------------------------------

_ORDINAL = re.compile(r"[#@]\d+")
_SIGNAL_CODE = re.compile(r"(SEGV|BUS|ILL|FPE|TRAP)_")
_SIGNAL_NUMBER = re.compile(r"SIG[A-Z0-9]+\Z")
_KEPT_FIELD = re.compile(r"(?:->|\.)(?:mm|active_mm)\Z")
_LASTING_FIELD = re.compile(r"(?:->|\.)(?:mm|active_mm|vm_mm)\Z")
_MOST_TURNS = 1000


@lru_cache(maxsize=_KEPT)
def object_at(name: str) -> Word:
    """The address of an object: the same in every run."""
    return word(address_of(name), name, "object")


@lru_cache(maxsize=_KEPT)
def local_at(name: str, number: int) -> Word:
    """The address of a variable of the call that has this number."""
    return word(address_of(f"&{name}"), f"&{name}", "local", scope=f" {number}")


@lru_cache(maxsize=_KEPT)
def field_at(base: str, kind: str, root: str, origin: str, scope: str, path: str) -> Word:
    """The address `&base->path`, of a Word by its parts."""
    place = word(0, base, kind, root, origin, scope)
    for part in path.split("."):
        place = _inside(place, f".{part}", f"->{part}")
    return place


def _inside(base: Word, of_place: str, of_pointer: str) -> Word:
    """`of_place` follows the name of an object, `of_pointer` that of a pointer to it."""
    if base.is_address and base.name.startswith("&"):
        name = base.name + of_place
    else:
        name = f"&{base.name}{of_pointer}"
    return word(address_of(name), name, "place", base.root, base.origin, base.scope)


def _nameless(base: int) -> Word:
    """A number that is used as a pointer, by a name that says so."""
    number = f"{u64(base):#x}"
    return word(base, number, "number", number)


class World:
    """The mm, the memory and the rest of the kernel, as one scenario has them."""

    __slots__ = (
        "acquired",
        "epoch",
        "events",
        "faults",
        "lock_depth",
        "memory",
        "places",
        "retrying",
        "scenario",
        "scopes",
        "turns",
        "versions",
        "vma_locked",
    )

    def __init__(self, scenario: Mapping[str, int]) -> None:
        self.scenario = scenario
        self.events: list[Event] = []
        self.memory: dict[str, int] = {}
        self.places: dict[str, Word] = {}
        self.versions: dict[str, int] = {}
        self.acquired = self.faults = self.epoch = 0
        self.lock_depth = self.scopes = self.turns = 0
        self.vma_locked = False
        self.retrying = False

    def event(self, kind: str, name: str, args: tuple[int, ...], line: int) -> None:
        """Notes one step; numbers stay numbers, addresses become names."""
        shown = [a.name if isinstance(a, Word) and a.is_address else a for a in args]
        self.events.append(Event(kind, name, tuple(shown), line))

    def turn(self) -> None:
        """Counts the turns of the loops, to know a handler that never ends."""
        self.turns += 1
        if self.turns > _MOST_TURNS:
            raise Endless

    # -- memory --

    @property
    def current(self) -> int:
        """The task that runs."""
        return object_at("current")

    def __getitem__(self, name: str) -> int:
        """The value of a variable or of a header's macro."""
        written = self.memory.get(f"&{name}")
        return self.symbol(name) if written is None else written

    def object(self, name: str) -> int:
        """The address of something that is there: `regs`, `current`, `&init_mm`."""
        return object_at(name)

    def number(self, name: str) -> int:
        """The number that the scenario gives to a name."""
        return self.scenario.get(name, 0) & 0xFFFF_FFFF_FFFF_FFFF

    def symbol(self, name: str) -> int:
        """What the scenario says of a name."""
        new = Word(self.scenario.get(name, 0) & 0xFFFF_FFFF_FFFF_FFFF)
        new.name = new.root = name
        return new

    def local(self, name: str) -> int:
        """The address of a new variable of the function at hand."""
        self.scopes += 1
        return local_at(name, self.scopes)

    def field(self, base: int, name: str) -> int:
        """The address `&base->name`; `name` may have dots."""
        if not isinstance(base, Word) or base.kind == "constant":
            base = _nameless(base)
        return field_at(base.name, base.kind, base.root, base.origin, base.scope, name)

    def index(self, base: int, index: int) -> int:
        """The address `&base[index]`."""
        number = u64(index)
        if number > 0xFFFF_FFFF_FFFF_F000:
            number -= 0x1_0000_0000_0000_0000
        shown = f"[{number}]" if number < 10 else f"[{number:#x}]"
        if not isinstance(base, Word) or base.kind == "constant":
            base = _nameless(base)
        return _inside(base, shown, shown)

    def get(self, base: int, name: str) -> int:
        """`base->name`."""
        return self.load(self.field(base, name))

    def load(self, place: int) -> int:
        """What is at an address; what nobody wrote there is the scenario's."""
        written = self.memory.get(_key(place)) if self.memory else None
        return self._initial(place) if written is None else written

    def _initial(self, place: int) -> int:
        name = _place_text(place)
        if not isinstance(place, Word) or place.kind == "object":
            return self.symbol(name)
        if place.kind == "local":
            return self.symbol(f"uninitialized {name}")
        version = self.versions.get(place.root, 0) if self.versions else 0
        if version and not _LASTING_FIELD.search(name):
            name = f"{name}@{version}"
        return self.symbol(name)

    def set(self, base: int, name: str, value: int, line: int) -> None:
        """`base->name = value`."""
        self.store(self.field(base, name), value, line)

    def store(self, place: int, value: int, line: int) -> None:
        """Writes to an address; a step of the trace unless it is a local variable's."""
        self.assign(place, value)
        if not (isinstance(place, Word) and place.scope):
            self.event("write", _ORDINAL.sub("", _place_text(place)), (value,), line)

    def assign(self, place: int, value: int) -> None:
        """Writes without leaving a trace: what the kernel itself puts there."""
        key = _key(place)
        self.memory[key] = value
        if isinstance(place, Word):
            self.places[key] = place

    def fetched(self, place: int) -> int:
        """What a macro such as get_user() put into its first argument."""
        return self.symbol(f"{_ORDINAL.sub('', _place_text(place))}@{self.epoch}")

    def _forget(self, args: tuple[int, ...]) -> None:
        """Forgets what the call may have written: the objects whose address it got."""
        for arg in args:
            if not isinstance(arg, Word) or arg.root.startswith("vma#"):
                continue
            if arg.scope:
                name = arg.root.removeprefix("&").removesuffix(arg.scope)
                self.memory[arg.root] = self.symbol(f"{name}@{self.epoch}")
                continue
            if arg.origin not in ("object", "symbol") or not (arg.is_address or arg.is_pointer):
                continue
            self.versions[arg.root] = self.versions.get(arg.root, 0) + 1
            for key in [k for k, p in self.places.items() if p.root == arg.root != k]:
                if not _KEPT_FIELD.search(key):
                    del self.memory[key], self.places[key]

    # -- calls --

    def pure(self, name: str, *args: int) -> int:
        """A call that only reads: the same value for the same arguments."""
        version = 0
        if self.versions:
            roots = [a.root for a in args if isinstance(a, Word)]
            version = max([self.versions.get(root, 0) for root in roots], default=0)
        return self.answer(f"{name}@{version}" if version else name, args)

    def answer(self, name: str, args: tuple[int, ...]) -> int:
        """What the scenario says of a call."""
        shown = [a.name if isinstance(a, Word) and a.is_address else hex(a) for a in args]
        called = f"{name}({', '.join(shown)})"
        new = Word(self.scenario.get(called, 0) & 0xFFFF_FFFF_FFFF_FFFF)
        new.name = new.root = called
        new.kind = new.origin = "call"
        return new

    def result(self, name: str, *args: int) -> int:
        """What a call with an effect gives; it depends on what happened before."""
        return self.answer(f"{name}@{self.epoch}" if self.epoch else name, args)

    def call(self, name: str, *args: int, line: int) -> int:
        """A call that nobody knows: a signal by its shape, else a step that may write."""
        parts = _signal_shape(args)
        if parts is not None:
            self.event("signal", name, parts, line)
            return self.result(name, *args)
        self.event("call", name, args, line)
        self.epoch += 1
        value = self.result(name, *args)
        self._forget(args)
        return value

    def effect(self, name: str, *args: int, line: int) -> int:
        """A step of the trace that writes nothing which the handler sees."""
        self.event("call", name, args, line)
        return self.result(name, *args)

    def opaque(self, name: str, *args: int, writes: bool = False, line: int) -> int:
        """One of the file's own functions that has no part in the handler's story."""
        return self._own("call", name, args, writes, line)

    def routine(self, name: str, *args: int, writes: bool = False, line: int) -> int:
        """One of the file's own functions that leads to the exception table or the oops."""
        return self._own("kernel", name, args, writes, line)

    def _own(self, kind: str, name: str, args: tuple[int, ...], writes: bool, line: int) -> int:
        self.event(kind, name, args, line)
        value = self.result(name, *args)
        if writes:
            self._forget(args)
        return value

    def fresh(self, name: str, *args: int) -> int:
        """A counter or a register: a new value each time."""
        self.epoch += 1
        return self.result(name, *args)

    def warn(self, name: str, condition: int, line: int) -> int:
        """WARN() and its like: a step where the condition holds."""
        if condition:
            self.event("call", name, (1,), line)
        return boolean(condition)

    def account(self, name: str, *args: int, line: int) -> None:
        """A perf event or a counter of faults."""
        self.event("accounting", name, args, line)

    def oom(self, name: str, line: int) -> None:
        """The fault ends in the hands of the OOM killer."""
        self.event("oom", name, (), line)

    def signal(
        self,
        name: str,
        signo: int | None = None,
        code: int | None = None,
        addr: int | None = None,
        lsb: int | None = None,
        pkey: int | None = None,
        *,
        result: int = 0,
        line: int,
    ) -> int:
        """A signal is sent to the task; `result` is what sending it gives."""
        parts = tuple(p for p in (signo, code, addr, lsb, pkey) if p is not None)
        self.event("signal", name, parts, line)
        return result

    def signal_info(self, name: str, *args: int, line: int) -> int:
        """A signal is sent whose parts stand in a siginfo."""
        parts: dict[str, int] = {}
        for arg in args:
            for part in ("si_signo", "si_code", "si_addr", "si_addr_lsb"):
                if isinstance(arg, Word) and _key(self.field(arg, part)) in self.memory:
                    parts[part] = self.get(arg, part)
            if isinstance(arg, Word) and _SIGNAL_NUMBER.match(arg.name):
                parts.setdefault("si_signo", arg)
        self.event("signal", name, tuple(parts.values()), line)
        return self.result(name, *args)

    def kernel(self, name: str, *args: int, line: int) -> int:
        """The exception table's fixup, or a step of the oops that comes back."""
        self.event("kernel", name, args, line)
        self.epoch += 1
        value = self.result(name, *args)
        self._forget(args)
        return value

    def die(self, name: str, *args: int, line: int) -> Ended:
        """The oops; it does not come back, so what it gives is to be raised."""
        self.event("kernel", name, args, line)
        return Ended(name)

    def die_if_kernel(self, name: str, *args: int, line: int) -> None:
        """The oops, from kernel mode only."""
        self.event("kernel", name, args, line)
        if not self.user_mode():
            raise Ended(name)

    def bug(self, name: str, line: int) -> Ended:
        """BUG() or panic(); what it gives is to be raised."""
        self.event("bug", name, (), line)
        return Ended(name)

    # -- what the task and the mm say --

    def user_mode(self) -> bool:
        """Whether the fault comes from user mode."""
        return self.number("user_mode(regs)") != 0

    def signal_pending(self) -> int:
        """Whether a signal is pending since the last fault; a fatal one is."""
        name = f"signal_pending#{self.faults}"
        return boolean(self.number(name) or self.fatal_signal_pending())

    def fatal_signal_pending(self) -> int:
        """Whether a fatal signal is pending since the last fault."""
        return boolean(self.number(f"fatal_signal_pending#{self.faults}"))

    def _acquire(self, line: int) -> None:
        self.acquired += 1
        self.lock_depth += 1
        self.event("lock", "mmap_lock", (), line)

    def lock(self, line: int) -> None:
        """Takes the mmap lock, however long it takes."""
        self._acquire(line)

    def trylock(self, line: int) -> int:
        """Takes the mmap lock if nobody else has it."""
        if self.number(f"mmap_lock_contended#{self.acquired + 1}"):
            self.event("lock-wait", "mmap_lock", (), line)
            return 0
        self._acquire(line)
        return 1

    def lock_killable(self, line: int) -> int:
        """Takes the mmap lock, or gives -EINTR if the task is killed meanwhile."""
        if self.number(f"killed_in_lock_wait#{self.acquired + 1}"):
            return -4
        self._acquire(line)
        return 0

    def unlock(self, name: str, line: int) -> None:
        """Releases the mmap lock."""
        self.lock_depth -= 1
        self.event("unlock", name, (), line)

    def lock_vma(self, name: str, line: int) -> int:
        """Finds a VMA that covers the address and takes its own lock, or gives NULL."""
        if not self.number(f"vma_read_locked#{self.acquired + 1}"):
            return 0
        self.acquired += 1
        self.vma_locked = True
        self.event("vma-lock", name, (), line)
        return self._vma()

    def unlock_vma(self, name: str, line: int) -> None:
        """Releases the VMA's own lock; where it is not held (RETRY aside), that is one too many."""
        if not self.vma_locked and not self.retrying:
            self.lock_depth -= 1
        self.vma_locked = False
        self.event("vma-unlock", name, (), line)

    def _vma(self) -> int:
        return self.object(f"vma#{self.acquired}")

    def lock_and_find_vma(self, regs: int, line: int) -> int:
        """Takes the mmap lock and finds a VMA that covers the address, or gives NULL, unlocked."""
        ordinal = self.acquired + 1
        if self.number(f"mmap_lock_contended#{ordinal}"):
            pointer = self.answer("instruction_pointer", (regs,))
            entry = self.answer("search_exception_tables", (pointer,))
            may_wait = self.user_mode() or entry
            if not may_wait or self.number(f"killed_in_lock_wait#{ordinal}"):
                self.acquired += 1
                self.event("lock-wait", "mmap_lock", (), line)
                return 0
        if not self.number(f"vma_found#{ordinal}"):
            self.acquired += 1
            return 0
        self._acquire(line)
        return self._vma()

    def find_vma(self) -> int:
        """The first VMA that ends above the address, or NULL."""
        return self._vma() if self.number(f"vma_found#{self.acquired}") else 0

    def find_vma_prev(self, before: int) -> int:
        """The same; the VMA below it is written to `before`."""
        found = self.number(f"vma_before_found#{self.acquired}")
        self.assign(before, self.object(f"vma_before#{self.acquired}") if found else 0)
        return self.find_vma()

    def expand_stack(self, name: str, target: int, line: int) -> int:
        """Grows the stack: given a VMA 0 or -ENOMEM; given the mm a VMA, or NULL, unlocked."""
        grown = self.number(f"stack_grown#{self.acquired}")
        by_vma = isinstance(target, Word) and target.name.startswith("vma")
        if by_vma or name != "expand_stack":
            return 0 if grown else -12
        if grown:
            return self._vma()
        self.unlock(name, line)
        return 0

    def handle_mm_fault(self, name: str, address: int, flags: int, line: int) -> int:
        """What the mm makes of the fault; RETRY and COMPLETED come with the lock released."""
        self.faults += 1
        self.epoch += 1
        self.event("handle_mm_fault", name, (address, flags), line)
        answer = u32(self.number(f"handle_mm_fault#{self.faults}"))
        self._check_fault(answer, flags)
        retry, completed = answer & FAULT["VM_FAULT_RETRY"], answer & FAULT["VM_FAULT_COMPLETED"]
        self.retrying = retry != 0
        if completed or (retry and not flags & FAULT["FAULT_FLAG_RETRY_NOWAIT"]):
            if self.vma_locked:
                self.vma_locked = False
            else:
                self.lock_depth -= 1
        return answer

    def _check_fault(self, answer: int, flags: int) -> None:
        """One outcome at a time, and RETRY only where it is allowed."""
        name = f"handle_mm_fault#{self.faults}"
        outcomes = [outcome for outcome, bits in OUTCOMES if answer & bits]
        if len(outcomes) > 1:
            raise ScenarioError(f"{name} is both {outcomes[0]} and {outcomes[1]}")
        if outcomes == ["VM_FAULT_RETRY"] and not flags & FAULT["FAULT_FLAG_ALLOW_RETRY"]:
            reason = f"the flags, {flags:#x}, are without FAULT_FLAG_ALLOW_RETRY"
            raise ScenarioError(f"{name} is VM_FAULT_RETRY, but {reason}")

    def trace(self, end: str, value: int | None) -> Trace:
        """What has happened, now that the run is over."""
        events = tuple(self.events)
        return Trace(events, end, value, self.lock_depth, self.vma_locked, self.faults)


def _key(place: int) -> str:
    return place.name + place.scope if isinstance(place, Word) else f"{u64(place):#x}"


def _place_text(place: int) -> str:
    """What is at an address, as C writes it."""
    if not isinstance(place, Word):
        return f"*{u64(place):#x}"
    if place.is_address and place.name.startswith("&"):
        return place.name[1:]
    return f"*{place.name}"


def _signal_shape(args: tuple[int, ...]) -> tuple[int, ...] | None:
    """A signal known by its shape: `do_trap(regs, SIGSEGV, SEGV_MAPERR, address)`.

    It gives signo, code and, if there is one, the address: the argument behind
    the code that is neither the number nor a string.
    """
    names = [a.name if isinstance(a, Word) and a.kind == "constant" else "" for a in args]
    codes = [i for i, n in enumerate(names) if _SIGNAL_CODE.match(n)]
    numbers = [i for i, n in enumerate(names) if _SIGNAL_NUMBER.match(n)]
    if not codes or not (numbers or names[codes[0]].startswith("BUS_")):
        return None
    signo = args[numbers[0]] if numbers else constant(7, "SIGBUS")
    for i in range(codes[0] + 1, len(args)):
        arg = args[i]
        if i not in numbers and not (isinstance(arg, Word) and arg.kind == "text"):
            return (signo, args[codes[0]], arg)
    return (signo, args[codes[0]])


# What handle_mm_fault() may say and be told; a simulator has the numbers of its own kernel.
FAULT = {
    "VM_FAULT_OOM": 0x1,
    "VM_FAULT_SIGBUS": 0x2,
    "VM_FAULT_SIGSEGV": 0x40,
    "VM_FAULT_HWPOISON": 0x10,
    "VM_FAULT_HWPOISON_LARGE": 0x20,
    "VM_FAULT_RETRY": 0x400,
    "VM_FAULT_COMPLETED": 0x4000,
    "FAULT_FLAG_ALLOW_RETRY": 0x4,
    "FAULT_FLAG_RETRY_NOWAIT": 0x8,
    "FAULT_FLAG_DEFAULT": 0x214,
    "FAULT_FLAG_WRITE": 0x1,
    "FAULT_FLAG_USER": 0x40,
}
OUTCOMES = [(n, bits) for n, bits in FAULT.items() if n.startswith("VM_FAULT_")]


def traces_of(
    simulate: Callable[[Mapping[str, int]], Trace], scenarios: Iterable[Mapping[str, int]]
) -> Iterator[Trace | None]:
    """The trace of each scenario; None for one that the kernel cannot be in."""
    for scenario in scenarios:
        try:
            yield simulate(scenario)
        except ScenarioError:
            yield None


# ---- the command line ------------------------------------------------------------


# A scenario says where a VMA lies, and that it has some flags, whether or not anybody looks.
_OF_A_VMA = re.compile(r"vma#\d+->vm_(flags|start|end)\Z")


class Asked(dict[str, int]):
    """A scenario that remembers which of its names a run asked for."""

    def __init__(self, scenario: Mapping[str, int]) -> None:
        super().__init__(scenario)
        self.asked: set[str] = set()

    def get(self, name: str, default: int = 0) -> int:  # type: ignore[override]
        """The number of a name."""
        self.asked.add(name)
        return super().get(name, default)

    def unused(self) -> list[str]:
        """The names that were given and never asked for; what only describes a VMA is none."""
        return [n for n in self if n not in self.asked and not _OF_A_VMA.match(n)]


def parse_scenario(words: list[str], constants: Mapping[str, int]) -> dict[str, int]:
    """NAME=VALUE arguments; a value is a number, a constant's name, or several with `|`.

    Raises ScenarioError for anything else, and for a world that cannot be.
    """
    scenario: dict[str, int] = {}
    for word in words:
        name, _, value = word.rpartition("=")
        if not name:
            raise ScenarioError(f"{word}: not NAME=VALUE")
        number = 0
        for part in value.split("|"):
            try:
                number |= constants[part] if part in constants else int(part, 0)
            except ValueError:
                raise ScenarioError(f"{word}: {part!r} is neither a number nor known") from None
        if not -(1 << 63) <= number < 1 << 64:
            raise ScenarioError(f"{word}: does not fit in 64 bits")
        if scenario.setdefault(name, number) != number:
            raise ScenarioError(f"{name} is given twice: {scenario[name]:#x} and {number:#x}")
    check_scenario(scenario)
    return scenario


def check_scenario(scenario: Mapping[str, int]) -> None:
    """Raises ScenarioError for numbers that contradict each other or the mm."""
    for name, number in scenario.items():
        world = _WORLD_NAME.fullmatch(name)
        if _VM_FLAGS.fullmatch(name) and number == 0:
            raise ScenarioError(f"{name} is 0, but a mapping has at least its VM_MAY* bits")
        if world is None and name != "user_mode(regs)":
            continue
        if world is not None and world[2] == "0":
            raise ScenarioError(f"{name}: locks and faults are counted from 1")
        if name.startswith("handle_mm_fault#"):
            outcomes = [outcome for outcome, bits in OUTCOMES if number & bits]
            if len(outcomes) > 1:
                raise ScenarioError(f"{name} is both {outcomes[0]} and {outcomes[1]}")
        elif number not in (0, 1):
            raise ScenarioError(f"{name} is {number:#x}, but it can only be 0 or 1")
        pending = name.removeprefix("fatal_")
        if number and pending != name and scenario.get(pending) == 0:
            raise ScenarioError(f"{name} is 1 and {pending} is 0, but a fatal signal is a signal")


_VM_FLAGS = re.compile(r"vma(?:_before)?#\d+->vm_flags")
_WORLD_NAME = re.compile(
    r"(handle_mm_fault|(?:fatal_)?signal_pending|vma_found|vma_before_found|vma_read_locked"
    r"|stack_grown|mmap_lock_contended|killed_in_lock_wait)#(\d+)"
)


def trace_table(trace: Trace) -> str:
    """The trace as a table: the C line, the kind of step, the step."""
    rows = [("line", "kind", "step")]
    rows += [(e.where, e.kind, _step(e)) for e in trace.events]
    endings = {"never": "does not come back", "endless": "goes round and round"}
    ending = endings.get(trace.end) or _returned(trace.value) + _locks(trace)
    rows.append(("", "end", ending))
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{a:>{wide[0]}}  {b:<{wide[1]}}  {c}".rstrip() + "\n" for a, b, c in rows)


def _step(event: Event) -> str:
    args = [_argument(a) for a in event.args]
    if event.kind == "handle_mm_fault":
        args[-1] = _flag_names(event.args[-1])
    if event.kind == "write":
        return f"{event.name} = {args[0]}"
    return f"{event.name}({', '.join(args)})"


# A value is shown by its name where that says more than the number would.
_LONGEST_NAME = 40


def _argument(arg: Arg) -> str:
    if isinstance(arg, Word) and (arg.kind == "constant" or 0 < len(arg.name) <= _LONGEST_NAME):
        return arg.name
    if isinstance(arg, str):
        return arg
    return str(arg) if 0 <= arg < 10 else f"{arg:#x}"


def _flag_names(flags: Arg) -> str:
    """FAULT_FLAG_DEFAULT|FAULT_FLAG_WRITE; what has no name as a number."""
    if isinstance(flags, str):
        return flags
    left, words = int(flags), []
    for name, bits in sorted(FAULT.items(), key=lambda flag: -flag[1].bit_count()):
        if name.startswith("FAULT_FLAG_") and bits and left & bits == bits:
            words.append(name)
            left &= ~bits
    if left or not words:
        words.append(_argument(left))
    return "|".join(words)


def _returned(value: int | None) -> str:
    return "returns" if value is None else f"returns {_argument(value)}"


def _locks(trace: Trace) -> str:
    if trace.lock > 0 or trace.vma_locked:
        return ", a lock still held"
    return ", a lock released too often" if trace.lock < 0 else ""


def run_command_line(
    words: list[str], constants: Mapping[str, int], simulate: Callable[[Mapping[str, int]], Trace]
) -> int:
    """Runs the scenario that NAME=VALUE arguments give, prints its trace, gives the exit code."""
    try:
        scenario = Asked(parse_scenario(words, constants))
        print(trace_table(simulate(scenario)), end="")
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return 2
    for name in scenario.unused():
        print(f"note: the run did not ask for {name}", file=sys.stderr)
    return 0
