# SPDX-License-Identifier: GPL-2.0-only
"""The graph while it is being filled, and the places in the text that it comes from."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codegen.base.diagnostics import Refusal, RefusalCode, RefusedError
from codegen.base.spans import SourceText, Span
from codegen.frontend.nodes import ParsedFunction
from codegen.ir import types
from codegen.ir.lowering.declared import declared_type
from codegen.ir.nodes import (
    Branch,
    Expr,
    Instruction,
    Jump,
    Local,
    LValue,
    Terminator,
)
from codegen.ir.types import CType
from codegen.ir.vocabulary import Vocabulary


@dataclass
class OpenBlock:
    """A block that is being filled; `terminator` None while control still falls through."""

    label: str
    instructions: list[Instruction] = field(default_factory=list)
    terminator: Terminator | None = None


class Draft(abc.ABC):
    """The lowest layer: blocks, temporaries, scopes, spans, and how a construct is refused."""

    def __init__(
        self,
        function: ParsedFunction,
        source: SourceText,
        vocabulary: Vocabulary,
        constants: dict[str, int],
        defined: dict[str, CType],
        tables: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.function = function
        self.source = source
        self.vocabulary = vocabulary
        self.constants = constants
        self.defined = defined
        self.tables = tables
        self.pointed_at = False
        self.by_pointer: dict[str, Span] = {}
        self.blocks: list[OpenBlock] = []
        self.block = self._start(".entry")
        self.scopes: list[dict[str, LValue]] = [{}]
        self.locals: list[Local] = []
        self.temporaries = 0
        self.breaks: list[str] = []
        self.continues: list[str] = []
        self.switches: list[dict[str, list[tuple[Expr | None, str, str]]]] = []
        self.distinct: list[tuple[Expr, ...]] = []
        self.returns = types.VOID
        self.here = function.span
        self.doubts: list[Refusal] = []
        self.arrays: set[str] = set()
        self.into: set[str] = set()
        self.indexed: dict[str, Span] = {}

    def _last_span(self) -> Span:
        return self.function.tokens[-1].span

    def _refuse(self, construct: str, reason: str) -> RefusedError:
        return RefusedError(self._refusal(construct, reason))

    def _refusal(self, construct: str, reason: str) -> Refusal:
        path, line = self.source.path, self.source.line(self.here.start)
        return Refusal(RefusalCode.UNREADABLE, reason, construct, path, line)

    def _doubt(self, construct: str, reason: str) -> None:
        """What would be read wrongly; it matters only where the function is followed."""
        self.doubts.append(self._refusal(construct, reason))

    def _start(self, label: str) -> OpenBlock:
        self.block = OpenBlock(label)
        self.blocks.append(self.block)
        return self.block

    def _new_label(self) -> str:
        self.temporaries += 1
        return f".{self.temporaries}"

    def _jump(self, label: str) -> None:
        if self.block.terminator is None:
            self.block.terminator = Jump(label)

    def _continue_at(self, label: str) -> None:
        """Falls through into a new block that `label` names."""
        self._jump(label)
        self._start(label)

    def _emit(self, instruction: Instruction) -> None:
        if self.block.terminator is not None:
            self._start(self._new_label())
        self.block.instructions.append(instruction)

    def _branch(
        self,
        condition: Expr,
        then: str,
        otherwise: str,
        span: Span,
        written: bool = True,
        words: str | None = None,
    ) -> None:
        if self.block.terminator is None:
            self.block.terminator = Branch(condition, then, otherwise, span, written, words)

    def _temporary(self, ctype: CType) -> Local:
        self.temporaries += 1
        local = Local(f"%{self.temporaries}", ctype)
        self.locals.append(local)
        return local

    def _index_of(self, node: Any) -> int:
        if node is None or node.coord is None:
            return 0
        return self.function.index(node.coord)

    def _span(self, node: Any) -> Span:
        return self.function.tokens[self._index_of(node)].span

    def _statement_span(self, node: Any) -> Span:
        """From a statement's first token to the `;` that ends it."""
        tokens = self.function.tokens
        start = i = self._index_of(node)
        depth = 0
        while i < len(tokens):
            text = tokens[i].text
            if text in "([{":
                depth += 1
            elif text in ")]}":
                depth -= 1
                if depth < 0:
                    break
            elif text == ";" and depth == 0:
                break
            i += 1
        i = min(i, len(tokens) - 1)
        return Span(
            min(tokens[start].span.start, tokens[i].span.start),
            max(tokens[i].span.end, tokens[start].span.end),
        )

    def _head_behind(self, body: Any) -> Span:
        """What stands between the parentheses behind a compound statement."""
        tokens = self.function.tokens
        end, depth = self._index_of(body), 0
        while end < len(tokens):
            depth += (tokens[end].text == "{") - (tokens[end].text == "}")
            if depth == 0:
                break
            end += 1
        return self._in_parentheses(end, body)

    def _head_span(self, node: Any) -> Span:
        """What stands between the parentheses behind the keyword at `node`."""
        return self._in_parentheses(self._index_of(node), node)

    def _in_parentheses(self, start: int, node: Any) -> Span:
        tokens = self.function.tokens
        while start < len(tokens) and tokens[start].text != "(":
            start += 1
        depth, end = 0, start
        while end < len(tokens):
            if tokens[end].text == "(":
                depth += 1
            elif tokens[end].text == ")":
                depth -= 1
                if depth == 0:
                    break
            end += 1
        inner = tokens[start + 1 : end]
        if not inner:
            return self._span(node)
        return Span(min(t.span.start for t in inner), max(t.span.end for t in inner))

    def _type(self, node: Any) -> CType:
        """The type that a declarator spells."""
        return declared_type(node, self.vocabulary.typenames)

    @abc.abstractmethod
    def _value(self, node: Any) -> Expr:
        """The value of an expression, its effects emitted."""

    @abc.abstractmethod
    def _statement(self, node: Any) -> None:
        """Emits a statement."""
