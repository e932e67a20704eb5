# SPDX-License-Identifier: GPL-2.0-only
"""From terms to numbers: a scenario for a path, and what a term is in a scenario.

    facts of a path  --scenario_of-->  {"regs->ecr_cause": 4, "vma_found#1": 1}
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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from codegen.ir.solver import PathSolver, ResourceBound
from codegen.ir.terms import (
    Term,
    conjoin,
    disjoin,
    divide,
    equal,
    extend,
    integer,
    minus,
    negate,
    rebuild,
)
from codegen.ir.trace import End, Event, EventKind, Path

_ORDINAL = re.compile(r"[#@]\d+")
_LONG = (1 << 64) - 1
_MOST_ROUNDS = 12
_MOST_TRIES = 8


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
        self._values: dict[Term, Value] = {}

    def number(self, term: Term) -> int:
        """The term's value, unsigned, of the term's width."""
        return self.value(term).number

    def value(self, term: Term) -> Value:
        """The term's value, with its name where it has one."""
        found = self._values.get(term)
        if found is None:
            found = self._values[term] = self._work_out(term)
        return found

    def name(self, term: Term) -> str:
        """The scenario's name for a symbol or a call."""
        assert isinstance(term.payload, str)
        if term.op == "call":
            return f"{term.payload}({', '.join(self.value(a).as_argument for a in term.args)})"
        if not term.args:
            return term.payload
        version = re.search(r"@\d+\Z", term.payload)
        return self.place(term.args[0]) + (version[0] if version else "")

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

    def _work_out(self, term: Term) -> Value:
        match term.op:
            case "int":
                return Value(term.value)
            case "sym" | "call":
                name = self.name(term)
                number = self.scenario.get(name, 0)
                if term.bits == 1:
                    # A bool is true for any number but 0.
                    return Value(int(number & _LONG != 0), name)
                return Value(number & ((1 << term.bits) - 1), name)
            case "object" | "text":
                return _address(str(term.payload))
            case "field" | "index" | "local":
                return _address(f"&{self.place(term)}")
            case "ite":
                return self.value(term.args[1 if self.number(term.args[0]) else 2])
            case "land":
                return Value(int(all(self.number(a) for a in term.args)))
            case "lor":
                return Value(int(any(self.number(a) for a in term.args)))
        args = tuple(integer(self.number(a), a.bits) for a in term.args)
        return Value(_folded(term, args).value)


def _address(name: str) -> Value:
    return Value(address_of(name), name, address=True)


def _index_text(number: int) -> str:
    if number > (1 << 64) - 4096:
        number -= 1 << 64
    return f"[{number}]" if number < 10 else f"[{number:#x}]"


def _folded(term: Term, args: tuple[Term, ...]) -> Term:
    """An operator applied to constants; what C leaves open is as in SMT-LIB."""
    if term.op in ("udiv", "sdiv", "urem", "srem") and args[1].value == 0:
        if term.op in ("urem", "srem"):
            return args[0]
        negative = term.op == "sdiv" and args[0].value >> (term.bits - 1)
        return integer(1, term.bits) if negative else minus(integer(1, term.bits))
    if term.op in ("udiv", "sdiv", "urem", "srem"):
        return divide(term.op, *args)
    if term.op in ("zext", "sext", "trunc"):
        return extend(args[0], term.bits, term.op == "sext")
    return rebuild(term.op, args, term.bits, term.payload)


def evaluate(term: Term, scenario: Mapping[str, int]) -> int:
    """What a term is in a scenario: an unsigned number of the term's width."""
    return Evaluator(scenario).number(term)


# ---- from a path to a scenario -------------------------------------------------


def scenario_of(
    facts: Iterable[Term], solver: PathSolver, *terms: Term, shrink: bool = True
) -> dict[str, int]:
    """A scenario in which all `facts` hold, with as few and as small numbers as come easily.

    `terms` are further terms (a trace's arguments) whose names it gives as
    well. `shrink` may be off where niceness does not matter. Raises ValueError
    where the facts contradict each other, ResourceBound where the solver gives
    up or no scenario is found in a few rounds.
    """
    wanted_facts = [f for f in facts if not (f.is_constant and f.value)]
    extra: list[Term] = []
    leaves = _leaves([*wanted_facts, *terms])
    for _ in range(_MOST_ROUNDS):
        model = solver.model([*wanted_facts, *extra], leaves)
        if model is None:
            raise ValueError("no scenario: the facts contradict each other")
        scenario, clash = _named(leaves, model)
        if clash is not None:
            extra.append(clash)
            continue
        evaluator = Evaluator(scenario)
        broken = [f for f in wanted_facts if not evaluator.number(f)]
        if not broken:
            smaller = _shrunk(scenario, wanted_facts) if shrink else scenario
            return {name: number for name, number in smaller.items() if number}
        extra += [p for f in broken for p in _pinned(f, evaluator) if p not in extra]
    raise ResourceBound("no scenario found that gives every name one value")


def _leaves(terms: list[Term]) -> list[Term]:
    """Every symbol and call in the terms, what stands in an argument first."""
    found = {t for term in terms for t in term.walk() if t.op in ("sym", "call")}
    return sorted(found, key=lambda t: t.serial)


def _named(leaves: list[Term], model: dict[Term, int]) -> tuple[dict[str, int], Term | None]:
    """The model by names, or a fact that two terms of the same name are equal."""
    scenario: dict[str, int] = {}
    owner: dict[str, Term] = {}
    evaluator = Evaluator(scenario)
    for term in leaves:
        name, number = evaluator.name(term), model[term]
        other = owner.setdefault(name, term)
        if scenario.setdefault(name, number) != number:
            return scenario, _agree(term, other)
    return scenario, None


def _agree(a: Term, b: Term) -> Term:
    """Where the same place is read, or the same call made, the value is the same."""
    width = max(a.bits, b.bits)
    same = equal(extend(a, width, False), extend(b, width, False))
    if len(a.args) != len(b.args):
        return same
    for x, y in zip(a.args, b.args, strict=True):
        if x.bits == y.bits:
            same = disjoin(negate(equal(x, y)), same)
    return conjoin(same, _same_width(a, b))


def _same_width(a: Term, b: Term) -> Term:
    """Two reads of one name in two widths agree in the narrower one."""
    width = min(a.bits, b.bits)
    if a.bits == b.bits or width == 1:
        return integer(1, 1)
    return equal(extend(a, width, False), extend(b, width, False))


def _pinned(fact: Term, evaluator: Evaluator) -> list[Term]:
    """Facts that give the addresses in a fact the numbers that they really have."""
    addresses = [t for t in fact.walk() if t.op in ("object", "text", "local", "field", "index")]
    pinned = []
    for a in sorted(addresses, key=lambda t: t.serial):
        bases = [equal(b, integer(evaluator.number(b), b.bits)) for b in a.args]
        here = equal(a, integer(evaluator.number(a), 64))
        for base in bases:
            here = disjoin(negate(base), here)
        pinned.append(here)
    return pinned


def _shrunk(scenario: dict[str, int], facts: list[Term]) -> dict[str, int]:
    """The scenario with whatever can be 0, 1 or one bit set to that."""
    small, before = scenario, None
    while small != before:
        before = small
        small = _one_by_one(_together(small, facts), facts)
    return small


def _together(scenario: dict[str, int], facts: list[Term]) -> dict[str, int]:
    """The scenario with a number that stands in several places changed in all of them.

    `regs->pc` and `instruction_pointer(regs)` are equal, and what stands in the
    exception table is asked of the same number: `search_exception_tables(0x7000)`.
    """
    small = dict(scenario)
    for number in sorted({*scenario.values()}, reverse=True):
        word = re.compile(rf"\b{number:#x}\b")
        holding = [n for n, v in small.items() if v == number]
        named = [n for n in small if "(" in n and word.search(n)]
        if number < 2 or len(holding) + len(named) < 2:
            continue
        for other in (0, 1, 2, 4, 0x1000):
            if other >= number:
                break
            tried = {
                word.sub(f"{other:#x}", n) if n in named else n: other if v == number else v
                for n, v in small.items()
            }
            evaluator = Evaluator(tried)
            if len(tried) == len(small) and all(evaluator.number(f) for f in facts):
                small = tried
                break
    return small


def _one_by_one(scenario: dict[str, int], facts: list[Term]) -> dict[str, int]:
    """The scenario with smaller numbers, one name at a time."""
    touching: dict[str, list[Term]] = {name: [] for name in scenario}
    evaluator = Evaluator(scenario)
    for fact in facts:
        inside = list(fact.walk())
        calls = any(t.op == "call" or (t.op == "sym" and t.args) for t in inside)
        own = {evaluator.name(t) for t in inside if t.op in ("sym", "call")}
        for name in touching if calls else own:
            touching[name].append(fact)
    small = dict(scenario)
    again = True
    while again:
        # A name that got smaller may make room for one that came before it.
        again = False
        for name in sorted(scenario, reverse=True):
            for number in _smaller(small[name]):
                tried = _Changed(evaluator, name, number)
                wrong = next((f for f in touching[name] if not tried.number(f)), None)
                if wrong is None:
                    small[name], again = number, True
                    evaluator = Evaluator(dict(small))
                    break
                # What one number breaks the next one is likely to break, too.
                touching[name].remove(wrong)
                touching[name].insert(0, wrong)
    return _thinned(small, touching)


def _thinned(small: dict[str, int], touching: Mapping[str, list[Term]]) -> dict[str, int]:
    """The scenario with the bits left out that are not needed, one look at each.

    What several bits are asked of, one after the other, is not made of one.
    """
    for name in small:
        if small[name].bit_count() <= 2:
            continue
        for place in reversed(range(small[name].bit_length())):
            tried = {**small, name: small[name] & ~(1 << place)}
            evaluator = Evaluator(tried)
            if tried != small and all(evaluator.number(f) for f in touching[name]):
                small = tried
    return small


class _Changed(Evaluator):
    """Another scenario, in which one name has another number."""

    def __init__(self, before: Evaluator, name: str, number: int) -> None:
        super().__init__({**before.scenario, name: number})
        self._before, self._changed = before, name

    def value(self, term: Term) -> Value:
        """The term's value; what does not hang on the name is what it was."""
        found = self._values.get(term)
        if found is None:
            same = self._changed not in term.symbols() and _is_named_alike(term)
            found = self._before.value(term) if same else self._work_out(term)
            self._values[term] = found
        return found


@cache
def _is_named_alike(term: Term) -> bool:
    """Whether the names in a term are the same in every scenario."""
    if term.op == "call" or (term.op == "sym" and term.args):
        return False
    return all(map(_is_named_alike, term.args))


def _smaller(number: int) -> list[int]:
    """Nicer numbers to try in a number's place, the nicest first."""
    if number == 0:
        return []
    bits = [1 << i for i in range(number.bit_length())]
    own = [b for b in bits if number & b]
    tries = [0, 1, 2, 4, 0x1000, *own[:_MOST_TRIES], number & 0xFFF, number & ~0xFFF, 3, *bits]
    return [t for t in dict.fromkeys(tries) if t < number]


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
