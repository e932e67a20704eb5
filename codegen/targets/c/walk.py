# SPDX-License-Identifier: GPL-2.0-only
"""Follows a handler's statements, in the source as it stands, under one scenario.

Up to the outcome nothing is kept (a decode walk keeps what decides flags and
mask); behind it every statement is, with what is known filled in, and without
the dance. A helper that takes part in the dance is specialised away; one that
only asks for the mode, and then makes a single call, is replaced by that call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from codegen.base.diagnostics import RefusalCode, RefusedError
from codegen.base.spans import Span
from codegen.csyntax.identifiers import words_in
from codegen.csyntax.nodes import Statement, StatementKind
from codegen.ir.environment import Outcome
from codegen.ir.vocabulary import Role
from codegen.targets.c.evaluate import (
    MAX_DEPTH,
    Atom,
    Cut,
    Denied,
    Evaluator,
    Frame,
    ReachedFault,
    Scenario,
    Setup,
    one_pair,
)
from codegen.targets.c.expr import Assign, Call, Expr, Member, Name, Opaque, Postfix, bare, walk
from codegen.targets.c.source import (
    JUMPS,
    READ_SIDE,
    Body,
    HandlerFile,
    assigned_names,
    every,
)
from codegen.targets.c.steps import (
    Branch,
    Exit,
    Leaving,
    Line,
    Pieces,
    Residual,
    Step,
    plain,
)
from codegen.targets.c.values import Bits, Value, Vma, same, spelled

Chain = tuple[tuple[tuple[Statement, ...], int], ...]
_SILENT = frozenset((Role.ACCOUNTING, Role.IGNORE))


@dataclass(frozen=True, slots=True)
class Decision:
    """An open condition on the way to the fault, and which way a walk took.

    For a switch `labels` are those of the arm taken (`default`, or none where
    no label fits), `key` its subject.
    """

    key: str
    text: str
    taken: bool
    span: Span
    remark: str = ""
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Walk:
    """One run: what it met on the way (decode walks only), and what is left behind the outcome."""

    events: tuple[Decision | Step, ...]
    residual: Residual | None
    reached: bool
    checks: tuple[tuple[str, int | None], ...]
    walker: Walker = field(repr=False)


class _Goto(Exception):
    def __init__(self, label: str, span: Span) -> None:
        super().__init__(label)
        self.label, self.span = label, span


class _Return(Exception):
    def __init__(self, value: Value | None, pieces: Pieces) -> None:
        super().__init__()
        self.value, self.pieces = value, pieces


class _Break(Exception):
    pass


class _Left(Exception):
    """Control has left for good."""

    def __init__(self, ending: Exit | None) -> None:
        super().__init__()
        self.exit = ending


class _AtLabel(Exception):
    """The walk has come to a label that stays."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


def chain_to(statements: Sequence[Statement], label: str) -> Chain | None:
    """Where a label is: the list of statements that holds it, and those around it."""
    statements = tuple(statements)
    for i, statement in enumerate(statements):
        if statement.kind is StatementKind.LABEL and statement.label == label:
            return ((statements, i),)
        for arm in arms_of(statement):
            inner = chain_to(arm, label)
            if inner is not None:
                return ((statements, i + 1), *inner)
    return None


def arms_of(statement: Statement) -> tuple[tuple[Statement, ...], ...]:
    """The lists of statements directly inside one: an if's two, a conditional's arms."""
    children = statement.children
    match statement.kind:
        case StatementKind.IF:
            before = tuple(c for c in children if c.kind is not StatementKind.ELSE)
            after = tuple(c for c in children if c.kind is StatementKind.ELSE)
            return (before, *(e.children for e in after))
        case StatementKind.PREPROC_GROUP:
            arms: list[list[Statement]] = [[]]
            for child in children:
                if child.kind is StatementKind.DIRECTIVE:
                    arms.append([])
                else:
                    arms[-1].append(child)
            return tuple(tuple(a) for a in arms if a)
        case _:
            return (children,) if children else ()


class Walker(Evaluator):
    """One run through the handler; `run_all` makes as many as there are open decisions."""

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

    # -- running -----------------------------------------------------------------

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
        except _Break:
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
        except _Return as back:
            ending = Exit(Leaving.RETURN, back.pieces)
        except _Left as left:
            ending = left.exit
        except _AtLabel as at:
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
            except _AtLabel as at:
                further = at.label if not self.steps else None
            except (_Return, _Left, RefusedError, Cut):
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
            except _Goto as jump:
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
                        frame.env[d.name] = _constant(self.file.expression(tree, d.value), self)
                continue
            node = None
            if s.kind is StatementKind.EXPRESSION:
                node = self.file.expression(tree, s.span)
            if isinstance(node, Assign) and node.op == "=" and isinstance(node.target, Name):
                frame.env[node.target.text] = _constant(node.value, self)
                continue
            for name in assigned_names(tree, s.span):
                frame.env[name] = None
        return frame.env

    # -- statements --------------------------------------------------------------

    def follow_list(self, statements: Sequence[Statement]) -> None:
        """Follows statements in order."""
        for statement in statements:
            self.statement(statement)

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
                    raise _AtLabel(s.label)
            case StatementKind.GOTO:
                self._goto(s)
            case StatementKind.RETURN:
                self._return(s)
            case StatementKind.BREAK:
                raise _Break
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

    def _leave(self) -> None:
        """What happens where the handler leaves for good before the fault."""
        if self.decoding:
            raise Denied
        if self.scenario.outcome is not Outcome.ACCESS_DENIED:
            raise Cut
        self.after = True

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
            raise _Left(None)

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
            except (_Goto, _Return) as jump:
                if serial:
                    raise self.refuse(
                        RefusalCode.SHAPE,
                        "a helper returns out of a condition that stays open",
                        self.frame.body.text.name_span,
                    ) from None
                if isinstance(jump, _Return):
                    return Residual(tuple(self.steps), Exit(Leaving.RETURN, jump.pieces))
                chain = chain_to(self.handler.statements, jump.label)
                if chain is None:
                    raise
                return self._to_the_end(chain)
            except _Left as left:
                return Residual(tuple(self.steps), left.exit)
            except _AtLabel as at:
                return Residual(tuple(self.steps), self._settle(at.label))
        finally:
            self.steps = saved

    # -- switch and conditionals -------------------------------------------------

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
        with suppress(_Break):
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

    def _opaque(self, s: Statement) -> None:
        self._plain_or_refuse(s)

    # -- simple statements -------------------------------------------------------

    def _goto(self, s: Statement) -> None:
        assert s.label is not None
        early = self.frame.serial == 0 and not self.after
        if early and s.label not in self.setup.fault_labels:
            self._leave()
        if self.after and self.frame.serial == 0 and s.label in self.setup.kept_labels:
            raise _AtLabel(s.label)
        raise _Goto(s.label, s.span)

    def _return(self, s: Statement) -> None:
        if self.frame.serial == 0 and not self.after:
            self._leave()
        if s.head is None:
            raise _Return(None, ())
        if self.frame.body.is_void:
            # `return f();` of a void function is a call and a return.
            span = Span(s.head.start, s.span.end)
            self.statement(replace(s, kind=StatementKind.EXPRESSION, span=span, head=None))
            raise _Return(None, ())
        node = self.file.expression(self.frame.body.tree, s.head)
        value = self.value(node)
        if value is not None and spelled(value) is None:
            if self.frame.serial == 0:
                raise self.refuse(
                    RefusalCode.SHAPE, "what handle_mm_fault() returned is handed on", s.head
                )
            raise _Return(value, ())
        if isinstance(value, Bits) and value.text is None and self.frame.serial:
            raise _Return(value, (str(value.value),))
        truth_known = self.known(node) if value is None and not self.after else None
        if value is None and self.frame.serial and not self.after and self._has_check(node):
            verdict = self.simplify(node, decide=True)
            if isinstance(verdict, Atom):
                verdict = self.decide(verdict)
            truth_known = verdict
        if truth_known is not None:
            raise _Return(Bits(int(truth_known)), ())
        raise _Return(value, self.pieces(node))

    def _declaration(self, s: Statement) -> None:
        tree = self.frame.body.tree
        emitted = False
        for declarator in self.file.declarators(tree, s):
            self.frame.locals.add(declarator.name)
            self.frame.env[declarator.name] = None
            if declarator.value is None:
                continue
            node = self.file.expression(tree, declarator.value)
            value = self.value(node)
            self.frame.env[declarator.name] = value
            if value is not None:
                self.frame.env[declarator.name] = self._named_as(node, value)
                continue
            if self.frame.serial:
                self.frame.alias[declarator.name] = _wrapped(node, self.pieces(node, strict=False))
                if any(isinstance(p, Call) for p in walk(node)) and self.after:
                    self.frame.alias.pop(declarator.name)
            elif self.after and not emitted:
                self._emit_text(s)
                emitted = True

    def _expression(self, s: Statement) -> None:
        node = self.file.expression(self.frame.body.tree, s.span)
        match node:
            case Assign(target=Name(text=name)):
                self._assign(s, node, name)
            case Call():
                self._call_statement(s, node)
            case Postfix(operand=Member(name="maj_flt" | "min_flt")):
                pass
            case _:
                if self.after or self.decoding:
                    self._emit_text(s)

    def _assign(self, s: Statement, node: Assign, name: str) -> None:
        around, self._statement_at = self._statement_at, s
        value = self.value(node.value) if node.op == "=" else None
        self._statement_at = around
        self.forget(name)
        if self.decoding and name == self.setup.flags:
            self._emit_text(s, skip=name)
            return
        if node.op == "=" and value is not None:
            self.frame.env[name] = self._named_as(node.value, value)
            self.absorptions += 1
            if self.after and s.leading_comments and spelled(value) is not None:
                self.pending = self._comments(s)
            return
        self.frame.env[name] = None
        self.frame.alias.pop(name, None)
        if self.after or self.decoding:
            if self.frame.serial:
                raise self.refuse(
                    RefusalCode.SHAPE, "a helper works with a variable of its own", s.span
                )
            if self.decoding and self._from_vma(node.value):
                raise self.refuse(
                    RefusalCode.NOT_A_MASK, "the access check works on a copy of the VMA", s.span
                )
            self._emit_text(s, skip=name)

    def _named_as(self, node: Expr, value: Value) -> Value:
        """A number that is worked out of constants, with the text that it is worked out of."""
        return _spelled_as(node, value, self)

    def _from_vma(self, node: Expr) -> bool:
        return any(isinstance(self.value(p), Vma) for p in walk(node) if isinstance(p, Name))

    def _call_statement(self, s: Statement, node: Call) -> None:
        name, role = node.name, self.file.role(node.name)
        if name in ("might_sleep", "perf_sw_event") or role in _SILENT:
            return
        if role in READ_SIDE:
            self.value(node)
            return
        if (
            name == "BUG_ON"
            and len(node.args) == 1
            and (known := self.known(node.args[0])) is not None
        ):
            if known and self.after:
                self._emit(Line(("BUG();",), self._take_comments(s)))
                raise _Left(Exit(Leaving.NEVER))
            return
        if self.file.is_local(name):
            if self.must_follow(node):
                self.follow(node)
                return
            if self.after and self._reduced(s, node):
                return
        if self.file.never_returns(name):
            if not self.after and not self.decoding:
                raise Cut
            self._emit_text(s)
            raise _Left(Exit(Leaving.NEVER))
        if self.after or self.decoding:
            self._emit_text(s, oom=role is Role.OOM)

    # -- calls -------------------------------------------------------------------

    def follow(self, node: Call) -> Value | None:
        """Walks through one of the file's own functions in place of its call."""
        body = self.file.body(node.name)
        assert body is not None
        again = any(f.body is body for f in self.frames)
        if again or len(self.frames) > MAX_DEPTH or len(body.parameters) != len(node.args):
            raise self.refuse(RefusalCode.SHAPE, "a call that cannot be followed", node.span)
        self.serials += 1
        frame = Frame(body, self.serials)
        for parameter, arg in zip(body.parameters, node.args, strict=True):
            value = self.value(arg)
            frame.locals.add(parameter)
            text = spelled(value) if value is not None else None
            if value is not None:
                frame.env[parameter] = value
            if value is None or text is not None:
                frame.alias[parameter] = _wrapped(arg, self.pieces(arg, strict=False))
        depth, memo = len(self.frames), self.memo
        self.frames.append(frame)
        self.memo = {}
        try:
            self._function(((body.statements, 0),))
            return None
        except _Return as back:
            return back.value
        finally:
            del self.frames[depth:]
            self.memo = memo

    def _reduced(self, s: Statement, node: Call) -> bool:
        """Replaces a call by the one call that is left of the function in this mode."""
        saved, self.steps = self.steps, []
        pending, self.pending = self.pending, self._comments(s) or self.pending
        env, seen = dict(self.frame.env), self.mode_seen
        kept: tuple[Step, ...] = ()
        try:
            self.follow(node)
            kept = tuple(self.steps)
        except (RefusedError, _Left, _AtLabel, Cut):
            pass
        self.steps, self.pending = saved, pending
        self.frame.env = env
        match kept:
            case (Line() as line,) if not line.verbatim:
                name = plain(line.pieces).split("(")[0].strip()
                if self.mode_seen != seen or name in self.file.defined:
                    self.pending = ()
                    self._emit(line)
                    return True
        return False

    # -- keeping -----------------------------------------------------------------

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


def _constant(node: Expr, walker: Walker) -> Value | None:
    """What a constant expression is worth; None if it is none."""
    if any(isinstance(p, Call | Member | Assign) for p in walk(node)):
        return None
    found = walker.value(node)
    if found is None or spelled(found) is None:
        return None
    return _spelled_as(node, found, walker)


def _spelled_as(node: Expr, value: Value, walker: Walker) -> Value:
    """The value under the source's own text, where that names nothing but constants."""
    if not isinstance(value, Bits) or value.text or value.inside or value.unknown:
        return value
    parts = list(walk(node))
    names = [p.text for p in parts if isinstance(p, Name)]
    if not names or any(isinstance(p, Call | Member | Assign) for p in parts):
        return value
    if not all(n in walker.constants or n in walker.file.macro_values for n in names):
        return value
    return replace(value, text=" ".join(plain(walker.pieces(node, strict=False)).split()))


def _wrapped(node: Expr, pieces: Pieces) -> Pieces:
    """The text of an argument where a parameter stood."""
    if isinstance(bare(node), Name | Call | Member) or (
        len(pieces) == 1 and not isinstance(pieces[0], str)
    ):
        return pieces
    text = plain(pieces)
    return pieces if text.isalnum() or text.startswith("(") else ("(", *pieces, ")")
