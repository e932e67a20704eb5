# SPDX-License-Identifier: GPL-2.0-only
"""A handler as a Python module that runs without us.

    Program, Found  --emit_simulator-->  text of a module with simulate(scenario)

The module is laid out by `templates/python/simulator.py.j2`: its docstring
lists the scenario's names, then come the constants, the runtime (runtime.py,
less what is not used), and one Python function for each C function that the
machine follows (ir/program.py).
"""

from __future__ import annotations

import builtins
import re
from functools import cache
from importlib import resources
from pathlib import PurePosixPath

from codegen.base.diagnostics import Refusal, RefusalCode, RefusedError
from codegen.base.spans import SourceText
from codegen.ir.handler import Found
from codegen.ir.nodes import Function, Literal, Local
from codegen.ir.program import Program, Taken, calls_of, expressions_of
from codegen.targets.render import render
from codegen.targets.simulator import python
from codegen.targets.simulator.calls import Surroundings
from codegen.targets.simulator.expressions import converted, is_signal_name
from codegen.targets.simulator.fields import always_objects, scenario_fields
from codegen.targets.simulator.function import function_text
from codegen.targets.simulator.prune import prune
from codegen.targets.simulator.python import Py, atom, call

_FAULT_WORDS = (
    "VM_FAULT_OOM",
    "VM_FAULT_SIGBUS",
    "VM_FAULT_SIGSEGV",
    "VM_FAULT_HWPOISON",
    "VM_FAULT_HWPOISON_LARGE",
    "VM_FAULT_RETRY",
    "VM_FAULT_COMPLETED",
    "FAULT_FLAG_ALLOW_RETRY",
    "FAULT_FLAG_RETRY_NOWAIT",
)
_CONDITION_WIDTH = 90
_SCENARIO_WORDS = re.compile(r"VM_FAULT_|VM_|FAULT_FLAG_")


def emit_simulator(
    program: Program, found: Found, *, title: str, converted: bool, configuration: str = ""
) -> str:
    """The Python text of a simulator.

    `title` says which kernel it is from ("linux 6.1.192"); `converted` that the
    program is the after side; `configuration` which of several the program is
    (as Configuration prints). The same input gives the same bytes. Raises
    RefusedError (shape) for a function that calls itself.
    """
    return _Module(program, found, title, converted, configuration).text()


def inlined_functions(program: Program, entries: tuple[str, ...]) -> list[Function]:
    """The functions that the machine follows from the entries, in file order."""
    wanted: set[str] = set()
    stack = list(entries)
    while stack:
        name = stack.pop()
        if name in wanted:
            continue
        wanted.add(name)
        for called in calls_of(program.functions[name]):
            if called.name in program.functions and program.taken(called.name) is Taken.INLINE:
                stack.append(called.name)
    functions = [program.functions[n] for n in wanted]
    own = program.source.path
    return sorted(functions, key=lambda f: (f.source.path == own, f.source.path, f.span))


class _Module:
    def __init__(
        self, program: Program, found: Found, title: str, after: bool, configuration: str
    ) -> None:
        self.program = program
        self.found = found
        self.title = title
        self.after = after
        self.configuration = configuration
        self.functions = inlined_functions(program, found.entries)
        self._refuse_recursion()
        self.constants: set[str] = set()
        self.files: dict[str, str] = {}
        runtime = _runtime_names()
        taken = set(runtime) | set(dir(builtins)) | {"simulate", "simulate_many", "w", "CONSTANTS"}
        self.names: dict[str, str] = {}
        for function in self.functions:
            name = function.name
            while name in taken:
                name += "_"
            taken.add(name)
            self.names[function.name] = name
        self.reserved = frozenset(taken | _constant_names(self.functions))

    def _refuse_recursion(self) -> None:
        """A function of the dance that calls itself: nothing in a kernel does."""
        inlined = {f.name for f in self.functions}
        calls = {f.name: {c.name for c in calls_of(f)} & inlined for f in self.functions}
        for function in self.functions:
            seen, stack = set[str](), [function.name]
            while stack:
                called = calls[stack.pop()] - seen
                seen |= called
                stack += called
            if function.name in seen:
                source = function.source
                line = source.line(function.span.start)
                reason = "calls itself on the way to handle_mm_fault()"
                construct = f"{function.name}()"
                raise RefusedError(Refusal(RefusalCode.SHAPE, reason, construct, source.path, line))

    def text(self) -> str:
        """The module."""
        objects = always_objects(self.program, self.found.entries, self.functions)
        around = Surroundings(
            self.program, self.names, self.reserved, self.constants.add, self._file, objects
        )
        functions = ["\n".join(function_text(f, around)) for f in self.functions]
        start = self._start()
        imports, runtime = _runtime_text()
        text = render(
            "python/simulator.py.j2",
            headline=self._headline(),
            paragraphs=self._paragraphs(),
            fields=scenario_fields(self.program, self.found.entries, self.functions),
            runtime_imports=imports,
            constants=self._constants(),
            files=[
                (name, python.string(python.shown_path(path)))
                for path, name in sorted(self.files.items())
            ],
            runtime=_FAULT_BLOCK.sub(lambda _: self._fault_block(), runtime),
            functions=functions,
            start=start,
        )
        roots = {"simulate", "simulate_many", "CONSTANTS", *self.names.values()}
        pruned = prune(text, {*roots, *(n for n, _ in self._constants())})
        return _spaced(pruned)

    def _file(self, source: SourceText) -> str | None:
        if source.path == self.program.source.path:
            return None
        stem = re.sub(r"\W", "_", PurePosixPath(source.path).name).upper()
        return self.files.setdefault(python.shown_path(source.path), f"{stem}_FILE")

    def _headline(self) -> str:
        side = ", converted to generic_fault()" if self.after else ""
        return f"A simulator of {self.found.function}(), a page-fault handler of Linux{side}."

    def _paragraphs(self) -> list[str]:
        source = self.program.source
        # What was found may have stood elsewhere before the file was converted.
        own = self.program.functions.get(self.found.function)
        line = source.line((self.found.span if own is None else own.span).start)
        where = (
            f"It is made by genfault from {python.shown_path(source.path)}, line {line},\n"
            f"of {python.shown_path(self.title)}."
        )
        run = (
            "As a program it takes the scenario and prints the trace:\n\n"
            "    python FILE address=0x1000 'vma_found#1=1' 'handle_mm_fault#1=VM_FAULT_OOM'"
        )
        if len(self.found.entries) > 1:
            names = ", ".join(f"{i} {n}()" for i, n in enumerate(self.found.entries))
            run += f"\n\nThe name `entry` chooses where it starts: {names}."
        elif self.found.entries[0] != self.found.function:
            run += f"\n\nIt starts at {self.found.entries[0]}(), which calls the handler."
        later = (
            "A call's value may depend on what came before it: `f@2(regs)` is what f(regs) gives\n"
            "after two others; `regs->pc@1` is what the first such call left there."
        )
        return [where, *self._configured(), run, later]

    def _configured(self) -> list[str]:
        """Which configuration it is, where the file knows several."""
        if not self.configuration:
            return []
        lines = [""]
        for part in self.configuration.split(" && "):
            longer = f"{lines[-1]} && {part}" if lines[-1] else part
            if len(longer) > _CONDITION_WIDTH and lines[-1]:
                lines[-1] += " &&"
                lines.append(part)
            else:
                lines[-1] = longer
        shown = "\n".join(f"    {line}" for line in lines)
        shown = shown.encode("ascii", "replace").decode("ascii").replace("\\", "/")
        return [
            f"The file's conditionals know several configurations; this is\n\n{shown}\n\n"
            "and `genfault simulate --configuration NAME=y|n|m` takes another."
        ]

    def _constants(self) -> list[tuple[str, str]]:
        known = self.program.constants
        names = {n for n in known if _SCENARIO_WORDS.match(n)} | (self.constants & known.keys())
        out = []
        for name in sorted(names - {"NULL", "true", "false"}):
            value = python.number(known[name]).text
            out.append((name, f'constant({value}, "{name}")' if is_signal_name(name) else value))
        return out

    def _fault_block(self) -> str:
        lines = ["FAULT = {"]
        known = self.program.constants
        flags = [n for n in known if n.startswith("FAULT_FLAG_") and n not in _FAULT_WORDS]
        for name in (*_FAULT_WORDS, *flags):
            value = python.number(self.program.constants.get(name, 0)).text
            lines.append(f'    "{name}": {value},')
        return "\n".join([*lines, "}"])

    def _start(self) -> list[str]:
        """What stands in the `try` of simulate()."""
        entries = self.found.entries
        out: list[str] = []
        for position, name in enumerate(entries):
            text = self._entry(self.program.functions[name])
            if position == len(entries) - 1:
                out += text
            else:
                out.append(f'if w.symbol("entry") == {position}:')
                out += [f"    {line}" for line in text]
        return out

    def _entry(self, function: Function) -> list[str]:
        args: list[Py] = [atom("w")]
        args += [_parameter(p) for p in function.params]
        value = call(self.names[function.name], args)
        writer = python.Writer(set(self.reserved))
        if function.returns.bits == 0:
            writer.body([python.Line("", value)], 2)
            lines = [line[8:] for line in writer.lines]
            return [*lines, 'return w.trace("return", None)']
        writer.body([python.Line("value = ", value)], 2)
        return [*(line[8:] for line in writer.lines), 'return w.trace("return", value)']


def _parameter(param: Local) -> Py:
    name = atom(python.string(param.name))
    if param.type.pointer or param.type.record:
        return call("w.object", [name])
    return converted(call("w.symbol", [name]), param.type)


def _constant_names(functions: list[Function]) -> set[str]:
    return {
        e.name
        for f in functions
        for e in expressions_of(f)
        if isinstance(e, Literal) and e.name is not None
    }


_FAULT_BLOCK = re.compile(r"FAULT = \{\n.*?\n\}", re.DOTALL)


@cache
def _runtime() -> str:
    return resources.files("codegen.targets.simulator").joinpath("runtime.py").read_text("utf-8")


def _runtime_text() -> tuple[str, str]:
    """(imports, the rest) of the runtime."""
    text = _runtime()
    start = text.index("from __future__")
    first = re.search(r"^# ---- values", text, re.MULTILINE)
    assert first is not None
    end = first.start()
    return text[start:end].rstrip(), text[end:].rstrip()


@cache
def _runtime_names() -> frozenset[str]:
    """The names of the runtime's top, which no function of the handler may take."""
    return frozenset(
        re.findall(r"^(?:def |class |)(\w+)(?:\(| = |:)", _runtime(), re.MULTILINE)
    ) | {
        "re",
        "sys",
        "zlib",
    }


def _spaced(text: str) -> str:
    """Blank lines as the formatter has them, after pieces were taken out."""
    head, mark, rest = text.partition("\n# ====")
    rest = re.sub(r"\n{4,}", "\n\n\n", rest)
    rest = re.sub(r"\n+(?=\n(?:def |class |@dataclass|# ====))", "\n\n", rest)
    rest = re.sub(r"(@dataclass.*)\n\n\n(class )", r"\1\n\2", rest)
    rest = re.sub(r"(\n +[^\n]*\n)\n*(?=[A-Za-z_])", r"\1\n\n", rest)
    return f"{head.rstrip()}\n\n{mark.lstrip()}{rest.rstrip()}\n"
