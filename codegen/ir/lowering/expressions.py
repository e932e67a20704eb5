# SPDX-License-Identifier: GPL-2.0-only
"""Any expression: constants, names, members, and by kind everything of the layers below."""

from __future__ import annotations

from typing import Any

from codegen.frontend.syntax import c_ast
from codegen.ir import types
from codegen.ir.lowering.arithmetic import cast, literal_type
from codegen.ir.lowering.calls import Calls
from codegen.ir.nodes import (
    AddressOf,
    Deref,
    Expr,
    Field,
    Global,
    Index,
    Literal,
    Local,
    Text,
)


class Expressions(Calls):
    """The sixth layer: the value of any expression, and its effects in order."""

    def _value(self, node: Any) -> Expr:
        match node:
            case c_ast.Constant():
                return self._constant(node)
            case c_ast.ID():
                return self._name(node.name)
            case c_ast.StructRef():
                return self._field(node)
            case c_ast.ArrayRef():
                base = self._pointer_to(node.name)
                if isinstance(base, Local):
                    self.indexed.setdefault(base.name, self._span(node))
                return Index(base, self._value(node.subscript), self._pointee(node.name, base))
            case c_ast.UnaryOp():
                return self._unary(node)
            case c_ast.BinaryOp():
                return self._binary_node(node)
            case c_ast.TernaryOp():
                return self._ternary(node)
            case c_ast.Assignment():
                return self._assign(node)
            case c_ast.FuncCall():
                return self._call(node, wanted=True)
            case c_ast.Cast():
                ctype = self._type(node.to_type)
                return cast(self._value(node.expr), ctype)
            case c_ast.ExprList():
                for item in node.exprs[:-1]:
                    self._effects(item)
                return self._value(node.exprs[-1])
            case c_ast.Compound():
                return self._statement_expression(node)
            case c_ast.CompoundLiteral() | c_ast.InitList():
                return Text("{}", types.RECORD)
            case c_ast.Typename():
                return Text("type", types.UNKNOWN_VALUE)
            case _:
                raise self._refuse(type(node).__name__, "is an expression that is not known")

    def _effects(self, node: Any) -> None:
        """Evaluates an expression statement."""
        match node:
            case c_ast.FuncCall():
                self._call(node, wanted=False)
            case c_ast.ExprList():
                for item in node.exprs:
                    self._effects(item)
            case c_ast.Cast():
                self._effects(node.expr)
            case _:
                self._value(node)

    def _constant(self, node: Any) -> Expr:
        if node.type == "string":
            return Text(node.value, types.POINTER)
        if node.type == "char":
            body = node.value[1:-1]
            code = ord(body.encode("latin-1").decode("unicode_escape")[:1] or "\0")
            return Literal(code, types.INT)
        text = node.value.rstrip("uUlL")
        suffix = node.value[len(text) :].lower()
        try:
            number = int(text, 8) if text.startswith("0") and text.isdigit() else int(text, 0)
        except ValueError:
            raise self._refuse(node.value, "is a constant that is not an integer") from None
        return Literal(number, literal_type(number, suffix, text.startswith("0")))

    def _field(self, node: Any) -> Expr:
        name = node.field.name
        base = self._value(node.name) if node.type == "->" else self._pointer_to(node.name)
        return Field(base, name, self.vocabulary.fields.get(name, types.UNKNOWN_VALUE))

    def _pointer_to(self, node: Any) -> Expr:
        """The address of an object (for `.` and `[]`), or a pointer's value."""
        value = self._value(node)
        match value:
            case Local(type=t) | Global(type=t) | Field(type=t) | Index(type=t) | Deref(type=t):
                if t.pointer:
                    return value
                if isinstance(value, Deref):
                    return value.base
                return AddressOf(value, types.POINTER)
            case _:
                return value

    def _statement_expression(self, node: Any) -> Expr:
        self.scopes.append({})
        items = node.block_items or []
        for item in items[:-1]:
            self._statement(item)
        value: Expr = Literal(0, types.INT)
        if items:
            value = self._value(items[-1])
        self.scopes.pop()
        return value
