# SPDX-License-Identifier: GPL-2.0-only
"""Wrongs in a converted handler: its decode before generic_fault(), its dispatch behind it."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.csyntax.nodes import FunctionText, Statement, StatementKind
from codegen.ir.program import is_signal_code, is_signal_number
from codegen.ir.vocabulary import Role
from codegen.targets.c.expr import (
    Binary,
    Call,
    Expr,
    Member,
    Name,
    Number,
    Unary,
    bare,
)
from codegen.targets.c.source import every

from .planting import (
    Operator,
    Part,
    assignment,
    doubled,
    dropped,
    exchanged,
    renamed,
    replaced,
    setting,
    signalling,
)
from .view import Root, View

HANDLER = frozenset({Part.HANDLER})
_ACCESS = ("VM_READ", "VM_WRITE", "VM_EXEC")


def _writes_member(view: View, _: FunctionText, s: Statement) -> bool:
    node = assignment(view, s)
    return node is not None and isinstance(bare(node.target), Member)


def _writes_local(view: View, _: FunctionText, s: Statement) -> bool:
    node = assignment(view, s)
    return node is not None and node.op == "=" and isinstance(bare(node.target), Name)


def _other_call(view: View, f: FunctionText, s: Statement) -> bool:
    """A statement that calls something which is no signal, no mm word and no BUG()."""
    call = view.call(s)
    if call is None or signalling(view, f, s):
        return False
    return view.role(call.name) not in (Role.BUG, Role.IGNORE, Role.PRINT, Role.WARN)


def _calls_kernel(view: View, _: FunctionText, s: Statement) -> bool:
    roles = (Role.KERNEL, Role.KERNEL_NEVER, Role.KERNEL_NEVER_IN_KERNEL)
    call = view.call(s)
    return call is not None and view.role(call.name) in roles


def _wrong_value(view: View, root: Root, node: Expr) -> Iterator[str]:
    if root.statement.kind is not StatementKind.EXPRESSION:
        return
    whole = assignment(view, root.statement)
    if whole is not None and whole.value == node and isinstance(bare(whole.target), Member):
        yield f"({view.text(node.span)}) + 1"


def _lost_bit(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Name) and node.text in _ACCESS:
        yield "0"


def _more_bits(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Name) and node.text in _ACCESS:
        for other in _ACCESS:
            if other != node.text:
                yield f"({node.text} | {other})"


def _whole_mask(view: View, root: Root, node: Expr) -> Iterator[str]:
    """`~0UL` (no check) becomes 0 (never), and a mask that is just 0 becomes all ones."""
    match node:
        case Unary(op="~", operand=Number(value=0)):
            yield "0"
        case Number(value=0) if root.expr != node:
            whole = assignment(view, root.statement)
            if whole is not None and whole.value == node and "mask" in view.text(whole.target.span):
                yield "~0UL"


def _user_mode(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Call) and view.role(node.name) is Role.USER_MODE:
        yield f"(!{view.text(node.span)})"


def _user_mode_constant(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Call) and view.role(node.name) is Role.USER_MODE:
        yield "1"
        yield "0"


def _signal_argument(view: View, root: Root, node: Expr) -> Iterator[str]:
    """The address that a signal is given: another in the same word, and another altogether."""
    if not isinstance(node, Call) or not view.is_signal(node):
        return
    for arg in node.args:
        inner = bare(arg)
        if isinstance(inner, Name) and ("addr" in inner.text or inner.text == "far"):
            for wrong in (f"({inner.text} & ~3UL)", "0"):
                head = view.text(node.span)
                at = inner.span.start - node.span.start
                yield head[:at] + wrong + head[at + len(inner.text) :]


def _other_signal(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Name) and is_signal_number(node.text):
        yield "SIGBUS" if node.text == "SIGSEGV" else "SIGSEGV"


def _other_code(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Name) and is_signal_code(node.text):
        yield _CODES.get(node.text, "SEGV_ACCERR")


_CODES = {
    "SEGV_MAPERR": "SEGV_ACCERR",
    "SEGV_ACCERR": "SEGV_MAPERR",
    "BUS_ADRERR": "BUS_OBJERR",
    "BUS_MCEERR_AR": "BUS_MCEERR_AO",
}


def _shift(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Binary(op="-", right=Name(text="GFAULT_POISON")):
            yield f"({view.text(node.span)} + 1)"
            yield view.text(node.left.span)


def _result_tests(view: View, _: FunctionText, s: Statement) -> bool:
    if s.kind is not StatementKind.IF or s.head is None:
        return False
    return any(n.startswith("GFAULT_") for n in view.names_in(s.head))


def _never_taken(view: View, root: Root, node: Expr) -> Iterator[str]:
    if root.statement.kind is StatementKind.IF and node is root.expr:
        yield "0"


def _always_taken(view: View, root: Root, node: Expr) -> Iterator[str]:
    if root.statement.kind is StatementKind.IF and node is root.expr:
        yield "1"


def _return_value(view: View, root: Root, node: Expr) -> Iterator[str]:
    if root.statement.kind is StatementKind.RETURN and node is root.expr:
        yield f"({view.text(node.span)}) + 1"


def _case_break(view: View, _: FunctionText, s: Statement) -> bool:
    return s.kind is StatementKind.BREAK


def _sends(view: View, f: FunctionText, s: Statement) -> bool:
    """A statement that raises a signal, itself or in a branch of it."""
    return any(signalling(view, f, inner) for inner in every((s,)))


HANDLER_OPERATORS: tuple[Operator, ...] = (
    Operator(
        "lost-user", HANDLER, "FAULT_FLAG_USER is not set", dropped(setting("FAULT_FLAG_USER"))
    ),
    Operator(
        "lost-write", HANDLER, "FAULT_FLAG_WRITE is not set", dropped(setting("FAULT_FLAG_WRITE"))
    ),
    Operator(
        "lost-instruction",
        HANDLER,
        "FAULT_FLAG_INSTRUCTION is not set",
        dropped(setting("FAULT_FLAG_INSTRUCTION")),
    ),
    Operator(
        "lost-default",
        HANDLER,
        "the flags start from 0, not FAULT_FLAG_DEFAULT",
        renamed(FAULT_FLAG_DEFAULT="0"),
    ),
    Operator(
        "swapped-flag",
        HANDLER,
        "FAULT_FLAG_WRITE for _INSTRUCTION and back",
        renamed(
            FAULT_FLAG_WRITE="FAULT_FLAG_INSTRUCTION", FAULT_FLAG_INSTRUCTION="FAULT_FLAG_WRITE"
        ),
    ),
    Operator("mask-bit-lost", HANDLER, "a VM_ bit missing from the mask", replaced(_lost_bit)),
    Operator("mask-bit-added", HANDLER, "a VM_ bit too many in the mask", replaced(_more_bits)),
    Operator(
        "mask-bit-swapped",
        HANDLER,
        "VM_READ for VM_WRITE for VM_EXEC",
        renamed(VM_READ="VM_WRITE", VM_WRITE="VM_EXEC", VM_EXEC="VM_READ"),
    ),
    Operator(
        "mask-turned", HANDLER, "never permitted for unchecked and back", replaced(_whole_mask)
    ),
    Operator("inverted-mode", HANDLER, "user_mode() inverted", replaced(_user_mode)),
    Operator(
        "fixed-mode",
        HANDLER,
        "user_mode() taken for granted, or for impossible",
        replaced(_user_mode_constant),
    ),
    Operator(
        "branch-never",
        HANDLER,
        "the branch of an `if` (an early exit, a test of the result) dropped",
        replaced(_never_taken),
    ),
    Operator(
        "branch-always", HANDLER, "the branch of an `if` always taken", replaced(_always_taken)
    ),
    Operator("swapped-code", HANDLER, "another si_code", replaced(_other_code)),
    Operator("swapped-signal", HANDLER, "another signal number", replaced(_other_signal)),
    Operator("lost-signal", HANDLER, "a signal not sent", dropped(signalling)),
    Operator("double-signal", HANDLER, "a signal sent twice", doubled(signalling)),
    Operator(
        "signal-address", HANDLER, "a signal with another address", replaced(_signal_argument)
    ),
    Operator("wrong-shift", HANDLER, "the size of the lost memory one off", replaced(_shift)),
    Operator(
        "swapped-tests",
        HANDLER,
        "two tests of the result the other way round",
        exchanged(_result_tests, _result_tests),
    ),
    Operator(
        "lost-field",
        HANDLER,
        "a write to a thread field, or the like, lost",
        dropped(_writes_member),
    ),
    Operator("wrong-field", HANDLER, "another value written to it", replaced(_wrong_value)),
    Operator(
        "field-after-signal",
        HANDLER,
        "the write and the signal the other way round",
        exchanged(_writes_member, _sends),
    ),
    Operator("lost-assignment", HANDLER, "a local not set", dropped(_writes_local)),
    Operator("lost-kernel", HANDLER, "the fixup or the oops lost", dropped(_calls_kernel)),
    Operator("lost-call", HANDLER, "another call lost", dropped(_other_call)),
    Operator("double-call", HANDLER, "another call made twice", doubled(_other_call)),
    Operator("lost-break", HANDLER, "a case that falls through", dropped(_case_break)),
    Operator("wrong-return", HANDLER, "another value returned", replaced(_return_value)),
)
