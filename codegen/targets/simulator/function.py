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
from collections.abc import Iterator

from codegen.base.spans import Span
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
)
from codegen.ir.program import subexpressions
from codegen.targets.simulator import python
from codegen.targets.simulator.calls import Calls, Surroundings, never_returns
from codegen.targets.simulator.expressions import (
    Expressions,
    converted,
    negated,
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
from codegen.targets.simulator.python import Line, Py, Statement, atom, call
from codegen.targets.simulator.reads import (
    condition_calls,
    condition_reads,
    first_operand,
    reads_of,
    step_reads,
    targets_of,
    written_in,
)
from codegen.targets.simulator.tidy import branch, drop_unused, tidy


class _Jumped(Exception):
    """A place turned out to need a case of its own."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


def function_text(function: Function, around: Surroundings) -> list[str]:
    """The lines of the Python function."""
    return _Function(function, around).lines()


class _Function(Calls):
    def __init__(self, function: Function, around: Surroundings) -> None:
        self.function = function
        self.around = around
        self.program = around.program
        self.uses = Counter(e.name for e in reads_of(function) if isinstance(e, Local))
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
                yield from step_reads(instruction)
            match node.end:
                case Fork(condition=condition):
                    yield from condition_reads(condition)
                case Return(value=value) if value is not None:
                    yield from subexpressions(value)
                case _:
                    pass

    def _instructions(self) -> Iterator[Step]:
        for node in self.graph.nodes.values():
            for step in node.instructions:
                if isinstance(step, Decide):
                    yield from condition_calls(step.condition)
                yield step
            if isinstance(node.end, Fork):
                yield from condition_calls(node.end.condition)

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
        tidy(body, self._is_void)
        while drop_unused(body):
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
                after = assigned[label] | written_in(graph.nodes[label])
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
                    for c in condition_calls(instruction.condition):
                        have |= targets_of(c)
                reads = step_reads(instruction)
                bare |= {e.name for e in reads if isinstance(e, Local)} - have
                have |= targets_of(instruction)
            if isinstance(node.end, Fork):
                for c in condition_calls(node.end.condition):
                    have |= targets_of(c)
                reads = condition_reads(node.end.condition)
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
                out += branch(condition, then, otherwise, comments)
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
                expr = first_operand(condition)
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


def _assigned(name: str, value: Py) -> Line:
    """`name = value`, or `name |= rest`."""
    match value.pieces:
        case ((Py() as left, _), str() as operator, (Py() as right, _)) if (
            left.text == name and operator.strip() in ("|", "&", "^", "+", "-", "*", "<<", ">>")
        ):
            return Line(f"{name} {operator.strip()}= ", right, name)
        case _:
            return Line(f"{name} = ", value, name)
