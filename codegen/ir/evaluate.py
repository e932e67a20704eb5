# SPDX-License-Identifier: GPL-2.0-only
"""What an expression is worth in a state: memory, C's conversions, operators.

    flags | FAULT_FLAG_USER      ->    (or flags 0x40)
    regs->psr & PSR_PS           ->    (and regs->psr PSR_PS)

The lowest layer of the machine: it reads and never ends a path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from codegen.ir import types
from codegen.ir.environment import Plan
from codegen.ir.nodes import (
    AddressOf,
    Binary,
    Cast,
    Conditional,
    Deref,
    Expr,
    Field,
    Global,
    Index,
    Literal,
    Local,
    LValue,
    PureCall,
    Text,
    Unary,
)
from codegen.ir.printer import place_text
from codegen.ir.program import (
    Program,
)
from codegen.ir.solver import PathSolver
from codegen.ir.state import State, Stop, root_of
from codegen.ir.terms import (
    Term,
    arithmetic,
    call,
    choose,
    conjoin,
    disjoin,
    divide,
    equal,
    extend,
    field_address,
    index_address,
    integer,
    invert,
    less,
    loaded,
    local_address,
    minus,
    negate,
    number,
    object_address,
    shift,
    symbol,
    text,
    truth,
)
from codegen.ir.trace import End
from codegen.ir.types import CType
from codegen.ir.vocabulary import Role

_INT_LIMIT = integer(1 << (types.INT_BITS - 1), types.LONG_BITS)


class Evaluator:
    """Terms for places and expressions; `facts` grow where C itself promises something."""

    program: Program
    plan: Plan
    solver: PathSolver
    constants: Mapping[str, int]
    user: Term
    handler: str
    names: dict[Term, str]
    # What has to hold for C to say what happens next (a pointer that is read through is not
    # NULL), and what holds in every kernel; without the condition under which it is evaluated.
    presumed: dict[Term, Term]
    granted: dict[Term, Term]
    # The numbers of header's constants that are known: nothing has to be granted of these.
    known: Mapping[Term, int]
    # Whether the decisions of a path and the handler's own words for terms are noted.
    noting = True
    # What has to hold for the operand at hand to be evaluated at all (`p && p->x`).
    _guards: tuple[Term, ...] = ()

    # -- memory ------------------------------------------------------------------

    def _place(self, state: State, target: LValue) -> Term:
        match target:
            case Local(name=name):
                return local_address(state.frames[-1].number, name)
            case Global(name=name):
                return object_address(f"&{name}")
            case Field(base=base, name=name):
                return field_address(self._eval(state, base), name)
            case Index(base=base, index=index):
                position = self._eval(state, index)
                return index_address(
                    self._eval(state, base), extend(position, 64, index.type.signed)
                )
            case Deref(base=base):
                return self._eval(state, base)

    def _load(self, state: State, place: Term, ctype: CType) -> Term:
        self._dereferenced(state, place)
        value = state.memory.get(place)
        bits = ctype.bits or 64
        if value is None:
            value = self._initial(state, place, bits)
        return extend(value, bits, ctype.signed)

    def _dereferenced(self, state: State, place: Term) -> None:
        """What is read or written through a pointer is there: the pointer is not NULL.

        It holds where the access happens: not for the other operand of `&&`,
        and not on a path that goes round it. A path on which it cannot hold is
        none: what C leaves undefined is not the handler's behaviour.
        """
        pointer = root_of(place)
        if pointer.op in ("object", "local", "text"):
            return
        if pointer.op == "call" and str(pointer.payload).startswith("&"):
            return  # `instruction_pointer(regs) = x`: what is assigned to is a place
        self._learn(state, truth(pointer), self.presumed)

    def _learn(self, state: State, fact: Term, learnt: dict[Term, Term]) -> None:
        """From here on it holds, where what is just evaluated is evaluated at all.

        `learnt` takes it, with and without that condition.
        """
        plain = fact
        for guard in self._guards:
            fact = disjoin(negate(guard), fact)
        if fact.is_constant or fact in state.facts:
            return
        learnt[fact] = plain
        if self.solver.decide(fact, state.facts) is False:
            raise Stop(End.CUT, state.frames[-1].span)
        state.facts = (*state.facts, fact)

    @contextmanager
    def _only_if(self, condition: Term) -> Iterator[None]:
        """What is evaluated inside is evaluated only where `condition` holds."""
        before = self._guards
        self._guards = (*before, condition)
        try:
            yield
        finally:
            self._guards = before

    def _initial(self, state: State, place: Term, bits: int) -> Term:
        """The value of a place that nobody has written on this path."""
        if place.op == "local":
            return symbol(f"uninitialized {place.payload[1]}", bits)  # type: ignore[index]
        if place.op == "object":
            name = str(place.payload)
            if name.startswith("&"):
                return self._named(name[1:], bits)
            return symbol(f"*{name}", bits)
        version = state.versions.get(root_of(place), 0)
        if place.payload in ("mm", "active_mm", "vm_mm"):
            version = 0
        suffix = f"@{version}" if version else ""
        return loaded(place_text(place, ordinals=True) + suffix, place, bits)

    def _named(self, name: str, bits: int) -> Term:
        if name in self.constants:
            return integer(self.constants[name], bits, name)
        if name == "current":
            return object_address("current")
        return extend(symbol(name, self._bounded(name, bits)), bits, False)

    def _bounded(self, name: str, bits: int) -> int:
        """As many bits as a value of that name can need."""
        bound = self.program.vocabulary.bounds.get(name)
        return bits if bound is None else min(bits, bound.bit_length())

    def _set_local(self, state: State, local: Local, value: Term) -> None:
        place = local_address(state.frames[-1].number, local.name)
        self._name(state, local, value)
        if local.type.boolean:
            value = number(truth(value), local.type.bits)
        state.memory[place] = extend(value, local.type.bits or 64, True)

    # -- expressions ---------------------------------------------------------------

    def _eval(self, state: State, expr: Expr) -> Term:
        match expr:
            case Literal():
                return integer(expr.value, expr.type.bits, expr.name)
            case Text():
                return text(expr.value)
            case Global() if expr.name == "current":
                return object_address("current")
            case Local() | Global() | Field() | Index() | Deref():
                if expr.type.record and not isinstance(expr, Local):
                    return self._load(state, self._place(state, expr), types.ULONG)
                return self._load(state, self._place(state, expr), expr.type)
            case AddressOf():
                return self._place(state, expr.target)
            case Cast():
                value = self._eval(state, expr.operand)
                self._narrowed(state, value, expr.type.bits)
                return convert(value, expr.operand.type, expr.type)
            case Unary():
                value = self._eval(state, expr.operand)
                if expr.op == "!":
                    return number(negate(truth(value)), 32)
                value = extend(value, expr.type.bits, expr.operand.type.signed)
                return minus(value) if expr.op == "-" else invert(value)
            case Binary():
                return self._binary(state, expr)
            case Conditional():
                condition = truth(self._eval(state, expr.condition))
                with self._only_if(condition):
                    then = convert(self._eval(state, expr.then), expr.then.type, expr.type)
                with self._only_if(negate(condition)):
                    otherwise = convert(
                        self._eval(state, expr.otherwise), expr.otherwise.type, expr.type
                    )
                known = self.solver.decide(condition, state.facts)
                if known is not None:
                    return then if known else otherwise
                return choose(condition, then, otherwise)
            case PureCall():
                return self._pure(state, expr)

    def _binary(self, state: State, expr: Binary) -> Term:
        left, op = self._eval(state, expr.left), expr.op
        if op in ("&&", "||"):
            first = truth(left)
            with self._only_if(first if op == "&&" else negate(first)):
                second = truth(self._eval(state, expr.right))
            join = conjoin if op == "&&" else disjoin
            return number(join(first, second), 32)
        right = self._eval(state, expr.right)
        if op in ("<<", ">>"):
            bits = expr.type.bits
            left = extend(left, bits, expr.left.type.signed)
            right = extend(right, bits, expr.right.type.signed)
            kind = "shl" if op == "<<" else ("ashr" if expr.left.type.signed else "lshr")
            return shift(kind, left, right)
        ctype = types.common(expr.left.type, expr.right.type)
        if op == "&":
            self._int_mask(state, expr, left, right)
        left = extend(left, ctype.bits, expr.left.type.signed)
        right = extend(right, ctype.bits, expr.right.type.signed)
        if op in ("==", "!="):
            self._one_of_several(state, left, right)
        match op:
            case "==":
                return number(equal(left, right), 32)
            case "!=":
                return number(negate(equal(left, right)), 32)
            case "<":
                return number(less(left, right, ctype.signed), 32)
            case ">":
                return number(less(right, left, ctype.signed), 32)
            case "<=":
                return number(negate(less(right, left, ctype.signed)), 32)
            case ">=":
                return number(negate(less(left, right, ctype.signed)), 32)
            case "+" | "-" | "*" | "&" | "|" | "^":
                return arithmetic(_ARITHMETIC[op], left, right)
            case "/" | "%":
                prefix = "s" if ctype.signed else "u"
                return divide(prefix + ("div" if op == "/" else "rem"), left, right)
            case _:
                raise AssertionError(f"no operator {op}")

    def _int_mask(self, state: State, expr: Binary, left: Term, right: Term) -> None:
        """A header's constant that masks an `int` is one: `int error_code & FAULT_CODE_WRITE`.

        Nor is a mask 0: nobody asks for no bit at all.
        """
        for mask, other in ((right, expr.left.type), (left, expr.right.type)):
            narrow = other.known and other.bits == types.INT_BITS
            self._is_mask(state, mask, narrow)

    def _is_mask(self, state: State, mask: Term, narrow: bool) -> None:
        if mask.op == "or":
            for part in mask.args:
                self._is_mask(state, part, narrow)
        elif _is_opaque_mask(mask) and self.known.get(mask) != 0:
            facts = [truth(mask)]
            if narrow and mask not in self.known:
                facts.append(less(mask, _INT_LIMIT, False))
            self._grant(state, *facts)

    def _one_of_several(self, state: State, left: Term, right: Term) -> None:
        """`(x & (A | B)) == A` asks for A and not B, so the two have no bit in common."""
        for masked, one in ((left, right), (right, left)):
            if masked.op != "and" or not _is_opaque_mask(one):
                continue
            masks = [m for side in masked.args for m in _alternatives(side)]
            if one not in masks:
                continue
            for other in masks:
                if {one, other} <= self.known.keys():
                    continue
                if other is not one and _is_opaque_mask(other):
                    common = arithmetic("and", one, other)
                    apart = negate(truth(common))
                    self._grant(state, apart)

    def _grant(self, state: State, *facts: Term) -> None:
        """What holds of a header's constants in every kernel."""
        self.granted.update((f, f) for f in facts)
        state.facts += tuple(f for f in facts if f not in state.facts)

    def _narrowed(self, state: State, value: Term, bits: int) -> None:
        """`int is_write = error_code & DSISR_ISSTORE` keeps the bit, or it would be no use."""
        if bits == types.INT_BITS < value.bits and value.op == "and":
            for mask in value.args:
                self._is_mask(state, mask, narrow=True)

    def _as_asked(self, state: State, condition: Term) -> Term:
        """Whether a masked value that was narrowed is 0 is asked of the value itself."""
        inner = condition.args[0] if condition.op == "lnot" else condition
        if inner.op != "eq" or inner.args[0].op != "trunc" or not inner.args[1].is_constant:
            return condition
        wide = inner.args[0].args[0]
        if inner.args[1].value or wide.op != "and" or inner.args[0].bits != types.INT_BITS:
            return condition
        if not any(self._fits(state, mask) for mask in wide.args):
            return condition
        again = negate(truth(wide))
        return negate(again) if condition.op == "lnot" else again

    def _fits(self, state: State, mask: Term) -> bool:
        """Whether an `int` has all the bits of a mask."""
        number = self.known.get(mask)
        if number is not None:
            return number < 1 << types.INT_BITS
        return less(mask, _INT_LIMIT, False) in state.facts

    def _pure(self, state: State, expr: PureCall) -> Term:
        args = tuple(self._eval(state, a) for a in expr.args)
        role = self.program.role(expr.name)
        if role is Role.USER_MODE:
            return number(self.user, expr.type.bits or 32)
        version = max((state.versions.get(root_of(a), 0) for a in args), default=0)
        name = f"{expr.name}@{version}" if version else expr.name
        if expr.type.boolean:
            return number(call(name, args, 1), expr.type.bits)
        bits = expr.type.bits or 64
        value = call(name, args, self._bounded(expr.name, bits))
        below = self.program.vocabulary.beyond.get(expr.name)
        if below is not None:
            least = extend(self._named(below, value.bits), value.bits, False)
            self._learn(state, less(least, value, is_signed=False), self.granted)
        return extend(value, bits, False)

    def _name(self, state: State, target: LValue, value: Term) -> None:
        """Remembers which of the handler's locals holds a value that has no name of its own."""
        if not self.noting or not isinstance(target, Local) or target.name.startswith("%"):
            return
        if state.frames[-1].function.name != self.handler or value.op in _PLAIN:
            return
        while value.op in ("zext", "sext", "trunc"):
            value = value.args[0]
        if value.op not in _PLAIN and not (value.op == "sym" and str(value.payload).isidentifier()):
            self.names.setdefault(value, target.name)


# Terms that are best named by what they are.
_PLAIN = frozenset({"int", "object", "local", "field", "index", "text"})
_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}


def _is_opaque_mask(term: Term) -> bool:
    """Whether the term is a constant of some header that is only known by its name."""
    name = term.payload
    return (
        term.op == "sym"
        and isinstance(name, str)
        and name.isupper()
        and term.bits == types.LONG_BITS
    )


def _alternatives(term: Term) -> Iterator[Term]:
    """The operands of `a | b | c`."""
    if term.op == "or":
        for part in term.args:
            yield from _alternatives(part)
    else:
        yield term


def convert(value: Term, source: CType, target: CType) -> Term:
    """C's conversion of a value to a type."""
    if target.bits == 0 or target.record:
        return value
    if target.boolean:
        return number(truth(value), target.bits)
    return extend(value, target.bits, source.signed)
