# SPDX-License-Identifier: GPL-2.0-only
"""What an expression of the handler is worth when the mode and an outcome are known.

The mm's words answer as the scenario says (house plan, section 6); what the
outcome does not decide stays unknown, and is either kept in the text or, on
the way to the outcome, decided both ways one after the other.

    fault & VM_FAULT_SIGBUS         with VM_FAULT_SIGBUS:  true
    !user_mode(regs)                in user mode:          false
    regs->ecr_cause & ECR_C_STORE   anywhere:              not known
"""

from __future__ import annotations

from codegen.base.diagnostics import RefusalCode
from codegen.base.spans import SourceText, Span
from codegen.csyntax.parse import parse
from codegen.ir.environment import Outcome
from codegen.ir.vocabulary import Role
from codegen.targets.c.conditions import Conditions
from codegen.targets.c.expr import (
    Assign,
    Binary,
    Call,
    Cast,
    Expr,
    Index,
    Member,
    Name,
    Number,
    Opaque,
    Paren,
    Postfix,
    Ternary,
    Unary,
    bare,
    children,
    parse_expression,
    walk,
)
from codegen.targets.c.scene import Cut, ReachedFault, key_of, poison_shift
from codegen.targets.c.source import mentioned, words
from codegen.targets.c.steps import Pieces, plain
from codegen.targets.c.values import (
    SOME,
    Bits,
    Constant,
    PoisonShift,
    Value,
    Vma,
    combine,
    same,
    truth,
)

_FAULT_BITS = {
    Outcome.OOM: "VM_FAULT_OOM",
    Outcome.SIGSEGV: "VM_FAULT_SIGSEGV",
    Outcome.SIGBUS: "VM_FAULT_SIGBUS",
    Outcome.HWPOISON: "VM_FAULT_HWPOISON",
    Outcome.HWPOISON_LARGE: "VM_FAULT_HWPOISON_LARGE",
    Outcome.SIGNAL_PENDING: "VM_FAULT_RETRY",
    Outcome.COMPLETED: "VM_FAULT_COMPLETED",
}
_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")


class Evaluator(Conditions):
    """Values in a frame; `Walker` adds the statements."""

    def value(self, node: Expr) -> Value | None:
        """What is known of an expression; calls that it makes are made once a statement."""
        place = (self.frame.serial, node.span)
        if place in self.memo:
            return self.memo[place]
        found = self._value(node)
        self.memo[place] = found
        return found

    def _value(self, node: Expr) -> Value | None:
        if (
            isinstance(node, Call | Name | Binary | Unary)
            and (mode := self.mode_of(node)) is not None
        ):
            return Bits(int(mode))
        match node:
            case Name(text=text):
                return self._named(text)
            case Number(value=number):
                return Bits(number)
            case Paren(inner=inner) | Cast(operand=inner):
                return self.value(inner)
            case Unary(op="!", operand=operand):
                known = truth(self.value(operand))
                return None if known is None else Bits(int(not known))
            case Unary(op="~", operand=operand):
                return combine("^", self.value(operand), Bits((1 << 64) - 1))
            case Unary(operand=operand):
                self.value(operand)
                return None
            case Binary():
                return self._binary(node)
            case Ternary():
                checked = len(self.checks)
                known = self.known(node.condition)
                if len(self.checks) != checked and self.scenario.outcome is Outcome.ACCESS_DENIED:
                    self.after = True
                if known is None:
                    return None
                return self.value(node.then if known else node.otherwise)
            case Call():
                return self.call(node)
            case Member():
                return self._member(node)
            case Assign(op="=", target=Name(text=text), value=inner):
                found = self.value(inner)
                self.frame.env[text] = found
                return found
            case Assign() | Index() | Postfix() | Opaque():
                for child in children(node):
                    self.value(child)
                return None

    def _named(self, name: str) -> Value | None:
        for frame in (self.frame,):
            if name in frame.env:
                return frame.env[name]
            if name in frame.locals or name in frame.body.parameters:
                return None
        match name:
            case "NULL" | "false":
                return Bits(0, 0, name)
            case "true":
                return Bits(1, 0, name)
        if name in self.constants:
            return Bits(self.constants[name], 0, name)
        if name not in self.file.macro_values:
            self.file.macro_values[name] = None
            self.file.macro_values[name] = self._macro(name)
        known = self.file.macro_values[name]
        if known is None and name.isupper() and len(name) > 2:
            return Constant(name)
        return known

    def _macro(self, name: str) -> Value | None:
        """The number behind one of the file's own macros, if it is one."""
        bodies = {
            d.text[len(name) :].strip()
            for d in self.file.tree.directives
            if d.kind == "define" and d.name == name and d.text[len(name) : len(name) + 1] != "("
        }
        if len(bodies) != 1:
            return None
        text = bodies.pop()
        tree = parse(SourceText("macro", text))
        found = self.value_of_text(parse_expression(tree, Span(0, len(text))))
        return Bits(found.value, found.unknown, name) if isinstance(found, Bits) else None

    def value_of_text(self, node: Expr) -> Value | None:
        """A macro's own text, which names constants and macros only."""
        match node:
            case Number(value=number):
                return Bits(number)
            case Name(text=text):
                return self._named(text)
            case Paren(inner=inner) | Cast(operand=inner):
                return self.value_of_text(inner)
            case Binary(op=op, left=left, right=right):
                return combine(op, self.value_of_text(left), self.value_of_text(right))
            case _:
                return None

    def mode_of(self, node: Expr) -> bool | None:
        """What a test of the mode gives, if it is one and the mode is known."""
        if self.scenario.mode is None:
            return None
        if isinstance(node, Name) and node.text not in self.setup.modes:
            return None
        found = self.setup.modes.get(self._name_key(node))
        if found is None:
            return None
        self.mode_seen += 1
        return found == self.scenario.mode

    def _name_key(self, node: Expr) -> str:
        """The key of an expression with parameters replaced, and nothing looked up."""
        places: list[tuple[Span, Pieces]] = [
            (n.span, self.frame.alias[n.text])
            for n in walk(node)
            if isinstance(n, Name) and n.text in self.frame.alias
        ]
        return key_of(plain(self.splice(node.span, places)))

    def _member(self, node: Member) -> Value | None:
        base = self.value(node.base)
        place = node.name in ("vm_start", "vm_end", "vm_mm")
        if isinstance(base, Vma) and not place and not self.after:
            raise self.refuse(
                RefusalCode.NOT_A_MASK,
                "the access check looks at more than the bits of vm_flags",
                node.span,
            )
        return None

    def _binary(self, node: Binary) -> Value | None:
        if node.op in ("&&", "||"):
            left = self.known(node.left)
            if left is (node.op == "||"):
                return Bits(int(left))
            right = self.known(node.right)
            if right is (node.op == "||"):
                return Bits(int(right))
            return Bits(int(right)) if left is not None and right is not None else None
        if node.op == "&":
            for one, other in ((node.left, node.right), (node.right, node.left)):
                if self._is_vm_flags(one):
                    return self._check(other)
                name = bare(other)
                if (
                    isinstance(name, Name)
                    and name.text == "FAULT_FLAG_USER"
                    and isinstance(bare(one), Name)
                    and self.scenario.mode is not None
                ):
                    return Bits(int(self.scenario.mode))
        if node.op in _COMPARISONS:
            covered = self._covers(node)
            if covered is not None:
                return Bits(int(covered))
        left_value, right_value = self.value(node.left), self.value(node.right)
        if node.op in ("==", "!="):
            self._refuse_all_of(node, node.left, right_value)
            self._refuse_all_of(node, node.right, left_value)
            known = same(left_value, right_value)
            return None if known is None else Bits(int(known == (node.op == "==")))
        if node.op in _COMPARISONS:
            match left_value, right_value:
                case Bits(unknown=0), Bits(unknown=0):
                    a, b = left_value.value, right_value.value
                    answers = {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}
                    return Bits(int(answers[node.op]))
            return None
        return combine(node.op, left_value, right_value)

    def _refuse_all_of(self, node: Binary, side: Expr, other: Value | None) -> None:
        """`(vma->vm_flags & M) == M` is no "any of M"; a comparison with 0 is."""
        inner = bare(side)
        if (
            isinstance(inner, Binary)
            and inner.op == "&"
            and (self._is_vm_flags(inner.left) or self._is_vm_flags(inner.right))
            and truth(other) is not False
        ):
            raise self.refuse(
                RefusalCode.NOT_A_MASK, "the access needs more than any one of some bits", node.span
            )

    def _is_vm_flags(self, node: Expr) -> bool:
        inner = bare(node)
        return (
            isinstance(inner, Member)
            and inner.name == "vm_flags"
            and isinstance(self.value(inner.base), Vma)
        )

    def _check(self, mask: Expr) -> Value | None:
        """`vma->vm_flags & mask`: some of the bits, except where the outcome is a denial."""
        value = self.value(mask)
        number = value.value if isinstance(value, Bits) and not value.unknown else None
        text = plain(self.pieces(_unwrapped(mask), strict=False))
        if self.growing and "VM_GROWSDOWN" in words(text):
            return SOME
        self.checks.append((text, number))
        if self.scenario.outcome is Outcome.ACCESS_DENIED:
            return Bits(0)
        return SOME

    def _covers(self, node: Binary) -> bool | None:
        """A comparison of the address with the VMA's start: it does not lie below."""
        for one, op in ((node.left, node.op), (node.right, _mirrored(node.op))):
            inner = bare(one)
            if (
                isinstance(inner, Member)
                and inner.name == "vm_start"
                and isinstance(self.value(inner.base), Vma)
            ):
                covered = {"<=": True, ">": False}.get(op)
                if covered is not None and self.scenario.outcome is Outcome.STACK_GROWTH_FAILURE:
                    self.growing = True
                    return not covered
                return covered
        return None

    # -- calls -------------------------------------------------------------------

    def call(self, node: Call) -> Value | None:
        """The value of a call; the file's own functions are followed where they must be."""
        outcome = self.scenario.outcome
        match self.file.role(node.name):
            case Role.FAULT:
                return self._fault(node)
            case Role.LOCK_FIND | Role.FIND_VMA:
                self.address = plain(self.pieces(node.args[1])) if len(node.args) > 1 else None
                if outcome is Outcome.NO_VMA:
                    self.after = True
                    return Bits(0)
                return Vma()
            case Role.LOCK_VMA:
                return Bits(0)
            case Role.TRYLOCK | Role.SEM_TRYLOCK:
                return Bits(1)
            case Role.EXPAND_STACK:
                if self.growing:
                    raise ReachedFault
                return Bits(0)
            case Role.LOCK_KILLABLE | Role.SEM_LOCK_KILLABLE:
                return Bits(0)
            case Role.FIND_VMA_PREV:
                raise self.refuse(
                    RefusalCode.GROWSUP,
                    "the lookup also wants the VMA below, whose stack may grow upward",
                    node.span,
                )
            case Role.SIGNAL_PENDING | Role.FATAL_PENDING:
                return Bits(int(outcome is Outcome.SIGNAL_PENDING))
            case Role.WARN if node.args and truth(self.value(node.args[0])) is False:
                return Bits(0)
        if node.name in ("likely", "unlikely", "READ_ONCE") and len(node.args) == 1:
            return self.value(node.args[0])
        if node.name == "VM_FAULT_GET_HINDEX":
            return None
        if node.name == "hstate_index_to_shift" and self._inside(node.args[0]):
            return PoisonShift(poison_shift(self.setup.result))
        if self.file.is_local(node.name) and self.must_follow(node):
            return self.follow(node)
        values = [self.value(arg) for arg in node.args]
        if any(isinstance(v, Vma) for v in values) and not self.after:
            raise self.refuse(
                RefusalCode.NOT_A_MASK,
                f"{node.name}() decides on the VMA in a way that the helper does not know",
                node.span,
            )
        return None

    def _inside(self, node: Expr) -> bool:
        values = [self.frame.env.get(n) for n in mentioned(node)]
        return any(isinstance(v, Bits) and v.inside for v in values)

    def _fault(self, node: Call) -> Value | None:
        outcome = self.scenario.outcome
        self.fault_args = tuple(plain(self.pieces(a, strict=False)) for a in node.args)
        if outcome is None:
            raise ReachedFault
        if outcome is Outcome.ACCESS_DENIED:
            if self.checks:
                raise self.refuse(
                    RefusalCode.NOT_A_MASK,
                    "a VMA without any of the bits still gets as far as the fault",
                    node.span,
                )
            raise Cut
        if outcome is Outcome.STACK_GROWTH_FAILURE:
            raise Cut
        if outcome is Outcome.NO_VMA:
            raise self.refuse(
                RefusalCode.SHAPE, "the fault is reached although there is no VMA", node.span
            )
        self.after = True
        if outcome is Outcome.SUCCESS:
            return Bits(0, 0, None, True)
        name = _FAULT_BITS[outcome]
        if name not in self.constants:
            raise Cut
        large = outcome is Outcome.HWPOISON_LARGE
        free = self.constants.get("VM_FAULT_HINDEX_MASK", 0) if large else 0
        return Bits(self.constants[name], free, None, True)

    def must_follow(self, node: Call) -> bool:
        """Whether a call of the file's own function is part of the dance."""
        name = node.name
        body = self.file.body(name)
        if body is not None and body.tree is self.file.models:
            return True
        if self.file.dances(name) or (not self.after and self.file.checks(name)):
            return True
        # A VMA may be looked at before the fault only; its value is known then.
        for arg in node.args:
            value = self.value(arg)
            if isinstance(value, Vma) or (isinstance(value, Bits) and value.inside):
                return True
        return False

    def follow(self, node: Call) -> Value | None:
        """Walks through a function of the file; `Walker` does."""
        raise NotImplementedError


def _mirrored(op: str) -> str:
    return {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(op, op)


def _unwrapped(node: Expr) -> Expr:
    while isinstance(node, Paren):
        node = node.inner
    return node
