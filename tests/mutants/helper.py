# SPDX-License-Identifier: GPL-2.0-only
"""Wrongs in the rendered generic_fault(): the lock, the lookup, the fault, its outcome."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.csyntax.nodes import FunctionText, Statement, StatementKind
from codegen.ir.vocabulary import Role
from codegen.targets.c.expr import Binary, Call, Expr, Name, Ternary, Unary, bare, walk

from .planting import (
    Operator,
    Part,
    calling,
    doubled,
    dropped,
    exchanged,
    labelled,
    moved,
    naming,
    renamed,
    replaced,
    setting,
    testing,
)
from .view import Root, View

HELPER = frozenset({Part.HELPER})
_UNLOCK = (Role.UNLOCK, Role.SEM_UNLOCK)
_PERF = naming("perf_sw_event")


def _access(view: View, node: Expr) -> Binary | None:
    """`vma->vm_flags & vm_flags`"""
    match node:
        case Binary(op="&", left=left, right=Name()) if "->vm_flags" in view.text(left.span):
            return node
        case _:
            return None


def _inverted_access(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Unary) and node.op == "!" and _access(view, bare(node.operand)):
        yield view.text(node.operand.span)


def _all_bits(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Unary(op="!", operand=inner) if (access := _access(view, bare(inner))) is not None:
            yield f"({view.text(access.span)}) != {view.text(access.right.span)}"


def _no_access_check(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Unary(op="!", operand=inner) if _access(view, bare(inner)) is not None:
            yield "0"


def _outcome_test(view: View, root: Root, node: Expr) -> str | None:
    """The word of `fault & VM_FAULT_X`."""
    match node:
        case Binary(op="&", right=Name(text=text)) if text.startswith("VM_FAULT_"):
            return text
        case _:
            return None


def _never_outcome(view: View, root: Root, node: Expr) -> Iterator[str]:
    if _outcome_test(view, root, node):
        yield "0"


def _always_outcome(view: View, root: Root, node: Expr) -> Iterator[str]:
    if _outcome_test(view, root, node):
        yield "1"


_OTHER_OUTCOME = {
    "VM_FAULT_OOM": "VM_FAULT_SIGBUS",
    "VM_FAULT_SIGBUS": "VM_FAULT_SIGSEGV",
    "VM_FAULT_SIGSEGV": "VM_FAULT_OOM",
    "VM_FAULT_HWPOISON": "VM_FAULT_HWPOISON_LARGE",
    "VM_FAULT_HWPOISON_LARGE": "VM_FAULT_HWPOISON",
    "VM_FAULT_RETRY": "VM_FAULT_COMPLETED",
    "VM_FAULT_COMPLETED": "VM_FAULT_RETRY",
    "VM_FAULT_ERROR": "VM_FAULT_SIGBUS",
    "VM_FAULT_MAJOR": "VM_FAULT_NOPAGE",
}


def _mode_test(node: Expr) -> bool:
    match node:
        case Binary(op="&", right=Name(text="FAULT_FLAG_USER")):
            return True
        case _:
            return False


def _fixed_mode(view: View, root: Root, node: Expr) -> Iterator[str]:
    if _mode_test(node):
        yield "1"
        yield "0"


def _mode_of_regs(view: View, root: Root, node: Expr) -> Iterator[str]:
    if _mode_test(node):
        yield "user_mode(regs)"


def _never_pending(view: View, root: Root, node: Expr) -> Iterator[str]:
    roles = (Role.SIGNAL_PENDING, Role.FATAL_PENDING)
    if isinstance(node, Call) and view.role(node.name) in roles:
        yield "0"


def _always_pending(view: View, root: Root, node: Expr) -> Iterator[str]:
    roles = (Role.SIGNAL_PENDING, Role.FATAL_PENDING)
    if isinstance(node, Call) and view.role(node.name) in roles:
        yield "1"


def _shift(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Name(text="PAGE_SHIFT"):
            yield "(PAGE_SHIFT + 1)"
        case Call(name="hstate_index_to_shift"):
            yield f"({view.text(node.span)} - 1)"
            yield "PAGE_SHIFT"
        case Call(name="VM_FAULT_GET_HINDEX"):
            yield f"({view.text(node.span)} + 1)"
        case Name(text="GFAULT_POISON"):
            yield "0"


def _lost_flag_argument(view: View, root: Root, node: Expr) -> Iterator[str]:
    match node:
        case Binary(op="|", left=left, right=Name(text="FAULT_FLAG_VMA_LOCK")):
            yield view.text(left.span)


def _goto_retry(view: View, f: FunctionText, s: Statement) -> bool:
    return s.kind is StatementKind.GOTO and s.label == "retry"


def _null_lookup(view: View, root: Root, node: Expr) -> Iterator[str]:
    """`!vma` and `vma` as conditions: nothing is ever found, everything always is."""
    if root.statement.kind is not StatementKind.IF or node is not root.expr:
        return
    match bare(node):
        case Unary(op="!", operand=Name(text="vma")) | Name(text="vma"):
            yield "0"


def _lookup(view: View, root: Root, node: Expr) -> Iterator[str]:
    """A test of the lookup: below the VMA, may grow, above FIRST_USER_ADDRESS, has grown."""
    words = {"vm_start", "VM_GROWSDOWN", "FIRST_USER_ADDRESS"}
    match node:
        case Binary(op="<" | "&"):
            inner = {n.text for n in walk(node) if isinstance(n, Name)}
            if (inner & words or "vm_start" in view.text(node.span)) and not _access(view, node):
                yield "0"
                yield "1"
        case Call() if view.role(node.name) is Role.EXPAND_STACK:
            if root.statement.kind is StatementKind.IF:
                yield "0"


def _table(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Call) and node.name.startswith("search_exception_table"):
        yield "0"
        yield "1"


def _wait(view: View, root: Root, node: Expr) -> Iterator[str]:
    """The killable wait for the lock taken for one that nothing ends, and for one that fails."""
    roles = (Role.LOCK_KILLABLE, Role.SEM_LOCK_KILLABLE)
    if isinstance(node, Call) and view.role(node.name) in roles:
        yield f"(!{view.text(node.span)})"


def _trylock(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Call) and view.role(node.name) in (Role.TRYLOCK, Role.SEM_TRYLOCK):
        yield "1"


def _perf_argument(view: View, root: Root, node: Expr) -> Iterator[str]:
    if isinstance(node, Call) and node.name == "perf_sw_event":
        texts = [view.text(a.span) for a in node.args]
        for position, wrong in ((1, "2"), (2, "NULL"), (3, "0")):
            if position < len(texts):
                changed = [*texts[:position], wrong, *texts[position + 1 :]]
                yield f"{node.name}({', '.join(changed)})"


def _null_assignment(view: View, _: FunctionText, s: Statement) -> bool:
    return view.text(s.span).replace(" ", "") == "vma=NULL;"


def _counter(view: View, _: FunctionText, s: Statement) -> bool:
    text = view.text(s.span)
    return s.kind is StatementKind.EXPRESSION and ("maj_flt" in text or "min_flt" in text)


def _arm_without_mode(view: View, root: Root, node: Expr) -> Iterator[str]:
    """The user's answer in either mode."""
    if isinstance(node, Ternary) and _mode_test(node.condition):
        yield view.text(node.then.span)


HELPER_OPERATORS: tuple[Operator, ...] = (
    Operator("double-unlock", HELPER, "the mmap lock released twice", doubled(calling(*_UNLOCK))),
    Operator(
        "missing-unlock",
        HELPER,
        "the mmap lock not released on one exit",
        dropped(calling(*_UNLOCK)),
    ),
    Operator(
        "double-vma-unlock",
        HELPER,
        "the VMA's lock released twice",
        doubled(calling(Role.UNLOCK_VMA)),
    ),
    Operator(
        "missing-vma-unlock",
        HELPER,
        "the VMA's lock not released",
        dropped(calling(Role.UNLOCK_VMA)),
    ),
    Operator(
        "lost-tried", HELPER, "FAULT_FLAG_TRIED is not set", dropped(setting("FAULT_FLAG_TRIED"))
    ),
    Operator(
        "lost-vma-lock", HELPER, "FAULT_FLAG_VMA_LOCK is not passed", replaced(_lost_flag_argument)
    ),
    Operator(
        "kept-allow-retry",
        HELPER,
        "FAULT_FLAG_ALLOW_RETRY not cleared on the second pass",
        dropped(
            lambda v, _f, s: (
                "~FAULT_FLAG_ALLOW_RETRY" in v.text(s.span) and s.kind is StatementKind.EXPRESSION
            )
        ),
    ),
    Operator("inverted-access", HELPER, "the access check inverted", replaced(_inverted_access)),
    Operator("all-bits", HELPER, "all bits of the mask wanted, not any", replaced(_all_bits)),
    Operator("no-access-check", HELPER, "no access check", replaced(_no_access_check)),
    Operator("outcome-never", HELPER, "a VM_FAULT_ bit not tested", replaced(_never_outcome)),
    Operator("outcome-always", HELPER, "a VM_FAULT_ bit taken for set", replaced(_always_outcome)),
    Operator("outcome-swapped", HELPER, "one VM_FAULT_ bit for another", renamed(**_OTHER_OUTCOME)),
    Operator(
        "kern-after-oom",
        HELPER,
        "OOM tested before the mode",
        exchanged(testing("FAULT_FLAG_USER"), testing("VM_FAULT_OOM")),
    ),
    Operator(
        "kern-before-error",
        HELPER,
        "the mode tested before VM_FAULT_ERROR",
        exchanged(testing("VM_FAULT_ERROR"), testing("FAULT_FLAG_USER")),
    ),
    Operator(
        "poison-first",
        HELPER,
        "HWPOISON tested before HWPOISON_LARGE",
        exchanged(testing("VM_FAULT_HWPOISON_LARGE"), testing("VM_FAULT_HWPOISON")),
    ),
    Operator(
        "bus-before-segv",
        HELPER,
        "SIGBUS tested before SIGSEGV",
        exchanged(testing("VM_FAULT_SIGSEGV"), testing("VM_FAULT_SIGBUS")),
    ),
    Operator(
        "completed-before-retry",
        HELPER,
        "the lock released before RETRY is looked at",
        exchanged(testing("VM_FAULT_RETRY"), testing("VM_FAULT_COMPLETED")),
    ),
    Operator("fixed-mode-test", HELPER, "the mode taken for granted", replaced(_fixed_mode)),
    Operator(
        "mode-of-regs", HELPER, "user_mode(regs) asked, not the flag", replaced(_mode_of_regs)
    ),
    Operator(
        "user-answer",
        HELPER,
        "user mode's answer for kernel mode as well",
        replaced(_arm_without_mode),
    ),
    Operator("never-pending", HELPER, "a pending signal not looked for", replaced(_never_pending)),
    Operator("always-pending", HELPER, "a signal taken to be pending", replaced(_always_pending)),
    Operator("helper-shift", HELPER, "the size of the lost memory wrong", replaced(_shift)),
    Operator("lost-oom", HELPER, "the OOM killer not told", dropped(calling(Role.OOM))),
    Operator("double-oom", HELPER, "the OOM killer told twice", doubled(calling(Role.OOM))),
    Operator("lost-perf", HELPER, "a perf event lost", dropped(_PERF)),
    Operator("double-perf", HELPER, "a perf event counted twice", doubled(_PERF)),
    Operator(
        "perf-in-loop",
        HELPER,
        "the perf event counted once for each pass",
        moved(_PERF, labelled("retry")),
    ),
    Operator(
        "perf-argument", HELPER, "a perf event with other arguments", replaced(_perf_argument)
    ),
    Operator("lost-retry", HELPER, "no second pass", dropped(_goto_retry)),
    Operator("lookup-unchecked", HELPER, "a failed lookup not seen", replaced(_null_lookup)),
    Operator(
        "lookup-test",
        HELPER,
        "a test of the lookup (growth, FIRST_USER_ADDRESS) lost or turned",
        replaced(_lookup),
    ),
    Operator("exception-table", HELPER, "the exception table's answer ignored", replaced(_table)),
    Operator("killable-wait", HELPER, "the killed wait taken for the lock", replaced(_wait)),
    Operator("trylock", HELPER, "the trylock's answer ignored", replaced(_trylock)),
    Operator(
        "lost-vma-event",
        HELPER,
        "a VMA lock event not counted",
        dropped(naming("count_vm_vma_lock_event")),
    ),
    Operator(
        "swapped-vma-event",
        HELPER,
        "VMA_LOCK_SUCCESS for VMA_LOCK_RETRY and back",
        renamed(VMA_LOCK_SUCCESS="VMA_LOCK_RETRY", VMA_LOCK_RETRY="VMA_LOCK_SUCCESS"),
    ),
    Operator(
        "lost-null", HELPER, "the VMA of the fast path not initialised", dropped(_null_assignment)
    ),
    Operator("lost-counter", HELPER, "maj_flt or min_flt not counted", dropped(_counter)),
)
