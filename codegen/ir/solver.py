# SPDX-License-Identifier: GPL-2.0-only
"""Deciding conditions over real bit-vectors, with z3.

`PathSolver` answers the two questions that the machine and the comparison ask:
can this condition hold together with these facts, and what is an example. Most
questions never reach z3: a condition that is a fact, or the negation of one,
is decided by identity.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, Any

from codegen.ir.terms import Term, negate

if TYPE_CHECKING:
    import z3


class ResourceBound(Exception):
    """The solver gave up; the question is open, and the verdict UNKNOWN."""


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
        self._feasible: dict[frozenset[Term], bool] = {}
        self.questions = 0

    # -- questions -----------------------------------------------------------

    def possible(self, facts: Iterable[Term]) -> bool:
        """Whether all facts can hold at once."""
        wanted = list(facts)
        key = frozenset(wanted)
        if key in self._feasible:
            return self._feasible[key]
        answer = self._check(wanted)
        self._feasible[key] = answer
        return answer

    def decide(self, condition: Term, facts: tuple[Term, ...]) -> bool | None:
        """True or False where the facts force the condition, None where it is free."""
        if condition.is_constant:
            return bool(condition.value)
        known = set(facts)
        opposite = negate(condition)
        if condition in known:
            return True
        if opposite in known:
            return False
        symbols = condition.symbols()
        if not any(symbols & f.symbols() for f in facts):
            # Nothing said about any of its names: only a condition that is
            # true or false by itself could be forced.
            facts = ()
        if not self.possible((*facts, condition)):
            return False
        if not self.possible((*facts, opposite)):
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
            result[term] = (
                int(self._z3.is_true(value)) if term.bits == 1 else int(value.as_long())
            )
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
            return z3.BoolVal(bool(term.value)) if term.bits == 1 else z3.BitVecVal(term.value, term.bits)
        if term.op in ("sym", "call", "object", "field", "index", "text", "local"):
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
