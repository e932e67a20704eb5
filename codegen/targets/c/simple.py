# SPDX-License-Identifier: GPL-2.0-only
"""Simple statements on the way: assignments, declarations, jumps, calls of the file's own."""

from __future__ import annotations

from dataclasses import replace

from codegen.base.diagnostics import RefusalCode, RefusedError
from codegen.base.spans import Span
from codegen.csyntax.nodes import Statement, StatementKind
from codegen.ir.environment import Outcome
from codegen.ir.vocabulary import Role
from codegen.targets.c.expr import Assign, Call, Expr, Member, Name, Postfix, bare, walk
from codegen.targets.c.keep import Keeper
from codegen.targets.c.route import AtLabel, Chain, GoesTo, Leaves, Returns
from codegen.targets.c.scene import MAX_DEPTH, Atom, Cut, Denied, Frame
from codegen.targets.c.source import READ_SIDE
from codegen.targets.c.steps import Exit, Leaving, Line, Pieces, Step, plain
from codegen.targets.c.values import Bits, Value, Vma, spelled

_SILENT = frozenset((Role.ACCOUNTING, Role.IGNORE))


class Simple(Keeper):
    """Follows what has no statement inside."""

    def _leave(self) -> None:
        """What happens where the handler leaves for good before the fault."""
        if self.decoding:
            raise Denied
        if self.scenario.outcome is not Outcome.ACCESS_DENIED:
            raise Cut
        self.after = True

    def _goto(self, s: Statement) -> None:
        assert s.label is not None
        early = self.frame.serial == 0 and not self.after
        if early and s.label not in self.setup.fault_labels:
            self._leave()
        if self.after and self.frame.serial == 0 and s.label in self.setup.kept_labels:
            raise AtLabel(s.label)
        raise GoesTo(s.label, s.span)

    def _return(self, s: Statement) -> None:
        if self.frame.serial == 0 and not self.after:
            self._leave()
        if s.head is None:
            raise Returns(None, ())
        if self.frame.body.is_void:
            # `return f();` of a void function is a call and a return.
            span = Span(s.head.start, s.span.end)
            self.statement(replace(s, kind=StatementKind.EXPRESSION, span=span, head=None))
            raise Returns(None, ())
        node = self.file.expression(self.frame.body.tree, s.head)
        value = self.value(node)
        if value is not None and spelled(value) is None:
            if self.frame.serial == 0:
                raise self.refuse(
                    RefusalCode.SHAPE, "what handle_mm_fault() returned is handed on", s.head
                )
            raise Returns(value, ())
        if isinstance(value, Bits) and value.text is None and self.frame.serial:
            raise Returns(value, (str(value.value),))
        truth_known = self.known(node) if value is None and not self.after else None
        if value is None and self.frame.serial and not self.after and self._has_check(node):
            verdict = self.simplify(node, decide=True)
            if isinstance(verdict, Atom):
                verdict = self.decide(verdict)
            truth_known = verdict
        if truth_known is not None:
            raise Returns(Bits(int(truth_known)), ())
        raise Returns(value, self.pieces(node))

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
                raise Leaves(Exit(Leaving.NEVER))
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
            raise Leaves(Exit(Leaving.NEVER))
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
        except Returns as back:
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
        except (RefusedError, Leaves, AtLabel, Cut):
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

    def statement(self, s: Statement) -> None:
        """Follows one statement; `Walker` does."""
        raise NotImplementedError

    def _function(self, chain: Chain) -> None:
        """Follows a function from a place to its end; `Walker` does."""
        raise NotImplementedError


def constant_of(node: Expr, walker: Keeper) -> Value | None:
    """What a constant expression is worth; None if it is none."""
    if any(isinstance(p, Call | Member | Assign) for p in walk(node)):
        return None
    found = walker.value(node)
    if found is None or spelled(found) is None:
        return None
    return _spelled_as(node, found, walker)


def _spelled_as(node: Expr, value: Value, walker: Keeper) -> Value:
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
