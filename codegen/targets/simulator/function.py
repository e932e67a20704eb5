# SPDX-License-Identifier: GPL-2.0-only
"""One C function as one Python function.

A block with one way in nests under its branch; what several ways lead to
follows the branch that they part at. Labels that are jumped to, and loops,
are cases of a `while True: match label:`.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from codegen.base.spans import SourceText, Span
from codegen.ir import types
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
    Jump,
    Local,
    Return,
    Text,
)
from codegen.ir.program import Program, Taken, expressions_of, subexpressions
from codegen.ir.types import CType
from codegen.ir.vocabulary import Role
from codegen.targets.simulator import python
from codegen.targets.simulator.expressions import (
    Expressions,
    converted,
    negated,
    range_of,
    unsigned,
)
from codegen.targets.simulator.graph import (
    Both,
    Condition,
    Decide,
    Either,
    Fork,
    Graph,
    Leaf,
    Node,
    Not,
    Step,
    foldable,
    prepare,
    targets,
)
from codegen.targets.simulator.python import If, Line, Py, Statement, atom, call, number

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
_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
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


class _Jumped(Exception):
    """A place turned out to need a case of its own."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


def function_text(function: Function, around: Surroundings) -> list[str]:
    """The lines of the Python function."""
    return _Function(function, around).lines()


def never_returns(program: Program, call_: Call) -> bool:
    """Whether control does not come back from a call."""
    role = program.role(call_.name)
    if role in (Role.KERNEL_NEVER, Role.BUG):
        return True
    if call_.name not in program.functions:
        return False
    taken = program.taken(call_.name)
    return taken is not Taken.OPAQUE and not program.may_return(call_.name)


class _Function:
    def __init__(self, function: Function, around: Surroundings) -> None:
        self.function = function
        self.around = around
        self.program = around.program
        self.uses = Counter(e.name for e in _read(function) if isinstance(e, Local))
        self.graph: Graph = prepare(
            function, lambda c: never_returns(self.program, c), dict(self.uses)
        )
        self.uses = Counter(e.name for e in self._reads() if isinstance(e, Local))
        self.cells = frozenset(self._cells())
        self.python_names = self._python_names()
        self.expressions = Expressions(self.program, self.python_names, self.cells, around.constant)
        self.cases: set[str] = {
            n
            for n in self.graph.nodes
            if n in self.graph.loops or (not n.startswith(".") and len(self.graph.before[n]) > 1)
        }
        self.emitted: set[str] = set()

    # -- what the function has --

    def _reads(self) -> Iterator[Expr]:
        """Every expression that is evaluated in the part that control can reach."""
        for node in self.graph.nodes.values():
            for instruction in node.instructions:
                yield from _step_reads(instruction)
            match node.end:
                case Fork(condition=condition):
                    yield from _condition_reads(condition)
                case Return(value=value) if value is not None:
                    yield from subexpressions(value)
                case _:
                    pass

    def _instructions(self) -> Iterator[Step]:
        for node in self.graph.nodes.values():
            for step in node.instructions:
                if isinstance(step, Decide):
                    yield from _condition_calls(step.condition)
                yield step
            if isinstance(node.end, Fork):
                yield from _condition_calls(node.end.condition)

    def _cells(self) -> Iterator[str]:
        """The locals that live in memory: somebody has their address."""
        for expr in self._reads():
            if isinstance(expr, AddressOf) and isinstance(expr.target, Local):
                yield expr.target.name
        for instruction in self._instructions():
            if isinstance(instruction, Assign) and not isinstance(instruction.target, Local):
                for expr in subexpressions(instruction.target):
                    if isinstance(expr, AddressOf) and isinstance(expr.target, Local):
                        yield expr.target.name

    def _python_names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        taken = set(self.around.reserved) | {"w", "label"}
        results = {
            i.result.name: i.name for i in self._instructions() if isinstance(i, Call) and i.result
        }
        for local in (*self.function.params, *self.function.locals):
            if local.name.startswith("%"):
                of = "".join(c if c.isalnum() else "_" for c in results.get(local.name, "value"))
                name = f"{of.strip('_')}_{local.name[1:]}"
            else:
                name = local.name.replace(".", "_").lstrip("_") or "argument"
            while name in taken or keyword.iskeyword(name) or name in ("I", "O", "l", "match"):
                name += "_"
            taken.add(name)
            names[local.name] = name
        self.taken = taken
        return names

    # -- the text --

    def lines(self) -> list[str]:
        """The function, docstring and all."""
        function = self.function
        body = self._body()
        body = [*self._prologue(), *body]
        _tidy(body, self._is_void)
        while _unused(body):
            pass
        writer = python.Writer(self.taken)
        writer.body(body, 1)
        inner, writer.lines = writer.lines, []
        world = "w" if any(re.search(r"\bw\b", line.split("  #")[0]) for line in inner) else "_w"
        params = [f"{world}: World", *(f"{self._param(p, inner)}: int" for p in function.params)]
        returns = self._returns()
        head = f"def {self.around.names[function.name]}("
        given = ", ".join(params)
        if len(f"{head}{given}) -> {returns}:") <= python.WIDTH:
            writer.lines.append(f"{head}{given}) -> {returns}:")
        else:
            fits = len(given) + 4 <= python.WIDTH
            writer.lines += [head, *([f"    {given}"] if fits else [f"    {p}," for p in params])]
            writer.lines.append(f") -> {returns}:")
        source = function.source
        where = f"{python.shown_path(source.path)}:{source.line(function.span.start)}"
        writer.lines.append(f'    """{where}: {function.name}()."""')
        return [*writer.lines, *inner]

    def _param(self, param: Local, body: list[str]) -> str:
        """The name in the signature: with an underscore where nothing reads it."""
        name = self.python_names[param.name] + ("_given" if param.name in self.cells else "")
        used = any(re.search(rf"\b{name}\b", line.split("  #")[0]) for line in body)
        return name if used else f"_{name}"

    @property
    def _is_void(self) -> bool:
        return self.function.returns.bits == 0

    def _returns(self) -> str:
        if not any(isinstance(n.end, Return) for n in self.graph.nodes.values()):
            return "NoReturn"
        return "None" if self._is_void else "int"

    def _prologue(self) -> list[Statement]:
        """Variables that live in memory, and those that are read before anything is written."""
        out: list[Statement] = []
        for param in self.function.params:
            if param.name in self.cells:
                name = self.python_names[param.name]
                out.append(self._new_cell(name, param.name))
                given = atom(f"{name}_given")
                out.append(Line("", call("w.assign", [atom(name), given])))
        for local in self.function.locals:
            if local.name in self.cells:
                out.append(self._new_cell(self.python_names[local.name], local.name))
        for local in self._uninitialized():
            symbol = call("w.symbol", [atom(python.string(f"uninitialized {local.name}"))])
            name = self.python_names[local.name]
            out.append(Line(f"{name} = ", converted(symbol, local.type), name))
        return out

    def _new_cell(self, name: str, c_name: str) -> Line:
        return Line(f"{name} = ", call("w.local", [atom(python.string(c_name))]), name)

    def _uninitialized(self) -> list[Local]:
        """The plain locals that some path reads before it writes them."""
        graph = self.graph
        params = {p.name for p in self.function.params}
        everything = {x.name for x in self.function.locals} | params
        assigned: dict[str, set[str]] = {n: set(everything) for n in graph.nodes}
        assigned[graph.entry] = set(params)
        changed = True
        while changed:
            changed = False
            for label in sorted(graph.nodes, key=lambda n: graph.order[n]):
                after = assigned[label] | _written(graph.nodes[label])
                for target in targets(graph.nodes[label]):
                    new = assigned[target] & after
                    if new != assigned[target]:
                        assigned[target] = new
                        changed = True
        bare: set[str] = set()
        for label, node in graph.nodes.items():
            have = set(assigned[label])
            for instruction in node.instructions:
                if isinstance(instruction, Decide):
                    for c in _condition_calls(instruction.condition):
                        have |= _target(c)
                reads = _step_reads(instruction)
                bare |= {e.name for e in reads if isinstance(e, Local)} - have
                have |= _target(instruction)
            if isinstance(node.end, Fork):
                for c in _condition_calls(node.end.condition):
                    have |= _target(c)
                reads = _condition_reads(node.end.condition)
            elif isinstance(node.end, Return) and node.end.value is not None:
                reads = subexpressions(node.end.value)
            else:
                continue
            bare |= {e.name for e in reads if isinstance(e, Local)} - have
        return [x for x in self.function.locals if x.name in bare and x.name not in self.cells]

    # -- control --

    def _body(self) -> list[Statement]:
        while True:
            self.emitted = set()
            self.expressions.pending.clear()
            try:
                return self._attempt()
            except _Jumped as jumped:
                self.cases.add(jumped.label)

    def _attempt(self) -> list[Statement]:
        entry = self.graph.entry
        if not self.cases:
            return self._node(entry, None)
        start = [entry, *(n for n in self.graph.nodes if n in self.cases and n != entry)]
        cases = [(self._case_name(n), self._node(n, None)) for n in start]
        return [python.Cases(cases, counted=bool(self.graph.loops))]

    def _case_name(self, label: str) -> str:
        if label == self.graph.entry:
            return "start"
        return label if not label.startswith(".") else f"at{label.replace('.', '_')}"

    def _go(self, label: str, follow: str | None) -> list[Statement]:
        """Control goes to `label`; to `follow` it comes by itself."""
        if label == follow:
            return []
        if label in self.cases or label == self.graph.entry:
            return [Line("label = ", atom(python.string(self._case_name(label)))), Line("continue")]
        if len(self.graph.before[label]) == 1:
            return self._node(label, follow)
        raise _Jumped(label)

    def _node(self, label: str, follow: str | None) -> list[Statement]:
        node = self.graph.nodes[label]
        joins = sorted(
            (
                n
                for n, d in self.graph.dominator.items()
                if d == label
                and n not in (label, follow)
                and n not in self.cases
                and len(self.graph.before[n]) > 1
            ),
            key=lambda n: self.graph.order[n],
        )
        after = [*joins, follow]
        out = self._instructions_of(node)
        match node.end:
            case None:
                self._flush(out)
            case Jump(target=target):
                self._flush(out)
                out += self._go(target, after[0])
            case Return(value=value, span=span):
                out += self._return(value, span)
            case Fork() as fork:
                condition = self._condition(fork.condition)
                self._flush(out)
                then = self._go(fork.then, after[0])
                otherwise = self._go(fork.otherwise, after[0])
                comments = tuple(dict.fromkeys(map(self._comment, fork.spans)))
                out += _branch(condition, then, otherwise, comments)
        for position, join_ in enumerate(joins):
            out += self._node(join_, after[position + 1])
        return out

    def _condition(self, condition: Condition) -> Py:
        match condition:
            case Leaf(call=call_, expr=expr):
                if call_ is not None and call_.result is not None:
                    value = self._call_value(call_)
                    assert value is not None
                    self.expressions.pending[call_.result.name] = value
                return self.expressions.truth(expr)
            case Both(left=left, right=right):
                return python.both(self._condition(left), self._condition(right))
            case Either(left=left, right=right):
                return python.either(self._condition(left), self._condition(right))
            case Not(inner=inner):
                return negated(self._condition(inner))

    def _comment(self, span: Span) -> str:
        source = self.function.source
        line = source.line(span.start)
        lines = source.text.split("\n")
        text = " ".join(lines[line - 1].split()) if line <= len(lines) else ""
        path = python.shown_path(source.path)
        return f"{path}:{line}: {text.encode('ascii', 'replace').decode('ascii')}".rstrip()

    def _return(self, value: Expr | None, _span: Span) -> list[Statement]:
        out: list[Statement] = []
        if self._is_void:
            self._flush(out)
            return [*out, Line("return")]
        if value is None:
            self._flush(out)
            symbol = atom(f'w.symbol(f"{self.function.name}#{{w.epoch}}")')
            return [*out, Line("return ", converted(symbol, self.function.returns))]
        result = converted(self.expressions.value(value), self.function.returns)
        self._flush(out)
        return [*out, Line("return ", result)]

    def _flush(self, out: list[Statement]) -> None:
        """A call whose value was kept for the next expression, and was not used there."""
        assert not self.expressions.pending, (self.function.name, self.expressions.pending, out)

    # -- instructions --

    def _instructions_of(self, node: Node) -> list[Statement]:
        out: list[Statement] = []
        items = list(node.instructions)
        for position, instruction in enumerate(items):
            match instruction:
                case Assign():
                    self._assign(instruction, out)
                case Decide(target=target):
                    value = self.expressions.number_of(self._condition(instruction.condition))
                    name = self.python_names[target.name]
                    if self._folds(target.name, items, position, node):
                        self.expressions.pending[target.name] = value
                    else:
                        out.append(Line(f"{name} = ", value, name))
                case Call():
                    folds = instruction.result is not None and self._folds(
                        instruction.result.name, items, position, node
                    )
                    self._call(instruction, folds, out)
        return out

    def _folds(self, name: str, items: list[Step], position: int, node: Node) -> bool:
        """Whether the value of a step is used once, in what comes next, and may stand there."""
        following = items[position + 1] if position + 1 < len(items) else node.end
        match following:
            case Assign(target=Local() as target, value=value) if target.name not in self.cells:
                expr: Expr | None = value
            case Return(value=value):
                expr = value
            case Fork(condition=condition) | Decide(condition=condition):
                expr = _first_operand(condition)
            case _:
                expr = None
        return expr is not None and foldable(name, expr, dict(self.uses))

    def _assign(self, instruction: Assign, out: list[Statement]) -> None:
        target, ex = instruction.target, self.expressions
        if isinstance(target, Local) and target.name not in self.cells:
            if not self.uses[target.name] and not ex.pending:
                return
            name = self.python_names[target.name]
            value = ex.value(instruction.value)
            if not self.uses[target.name]:
                if not value.plain:
                    out.append(Line("", value))
                return
            out.append(_assigned(name, converted(value, target.type)))
            return
        value = ex.value(instruction.value)
        if isinstance(target, Local):
            out.append(Line("", call("w.assign", [ex.place(target), value])))
            return
        value = unsigned(value, instruction.value.type)
        line = ("line", self._at(instruction.span))
        if isinstance(target, Field):
            base, path = ex.path(target)
            args: list[Py | tuple[str, Py]] = [base, atom(python.string(path)), value, line]
            out.append(Line("", call("w.set", args, plain=False)))
        else:
            out.append(Line("", call("w.store", [ex.place(target), value, line], plain=False)))

    def _at(self, span: Span) -> Py:
        source = self.function.source
        line = source.line(span.start)
        file = self.around.file(source)
        return number(line) if file is None else call("line_of", [atom(file), atom(str(line))])

    def _call(self, instruction: Call, folds: bool, out: list[Statement]) -> None:
        name, result = instruction.name, instruction.result
        if never_returns(self.program, instruction):
            out += self._never(instruction)
            return
        if self._gives_nothing(instruction):
            value = self._taken(instruction)
            if value is not None:
                out.append(Line("", value))
            if result is not None and self.uses[result.name]:
                inline = name in self.program.functions
                symbol = f"{name}#{{w.epoch}}" if inline else f"uninitialized {result.name}"
                given = atom(f"w.symbol({'f' * inline}{python.string(symbol)})")
                python_name = self.python_names[result.name]
                out.append(Line(f"{python_name} = ", converted(given, result.type), python_name))
            return
        value = self._call_value(instruction)
        if value is not None and result is not None:
            if folds:
                self.expressions.pending[result.name] = value
                return
            if self.uses[result.name]:
                python_name = self.python_names[result.name]
                if result.name in self.cells:
                    out.append(Line("", call("w.assign", [atom(python_name), value], plain=False)))
                else:
                    out.append(Line(f"{python_name} = ", value, python_name))
            elif not value.plain:
                out.append(Line("", value))
        elif value is not None and not value.plain:
            out.append(Line("", value))
        self._get_user(name, instruction, out)

    def _get_user(self, name: str, instruction: Call, out: list[Statement]) -> None:
        """get_user() and its like write their first argument."""
        if self.program.role(name) is not None or name in self.program.functions:
            return
        if "get_user" not in name and "get_kernel_nofault" not in name:
            return
        first = instruction.args[0] if instruction.args else None
        if isinstance(first, Cast):
            first = first.operand
        ex = self.expressions
        if isinstance(first, Local) and first.name not in self.cells:
            if not self.uses[first.name]:
                return
            value = atom(f'w.symbol(f"{first.name}@{{w.epoch}}")')
            python_name = self.python_names[first.name]
            out.append(Line(f"{python_name} = ", converted(value, first.type), python_name))
        elif isinstance(first, (Local, Global, Field, Index, Deref)):
            place = ex.place(first)
            fetched = call("w.fetched", [place])
            out.append(Line("", call("w.assign", [place, fetched], plain=False)))

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


def _assigned(name: str, value: Py) -> Line:
    """`name = value`, or `name |= rest`."""
    match value.pieces:
        case ((Py() as left, _), str() as operator, (Py() as right, _)) if (
            left.text == name and operator.strip() in ("|", "&", "^", "+", "-", "*", "<<", ">>")
        ):
            return Line(f"{name} {operator.strip()}= ", right, name)
        case _:
            return Line(f"{name} = ", value, name)


def _first_operand(condition: Condition) -> Expr | None:
    """What is evaluated first, if no call comes before it."""
    match condition:
        case Leaf(call=call_, expr=expr):
            return expr if call_ is None else None
        case Both(left=left) | Either(left=left):
            return _first_operand(left)
        case Not(inner=inner):
            return _first_operand(inner)


def _impure(value: Py, inner: Py) -> Py:
    """A conversion of a call has the call's effect."""
    return (
        value
        if inner.plain
        else Py(value.pieces, value.precedence, value.span, value.head, value.args, plain=False)
    )


def _branch(
    condition: Py, then: list[Statement], otherwise: list[Statement], comments: tuple[str, ...]
) -> list[Statement]:
    """if and else, without an else behind a way that leaves."""
    if condition.text in ("True", "False"):
        return then if condition.text == "True" else otherwise
    tail = _same_tail(then, otherwise)
    if tail:
        rest = _branch(condition, then[: -len(tail)], otherwise[: -len(tail)], comments)
        return [*rest, *tail]
    if not then and not otherwise:
        return [] if condition.plain else [Line("", condition)]
    if not then:
        then, otherwise, condition = otherwise, [], negated(condition)
    if otherwise and python.leaves(otherwise) and not python.leaves(then):
        then, otherwise, condition = otherwise, then, negated(condition)
    if (
        python.leaves(then)
        and python.leaves(otherwise)
        and isinstance(then[-1], Line)
        and len(otherwise) == 1
        and len(then) > 1
    ):
        then, otherwise, condition = otherwise, then, negated(condition)
    if python.leaves(then):
        return [If(condition, then, [], comments), *otherwise]
    only = then[0] if len(then) == 1 and not otherwise else None
    if isinstance(only, If) and not only.otherwise:
        both = python.both(condition, only.condition)
        return [If(both, only.then, [], comments + only.comments)]
    return [If(condition, then, otherwise, comments)]


def _same_tail(then: list[Statement], otherwise: list[Statement]) -> list[Statement]:
    """The jump that both ways end with."""
    if len(then) < 2 or len(otherwise) < 2 or then[-2:] != otherwise[-2:]:
        return []
    last = then[-1]
    return then[-2:] if isinstance(last, Line) and last.before == "continue" else []


def _unused(body: list[Statement]) -> bool:
    """Takes out what is written to a local that nothing reads; True if there was anything."""
    text = _STRING.sub('""', "\n".join(_texts(body)))
    found = False

    def sweep(inner: list[Statement]) -> None:
        nonlocal found
        for statement in list(inner):
            match statement:
                case If():
                    sweep(statement.then)
                    sweep(statement.otherwise)
                case python.Cases():
                    for _, case in statement.cases:
                        sweep(case)
                case Line(name=str() as name, value=Py() as value):
                    if re.search(rf"\b{name}\b", text):
                        continue
                    found = True
                    position = next(i for i, s in enumerate(inner) if s is statement)
                    inner[position : position + 1] = [] if value.plain else [Line("", value)]
                case _:
                    pass

    sweep(body)
    return found


def _texts(body: list[Statement]) -> Iterator[str]:
    """What the statements read."""
    for statement in body:
        match statement:
            case If():
                yield statement.condition.text
                yield from _texts(statement.then)
                yield from _texts(statement.otherwise)
            case python.Cases():
                for _, case in statement.cases:
                    yield from _texts(case)
            case Line():
                yield statement.before if statement.name is None else ""
                yield statement.value.text if statement.value else ""


def _tidy(body: list[Statement], is_void: bool) -> None:
    """A value that is returned at once needs no name; nor does the end of a void function."""
    for statement in body:
        match statement:
            case If():
                _tidy(statement.then, False)
                _tidy(statement.otherwise, False)
            case python.Cases():
                for _, inner in statement.cases:
                    _tidy(inner, False)
            case _:
                pass
    if len(body) > 1:
        last, value = body[-1], body[-2]
        if (
            isinstance(last, Line)
            and last.before == "return "
            and last.value is not None
            and isinstance(value, Line)
            and value.name is not None
            and last.value.text == value.name
            and value.before == f"{value.name} = "
        ):
            body[-2:] = [Line("return ", value.value)]
    if is_void and len(body) > 1 and isinstance(body[-1], Line) and body[-1].before == "return":
        body.pop()


def _read(function: Function) -> Iterator[Expr]:
    """Every expression whose value is asked for: a target's own name is not."""
    yield from (e for e in expressions_of(function) if not isinstance(e, Local))
    for block in function.blocks:
        for instruction in block.instructions:
            yield from (e for e in _instruction_reads(instruction) if isinstance(e, Local))
        match block.terminator:
            case Return(value=value) if value is not None:
                yield from (e for e in subexpressions(value) if isinstance(e, Local))
            case Jump() | Return():
                pass
            case branch:
                yield from (e for e in subexpressions(branch.condition) if isinstance(e, Local))


def _instruction_reads(instruction: Assign | Call) -> Iterator[Expr]:
    match instruction:
        case Assign(target=target, value=value):
            yield from subexpressions(value)
            if not isinstance(target, Local):
                yield from subexpressions(target)
        case Call(args=args):
            for arg in args:
                yield from subexpressions(arg)


def _step_reads(step: Step) -> Iterator[Expr]:
    if isinstance(step, Decide):
        return _condition_reads(step.condition)
    return _instruction_reads(step)


def _condition_calls(condition: Condition) -> Iterator[Call]:
    match condition:
        case Leaf(call=call_):
            if call_ is not None:
                yield call_
        case Both(left=left, right=right) | Either(left=left, right=right):
            yield from _condition_calls(left)
            yield from _condition_calls(right)
        case Not(inner=inner):
            yield from _condition_calls(inner)


def _condition_reads(condition: Condition) -> Iterator[Expr]:
    match condition:
        case Leaf(call=call_, expr=expr):
            if call_ is not None:
                yield from _instruction_reads(call_)
            yield from subexpressions(expr)
        case Both(left=left, right=right) | Either(left=left, right=right):
            yield from _condition_reads(left)
            yield from _condition_reads(right)
        case Not(inner=inner):
            yield from _condition_reads(inner)


def _target(instruction: Step) -> set[str]:
    match instruction:
        case Decide(target=Local(name=name)):
            return {name}
        case Assign(target=Local(name=name)):
            return {name}
        case Call(result=Local(name=name)):
            return {name}
        case Call(name=word, args=args) if "get_user" in word or "get_kernel_nofault" in word:
            first = args[0] if args else None
            return {first.name} if isinstance(first, Local) else set()
        case _:
            return set()


def _written(node: Node) -> set[str]:
    out: set[str] = set()
    for instruction in node.instructions:
        out |= _target(instruction)
        if isinstance(instruction, Decide):
            for c in _condition_calls(instruction.condition):
                out |= _target(c)
    if isinstance(node.end, Fork):
        for c in _condition_calls(node.end.condition):
            out |= _target(c)
    return out


__all__ = ["CType", "Surroundings", "function_text", "never_returns", "types"]
