# SPDX-License-Identifier: GPL-2.0-only
"""Follows a handler's statements, in the source as it stands, under one scenario.

Up to the outcome nothing is kept (a decode walk keeps what decides flags and
mask); behind it every statement is, with what is known filled in, and without
the dance. A helper that takes part in the dance is specialised away; one that
only asks for the mode, and then makes a single call, is replaced by that call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from codegen.base.diagnostics import RefusalCode, RefusedError
from codegen.csyntax.nodes import Statement, StatementKind
from codegen.targets.c.expr import Assign, Name
from codegen.targets.c.fork import Forks
from codegen.targets.c.route import (
    AtLabel,
    Breaks,
    Chain,
    Decision,
    GoesTo,
    Leaves,
    Returns,
    chain_to,
)
from codegen.targets.c.scene import Cut, Denied, Frame, ReachedFault
from codegen.targets.c.simple import constant_of
from codegen.targets.c.source import assigned_names
from codegen.targets.c.steps import Exit, Leaving, Residual, Step
from codegen.targets.c.values import Value, same, spelled


@dataclass(frozen=True)
class Walk:
    """One run: what it met on the way (decode walks only), and what is left behind the outcome."""

    events: tuple[Decision | Step, ...]
    residual: Residual | None
    reached: bool
    checks: tuple[tuple[str, int | None], ...]
    walker: Walker = field(repr=False)


class Walker(Forks):
    """One run through the handler; `run_all` makes as many as there are open decisions."""

    def run(self, chain: Chain, choices: list[tuple[int, int]]) -> Walk | None:
        """One run from a place of the handler; None if it does not meet the outcome."""
        self.choices, self.position = choices, 0
        declared = set(self.setup.start)
        self.frames = [Frame(self.handler, 0, dict(self.setup.start), {}, declared)]
        reached = False
        residual: Residual | None = None
        try:
            residual = self._to_the_end(chain)
        except ReachedFault:
            reached = True
        except Denied:
            pass
        except Cut:
            return None
        except Breaks:
            raise self.refuse(
                RefusalCode.SHAPE, "a break out of nothing", self.handler.text.name_span
            ) from None
        if self.scenario.outcome is not None and not self.after and not reached:
            return None
        return Walk(tuple(self.events), residual, reached, tuple(self.checks), self)

    def _to_the_end(self, chain: Chain) -> Residual:
        """Follows the handler to its end; what is left of it."""
        depth = len(self.frames)
        try:
            self._function(chain)
            ending: Exit | None = Exit(Leaving.RETURN)
        except Returns as back:
            ending = Exit(Leaving.RETURN, back.pieces)
        except Leaves as left:
            ending = left.exit
        except AtLabel as at:
            del self.frames[depth:]
            ending = self._settle(at.label)
        return Residual(tuple(self.steps), ending)

    def _settle(self, label: str) -> Exit:
        """The exit to a label that stays; or to a later one, if nothing happens in between."""
        while True:
            env = dict(self.frames[0].env)
            saved, self.steps = self.steps, []
            pending, self.pending = self.pending, ()
            further = None
            try:
                chain = chain_to(self.handler.statements, label)
                assert chain is not None
                (statements, i), outer = chain[-1], chain[:-1]
                self._function((*outer, (statements, i + 1)))
            except AtLabel as at:
                further = at.label if not self.steps else None
            except (Returns, Leaves, RefusedError, Cut):
                pass
            self.steps, self.pending = saved, pending
            del self.frames[1:]
            if further is None or further == label:
                return Exit(Leaving.GOTO, (), label, self._settings(label, env))
            label = further

    def _settings(self, label: str, env: dict[str, Value | None]) -> tuple[tuple[str, str], ...]:
        """The locals that differ from what they are before the dance."""
        found: list[tuple[str, str]] = []
        live = self.setup.live.get(label, frozenset())
        for name in sorted(self.setup.vanishing & env.keys() & live):
            value, before = env[name], self.setup.start.get(name)
            text = spelled(value) if value is not None else None
            if text is not None and same(value, before) is not True:
                found.append((name, text))
            elif text is None and value is not None:
                raise self.file.refuse(
                    RefusalCode.SHAPE,
                    f"`{name}` is used behind a label that has to stay",
                    self.handler.text.name_span,
                )
        return tuple(found)

    def _function(self, chain: Chain) -> None:
        """Follows a function from a place to its end, jumps and all."""
        frame, hops = self.frame, 0
        while True:
            try:
                for statements, i in reversed(chain):
                    self.follow_list(statements[i:])
                return
            except GoesTo as jump:
                hops += 1
                del self.frames[self.frames.index(frame) + 1 :]
                target = chain_to(frame.body.statements, jump.label)
                if target is None or hops > 50:
                    raise self.refuse(
                        RefusalCode.SHAPE, "where this jump leads is not clear", jump.span
                    ) from None
                chain = target

    def constants_after(
        self, statements: Sequence[Statement], declared: Iterable[str]
    ) -> dict[str, Value | None]:
        """The constants that the handler's locals hold behind some straight code."""
        tree = self.handler.tree
        frame = Frame(self.handler, 0, dict.fromkeys(declared, None))
        self.frames = [frame]
        for s in statements:
            self.memo = {}
            if s.kind is StatementKind.DECLARATION:
                for d in self.file.declarators(tree, s):
                    if d.value is not None:
                        frame.env[d.name] = constant_of(self.file.expression(tree, d.value), self)
                continue
            node = None
            if s.kind is StatementKind.EXPRESSION:
                node = self.file.expression(tree, s.span)
            if isinstance(node, Assign) and node.op == "=" and isinstance(node.target, Name):
                frame.env[node.target.text] = constant_of(node.value, self)
                continue
            for name in assigned_names(tree, s.span):
                frame.env[name] = None
        return frame.env

    def statement(self, s: Statement) -> None:
        """Follows one statement."""
        self.memo = {}
        if self.decoding and s.span in self.setup.hoisted and self.frame.serial == 0:
            self.passed.append(s.span)
            return
        match s.kind:
            case StatementKind.COMPOUND:
                self.follow_list(s.children)
            case StatementKind.IF:
                self._if(s)
            case StatementKind.SWITCH:
                self._switch(s)
            case StatementKind.LABEL:
                if self.after and self.frame.serial == 0 and s.label in self.setup.kept_labels:
                    raise AtLabel(s.label)
            case StatementKind.GOTO:
                self._goto(s)
            case StatementKind.RETURN:
                self._return(s)
            case StatementKind.BREAK:
                raise Breaks
            case StatementKind.EXPRESSION:
                self._expression(s)
            case StatementKind.DECLARATION:
                self._declaration(s)
            case StatementKind.PREPROC_GROUP:
                self._conditional(s)
            case StatementKind.CASE | StatementKind.EMPTY | StatementKind.DIRECTIVE:
                pass
            case _:
                self._opaque(s)

    def _opaque(self, s: Statement) -> None:
        self._plain_or_refuse(s)
