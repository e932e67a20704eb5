# SPDX-License-Identifier: GPL-2.0-only
"""Assignments and calls: what an expression does besides having a value.

fault = handle_mm_fault(vma, address, flags, regs)    ->    %1 = handle_mm_fault(...)
                                                            fault = %1
"""

from __future__ import annotations

from typing import Any

from codegen.base.spans import Span
from codegen.frontend.syntax import c_ast
from codegen.ir import types
from codegen.ir.lowering.arithmetic import cast
from codegen.ir.lowering.initialisers import Initialisers
from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Call,
    Deref,
    Expr,
    Field,
    Global,
    Index,
    Literal,
    Local,
    LValue,
    PureCall,
)
from codegen.ir.vocabulary import Role


class Calls(Initialisers):
    """The fifth layer: each assignment and each call with an effect is an instruction."""

    def _assign(self, node: Any) -> Expr:
        span = self._statement_span(node)
        if isinstance(node.lvalue, c_ast.FuncCall):
            args = tuple(
                self._value(a) for a in (node.lvalue.args.exprs if node.lvalue.args else ())
            )
            name = node.lvalue.name.name if isinstance(node.lvalue.name, c_ast.ID) else "accessor"
            target: LValue = Deref(PureCall(f"&{name}", args, types.POINTER), types.UNKNOWN_VALUE)
        else:
            target = self._lvalue(node.lvalue)
        if node.op != "=":
            value = self._binary(node.op[:-1], target, self._value(node.rvalue))
        elif isinstance(target, Local) and isinstance(node.rvalue, c_ast.CompoundLiteral):
            literal = node.rvalue
            self._initialise(target, literal.type, literal.init.exprs or [], span)
            return target
        else:
            self._points_into(target, node.rvalue)
            value = self._converted(node.rvalue, target.type)
        if target.type.known or not isinstance(target, (Field, Global, Index, Deref)):
            value = cast(value, target.type)
        else:
            value = cast(value, types.UNKNOWN_VALUE)
        self._emit(Assign(target, value, span))
        return target

    def _call(self, node: Any, *, wanted: bool) -> Expr:
        span = self._statement_span(node)
        called = node.name
        while isinstance(called, c_ast.UnaryOp) and called.op == "*":
            called = called.expr
        match called:
            case c_ast.ID(name=word) if not self._is_variable(word):
                name = word
            case c_ast.ArrayRef(name=c_ast.ID(name=table)) if table in self.tables:
                return self._call_of_table(node, called, self.tables[table], wanted, span)
            case _:
                name = "(*" + _spelled(node.name) + ")"
                self.by_pointer.setdefault(name, span)
        args = tuple(self._argument(a) for a in (node.args.exprs if node.args else ()))
        if name not in self.defined and self.vocabulary.role(name) is Role.FAULT:
            args = _without_mm(args)
            if len(args) < 3:
                self._doubt(name, "is not given a VMA, an address and flags")
        ctype = self.defined.get(name) or self.vocabulary.result_type(name)
        if name not in self.defined and self.vocabulary.is_reading(name):
            return PureCall(name, args, ctype)
        result = None
        if wanted:
            if ctype.bits == 0:
                ctype = types.UNKNOWN_RESULT
            result = self._temporary(ctype)
        self._emit(Call(result, name, args, span))
        return result if result is not None else Literal(0, types.INT)

    def _call_of_table(
        self, node: Any, element: Any, table: tuple[str, ...], wanted: bool, span: Span
    ) -> Expr:
        """`table[i](x)`: a call of each function of the table, behind `i == 0`, `i == 1` ..."""
        index = self._value(element.subscript)
        args = tuple(self._argument(a) for a in (node.args.exprs if node.args else ()))
        ctype = self.defined.get(table[0], types.UNKNOWN_RESULT)
        result = self._temporary(ctype if ctype.bits else types.UNKNOWN_RESULT) if wanted else None
        done = self._new_label()
        for number, name in enumerate(table):
            if number < len(table) - 1:
                here, following = self._new_label(), self._new_label()
                test = self._binary("==", index, Literal(number, types.INT))
                self._branch(test, here, following, span, written=False)
                self._start(here)
            self._emit(Call(result, name, args, span))
            self._jump(done)
            if number < len(table) - 1:
                self._start(following)
        self._start(done)
        return result if result is not None else Literal(0, types.INT)

    def _is_variable(self, name: str) -> bool:
        return any(name in scope for scope in self.scopes)

    def _argument(self, node: Any) -> Expr:
        value = self._value(node)
        if isinstance(value, (Local, Global)) and value.type.record:
            return AddressOf(value, types.POINTER)
        return value


def _without_mm(args: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The arguments of handle_mm_fault() as today's order has them: VMA, address, flags.

    Up to 4.7 the mm came first, and the VMA (a pointer, where an address is a
    number) second (include/linux/mm.h).
    """
    old = len(args) == 4 and args[1].type.pointer and not args[3].type.pointer
    return args[1:] if old else args


def _spelled(node: Any) -> str:
    match node:
        case c_ast.ID():
            return str(node.name)
        case c_ast.StructRef():
            return f"{_spelled(node.name)}{node.type}{node.field.name}"
        case c_ast.ArrayRef():
            return f"{_spelled(node.name)}[]"
        case c_ast.UnaryOp():
            return f"{node.op}{_spelled(node.expr)}"
        case _:
            return "expression"
