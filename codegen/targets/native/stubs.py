# SPDX-License-Identifier: GPL-2.0-only
"""The C files of a bench: the handler's text, what stands for the headers, the world."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from codegen.base.diagnostics import GenfaultError, RefusedError
from codegen.base.spans import SourceText, Span
from codegen.csyntax.parse import SyntaxTree, parse
from codegen.frontend import rewrite
from codegen.frontend.nodes import Configuration, ParsedFunction, Token
from codegen.frontend.nodes import Kind as TokenKind
from codegen.frontend.parse import parse_function
from codegen.frontend.preprocess import FunctionTokens, Preprocessor
from codegen.ir.handler import Found
from codegen.ir.nodes import Function, Global
from codegen.ir.program import Program, Taken, calls_of, expressions_of
from codegen.ir.vocabulary import Role
from codegen.targets import normal
from codegen.targets.native.infer import infer
from codegen.targets.native.layout import Layout
from codegen.targets.native.mentions import calls_in, case_labels, written_calls
from codegen.targets.native.shapes import Form, Known, Shape, reachable, scalar_text
from codegen.targets.native.text import bench_text, include_names
from codegen.targets.native.words import (
    ROLES,
    Word,
    compared_names,
    counting_names,
    own_row,
    word_row,
)
from codegen.targets.normal import Draws, Kind, draws_for
from codegen.targets.render import render

_FAULTS = (
    "VM_FAULT_RETRY",
    "VM_FAULT_COMPLETED",
    "VM_FAULT_HWPOISON_LARGE",
    "FAULT_FLAG_ALLOW_RETRY",
    "FAULT_FLAG_RETRY_NOWAIT",
)
_ENABLED = re.compile(r"\bIS_(?:ENABLED|BUILTIN|REACHABLE)\s*\(\s*(\w+)\s*\)")
_WORD = re.compile(r"[A-Za-z_]\w*")
_FETCHES = ("get_user", "get_kernel_nofault")


@dataclass(frozen=True)
class Sources:
    """The files of a bench, and how its names get their numbers."""

    unit: Path
    world: Path
    includes: Path
    draws: Draws


def followed(program: Program, entries: tuple[str, ...]) -> tuple[list[Function], list[str]]:
    """(the functions that the machine follows from the entries, those that are one step)."""
    inside: dict[str, None] = {}
    steps: dict[str, None] = {}
    stack = list(entries)
    while stack:
        name = stack.pop()
        if name in inside:
            continue
        inside[name] = None
        for called in calls_of(program.functions[name]):
            if called.name in program.functions:
                if program.taken(called.name) is Taken.INLINE:
                    stack.append(called.name)
                else:
                    steps[called.name] = None
    return [program.functions[n] for n in inside], [n for n in steps if n not in inside]


@dataclass(frozen=True)
class _Part:
    """One text with its functions: the handler's file, the library, or the vocabulary's C."""

    source: SourceText
    tree: SyntaxTree
    streams: tuple[FunctionTokens, ...]
    parsed: tuple[ParsedFunction, ...]


def write_sources(
    program: Program,
    found: Found,
    source: SourceText,
    configuration: Configuration,
    library: SourceText | None,
    workdir: Path,
    draws: Draws | None = None,
) -> Sources:
    """Writes everything that the compiler needs into `workdir`; `draws` may be given."""
    return _Writer(program, found, source, configuration, library, workdir, draws).write()


class _Writer:
    def __init__(
        self,
        program: Program,
        found: Found,
        source: SourceText,
        configuration: Configuration,
        library: SourceText | None,
        workdir: Path,
        draws: Draws | None = None,
    ) -> None:
        self.program, self.found, self.source = program, found, source
        self.configuration, self.workdir = configuration, workdir
        self.functions, self.steps = followed(program, found.entries)
        self.kept = frozenset(f.name for f in self.functions)
        vocabulary = SourceText("vocabulary", program.vocabulary.functions)
        texts = [source, *([library] if library is not None else []), vocabulary]
        self.parts = [self._part(text) for text in texts]
        followed_trees = [p for part in self.parts for p in part.parsed if p.name in self.kept]
        step_trees = [p for part in self.parts for p in part.parsed if p.name in self.steps]
        self.trees, self.step_trees = followed_trees, step_trees
        types = dict(program.vocabulary.typenames)
        self.known: Known = infer(
            followed_trees, step_trees, types, frozenset(program.constants), self._may_write
        )
        self.kinds = self._kinds()
        self.fixed = self._fixed()
        self.draws = draws or draws_for(program, self.functions, self.kinds, self.fixed)
        self.layout = Layout(self.known, self.draws.kinds)
        self.words: list[Word] = []

    def _part(self, source: SourceText) -> _Part:
        """The functions of one text that count, parsed as the program's loader does.

        Raises GenfaultError for a function that cannot be read.
        """
        vocabulary = self.program.vocabulary
        tree = parse(source)
        own = {f.name for f in tree.functions}
        wanted = {
            f.name
            for f in (*self.functions, *(self.program.functions[n] for n in self.steps))
            if f.source.path == source.path and f.name in own
        }
        preprocessor = Preprocessor(source, tree, vocabulary.macros, dict(self.program.constants))
        streams = preprocessor.run(self.configuration, frozenset(wanted))
        typenames = frozenset(vocabulary.typenames)
        parsed = []
        for s in streams:
            f = s.function
            try:
                parsed.append(
                    parse_function(source, f.name, s.tokens, f.span, f.is_static, typenames)
                )
            except RefusedError as error:
                raise GenfaultError(str(error.refusal)) from error
        return _Part(source, tree, tuple(streams), tuple(parsed))

    # -- what the names hold --

    def _may_write(self, name: str) -> bool:
        """Whether a call of the word may write what it gets the address of."""
        if name in self.program.functions:
            return name not in self.kept and self.program.writes_objects(name)
        return self.program.role(name) in (None, Role.KERNEL)

    def _kinds(self) -> dict[str, Kind]:
        """The names that hold pointers, by their last part."""
        kinds: dict[str, Kind] = {}
        for name, shape in reachable(self.known):
            if shape.form is Form.POINTER:
                kinds[name] = Kind.POINTER
        for name in self.steps:
            returns = self.program.functions[name].returns
            if returns.boolean:
                kinds[name] = Kind.BOOL
            elif returns.pointer:
                kinds[name] = Kind.POINTER
        for name in self.known.addresses:
            kinds.setdefault(name, Kind.ADDRESS)
        kinds = compared_names(self.functions) | kinds
        kinds |= counting_names(self.functions)
        kinds.pop("current", None)
        return kinds

    def _fixed(self) -> dict[str, int]:
        """Numbers for the names that C wants to be constants, no two the same."""
        used = {e.name for f in self.functions for e in expressions_of(f) if isinstance(e, Global)}
        labels = [n for n in case_labels(self.trees) if n in used]
        return {name: position + 1 for position, name in enumerate(labels)}

    # -- the files --

    def write(self) -> Sources:
        """Every file of the bench."""
        # Deep enough that "../kernel/head.h" stays inside.
        includes = self.workdir / "text" / "of" / "one" / "handler"
        includes.mkdir(parents=True, exist_ok=True)
        root = self.workdir.resolve()
        for part in self.parts:
            for name in include_names(part.tree):
                path = (includes / name).resolve()
                if path.is_relative_to(root):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("")
        words = self._words()
        # The numbers of types are handed out while the text is made.
        unit_text = self._unit()
        stubs = self._stubs(words)
        world = self._world()
        unit = includes / "unit.c"
        (includes / "gf_stubs.h").write_text(stubs, "latin-1")
        unit.write_text(unit_text, "latin-1")
        path = self.workdir / "world.c"
        path.write_text(world, "latin-1")
        return Sources(unit, path, includes, self.draws)

    def _words(self) -> list[str]:
        """The macros of what is called; fills the table."""
        lines = []
        written = written_calls(self.trees)
        for name, shape in self._called():
            kind = self.draws.kinds.get(name, Kind.WORD)
            number = len(self.words)
            type_ = self.layout.pointee(shape)
            self.words.append(word_row(self.program, self.functions, name, kind, type_))
            ctype = self.program.vocabulary.result_type(name)
            if shape.root().form is Form.POINTER and (shape.root().direct or ctype.pointer):
                shape.root().direct = True
                ctype_text = self.layout.declaration(shape, "")
            else:
                ctype_text = scalar_text(ctype) if ctype.bits else "long"
            if self.words[-1].role == "UNKNOWN" and name in written:
                lines.append(f"#define {name}(...) GF_LVALUE({number}, __VA_ARGS__)")
            elif self.words[-1].role == "UNKNOWN" and any(w in name for w in _FETCHES):
                lines.append(f"#define {name}(...) GF_FETCH({ctype_text}, {number}, __VA_ARGS__)")
            else:
                lines.append(f"#define {name}(...) GF_CALL({ctype_text}, {number}, __VA_ARGS__)")
        for name in self.steps:
            kind = self.draws.kinds.get(name, Kind.WORD)
            type_ = self.layout.pointee(self.known.returns.get(name, Shape()))
            self.words.append(own_row(self.program, name, kind, type_))
        return lines

    def _called(self) -> Iterable[tuple[str, Shape]]:
        for name in calls_in(self.trees):
            if name not in self.program.functions and not self._is_local(name):
                yield name, self.known.results.get(name, Shape())

    def _is_local(self, name: str) -> bool:
        return any(x.name == name for f in self.functions for x in (*f.params, *f.locals))

    def _body(self, name: str) -> str:
        """The body of a function that is one step."""
        number = next(i for i, w in enumerate(self.words) if w.name == name)
        args = ", ".join(
            f"&{n}" if shape.root().form is Form.RECORD else n
            for n, shape in self.known.params[name]
        )
        call = f"GF_CALL(gf_word, {number}{', ' if args else ''}{args})"
        void = self.known.returns[name].root().form is Form.VOID
        return f"{call};" if void else f"return {call};"

    def _unit(self) -> str:
        """The handler's text, between the stubs and the way into it."""
        pieces = ['#include "gf_stubs.h"\n']
        bodies = {p.name: self._body(p.name) for p in self.step_trees}
        for part in reversed(self.parts[:-1]):
            edits = _edits(part, self.known, self.kept) | self._union_edits(part)
            text = bench_text(part.source, part.tree, self.kept, bodies, edits)
            pieces += [f'#line 1 "{part.source.path}"\n', text]
        pieces.append('#line 1 "bench"\n')
        pieces.append(self._entry())
        return "".join(pieces)

    def _union_edits(self, part: _Part) -> dict[Span, str]:
        """What the members of a union hold that is initialised through another one."""
        own = {p.name for p in part.parsed}
        edits = {}
        for union in self.known.unions:
            if union.function not in own:
                continue
            more = []
            for leaf in self.layout.leaves[self.layout.number(union.shape)]:
                outer = leaf.text.partition(".")[0]
                if leaf.record or leaf.stride or outer in union.given:
                    continue
                name = f"{union.name}.{leaf.text}"
                kind = self.draws.kind(name).value
                more.append(f', .{leaf.text} = gf_parameter("{name}", {kind})')
            edits[union.brace] = f"{''.join(more)} }}"
        return edits

    def _entry(self) -> str:
        lines = ["void gf_enter(unsigned int entry)", "{", "\tswitch (entry) {"]
        bits = []
        for position, name in enumerate(self.found.entries):
            function = self.program.functions[name]
            shapes = dict(self.known.params[name])
            args = []
            before: list[str] = []
            for param in function.params:
                shape = shapes.get(param.name, Shape())
                if shape.root().form is Form.RECORD:
                    made = f"gf_{param.name}"
                    type_ = self.layout.number(shape)
                    before.append(f"\t\t{self.layout.declaration(shape, made)} = {{}};")
                    word = f'(gf_word)gf_object("{param.name}", {type_})'
                    before.append(f"\t\t*(gf_word *)&{made} = {word};")
                    args.append(made)
                elif param.type.pointer or param.type.record:
                    type_ = self.layout.pointee(shape)
                    args.append(f'gf_object("{param.name}", {type_})')
                else:
                    kind = self.draws.kind(param.name)
                    args.append(f'gf_parameter("{param.name}", {kind.value})')
            call = f"{name}({', '.join(args)})"
            lines += [f"\tcase {position}: {{", *before]
            if function.returns.bits:
                lines.append(f"\t\tgf_returned(0, (gf_word){call});")
            else:
                lines += [f"\t\t{call};", "\t\tgf_returned(1, 0);"]
            lines += ["\t\tbreak;", "\t}"]
            bits.append(str(function.returns.bits or 64))
        lines += ["\t}", "}", f"const unsigned int gf_bits[] = {{ {', '.join(bits)} }};"]
        return "\n".join(lines) + "\n"

    def _stubs(self, words: list[str]) -> str:
        vocabulary = self.program.vocabulary
        blank, called_blank, strings = _odd_words(self.parts)
        constants = [
            (n, f"{v:#x}" if v >= 0 else f"({v})")
            for n, v in sorted(self.program.constants.items())
            if n != "NULL"
        ]
        scalars = [
            f"typedef {scalar_text(t)} {n};"
            for n, t in vocabulary.typenames.items()
            if n not in ("void", "bool", "_Bool", "char", "int", "long") and not t.record
        ]
        scalars.append("typedef _Bool bool;")
        model = self.parts[-1]
        functions = [
            model.source.slice(f.span) for f in model.tree.functions if f.name in self.kept
        ]
        enabled: dict[str, int] = {}
        for part in self.parts:
            for name in _ENABLED.findall(part.source.text):
                enabled[name] = int(self.configuration.settings.get(name) is not None)
        return render(
            "native/stubs.h.j2",
            path=self.source.path,
            blank=blank,
            called_blank=called_blank,
            empty_strings=strings,
            defines=self._defines(),
            enabled=sorted(enabled.items()),
            definers=_definers(self.parts),
            declarers=_declarers(self.parts),
            constants=constants,
            macros=vocabulary.macros.strip(),
            scalars=scalars,
            types=self.layout.types(),
            variables=self._variables(),
            current=hex(normal.slot_address("current")),
            words=words,
            functions="\n\n".join(functions),
        )

    def _defines(self) -> list[tuple[str, str]]:
        defines = []
        used = {e.name for f in self.functions for e in expressions_of(f) if isinstance(e, Global)}
        for name, value in sorted(self.configuration.settings.items()):
            if value is not None:
                opaque = name in used and not name.startswith("CONFIG_")
                defines.append((name, name if opaque else value))
        defines += [(n, f"{v}UL") for n, v in self.fixed.items()]
        return defines

    def _globals(self) -> list[tuple[str, Shape]]:
        skip = {"current", "NULL", "__func__", *self.fixed, *self.program.constants}
        return [(n, s) for n, s in self.known.globals.items() if n not in skip]

    def _variables(self) -> list[str]:
        return [
            f'extern {self.layout.declaration(shape, name)} __asm__("gf_v_{name}");'
            for name, shape in self._globals()
        ]

    def _world(self) -> str:
        layout, draws = self.layout, self.draws
        variables = []
        for name, shape in self._globals():
            address = normal.slot_address(f"&{name}")
            slot = (address - normal.ARENA) >> normal.SLOT_BITS
            type_ = layout.variable(name, shape)
            variables.append(_Variable(name, slot, hex(address), type_))
        constants = self.program.constants
        vma = self.known.tags["struct vm_area_struct"]
        task = self.known.tags["struct task_struct"]
        numbers = {
            "vma_type": layout.number(vma),
            "task_type": layout.number(task),
            "accessor_type": layout.number(Shape()),
        }
        outcome_names = sorted({n for n in normal.OUTCOMES if n})
        return render(
            "native/world.c.j2",
            path=self.source.path,
            roles=ROLES,
            arena=hex(normal.ARENA),
            slot_bits=normal.SLOT_BITS,
            slot_mask=hex(normal.SLOT_MASK),
            types=layout.leaves,
            variables=variables,
            words=self.words,
            fixed=sorted(self.fixed.items()),
            pool=[f"{v:#x}ULL" for v in draws.pool],
            addresses=[f"{v:#x}ULL" for v in normal.ADDRESSES],
            outcomes=[f"{v:#x}" for v in draws.outcomes],
            vm_flags=[f"{v:#x}ULL" for v in draws.vm_flags],
            extra=hex(draws.extra),
            index_mask=hex(draws.index_mask),
            faults=[(n, hex(constants.get(n, 0))) for n in _FAULTS],
            outcome_names=[hex(constants.get(n, 0)) for n in outcome_names],
            instruction_pointer_kind=draws.kinds.get("instruction_pointer", Kind.WORD).value,
            entries=len(self.found.entries),
            **numbers,
        )


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    slot: int
    address: str
    type: int


def _odd_words(parts: list[_Part]) -> tuple[list[str], list[str], list[str]]:
    """(attributes, attributes with arguments, what stands beside strings) in the texts."""
    blank: set[str] = set()
    called: set[str] = set()
    strings: set[str] = set()
    for part in parts:
        for word in set(_WORD.findall(part.source.text)):
            if rewrite.is_attribute(word):
                blank.add(word)
            elif rewrite.is_called_attribute(word):
                called.add(word)
        for stream in part.streams:
            tokens = list(stream.tokens)
            clean = {id(t) for t in rewrite.rewrite(tokens, stream.function.name, frozenset())}
            words = {t.text for t in tokens if id(t) in clean}
            for i, t in enumerate(tokens):
                if t.kind is not TokenKind.WORD or t.text in words or t.expanded:
                    continue
                if _beside_string(tokens, i):
                    strings.add(t.text)
                elif t.span.start < stream.function.name_span.start:
                    blank.add(t.text)
    c_words = {"inline", "__inline", "__inline__", "register", "__volatile__", "__extension__"}
    return (
        sorted(blank - c_words),
        sorted(called - {"__attribute__", "__attribute"}),
        sorted(strings),
    )


def _definers(parts: list[_Part]) -> list[str]:
    """The macros that define a function: `DEFINE_INTERRUPT_HANDLER(do_page_fault)`."""
    found = set()
    for part in parts:
        for stream in part.streams:
            words = [t.text for t in stream.tokens]
            where = words.index(stream.function.name)
            if where > 1 and words[where - 1] == "(":
                found.add(words[where - 2])
    return sorted(found)


def _declarers(parts: list[_Part]) -> list[str]:
    """The macros that declare a variable: `static DEFINE_RATELIMIT_STATE(rs, 5 * HZ, 10);`."""
    found = set()
    for part in parts:
        for stream in part.streams:
            tokens = stream.tokens
            for before, word, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
                if (
                    before.text == "static"
                    and after.text == "("
                    and word.kind is TokenKind.WORD
                    and word.text != stream.function.name
                ):
                    found.add(word.text)
    return sorted(found)


def _beside_string(tokens: list[Token], i: int) -> bool:
    return any(0 <= j < len(tokens) and tokens[j].kind is TokenKind.STRING for j in (i - 1, i + 1))


_TYPE_ARGUMENT = re.compile(r"(,\s*)((?:struct|union|enum)\s+\w+(?:\s*\*)*)(?=\s*[,)])")


def _edits(part: _Part, known: Known, kept: frozenset[str]) -> dict[Span, str]:
    """What the host's compiler cannot read, in the words that the program's reader uses."""
    edits: dict[Span, str] = {}
    for function in part.tree.functions:
        if function.name not in kept:
            continue
        edits |= known.edits.get(function.name, {})
        body = part.source.slice(function.body)
        for match in _TYPE_ARGUMENT.finditer(body):
            start = function.body.start
            span = Span(start + match.start(2), start + match.end(2))
            edits[span] = f'"{match.group(2)}"'
    return edits
