# SPDX-License-Identifier: GPL-2.0-only
"""What a header's functions do: only those that compute their value, and do nothing else, are read.

static inline bool is_store(unsigned long code)         read
{ code &= CODE; return code == STORE; }

static inline void flush(unsigned long page)            not read: calls tlb_flush()
{ tlb_flush(page); }
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from codegen.base.diagnostics import RefusedError
from codegen.base.spans import SourceText
from codegen.csyntax.parse import parse
from codegen.frontend.headers import Definition, HeaderText, header_texts, needed
from codegen.frontend.nodes import Configuration, ParsedFunction
from codegen.frontend.parse import parameters, parse_function
from codegen.frontend.preprocess import Preprocessor
from codegen.ir.lower import lower, return_type
from codegen.ir.lowering.declared import declared_type
from codegen.ir.nodes import Assign, Cast, Function, Local, PureCall
from codegen.ir.program import calls_of, cycle_blocks, expressions_of
from codegen.ir.types import CType
from codegen.ir.vocabulary import Role, load

Piece = tuple[ParsedFunction, SourceText]


def parsed(headers: Sequence[HeaderText], constants: Mapping[str, int]) -> list[Piece]:
    """The functions of the headers. Raises RefusedError for one that is no C."""
    return [piece for header in headers for piece in _parsed(header, tuple(constants.items()))]


@lru_cache(maxsize=256)
def _parsed(header: HeaderText, constants: tuple[tuple[str, int], ...]) -> tuple[Piece, ...]:
    vocabulary = load()
    macros = "\n".join((vocabulary.macros, *header.macros))
    preprocessor = Preprocessor(header.source, parse(header.source), macros, dict(constants))
    typenames = frozenset(vocabulary.typenames)
    return tuple(
        (
            parse_function(
                header.source, s.function.name, s.tokens, s.function.span, True, typenames
            ),
            header.source,
        )
        for s in preprocessor.run(Configuration(), header.functions)
    )


def made_of(tree: Path, path: str, name: str) -> dict[str, Definition]:
    """The definitions that a function is made of; what the vocabulary knows stays a call.

    `path` is the file's that calls it. Raises NotReadError.
    """
    vocabulary = load()
    return needed(tree, path, name, lambda word: vocabulary.role(word) is not None)


def not_read(
    tree: Path, path: str, names: Collection[str], constants: Mapping[str, int]
) -> str | None:
    """What one of some functions does besides computing, or why it cannot be read; None if nothing.

    `names` are a function and all that it is made of.
    """
    vocabulary = load()
    lowered: dict[str, Function] = {}
    try:
        pieces = parsed(header_texts(tree, path, names), constants)
        returns: dict[str, CType] = {p.name: return_type(p, vocabulary) for p, _ in pieces}
        for p, source in pieces:
            if any(declared_type(t, vocabulary.typenames).record for t in parameters(p)):
                return "is given a record by value"
            lowered[p.name] = lower(p, source, vocabulary, dict(constants), returns)
    except RefusedError as error:
        return f"has {error.refusal.construct}, which {error.refusal.reason}"
    return next((r for f in lowered.values() for r in _departures(f, lowered)), None)


def _departures(function: Function, beside: Mapping[str, Function]) -> Iterator[str]:
    """What a function does that a mere computation does not."""
    vocabulary = load()
    for call in calls_of(function):
        if call.name not in beside:
            yield f"calls {call.name}()"
    yield from (f"has {doubt.construct}, which {doubt.reason}" for doubt in function.doubts)
    if cycle_blocks(function) or function.name in _called(function.name, beside):
        yield "has a loop"
    for what in (*function.params, *function.locals):
        named = not what.name.startswith("%")
        if named and (not what.type.known or what.type.record):
            yield f"has {what.name}, of a type that is not known"
    if not function.returns.known or function.returns.record or not function.returns.bits:
        yield "returns what is no number"
    for block in function.blocks:
        for instruction in block.instructions:
            if isinstance(instruction, Assign) and not isinstance(instruction.target, Local):
                yield "writes more than its own variables"
    for expr in expressions_of(function):
        match expr:
            case PureCall(name=name) if vocabulary.role(name) not in (Role.PURE, Role.USER_MODE):
                yield f"calls {name}()"
            case Cast(type=ctype) if not ctype.known:
                yield "casts to a type that is not known"
            case _:
                pass


def _called(name: str, functions: Mapping[str, Function]) -> set[str]:
    """The functions that one leads to."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        function = functions.get(waiting.pop())
        new = {c.name for c in calls_of(function)} - found if function is not None else set()
        found |= new
        waiting += new
    return found
