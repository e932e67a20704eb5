# SPDX-License-Identifier: GPL-2.0-only
"""From facts to the smallest scenario in which they hold.

    facts of a path  --scenario_of-->  {"regs->ecr_cause": 4, "vma_found#1": 1}

The scenario is a function of the facts: whatever was asked of the solver
before, and whatever terms the process made, the same one is told. The solver's
examples are only where the search begins; that nothing is smaller is decided by
its answers, yes or no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from codegen.ir.concrete import Evaluator
from codegen.ir.mend import mended
from codegen.ir.shrink import shrunk
from codegen.ir.solver import PathSolver, ResourceBound
from codegen.ir.terms import (
    Term,
    conjoin,
    disjoin,
    equal,
    extend,
    integer,
    less,
    negate,
    order_of,
)

_MOST_ROUNDS = 12
_HEADER = re.compile(r"[A-Z][A-Z0-9_]*")
_NOTHING: Mapping[Term, int] = {}
_MOST_FACTS = 28
_MOST_LEAVES = 24
"""Of more than these no choice is made between scenarios: the search may take minutes."""
_PATIENCE = 3
"""How often a smaller number is taken as it comes, before the range is searched."""


def scenario_of(facts: Iterable[Term], solver: PathSolver) -> dict[str, int]:
    """The smallest scenario in which all `facts` hold; a name that it does not give is 0.

    No number in it can be smaller where the others stay as they are. Where very
    many facts hang together, which of several is told may hang on the solver.
    Raises ValueError where the facts contradict each other, ResourceBound where the
    solver gives up or no scenario is found in a few rounds.
    """
    return _of_groups(facts, lambda group: _smallest(group, solver))


def small_scenario_of(facts: Iterable[Term], solver: PathSolver) -> dict[str, int]:
    """A small scenario in which all `facts` hold, found sooner than the smallest.

    Nothing says that no number in it can be smaller. Raises as `scenario_of()`.
    """
    return _of_groups(facts, lambda group: _small(group, solver))


def _of_groups(
    facts: Iterable[Term], scenario: Callable[[list[Term]], dict[str, int]]
) -> dict[str, int]:
    """The scenarios of facts that hang together, in one; `scenario` finds each."""
    wanted = dict.fromkeys(sorted({f for f in facts if f.op != "int" or not f.value}, key=order_of))
    groups = connected(wanted)
    while True:
        found = [scenario(group) for group in groups]
        clash = _clash(found)
        if clash is None:
            return {n: v for names in found for n, v in names.items() if v}
        # Two terms that share no name turn out to be one place.
        one, two = clash
        both = sorted((*groups[one], *groups[two]), key=order_of)
        groups = [*(g for i, g in enumerate(groups) if i not in clash), both]


def connected(facts: Iterable[Term]) -> list[list[Term]]:
    """The facts in groups that share no name, each in the facts' order."""
    groups: list[tuple[set[str], list[Term]]] = []
    for fact in facts:
        links = fact.links()
        mine = [g for g in groups if not links.isdisjoint(g[0])]
        names = set(links).union(*(g[0] for g in mine))
        members = [f for g in mine for f in g[1]]
        groups = [g for g in groups if g not in mine]
        groups.append((names, [*members, fact]))
    return [members for _, members in groups]


def _clash(found: list[dict[str, int]]) -> tuple[int, int] | None:
    """Two groups that give one name two numbers."""
    owner: dict[str, int] = {}
    for position, names in enumerate(found):
        for name, value in names.items():
            other = owner.setdefault(name, position)
            if found[other][name] != value:
                return other, position
    return None


def _smallest(facts: list[Term], solver: PathSolver) -> dict[str, int]:
    """The smallest scenario of facts that hang together, each name with its number."""
    key = frozenset(facts)
    known = solver.smallest.get(key)
    if known is None:
        known = _Search(facts, solver).smallest(_mended(facts, solver))
        solver.smallest[key] = known
    return known


def _small(facts: list[Term], solver: PathSolver) -> dict[str, int]:
    """A small scenario of facts that hang together; the smallest where only z3 finds one."""
    found = _mended(facts, solver)
    return _smallest(facts, solver) if found is None else found


def _mended(facts: list[Term], solver: PathSolver) -> dict[str, int] | None:
    """A small scenario of facts that hang together, found without z3; None where none is."""
    key = frozenset(facts)
    if key not in solver.small:
        first = mended(facts)
        solver.small[key] = None if first is None else _Search(facts, solver).small(first)
    return solver.small[key]


class _Search:
    """The scenarios of some facts, from one to the next smaller.

    `leaves` are the terms that a scenario gives numbers to, `floor` what they are
    at least, `known` what holds in every scenario and the solver does not know.
    """

    def __init__(self, facts: list[Term], solver: PathSolver) -> None:
        self.facts, self.aside = facts, solver.aside
        found = {t for fact in facts for t in fact.walk() if t.op in ("sym", "call")}
        # What stands in an argument comes first.
        self.leaves = sorted(found, key=order_of)
        self.known: list[Term] = []
        self.floor: dict[Term, int] = {}
        self.bounded = False

    def smallest(self, first: Mapping[str, int] | None) -> dict[str, int]:
        """The names with their numbers, those that are 0 as well, from a small scenario."""
        best = None if first is None else Evaluator(first)
        if best is None:
            found = self._found()
            if found is None:
                raise ValueError("no scenario: the facts contradict each other")
            best = self._shrunk(found)
        return self._names(self._improved(best))

    def small(self, first: Evaluator) -> dict[str, int]:
        """The names with numbers that are small, from a scenario that may not be."""
        return self._names(self._shrunk(first))

    def _improved(self, best: Evaluator) -> Evaluator:
        """The smallest scenario, from one that is small.

        Mostly no number can be smaller, whatever the others are: then there is
        nothing to choose between.
        """
        told = frozenset(self.facts)
        settled = True
        for leaf in self.leaves:
            value = best.number(leaf)
            least = not value or (leaf.bits == 1 and leaf in told)
            if least or self._smaller(_below(leaf, value)) is None:
                self.floor[leaf] = value
            else:
                settled = False
        many = len(self.facts) > _MOST_FACTS or len(self.leaves) > _MOST_LEAVES
        return best if settled or many else self._chosen(best)

    def _chosen(self, best: Evaluator) -> Evaluator:
        """The smallest of scenarios in which one number is smaller and another greater.

        Where the names stand in line decides who has to give way to whom: the last
        of the text first, or what a header defines.
        """
        orders = (self.leaves[::-1], sorted(self.leaves, key=_plainness))
        return min((self._in_turn(best, leaves) for leaves in orders), key=self._size)

    def _in_turn(self, best: Evaluator, leaves: list[Term]) -> Evaluator:
        """The scenario in which one term after the other is the smallest that it can be."""
        fixed: dict[Term, int] = {}
        for leaf in leaves:
            best = self._least(leaf, best, fixed)
            fixed[leaf] = best.number(leaf)
        return self._shrunk(best)

    def _least(self, leaf: Term, best: Evaluator, fixed: dict[Term, int]) -> Evaluator:
        """The scenario in which a term is the smallest number that it can be."""
        least, tries, step = self.floor.get(leaf, 0), 0, 1
        while (value := best.number(leaf)) > least:
            tries += 1
            bound = value
            if tries > _PATIENCE:
                # What is smallest is mostly near where it begins.
                bound, step = min((least + value + 1) // 2, least + step), 2 * step
            smaller = self._smaller(_below(leaf, bound), fixed)
            if smaller is None:
                least = bound
            else:
                best = self._shrunk(smaller, fixed)
                # Shrinking moves names about, and may give the term what it had.
                best = best if best.number(leaf) < bound else smaller
        return best

    def _size(self, scenario: Evaluator) -> tuple[object, ...]:
        """How much there is to read; of two that are alike the text decides.

        A register is rather told to be other than 0 than what a header defines.
        """
        names = sorted((n, v) for n, v in self._names(scenario).items() if v)
        headers = sum(_HEADER.fullmatch(n) is not None for n, _ in names)
        return len(names), sum(v.bit_length() for _, v in names), headers, names

    def _names(self, scenario: Evaluator) -> dict[str, int]:
        """The names with their numbers, those that are 0 as well."""
        names: dict[str, int] = {}
        for leaf in self.leaves:
            name = scenario.name(leaf)
            names[name] = max(names.get(name, 0), scenario.number(leaf))
        return names

    def _shrunk(self, scenario: Evaluator, fixed: Mapping[Term, int] = _NOTHING) -> Evaluator:
        """The scenario with smaller numbers; some terms stay what they are."""
        wanted = [*self.facts, *(_is(leaf, value) for leaf, value in fixed.items())]
        least = _by_name({**self.floor, **fixed})
        return Evaluator(shrunk(self._names(scenario), wanted, least))

    def _smaller(self, further: Term, fixed: Mapping[Term, int] = _NOTHING) -> Evaluator | None:
        """As `_found()`; once the solver has given up, what was found has to do."""
        try:
            return None if self.bounded else self._found(further, fixed)
        except ResourceBound:
            self.bounded = True
            return None

    def _found(
        self, further: Term | None = None, fixed: Mapping[Term, int] = _NOTHING
    ) -> Evaluator | None:
        """A scenario in which the facts and one more hold, and some terms are what they are.

        None if there is none. Raises ResourceBound.
        """
        own = [*(_is(leaf, value) for leaf, value in fixed.items())]
        if further is not None:
            own.append(further)
        wanted = [*self.facts, *own]
        for _ in range(_MOST_ROUNDS):
            model = self.aside.model([*self.facts, *self.known, *own], self.leaves)
            if model is None:
                return None
            scenario, clash = _named(self.leaves, model)
            if clash is not None:
                self.known.append(clash)
                continue
            evaluator = Evaluator(scenario)
            broken = [f for f in wanted if not evaluator.number(f)]
            if not broken:
                return evaluator
            self.known += dict.fromkeys(
                p for f in broken for p in _pinned(f, evaluator) if p not in self.known
            )
        raise ResourceBound("no scenario found that gives every name one value")


def _by_name(floor: Mapping[Term, int]) -> dict[str, int]:
    """What names are at least, as far as they are the same in every scenario."""
    return {str(leaf.payload): value for leaf, value in floor.items() if not leaf.args}


def _below(leaf: Term, value: int) -> Term:
    """That a term is less than a number; a truth value is not true."""
    if leaf.bits == 1:
        return negate(leaf)
    return less(leaf, integer(value, leaf.bits), False)


def _is(leaf: Term, value: int) -> Term:
    """That a term is a number."""
    if leaf.bits == 1:
        return leaf if value else negate(leaf)
    return equal(leaf, integer(value, leaf.bits))


def _plainness(leaf: Term) -> tuple[bool, tuple[int, str]]:
    """What had best be 0, or else a small number, comes first: what a header defines."""
    return _HEADER.fullmatch(str(leaf.payload)) is None, leaf.order


def _named(leaves: list[Term], model: dict[Term, int]) -> tuple[dict[str, int], Term | None]:
    """The model by names, or a fact that two terms of the same name are equal."""
    scenario: dict[str, int] = {}
    owner: dict[str, Term] = {}
    evaluator = Evaluator(scenario)
    for term in leaves:
        name, number = evaluator.name(term), model[term]
        other = owner.setdefault(name, term)
        if scenario.setdefault(name, number) != number:
            return scenario, _agree(term, other)
    return scenario, None


def _agree(a: Term, b: Term) -> Term:
    """Where the same place is read, or the same call made, the value is the same."""
    width = max(a.bits, b.bits)
    same = equal(extend(a, width, False), extend(b, width, False))
    if len(a.args) != len(b.args):
        return same
    for x, y in zip(a.args, b.args, strict=True):
        if x.bits == y.bits or min(x.bits, y.bits) > 1:
            of = max(x.bits, y.bits)
            given = equal(extend(x, of, False), extend(y, of, False))
            same = disjoin(negate(given), same)
    return conjoin(same, _same_width(a, b))


def _same_width(a: Term, b: Term) -> Term:
    """Two reads of one name in two widths agree in the narrower one."""
    width = min(a.bits, b.bits)
    if a.bits == b.bits or width == 1:
        return integer(1, 1)
    return equal(extend(a, width, False), extend(b, width, False))


def _pinned(fact: Term, evaluator: Evaluator) -> list[Term]:
    """Facts that give the addresses in a fact the numbers that they really have."""
    addresses = [t for t in fact.walk() if t.op in ("object", "text", "local", "field", "index")]
    pinned = []
    for a in sorted(addresses, key=order_of):
        bases = [equal(b, integer(evaluator.number(b), b.bits)) for b in a.args]
        here = equal(a, integer(evaluator.number(a), 64))
        for base in bases:
            here = disjoin(negate(base), here)
        pinned.append(here)
    return pinned
