# SPDX-License-Identifier: GPL-2.0-only
"""Expressions of the program as Python.

    (regs->ecr_cause & ECR_C_PROTV_STORE) != 0
        ->  w.get(regs, "ecr_cause") & w["ECR_C_PROTV_STORE"] != 0

A value is a Python int in the range of its C type; a conversion that can change
it is written out (`u32(...)`), one that cannot is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codegen.ir import types
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
from codegen.ir.program import Program, is_signal_code, is_signal_number
from codegen.ir.types import CType
from codegen.ir.vocabulary import Role
from codegen.targets.simulator import python
from codegen.targets.simulator.python import ANY, Py, Range, atom, call, join, number, prefix

BOOL: Range = (0, 1)
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">": "<=", "<=": ">", ">=": "<"}
_BITWISE = {"&": python.BIT_AND, "|": python.BIT_OR, "^": python.BIT_XOR}
_FOLDED: Mapping[str, Callable[[int, int], int]] = {
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}
_SUMS = {"+": python.SUM, "-": python.SUM, "*": python.PRODUCT}
_UNSIGNED = {8: types.UCHAR, 16: types.USHORT, 32: types.UINT, 64: types.ULONG}


def range_of(ctype: CType) -> Range:
    """The values that a C type holds."""
    if ctype.boolean:
        return BOOL
    bits = ctype.bits or 64
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if ctype.signed else (0, (1 << bits) - 1)


def converted(value: Py, target: CType) -> Py:
    """C's conversion of a value; nothing where the value is known to fit."""
    if target.bits == 0 or target.record:
        target = types.ULONG
    low, high = range_of(target)
    if low <= value.span[0] and value.span[1] <= high:
        return value
    if value.span[0] == value.span[1] and not target.boolean and not value.operands:
        wrapped = value.span[0] & ((1 << target.bits) - 1)
        return number(wrapped - (1 << target.bits) if wrapped > high else wrapped)
    inner = _inner(value)
    if inner is not None and not target.boolean and int(value.head[1:]) >= target.bits:
        # What was cut to 64 bits may be cut to fewer at once.
        again = converted(inner, target)
        return Py(again.pieces, again.precedence, again.span, again.head, again.args, value.plain)
    name = "boolean" if target.boolean else f"{'s' if target.signed else 'u'}{target.bits}"
    return call(name, [value], (low, high))


def unsigned(value: Py, ctype: CType) -> Py:
    """The value as the trace and the names of calls show it."""
    return converted(value, _UNSIGNED.get(ctype.bits, types.ULONG))


_CONVERSIONS = frozenset({"u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64"})


def _inner(value: Py) -> Py | None:
    """What a written conversion converts."""
    if value.head in _CONVERSIONS and value.args is not None:
        return value.args[0][1]
    return None


def _bare(value: Py) -> Py:
    """A condition without a conversion that cannot make it 0."""
    inner = _inner(value)
    low, high = range_of(types.ULONG)
    if (
        inner is not None
        and value.head[1:] == "64"
        and low <= inner.span[0] <= inner.span[1] <= high
    ):
        return inner
    return value


class Expressions:
    """The expressions of one function.

    `names` gives the Python names of plain locals, `cells` those that live in
    memory since their address is taken. `pending` holds a call's value that
    is used once, in the statement that comes next.
    """

    def __init__(
        self,
        program: Program,
        names: Mapping[str, str],
        cells: frozenset[str],
        constant: Callable[[str], None],
    ) -> None:
        self.program = program
        self.names = names
        self.cells = cells
        self.constant = constant
        self.pending: dict[str, Py] = {}

    # -- values --

    def value(self, expr: Expr) -> Py:
        """The value, in the range of the expression's type."""
        match expr:
            case Literal():
                return self._literal(expr)
            case Text(value=spelled):
                if len(spelled) > 1 and spelled[0] == spelled[-1] == '"':
                    spelled = python.string(spelled[1:-1])
                    return call("string", [atom(spelled)], range_of(types.POINTER))
                return call("text", [atom(python.string(spelled))], range_of(types.POINTER))
            case Local(name=name) if name in self.pending:
                return self.pending.pop(name)
            case Local(name=name):
                if name not in self.cells:
                    return atom(self.names[name], range_of(expr.type))
                return converted(call("w.load", [atom(self.names[name])]), expr.type)
            case Global(name="current"):
                return atom("w.current", range_of(types.POINTER))
            case Global(name=name):
                value = Py((f"w[{python.string(name)}]",), python.ATOM, ANY)
                return self._read(value, expr.type)
            case Field():
                base, path = self.path(expr)
                value = call("w.get", [base, atom(python.string(path))])
                return self._read(value, expr.type)
            case Index():
                return self._read(call("w.load", [self.place(expr)]), expr.type)
            case Deref():
                # A local of any type may be behind the pointer.
                return converted(call("w.load", [self.place(expr)]), expr.type)
            case AddressOf(target=target):
                return self.place(target)
            case Cast(operand=operand):
                if expr.type.boolean:
                    return self.number_of(self.truth(operand))
                return converted(self.value(operand), expr.type)
            case Unary():
                return self._unary(expr)
            case Binary():
                return self._binary(expr)
            case Conditional():
                condition = self.truth(expr.condition)
                then = converted(self.value(expr.then), expr.type)
                otherwise = converted(self.value(expr.otherwise), expr.type)
                return _ternary(condition, then, otherwise)
            case PureCall():
                return self._pure(expr)

    def _read(self, value: Py, ctype: CType) -> Py:
        """What memory or the scenario gives is a number of 64 bits, unless it was written so."""
        wide = ctype.bits == types.LONG_BITS and not ctype.signed
        if wide or ctype.record or ctype.bits == 0:
            return Py(value.pieces, value.precedence, range_of(types.ULONG), value.head, value.args)
        return converted(value, ctype)

    def _literal(self, expr: Literal) -> Py:
        name = expr.name
        if name is None or name in ("NULL", "true", "false"):
            return number(expr.value)
        if self.program.constants.get(name) != expr.value:
            return number(expr.value)
        self.constant(name)
        return atom(name, (expr.value, expr.value))

    def path(self, expr: Field) -> tuple[Py, str]:
        """The pointer that a field is reached from, and the dotted way."""
        match expr.base:
            case AddressOf(target=Field() as outer):
                base, way = self.path(outer)
                return base, f"{way}.{expr.name}"
            case _:
                return self.value(expr.base), expr.name

    def place(self, target: LValue) -> Py:
        """The address of an lvalue."""
        match target:
            case Local(name=name):
                return atom(self.names[name], range_of(types.POINTER))
            case Global(name=name):
                return call("w.object", [atom(python.string(f"&{name}"))], range_of(types.POINTER))
            case Field():
                base, way = self.path(target)
                return call("w.field", [base, atom(python.string(way))], range_of(types.POINTER))
            case Index():
                args = [self.value(target.base), self.value(target.index)]
                return call("w.index", args, range_of(types.POINTER))
            case Deref(base=base):
                return self.value(base)

    def _unary(self, expr: Unary) -> Py:
        if expr.op == "!":
            return self.number_of(self.truth(expr))
        operand = converted(self.value(expr.operand), expr.type)
        low, high = operand.span
        span = (-high, -low) if expr.op == "-" else (~high, ~low)
        return converted(prefix(expr.op, operand, python.SIGN, span), expr.type)

    def _binary(self, expr: Binary) -> Py:
        op = expr.op
        if op in _OPPOSITE or op in ("&&", "||"):
            return self.number_of(self.truth(expr))
        if op in ("<<", ">>"):
            return self._shift(expr)
        ctype = types.common(expr.left.type, expr.right.type)
        left = converted(self.value(expr.left), ctype)
        right = converted(self.value(expr.right), ctype)
        if op in _BITWISE:
            span = range_of(ctype)
            if left.span[0] == left.span[1] and right.span[0] == right.span[1]:
                value = _FOLDED[op](left.span[0], right.span[0])
                return join(op, left, right, _BITWISE[op], (value, value))
            if op == "&":
                limits = [o.span[1] for o in (left, right) if o.span[0] >= 0]
                span = (0, min(limits)) if limits else span
            return join(op, left, right, _BITWISE[op], span)
        if op in _SUMS:
            return converted(join(op, left, right, _SUMS[op]), ctype)
        return converted(call("divide" if op == "/" else "remainder", [left, right]), ctype)

    def _shift(self, expr: Binary) -> Py:
        ctype = expr.type
        left = converted(self.value(expr.left), ctype)
        right = self.value(expr.right)
        if right.span[0] == right.span[1] and 0 <= right.span[0] < ctype.bits:
            if expr.op == ">>":
                low, high = left.span
                span = (low >> right.span[0], high >> right.span[0])
                return join(">>", left, right, python.SHIFT, span)
            return converted(join("<<", left, right, python.SHIFT), ctype)
        head = "shift_left" if expr.op == "<<" else "shift_right"
        return converted(
            call(head, [left, unsigned(right, expr.right.type), number(ctype.bits)]), ctype
        )

    def _pure(self, expr: PureCall) -> Py:
        if self.program.role(expr.name) is Role.USER_MODE:
            return self.number_of(self.truth(expr))
        value = call("w.pure", [atom(python.string(expr.name)), *map(self.argument, expr.args)])
        return self._read(value, expr.type)

    def argument(self, expr: Expr) -> Py:
        """An argument as the trace shows it."""
        return unsigned(self.value(expr), expr.type)

    def number_of(self, condition: Py) -> Py:
        """A Python condition as C's 1 or 0."""
        if condition.text in ("True", "False"):
            return number(int(condition.text == "True"))
        if condition.precedence == python.TERNARY or condition.span == BOOL:
            return condition if condition.span == BOOL else call("boolean", [condition], BOOL)
        return (
            call("int", [condition], BOOL)
            if _is_bool(condition)
            else call("boolean", [condition], BOOL)
        )

    # -- conditions --

    def truth(self, expr: Expr) -> Py:
        """The expression as a Python condition."""
        match expr:
            case Literal(value=value):
                return atom("True" if value else "False")
            case Unary(op="!", operand=operand):
                return negated(self.truth(operand))
            case Binary(op="&&"):
                return python.both(self.truth(expr.left), self.truth(expr.right))
            case Binary(op="||"):
                return python.either(self.truth(expr.left), self.truth(expr.right))
            case Binary(op=op) if op in _OPPOSITE:
                return self._comparison(expr)
            case Cast(operand=operand, type=ctype) if ctype.boolean or (
                ctype.bits >= operand.type.bits and not operand.type.record
            ):
                return self.truth(operand)
            case PureCall(name=name) if self.program.role(name) is Role.USER_MODE:
                return Py(("w.user_mode()",), python.ATOM, ANY)
            case PureCall(type=ctype) if ctype.boolean:
                args = [atom(python.string(expr.name)), *map(self.argument, expr.args)]
                return call("w.pure", args)
            case _:
                return _bare(self.value(expr))

    def _comparison(self, expr: Binary) -> Py:
        ctype = types.common(expr.left.type, expr.right.type)
        left = converted(self.value(expr.left), ctype)
        right = converted(self.value(expr.right), ctype)
        op = expr.op
        if isinstance(expr.left, Literal) and not isinstance(expr.right, Literal):
            left, right, op = right, left, _FLIPPED[op]
        return join(op, left, right, python.COMPARE)


def _is_bool(condition: Py) -> bool:
    """Whether Python gives True or False and no other number."""
    if condition.precedence in (python.COMPARE, python.NOT):
        return True
    if condition.precedence in (python.AND, python.OR):
        return all(_is_bool(o) for o in condition.operands)
    return condition.text == "w.user_mode()"


def negated(condition: Py) -> Py:
    """`not condition`, written as one would."""
    if condition.precedence == python.NOT:
        return condition.operands[0]
    if condition.text in ("True", "False"):
        return atom("False" if condition.text == "True" else "True")
    if condition.precedence == python.COMPARE:
        operator = condition.pieces[1]
        assert isinstance(operator, str)
        if operator in (" in ", " not in "):
            subject, *values = condition.operands
            return python.one_of(subject, values, " not in " if operator == " in " else " in ")
        left, right = condition.operands
        return join(_OPPOSITE[operator.strip()], left, right, python.COMPARE)
    return prefix("not ", condition, python.NOT)


def _ternary(condition: Py, then: Py, otherwise: Py) -> Py:
    span = (min(then.span[0], otherwise.span[0]), max(then.span[1], otherwise.span[1]))
    if condition.precedence == python.NOT:
        condition, then, otherwise = condition.operands[0], otherwise, then
    pieces = (
        (then, python.OR),
        " if ",
        (condition, python.OR),
        " else ",
        (otherwise, python.TERNARY),
    )
    plain = condition.plain and then.plain and otherwise.plain
    return Py(pieces, python.TERNARY, span, plain=plain)


def is_signal_name(name: str) -> bool:
    """Whether a signal is recognised by the constant."""
    return is_signal_number(name) or is_signal_code(name)
