# SPDX-License-Identifier: GPL-2.0-only
"""Deciding conditions over real bit-vectors, with z3.

`PathSolver` answers the two questions that the machine and the comparison ask:
can this condition hold together with these facts, and what is an example. Most
questions never reach z3: a condition that is a fact, or the negation of one,
is decided by identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, reduce
from itertools import islice
from typing import Any

from codegen.ir.mend import numbers_near
from codegen.ir.operators import operate
from codegen.ir.terms import Term, negate, order_of

OPAQUE = frozenset({"sym", "call", "object", "field", "index", "text", "local"})
MAX_EXAMPLES = 48
# How many of them are tried to repair, of how many broken facts, and how often each; and
# how many changes that break another fact are followed by one that mends it.
MAX_BASES = 2
MAX_REPAIRS = 6
MAX_TRIES = 24
MAX_CLOSE = 6
MAX_DEPTH = 8


class ResourceBound(Exception):
    """The solver gave up; the question is open, and the verdict UNKNOWN."""


def related(condition: Term, facts: tuple[Term, ...]) -> tuple[Term, ...]:
    """The facts that share a name with the condition, or with a fact that does, in order.

    The name of an object that only stands where a field or a function is
    asked for (`regs` in `user_mode(regs)`) ties nothing together: objects are
    all different, so each part of the facts may choose their addresses alike.
    """
    names = set(condition.links())
    chosen: set[Term] = set()
    rest = list(facts)
    while True:
        left = []
        for fact in rest:
            links = fact.links()
            if links and names.isdisjoint(links):
                left.append(fact)
            else:
                chosen.add(fact)
                names |= links
        if len(left) == len(rest):
            break
        rest = left
    return tuple(f for f in facts if f in chosen)


class Example:
    """An assignment that some facts held under; it often answers the next question too.

    Symbols and uninterpreted calls have the values of z3's model, keyed by
    their arguments' values so that equal arguments give equal results; what
    the model did not speak of is 0.
    """

    def __init__(self) -> None:
        self._opaque: dict[tuple[object, ...], int] = {}
        self._values: dict[Term, int] = {}
        # The assignment that it was made from: whatever the name is not in is the same there.
        self._like: tuple[Example, str] | None = None
        self._depth = 0

    def learn(self, term: Term, value: int) -> None:
        """Gives an opaque term, whose arguments are known already, a value."""
        self._opaque[self._key(term)] = value
        self._values[term] = value

    def changed(self, term: Term, value: int) -> Example:
        """Another assignment, in which an opaque term has another value."""
        other = Example()
        other._opaque = dict(self._opaque)
        other._opaque[self._key(term)] = value
        if self._depth < MAX_DEPTH:
            other._like, other._depth = (self, str(term.payload)), self._depth + 1
        return other

    def _key(self, term: Term) -> tuple[object, ...]:
        return (term.op, term.payload, term.bits, *map(self.value, term.args))

    def value(self, term: Term) -> int:
        """The term's value, unsigned."""
        value = self._values.get(term)
        if value is not None:
            return value
        op, args = term.op, term.args
        if op == "int":
            value = term.value
        elif self._like is not None and self._like[1] not in term.symbols():
            value = self._like[0].value(term)
        elif op in OPAQUE:
            value = self._opaque.setdefault(self._key(term), 0)
        elif op in ("land", "ite"):
            # Only what decides is worked out.
            chosen = 1 if self.value(args[0]) else 2
            value = self.value(args[chosen]) if chosen < len(args) else 0
        elif op == "lor":
            value = 1 if self.value(args[0]) else self.value(args[1])
        else:
            value = operate(op, [*map(self.value, args)], args[-1].bits, term.bits)
        self._values[term] = value
        return value


def _near(fact: Term, example: Example) -> Iterator[tuple[str, Example]]:
    """Assignments like `example`, one name of the fact changed to what may make it hold."""
    inside = list(fact.walk())
    numbers = sorted({t.value for t in inside if t.op == "int"})
    for term in inside:
        if term.op not in ("sym", "call"):
            continue
        name, before = str(term.payload), example.value(term)
        if term.bits == 1:
            yield name, example.changed(term, 1 - before)
            continue
        ones = (1 << term.bits) - 1
        others = [example.value(t) for t in inside if t.bits == term.bits]
        tries = numbers_near(before, numbers, others)
        for value in dict.fromkeys(n & ones for n in (*tries, before ^ 1, 0, ones)):
            if value != before:
                yield name, example.changed(term, value)


def _repaired(facts: list[Term], examples: list[Example]) -> Example | None:
    """An assignment under which all facts hold, found by changing one that nearly does."""
    bases = examples[:MAX_BASES]
    broken = [[f for f in facts if not e.value(f)] for e in bases]
    for position in sorted(range(len(bases)), key=lambda i: len(broken[i])):
        found: Example | None = bases[position]
        wrong = broken[position]
        if len(wrong) > MAX_REPAIRS:
            break
        while found is not None and wrong:
            found, wrong = _nearer(facts, found, wrong, further=True)
        if found is not None:
            return found
    return None


def _nearer(
    facts: list[Term], example: Example, wrong: list[Term], further: bool = False
) -> tuple[Example | None, list[Term]]:
    """An assignment under which fewer facts are wrong, the first one not among them.

    Where one change breaks one other fact, and `further` says so, a second one may mend it.
    """
    close: list[tuple[Example, list[Term]]] = []
    for name, tried in islice(_near(wrong[0], example), MAX_TRIES):
        if not tried.value(wrong[0]):
            continue
        # What the name is not in is what it was.
        left = [f for f in wrong if name not in f.symbols()]
        most = len(wrong) + (1 if further else 0)
        for fact in facts:
            if name in fact.symbols() and not tried.value(fact):
                left.append(fact)
                if len(left) >= most:
                    break
        else:
            if len(left) < len(wrong):
                return tried, left
            close.append((tried, left))
    for tried, left in close[:MAX_CLOSE]:
        again, rest = _nearer(facts, tried, [left[-1], *left[:-1]])
        if again is not None and len(rest) < len(wrong) and wrong[0] not in rest:
            return again, rest
    return None, wrong


class PathSolver:
    """A z3 context shared by every question about one handler (or one pair).

    `timeout_ms` bounds one question; running into it raises ResourceBound.
    """

    def __init__(self, timeout_ms: int = 10_000) -> None:
        import z3

        self._z3 = z3
        self._translated: dict[Term, Any] = {}
        self._functions: dict[tuple[object, ...], Any] = {}
        self._solver = z3.SolverFor("QF_UFBV")
        self._solver.set("timeout", timeout_ms)
        self._stack: list[Term] = []
        self._witnesses: dict[frozenset[Term], Example | None] = {}
        self._examples: list[Example] = []
        # What the smallest scenarios of facts are, and small ones if any, for `smallest.py`.
        self.smallest: dict[frozenset[Term], dict[str, int]] = {}
        self.small: dict[frozenset[Term], dict[str, int] | None] = {}
        self.questions = 0

    @cached_property
    def aside(self) -> PathSolver:
        """Another solver of the same terms, for questions that have nothing to do with a path."""
        aside = PathSolver()
        aside._translated, aside._functions = self._translated, self._functions
        return aside

    # -- questions -----------------------------------------------------------

    def possible(self, facts: Iterable[Term]) -> bool:
        """Whether all facts can hold at once."""
        return self._witness(list(facts)) is not None

    def _witness(self, wanted: list[Term]) -> Example | None:
        """An assignment under which all facts hold, the same one whenever they are asked for."""
        key = frozenset(wanted)
        if key in self._witnesses:
            return self._witnesses[key]
        # What was asked last is likeliest to be what an assignment does not meet.
        asked = wanted[::-1]
        found = next((e for e in self._examples if all(map(e.value, asked))), None)
        if found is None:
            found = _repaired(wanted, self._examples)
            if found is None and self._check(wanted):
                found = self._example(wanted)
            if found is not None:
                self._examples.insert(0, found)
                del self._examples[MAX_EXAMPLES:]
        self._witnesses[key] = found
        return found

    def _example(self, facts: list[Term]) -> Example:
        """z3's model of the facts that were just found possible."""
        found = self._solver.model()
        example = Example()
        opaque = dict.fromkeys(t for f in facts for t in f.walk() if t.op in OPAQUE)
        for term in sorted(opaque, key=order_of):
            value = found.eval(self._translate(term), model_completion=True)
            example.learn(
                term, int(self._z3.is_true(value)) if term.bits == 1 else int(value.as_long())
            )
        return example

    def decide(self, condition: Term, facts: tuple[Term, ...]) -> bool | None:
        """True or False where the facts force the condition, None where it is free."""
        if condition.is_constant:
            return bool(condition.value)
        opposite = negate(condition)
        if condition in facts:
            return True
        if opposite in facts:
            return False
        # The facts of a path hold together: what shares no name with the
        # condition, directly or by way of others, says nothing about it.
        near = related(condition, facts)
        if not self.possible((*near, condition)):
            return False
        if not self.possible((*near, opposite)):
            return True
        return None

    def model(self, facts: Iterable[Term], wanted: Iterable[Term]) -> dict[Term, int] | None:
        """A value for each `wanted` term that fits the facts; None if they contradict."""
        if not self._check(list(facts)):
            return None
        found = self._solver.model()
        result = {}
        for term in wanted:
            value = found.eval(self._translate(term), model_completion=True)
            result[term] = int(self._z3.is_true(value)) if term.bits == 1 else int(value.as_long())
        return result

    # -- z3 ------------------------------------------------------------------

    def _check(self, facts: list[Term]) -> bool:
        common = 0
        for mine, theirs in zip(self._stack, facts, strict=False):
            if mine is not theirs:
                break
            common += 1
        if len(self._stack) > common:
            self._solver.pop(len(self._stack) - common)
            del self._stack[common:]
        for fact in facts[common:]:
            self._solver.push()
            self._solver.add(self._translate(fact))
            self._stack.append(fact)
        self.questions += 1
        answer = self._solver.check()
        if answer == self._z3.unknown:
            raise ResourceBound(self._solver.reason_unknown())
        return bool(answer == self._z3.sat)

    def _translate(self, term: Term) -> Any:
        done = self._translated.get(term)
        if done is None:
            done = self._translated[term] = self._build(term)
        return done

    def _sort(self, bits: int) -> Any:
        return self._z3.BoolSort() if bits == 1 else self._z3.BitVecSort(bits)

    def _opaque(self, term: Term, *key: object) -> Any:
        """An uninterpreted function of the term's arguments."""
        z3 = self._z3
        signature = (*key, term.bits, tuple(a.bits for a in term.args))
        name = "/".join(map(str, signature))
        if not term.args:
            return z3.Const(name, self._sort(term.bits))
        function = self._functions.get(signature)
        if function is None:
            sorts = [self._sort(a.bits) for a in term.args] + [self._sort(term.bits)]
            function = self._functions[signature] = z3.Function(name, *sorts)
        return function(*map(self._translate, term.args))

    def _build(self, term: Term) -> Any:
        z3 = self._z3
        if term.op == "int":
            return (
                z3.BoolVal(bool(term.value))
                if term.bits == 1
                else z3.BitVecVal(term.value, term.bits)
            )
        if term.op in OPAQUE:
            return self._opaque(term, term.op, term.payload)
        args = [self._translate(a) for a in term.args]
        match term.op:
            case "lnot":
                return z3.Not(args[0])
            case "land":
                return z3.And(*args)
            case "lor":
                return z3.Or(*args)
            case "ite":
                return z3.If(*args)
            case "eq":
                return args[0] == args[1]
            case "ult":
                return z3.ULT(*args)
            case "slt":
                return args[0] < args[1]
            case "add":
                return args[0] + args[1]
            case "sub":
                return args[0] - args[1]
            case "mul":
                return args[0] * args[1]
            case "and":
                return reduce(lambda a, b: a & b, args)
            case "or":
                return reduce(lambda a, b: a | b, args)
            case "xor":
                return reduce(lambda a, b: a ^ b, args)
            case "udiv":
                return z3.UDiv(*args)
            case "sdiv":
                return args[0] / args[1]
            case "urem":
                return z3.URem(*args)
            case "srem":
                return z3.SRem(*args)
            case "shl":
                return args[0] << args[1]
            case "lshr":
                return z3.LShR(*args)
            case "ashr":
                return args[0] >> args[1]
            case "not":
                return ~args[0]
            case "neg":
                return -args[0]
            case "zext":
                return z3.ZeroExt(term.bits - term.args[0].bits, args[0])
            case "sext":
                return z3.SignExt(term.bits - term.args[0].bits, args[0])
            case "trunc":
                return z3.Extract(term.bits - 1, 0, args[0])
            case _:
                raise AssertionError(f"no translation for {term.op}")
