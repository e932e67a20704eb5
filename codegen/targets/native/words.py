# SPDX-License-Identifier: GPL-2.0-only
"""What is called in a handler, as rows of the C world's table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codegen.ir.nodes import (
    Assign,
    Binary,
    Cast,
    Conditional,
    Expr,
    Field,
    Function,
    Global,
    Index,
    Literal,
    Local,
    PureCall,
    Text,
)
from codegen.ir.program import (
    Program,
    Taken,
    calls_of,
    expressions_of,
    is_signal_code,
    is_signal_number,
)
from codegen.ir.vocabulary import Role
from codegen.targets.normal import Kind

# In the order of the C enumeration; the semaphore's words stand as the lock's do.
ROLES = (
    "PURE",
    "USER_MODE",
    "IGNORE",
    "WARN",
    "EFFECT",
    "FRESH",
    "ACCOUNTING",
    "OOM",
    "BUG",
    "SIGNAL",
    "KERNEL",
    "KERNEL_NEVER",
    "KERNEL_NEVER_IN_KERNEL",
    "OWN_CALL",
    "OWN_KERNEL",
    "UNKNOWN",
    "SIGNAL_PENDING",
    "FATAL_PENDING",
    "LOCK",
    "TRYLOCK",
    "LOCK_KILLABLE",
    "UNLOCK",
    "SEM_LOCK",
    "SEM_TRYLOCK",
    "SEM_LOCK_KILLABLE",
    "SEM_UNLOCK",
    "DOWNGRADE",
    "LOCK_VMA",
    "UNLOCK_VMA",
    "LOCK_FIND",
    "FIND_VMA",
    "FIND_VMA_PREV",
    "EXPAND_STACK",
    "FAULT_WORD",
)
_SPELLED = {
    Role.KERNEL_READS: "PURE",
    Role.PRINT: "EFFECT",
    Role.FAULT: "FAULT_WORD",
    Role.WRITE_LOCK: "LOCK",
    Role.WRITE_LOCK_KILLABLE: "LOCK_KILLABLE",
    Role.WRITE_UNLOCK: "UNLOCK",
}


@dataclass(frozen=True, slots=True)
class Word:
    """One row; the indices of a signal's parts are those of arguments, or -1."""

    name: str
    role: str
    kind: Kind
    type: int
    signo: int = -1
    code: int = -1
    addr: int = -1
    lsb: int = -1
    pkey: int = -1
    fixed_signo: int = 0
    fixed_code: int = 0
    has_signo: bool = False
    has_code: bool = False
    writes: bool = False
    never: bool = False


def word_row(
    program: Program, functions: list[Function], name: str, kind: Kind, type_: int
) -> Word:
    """The row of a word that the file does not define."""
    role = program.role(name)
    if role is None:
        shape = _shape(functions, name)
        if shape is None:
            return Word(name, "UNKNOWN", kind, type_)
        signo, code, addr = shape
        has = signo < 0
        return Word(name, "SIGNAL", kind, type_, signo, code, addr, fixed_signo=7, has_signo=has)
    if role is not Role.SIGNAL:
        return Word(name, _SPELLED.get(role, role.name), kind, type_)
    parts = program.vocabulary.signals[name]
    numbers = {"signo": -1, "code": -1, "addr": -1, "lsb": -1, "pkey": -1}
    fixed: dict[str, int] = {}
    for part in numbers:
        where = getattr(parts, part)
        if isinstance(where, int):
            numbers[part] = where
        elif isinstance(where, str):
            fixed[part] = program.constants.get(where, 0)
    return Word(
        name,
        "SIGNAL",
        kind,
        type_,
        numbers["signo"],
        numbers["code"],
        numbers["addr"],
        numbers["lsb"],
        numbers["pkey"],
        fixed.get("signo", 0),
        fixed.get("code", 0),
        "signo" in fixed,
        "code" in fixed,
    )


def own_row(program: Program, name: str, kind: Kind, type_: int) -> Word:
    """The row of one of the file's own functions that is one step of the trace."""
    kernel = program.taken(name) is Taken.KERNEL
    return Word(
        name,
        "OWN_KERNEL" if kernel else "OWN_CALL",
        kind,
        type_,
        writes=program.writes_objects(name),
        never=kernel and not program.may_return(name),
    )


def _shape(functions: list[Function], name: str) -> tuple[int, int, int] | None:
    """(signo, code, addr) of a call that is a signal by its shape; signo -1 stands for SIGBUS."""
    for function in functions:
        for call in calls_of(function):
            if call.name != name:
                continue
            held = [_names(functions, function, a, frozenset()) for a in call.args]
            codes = [i for i, names in enumerate(held) if any(map(is_signal_code, names))]
            numbers = [i for i, names in enumerate(held) if any(map(is_signal_number, names))]
            bus = codes and any(n.startswith("BUS_") for n in held[codes[0]])
            if not codes or not (numbers or bus):
                continue
            rest = [
                i
                for i in range(codes[0] + 1, len(call.args))
                if i not in numbers and not isinstance(call.args[i], Text)
            ]
            return numbers[0] if numbers else -1, codes[0], rest[0] if rest else -1
    return None


def _names(
    functions: list[Function], function: Function, expr: Expr, seen: frozenset[tuple[str, str]]
) -> frozenset[str]:
    """The named constants that an expression may hold, whatever way led to it."""
    match expr:
        case Literal(name=str() as name):
            return frozenset({name})
        case Cast(operand=operand):
            return _names(functions, function, operand, seen)
        case Conditional(then=then, otherwise=otherwise):
            return _names(functions, function, then, seen) | _names(
                functions, function, otherwise, seen
            )
        case Local(name=name) if (function.name, name) not in seen:
            seen |= {(function.name, name)}
            found: frozenset[str] = frozenset()
            for value, where in _sources(functions, function, name):
                found |= _names(functions, where, value, seen)
            return found
        case _:
            return frozenset()


def counting_names(functions: list[Function]) -> dict[str, Kind]:
    """What counts a shift or an index: C leaves big ones open, or they lead to nowhere."""
    found: set[str] = set()
    added: set[str] = set()
    for function in functions:
        for expr in expressions_of(function):
            match expr:
                case Binary(op="<<" | ">>", right=right):
                    found |= _counted(functions, function, right, frozenset())
                case Index(index=index):
                    found |= _counted(functions, function, index, frozenset())
                case Binary(op="+" | "-", left=left, right=right) if left.type.pointer:
                    added |= _counted(functions, function, right, frozenset())
                case _:
                    pass
        for block in function.blocks:
            for instruction in block.instructions:
                if isinstance(instruction, Assign) and instruction.target.type.pointer:
                    value = instruction.value
                    while isinstance(value, Cast):
                        value = value.operand
                    if isinstance(value, Binary) and value.op == "+":
                        added |= _counted(functions, function, value.right, frozenset())
    return dict.fromkeys(added, Kind.OFFSET) | dict.fromkeys(found, Kind.SMALL)


def compared_names(functions: list[Function]) -> dict[str, Kind]:
    """What is asked to be equal to something that has a name as well."""
    found: set[str] = set()
    for function in functions:
        for expr in expressions_of(function):
            if isinstance(expr, Binary) and expr.op in ("==", "!="):
                left = _compared(functions, function, expr.left, frozenset())
                right = _compared(functions, function, expr.right, frozenset())
                if left and right:
                    found |= left | right
    return dict.fromkeys(found, Kind.CODE)


def _compared(
    functions: list[Function], function: Function, expr: Expr, seen: frozenset[tuple[str, str]]
) -> frozenset[str]:
    """The names of the scenario whose values an expression may have, masked or not."""
    match expr:
        case Global(name=name) | PureCall(name=name) | Field(name=name):
            return frozenset({name})
        case Cast(operand=operand):
            return _compared(functions, function, operand, seen)
        case Binary(op="&" | "|", left=left, right=right):
            return _compared(functions, function, left, seen) | _compared(
                functions, function, right, seen
            )
        case Local(name=name) if (function.name, name) not in seen:
            seen |= {(function.name, name)}
            found: frozenset[str] = frozenset()
            for value, where in _sources(functions, function, name):
                found |= _compared(functions, where, value, seen)
            for call in calls_of(function):
                if call.result is not None and call.result.name == name:
                    found |= {call.name}
            if not found and any(p.name == name for p in function.params):
                found = frozenset({name})
            return found
        case _:
            return frozenset()


def _counted(
    functions: list[Function], function: Function, expr: Expr, seen: frozenset[tuple[str, str]]
) -> frozenset[str]:
    """The names of the scenario that an expression's value comes from."""
    match expr:
        case Global(name=name) | PureCall(name=name):
            return frozenset({name})
        case Cast(operand=operand) | Binary(op="*", left=operand):
            return _counted(functions, function, operand, seen)
        case Binary(op="&", left=left, right=right):
            # One operand that is small is enough; a mask is the better one.
            return _counted(functions, function, right, seen) or _counted(
                functions, function, left, seen
            )
        case Local(name=name) if (function.name, name) not in seen:
            seen |= {(function.name, name)}
            found: frozenset[str] = frozenset()
            for value, where in _sources(functions, function, name):
                found |= _counted(functions, where, value, seen)
            for call in calls_of(function):
                if call.result is not None and call.result.name == name:
                    found |= {call.name}
            return found
        case _:
            return frozenset()


def _sources(
    functions: list[Function], function: Function, name: str
) -> Iterable[tuple[Expr, Function]]:
    """What is assigned to a local, or given for a parameter."""
    for block in function.blocks:
        for instruction in block.instructions:
            match instruction:
                case Assign(target=Local(name=target), value=value) if target == name:
                    yield value, function
                case _:
                    pass
    for position, param in enumerate(function.params):
        if param.name == name:
            for caller in functions:
                for call in calls_of(caller):
                    if call.name == function.name and position < len(call.args):
                        yield call.args[position], caller
