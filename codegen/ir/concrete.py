# SPDX-License-Identifier: GPL-2.0-only
"""From terms to numbers: what a term is in a scenario, and what a path does there.

    term, scenario   --evaluate---->   4

A scenario gives numbers to names; a name that it does not give is 0. A symbol
has its own name, a call that of the function with the arguments' values:
`is_ttbr0_addr(0x1000)`. The address of an object is a number that depends on
its name only (`address_of`), and it prints as its name (`regs`, `&init_mm`,
`&regs->pc`). The simulators name everything the same way (targets/simulator).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from codegen.ir.operators import operate
from codegen.ir.terms import Term
from codegen.ir.trace import End, Event, EventKind, Path

_ORDINAL = re.compile(r"[#@]\d+")
_LONG = (1 << 64) - 1


def address_of(name: str) -> int:
    """The address of an object, a place or a string: distinct, not 0, the same in every run."""
    return 0xFFFF_8000_0000_0000 + (zlib.crc32(name.encode()) << 8)


@dataclass(frozen=True, slots=True)
class Value:
    """A number; `name` is how C writes it as the base of `->`, `address` whether it points."""

    number: int
    name: str | None = None
    address: bool = False

    @property
    def as_argument(self) -> str:
        """How it prints among the arguments of a call's name."""
        return self.name if self.address and self.name is not None else f"{self.number:#x}"

    @property
    def as_base(self) -> str:
        """How it prints before `->`."""
        return self.name if self.name is not None else f"{self.number:#x}"


class Evaluator:
    """Terms in one scenario; every term is worked out once."""

    def __init__(self, scenario: Mapping[str, int]) -> None:
        self.scenario = scenario
        self._numbers: dict[Term, int] = {}
        self._names: dict[Term, str] = {}
        self._leaves: dict[Term, frozenset[str]] = {}

    def number(self, term: Term) -> int:
        """The term's value, unsigned, of the term's width."""
        found = self._numbers.get(term)
        if found is None:
            found = self._numbers[term] = self._work_out(term)
        return found

    def value(self, term: Term) -> Value:
        """The term's value, with its name where it has one."""
        number = self.number(term)
        match term.op:
            case "sym" | "call":
                return Value(number, self.name(term))
            case "object" | "text":
                return Value(number, str(term.payload), address=True)
            case "field" | "index" | "local":
                return Value(number, f"&{self.place(term)}", address=True)
            case "ite":
                return self.value(term.args[1 if self.number(term.args[0]) else 2])
            case _:
                return Value(number)

    def name(self, term: Term) -> str:
        """The scenario's name for a symbol or a call."""
        if not term.args and term.op == "sym":
            return str(term.payload)
        found = self._names.get(term)
        if found is None:
            found = self._names[term] = self._spelt(term)
        return found

    def _spelt(self, term: Term) -> str:
        assert isinstance(term.payload, str)
        if term.op == "call":
            return f"{term.payload}({', '.join(self.value(a).as_argument for a in term.args)})"
        version = re.search(r"@\d+\Z", term.payload)
        return self.place(term.args[0]) + (version[0] if version else "")

    def names_in(self, term: Term) -> frozenset[str]:
        """The scenario's names that the term hangs on, its own among them."""
        found = self._leaves.get(term)
        if found is None:
            found = frozenset().union(*map(self.names_in, term.args))
            if term.op in ("sym", "call"):
                found |= {self.name(term)}
            self._leaves[term] = found
        return found

    def place(self, place: Term) -> str:
        """What is at an address, as C writes it: `regs->pc`, `init_mm.pgd`, `*ptr`."""
        match place.op:
            case "field":
                return self._inside(place.args[0], f".{place.payload}", f"->{place.payload}")
            case "index":
                shown = _index_text(self.number(place.args[1]))
                return self._inside(place.args[0], shown, shown)
            case "local":
                return str(place.payload[1])  # type: ignore[index]
            case _:
                value = self.value(place)
                if value.address and value.name is not None and value.name.startswith("&"):
                    return value.name[1:]
                return f"*{value.as_base}"

    def _inside(self, base: Term, of_place: str, of_pointer: str) -> str:
        value = self.value(base)
        if value.address and value.name is not None and value.name.startswith("&"):
            return value.name[1:] + of_place
        return value.as_base + of_pointer

    def _work_out(self, term: Term) -> int:
        op, args = term.op, term.args
        match op:
            case "int":
                return term.value
            case "sym" | "call":
                number = self.scenario.get(self.name(term), 0)
                # A bool is true for any number but 0.
                return int(number & _LONG != 0) if term.bits == 1 else number & _ones(term.bits)
            case "object" | "text":
                return address_of(str(term.payload))
            case "field" | "index" | "local":
                return address_of(f"&{self.place(term)}")
            case "ite":
                return self.number(args[1 if self.number(args[0]) else 2])
            case "land":
                return int(all(map(self.number, args)))
            case "lor":
                return int(any(map(self.number, args)))
            case _:
                return operate(op, [*map(self.number, args)], args[-1].bits, term.bits)


class Changed(Evaluator):
    """Another scenario, in which one name has another number."""

    def __init__(self, before: Evaluator, name: str, number: int) -> None:
        super().__init__({**before.scenario, name: number})
        self._before, self._changed = before, name

    def number(self, term: Term) -> int:
        """The term's value; what does not hang on the name is what it was."""
        found = self._numbers.get(term)
        if found is None:
            same = self._changed not in self._before.names_in(term)
            found = self._before.number(term) if same else self._work_out(term)
            self._numbers[term] = found
        return found

    def name(self, term: Term) -> str:
        """The name of a symbol or a call; its own number is no part of it."""
        if any(self._changed in self._before.names_in(a) for a in term.args):
            return super().name(term)
        return self._before.name(term)


def _ones(bits: int) -> int:
    return (1 << bits) - 1


def _index_text(number: int) -> str:
    if number > (1 << 64) - 4096:
        number -= 1 << 64
    return f"[{number}]" if number < 10 else f"[{number:#x}]"


def evaluate(term: Term, scenario: Mapping[str, int]) -> int:
    """What a term is in a scenario: an unsigned number of the term's width."""
    return Evaluator(scenario).number(term)


# ---- from a path to what it does in a scenario -----------------------------------

Arg = int | str


@dataclass(frozen=True, slots=True)
class ConcreteEvent:
    """One step in a scenario; an argument that is an address is given by its name."""

    kind: EventKind
    name: str
    args: tuple[Arg, ...]
    line: int
    file: str


@dataclass(frozen=True, slots=True)
class ConcreteTrace:
    """What a path does in a scenario; `value` is what it returns, unsigned."""

    events: tuple[ConcreteEvent, ...]
    end: End
    value: int | None
    lock: int
    passes: int


def concrete_trace(path: Path, scenario: Mapping[str, int]) -> ConcreteTrace:
    """The path's trace with every term worked out; a WARN() that does not fire is none."""
    evaluator = Evaluator(scenario)
    events = tuple(
        concrete_event(event, evaluator)
        for event in path.trace
        if event.parts != ("condition",) or evaluator.number(event.args[0])
    )
    value = None if path.value is None else evaluator.number(path.value)
    return ConcreteTrace(events, path.end, value, path.lock_depth, path.passes)


def concrete_event(event: Event, evaluator: Evaluator) -> ConcreteEvent:
    """One event worked out."""
    name, args = event.name, event.args
    if event.kind is EventKind.WRITE:
        name, args = _ORDINAL.sub("", evaluator.place(args[1])), args[:1]
    return ConcreteEvent(
        event.kind,
        name,
        tuple(concrete_argument(a, evaluator) for a in args),
        event.line,
        event.source.path,
    )


def concrete_argument(term: Term, evaluator: Evaluator) -> Arg:
    """A number, or the name of what an address points to."""
    value = evaluator.value(term)
    return value.name if value.address and value.name is not None else value.number
