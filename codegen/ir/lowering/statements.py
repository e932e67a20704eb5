# SPDX-License-Identifier: GPL-2.0-only
"""Statements in order, scope by scope."""

from __future__ import annotations

from typing import Any

from codegen.frontend.syntax import c_ast
from codegen.ir.lowering.control import Control
from codegen.ir.nodes import (
    Assign,
    Expr,
    Global,
    Local,
    Return,
)


class Statements(Control):
    """The top layer: any statement, and the variables that it declares."""

    def _statement(self, node: Any) -> None:
        if node is None:
            return
        if node.coord is not None:
            self.here = self._span(node)
        match node:
            case c_ast.Compound():
                self.scopes.append({})
                for item in node.block_items or ():
                    self._statement(item)
                self.scopes.pop()
            case c_ast.Decl():
                self._declaration(node)
            case c_ast.DeclList():
                for item in node.decls:
                    self._statement(item)
            case c_ast.If():
                self._if(node)
            case c_ast.While():
                self._loop(None, node.cond, None, node.stmt, node, test_first=True)
            case c_ast.DoWhile():
                self._loop(None, node.cond, None, node.stmt, node, test_first=False)
            case c_ast.For():
                self._loop(node.init, node.cond, node.next, node.stmt, node, test_first=True)
            case c_ast.Switch():
                self._switch(node)
            case c_ast.Case() | c_ast.Default():
                self._case(node)
            case c_ast.Label():
                self._continue_at(node.name)
                self._statement(node.stmt)
            case c_ast.Goto():
                self._jump(node.name)
                self._start(self._new_label())
            case c_ast.Break():
                self._leave(self.breaks)
            case c_ast.Continue():
                self._leave(self.continues)
            case c_ast.Return():
                span = self._statement_span(node)
                value: Expr | None = None
                if node.expr is not None:
                    value = self._converted(node.expr, self.returns)
                    value = value if self.returns.bits else None
                if self.block.terminator is None:
                    self.block.terminator = Return(value, span)
                self._start(self._new_label())
            case c_ast.EmptyStatement() | c_ast.Pragma() | c_ast.StaticAssert():
                pass
            case c_ast.Typedef() | c_ast.Struct() | c_ast.Union() | c_ast.Enum():
                pass
            case _:
                self._effects(node)

    def _declaration(self, node: Any) -> None:
        name = node.name
        if name is None or "extern" in node.storage or isinstance(node.type, c_ast.FuncDecl):
            return
        ctype = self._type(node.type)
        if "static" in node.storage:
            self.scopes[-1][name] = Global(name, ctype)
            return
        unique = name
        number = 1
        taken = {local.name for local in self.locals} | {
            v.name for s in self.scopes for v in s.values() if isinstance(v, Local)
        }
        while unique in taken:
            number += 1
            unique = f"{name}.{number}"
        local = Local(unique, ctype)
        self.locals.append(local)
        self.scopes[-1][name] = local
        if isinstance(node.type, c_ast.ArrayDecl):
            self.arrays.add(unique)
        if node.init is None:
            return
        self._points_into(local, node.init)
        span = self._statement_span(node)
        match node.init:
            case c_ast.InitList(exprs=items):
                self._initialise(local, node.type, items or [], span)
            case c_ast.CompoundLiteral(type=literal, init=c_ast.InitList(exprs=items)):
                self._initialise(local, literal, items or [], span)
            case _:
                self._emit(Assign(local, self._converted(node.init, ctype), span))
