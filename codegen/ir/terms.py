# SPDX-License-Identifier: GPL-2.0-only
"""Values of the symbolic machine: hash-consed bit-vector terms.

Two terms with the same meaning built the same way are the same object, so
identity is equality and a term can key a dict. The builders fold constants and
the few identities that flag words need (`(x & m) & n`, `(a | b) & m`), which
decides most branches of a handler without the solver.

A term of one bit is a truth value; everything else is a bit-vector of `bits`
bits. Printed form: `printer.py`, in C.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from codegen.ir.operators import operate, signed


class Term:
    """A node of the term graph; make them with the builders below only."""

    __slots__ = (
        "__weakref__",
        "_links",
        "_opposite",
        "_symbols",
        "args",
        "bits",
        "is_constant",
        "op",
        "order",
        "payload",
    )

    is_constant: Final[bool]
    """Whether the term is a number."""
    op: Final[str]
    args: Final[tuple[Term, ...]]
    bits: Final[int]
    payload: Final[object]
    order: Final[tuple[int, str]]
    """Where the term stands among others: what it is made of comes first, then by its text.

    It is the same in every process, whatever terms were made before.
    """

    def __init__(self, op: str, args: tuple[Term, ...], bits: int, payload: object) -> None:
        self.op = op
        self.args = args
        self.bits = bits
        self.payload = payload
        self.is_constant = op == "int"
        text = f"{op} {payload!r} {bits}"
        if args:
            inside = " ".join(a.order[1] for a in args)
            text = f"{text} {blake2b(inside.encode(), digest_size=16).hexdigest()}"
        self.order = 1 + max((a.order[0] for a in args), default=-1), text
        self._symbols: frozenset[str] | None = None
        self._links: frozenset[str] | None = None
        self._opposite: Term | None = None

    @property
    def value(self) -> int:
        """The number of a constant, unsigned."""
        assert self.is_constant
        number = self.payload[0]  # type: ignore[index]
        assert isinstance(number, int)
        return number

    @property
    def name(self) -> str | None:
        """The source's name of a constant, or the name of a symbol or call."""
        if self.op == "int":
            return self.payload[1]  # type: ignore[index,no-any-return]
        return self.payload if isinstance(self.payload, str) else None

    def symbols(self) -> frozenset[str]:
        """The names of every symbol, place and uninterpreted call in the term."""
        if self._symbols is None:
            found: set[str] = set()
            if self.op in ("sym", "call", "object"):
                assert isinstance(self.payload, str)
                found.add(self.payload)
            for arg in self.args:
                found |= arg.symbols()
            self._symbols = frozenset(found)
        return self._symbols

    def links(self) -> frozenset[str]:
        """The names whose values the term depends on.

        An object, or a place in one, counts where its address itself is
        compared or computed with, not where it is an argument.
        """
        if self._links is None:
            found: set[str] = set()
            own = self.op in ("sym", "call")
            if own or self.op == "object":
                assert isinstance(self.payload, str)
                found.add(self.payload)
            for arg in self.args:
                if not (own and _is_address(arg)):
                    found |= arg.links()
            self._links = frozenset(found)
        return self._links

    def walk(self) -> Iterator[Term]:
        """The term and everything below it, each once."""
        seen: set[Term] = set()
        stack = [self]
        while stack:
            term = stack.pop()
            if term in seen:
                continue
            seen.add(term)
            yield term
            stack.extend(term.args)

    def __repr__(self) -> str:
        if self.op == "int":
            return self.name or hex(self.value)
        if self.op in ("sym", "object"):
            return str(self.payload)
        head = f"{self.op}:{self.payload}" if self.payload is not None else self.op
        return f"({head} {' '.join(map(repr, self.args))})"


def order_of(term: Term) -> tuple[int, str]:
    """A key to sort terms by: `Term.order`."""
    return term.order


def _is_address(term: Term) -> bool:
    """Whether the term is an object, or a place in one that has no computed part."""
    while term.op == "field":
        term = term.args[0]
    return term.op in ("object", "text", "local")


_interned: dict[tuple[object, ...], Term] = {}


def _make(op: str, args: tuple[Term, ...], bits: int, payload: object = None) -> Term:
    key = (op, args, bits, payload)
    term = _interned.get(key)
    if term is None:
        term = _interned[key] = Term(op, args, bits, payload)
    return term


def integer(value: int, bits: int, name: str | None = None) -> Term:
    """A constant; `name` is kept for printing and for recognising signals by shape."""
    return _make("int", (), bits, (value & ((1 << bits) - 1), name))


TRUE = integer(1, 1)
FALSE = integer(0, 1)


def symbol(name: str, bits: int) -> Term:
    """A name that stays opaque."""
    return _make("sym", (), bits, name)


def loaded(name: str, place: Term, bits: int) -> Term:
    """The symbol for what stands at a place that nobody wrote.

    Where the place is computed (an index, a choice of two pointers), the
    symbol keeps it as its argument: equal places hold the same.
    """
    return _make("sym", () if _is_fixed(place) else (place,), bits, name)


def _is_fixed(place: Term) -> bool:
    """Whether the place is the same one in every scenario, and its text says which."""
    match place.op:
        case "field":
            return _is_fixed(place.args[0])
        case "index":
            index = place.args[1]
            return index.is_constant and index.name is None and _is_fixed(place.args[0])
        case _:
            return place.op in ("object", "local", "text") or (place.op == "sym" and not place.args)


def call(name: str, args: tuple[Term, ...], bits: int) -> Term:
    """An uninterpreted function of its arguments."""
    return _make("call", args, bits, name)


def field_address(base: Term, name: str) -> Term:
    """The address `&base->name`."""
    return _make("field", (base,), 64, name)


def index_address(base: Term, index: Term) -> Term:
    """The address `&base[index]`."""
    return _make("index", (base, index), 64)


def object_address(name: str) -> Term:
    """The address of something that is there: a global, `current`, a VMA; never NULL."""
    return _make("object", (), 64, name)


def text(value: str) -> Term:
    """The address of a string literal."""
    return _make("text", (), 64, value)


def local_address(frame: int, name: str) -> Term:
    """The address of a local of one activation."""
    return _make("local", (), 64, (frame, name))


def same_constant(a: Term, b: Term) -> bool | None:
    """Whether two constants are the same number; None where one is no constant."""
    if a is b:
        return True
    if a.is_constant and b.is_constant:
        return a.value == b.value
    return None


# ---- truth values -----------------------------------------------------------


def negate(a: Term) -> Term:
    """`!a`."""
    opposite = a._opposite
    if opposite is None:
        if a.is_constant:
            opposite = FALSE if a.value else TRUE
        else:
            opposite = a.args[0] if a.op == "lnot" else _make("lnot", (a,), 1)
        a._opposite = opposite
    return opposite


def conjoin(a: Term, b: Term) -> Term:
    """`a && b`."""
    if a.is_constant:
        return b if a.value else FALSE
    if b.is_constant:
        return a if b.value else FALSE
    if a is b:
        return a
    if negate(a) is b:
        return FALSE
    return _make("land", (a, b), 1)


def disjoin(a: Term, b: Term) -> Term:
    """`a || b`."""
    if a.is_constant:
        return TRUE if a.value else b
    if b.is_constant:
        return TRUE if b.value else a
    if a is b:
        return a
    if negate(a) is b:
        return TRUE
    return _make("lor", (a, b), 1)


def choose(condition: Term, then: Term, otherwise: Term) -> Term:
    """`condition ? then : otherwise`; both sides have the same width."""
    if condition.is_constant:
        return then if condition.value else otherwise
    if then is otherwise:
        return then
    if condition.op == "lnot":
        return choose(condition.args[0], otherwise, then)
    if then.bits == 1:
        if then is TRUE:
            return disjoin(condition, otherwise)
        if then is FALSE:
            return conjoin(negate(condition), otherwise)
        if otherwise is FALSE:
            return conjoin(condition, then)
        if otherwise is TRUE:
            return disjoin(negate(condition), then)
    return _make("ite", (condition, then, otherwise), then.bits)


def equal(a: Term, b: Term) -> Term:
    """`a == b`, the constant on the right."""
    known = same_constant(a, b)
    if known is not None:
        return TRUE if known else FALSE
    if a.is_constant:
        a, b = b, a
    if a.op == "ite" and b.is_constant:
        then, otherwise = equal(a.args[1], b), equal(a.args[2], b)
        if then.is_constant or otherwise.is_constant:
            return choose(a.args[0], then, otherwise)
    if a.op in ("zext", "sext") and b.is_constant:
        inner = a.args[0]
        narrow = integer(b.value, inner.bits, b.name)
        again = extend(narrow, a.bits, a.op == "sext")
        return equal(inner, narrow) if again.value == b.value else FALSE
    if b.is_constant and _never_null(a) and b.value == 0:
        return FALSE
    if not b.is_constant and a.order > b.order:
        a, b = b, a
    return _make("eq", (a, b), 1)


def _never_null(a: Term) -> bool:
    """An address of something is not NULL."""
    return a.op in ("object", "field", "local", "text")


def less(a: Term, b: Term, is_signed: bool) -> Term:
    """`a < b`."""
    if a.is_constant and b.is_constant:
        return _folded("slt" if is_signed else "ult", a, b, 1)
    if a is b:
        return FALSE
    if not is_signed and b.is_constant and b.value == 0:
        return FALSE
    return _make("slt" if is_signed else "ult", (a, b), 1)


def truth(a: Term) -> Term:
    """`a != 0`."""
    return a if a.bits == 1 else negate(equal(a, integer(0, a.bits)))


def number(a: Term, bits: int) -> Term:
    """A truth value as the C number 1 or 0."""
    return choose(a, integer(1, bits), integer(0, bits))


def _folded(op: str, a: Term, b: Term, bits: int = 0) -> Term:
    """An operator on two constants of one width, which is the result's as well unless given."""
    return integer(operate(op, (a.value, b.value), a.bits, bits or a.bits), bits or a.bits)


# ---- bit-vectors ------------------------------------------------------------

_COMMUTATIVE = {"add", "mul", "and", "or", "xor"}


def arithmetic(op: str, a: Term, b: Term) -> Term:
    """One of add, sub, mul, and, or, xor on equal widths."""
    if a.is_constant and b.is_constant:
        return _folded(op, a, b)
    if op in _COMMUTATIVE and a.is_constant:
        a, b = b, a
    ones = (1 << a.bits) - 1
    if b.is_constant:
        match op, b.value:
            case (("add" | "sub" | "or" | "xor"), 0):
                return a
            case "and", 0:
                return integer(0, a.bits)
            case "and", value if value == ones:
                return a
            case "mul", 1:
                return a
            case "mul", 0:
                return integer(0, a.bits)
        if op in ("and", "or", "xor") and a.op == op and a.args[1].is_constant:
            return arithmetic(op, a.args[0], _folded(op, a.args[1], b))
        if op == "and":
            if a.op == "or":
                left, right = (arithmetic("and", x, b) for x in a.args)
                if left.is_constant or right.is_constant:
                    return arithmetic("or", left, right)
            if a.op == "zext":
                inner = a.args[0]
                mask = b.value & ((1 << inner.bits) - 1)
                return extend(arithmetic("and", inner, integer(mask, inner.bits)), a.bits, False)
        if (
            op == "or"
            and a.op == "and"
            and a.args[1].is_constant
            and not (a.args[1].value & ~b.value)
        ):
            return b
        if a.op == "ite" and (a.args[1].is_constant or a.args[2].is_constant):
            return choose(a.args[0], arithmetic(op, a.args[1], b), arithmetic(op, a.args[2], b))
    elif op == "and" and a.op == "or" and b in a.args:
        return b
    elif op == "and" and b.op == "or" and a in b.args:
        return a
    elif a is b:
        match op:
            case "and" | "or":
                return a
            case "xor" | "sub":
                return integer(0, a.bits)
    return _make(op, (a, b), a.bits)


def divide(op: str, a: Term, b: Term) -> Term:
    """One of udiv, sdiv, urem, srem; C truncates towards zero; nothing is folded on zero."""
    if a.is_constant and b.is_constant and b.value:
        return _folded(op, a, b)
    return _make(op, (a, b), a.bits)


def shift(op: str, a: Term, b: Term) -> Term:
    """One of shl, lshr, ashr on equal widths; a count of the width or more shifts all out."""
    if a.is_constant and b.is_constant:
        return _folded(op, a, b)
    if b.is_constant and b.value == 0:
        return a
    return _make(op, (a, b), a.bits)


def invert(a: Term) -> Term:
    """`~a`."""
    if a.is_constant:
        return integer(~a.value, a.bits)
    return a.args[0] if a.op == "not" else _make("not", (a,), a.bits)


def minus(a: Term) -> Term:
    """`-a`."""
    return integer(-a.value, a.bits) if a.is_constant else _make("neg", (a,), a.bits)


def extend(a: Term, bits: int, is_signed: bool) -> Term:
    """`a` as a vector of `bits`: extended by zeros or its sign, or cut to its low bits."""
    if a.bits == bits:
        return a
    if a.is_constant:
        return integer(signed(a.value, a.bits) if is_signed else a.value, bits, a.name)
    if a.op == "ite":
        return choose(
            a.args[0], extend(a.args[1], bits, is_signed), extend(a.args[2], bits, is_signed)
        )
    if bits < a.bits:
        if a.op in ("zext", "sext"):
            inner = a.args[0]
            return extend(inner, bits, a.op == "sext")
        if a.op in ("and", "or", "xor") and a.args[1].is_constant:
            return arithmetic(a.op, extend(a.args[0], bits, False), extend(a.args[1], bits, False))
        return _make("trunc", (a,), bits)
    if a.op == "zext" and not is_signed:
        return extend(a.args[0], bits, False)
    return _make("sext" if is_signed else "zext", (a,), bits)


# ---- rewriting --------------------------------------------------------------


def rebuild(op: str, args: tuple[Term, ...], bits: int, payload: object) -> Term:
    """Make a term of kind `op` again through the folding builders."""
    match op:
        case "lnot":
            return negate(args[0])
        case "land":
            return conjoin(*args)
        case "lor":
            return disjoin(*args)
        case "ite":
            return choose(*args)
        case "eq":
            return equal(*args)
        case "slt" | "ult":
            return less(args[0], args[1], op == "slt")
        case "add" | "sub" | "mul" | "and" | "or" | "xor":
            return arithmetic(op, *args)
        case "udiv" | "sdiv" | "urem" | "srem":
            return divide(op, *args)
        case "shl" | "lshr" | "ashr":
            return shift(op, *args)
        case "not":
            return invert(args[0])
        case "neg":
            return minus(args[0])
        case "zext" | "sext" | "trunc":
            return extend(args[0], bits, op == "sext")
        case _:
            return _make(op, args, bits, payload)


def substitute(term: Term, known: dict[Term, Term], memo: dict[Term, Term] | None = None) -> Term:
    """`term` with every subterm that `known` maps replaced, folded again."""
    memo = {} if memo is None else memo
    if term in memo:
        return memo[term]
    if term in known:
        result = known[term]
    elif not term.args:
        result = term
    else:
        args = tuple(substitute(a, known, memo) for a in term.args)
        result = term if args == term.args else rebuild(term.op, args, term.bits, term.payload)
    memo[term] = result
    return result
