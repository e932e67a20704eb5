# SPDX-License-Identifier: GPL-2.0-only
"""Where in the handler the dance is, and what of the code behind it stays.

prologue        stays, but for the perf event
retry: ...      the dance: goes
no_context:     a tail that the prologue jumps to: stays where it is
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from codegen.base.diagnostics import RefusalCode, RefusedError
from codegen.base.spans import Span
from codegen.csyntax.identifiers import words_in
from codegen.csyntax.nodes import Statement, StatementKind
from codegen.ir.environment import Outcome
from codegen.ir.vocabulary import Role
from codegen.targets.c.expr import Assign, Binary, Call, Expr, Name, Ternary, Unary, bare, walk
from codegen.targets.c.route import arms_of
from codegen.targets.c.scene import Scenario, Setup, key_of
from codegen.targets.c.source import (
    READ_SIDE,
    Body,
    HandlerFile,
    assigned_names,
    every,
    words,
)
from codegen.targets.c.values import Value
from codegen.targets.c.walk import Walker

_OPENING = frozenset(
    (
        *(Role.LOCK_FIND, Role.LOCK, Role.TRYLOCK, Role.LOCK_KILLABLE, Role.LOCK_VMA),
        *(Role.SEM_LOCK, Role.SEM_TRYLOCK, Role.SEM_LOCK_KILLABLE, Role.FIND_VMA),
        *(Role.FIND_VMA_PREV, Role.FAULT),
    )
)

_LOOPS = frozenset(
    (StatementKind.WHILE, StatementKind.DO, StatementKind.FOR, StatementKind.MACRO_BLOCK)
)
_VMA_NAME = re.compile(r"struct\s+vm_area_struct\s*\*\s*(\w+)")
_OLD_DEFAULT = {"FAULT_FLAG_ALLOW_RETRY", "FAULT_FLAG_KILLABLE"}


@dataclass(frozen=True)
class Region:
    """The dance in a handler: `units` are the handler's outermost statements.

    units[:start] is the prologue, units[start:] the dance and what follows;
    of these the indices in `kept` stay. `perf` are statements of the prologue
    that move into the helper. `mode` is the C text of the test for user mode.
    """

    handler: Body
    units: tuple[Statement, ...]
    start: int
    kept: tuple[int, ...]
    kept_labels: frozenset[str]
    fault_labels: frozenset[str]
    perf: tuple[Statement, ...]
    mode: str
    setup: Setup

    @property
    def prologue(self) -> tuple[Statement, ...]:
        """The units before the dance."""
        return self.units[: self.start]

    @property
    def gone(self) -> tuple[Statement, ...]:
        """The units that the conversion takes away."""
        return tuple(u for i, u in enumerate(self.units) if i >= self.start and i not in self.kept)


def find_region(file: HandlerFile, handler: Body, result: str) -> Region:
    """The region of the dance in `handler`; `result` will take what the helper returns.

    Raises RefusedError where there is none at the outermost level, where a
    part of it would have to stay, or where the mode is not to be found.
    """
    units = handler.statements
    start = _start(file, handler, units)
    if start is None:
        raise file.refuse(
            RefusalCode.NO_DANCE,
            "the mm is not locked among the handler's outermost statements",
            handler.text.name_span,
        )
    _refuse_old_faults(file, handler)
    if not any(file.role(w) is Role.FIND_VMA_PREV for w in file.words_of(handler.name)):
        # A stack that grows upward is the more telling reason.
        _refuse_work_after(file, handler, units)
        _refuse_loops(file, handler)
    fault_labels = _fault_labels(file, handler, units)
    start = _before_jumps_over(units, start, fault_labels)
    kept = _with_dead_code(units, _kept(file, handler, units, start))
    labels = frozenset(
        s.label
        for i in kept
        for s in every((units[i],))
        if s.kind is StatementKind.LABEL and s.label
    )
    for i in kept:
        for call in file.calls_in(handler.tree, units[i].span):
            if file.role(call) in READ_SIDE or (call in file.defined and file.dances(call)):
                raise file.refuse(
                    RefusalCode.SHAPE,
                    "code that the prologue jumps to is a part of the dance",
                    units[i].span,
                )
    mode, modes = _modes(file, handler)
    gone = [u for i, u in enumerate(units) if i >= start and i not in kept]
    vanishing = frozenset().union(*(assigned_names(handler.tree, u.span) for u in gone))
    declared = _declared(file, handler, units)
    flags = flags_of(file, handler)
    vanishing = vanishing & declared.keys() - {flags}
    env = _prologue_values(file, handler, units[:start], declared, modes)
    perf = tuple(s for s in units[:start] if _is_perf(file, handler, s))
    live = {
        label: frozenset(
            word
            for i in _reach(file, handler, units, (label,))
            for word in words_in(handler.tree, units[i].span)
        )
        for label in labels
    }
    env[flags] = None
    dance = units[start].span.start
    setup = Setup(
        modes, labels, fault_labels, vanishing, env, live, flags, dance=dance, result=result
    )
    return Region(handler, units, start, kept, labels, fault_labels, perf, mode, setup)


def _fault_calls(file: HandlerFile, handler: Body) -> Iterator[Call]:
    """Every call of handle_mm_fault() in the handler and in what it calls of its file."""
    names = [handler.name, *sorted(file.words_of(handler.name) & file.defined)]
    for body in (file.body(name) for name in names):
        if body is None or body.tree is not handler.tree:
            continue
        for s in every(body.statements):
            span = s.head if s.kind is not StatementKind.EXPRESSION else s.span
            if span is None or not file.has_role(body.tree, span, frozenset({Role.FAULT})):
                continue
            for part in walk(file.expression(body.tree, span)):
                if isinstance(part, Call) and file.role(part.name) is Role.FAULT:
                    yield part


def _refuse_old_faults(file: HandlerFile, handler: Body) -> None:
    """Up to 4.7 handle_mm_fault() had the mm as its first argument, and the VMA behind it."""
    vmas = frozenset(_VMA_NAME.findall(handler.tree.source.text))
    for call in _fault_calls(file, handler):
        names = [a.text if isinstance(a, Name) else "" for a in map(bare, call.args[:2])]
        if len(names) == 2 and names[0] not in vmas and names[1] in vmas:
            raise file.refuse(
                RefusalCode.SHAPE,
                "handle_mm_fault() takes the mm first, as up to 4.7; the helper needs a later mm",
                call.span,
            )


def _refuse_work_after(file: HandlerFile, handler: Body, units: Sequence[Statement]) -> None:
    """Nothing may need the VMA when the mm is through with the fault."""
    tree, fault = handler.tree, frozenset({Role.FAULT})
    last = max((i for i, u in enumerate(units) if file.has_role(tree, u.span, fault)), default=None)
    vmas = {a.text for c in _fault_calls(file, handler) for a in c.args[:1] if isinstance(a, Name)}
    if last is None:
        return
    for s in every(units[last + 1 :]):
        call = file.call_of(tree, s)
        if call is None or file.has_role(tree, s.span, READ_SIDE):
            continue
        if any(isinstance(a, Name) and a.text in vmas for a in call.args):
            raise file.refuse(
                RefusalCode.SHAPE, "the VMA is still needed when the fault has been handled", s.span
            )


def _refuse_loops(file: HandlerFile, handler: Body) -> None:
    """The helper has no loop but that of the retries (um goes on until the PTE is there)."""
    for s in every(handler.statements):
        if s.kind in _LOOPS and file.has_role(handler.tree, s.span, frozenset({Role.FAULT})):
            raise file.refuse(
                RefusalCode.SHAPE,
                "handle_mm_fault() is repeated by a loop of the architecture's own",
                s.head or s.span,
            )


def _start(file: HandlerFile, handler: Body, units: Sequence[Statement]) -> int | None:
    """The first unit that locks the mm or looks the VMA up, and the labels in front of it."""
    for i, unit in enumerate(units):
        for call in file.calls_in(handler.tree, unit.span):
            roles = {file.role(w) for w in file.words_of(call)} if call in file.defined else set()
            if file.role(call) in _OPENING or Role.FAULT in roles:
                while i and units[i - 1].kind is StatementKind.LABEL:
                    i -= 1
                return i
    return None


def _before_jumps_over(units: Sequence[Statement], start: int, fault_labels: frozenset[str]) -> int:
    """The start moved up before jumps into the dance: `goto lock_mmap` around the fast path."""
    labels = {
        s.label for u in units[start:] for s in every((u,)) if s.kind is StatementKind.LABEL
    } & fault_labels
    for i in range(start):
        if any(s.kind is StatementKind.GOTO and s.label in labels for s in every((units[i],))):
            return i
    return start


def _is_perf(file: HandlerFile, handler: Body, s: Statement) -> bool:
    call = file.call_of(handler.tree, s)
    return (
        call is not None
        and call.name == "perf_sw_event"
        and bool(call.args)
        and any(isinstance(a, Name) and a.text == "PERF_COUNT_SW_PAGE_FAULTS" for a in call.args)
    )


# -- control flow among the units -------------------------------------------------


def ends_flow(file: HandlerFile, handler: Body, s: Statement) -> bool:
    """Whether control never goes on behind a statement."""
    match s.kind:
        case StatementKind.GOTO | StatementKind.RETURN:
            return True
        case StatementKind.COMPOUND:
            return any(ends_flow(file, handler, c) for c in s.children)
        case StatementKind.IF:
            arms = [c for c in s.children if c.kind is not StatementKind.ELSE]
            other = [c for c in s.children if c.kind is StatementKind.ELSE]
            return bool(other) and all(
                any(ends_flow(file, handler, c) for c in arm)
                for arm in (arms, [c for e in other for c in e.children])
            )
        case StatementKind.EXPRESSION:
            call = file.call_of(handler.tree, s)
            return call is not None and file.never_returns(call.name)
        case _:
            return False


def _units_from(
    file: HandlerFile, handler: Body, units: Sequence[Statement], index: int
) -> Iterable[int]:
    for i in range(index, len(units)):
        yield i
        if ends_flow(file, handler, units[i]):
            return


def _reach(
    file: HandlerFile, handler: Body, units: Sequence[Statement], labels: Iterable[str | None]
) -> set[int]:
    """The units that control can come to from some labels."""
    home = {
        s.label: i
        for i, u in enumerate(units)
        for s in every((u,))
        if s.kind is StatementKind.LABEL
    }
    seen: set[int] = set()
    stack = [home[label] for label in labels if label in home]
    done: set[int] = set()
    while stack:
        index = stack.pop()
        if index in done:
            continue
        done.add(index)
        for i in _units_from(file, handler, units, index):
            if i in seen:
                continue
            seen.add(i)
            for s in every((units[i],)):
                if s.kind is StatementKind.GOTO and s.label in home:
                    stack.append(home[s.label])
    return seen


def _fault_labels(file: HandlerFile, handler: Body, units: Sequence[Statement]) -> frozenset[str]:
    """The labels from which handle_mm_fault() can be reached."""
    faulting = {
        i
        for i, u in enumerate(units)
        if file.has_role(handler.tree, u.span, frozenset({Role.FAULT}))
    }
    labels = [s.label for u in units for s in every((u,)) if s.kind is StatementKind.LABEL]
    return frozenset(
        label for label in labels if label and _reach(file, handler, units, (label,)) & faulting
    )


def _kept(
    file: HandlerFile, handler: Body, units: Sequence[Statement], start: int
) -> tuple[int, ...]:
    """The units behind the start that the prologue jumps to, and where these lead."""
    # A jump inside the prologue goes on there, and comes to the dance as everybody does.
    inside = {s.label for u in units[:start] for s in every((u,)) if s.kind is StatementKind.LABEL}
    labels = [
        s.label
        for u in units[:start]
        for s in every((u,))
        if s.kind is StatementKind.GOTO and s.label not in inside
    ]
    return tuple(sorted(i for i in _reach(file, handler, units, labels) if i >= start))


def _with_dead_code(units: Sequence[Statement], kept: tuple[int, ...]) -> tuple[int, ...]:
    """What stands unreachable behind code that stays, a `return` after panic(), stays too."""
    found = set(kept)
    for i in kept:
        while i + 1 < len(units) and not any(
            s.kind is StatementKind.LABEL for s in every((units[i + 1],))
        ):
            i += 1
            found.add(i)
    return tuple(sorted(found))


def _declared(
    file: HandlerFile, handler: Body, units: Sequence[Statement]
) -> dict[str, Span | None]:
    """The handler's locals and what each starts as."""
    found: dict[str, Span | None] = {}
    for s in every(units):
        if s.kind is StatementKind.DECLARATION:
            for d in file.declarators(handler.tree, s):
                found[d.name] = d.value
    return found


def _names_user(node: Expr) -> bool:
    return any(isinstance(n, Name) and n.text == "FAULT_FLAG_USER" for n in walk(node))


def _user_assignments(
    file: HandlerFile, handler: Body
) -> Iterator[tuple[Assign, tuple[Expr, bool] | None]]:
    """Each `flags |= ... FAULT_FLAG_USER ...` with the condition that it stands under.

    The condition holds there, or it does not (the `else` of an if).
    """

    jumped_over = _jumped_over(file, handler)

    def search(
        statements: Sequence[Statement], condition: tuple[Expr, bool] | None
    ) -> Iterator[tuple[Assign, tuple[Expr, bool] | None]]:
        for s in statements:
            if s.kind is StatementKind.EXPRESSION:
                node = file.expression(handler.tree, s.span)
                if isinstance(node, Assign) and node.op == "|=" and _names_user(node.value):
                    choices = [
                        (n.condition, True)
                        for n in walk(node.value)
                        if isinstance(n, Ternary) and _names_user(n.then)
                    ]
                    yield node, choices[0] if choices else condition
            elif s.kind is StatementKind.IF and s.head is not None:
                arms = arms_of(s)
                head = file.expression(handler.tree, s.head)
                yield from search(arms[0], (head, True))
                for arm in arms[1:]:
                    yield from search(arm, (head, False))
                if _guards(file, handler, s, head, jumped_over):
                    # What follows is for the other mode.
                    condition = (head, False)
            elif s.kind is StatementKind.COMPOUND:
                yield from search(s.children, condition)
            elif s.kind is StatementKind.LABEL:
                condition = None
            else:
                yield from search(s.children, None)

    yield from search(handler.statements, None)


def _jumped_over(file: HandlerFile, handler: Body) -> frozenset[str]:
    """The labels that stand behind an assignment of FAULT_FLAG_USER, on the way to the fault."""
    last, found = -1, set[str]()
    for s in every(handler.statements):
        if s.kind is StatementKind.EXPRESSION:
            node = file.expression(handler.tree, s.span)
            if isinstance(node, Assign) and node.op == "|=" and _names_user(node.value):
                last = s.span.end
        elif s.kind is StatementKind.LABEL and last >= 0 and s.label:
            found.add(s.label)
    return frozenset(found) & _fault_labels(file, handler, handler.statements)


def _guards(
    file: HandlerFile, handler: Body, s: Statement, head: Expr, jumped_over: frozenset[str]
) -> bool:
    """Whether an `if` keeps one mode away from what follows it.

    if (!user_mode(regs))
            goto lock;                  over the assignment, to the fault all the same
    flags |= FAULT_FLAG_USER;
    lock:
    """
    arms = arms_of(s)
    if len(arms) > 1 or not any(ends_flow(file, handler, inner) for inner in arms[0]):
        return False
    node = bare(head)
    while isinstance(node, Unary) and node.op == "!":
        node = bare(node.operand)
    if isinstance(node, Binary) and node.op in ("&&", "||"):
        return False
    if any(i.kind is StatementKind.GOTO and i.label in jumped_over for i in every(arms[0])):
        return True
    return any(isinstance(p, Call) and file.role(p.name) is Role.USER_MODE for p in walk(node))


def flags_of(file: HandlerFile, handler: Body) -> str:
    """The local variable that FAULT_FLAG_USER is added to, or could be; "" if there is none."""
    for node, _ in _user_assignments(file, handler):
        if isinstance(node.target, Name):
            return node.target.text
    for name, value in _declared(file, handler, handler.statements).items():
        start = words(file.text_of(handler.tree, value)) if value is not None else frozenset()
        if "FAULT_FLAG_DEFAULT" in start or start >= _OLD_DEFAULT:
            return name
    return ""


def says_user(file: HandlerFile, handler: Body) -> bool:
    """Whether the handler tells the mm of user mode at all."""
    return any(True for _ in _user_assignments(file, handler))


def _asked_of(file: HandlerFile, handler: Body) -> str | None:
    """The test for user mode of a handler that tells nobody: `user_mode(regs)`, if it asks that."""
    tree = handler.tree
    for word, uses in words_in(tree, handler.text.body).items():
        if file.role(word) is not Role.USER_MODE:
            continue
        rest = tree.source.text[uses[0].span.end : handler.text.body.end]
        found = re.match(r"\s*\(\s*(\w+)\s*\)", rest)
        if found and found[1] in handler.parameters:
            return f"{word}({found[1]})"
    return None


def _modes(file: HandlerFile, handler: Body) -> tuple[str, dict[str, bool]]:
    """The condition for FAULT_FLAG_USER as the source writes it, and every test known to be it."""
    tree = handler.tree
    conditions = [c for _, c in _user_assignments(file, handler) if c is not None]
    if not conditions and not says_user(file, handler):
        asked = _asked_of(file, handler)
        if asked is not None and flags_of(file, handler):
            return asked, {key_of(asked): True, "user_mode(regs)": True, "kernel_mode(regs)": False}
    if not conditions:
        raise _no_mode(file, handler)
    node, positive = bare(conditions[0][0]), conditions[0][1]
    while isinstance(node, Unary) and node.op == "!":
        node, positive = bare(node.operand), not positive
    text = file.text_of(tree, node.span)
    modes = {key_of(text): positive, "user_mode(regs)": True, "kernel_mode(regs)": False}
    if isinstance(node, Name):
        value = _declared(file, handler, handler.statements).get(node.text)
        if value is not None:
            inner = bare(file.expression(tree, value))
            inside = positive
            while isinstance(inner, Unary) and inner.op == "!":
                inner, inside = bare(inner.operand), not inside
            modes[key_of(file.text_of(tree, inner.span))] = inside
    return text, modes


def _no_mode(file: HandlerFile, handler: Body) -> RefusedError:
    """Why it is not known for which faults FAULT_FLAG_USER is set."""
    for node, _ in _user_assignments(file, handler):
        reason = "FAULT_FLAG_USER is not added under one test for user mode"
        return file.refuse(RefusalCode.SHAPE, reason, node.span)
    if flags_of(file, handler):
        reason = "FAULT_FLAG_USER is never added, and nothing asks for user mode"
        return file.refuse(RefusalCode.SHAPE, reason, handler.text.name_span)
    call = next(_fault_calls(file, handler), None)
    return file.refuse(
        RefusalCode.SHAPE,
        "the flags are in no local variable that starts as FAULT_FLAG_DEFAULT",
        handler.text.name_span if call is None else call.span,
    )


def _prologue_values(
    file: HandlerFile,
    handler: Body,
    prologue: Sequence[Statement],
    declared: dict[str, Span | None],
    modes: dict[str, bool],
) -> dict[str, Value | None]:
    """What the locals are known to be where the dance begins."""
    setup = Setup(modes, frozenset(), frozenset(), frozenset(), {})
    evaluator = Walker(file, handler, Scenario(Outcome.SUCCESS, None), setup)
    return evaluator.constants_after(prologue, declared)
