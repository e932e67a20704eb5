# SPDX-License-Identifier: GPL-2.0-only
"""What a walk keeps of the statements that it meets, comments and all.

Behind the outcome every statement is kept with what is known filled in; a walk
that learns the decode keeps what decides flags and mask.
"""

from __future__ import annotations

from codegen.base.diagnostics import RefusalCode
from codegen.base.spans import Span
from codegen.csyntax.identifiers import words_in
from codegen.csyntax.nodes import Statement, StatementKind
from codegen.ir.vocabulary import Role
from codegen.targets.c.evaluate import Evaluator
from codegen.targets.c.expr import Assign, Call, Opaque
from codegen.targets.c.route import Decision, arms_of
from codegen.targets.c.scene import Atom, Scenario, Setup, one_pair
from codegen.targets.c.source import JUMPS, READ_SIDE, Body, HandlerFile, assigned_names, every
from codegen.targets.c.steps import Line, Pieces, Step, plain


class Keeper(Evaluator):
    """The steps and events of one run."""

    def __init__(self, file: HandlerFile, handler: Body, scenario: Scenario, setup: Setup) -> None:
        super().__init__(file, scenario, setup)
        self.handler = handler
        self.steps: list[Step] = []
        self.events: list[Decision | Step] = []
        self.pending: tuple[str, ...] = ()
        self.serials = 0
        self.absorptions = 0
        self.check_comments: dict[str, tuple[str, ...]] = {}
        self.passed: list[Span] = []

    def decide(self, atom: Atom) -> bool:
        """Takes an open condition one way, and notes it where that is the decode's."""
        taken = super().decide(atom)
        if (self.decoding or self.growing) and not any(
            isinstance(e, Decision) and e.key == atom.key for e in self.events
        ):
            s = self._statement_at
            remark = self._remark(s) if s is not None and s.head is not None else ""
            text = _unwrapped_text(" ".join(plain(atom.pieces).split()))
            span = s.span if s is not None else self.handler.text.name_span
            self.events.append(Decision(atom.key, text, taken, span, remark))
        return taken

    _statement_at: Statement | None = None

    def _remark(self, s: Statement) -> str:
        """A comment beside the head of an if, on its line."""
        tree = self.frame.body.tree
        assert s.head is not None
        newline = tree.source.text.find("\n", s.head.end)
        for comment in tree.comments:
            if s.head.end <= comment.start < newline and comment.end <= newline:
                return tree.source.slice(comment)
        return ""

    def _note_comments(self, s: Statement, taken: bool, is_check: bool) -> None:
        """What the source says of a check: above it, or beside the `else` that leads to it."""
        if is_check and (self.frame.serial or s not in self.handler.statements):
            mask = self.checks[-1][0]
            self.check_comments[mask] = self._comments(s) or self.check_comments.get("", ())
        if not is_check and not taken and len(arms_of(s)) > 1:
            other = self._else(s)
            first = other.children[0].span.start if other.children else other.span.end
            source = self.frame.body.tree.source
            beside = [
                c for c in self.frame.body.tree.comments if other.span.start < c.start < first
            ]
            if beside and "\n" not in source.text[other.span.start : beside[0].start]:
                self.check_comments[""] = tuple(source.slice(c) for c in beside)

    def _else(self, s: Statement) -> Statement:
        return next(c for c in s.children if c.kind is StatementKind.ELSE)

    def _plain_or_refuse(self, s: Statement) -> None:
        """Keeps a statement whole, or leaves it out; refuses one with the dance in it."""
        if not self.is_plain(s):
            raise self.refuse(RefusalCode.SHAPE, "the dance runs through this", s.span)
        if self.after or self.decoding:
            self._emit_text(s)
        else:
            for name in assigned_names(self.frame.body.tree, s.span):
                self.frame.env[name] = None
                self.forget(name)

    def is_plain(self, s: Statement) -> bool:
        """Whether a statement can be kept or left out whole: no jump, no dance, nothing known."""
        tree = self.frame.body.tree
        if any(inner.kind in JUMPS for inner in every((s,))):
            return False
        if self.file.has_role(tree, s.span, READ_SIDE):
            return False
        names = words_in(tree, s.span)
        if self.frame.serial and any(n in self.frame.alias for n in names):
            return all(plain(self.frame.alias[n]) == n for n in names if n in self.frame.alias)
        gone = [n for n in names if self.vanishes(n)]
        return not gone and "vm_flags" not in names

    def _emit(self, step: Step) -> None:
        if self.decoding:
            self.events.append(step)
        else:
            self.steps.append(step)

    def _emit_text(self, s: Statement, *, oom: bool = False, skip: str = "") -> None:
        comments = self._take_comments(s)
        tree = self.frame.body.tree
        verbatim = s.kind not in (StatementKind.EXPRESSION, StatementKind.DECLARATION)
        if verbatim:
            text = tree.source.slice(Span(tree.line_span(s.span).start, s.span.end))
            self._emit(Line((text,), comments, oom, True))
            return
        node = self.file.expression(tree, s.span)
        if s.kind is StatementKind.DECLARATION or isinstance(node, Opaque):
            if not self.is_plain(s):
                raise self.refuse(RefusalCode.SHAPE, "the dance runs through this", s.span)
            pieces: Pieces = (tree.source.slice(s.span),)
        elif isinstance(node, Assign) and skip:
            value = self.pieces(node.value, strict=self.after)
            head = tree.source.text[s.span.start : node.value.span.start]
            pieces = (head, *value, ";")
        else:
            role = self.file.role(node.name) if isinstance(node, Call) else None
            self.printing = self.after and role is Role.PRINT
            found = self.pieces(node)
            self.printing = False
            pieces = (*found, tree.source.text[node.span.end : s.span.end])
        self._emit(Line(tuple(p for p in pieces if p != ""), comments, oom))

    def _comments(self, s: Statement) -> tuple[str, ...]:
        source = self.frame.body.tree.source
        found = tuple(source.slice(c) for c in s.leading_comments)
        if self.after and self.scenario.mode:
            # What it says of kernel mode is the helper's business now.
            found = tuple(c for c in found if "kernel" not in c.lower())
        return found

    def _take_comments(self, s: Statement) -> tuple[str, ...]:
        own = self._comments(s) or self.pending
        self.pending = ()
        return own


def _unwrapped_text(text: str) -> str:
    """A condition without parentheses around the whole of it."""
    while text.startswith("(") and text.endswith(")") and one_pair(text):
        text = text[1:-1].strip()
    return text
