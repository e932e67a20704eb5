# SPDX-License-Identifier: GPL-2.0-only
"""The names of a handler's scenario, for the docstring of its simulator.

Which symbols of the entry state the handler reads is told from its text: a
local that is set once to a path stands for that path, a parameter for what
every caller gives.
"""

from __future__ import annotations

from collections import Counter

from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Call,
    Cast,
    Deref,
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
from codegen.ir.program import Program, Taken, calls_of, subexpressions
from codegen.ir.vocabulary import Role
from codegen.targets.simulator import python

_WIDTH = 96


def always_objects(
    program: Program, entries: tuple[str, ...], functions: list[Function]
) -> dict[str, frozenset[str]]:
    """For each function the parameters that are the address of an object wherever it is called."""
    paths = _paths(program, entries, functions)
    given = {p.name for n in entries for p in program.functions[n].params if p.type.pointer}
    objects = {"current", *given}
    return {
        f.name: frozenset(
            local.name
            for local in (*f.params, *f.locals)
            if (path := paths.get((f.name, local.name), "")) in objects or path.startswith("&")
        )
        for f in functions
    }


def _paths(
    program: Program, entries: tuple[str, ...], functions: list[Function]
) -> dict[tuple[str, str], str]:
    """What a parameter or a local that never changes stands for."""
    paths: dict[tuple[str, str], str] = {}
    for name in entries:
        for param in program.functions[name].params:
            if param.name not in _written(program.functions[name]):
                paths[name, param.name] = param.name
    for _ in range(len(functions) + 1):
        for function in functions:
            _local_paths(function, paths)
        given: dict[tuple[str, str], set[str | None]] = {}
        for function in functions:
            for call in calls_of(function):
                if call.name in program.functions and program.taken(call.name) is Taken.INLINE:
                    callee = program.functions[call.name]
                    for param, arg in zip(callee.params, call.args, strict=False):
                        path = _path(function, arg, paths)
                        given.setdefault((call.name, param.name), set()).add(path)
        for key, values in given.items():
            only = next(iter(values)) if len(values) == 1 else None
            written = _written(program.functions[key[0]])
            if only is not None and key[0] not in entries and key[1] not in written:
                paths[key] = only
    return paths


def _written(function: Function) -> Counter[str]:
    written: Counter[str] = Counter()
    for block in function.blocks:
        for instruction in block.instructions:
            if isinstance(instruction, Assign) and isinstance(instruction.target, Local):
                written[instruction.target.name] += 1
            if isinstance(instruction, Call) and instruction.result is not None:
                written[instruction.result.name] += 2
    return written


def _local_paths(function: Function, paths: dict[tuple[str, str], str]) -> None:
    written = _written(function)
    for block in function.blocks:
        for instruction in block.instructions:
            if not isinstance(instruction, Assign) or not isinstance(instruction.target, Local):
                continue
            name = instruction.target.name
            if written[name] == 1 and not any(p.name == name for p in function.params):
                path = _path(function, instruction.value, paths)
                if path is not None:
                    paths[function.name, name] = path


def _path(function: Function, expr: Expr, paths: dict[tuple[str, str], str]) -> str | None:
    """The expression in terms of the entry's parameters and of globals; None where it varies."""
    match expr:
        case Local(name=name):
            return paths.get((function.name, name))
        case Global(name=name):
            return name
        case Literal(value=value, name=name):
            return name or (str(value) if value < 10 else hex(value))
        case Text(value=value):
            return value
        case Cast(operand=operand):
            return _path(function, operand, paths)
        case Field(base=AddressOf(target=inner), name=name):
            base = _path(function, inner, paths)
            return None if base is None else f"{base}.{name}"
        case Field(base=base, name=name):
            of = _path(function, base, paths)
            return None if of is None else f"{of}->{name}"
        case AddressOf(target=target):
            of = _path(function, target, paths)
            return None if of is None else f"&{of}"
        case Deref(base=base):
            of = _path(function, base, paths)
            return None if of is None else f"*{of}"
        case PureCall(name=name, args=args):
            given = [_path(function, a, paths) for a in args]
            return f"{name}({', '.join(a or '...' for a in given)})"
        case _:
            return None


def scenario_fields(
    program: Program, entries: tuple[str, ...], functions: list[Function]
) -> list[str]:
    """One line for each name that the handler may ask the scenario for."""
    paths = _paths(program, entries, functions)
    rows: dict[str, str] = {}
    if len(entries) > 1:
        rows["entry"] = "the function to start at, counted from 0"
    for name in entries:
        for param in program.functions[name].params:
            if not (param.type.pointer or param.type.record):
                rows.setdefault(param.name, f"parameter of {name}()")
    roles = {role for f in functions for role in _roles(program, f)}
    rows["user_mode(regs)"] = "1 for a fault from user mode"
    for function in functions:
        _read_names(program, function, paths, rows)
    rows |= {name: meaning for name, meaning in _WORLD.items() if _ROLE_OF[name] & roles}
    width = max(min(len(n), 40) for n in rows)
    lines = []
    for name, meaning in rows.items():
        line = f"    {name:<{width}}  {meaning}"
        lines.append(line if len(line) <= _WIDTH else line[: _WIDTH - 3].rstrip() + "...")
    lines = [line.encode("ascii", "replace").decode("ascii") for line in lines]
    return [line.replace("\\", "\\\\").replace('"""', "...") for line in lines]


def _roles(program: Program, function: Function) -> set[Role]:
    return {r for c in calls_of(function) if (r := program.role(c.name)) is not None}


def _read_names(
    program: Program,
    function: Function,
    paths: dict[tuple[str, str], str],
    rows: dict[str, str],
) -> None:
    source = function.source
    own = source.path == program.source.path
    of = "" if own else f" of {python.shown_path(source.path)}"
    for block in function.blocks:
        for instruction in block.instructions:
            span = instruction.span
            where = f"line {source.line(span.start)}{of}"
            for expr in _instruction_reads(instruction):
                _note(program, function, expr, paths, rows, where)
            if isinstance(instruction, Call):
                _note_call(program, function, instruction, paths, rows, where)
        end = block.terminator
        condition = getattr(end, "condition", None) or getattr(end, "value", None)
        if condition is not None:
            span = end.span  # type: ignore[union-attr]
            where = f"line {source.line(span.start)}{of}"
            for expr in subexpressions(condition):
                _note(program, function, expr, paths, rows, where)


def _instruction_reads(instruction: Assign | Call) -> list[Expr]:
    if isinstance(instruction, Assign):
        return list(subexpressions(instruction.value))
    return [e for a in instruction.args for e in subexpressions(a)]


def _note(
    program: Program,
    function: Function,
    expr: Expr,
    paths: dict[tuple[str, str], str],
    rows: dict[str, str],
    where: str,
) -> None:
    if not isinstance(expr, (Global, Field, Index, Deref, PureCall)):
        return
    if isinstance(expr, Global) and expr.name == "current":
        return
    if isinstance(expr, PureCall) and program.role(expr.name) is Role.USER_MODE:
        return
    path = _path(function, expr, paths)
    if path is None or "vma" in path:
        return
    kind = "called" if isinstance(expr, PureCall) else "read"
    rows.setdefault(path, f"{kind} in {where}")


def _note_call(
    program: Program,
    function: Function,
    call: Call,
    paths: dict[tuple[str, str], str],
    rows: dict[str, str],
    where: str,
) -> None:
    if call.result is None:
        return
    role = program.role(call.name)
    inline = call.name in program.functions and program.taken(call.name) is Taken.INLINE
    if inline or (role is not None and role not in _KEYED):
        return
    given = [_path(function, a, paths) for a in call.args]
    name = f"{call.name}({', '.join(a or '...' for a in given)})"
    rows.setdefault(name, f"what the call in {where} gives")


_KEYED = (Role.PRINT, Role.EFFECT, Role.FRESH, Role.KERNEL, Role.KERNEL_READS)
_ACQUIRES = {
    Role.LOCK,
    Role.TRYLOCK,
    Role.LOCK_KILLABLE,
    Role.LOCK_FIND,
    Role.LOCK_VMA,
    Role.SEM_LOCK,
    Role.SEM_TRYLOCK,
    Role.SEM_LOCK_KILLABLE,
}
_WORLD = {
    "mmap_lock_contended#1": "1 if the first acquisition of the mmap lock has to wait",
    "killed_in_lock_wait#1": "1 if the task is killed meanwhile",
    "vma_read_locked#1": "1 if the VMA can be locked without the mmap lock",
    "vma_found#1": "1 if the first acquisition finds a VMA",
    "vma#1->vm_flags": "that VMA's flags; likewise vm_start and vm_end",
    "stack_grown#1": "1 if the stack can grow to the address",
    "handle_mm_fault#1": "what the first call of handle_mm_fault() returns; #2 the second",
    "signal_pending#1": "1 if a signal is pending after it",
    "fatal_signal_pending#1": "1 if a fatal one is",
}
_CONTENDED = {Role.TRYLOCK, Role.LOCK_FIND, Role.SEM_TRYLOCK}
_KILLABLE = {Role.LOCK_KILLABLE, Role.LOCK_FIND, Role.SEM_LOCK_KILLABLE}
_FINDS = {Role.LOCK_FIND, Role.FIND_VMA, Role.FIND_VMA_PREV}
_ROLE_OF = {
    "mmap_lock_contended#1": _CONTENDED,
    "killed_in_lock_wait#1": _KILLABLE,
    "vma_read_locked#1": {Role.LOCK_VMA},
    "vma_found#1": _FINDS,
    "vma#1->vm_flags": _FINDS | {Role.LOCK_VMA},
    "stack_grown#1": {Role.EXPAND_STACK},
    "handle_mm_fault#1": {Role.FAULT},
    "signal_pending#1": {Role.SIGNAL_PENDING},
    "fatal_signal_pending#1": {Role.FATAL_PENDING},
}
