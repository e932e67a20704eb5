# SPDX-License-Identifier: GPL-2.0-only
"""Wrongs that can be planted in the handler and in the helper alike."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.csyntax.nodes import FunctionText, Statement, StatementKind
from codegen.ir.vocabulary import Role
from codegen.targets.c.expr import Assign, Binary, Call, Expr, Name, Unary, bare

from .planting import Operator, Part, called, dropped, replaced
from .view import Root, View

BOTH = frozenset(Part)


def _assign_for_or(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Assign) and node.op == "|=":
        yield f"{view.text(node.target.span)} = {view.text(node.value.span)}"


def _negated(view: View, root: Root, node: Expr) -> Iterator[str]:
    if node is root.expr and root.statement.kind is StatementKind.IF:
        yield f"!({view.text(node.span)})"


def _operand(op: str) -> object:
    """Either side of `a op b` alone, where the whole decides something."""

    def by(view: View, root: Root, node: Expr) -> Iterator[str]:
        match node:
            case Binary(op=found, left=left, right=right) if found == op:
                yield view.text(left.span)
                yield view.text(right.span)

    return by


def _other_connective(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Binary(op=("&&" | "||") as op, left=left, right=right):
            other = "||" if op == "&&" else "&&"
            yield f"(({view.text(left.span)}) {other} ({view.text(right.span)}))"


_NEXT = {">=": ">", ">": ">=", "<=": "<", "<": "<=", "==": "!=", "!=": "=="}


def _off_by_one(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Binary(op=(">=" | ">" | "<=" | "<") as op, left=left, right=right):
            yield f"{view.text(left.span)} {_NEXT[op]} {view.text(right.span)}"


def _inverted_comparison(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Binary(op=("==" | "!=") as op, left=left, right=right):
            yield f"{view.text(left.span)} {_NEXT[op]} {view.text(right.span)}"


def _lost_not(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Unary(op="!", operand=inner):
            yield f"({view.text(inner.span)})"


def _swapped_results(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Name(text=text) if text in _RESULTS:
            yield _RESULTS[text]


_RESULTS = {
    "GFAULT_MAPERR": "GFAULT_ACCERR",
    "GFAULT_ACCERR": "GFAULT_MAPERR",
    "GFAULT_SIGBUS": "GFAULT_SIGSEGV",
    "GFAULT_SIGSEGV": "GFAULT_SIGBUS",
    "GFAULT_FOAD": "GFAULT_DONE",
    "GFAULT_DONE": "GFAULT_KERN",
    "GFAULT_KERN": "GFAULT_DONE",
}


def _ternary(view: View, root: Root, node: Expr) -> Iterator[str]:
    from codegen.targets.c.expr import Ternary

    if isinstance(node, Ternary):
        condition, then, otherwise = (
            view.text(n.span) for n in (node.condition, node.then, node.otherwise)
        )
        yield f"({condition} ? {otherwise} : {then})"


def _one_arm(view: View, root: Root, node: Expr) -> Iterator[str]:
    from codegen.targets.c.expr import Ternary

    if isinstance(node, Ternary):
        yield view.text(node.then.span)
        yield view.text(node.otherwise.span)


def _jump(view: View, function: FunctionText, statement: Statement) -> bool:
    """A goto, or a return that something else follows (the end of a function needs its own)."""
    if statement.kind is StatementKind.GOTO:
        return True
    if statement.kind is not StatementKind.RETURN:
        return False
    last = view.tree.statements_in(function)[-1]
    return view.is_void(function) or statement != last


def _other_argument(view: View, root: Root, node: Expr) -> Iterator[str]:
    """Each argument of generic_fault() and of the mm's words, one wrong at a time."""
    roles = {Role.FAULT, Role.LOCK_FIND, Role.LOCK_VMA, Role.FIND_VMA, Role.EXPAND_STACK}
    if not isinstance(node, Call):
        return
    if node.name != "generic_fault" and view.role(node.name) not in roles:
        return
    texts = [view.text(a.span) for a in node.args]
    for position, arg in enumerate(node.args):
        inner = bare(arg)
        for wrong in _wrong_values(inner):
            changed = [*texts[:position], wrong, *texts[position + 1 :]]
            yield f"{node.name}({', '.join(changed)})"


def _wrong_values(arg: Expr) -> Iterator[str]:
    """An address in another page and in the same; no flags; all of the mask's opposite; no regs."""
    match arg:
        case Name(text="regs"):
            yield "NULL"
        case Name(text="vma" | "mm"):
            return
        case Name(text=text) if "addr" in text or text == "far":
            yield f"({text} + 4096)"
            yield f"({text} & PAGE_MASK)"
        case Name(text=text):
            yield "0"
            yield f"~{text}"


SHARED: tuple[Operator, ...] = (
    Operator("assign-for-or", BOTH, "`=` where `|=` is meant", replaced(_assign_for_or)),
    Operator("negated-condition", BOTH, "the condition of an `if` inverted", replaced(_negated)),
    Operator("lost-not", BOTH, "a `!` lost", replaced(_lost_not)),
    Operator("lost-or-operand", BOTH, "one side of `||` lost", replaced(_operand("||"))),  # type: ignore[arg-type]
    Operator("lost-and-operand", BOTH, "one side of `&&` lost", replaced(_operand("&&"))),  # type: ignore[arg-type]
    Operator("swapped-connective", BOTH, "`&&` for `||` and back", replaced(_other_connective)),
    Operator("off-by-one", BOTH, "`>` for `>=`, `<` for `<=` and back", replaced(_off_by_one)),
    Operator("inverted-comparison", BOTH, "`!=` for `==` and back", replaced(_inverted_comparison)),
    Operator(
        "swapped-result",
        BOTH,
        "one result of generic_fault() for another",
        replaced(_swapped_results),
    ),
    Operator("swapped-arms", BOTH, "the arms of `?:` swapped", replaced(_ternary)),
    Operator("one-arm", BOTH, "one arm of `?:` only", replaced(_one_arm)),
    Operator("lost-jump", BOTH, "a `goto` or `return` lost", dropped(_jump)),
    Operator(
        "wrong-argument",
        BOTH,
        "the mm given another address, flags, mask or regs",
        replaced(_other_argument),
    ),
    Operator(
        "lost-bug",
        BOTH,
        "BUG() or panic() lost",
        dropped(lambda v, _f, s: (c := v.call(s)) is not None and v.role(c.name) is Role.BUG),
    ),
    Operator(
        "fatal-for-pending",
        BOTH,
        "fatal_signal_pending() for signal_pending()",
        called(signal_pending="fatal_signal_pending"),
    ),
    Operator(
        "pending-for-fatal",
        BOTH,
        "signal_pending() for fatal_signal_pending()",
        called(fatal_signal_pending="signal_pending"),
    ),
)
