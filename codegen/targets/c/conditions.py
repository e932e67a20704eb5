# SPDX-License-Identifier: GPL-2.0-only
"""What is left of a condition when a part of it is known, and what follows from taking it one way.

!user_mode(regs) && fault & VM_FAULT_OOM     in user mode:  false
cause & STORE                                anywhere:      open, decided both ways in turn
"""

from __future__ import annotations

from codegen.csyntax.nodes import Statement
from codegen.ir.vocabulary import Role
from codegen.targets.c.expr import Binary, Call, Expr, Member, Unary, bare, walk
from codegen.targets.c.fill import Filler
from codegen.targets.c.scene import Atom, key_of
from codegen.targets.c.source import words
from codegen.targets.c.steps import plain
from codegen.targets.c.values import truth

_NEGATED = {"!=": "=="}


class Conditions(Filler):
    """Conditions in a frame, and the facts of this run."""

    def known(self, node: Expr) -> bool | None:
        """Whether a condition holds, if that is known; nothing is decided."""
        found = self.simplify(node, decide=False)
        return found if isinstance(found, bool) else None

    def simplify(self, node: Expr, *, decide: bool) -> bool | Atom:
        """A condition, or what is left of it. `decide`: an open part that stands beside a
        check of the VMA is decided first, for the check only counts where it is made.
        """
        inner = bare(node)
        if (mode := self.mode_of(inner)) is not None:
            return mode
        match inner:
            case Unary(op="!", operand=operand):
                found = self.simplify(operand, decide=decide)
                if isinstance(found, bool):
                    return not found
                text = self.pieces(inner, strict=False)
                if found.conjunction is None:
                    return Atom(text, found.key, not found.positive)
                return Atom(text, f"!({found.key})", True)
            case Binary(op="&&" | "||"):
                return self._simplify_pair(node, inner, decide)
        known = truth(self.value(inner))
        if known is not None:
            return known
        atom = self._atom(node, inner)
        if (fact := self.facts.get(atom.key)) is not None:
            return fact == atom.positive
        return atom

    def _simplify_pair(self, node: Expr, inner: Binary, decide: bool) -> bool | Atom:
        absorbing = inner.op == "||"
        first, second = inner.left, inner.right
        checks = [self._has_check(first), self._has_check(second)]
        if decide and checks == [True, False]:
            first, second = second, first
        left = self.simplify(first, decide=decide)
        if left is absorbing:
            return absorbing
        if isinstance(left, Atom) and decide and any(checks):
            if self.decide(left) is absorbing:
                return absorbing
            left = not absorbing
        right = self.simplify(second, decide=decide)
        if right is absorbing:
            return absorbing
        if isinstance(left, bool):
            return right
        if isinstance(right, bool):
            return left
        pieces = self.pieces(node, strict=False)
        key = key_of(plain(self.pieces(inner, strict=False)))
        if (fact := self.facts.get(key)) is not None:
            return fact
        parts = tuple(
            part
            for atom in (left, right)
            for part in (
                atom.parts if atom.conjunction is (not absorbing) else ((atom.key, atom.positive),)
            )
        )
        return Atom(pieces, key, True, parts, not absorbing)

    def _has_check(self, node: Expr) -> bool:
        for part in walk(node):
            if isinstance(part, Member) and part.name == "vm_flags":
                return True
            if (
                isinstance(part, Call)
                and self.file.is_local(part.name)
                and self.file.checks(part.name)
            ):
                return True
        return False

    def _atom(self, node: Expr, inner: Expr) -> Atom:
        pieces = self.pieces(node, strict=self.after)
        if isinstance(inner, Binary) and inner.op in _NEGATED:
            key = f"{self.key(inner.left)}=={self.key(inner.right)}"
            return Atom(pieces, key, False)
        return Atom(pieces, self.key(inner), True)

    def decide(self, atom: Atom) -> bool:
        """Takes an open condition one way; `Walker` remembers that it did."""
        taken = self.choose(2) == 0
        self.assume(atom, taken)
        return taken

    def assume(self, atom: Atom, taken: bool) -> None:
        """Remembers which way a condition was taken, and what follows from it."""
        self.facts[atom.key] = taken == atom.positive
        if atom.conjunction is taken:
            for key, positive in atom.parts:
                self.facts[key] = taken == positive

    def forget(self, name: str) -> None:
        """A variable is written: what was known of conditions on it holds no more."""
        for key in [k for k in self.facts if name in words(k)]:
            del self.facts[key]

    def is_fault_statement(self, statement: Statement) -> bool:
        """Whether a statement calls handle_mm_fault(), itself or through the file's own."""
        tree = self.frame.body.tree
        return self.file.has_role(tree, statement.span, frozenset({Role.FAULT}))

    def mode_of(self, node: Expr) -> bool | None:
        """What a test of the mode gives; `Evaluator` tells."""
        raise NotImplementedError
