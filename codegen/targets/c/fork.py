# SPDX-License-Identifier: GPL-2.0-only
"""Statements with others inside: what an `if`, a `switch` or an `#if` leaves of its arms."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from codegen.base.diagnostics import RefusalCode
from codegen.base.spans import Span
from codegen.csyntax.nodes import Statement, StatementKind
from codegen.ir.environment import Outcome
from codegen.ir.vocabulary import Role
from codegen.targets.c.expr import Assign, Call, Postfix, walk
from codegen.targets.c.route import (
    AtLabel,
    Breaks,
    Chain,
    Decision,
    GoesTo,
    Leaves,
    Returns,
    arms_of,
    chain_to,
)
from codegen.targets.c.scene import Atom
from codegen.targets.c.simple import Simple
from codegen.targets.c.source import every
from codegen.targets.c.steps import Branch, Exit, Leaving, Residual, plain
from codegen.targets.c.values import Bits, Value, same


class Forks(Simple):
    """Follows the arm that is taken, or keeps the fork where that is open."""

    def follow_list(self, statements: Sequence[Statement]) -> None:
        """Follows statements in order."""
        for statement in statements:
            self.statement(statement)

    def _leads_away(self, statements: Sequence[Statement]) -> bool:
        """Whether an arm of the handler leaves for good before the fault."""
        if self.frame.serial or self.after:
            return False
        if any(self.is_fault_statement(s) for s in statements):
            return False
        last = next(
            (s for s in reversed(statements) if s.kind is not StatementKind.DIRECTIVE), None
        )
        if last is None:
            return False
        if last.kind is StatementKind.COMPOUND:
            return self._leads_away(last.children)
        if last.kind is StatementKind.GOTO:
            return last.label not in self.setup.fault_labels
        return last.kind is StatementKind.RETURN

    def _if(self, s: Statement) -> None:
        if s.head is None:
            raise self.refuse(RefusalCode.SHAPE, "an if without a condition", s.span)
        arms = arms_of(s)
        then, otherwise = arms[0], arms[1] if len(arms) > 1 else ()
        if any(c.kind is StatementKind.DIRECTIVE for c in s.children):
            self._plain_or_refuse(s)
            return
        if self._guards_the_wait(s, then, otherwise):
            return
        tree = self.frame.body.tree
        condition = self.file.expression(tree, s.head)
        checked, was_after = len(self.checks), self.after
        around, self._statement_at = self._statement_at, s
        verdict = self.simplify(condition, decide=not self.after)
        self._statement_at = s
        if isinstance(verdict, Atom) and not self.after:
            verdict = self.decide(verdict)
        self._statement_at = around
        if isinstance(verdict, Atom):
            self._fork(s, verdict, then, otherwise)
            return
        arm = then if verdict else otherwise
        if self.decoding:
            self._note_comments(s, bool(verdict), len(self.checks) != checked)
        if len(self.checks) != checked and self.scenario.outcome is Outcome.ACCESS_DENIED:
            self.after = True
        if self._leads_away(arm):
            if self.decoding and len(self.checks) != checked and not self.setup.hoisted & {s.span}:
                raise self.refuse(
                    RefusalCode.NOT_A_MASK, "a VMA that has the bits is turned away", s.span
                )
            self._leave()
        above: tuple[str, ...] = ()
        if was_after and arm and self.scenario.mode:
            above = self._comments(s if verdict else self._else(s))[-1:]
            self.pending = above or self.pending
        absorbed = self.absorptions
        self.follow_list(arm)
        if above and self.pending == above and self.absorptions == absorbed:
            # It spoke of something that is gone.
            self.pending = ()

    def _guards_the_wait(
        self, s: Statement, then: Sequence[Statement], otherwise: Sequence[Statement]
    ) -> bool:
        """Whether the dance looks at the exception table here, to leave rather than wait or fault.

        The helper does that in its own way, and the comparison tells what of it
        differs (lock-wait).
        """
        if self.after or self.frame.serial or self.setup.dance is None or otherwise:
            return False
        if s.head is None or s.span.start < self.setup.dance or not self._leads_away(then):
            return False
        calls = self.file.calls_in(self.frame.body.tree, s.head)
        return any(self.file.role(word) is Role.KERNEL_READS for word in calls)

    def _fork(
        self, s: Statement, atom: Atom, then: Sequence[Statement], otherwise: Sequence[Statement]
    ) -> None:
        """An `if` behind the outcome that stays an `if`."""
        if self.is_plain(s) and not self._asks_mode(s):
            self._emit_text(s)
            return
        comments = self._take_comments(s)
        env = dict(self.frame.env)
        first = self._arm(then)
        env_first, self.frame.env = self.frame.env, env
        second = self._arm(otherwise)
        if first.exit is None and second.exit is None:
            for name in env_first.keys() | self.frame.env.keys():
                known = name in self.setup.vanishing or bool(self.frame.serial)
                if known and env_first.get(name) != self.frame.env.get(name):
                    raise self.refuse(
                        RefusalCode.SHAPE,
                        f"`{name}` depends on a condition that stays open",
                        s.head or s.span,
                    )
        elif second.exit is not None:
            self.frame.env = env_first
        if first == second == Residual() and not self._does_something(s):
            return
        self._emit(Branch(atom.pieces, first, second, comments))
        if first.exit is not None and second.exit is not None:
            raise Leaves(None)

    def _does_something(self, s: Statement) -> bool:
        """Whether a condition may do more than give a value."""
        assert s.head is not None
        node = self.file.expression(self.frame.body.tree, s.head)
        silent = (Role.PURE, Role.USER_MODE, Role.KERNEL_READS, Role.IGNORE)
        return any(
            isinstance(p, Assign | Postfix)
            or (
                isinstance(p, Call)
                and p.name not in ("likely", "unlikely")
                and self.file.role(p.name) not in silent
            )
            for p in walk(node)
        )

    def _asks_mode(self, s: Statement) -> bool:
        before = self.mode_seen
        for inner in every((s,)):
            if inner.head is not None and inner.kind is StatementKind.IF:
                self.known(self.file.expression(self.frame.body.tree, inner.head))
        return self.mode_seen != before

    def _arm(self, statements: Sequence[Statement]) -> Residual:
        saved, self.steps = self.steps, []
        serial = self.frame.serial
        try:
            try:
                self.follow_list(statements)
                return Residual(tuple(self.steps), None)
            except (GoesTo, Returns) as jump:
                if serial:
                    raise self.refuse(
                        RefusalCode.SHAPE,
                        "a helper returns out of a condition that stays open",
                        self.frame.body.text.name_span,
                    ) from None
                if isinstance(jump, Returns):
                    return Residual(tuple(self.steps), Exit(Leaving.RETURN, jump.pieces))
                chain = chain_to(self.handler.statements, jump.label)
                if chain is None:
                    raise
                return self._to_the_end(chain)
            except Leaves as left:
                return Residual(tuple(self.steps), left.exit)
            except AtLabel as at:
                return Residual(tuple(self.steps), self._settle(at.label))
        finally:
            self.steps = saved

    def _switch(self, s: Statement) -> None:
        tree = self.frame.body.tree
        if s.head is None or len(s.children) != 1:
            raise self.refuse(RefusalCode.SHAPE, "a switch of a shape not understood", s.span)
        if any(
            c.kind in (StatementKind.DIRECTIVE, StatementKind.PREPROC_GROUP)
            for c in every(s.children)
        ):
            self._plain_or_refuse(s)
            return
        body = s.children[0].children
        subject = self.file.expression(tree, s.head)
        known = self.value(subject)
        groups = self._groups(body)
        if known is None and self.after:
            self._plain_or_refuse(s)
            return
        options: list[tuple[tuple[str, ...], int]] = []
        name = self.key(subject)
        every_label = [label for labels, _ in groups for label in labels if label != "default"]
        for labels, at in groups:
            if known is not None:
                verdicts = [same(known, self._label_value(label)) for label in labels]
                if True in verdicts:
                    options = [(labels, at)]
                    break
                if None in verdicts and labels != ("default",) and not isinstance(known, Bits):
                    raise self.refuse(RefusalCode.SHAPE, "which case is taken is not clear", s.head)
                continue
            facts = [self.facts.get(f"{name}=={label}") for label in labels]
            if True in facts:
                options = [(labels, at)]
                break
            if "default" in labels or facts.count(False) < len(labels):
                options.append((labels, at))
        default = [(labels, at) for labels, at in groups if "default" in labels]
        if known is not None and not options:
            options = default or [((), len(body))]
        if (
            known is None
            and not default
            and not any(self.facts.get(f"{name}=={label}") for label in every_label)
        ):
            options.append(((), len(body)))
        taken = options[self.choose(len(options)) if len(options) > 1 else 0]
        if len(options) > 1:
            open_labels = {label for labels, _ in options for label in labels}
            for label in every_label:
                self.facts[f"{name}=={label}"] = (label,) == taken[0]
                if label in taken[0] and len(taken[0]) > 1:
                    del self.facts[f"{name}=={label}"]
            if self.decoding:
                shown = tuple(label for label in taken[0] if label in open_labels)
                text = " ".join(plain(self.pieces(subject, strict=False)).split())
                self.events.append(Decision(name, text, True, s.span, "", shown))
        with suppress(Breaks):
            self.follow_list(body[taken[1] :])

    def _label_value(self, label: str) -> Value | None:
        return self._named(label) if label.isidentifier() else None

    def _groups(self, body: Sequence[Statement]) -> list[tuple[tuple[str, ...], int]]:
        """The labels of each arm of a switch, and where its statements start."""
        tree = self.frame.body.tree
        groups: list[tuple[tuple[str, ...], int]] = []
        labels: list[str] = []
        for i, statement in enumerate(body):
            if statement.kind is StatementKind.CASE:
                head = statement.head
                is_default = head is None
                labels.append(
                    "default" if is_default else self.file.text_of(tree, head or Span(0, 0))
                )
                following = body[i + 1] if i + 1 < len(body) else None
                if following is None or following.kind is not StatementKind.CASE:
                    groups.append((tuple(labels), i + 1))
                    labels = []
        return groups

    def _conditional(self, s: Statement) -> None:
        """`#if` ... `#endif` among the statements."""
        if self.after or (self.decoding and self.is_plain(s)):
            self._plain_or_refuse(s)
            return
        # A part of the dance (`#ifdef CONFIG_DEBUG_VM` in the waiting for the
        # lock) may go, if the decode is the same with and without it.
        arms: list[list[Statement]] = []
        kinds = []
        for child in s.children:
            if child.kind is StatementKind.DIRECTIVE:
                kinds.append(self.frame.body.tree.source.slice(child.span).lstrip("# \t"))
                arms.append([])
            elif arms:
                arms[-1].append(child)
        arms.pop()
        if not any(k.startswith("else") for k in kinds):
            arms.append([])
        self.follow_list(arms[self.choose(len(arms))])

    def _to_the_end(self, chain: Chain) -> Residual:
        """Follows the handler to its end; `Walker` does."""
        raise NotImplementedError

    def _settle(self, label: str) -> Exit:
        """The exit to a label that stays; `Walker` finds it."""
        raise NotImplementedError
