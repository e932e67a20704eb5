# SPDX-License-Identifier: GPL-2.0-only
"""`if`, loops and `switch` as blocks that branch."""

from __future__ import annotations

from typing import Any

from codegen.base.spans import Span
from codegen.frontend.rewrite import RANGE_WORD
from codegen.frontend.syntax import c_ast
from codegen.ir import types
from codegen.ir.lowering.arithmetic import cast
from codegen.ir.lowering.draft import OpenBlock
from codegen.ir.lowering.expressions import Expressions
from codegen.ir.nodes import (
    Assign,
    Binary,
    Expr,
    PureCall,
)


class Control(Expressions):
    """The seventh layer: statements that control which comes next."""

    def _if(self, node: Any) -> None:
        then, otherwise, done = self._new_label(), self._new_label(), self._new_label()
        span = self._head_span(node)
        self._condition(node.cond, then, otherwise if node.iffalse else done, span)
        self._start(then)
        self._statement(node.iftrue)
        self._jump(done)
        if node.iffalse is not None:
            self._start(otherwise)
            self._statement(node.iffalse)
            self._jump(done)
        self._start(done)

    def _loop(
        self, init: Any, cond: Any, step: Any, body: Any, node: Any, *, test_first: bool
    ) -> None:
        self.scopes.append({})
        if init is not None:
            self._statement(init)
        test, top, again, done = (self._new_label() for _ in range(4))
        self._jump(test if test_first else top)
        self._start(top)
        self.breaks.append(done)
        self.continues.append(again)
        self._statement(body)
        self.breaks.pop()
        self.continues.pop()
        self._continue_at(again)
        if step is not None:
            self._effects(step)
        self._continue_at(test)
        if cond is None:
            self._jump(top)
        else:
            match node:
                case c_ast.While():
                    span, written = self._head_span(node), True
                case c_ast.DoWhile() if isinstance(body, c_ast.Compound):
                    span, written = self._head_behind(body), True
                case _:
                    span, written = self._span(cond), False
            self._condition(cond, top, done, span, written)
        self._start(done)
        self.scopes.pop()

    def _switch(self, node: Any) -> None:
        span = self._head_span(node)
        value = self._value(node.cond)
        subject = self._temporary(types.promote(value.type))
        self._emit(Assign(subject, cast(value, subject.type), span))
        head, done = self.block, self._new_label()
        cases: list[tuple[Expr | None, str, str]] = []
        asked = " ".join(self.source.slice(span).split())
        if not asked.replace("_", "a").isalnum() and not _is_one_call(asked):
            asked = f"({asked})"
        self.switches.append({"cases": cases})
        self.breaks.append(done)
        self._start(self._new_label())
        self._statement(node.stmt)
        self._jump(done)
        self.breaks.pop()
        self.switches.pop()
        plain = (c for c, _, _ in cases if c is not None and not isinstance(c, PureCall))
        self.distinct.append(tuple(plain))
        default = next((label for value_, label, _ in cases if value_ is None), done)
        self.block = head
        for constant, label, written in cases:
            if constant is None:
                continue
            following = self._new_label()
            match constant:
                case PureCall(name=name, args=(low, high)) if name == RANGE_WORD:
                    above, below = (
                        self._binary(op, subject, end) for op, end in ((">=", low), ("<=", high))
                    )
                    test: Expr = Binary("&&", above, below, types.INT)
                    ends = written.split("...")
                    words = f"{asked} >= {ends[0].strip()} && {asked} <= {ends[-1].strip()}"
                case _:
                    test = self._binary("==", subject, constant)
                    words = f"{asked} == {written}"
            self._branch(test, label, following, span, written=False, words=words)
            self._insert_after(head, following)
            head = self.block
        self._jump(default)
        self._start(done)

    def _insert_after(self, block: OpenBlock, label: str) -> None:
        self.block = OpenBlock(label)
        self.blocks.insert(self.blocks.index(block) + 1, self.block)

    def _case(self, node: Any) -> None:
        if not self.switches:
            raise self._refuse("case", "stands outside of a switch")
        label = self._new_label()
        constant: Expr | None = None
        if isinstance(node, c_ast.Case):
            match node.expr:
                case c_ast.FuncCall(name=c_ast.ID(name=word)) if word == RANGE_WORD:
                    low, high = (self._value(n) for n in node.expr.args.exprs)
                    constant = PureCall(RANGE_WORD, (low, high), types.INT)
                case _:
                    constant = self._value(node.expr)
        self.switches[-1]["cases"].append((constant, label, self._case_words(node)))
        self._continue_at(label)
        for item in node.stmts or ():
            self._statement(item)

    def _case_words(self, node: Any) -> str:
        """What stands between `case` and `:`, a macro by its name."""
        if isinstance(node, c_ast.Default):
            return ""
        tokens = self.function.tokens
        first = self._index_of(node.expr)
        while first and tokens[first - 1].text != "case":
            first -= 1
        end = first
        while end + 1 < len(tokens) and tokens[end + 1].text != ":":
            end += 1
        spans = [t.span for t in tokens[first : end + 1]]
        written = Span(min(s.start for s in spans), max(s.end for s in spans))
        return " ".join(self.source.slice(written).split())

    def _leave(self, targets: list[str]) -> None:
        if not targets:
            raise self._refuse("break", "stands outside of a loop or switch")
        self._jump(targets[-1])
        self._start(self._new_label())


def _is_one_call(text: str) -> bool:
    """Whether C text is one call or one bracketed expression: `f(x)`, `(x)`, not `a & (b)`."""
    name, _, rest = text.partition("(")
    if not text.endswith(")") or (name and not name.isidentifier()):
        return False
    depth = 1
    for c in rest[:-1]:
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return False
    return True
