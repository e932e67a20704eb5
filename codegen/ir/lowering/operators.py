# SPDX-License-Identifier: GPL-2.0-only
"""Operators, and what they make of types and objects."""

from __future__ import annotations

from typing import Any

from codegen.frontend.syntax import c_ast
from codegen.ir import types
from codegen.ir.lowering.arithmetic import COMPARISONS, binary, cast, element, literal_type
from codegen.ir.lowering.logic import Logic
from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Binary,
    Cast,
    Deref,
    Expr,
    Field,
    Global,
    Index,
    Literal,
    Local,
    LValue,
    PureCall,
    Unary,
)
from codegen.ir.types import CType


class Operators(Logic):
    """The third layer: unary and binary operators, conversions, what can be assigned to."""

    def _unary(self, node: Any) -> Expr:
        match node.op:
            case "sizeof" | "_Alignof":
                return self._sizeof(node.expr)
            case "&":
                value = self._value(node.expr)
                match value:
                    case Local() | Global() | Field() | Index():
                        return AddressOf(value, types.POINTER)
                    case Deref():
                        return value.base
                    case _:
                        raise self._refuse("&", "takes the address of a value")
            case "*":
                value = self._value(node.expr)
                return Deref(value, self._pointee(node.expr, value))
            case "++" | "--" | "p++" | "p--":
                target = self._lvalue(node.expr)
                before = self._temporary(target.type)
                span = self._statement_span(node)
                self._emit(Assign(before, target, span))
                step = Literal(1, types.INT)
                after = self._binary("+" if "+" in node.op else "-", before, step)
                self._emit(Assign(target, cast(after, target.type), span))
                return before if node.op.startswith("p") else target
            case "+":
                return self._value(node.expr)
            case "!":
                if not self._pure(node.expr):
                    return self._by_branches(node)
                return Unary("!", self._value(node.expr), types.INT)
            case "-" | "~":
                value = self._value(node.expr)
                return Unary(node.op, value, types.promote(value.type))
            case _:
                raise self._refuse(node.op, "is an operator that is not known")

    def _sizeof(self, node: Any) -> Expr:
        ctype = self._type(node) if isinstance(node, c_ast.Typename) else types.UNKNOWN_VALUE
        if isinstance(node, c_ast.Typename) and ctype.known and not ctype.record and ctype.bits:
            return Literal(ctype.bits // 8, types.ULONG)
        return Global("sizeof", types.ULONG)

    def _binary_node(self, node: Any) -> Expr:
        if node.op in ("&&", "||"):
            if not self._pure(node):
                return self._by_branches(node)
            return Binary(node.op, self._value(node.left), self._value(node.right), types.INT)
        left, right = self._value(node.left), self._value(node.right)
        if node.op == "+" and right.type.pointer and not left.type.pointer:
            node, left, right = c_ast.BinaryOp("+", node.right, node.left), right, left
        if isinstance(node.left, c_ast.Cast) and left.type.pointer:
            # A cast from one pointer to another is none, but for what `+ 1` means.
            return self._binary(node.op, left, right, self._type(node.left.to_type).step)
        return self._binary(node.op, left, right)

    def _converted(self, node: Any, ctype: CType) -> Expr:
        """The value of an expression that is assigned to this type.

        `table + i` that becomes a pointer to a record is an element of a table
        that the text does not declare: `&table[i]`.
        """
        if ctype.pointer and ctype.step == 0 and isinstance(node, c_ast.BinaryOp):
            base = self._value(node.left) if isinstance(node.left, c_ast.ID) else None
            if node.op == "+" and isinstance(base, Global) and not base.type.known:
                return element(AddressOf(base, types.POINTER), self._value(node.right))
        return cast(self._value(node), ctype)

    def _lvalue(self, node: Any) -> LValue:
        value = self._value(node)
        match value:
            case Local() | Global() | Field() | Index() | Deref():
                return value
            case Cast(operand=Local() | Global() | Field() | Index() | Deref() as inner):
                return inner
            case PureCall():
                # `pgd_val(*pgd) = …`, `pte_val(entry) &= …`: an accessor that is an lvalue.
                return Deref(
                    PureCall(f"&{value.name}", value.args, types.POINTER), types.UNKNOWN_VALUE
                )
            case _:
                raise self._refuse("=", "assigns to something that is not an object")

    def _pointee(self, node: Any, pointer: Expr) -> CType:
        """What `*node` is; a cast from one pointer to another is none, but for that."""
        ctype = self._type(node.to_type) if isinstance(node, c_ast.Cast) else pointer.type
        return ctype.to or types.UNKNOWN_VALUE

    def _binary(self, op: str, left: Expr, right: Expr, step: int | None = None) -> Expr:
        """As arithmetic.binary(); what is read wrongly so is doubted."""
        if op in ("+", "-") and left.type.pointer:
            if right.type.pointer:
                self._doubt(op, "is the difference of two pointers")
            elif (left.type.step if step is None else step) == 0 and isinstance(left, Local):
                self._doubt(
                    left.name, "is a pointer to a record that is moved, or set against another"
                )
        elif op not in COMPARISONS and op not in ("<<", ">>"):
            for side in (left, right):
                if isinstance(side, Local) and side.name in self.arrays:
                    self._doubt(side.name, "is an array whose address is worked with")
        return binary(op, left, right, step)

    def _points_into(self, target: LValue, value: Any) -> None:
        """Notes `p = &table[i]` and `p = array`: what `p[1]` then is, nobody here knows."""
        if not isinstance(target, Local) or not target.type.pointer:
            return
        match value:
            case c_ast.UnaryOp(op="&", expr=c_ast.ArrayRef(subscript=at)):
                if not (isinstance(at, c_ast.Constant) and at.value == "0"):
                    self.into.add(target.name)
            case c_ast.ID(name=name):
                known = self._name(name)
                if isinstance(known, Local) and known.name in self.arrays:
                    self.into.add(target.name)
            case c_ast.BinaryOp(op="+" | "-"):
                self.into.add(target.name)
            case _:
                pass

    def _name(self, name: str) -> Expr:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name in self.constants:
            value = self.constants[name]
            if name == "NULL":
                return Literal(0, types.POINTER, name)
            return Literal(value, literal_type(value, "", True), name)
        self.pointed_at = self.pointed_at or name in self.defined
        ctype = types.POINTER if name == "current" else types.UNKNOWN_VALUE
        return Global(name, ctype)
