# SPDX-License-Identifier: GPL-2.0-only
"""A scenario with smaller numbers in which the same facts hold, by trying.

    {"regs->cause": 0x7f41c, "vma_found#1": 1}   ->   {"regs->cause": 4, "vma_found#1": 1}

It asks no solver: what it comes to hangs on where it begins (`smallest.py` goes on from there).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from codegen.ir.concrete import Changed, Evaluator
from codegen.ir.terms import Term

_MOST_TRIES = 8
_NOTHING: Mapping[str, int] = {}


def shrunk(
    scenario: dict[str, int], facts: list[Term], least: Mapping[str, int] = _NOTHING
) -> dict[str, int]:
    """The scenario with whatever can be 0, 1 or one bit set to that.

    `least` says of names what they are at least, wherever the facts hold.
    """
    small = _together(scenario, facts)
    while True:
        tried = _one_by_one(small, facts, least)
        thin = _thinned(tried, _touching(tried, facts))
        small = _together(thin, facts)
        if small == tried:
            return small


def _together(scenario: dict[str, int], facts: list[Term]) -> dict[str, int]:
    """The scenario with a number that stands in several places changed in all of them.

    `regs->pc` and `instruction_pointer(regs)` are equal, and what stands in the
    exception table is asked of the same number: `search_exception_tables(0x7000)`.
    """
    small = dict(scenario)
    asked = list(facts)
    for number in sorted({*scenario.values()}, reverse=True):
        word = re.compile(rf"\b{number:#x}\b")
        holding = [n for n, v in small.items() if v == number]
        named = [n for n in small if "(" in n and word.search(n)]
        if number < 2 or len(holding) + len(named) < 2:
            continue
        for other in (0, 1, 2, 4, 0x1000):
            if other >= number:
                break
            tried = {
                word.sub(f"{other:#x}", n) if n in named else n: other if v == number else v
                for n, v in small.items()
            }
            if len(tried) < len(small):
                continue
            evaluator = Evaluator(tried)
            wrong = next((f for f in asked if not evaluator.number(f)), None)
            if wrong is None:
                small = tried
                break
            # What one number breaks the next one is likely to break, too.
            asked.remove(wrong)
            asked.insert(0, wrong)
    return small


def _one_by_one(
    scenario: dict[str, int], facts: list[Term], least: Mapping[str, int]
) -> dict[str, int]:
    """The scenario with smaller numbers, one name at a time."""
    touching = _touching(scenario, facts)
    evaluator = Evaluator(scenario)
    small = dict(scenario)
    # A name that got smaller may make room for one that came before it.
    left = {name for name, number in scenario.items() if number}
    while left:
        for name in sorted(left, reverse=True):
            left.discard(name)
            floor = least.get(name, 0)
            for number in _smaller(small[name]):
                if number < floor:
                    continue
                tried = Changed(evaluator, name, number)
                wrong = next((f for f in touching[name] if not tried.number(f)), None)
                if wrong is None:
                    small[name] = number
                    evaluator = Evaluator(dict(small))
                    near = frozenset(touching[name])
                    left |= {n for n in small if small[n] and not near.isdisjoint(touching[n])}
                    break
                # What one number breaks the next one is likely to break, too.
                touching[name].remove(wrong)
                touching[name].insert(0, wrong)
    return small


def _touching(scenario: Mapping[str, int], facts: list[Term]) -> dict[str, list[Term]]:
    """The facts that may hang on each name.

    What a call is called hangs on its arguments, and so does what a computed place is.
    """
    touching: dict[str, list[Term]] = {name: [] for name in scenario}
    words: dict[str, list[str]] = {}
    for name in scenario:
        words.setdefault(name.partition("(")[0], []).append(name)
    for fact in facts:
        symbols, calls, computed = _named_in(fact)
        if computed:
            own: Iterable[str] = touching
        else:
            own = (symbols & touching.keys()).union(*(words.get(c, ()) for c in calls))
        for name in own:
            touching[name].append(fact)
    return touching


@cache
def _named_in(fact: Term) -> tuple[frozenset[str], frozenset[str], bool]:
    """The symbols and the functions in a fact, and whether a place in it is computed."""
    symbols: set[str] = set()
    calls: set[str] = set()
    computed = False
    for term in fact.walk():
        if term.op == "sym":
            symbols.add(str(term.payload))
            computed = computed or bool(term.args)
        elif term.op == "call":
            calls.add(str(term.payload))
    return frozenset(symbols), frozenset(calls), computed


def _thinned(small: dict[str, int], touching: Mapping[str, list[Term]]) -> dict[str, int]:
    """The scenario with the bits left out that are not needed, one look at each.

    What several bits are asked of, one after the other, is not made of one.
    """
    for name in small:
        if small[name].bit_count() <= 2:
            continue
        for place in reversed(range(small[name].bit_length())):
            tried = {**small, name: small[name] & ~(1 << place)}
            evaluator = Evaluator(tried)
            if tried != small and all(evaluator.number(f) for f in touching[name]):
                small = tried
    return small


def _smaller(number: int) -> list[int]:
    """Nicer numbers to try in a number's place, the nicest first."""
    if number == 0:
        return []
    bits = [1 << i for i in range(number.bit_length())]
    own = [b for b in bits if number & b]
    tries = [0, 1, 2, 4, 0x1000, *own[:_MOST_TRIES], number & 0xFFF, number & ~0xFFF, 3, *bits]
    return [t for t in dict.fromkeys(tries) if t < number]
