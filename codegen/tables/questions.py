# SPDX-License-Identifier: GPL-2.0-only
"""The conditions that a table's guards are made of: numbered, told apart, and written in C."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from codegen.base.spans import Span
from codegen.ir.printer import guard_text
from codegen.ir.solver import PathSolver, related
from codegen.ir.terms import FALSE, TRUE, Term, conjoin, disjoin, negate
from codegen.tables.cover import Cube, Literal


class Questions:
    """Every condition that was asked, as it was asked first, in order of asking.

    `facts` hold whatever is answered. The same condition, and the same words
    at the same place, are the same question: `vma->vm_flags & mask` is one,
    whatever the mask has become on the way there.
    """

    def __init__(self, solver: PathSolver, facts: Iterable[Term] = ()) -> None:
        self.terms: list[Term] = []
        self.spans: list[Span] = []
        self._solver = solver
        self._facts = tuple(facts)
        self._numbers: dict[object, int] = {}

    def number(self, asked: Term, span: Span, words: str) -> int:
        """The number of a condition that reads `words` in C."""
        known = self._numbers.get(asked)
        if known is not None:
            return known
        known = self._numbers.get((words, span))
        if known is None:
            known = len(self.terms)
            self.terms.append(asked)
            self.spans.append(span)
        elif len(list(asked.walk())) < len(list(self.terms[known].walk())):
            # What was asked before its operands changed says it best.
            self.terms[known] = asked
        self._numbers[asked] = known
        self._numbers.setdefault((words, span), known)
        return known

    def literal(self, asked: Term, holds: bool, span: Span, words: str) -> Literal:
        """The answer to a condition, which may have been asked the other way round before."""
        if asked in self._numbers:
            return self._numbers[asked], holds
        opposite = self._numbers.get(negate(asked))
        if opposite is not None:
            return opposite, not holds
        if words.startswith("!") and asked.op != "lor":
            # `x` is the question, however it is asked.
            plain = negate(asked)
            return self.number(plain, span, f"not {words}"), not holds
        return self.number(asked, span, words), holds

    def holding(self, literal: Literal) -> Term:
        """The condition under which a literal is true."""
        term = self.terms[literal[0]]
        return term if literal[1] else negate(term)

    def conflict(self, a: Literal, b: Literal) -> bool:
        """Whether the two exclude each other, by what the solver says."""
        first, second = self.holding(a), self.holding(b)
        if first.links().isdisjoint(second.links()):
            return False
        near = related(conjoin(first, second), self._facts)
        return not self._solver.possible((*near, first, second))

    def term(self, cube: Cube) -> Term:
        """The cube as one condition."""
        out = TRUE
        for literal in sorted(cube):
            out = conjoin(out, self.holding(literal))
        return out

    def any_of(self, cubes: Iterable[Cube]) -> Term:
        """Any of the cubes, as one condition."""
        out = FALSE
        for cube in cubes:
            out = disjoin(out, self.term(cube))
        return out

    def text(self, cube: Cube, spelling: Mapping[Term, str]) -> str:
        """The cube in C, in order of asking; empty for the empty cube."""
        return guard_text([self.holding(x) for x in sorted(cube)], spelling)

    def texts(self, cubes: Sequence[Cube], spelling: Mapping[Term, str]) -> str:
        """Several cubes, any of which may hold, in C; empty if one is the empty cube.

        What all of them ask for is said once: `a && (b || c)`.
        """
        shared = frozenset.intersection(*cubes)
        rests = [c - shared for c in cubes]
        head = self.text(shared, spelling)
        if not all(rests):
            return head
        parts = list(dict.fromkeys(self.text(c, spelling) for c in sorted(rests, key=sorted)))
        if len(parts) > 1:
            parts = [f"({p})" if "&&" in p or "||" in p or " ? " in p else p for p in parts]
        either = " || ".join(parts)
        if not head:
            return either
        if "||" in head and not head.startswith("("):
            head = f"({head})"
        return f"{head} && ({either})" if len(parts) > 1 else f"{head} && {either}"
