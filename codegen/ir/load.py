# SPDX-License-Identifier: GPL-2.0-only
"""A file to its programs: one for each distinguishable setting of its conditionals.

Only functions in reach of handle_mm_fault() are parsed. Settings that give the
handler and its inlined helpers the same tokens are one variant; its presence
condition is the set of settings that gave rise to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from codegen.base.diagnostics import Refusal, RefusalCode, RefusedError
from codegen.base.spans import SourceText, Span
from codegen.csyntax.arrays import function_tables
from codegen.csyntax.parse import SyntaxTree, parse
from codegen.frontend import conditions
from codegen.frontend.constants import enumerators
from codegen.frontend.headers import HeaderText
from codegen.frontend.nodes import Configuration, ParsedFunction
from codegen.frontend.parse import parse_function
from codegen.frontend.preprocess import FunctionTokens, Infeasible, Preprocessor
from codegen.ir import headers as header_functions
from codegen.ir.handler import Found, HandlerRole, find
from codegen.ir.lower import lower, return_type
from codegen.ir.nodes import Function
from codegen.ir.program import Program, Taken, calls_of
from codegen.ir.reach import called_from, reach_of
from codegen.ir.tail import calls_itself, without_tail_calls
from codegen.ir.types import CType
from codegen.ir.vocabulary import Role, Vocabulary, load


@dataclass(frozen=True)
class Variant:
    """One program of a file, and the settings of the tested macros that give rise to it."""

    program: Program
    configurations: tuple[Configuration, ...]
    found: tuple[Found, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True)
class Unit:
    """A file with everything that was learnt of it; `tested` are the macros that matter.

    `loader` reads more of it on demand (`load_routine`), under what is `fixed`.
    """

    source: SourceText
    tree: SyntaxTree
    variants: tuple[Variant, ...]
    tested: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    loader: _Loader | None = field(default=None, repr=False, compare=False)
    fixed: Mapping[str, str | None] = field(default_factory=dict, compare=False)

    @property
    def constants(self) -> Mapping[str, int]:
        """The numbers that names have in the file."""
        return {} if self.loader is None else self.loader.constants

    @property
    def names_beside(self) -> frozenset[str]:
        """The functions of the texts that stand beside the file (`load_unit`)."""
        if self.loader is None:
            return frozenset()
        return self.loader.library_names | self.header_names

    @property
    def header_names(self) -> frozenset[str]:
        """The functions of headers that are read with the file."""
        return frozenset() if self.loader is None else self.loader.header_names


@dataclass
class _Loader:
    source: SourceText
    tree: SyntaxTree
    vocabulary: Vocabulary
    constants: Mapping[str, int]
    preprocessor: Preprocessor

    def __post_init__(self) -> None:
        self.parsed: dict[tuple[str, tuple[str, ...]], ParsedFunction | Refusal] = {}
        self.lowered: dict[tuple[object, ...], Function | Refusal] = {}
        self.typenames = frozenset(self.vocabulary.typenames)
        self.tables = function_tables(self.tree)
        self.library: tuple[SourceText, Preprocessor] | None = None
        self.library_names: frozenset[str] = frozenset()
        self.headers: list[header_functions.Piece] = []
        self.followed: frozenset[str] = frozenset()

    @property
    def header_names(self) -> frozenset[str]:
        """The functions of headers that are read with the file."""
        return frozenset(p.name for p, _ in self.headers)

    def add_library(self, source: SourceText) -> None:
        """Makes the functions of another text callable, preprocessed under the same setting."""
        tree = parse(source)
        preprocessor = Preprocessor(source, tree, self.vocabulary.macros, dict(self.constants))
        self.library = (source, preprocessor)
        self.library_names = frozenset(f.name for f in tree.functions)

    def library_tested(self) -> list[dict[str, frozenset[str | None]]]:
        """What the library's own conditionals test."""
        if self.library is None:
            return []
        _, preprocessor = self.library
        return preprocessor.tested([f.span for f in preprocessor.functions])

    def library_key(self, setting: Configuration) -> tuple[object, ...]:
        """The library's tokens under a setting: what tells two settings apart for it."""
        if self.library is None:
            return ()
        _, preprocessor = self.library
        return tuple(
            (s.function.name, tuple(t.text for t in s.tokens))
            for s in preprocessor.run(setting, self.library_names)
        )

    def library_functions(self, setting: Configuration) -> list[tuple[ParsedFunction, SourceText]]:
        """The library's functions that are active; they must parse, we wrote them."""
        if self.library is None:
            return []
        source, preprocessor = self.library
        out = []
        for stream in preprocessor.run(setting, self.library_names):
            f = stream.function
            out.append(
                (
                    parse_function(
                        source, f.name, stream.tokens, f.span, f.is_static, self.typenames
                    ),
                    source,
                )
            )
        return out

    def parse(self, tokens: FunctionTokens) -> ParsedFunction | Refusal:
        function = tokens.function
        key = (function.name, tuple(t.text for t in tokens.tokens))
        known = self.parsed.get(key)
        if known is None:
            try:
                known = parse_function(
                    self.source,
                    function.name,
                    tokens.tokens,
                    function.span,
                    function.is_static,
                    self.typenames,
                )
            except RefusedError as error:
                known = error.refusal
            self.parsed[key] = known
        return known

    def program(
        self, streams: list[FunctionTokens], setting: Configuration
    ) -> tuple[Program, dict[str, Refusal]]:
        """All functions of a configuration that can be read, and those that cannot."""
        parsed: list[ParsedFunction] = []
        refused: dict[str, Refusal] = {}
        for stream in streams:
            match self.parse(stream):
                case Refusal() as refusal:
                    refused[stream.function.name] = refusal
                case ParsedFunction() as function:
                    parsed.append(function)
        names = {p.name for p in parsed}
        pieces = [(p, self.source) for p in parsed]
        beside = [*self.library_functions(setting), *self.headers]
        pieces += [m for m in beside if m[0].name not in names]
        names |= {p.name for p, _ in pieces}
        pieces += [(m, _model_source()) for m in _model_functions() if m.name not in names]
        returns: dict[str, CType] = {p.name: return_type(p, self.vocabulary) for p, _ in pieces}
        functions: dict[str, Function] = {}
        for p, source in pieces:
            # What a function is lowered to depends on the functions that it names.
            named = {t.text for t in p.tokens} & returns.keys()
            key = (p.name, p.tokens, tuple((n, returns[n]) for n in sorted(named)))
            lowered = self.lowered.get(key)
            if lowered is None:
                try:
                    lowered = without_tail_calls(
                        lower(
                            p, source, self.vocabulary, dict(self.constants), returns, self.tables
                        )
                    )
                except RefusedError as error:
                    lowered = error.refusal
                self.lowered[key] = lowered
            if isinstance(lowered, Refusal):
                refused[p.name] = lowered
            else:
                functions[p.name] = lowered
        followed = self.followed & functions.keys()
        program = Program(self.source, functions, self.vocabulary, self.constants, followed)
        return program, refused


@cache
def _model_source() -> SourceText:
    return SourceText("vocabulary", load().functions)


@cache
def _model_functions() -> tuple[ParsedFunction, ...]:
    """The vocabulary's own C functions (`fault_signal_pending()` and its like)."""
    vocabulary, source = load(), _model_source()
    tree = parse(source)
    preprocessor = Preprocessor(source, tree, vocabulary.macros, vocabulary.constants)
    names = frozenset(f.name for f in tree.functions)
    return tuple(
        parse_function(
            source,
            s.function.name,
            s.tokens,
            s.function.span,
            True,
            frozenset(vocabulary.typenames),
        )
        for s in preprocessor.run(Configuration(), names)
    )


def load_unit(
    source: SourceText,
    constants: Mapping[str, int],
    fixed: Mapping[str, str | None] | None = None,
    library: SourceText | None = None,
    headers: Sequence[HeaderText] = (),
    followed: Iterable[str] = (),
) -> Unit:
    """Everything of a file that reaches handle_mm_fault(), in every configuration.

    `fixed` are the macros that the user has set. `library` is C text whose
    functions the file may call, e.g. the rendered `generic_fault()` of a
    converted handler: it belongs to every variant, under the same setting.
    `headers` are read with the file, in which their functions are words else; `followed`
    are routines of the file that would be one step of the trace else.
    Nothing is raised for a function that cannot be read: the refusals say so.
    Raises RefusedError for a function of a header that is no C.
    """
    vocabulary = load()
    tree = parse(source)
    if unclosed := _unclosed_comment(tree):
        return Unit(source, tree, (), (), unclosed)
    constants = {**enumerators(source.text), **constants}
    if all(constants.get(n) == v for n, v in vocabulary.constants.items()):
        # There is no tree that would say.
        words = source.text if library is None else source.text + library.text
        constants |= _default_of(source.text, constants)
        if "VM_FAULT_COMPLETED" not in words and _is_before_completed(words):
            del constants["VM_FAULT_COMPLETED"]
    preprocessor = Preprocessor(source, tree, vocabulary.macros, dict(constants))
    loader = _Loader(source, tree, vocabulary, constants, preprocessor)
    if library is not None:
        loader.add_library(library)
    loader.headers = header_functions.parsed(headers, constants)
    loader.followed = frozenset(followed)
    reach, core = reach_of(tree, {"handle_mm_fault", *loader.library_names})
    if not core:
        return Unit(source, tree, (), (), _calls_outside(tree))
    fixed = dict(fixed or {})
    spans, deciding = _what_matters(loader, reach, core, fixed)
    tested = [*preprocessor.tested(spans), *loader.library_tested(), deciding]
    settings = conditions.settings(tested, fixed, ())
    groups: dict[tuple[object, ...], tuple[list[Configuration], list[FunctionTokens]]] = {}
    matter = {f.name for f in tree.functions if f.span in spans}
    for setting in settings:
        try:
            streams = preprocessor.run(_with_fixed(setting, fixed), frozenset(reach))
        except Infeasible:
            continue
        key: tuple[object, ...] = tuple(
            (s.function.name, tuple(t.text for t in s.tokens))
            for s in streams
            if s.function.name in matter
        )
        key += loader.library_key(_with_fixed(setting, fixed))
        key += tuple(setting.settings.get(name) for name in sorted(deciding))
        groups.setdefault(key, ([], streams))[0].append(setting)
    variants: list[Variant] = []
    for configurations, streams in groups.values():
        program, refused = loader.program(streams, _with_fixed(configurations[0], fixed))
        found = find(program)
        variants.append(
            Variant(
                program,
                tuple(configurations),
                found,
                tuple(_refusals_in_reach(program, found, refused, core)),
            )
        )
    names = sorted({n for group in tested for n in group})
    refusals = tuple(dict.fromkeys(r for v in variants for r in v.refusals))
    if settings and not variants:
        error = next(d for d in tree.directives if d.kind == "error")
        reason = "every setting of the file's conditionals runs into #error"
        line = source.line(error.span.start)
        refusals = (Refusal(RefusalCode.UNREADABLE, reason, error.text.strip(), source.path, line),)
    if not refusals and not any(v.found for v in variants):
        refusals = _calls_outside(tree)
    return Unit(source, tree, tuple(variants), tuple(names), refusals, loader, fixed)


def load_routine(unit: Unit, name: str) -> tuple[Variant, ...]:
    """A function of the unit and what it calls, in every setting of the macros that they test.

    The unit's own variants do not tell apart what is one step of the trace
    (`_what_matters`); these do. They hold no handler (`found` is empty); a
    setting in which the file does not define the function has none of that name.
    What cannot be read is among a variant's refusals.
    """
    loader = unit.loader
    if loader is None:
        return ()
    reach = called_from(unit.tree, {name})
    spans = [f.span for f in unit.tree.functions if f.name in reach]
    tested = loader.preprocessor.tested(spans)
    groups: dict[tuple[object, ...], tuple[list[Configuration], list[FunctionTokens]]] = {}
    for setting in conditions.settings(tested, dict(unit.fixed), ()):
        try:
            streams = loader.preprocessor.run(_with_fixed(setting, unit.fixed), frozenset(reach))
        except Infeasible:
            continue
        key = tuple((s.function.name, tuple(t.text for t in s.tokens)) for s in streams)
        groups.setdefault(key, ([], streams))[0].append(setting)
    variants = []
    for configurations, streams in groups.values():
        program, refused = loader.program(streams, _with_fixed(configurations[0], unit.fixed))
        variants.append(Variant(program, tuple(configurations), (), tuple(refused.values())))
    return tuple(variants)


def _unclosed_comment(tree: SyntaxTree) -> tuple[Refusal, ...]:
    """A comment that runs to the end of the file, and hides who knows what."""
    source = tree.source
    for span in tree.comments:
        words = source.slice(span)
        if words.startswith("/*") and (len(words) < 4 or not words.endswith("*/")):
            first, line = words.splitlines()[0], source.line(span.start)
            reason = "the comment is not closed"
            return (Refusal(RefusalCode.UNREADABLE, reason, first, source.path, line),)
    return ()


def _calls_outside(tree: SyntaxTree) -> tuple[Refusal, ...]:
    """The first call of handle_mm_fault() in a file in which none was found that can be read."""
    code = [lx for lx in tree.lexemes if lx.kind not in ("directive", "skipped")]
    for before, lexeme, after in zip(code, code[1:], code[2:], strict=False):
        declared = before.is_word and before.text not in ("return", "else", "do")
        if lexeme.text == "handle_mm_fault" and after.text == "(" and not declared:
            if before.text == "*":
                continue
            path, line = tree.source.path, tree.source.line(lexeme.span.start)
            reason = "the call stands in no function that can be made out"
            return (Refusal(RefusalCode.UNREADABLE, reason, "handle_mm_fault", path, line),)
    return ()


def _is_before_completed(text: str) -> bool:
    """Whether a handler that does not know VM_FAULT_COMPLETED is of a kernel without it.

    The bit came in 6.0. The lock was called mmap_sem up to 5.7, and the mm was
    not asked for a locked VMA before 6.4 (6.1 in a stable release).
    """
    named = set(re.findall(r"\w+", text))
    late = {"lock_mm_and_find_vma", "lock_vma_under_rcu"}
    looks_up = not named.isdisjoint({"find_vma", "find_vma_prev"})
    return "mmap_sem" in named or (looks_up and named.isdisjoint(late))


def _default_of(text: str, constants: Mapping[str, int]) -> dict[str, int]:
    """What every fault starts with in a file that spells it out.

    Before FAULT_FLAG_DEFAULT (5.6) that was ALLOW_RETRY and KILLABLE, and
    nothing was interruptible.
    """
    old = ("FAULT_FLAG_ALLOW_RETRY", "FAULT_FLAG_KILLABLE")
    spelled = set(re.findall(r"\bFAULT_FLAG_\w+", text))
    if "FAULT_FLAG_DEFAULT" in spelled or not spelled.issuperset(old):
        return {}
    return {"FAULT_FLAG_DEFAULT": constants[old[0]] | constants[old[1]]}


def _with_fixed(setting: Configuration, fixed: Mapping[str, str | None]) -> Configuration:
    return Configuration({**fixed, **setting.settings})


_Kinds = dict[str, tuple[Taken, bool, bool]]
"""Of each helper that is a step: how it is taken, whether it may write, whether it comes back."""


def _what_matters(
    loader: _Loader, reach: set[str], core: set[str], fixed: Mapping[str, str | None]
) -> tuple[list[Span], dict[str, frozenset[str | None]]]:
    """(the definitions whose conditionals distinguish variants, further macros that do).

    A helper that is one step of the trace whatever stands inside it (a print,
    the oops) distinguishes nothing, unless a macro in it decides what kind of
    step it is: whether control comes back from it, say.
    """
    preprocessor = loader.preprocessor
    options: dict[str, frozenset[str | None]] = {}
    for group in preprocessor.tested([f.span for f in loader.tree.functions]):
        for name, values in group.items():
            options[name] = options.get(name, frozenset()) | values
    everything: dict[str, str | None] = dict.fromkeys(options, "1")
    matter: set[str] = set()
    bases: list[dict[str, str | None]] = [{}, {**everything}]
    kinds: list[tuple[dict[str, str | None], _Kinds]] = []
    seen: set[str] = set()
    while bases:
        beside: set[str] = set()
        for base in bases:
            configuration = Configuration({**base, **fixed})
            try:
                streams = preprocessor.run(configuration, frozenset(reach))
            except Infeasible:
                continue
            program, _ = loader.program(streams, configuration)
            followed, named = _followed(program, find(program))
            matter |= followed
            beside |= named
            kinds.append((base, _kinds(program, named)))
        # Defined more than once, a helper may be a step here and followed there; and one
        # that is not the same kind of step in all of these has what decides it inside.
        inside = called_from(loader.tree, _of_several_kinds(kinds) - matter)
        spans = [f.span for f in loader.tree.functions if f.name in (beside | inside) - matter]
        chosen = {name for group in preprocessor.tested(spans) for name in group}
        bases = [{**everything, name: None} for name in sorted(chosen - seen)]
        seen |= chosen
    matter = matter or core
    deciding = _deciding(kinds, everything) - fixed.keys()
    return (
        [f.span for f in loader.tree.functions if f.name in matter],
        {name: options[name] for name in deciding},
    )


def _kinds(program: Program, named: set[str]) -> _Kinds:
    found: _Kinds = {}
    for name in named & program.functions.keys():
        if program.functions[name].source is program.source:
            taken, returns = program.taken(name), program.may_return(name)
            # What is written does not matter where nobody comes back to read it.
            lost = taken is Taken.KERNEL and not returns
            found[name] = (taken, not lost and program.writes_objects(name), returns)
    return found


def _of_several_kinds(kinds: Sequence[tuple[object, _Kinds]]) -> set[str]:
    """The helpers that are one kind of step here and another there."""
    told: dict[str, set[object]] = {}
    for _, of in kinds:
        for name, kind in of.items():
            told.setdefault(name, set()).add(kind)
    return {name for name, found in told.items() if len(found) > 1}


def _deciding(
    kinds: Sequence[tuple[Mapping[str, str | None], _Kinds]], everything: Mapping[str, str | None]
) -> set[str]:
    """The macros without which, all others being set, some helper is another kind of step."""
    full: _Kinds = next((of for base, of in kinds if base == everything), {})
    return {
        name
        for base, of in kinds
        for name, value in base.items()
        if value is None and any(of[h] != full[h] for h in of.keys() & full.keys())
    }


def _followed(program: Program, users: tuple[Found, ...]) -> tuple[set[str], set[str]]:
    """(what is followed from an entry of `users` to its end, what is called there and is not)."""
    followed: set[str] = set()
    named: set[str] = set()
    for found in users:
        stack = [found.function, *found.entries]
        while stack:
            name = stack.pop()
            if name in followed or name not in program.functions:
                continue
            followed.add(name)
            for call in calls_of(program.functions[name]):
                named.add(call.name)
                if call.name in program.functions and program.taken(call.name) is Taken.INLINE:
                    stack.append(call.name)
    return followed, named - followed


def _refusals_in_reach(
    program: Program, found: tuple[Found, ...], refused: dict[str, Refusal], core: set[str]
) -> list[Refusal]:
    """The functions in reach of a handler that could not be read."""
    needed: set[str] = set()
    for f in found:
        stack = [*f.entries, f.function]
        while stack:
            name = stack.pop()
            if name in needed:
                continue
            needed.add(name)
            if name in program.functions:
                stack += [c.name for c in calls_of(program.functions[name])]
    refusals = [r for n, r in refused.items() if n in needed]
    handlers = tuple(f for f in found if f.role is HandlerRole.HANDLER)
    followed, _ = _followed(program, handlers)
    refusals += [d for n in sorted(followed) for d in program.functions[n].doubts]
    for name in sorted(followed):
        if Role.FAULT in program.roles(name) and (again := calls_itself(program.functions[name])):
            source = program.functions[name].source
            where, line = source.path, source.line(again.span.start)
            reason = "the function calls itself, and not as the last thing that it does"
            refusals.append(Refusal(RefusalCode.UNREADABLE, reason, name, where, line))
    if not any(f.role is HandlerRole.HANDLER for f in found):
        refusals += [r for n, r in refused.items() if n in core and r not in refusals]
    return refusals
