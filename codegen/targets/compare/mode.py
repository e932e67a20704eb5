# SPDX-License-Identifier: GPL-2.0-only
"""User mode, and what the mm sees to, as both sides of a comparison know it.

    src: flags |= USER if user_mode(regs)     tgt: if !(regs->psr & PSR_PS)     one mode, two words
    src: flags |= USER if user_mode(regs)     tgt: if !user_mode(regs)          a wrong of tgt's

That two conditions are one and the same is a supposition. It is made only
where neither side asks what the other one calls its mode: else there would be
no world in which both are in one mode, and nothing to tell them apart by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from codegen.ir.nodes import Field, Function, Global, Local, PureCall
from codegen.ir.program import calls_of, expressions_of
from codegen.ir.vocabulary import Role
from codegen.targets.compare.nodes import Side

_WORD = re.compile(r"[A-Za-z_]\w*")
_USER_MODE = "user_mode"


def in_one_mode(src: Side, tgt: Side) -> tuple[Side, Side]:
    """Both sides, with conditions for user mode that one world can meet."""
    if src.mode is tgt.mode:
        return src, tgt
    mine, theirs = names_asked(src), names_asked(tgt)
    if _USER_MODE in mine and _USER_MODE in theirs:
        return replace(src, mode=None), replace(tgt, mode=None)
    if mode_names(src) & theirs:
        return src, replace(tgt, mode=src.mode)
    if mode_names(tgt) & mine:
        return replace(src, mode=tgt.mode), tgt
    return src, tgt


def in_one_world(src: Side, tgt: Side) -> tuple[Side, Side]:
    """Both sides in one mode, and before an mm that does as much for either.

    Where src sees to it that no stack grows below FIRST_USER_ADDRESS, it is
    not supposed that the mm does.
    """
    src, tgt = in_one_mode(src, tgt)
    low = "FIRST_USER_ADDRESS" in names_asked(src)
    return replace(src, low_stack=low), replace(tgt, low_stack=low)


def mode_names(side: Side) -> frozenset[str]:
    """What a side's condition asks: the last word of each place, `psr` of `regs->psr`."""
    if side.mode is None:
        return frozenset({_USER_MODE})
    names = set()
    for symbol in side.mode.symbols():
        words = _WORD.findall(symbol.partition("(")[0])
        names |= set(words[-1:])
    return frozenset(names)


def names_asked(side: Side) -> frozenset[str]:
    """The fields, variables and pure words that the file's own functions in reach ask."""
    vocabulary = side.program.vocabulary
    names = set()
    for function in _reached(side):
        for expr in expressions_of(function):
            match expr:
                case PureCall(name=name) if vocabulary.role(name) is Role.USER_MODE:
                    names.add(_USER_MODE)
                case Field(name=name) | PureCall(name=name) | Local(name=name) | Global(name=name):
                    names.add(name)
    return frozenset(names)


def names_called(side: Side) -> frozenset[str]:
    """The functions that the file's own functions in reach call."""
    return frozenset(c.name for function in _reached(side) for c in calls_of(function))


def _reached(side: Side) -> Iterator[Function]:
    """The functions that the entry reaches; not the vocabulary's own C."""
    models = side.program.vocabulary.functions
    seen: set[str] = set()
    stack = [side.entry]
    while stack:
        name = stack.pop()
        if name in seen or name not in side.program.functions:
            continue
        seen.add(name)
        function = side.program.functions[name]
        if function.source.text == models:
            continue
        yield function
        stack += [c.name for c in calls_of(function)]
