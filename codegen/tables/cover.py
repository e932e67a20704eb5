# SPDX-License-Identifier: GPL-2.0-only
"""Which conditions tell the answers apart: the shortest guards that a person would write.

A question was answered along many paths; each path is a cube, the conditions
that were asked on the way and how they came out:

    x & W, x & I -> A     x & W, !(x & I) -> A     !(x & W), x & I -> B     !(x & W), !(x & I) -> C

As a list, first match wins, that is `x & W: A`, `x & I: B`, otherwise `C`; as
guards that stand by themselves `x & W: A`, `!(x & W) && x & I: B` and so on. What no
path met (a case label beside another) needs no telling apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Generic, TypeVar

Literal = tuple[int, bool]
"""A condition, by its position in the order of asking, and whether it holds."""

Cube = frozenset[Literal]
L = TypeVar("L", bound=Hashable)
Conflict = Callable[[Literal, Literal], bool]
"""Whether two literals can not hold together (beyond `x` and not `x`)."""

_MAX_LITERALS = 4
_MAX_ORDERED = 5


@dataclass(frozen=True)
class Answered(Generic[L]):
    """The answer that was given where all of the cube's literals held."""

    cube: Cube
    answer: L


class _Bits:
    """Cubes as numbers: bit 2n stands for condition n, bit 2n + 1 for its negation."""

    def __init__(self, cubes: Sequence[Cube], conflict: Conflict) -> None:
        literals = sorted({x for c in cubes for x in c})
        self._even = sum(1 << 2 * atom for atom in {atom for atom, _ in literals})
        # What each literal tells of the others: the negation of what it excludes.
        self._tells = {_bit(x): _bit(x) for x in literals}
        for a, b in combinations(literals, 2):
            if a[0] != b[0] and conflict(a, b):
                self._tells[_bit(a)] |= self.opposite(_bit(b))
                self._tells[_bit(b)] |= self.opposite(_bit(a))

    def cube(self, cube: Cube) -> int:
        return sum(map(_bit, cube))

    def opposite(self, bits: int) -> int:
        """Each literal's negation."""
        return (bits & self._even) << 1 | bits >> 1 & self._even

    def closed(self, bits: int) -> int:
        """The cube with all that its literals tell, one by one."""
        out = bits
        for bit in _each(bits):
            out |= self._tells.get(bit, bit)
        return out


def _bit(literal: Literal) -> int:
    return 1 << 2 * literal[0] + (0 if literal[1] else 1)


def _each(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest
        bits ^= lowest


def _literals(bits: int) -> Cube:
    places = (b.bit_length() - 1 for b in _each(bits))
    return frozenset((p // 2, p % 2 == 0) for p in places)


def guards(answered: Sequence[Answered[L]], conflict: Conflict) -> list[tuple[list[Cube], L]]:
    """For each answer the cubes, as few and short as they get, under which it is given.

    The answers come in the order in which they were met; a single answer has
    the empty cube.
    """
    bits = _Bits([a.cube for a in answered], conflict)
    groups: dict[L, dict[int, int]] = {}
    for a in answered:
        cube = bits.cube(a.cube)
        closed = bits.closed(cube)
        if not closed & bits.opposite(closed):
            groups.setdefault(a.answer, {})[cube] = closed
    out: list[tuple[list[Cube], L]] = []
    for answer, mine in groups.items():
        # What a literal of ours must contradict, in some other answer's path.
        others = {
            bits.opposite(closed)
            for other, theirs in groups.items()
            if other != answer
            for closed in theirs.values()
        }
        wide = dict.fromkeys(_widened(cube, others) for cube in mine)
        out.append(([_literals(c) for c in _needed(list(wide), list(mine.values()))], answer))
    return out


def _widened(cube: int, others: set[int]) -> int:
    """The cube with every literal gone that is not needed to keep it apart from `others`.

    Negations go first, then what was asked first: it is often a mere way to
    get to the question that matters.
    """
    reasons = {cube & other for other in others}
    kept = cube
    for bit in sorted(_each(cube), key=lambda b: (b.bit_length() % 2, b)):
        without = kept & ~bit
        if all(r & without for r in reasons):
            kept = without
    return kept


def _needed(wide: Sequence[int], mine: Sequence[int]) -> list[int]:
    """As few of the `wide` cubes as cover all of `mine` (closed), in their order."""
    covers = {c: {i for i, path in enumerate(mine) if not c & ~path} for c in wide}
    left = set(range(len(mine)))
    chosen: list[int] = []
    while left:
        # Each path is covered by what it was widened to.
        best = max(wide, key=lambda c: (len(covers[c] & left), -c.bit_count()))
        chosen.append(best)
        left -= covers[best]
    return sorted(chosen, key=wide.index)


def first_match(answered: Sequence[Answered[L]], conflict: Conflict) -> list[tuple[list[Cube], L]]:
    """The answers as an ordered list of rules, first match wins; the last one has the empty cube.

    A rule holds where any of its cubes does. Of two ways to write the list the
    shorter is taken: rule by rule, the simplest first, or answer by answer, in
    the best order.
    """
    bits = _Bits([a.cube for a in answered], conflict)
    left = [(bits.closed(bits.cube(a.cube)), a.answer) for a in answered]
    left = [(path, answer) for path, answer in left if not path & bits.opposite(path)]
    best = _rule_by_rule(left, bits)
    answers = list(dict.fromkeys(answer for _, answer in left))
    if len(answers) <= _MAX_ORDERED:
        opened = {bits.cube(a.cube): bits.closed(bits.cube(a.cube)) for a in answered}
        groups = {
            answer: {
                cube: closed for cube, closed in opened.items() if (closed, answer) in set(left)
            }
            for answer in answers
        }
        for order in permutations(answers):
            found = _answer_by_answer(order, groups, bits)
            if _length(found) < _length(best):
                best = found
    return [([_literals(c) for c in cubes], answer) for cubes, answer in best]


def _length(rules: Sequence[tuple[list[int], L]]) -> int:
    """How much there is to read; a negation is the harder to read."""
    literals = [b for cubes, _ in rules for c in cubes for b in _each(c)]
    return 3 * len(rules) + sum(2 if b.bit_length() % 2 else 3 for b in literals)


def _answer_by_answer(
    order: Sequence[L], groups: Mapping[L, Mapping[int, int]], bits: _Bits
) -> list[tuple[list[int], L]]:
    """One rule for each answer, in the order given: it need only exclude those that follow."""
    out: list[tuple[list[int], L]] = []
    for i, answer in enumerate(order):
        mine = groups[answer]
        others = {bits.opposite(c) for later in order[i + 1 :] for c in groups[later].values()}
        wide = list(dict.fromkeys(_widened(cube, others) for cube in mine))
        out.append((_needed(wide, list(mine.values())), answer))
    return out


def _rule_by_rule(left: Sequence[tuple[int, L]], bits: _Bits) -> list[tuple[list[int], L]]:
    """Short rules first, then those without a negation, then what was asked first."""
    out: list[tuple[list[int], L]] = []
    while left:
        if all(answer == left[0][1] for _, answer in left):
            out.append(([0], left[0][1]))
            break
        cube, answer = _rule(left, bits)
        if out and out[-1][1] == answer:
            out[-1][0].append(cube)
        else:
            out.append(([cube], answer))
        left = [(path, a) for path, a in left if cube & ~path]
    return out


def _rule(left: Sequence[tuple[int, L]], bits: _Bits) -> tuple[int, L]:
    """The shortest cube that decides some of what is left."""
    literals = list(_each(_union(path for path, _ in left)))
    for length in range(1, _MAX_LITERALS + 1):
        best: tuple[tuple[int, list[int]], int, L] | None = None
        for chosen in combinations(literals, length):
            cube = sum(chosen)
            answer: L | None = None
            for path, theirs in left:
                if not cube & ~path:
                    answer = theirs
                    break
            else:
                continue
            away = bits.opposite(cube)
            if any(theirs != answer and not path & away for path, theirs in left):
                continue
            rank = (sum(b.bit_length() % 2 == 0 for b in chosen), sorted(chosen))
            if best is None or rank < best[0]:
                best = (rank, cube, answer)
        if best is not None:
            return best[1], best[2]
    return left[0]


def _union(paths: Iterable[int]) -> int:
    out = 0
    for path in paths:
        out |= path
    return out
