# SPDX-License-Identifier: GPL-2.0-only
"""Conditions and whatever else decides which way control goes: `&&`, `||`, `!`, `?:`.

An operand without an effect stays in its expression; one with an effect becomes
branches (`a && fixup(regs)`).
"""

from __future__ import annotations

from typing import Any

from codegen.base.spans import Span
from codegen.frontend.rewrite import SAME_WORD
from codegen.frontend.syntax import c_ast
from codegen.ir import types
from codegen.ir.lowering.arithmetic import cast, joined
from codegen.ir.lowering.draft import Draft
from codegen.ir.nodes import (
    Assign,
    Conditional,
    Expr,
    Jump,
    Literal,
    Local,
)


class Logic(Draft):
    """The second layer: expressions that may have to become branches."""

    def _condition(
        self, node: Any, then: str, otherwise: str, span: Span, written: bool = True
    ) -> None:
        """Branches on a condition, operand by operand where an operand has an effect."""
        if not self._pure(node):
            match node:
                case c_ast.BinaryOp(op="&&"):
                    middle = self._new_label()
                    self._condition(node.left, middle, otherwise, span, written=False)
                    self._start(middle)
                    self._condition(node.right, then, otherwise, span, written=False)
                    return
                case c_ast.BinaryOp(op="||"):
                    middle = self._new_label()
                    self._condition(node.left, then, middle, span, written=False)
                    self._start(middle)
                    self._condition(node.right, then, otherwise, span, written=False)
                    return
                case c_ast.UnaryOp(op="!"):
                    self._condition(node.expr, otherwise, then, span, written=False)
                    return
        value = self._value(node)
        self._branch(value, then, otherwise, span, written)

    def _pure(self, node: Any) -> bool:
        """Whether evaluating the expression has no effect of its own."""
        match node:
            case c_ast.Assignment() | c_ast.Compound():
                return False
            case c_ast.UnaryOp(op="sizeof" | "_Alignof"):
                return True
            case c_ast.UnaryOp():
                return node.op not in ("++", "--", "p++", "p--") and self._pure(node.expr)
            case c_ast.FuncCall():
                name = node.name.name if isinstance(node.name, c_ast.ID) else ""
                if name in self.defined or not self.vocabulary.is_reading(name):
                    return False
                return all(self._pure(a) for a in (node.args.exprs if node.args else ()))
            case c_ast.BinaryOp():
                return self._pure(node.left) and self._pure(node.right)
            case c_ast.TernaryOp():
                return all(self._pure(n) for n in (node.cond, node.iftrue, node.iffalse))
            case c_ast.Cast():
                return self._pure(node.expr)
            case c_ast.StructRef():
                return self._pure(node.name)
            case c_ast.ArrayRef():
                return self._pure(node.name) and self._pure(node.subscript)
            case c_ast.ExprList():
                return all(self._pure(n) for n in node.exprs)
            case _:
                return True

    def _by_branches(self, node: Any) -> Expr:
        """The value of a logical expression whose operands have effects."""
        result = self._temporary(types.INT)
        then, otherwise, done = self._new_label(), self._new_label(), self._new_label()
        span = self._span(node)
        self._condition(node, then, otherwise, span, written=False)
        for label, number in ((then, 1), (otherwise, 0)):
            self._start(label)
            self._emit(Assign(result, Literal(number, types.INT), span))
            self._jump(done)
        self._start(done)
        return result

    def _ternary(self, node: Any) -> Expr:
        same = isinstance(node.iftrue, c_ast.ID) and node.iftrue.name == SAME_WORD
        if same:
            condition = self._value(node.cond)
            if not isinstance(condition, Local):
                keep = self._temporary(condition.type)
                self._emit(Assign(keep, condition, self._span(node)))
                condition = keep
            if self._pure(node.iffalse):
                otherwise = self._value(node.iffalse)
                return Conditional(
                    condition, condition, otherwise, joined(condition.type, otherwise.type)
                )
        elif self._pure(node):
            condition = self._value(node.cond)
            then, otherwise = self._value(node.iftrue), self._value(node.iffalse)
            return Conditional(condition, then, otherwise, joined(then.type, otherwise.type))
        labels = [self._new_label() for _ in range(3)]
        span = self._span(node)
        if same:
            self._branch(condition, labels[0], labels[1], span, written=False)
        else:
            self._condition(node.cond, labels[0], labels[1], span, written=False)
        self._start(labels[0])
        then = condition if same else self._value(node.iftrue)
        then_block = self.block
        self._start(labels[1])
        otherwise = self._value(node.iffalse)
        result = self._temporary(joined(then.type, otherwise.type))
        self._emit(Assign(result, cast(otherwise, result.type), span))
        self._jump(labels[2])
        then_block.instructions.append(Assign(result, cast(then, result.type), span))
        if then_block.terminator is None:
            then_block.terminator = Jump(labels[2])
        self._start(labels[2])
        return result
