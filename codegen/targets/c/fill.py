# SPDX-License-Identifier: GPL-2.0-only
"""A piece of the handler's text with everything filled in that will not be there any more.

force_sig_fault(sig, si_code, addr);  -->  force_sig_fault(SIGBUS, BUS_ADRERR, addr);
"""

from __future__ import annotations

from codegen.base.diagnostics import RefusalCode, RefusedError
from codegen.base.spans import Span
from codegen.targets.c.expr import Assign, Cast, Expr, Name, Opaque, Paren, bare, children
from codegen.targets.c.scene import Frame, Scenario, Setup, key_of
from codegen.targets.c.source import HandlerFile, mentioned
from codegen.targets.c.steps import Hole, Pieces, plain
from codegen.targets.c.values import Bits, Value, spelled


class Filler:
    """The state of one run, and its texts; `Evaluator` adds what expressions are worth."""

    def __init__(self, file: HandlerFile, scenario: Scenario, setup: Setup) -> None:
        self.file, self.scenario, self.setup = file, scenario, setup
        self.constants = file.program.constants
        self.facts: dict[str, bool] = {}
        self.memo: dict[tuple[int, Span], Value | None] = {}
        self.frames: list[Frame] = []
        self.after = False  # the outcome has happened
        self.checks: list[tuple[str, int | None]] = []
        self.mode_seen = 0
        self.address: str | None = None
        self.page_address: str | None = None
        self.fault_args: tuple[str, ...] = ()
        self.choices: list[tuple[int, int]] = []
        self.position = 0
        self.printing = False  # a message may tell the helper's result in place of the mm's
        self.growing = False  # the VMA lies above the address, a stack may have to grow

    @property
    def frame(self) -> Frame:
        """The function that is being followed."""
        return self.frames[-1]

    @property
    def decoding(self) -> bool:
        """Whether the walk is there to learn the decode."""
        return self.scenario.outcome is None

    def refuse(self, code: RefusalCode, reason: str, span: Span) -> RefusedError:
        """A refusal at a place of the current frame (the handler's own call if it is a model)."""
        for frame in reversed(self.frames):
            if frame.body.tree is self.file.tree:
                where = span if frame is self.frame else frame.body.text.name_span
                return self.file.refuse(code, reason, where)
        return self.file.refuse(code, reason, self.frames[0].body.text.name_span)

    def choose(self, arity: int) -> int:
        """The next open decision: each is taken every way, one run after the other."""
        if self.position == len(self.choices):
            self.choices.append((0, arity))
        index, _ = self.choices[self.position]
        self.position += 1
        return index

    def key(self, node: Expr) -> str:
        """What a condition is remembered by, in the handler's own names."""
        return key_of(plain(self.pieces(bare(node), strict=False)))

    def pieces(self, node: Expr, *, strict: bool = True) -> Pieces:
        """The text of an expression with everything that will vanish filled in."""
        found: list[tuple[Span, Pieces]] = []
        self._substitute(node, found, strict)
        return self.splice(node.span, found)

    def splice(self, span: Span, found: list[tuple[Span, Pieces]]) -> Pieces:
        """The source text of `span` with parts of it replaced."""
        text = self.frame.body.tree.source.text
        out: list[str | Hole] = []
        pos = span.start
        for place, pieces in sorted(found, key=lambda f: f[0]):
            out.append(text[pos : place.start])
            out.extend(pieces)
            pos = place.end
        out.append(text[pos : span.end])
        return tuple(p for p in out if p != "")

    def vanishes(self, name: str) -> bool:
        """Whether a variable's value here comes from code that the conversion takes away."""
        if self.frame.serial == 0:
            return name in self.setup.vanishing
        return name in self.frame.env or name in self.frame.locals

    def _substitute(self, node: Expr, found: list[tuple[Span, Pieces]], strict: bool) -> None:
        gone = {n for n in mentioned(node) if self.vanishes(n)}
        if gone and not isinstance(node, Paren | Cast):
            value = self.value(node) if not isinstance(node, Assign | Opaque) else None
            text = spelled(value) if value is not None else None
            alias = self.frame.alias.get(node.text) if isinstance(node, Name) else None
            if isinstance(node, Name) and alias is not None and (text is None or len(alias) == 1):
                found.append((node.span, alias))
                return
            if text is not None:
                found.append((node.span, (Hole(text),)))
                return
            if isinstance(node, Name):
                if self.printing and isinstance(value, Bits) and value.inside:
                    found.append((node.span, (Hole(self.setup.result),)))
                    return
                if strict and (value is not None or self.frame.serial):
                    raise self.refuse(
                        RefusalCode.SHAPE,
                        f"`{node.text}` is used after the fault has been dealt with, "
                        "and nothing outside the helper knows it",
                        node.span,
                    )
                return
        for child in children(node):
            self._substitute(child, found, strict)

    def value(self, node: Expr) -> Value | None:
        """What is known of an expression; `Evaluator` tells."""
        raise NotImplementedError
