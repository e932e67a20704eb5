# SPDX-License-Identifier: GPL-2.0-only
"""All functions of a file in one configuration, and how a call of each is taken.

A handler is spread over static helpers. A call of one is followed (INLINE)
where what it does belongs to the handler's own story: the mm dance, signals,
OOM, the check of a VMA, a pure decode. A helper that only leads to the
exception table or the oops is one step of the trace (KERNEL), and one that
does none of this (prints, page-table walks) is an effect like any other
(OPAQUE).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property, lru_cache

from codegen.base.spans import SourceText
from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Binary,
    Block,
    Branch,
    Call,
    Cast,
    Conditional,
    Deref,
    Expr,
    Field,
    Function,
    Global,
    Index,
    Jump,
    Literal,
    Local,
    PureCall,
    Return,
    Text,
    Unary,
)
from codegen.ir.vocabulary import DANCE_ROLES, Role, Vocabulary


class Taken(Enum):
    """How the machine takes a call of a function that the file defines."""

    INLINE = "inline"
    KERNEL = "kernel"
    OPAQUE = "opaque"


def subexpressions(expr: Expr) -> Iterator[Expr]:
    """The expression and everything in it."""
    yield expr
    match expr:
        case Field(base=base) | Deref(base=base):
            yield from subexpressions(base)
        case Index(base=base, index=index):
            yield from subexpressions(base)
            yield from subexpressions(index)
        case AddressOf(target=inner):
            yield from subexpressions(inner)
        case Unary(operand=inner) | Cast(operand=inner):
            yield from subexpressions(inner)
        case Binary(left=left, right=right):
            yield from subexpressions(left)
            yield from subexpressions(right)
        case Conditional():
            for part in (expr.condition, expr.then, expr.otherwise):
                yield from subexpressions(part)
        case PureCall(args=args):
            for part in args:
                yield from subexpressions(part)
        case Literal() | Text() | Local() | Global():
            pass


@cache
def expressions_of(function: Function, returns: bool = True) -> tuple[Expr, ...]:
    """Every expression that the function evaluates; without `returns`, not what it returns."""
    return tuple(_expressions_in(function, returns))


def _expressions_in(function: Function, returns: bool) -> Iterator[Expr]:
    for block in function.blocks:
        for instruction in block.instructions:
            match instruction:
                case Assign():
                    yield from subexpressions(instruction.value)
                    yield from subexpressions(instruction.target)
                case Call():
                    for arg in instruction.args:
                        yield from subexpressions(arg)
        match block.terminator:
            case Branch(condition=condition):
                yield from subexpressions(condition)
            case Return(value=value) if value is not None and returns:
                yield from subexpressions(value)
            case _:
                pass


@cache
def calls_of(function: Function) -> tuple[Call, ...]:
    """Every call instruction of a function, in block order."""
    return tuple(
        instruction
        for block in function.blocks
        for instruction in block.instructions
        if isinstance(instruction, Call)
    )


def reachable_blocks(function: Function) -> set[str]:
    """The labels that control can reach from the entry."""
    seen: set[str] = set()
    stack = [function.entry]
    while stack:
        label = stack.pop()
        if label in seen or label not in function.block_map:
            continue
        seen.add(label)
        stack += successors(function, label)
    return seen


def successors(function: Function, label: str) -> tuple[str, ...]:
    """Where control may go from a block."""
    match function.block(label).terminator:
        case Jump(target=target):
            return (target,)
        case Branch(then=then, otherwise=otherwise):
            return (then, otherwise)
        case Return():
            return ()


@lru_cache(maxsize=4096)
def cycle_blocks(function: Function) -> frozenset[str]:
    """The labels of reachable blocks that lie on a cycle."""
    # Blocks that a depth-first walk leaves only through others that are left
    # already lie on no cycle; the rest is small enough to be searched.
    reachable = reachable_blocks(function)
    left = dict.fromkeys(reachable, 0)
    before: dict[str, list[str]] = {label: [] for label in reachable}
    for label in reachable:
        for target in successors(function, label):
            left[label] += 1
            before[target].append(label)
    ready = [label for label, count in left.items() if not count]
    while ready:
        label = ready.pop()
        del left[label]
        for source in before[label]:
            if source in left:
                left[source] -= 1
                if not left[source]:
                    ready.append(source)
    found: set[str] = set()
    for start in left:
        seen: set[str] = set()
        stack = [t for t in successors(function, start) if t in left]
        while stack:
            label = stack.pop()
            if label == start:
                found.add(start)
                break
            if label not in seen:
                seen.add(label)
                stack += [t for t in successors(function, label) if t in left]
    return frozenset(found)


_SIGNAL_PREFIXES = ("SEGV_", "BUS_", "ILL_", "FPE_", "TRAP_")


def is_signal_number(name: str | None) -> bool:
    """`SIGBUS` is one."""
    return name is not None and name.startswith("SIG") and name[3:].isalnum()


def is_signal_code(name: str | None) -> bool:
    """`SEGV_MAPERR` is one."""
    return name is not None and name.startswith(_SIGNAL_PREFIXES)


@dataclass(frozen=True)
class Program:
    """The functions of one file in one configuration, by name.

    `followed` are routines that would be one step of the trace, and are not.
    """

    source: SourceText
    functions: Mapping[str, Function]
    vocabulary: Vocabulary
    constants: Mapping[str, int]
    followed: frozenset[str] = frozenset()

    def role(self, name: str) -> Role | None:
        """A word's role; None for one that the file defines itself, or that nobody knows."""
        if name in self.functions:
            return None
        known = self.vocabulary.role(name)
        if known is None and name in self._never_back:
            return Role.KERNEL_NEVER
        return known

    @cached_property
    def _never_back(self) -> frozenset[str]:
        """What the file only declares, as `__noreturn`: `extern void halt_cpu(int) __noreturn;`."""
        marked = (m for m in _PROTOTYPE.finditer(self.source.text) if _NORETURN.search(m[0]))
        return frozenset(m[1] for m in marked)

    @cached_property
    def _roles(self) -> dict[str, frozenset[Role]]:
        """Every role that a function reaches, itself or through its callees."""
        own: dict[str, set[Role]] = {}
        callees: dict[str, set[str]] = {}
        for name, function in self.functions.items():
            roles: set[Role] = set()
            for call in calls_of(function):
                role = self.role(call.name)
                if role is not None:
                    roles.add(role)
                elif call.name not in self.functions and self._looks_like_signal(call, function):
                    roles.add(Role.SIGNAL)
            for expr in expressions_of(function):
                if isinstance(expr, PureCall) and (role := self.role(expr.name)) is not None:
                    roles.add(role)
            own[name] = roles
            callees[name] = {c.name for c in calls_of(function) if c.name in self.functions}
        changed = True
        while changed:
            changed = False
            for name in own:
                before = len(own[name])
                for callee in callees[name]:
                    own[name] |= own[callee]
                changed = changed or len(own[name]) != before
        return {name: frozenset(roles) for name, roles in own.items()}

    def _looks_like_signal(self, call: Call, function: Function) -> bool:
        """A signal by its shape: a number and a code among the arguments.

        Inside a helper they may be its parameters: `do_trap(regs, signo, code, addr)`.
        """
        named = [a.name for a in call.args if isinstance(a, (Literal, Local))]
        named += [
            a.operand.name
            for a in call.args
            if isinstance(a, Cast) and isinstance(a.operand, (Literal, Local))
        ]
        params = {p.name for p in function.params}
        code = any(is_signal_code(n) or (n in params and n in _CODE_NAMES) for n in named)
        number = any(is_signal_number(n) or (n in params and n in _NUMBER_NAMES) for n in named)
        return code and (number or any((n or "").startswith("BUS_") for n in named))

    def roles(self, name: str) -> frozenset[Role]:
        """Every role that a function of the file reaches."""
        return self._roles[name]

    @cached_property
    def looked_up(self) -> tuple[tuple[str, str], ...]:
        """The fields, as (pointer, name), whose value the exception table is asked for."""
        found: dict[tuple[str, str], None] = {}
        for function in self.functions.values():
            for expr in expressions_of(function):
                if isinstance(expr, PureCall) and self.role(expr.name) is Role.KERNEL_READS:
                    match expr.args[:1]:
                        case (Field(base=Local(name=pointer), name=name),):
                            found[pointer, name] = None
        return tuple(found)

    @cached_property
    def _taken(self) -> dict[str, Taken]:
        return {name: self._classify(name) for name in self.functions}

    def taken(self, name: str) -> Taken:
        """How the machine takes a call of a function of the file."""
        return self._taken[name]

    def may_be_followed(self, name: str) -> bool:
        """Whether a routine that is one step could be gone through as well: it does not loop."""
        straight = not cycle_blocks(self.functions[name]) and name not in self._callees(name)
        return straight and self.taken(name) is Taken.KERNEL

    def _classify(self, name: str) -> Taken:
        if name in self.followed:
            return Taken.INLINE
        roles = self._roles[name]
        if roles & (DANCE_ROLES | {Role.SIGNAL, Role.OOM}):
            return Taken.INLINE
        if self.role_of_own_name(name) in (Role.KERNEL, Role.KERNEL_NEVER):
            return Taken.KERNEL
        kernel = roles & {Role.KERNEL, Role.KERNEL_NEVER, Role.KERNEL_NEVER_IN_KERNEL}
        if kernel or Role.KERNEL_READS in roles:
            return Taken.KERNEL
        if Role.BUG in roles or self._reads_vma(name) or self._is_decode(name):
            return Taken.INLINE if not self._loops(name) else Taken.OPAQUE
        if self._writes_through_parameter(name) and not self._loops(name):
            return Taken.INLINE
        if self._only_sets(name):
            return Taken.INLINE
        return Taken.OPAQUE

    def role_of_own_name(self, name: str) -> Role | None:
        """The vocabulary's role of a word that the file defines itself (`fixup_exception`)."""
        return self.vocabulary.role(name)

    def _callees(self, name: str) -> set[str]:
        seen: set[str] = set()
        stack = [name]
        while stack:
            for call in calls_of(self.functions[stack.pop()]):
                if call.name in self.functions and call.name not in seen:
                    seen.add(call.name)
                    stack.append(call.name)
        return seen

    def _loops(self, name: str) -> bool:
        return any(
            cycle_blocks(self.functions[n]) for n in {name, *self._callees(name)}
        ) or name in self._callees(name)

    def is_step(self, name: str) -> bool:
        """Whether a call of a function of the file is one step of the trace, not followed.

        A function that calls itself is followed once, and is a step from there on.
        """
        return self.taken(name) is not Taken.INLINE or name in self._callees(name)

    def _reads_vma(self, name: str) -> bool:
        return any(
            isinstance(e, Field) and e.name == "vm_flags"
            for n in {name, *self._callees(name)}
            for e in expressions_of(self.functions[n])
        )

    def _is_decode(self, name: str) -> bool:
        """No effect, no loop: a function of its arguments and what they point to."""
        for n in {name, *self._callees(name)}:
            function = self.functions[n]
            for call in calls_of(function):
                if call.name in self.functions:
                    continue
                if self.role(call.name) not in (
                    Role.WARN,
                    Role.SIGNAL_PENDING,
                    Role.FATAL_PENDING,
                    Role.IGNORE,
                ):
                    return False
            if not all(map(_is_own, _targets(function))):
                return False
        return not self._loops(name)

    def _writes_through_parameter(self, name: str) -> bool:
        """Whether the function writes `*param`: the caller's local may be behind it."""
        function = self.functions[name]
        params = {p.name for p in function.params}
        return any(
            isinstance(t, Deref) and isinstance(t.base, Local) and t.base.name in params
            for t in _targets(function)
        )

    def _only_sets(self, name: str) -> bool:
        """Whether the function does nothing but write fields, in a row: `thread.signo = signo`."""
        function = self.functions[name]
        straight = all(
            not isinstance(function.block(label).terminator, Branch)
            for label in reachable_blocks(function)
        )
        return (
            straight
            and not any(calls_of(function))
            and any(isinstance(t, Field) for t in _targets(function))
        )

    def writes_objects(self, name: str) -> bool:
        """Whether an OPAQUE function may write what its pointer arguments point to."""
        return self._writes_what_it_gets(name, frozenset())

    def _writes_what_it_gets(self, name: str, above: frozenset[str]) -> bool:
        """Whether the function stores through a pointer parameter, or hands one on to what does.

        A local that takes a parameter's value points where the parameter does;
        what is loaded from the object (`regs->pc`) points elsewhere.
        """
        function = self.functions[name]
        pointing = {p.name for p in function.params if p.type.pointer or p.type.record}
        before = -1
        while before != len(pointing):
            before = len(pointing)
            for block in function.blocks:
                for i in block.instructions:
                    if (
                        isinstance(i, Assign)
                        and isinstance(i.target, Local)
                        and _points(i.value, pointing)
                    ):
                        pointing.add(i.target.name)
        for target in _targets(function):
            if isinstance(target, (Field, Index, Deref)) and _points(target.base, pointing):
                return True
        above |= {name}
        for call in calls_of(function):
            if not any(_points(a, pointing) for a in call.args):
                continue
            if call.name in self.functions:
                if call.name not in above and self._writes_what_it_gets(call.name, above):
                    return True
            elif self.role(call.name) is None:
                return True
        return False

    @cached_property
    def _ahead(self) -> dict[str, frozenset[str]]:
        """What blocks_before_fault() found, by function."""
        return {}

    def blocks_before_fault(self, name: str) -> frozenset[str]:
        """The labels of a function's blocks that handle_mm_fault() may still come behind."""
        if name not in self._ahead:
            function = self.functions[name]
            found: set[str] = set()
            grew = True
            while grew:
                grew = False
                for block in function.blocks:
                    if block.label not in found and self._goes_on_to_fault(block, found):
                        found.add(block.label)
                        grew = True
            self._ahead[name] = frozenset(found)
        return self._ahead[name]

    def _goes_on_to_fault(self, block: Block, found: set[str]) -> bool:
        """Whether a block asks the mm, or goes on to one of those found that do."""
        for i in block.instructions:
            if isinstance(i, Call):
                own = i.name in self.functions
                if Role.FAULT in (self.roles(i.name) if own else {self.role(i.name)}):
                    return True
                if self.role(i.name) in (Role.KERNEL_NEVER, Role.BUG) or (
                    own and not self.may_return(i.name)
                ):
                    return False
        match block.terminator:
            case Jump(target=target):
                return target in found
            case Branch(then=then, otherwise=otherwise):
                return then in found or otherwise in found
            case Return():
                return False

    def may_return(self, name: str) -> bool:
        """Whether control can come back from the function; it says so itself with `__noreturn`."""
        if name not in self._returning:
            self._returning[name] = self._may_return(name)
        return self._returning[name]

    @cached_property
    def _returning(self) -> dict[str, bool]:
        """What may_return() found, by function."""
        return {}

    def _may_return(self, name: str) -> bool:
        function = self.functions[name]
        head, _, _ = function.source.slice(function.span).partition("{")
        if "__noreturn" in head.split():
            return False
        seen: set[str] = set()
        stack = [function.entry]
        while stack:
            label = stack.pop()
            if label in seen:
                continue
            seen.add(label)
            block = function.block(label)
            ended = any(
                isinstance(i, Call)
                and (
                    self.role(i.name) in (Role.KERNEL_NEVER, Role.BUG)
                    or (i.name in self.functions and i.name != name and not self.may_return(i.name))
                )
                for i in block.instructions
            )
            if ended:
                continue
            if isinstance(block.terminator, Return):
                return True
            stack += successors(function, label)
        return False


# A declaration of a function that begins a line; no statement of a body has the mark.
_PROTOTYPE = re.compile(
    r"^(?:__attribute__\s*\(\(\w+\)\)\s*)?\w[^\n;{}()#]*?\b(\w+)\s*\([^;{}]*\)[^;{}]*;",
    re.MULTILINE,
)
_NORETURN = re.compile(
    r"\b(?:__noreturn|_*noreturn_*|_Noreturn|NORET_AND|ATTRIB_NORET|NORET_TYPE)\b"
)
_CODE_NAMES = frozenset({"code", "si_code"})
_NUMBER_NAMES = frozenset({"sig", "signo", "signr", "si_signo", "signal"})


def _points(expr: Expr, pointing: set[str]) -> bool:
    """Whether the value is an address in an object that one of the `pointing` locals points to."""
    match expr:
        case Local(name=name):
            return name in pointing or name == "current"
        case Global(name=name):
            return name == "current"
        case Cast(operand=inner):
            return _points(inner, pointing)
        case AddressOf(target=Field(base=base) | Index(base=base) | Deref(base=base)):
            return _points(base, pointing)
        case AddressOf(target=Local(name=name)):
            return name in pointing
        case Binary(left=left, right=right):
            return _points(left, pointing) or _points(right, pointing)
        case Conditional(then=then, otherwise=otherwise):
            return _points(then, pointing) or _points(otherwise, pointing)
        case _:
            return False


def _is_own(target: Expr) -> bool:
    """Whether it is a local, or a part of a local record: `union word w = { .val = code }`."""
    match target:
        case Local():
            return True
        case Field(base=AddressOf(target=inner)) | Index(base=AddressOf(target=inner)):
            return _is_own(inner)
        case _:
            return False


def _targets(function: Function) -> Iterator[Expr]:
    for block in function.blocks:
        for instruction in block.instructions:
            if isinstance(instruction, Assign):
                yield instruction.target
