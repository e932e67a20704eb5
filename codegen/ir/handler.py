# SPDX-License-Identifier: GPL-2.0-only
"""Finding the handler in a program, by what it does and never by its name.

The handler is the innermost function that contains the retry loop around
handle_mm_fault() once its helpers are inlined; where nothing is retried, the
innermost one that takes the lock, looks up the VMA and faults. What surrounds it in the same
file and uses its result belongs to it (`entries`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from codegen.base.spans import Span
from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Binary,
    Call,
    Cast,
    Conditional,
    Deref,
    Expr,
    Field,
    Function,
    Local,
    Return,
)
from codegen.ir.program import (
    Program,
    calls_of,
    cycle_blocks,
    expressions_of,
    reachable_blocks,
    subexpressions,
)
from codegen.ir.vocabulary import Role

SHARED_HELPER = "generic_fault"
"""What a converted handler calls instead of doing the dance itself (the seed mail's name)."""


class HandlerRole(StrEnum):
    """What a user of handle_mm_fault() is; the JSON contract's words."""

    HANDLER = "handler"
    SECOND = "second"
    OTHER = "other"


class Dialect(StrEnum):
    """The generation of the mm API that a handler is written in."""

    MMAP_SEM = "mmap_sem"
    FIND_VMA = "find_vma"
    LOCK_MM_AND_FIND_VMA = "lock_mm_and_find_vma"
    PER_VMA_LOCK = "per_vma_lock"


@dataclass(frozen=True, slots=True)
class Found:
    """A user of handle_mm_fault(): the function, what it is, and where execution starts.

    `entries` are the outermost functions of the file that use what the
    handler returns; just the handler itself where nobody does.
    """

    function: str
    role: HandlerRole
    dialect: Dialect
    span: Span
    entries: tuple[str, ...]


def find(program: Program) -> tuple[Found, ...]:
    """Every user of handle_mm_fault() in the program, the handler first."""
    reaching = {n for n in program.functions if Role.FAULT in program.roles(n)}
    looping = {n for n in reaching if _loops_around_fault(program, n, reaching)}
    innermost = {n for n in looping if not (_callees(program, n) & looping - {n})}
    direct = {
        n
        for n in reaching
        if any(program.role(c.name) is Role.FAULT for c in calls_of(program.functions[n]))
    }
    found: list[Found] = []
    handlers = sorted(innermost, key=lambda n: (*_weight(program, n), program.functions[n].span))
    for position, name in enumerate(handlers):
        role = HandlerRole.HANDLER if position == 0 else HandlerRole.SECOND
        if _is_helper_alone(program, name) or not _is_fault_handler(program, name):
            role = HandlerRole.OTHER
        found.append(_found(program, name, role))
    if all(f.role is HandlerRole.OTHER for f in found) and (
        single := _single_pass(program, reaching)
    ):
        # A kernel without retries, or an architecture that never took them up.
        handlers += [n for n in single if n not in handlers]
        roles = (HandlerRole.HANDLER, *(HandlerRole.SECOND for _ in single[1:]))
        found[:0] = [_found(program, n, r) for n, r in zip(single, roles, strict=True)]
    inside = set().union(*({n} | _callees(program, n) for n in handlers)) if handlers else set()
    for name in sorted(direct - inside, key=lambda n: program.functions[n].span):
        role = HandlerRole.SECOND if handlers else HandlerRole.OTHER
        found.append(_found(program, name, role))
    # generic_fault() beside a file that does not call it in this setting is no user of its.
    here = program.source.path
    return tuple(f for f in found if program.functions[f.function].source.path == here)


def _single_pass(program: Program, reaching: set[str]) -> list[str]:
    """The innermost fault handlers that lock the mm, look the VMA up and fault once."""
    dancing = {
        n
        for n in reaching
        if not _is_helper_alone(program, n)
        and program.roles(n) & {Role.FIND_VMA, Role.FIND_VMA_PREV, Role.LOCK_FIND}
        and program.roles(n)
        & {Role.LOCK, Role.SEM_LOCK, Role.TRYLOCK, Role.SEM_TRYLOCK, Role.LOCK_FIND}
    }
    innermost = {n for n in dancing if not (_callees(program, n) & dancing - {n})}
    return sorted(
        (n for n in innermost if _is_fault_handler(program, n)),
        key=lambda n: program.functions[n].span,
    )


def _found(program: Program, name: str, role: HandlerRole) -> Found:
    entries = _entries(program, name) if role is HandlerRole.HANDLER else (name,)
    name = _in_the_file(program, name)
    return Found(name, role, dialect_of(program, name), program.functions[name].span, entries)


def _in_the_file(program: Program, name: str) -> str:
    """The function itself, or the file's own caller of one that stands in another text.

    The loop of a converted handler is in `generic_fault()`: the handler is what calls it.
    """
    seen = {name}
    todo = [name]
    while todo:
        here = todo.pop(0)
        if program.functions[here].source.path == program.source.path:
            return here
        callers = _callers(program, here) - seen
        seen |= callers
        todo += sorted(callers, key=lambda n: program.functions[n].span)
    return name


def _weight(program: Program, name: str) -> tuple[bool, bool]:
    """Handlers of a trap (which send signals and get the registers) come before other loops.

    Among them the one that was converted: what loops beside it was left to.
    """
    return not _is_fault_handler(program, name), name != SHARED_HELPER


def _is_helper_alone(program: Program, name: str) -> bool:
    """Whether it is `generic_fault()` in its own file: no more a handler than what it calls."""
    return name == SHARED_HELPER and not _callers(program, name)


def _is_fault_handler(program: Program, name: str) -> bool:
    """A fault handler signals, or calls the OOM killer, or its callers in the file do.

    A coprocessor's or a guest's fault works for somebody else and returns a code.
    """
    family = {name, *_callees(program, name), *_callers(program, name)}
    roles = frozenset().union(*(program.roles(n) for n in family))
    return bool(roles & {Role.SIGNAL, Role.OOM})


def _callees(program: Program, name: str) -> set[str]:
    seen: set[str] = set()
    stack = [name]
    while stack:
        for call in calls_of(program.functions[stack.pop()]):
            if call.name in program.functions and call.name not in seen:
                seen.add(call.name)
                stack.append(call.name)
    return seen


def _callers(program: Program, name: str) -> set[str]:
    return {n for n, f in program.functions.items() if any(c.name == name for c in calls_of(f))}


def _loops_around_fault(program: Program, name: str, reaching: set[str]) -> bool:
    function = program.functions[name]
    cycle = cycle_blocks(function)
    for label in cycle & reachable_blocks(function):
        for instruction in function.block(label).instructions:
            if isinstance(instruction, Call) and (
                program.role(instruction.name) is Role.FAULT or instruction.name in reaching
            ):
                return True
    return False


def _entries(program: Program, name: str) -> tuple[str, ...]:
    """Up the callers in the file, as long as they use what comes back.

    A caller that only hands the value on counts if one above it uses it.
    """
    entries: list[str] = []
    for user in _users(program, name, frozenset({name})):
        entries += [e for e in _entries(program, user) if e not in entries]
    return tuple(entries) or (name,)


def _users(program: Program, name: str, seen: frozenset[str]) -> list[str]:
    """The callers that look at the value, in file order."""
    callers = sorted(_callers(program, name) - seen, key=lambda n: program.functions[n].span)
    if _flag_params(program, name):
        # What the mm is told is what they say.
        return callers
    if program.functions[name].returns.bits == 0:
        return []
    users = []
    for caller in callers:
        used, handed_on = _uses_result(program.functions[caller], name)
        if used or (handed_on and _users(program, caller, seen | {caller})):
            users.append(caller)
    return users


def _flag_params(program: Program, name: str, seen: frozenset[str] = frozenset()) -> frozenset[int]:
    """Which of a function's parameters are the flags that handle_mm_fault() gets, or hold them.

    Up to 2.6.31 there were no flags to be told: a `write_access` is the handler's own.
    """
    if "FAULT_FLAG_" not in program.source.text:
        return frozenset()
    function = program.functions[name]
    pending: list[Expr] = []
    for call in calls_of(function):
        if program.role(call.name) is Role.FAULT:
            pending += call.args[2:3]
        elif call.name in program.functions and call.name not in seen | {name}:
            inner = _flag_params(program, call.name, seen | {name})
            pending += [a for i, a in enumerate(call.args) if i in inner]
    names: set[str] = set()
    while pending:
        found = {e.name for e in _parts(pending.pop())} - names
        names |= found
        pending += [
            i.value
            for block in function.blocks
            for i in block.instructions
            if isinstance(i, Assign) and isinstance(i.target, Local) and i.target.name in found
        ]
    return frozenset(i for i, p in enumerate(function.params) if p.name in names)


def _parts(expr: Expr) -> Iterator[Local]:
    """The locals that hold a set of flags, whole (`f->flags`, `*flags`) or a part (`flags | W`)."""
    match expr:
        case Local():
            yield expr
        case Cast(operand=inner):
            yield from _parts(inner)
        case Field(base=Local() as record) | Deref(base=Local() as record):
            yield record
        case Field(base=AddressOf(target=Local() as record)):
            yield record
        case Binary(op="|" | "&", left=left, right=right):
            for side in (left, right):
                if not isinstance(side, (Field, Deref)):
                    yield from _parts(side)
        case Conditional(then=then, otherwise=otherwise):
            yield from _parts(then)
            yield from _parts(otherwise)
        case _:
            pass


def _uses_result(caller: Function, name: str) -> tuple[bool, bool]:
    """(whether the caller looks at the value, whether it returns it as it is)."""
    results = {c.result.name for c in calls_of(caller) if c.name == name and c.result is not None}
    returned = {
        part.name
        for block in caller.blocks
        if isinstance(block.terminator, Return) and block.terminator.value is not None
        for part in subexpressions(block.terminator.value)
        if isinstance(part, Local)
    }
    used = {e.name for e in expressions_of(caller, returns=False) if isinstance(e, Local)}
    return bool(results & used), bool(results & returned)


def dialect_of(program: Program, name: str) -> Dialect:
    """The generation of the mm API that the handler, with its helpers, speaks."""
    roles = program.roles(name)
    if Role.LOCK_VMA in roles:
        return Dialect.PER_VMA_LOCK
    if Role.LOCK_FIND in roles:
        return Dialect.LOCK_MM_AND_FIND_VMA
    if roles & {Role.LOCK, Role.TRYLOCK, Role.LOCK_KILLABLE}:
        return Dialect.FIND_VMA
    if roles & {Role.SEM_LOCK, Role.SEM_TRYLOCK, Role.SEM_LOCK_KILLABLE}:
        return Dialect.MMAP_SEM
    return Dialect.FIND_VMA
