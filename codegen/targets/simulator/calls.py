# SPDX-License-Identifier: GPL-2.0-only
"""Calls as calls of the world: each word does what the vocabulary says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codegen.base.spans import SourceText, Span
from codegen.ir import types
from codegen.ir.nodes import (
    AddressOf,
    Call,
    Cast,
    Deref,
    Expr,
    Field,
    Function,
    Global,
    Index,
    Local,
    Text,
)
from codegen.ir.program import Program, Taken
from codegen.ir.vocabulary import Role
from codegen.targets.simulator import python
from codegen.targets.simulator.expressions import (
    Expressions,
    converted,
    negated,
    range_of,
    unsigned,
)
from codegen.targets.simulator.python import Line, Py, Statement, atom, call, number

_SEMAPHORES = ("mmap_sem", "mmap_lock")
_SEM_ROLE = {
    Role.SEM_LOCK: Role.LOCK,
    Role.SEM_TRYLOCK: Role.TRYLOCK,
    Role.SEM_LOCK_KILLABLE: Role.LOCK_KILLABLE,
    Role.SEM_UNLOCK: Role.UNLOCK,
}
_NO_VALUE = (
    Role.ACCOUNTING,
    Role.OOM,
    Role.KERNEL_NEVER_IN_KERNEL,
    Role.LOCK,
    Role.WRITE_LOCK,
    Role.UNLOCK,
    Role.WRITE_UNLOCK,
    Role.UNLOCK_VMA,
    Role.DOWNGRADE,
)
WORD = range_of(types.ULONG)
_PARTS = ("signo", "code", "addr", "lsb", "pkey")


@dataclass(frozen=True)
class Surroundings:
    """What a function has to know of the module that it stands in.

    `names` are the Python names of the functions that are inlined, `reserved`
    every name that a local must not hide; `constant` and `file` are told what
    the text refers to (`file` gives the name of the constant, or None for the
    handler's own file); `objects` the parameters that are always an object.
    """

    program: Program
    names: Mapping[str, str]
    reserved: frozenset[str]
    constant: Callable[[str], None]
    file: Callable[[SourceText], str | None]
    objects: Mapping[str, frozenset[str]]


def never_returns(program: Program, call_: Call) -> bool:
    """Whether control does not come back from a call."""
    role = program.role(call_.name)
    if role in (Role.KERNEL_NEVER, Role.BUG):
        return True
    if call_.name not in program.functions:
        return False
    taken = program.taken(call_.name)
    return taken is not Taken.OPAQUE and not program.may_return(call_.name)


class Calls:
    """The calls of one function."""

    function: Function
    around: Surroundings
    program: Program
    expressions: Expressions
    uses: Counter[str]

    def _at(self, span: Span) -> Py:
        source = self.function.source
        line = source.line(span.start)
        file = self.around.file(source)
        return number(line) if file is None else call("line_of", [atom(file), atom(str(line))])

    def _never(self, instruction: Call) -> list[Statement]:
        name, ex = instruction.name, self.expressions
        line = ("line", self._at(instruction.span))
        quoted = atom(python.string(name))
        if name in self.program.functions:
            if self.program.taken(name) is Taken.KERNEL:
                args = [quoted, *map(ex.argument, instruction.args)]
                return [Line("raise ", call("w.die", [*args, line], plain=False))]
            return [Line("", self._inlined(instruction)), Line("raise ", atom("AssertionError"))]
        if self.program.role(name) is Role.BUG:
            return [Line("raise ", call("w.bug", [quoted, line], plain=False))]
        args = [quoted, *map(ex.argument, instruction.args)]
        return [Line("raise ", call("w.die", [*args, line], plain=False))]

    def _inlined(self, instruction: Call) -> Py:
        function = self.program.functions[instruction.name]
        args: list[Py] = [atom("w")]
        for position, param in enumerate(function.params):
            if position < len(instruction.args):
                value = self.expressions.value(instruction.args[position])
            else:
                value = call("w.symbol", [atom(python.string(f"missing {param.name}"))])
            args.append(converted(value, param.type))
        span = range_of(function.returns) if function.returns.bits else python.ANY
        return call(self.around.names[instruction.name], args, span, plain=False)

    def _gives_nothing(self, instruction: Call) -> bool:
        """Whether the word or function has no value, whatever the text asks for."""
        program = self.program
        if instruction.name in program.functions:
            inline = program.taken(instruction.name) is Taken.INLINE
            return inline and program.functions[instruction.name].returns.bits == 0
        role = program.role(instruction.name)
        return _SEM_ROLE.get(role, role) in _NO_VALUE if role is not None else False

    def _call_value(self, instruction: Call) -> Py | None:
        """The call as an expression, converted to the type of its result."""
        value = self._taken(instruction)
        result = instruction.result
        if value is None or result is None:
            return value
        return _impure(converted(value, result.type), value)

    def _taken(self, instruction: Call) -> Py | None:
        name, program = instruction.name, self.program
        quoted = atom(python.string(name))
        line = ("line", self._at(instruction.span))
        if name in program.functions:
            taken = program.taken(name)
            if taken is Taken.INLINE:
                return self._inlined(instruction)
            head = "w.routine" if taken is Taken.KERNEL else "w.opaque"
            writes = program.writes_objects(name)
            args = self._arguments(instruction, pointers=writes, own=True)
            flags = [("writes", atom("True"))] if writes else []
            return call(head, [quoted, *args, *flags, line], WORD, plain=False)
        role = program.role(name)
        if role is None:
            args = self._arguments(instruction, pointers=True)
            return call("w.call", [quoted, *args, line], WORD, plain=False)
        return self._word(instruction, role, quoted, line)

    def _arguments(
        self, instruction: Call, *, pointers: bool = False, own: bool = False
    ) -> list[Py]:
        """The arguments; with `pointers`, those that C takes for pointers are marked."""
        ex = self.expressions
        out = []
        params = self.program.functions[instruction.name].params if own else ()
        for position, expr in enumerate(instruction.args):
            value = ex.argument(expr)
            if own and position < len(params):
                value = unsigned(
                    converted(ex.value(expr), params[position].type), params[position].type
                )
            if pointers and expr.type.pointer and not self._is_object(expr):
                value = call("pointer", [value], value.span)
            out.append(value)
        return out

    def _is_object(self, expr: Expr) -> bool:
        """Whether it is known to be an address of something, which needs no mark."""
        match expr:
            case AddressOf() | Text():
                return True
            case Global(name=name):
                return name == "current"
            case Cast(operand=operand):
                return self._is_object(operand)
            case Local(name=name):
                return name in self.around.objects.get(self.function.name, frozenset())
            case _:
                return not isinstance(expr, (Field, Index, Deref, Global)) and expr.type.bits == 0

    def _word(self, instruction: Call, role: Role, quoted: Py, line: tuple[str, Py]) -> Py | None:
        ex, wanted = self.expressions, instruction.result is not None
        if role in _SEM_ROLE:
            first = instruction.args[0] if instruction.args else None
            if (
                isinstance(first, AddressOf)
                and isinstance(first.target, Field)
                and first.target.name in _SEMAPHORES
            ):
                role = _SEM_ROLE[role]
            else:
                role = Role.EFFECT
        head, given = "", list[Py | tuple[str, Py]]()
        match role:
            case Role.IGNORE:
                return number(0) if wanted else None
            case Role.WARN:
                condition = ex.truth(instruction.args[0]) if instruction.args else atom("True")
                condition = negated(negated(condition))
                head, given = "w.warn", [quoted, condition]
                return call(head, [*given, line], (0, 1), plain=False)
            case Role.PRINT | Role.EFFECT:
                head, given = "w.effect", [quoted, *self._arguments(instruction)]
            case Role.FRESH:
                args = [quoted, *self._arguments(instruction)]
                return call("w.fresh", args, WORD, plain=False)
            case Role.ACCOUNTING:
                head, given = "w.account", [quoted, *self._arguments(instruction)]
            case Role.OOM:
                head, given = "w.oom", [quoted]
            case Role.SIGNAL:
                return self._signal(instruction, quoted, line)
            case Role.KERNEL:
                head, given = "w.kernel", [quoted, *self._arguments(instruction, pointers=True)]
            case Role.KERNEL_NEVER_IN_KERNEL:
                head, given = "w.die_if_kernel", [quoted, *self._arguments(instruction)]
            case Role.SIGNAL_PENDING | Role.FATAL_PENDING:
                fatal = role is Role.FATAL_PENDING
                return call(f"w.{'fatal_' if fatal else ''}signal_pending", [], (0, 1))
            case Role.LOCK | Role.WRITE_LOCK:
                head = "w.lock"
            case Role.TRYLOCK:
                return call("w.trylock", [line], (0, 1), plain=False)
            case Role.LOCK_KILLABLE | Role.WRITE_LOCK_KILLABLE:
                return call("w.lock_killable", [line], (-4, 0), plain=False)
            case Role.UNLOCK | Role.WRITE_UNLOCK:
                head, given = "w.unlock", [quoted]
            case Role.DOWNGRADE:
                return None
            case Role.LOCK_VMA:
                head, given = "w.lock_vma", [quoted]
            case Role.UNLOCK_VMA:
                head, given = "w.unlock_vma", [quoted]
            case Role.LOCK_FIND:
                regs = instruction.args[2] if len(instruction.args) > 2 else None
                value = atom('w.object("regs")') if regs is None else ex.argument(regs)
                head, given = "w.lock_and_find_vma", [value]
            case Role.FIND_VMA_PREV if len(instruction.args) > 2:
                return call("w.find_vma_prev", [ex.value(instruction.args[2])], WORD, plain=False)
            case Role.FIND_VMA | Role.FIND_VMA_PREV:
                return call("w.find_vma", [], WORD, plain=False)
            case Role.EXPAND_STACK:
                target = ex.value(instruction.args[0]) if instruction.args else number(0)
                head, given = "w.expand_stack", [quoted, target]
            case Role.FAULT:
                args = [ex.argument(a) for a in instruction.args[1:3]]
                head, given = "w.handle_mm_fault", [quoted, *args]
            case _:
                raise AssertionError(f"no step for {role}")
        span = {Role.EXPAND_STACK: python.ANY, Role.FAULT: range_of(types.UINT)}.get(role, WORD)
        return call(head, [*given, line], span, plain=False)

    def _signal(self, instruction: Call, quoted: Py, line: tuple[str, Py]) -> Py:
        ex = self.expressions
        shape = self.program.vocabulary.signals[instruction.name]
        if shape.info is not None:
            args = self._arguments(instruction)
            return call("w.signal_info", [quoted, *args, line], plain=False)
        given: list[Py | tuple[str, Py]] = [quoted]
        for part in _PARTS:
            where = getattr(shape, part)
            if isinstance(where, str):
                self.around.constant(where)
                given.append((part, atom(where)))
            elif isinstance(where, int) and where < len(instruction.args):
                given.append((part, ex.argument(instruction.args[where])))
        if instruction.result is not None and self.uses[instruction.result.name]:
            args = self._arguments(instruction)
            given.append(("result", call("w.result", [quoted, *args], WORD)))
        return call("w.signal", [*given, line], WORD, plain=False)


def _impure(value: Py, inner: Py) -> Py:
    """A conversion of a call has the call's effect."""
    return (
        value
        if inner.plain
        else Py(value.pieces, value.precedence, value.span, value.head, value.args, plain=False)
    )
