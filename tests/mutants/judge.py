# SPDX-License-Identifier: GPL-2.0-only
"""One mutant: what the comparison says of it, and what the compiled C does.

conversion against mutant   EQUAL / DIFFERS      nothing is accepted
original against mutant     EXPLAINED / DIFFERS  the classes that are accepted by default
native bench                agrees / differs     the same random scenarios on both
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter

from codegen.base.diagnostics import GenfaultError, RefusedError
from codegen.base.spans import SourceText
from codegen.corpus.nodes import CFile
from codegen.frontend.constants import enumerators
from codegen.ir.handler import HandlerRole
from codegen.ir.load import Unit, Variant, load_unit
from codegen.ir.printer import function_text
from codegen.ir.solver import PathSolver, ResourceBound
from codegen.tables.mode import find_mode
from codegen.targets.c.after import helper_for, mm_api
from codegen.targets.c.nodes import HELPER_C
from codegen.targets.compare import sides as pairing
from codegen.targets.compare.compare import compare
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED, Comparison, Side, Verdict
from codegen.targets.compare.routines import Insides
from codegen.targets.compare.settings import agree
from codegen.targets.native.bench import Bench, BenchError, build_bench
from codegen.targets.native.stubs import followed
from codegen.targets.normal import Draws
from codegen.toolchain import Request, constants_of, convert_file

from .observable import observable
from .operators import operators_for
from .planting import Operator, Part, Plant
from .view import View

RUNS = 3000
"""How many random scenarios the bench runs for each mutant."""


@dataclass(frozen=True)
class Mutant:
    """One wrong in one place of one text."""

    part: Part
    operator: Operator
    number: int
    plant: Plant
    line: int
    told: str
    text: str


@dataclass(frozen=True)
class Result:
    """What came of a mutant; plain data.

    `status`: `judged`, `same` (no configuration has other code) or `invalid`
    (cannot be read any more). `mutant` and `original` are verdicts; `bench` is
    `differs`, `agrees` or what went wrong.
    """

    arch: str
    part: str
    operator: str
    number: int
    function: str
    line: int
    told: str
    status: str
    mutant: str = ""
    mutant_classes: tuple[str, ...] = ()
    original: str = ""
    original_classes: tuple[str, ...] = ()
    bench: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def key(self) -> str:
        """What tells it from all others of a tree."""
        return f"{self.arch}/{self.part}/{self.operator}/{self.number}"


@dataclass(eq=False)
class Subject:
    """A handler of a source that converts, with its conversion: what mutants are made of."""

    request: Request
    file: CFile
    function: str
    before: Unit
    converted: SourceText
    helper: SourceText
    _benches: dict[int, tuple[Bench, list[str]]] = field(default_factory=dict)

    @cached_property
    def after(self) -> Unit:
        """The conversion's programs."""
        return self.load(self.converted, self.helper)

    def load(self, converted: SourceText, helper: SourceText) -> Unit:
        """A converted text with a helper's. Raises GenfaultError for what cannot be read."""
        tree = self.request.source.tree
        api = mm_api(tree, self.file.source.text)
        known = {**constants_of(tree), **enumerators(helper_for(api).header)}
        return load_unit(converted, known, self.request.fixed, helper)

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """Where execution starts."""
        return self.first.found[0].entries

    @cached_property
    def first(self) -> Variant:
        """The first configuration that has the handler (arm has none without CONFIG_MMU)."""
        return next(v for v in self.after.variants if v.found)

    @cached_property
    def reach(self) -> dict[Part, frozenset[str]]:
        """The functions that the machine follows, in any configuration, by the text they are in."""
        names: dict[Part, set[str]] = {part: set() for part in Part}
        for variant in self.after.variants:
            if not variant.found:
                continue
            for function in followed(variant.program, self.entries)[0]:
                if function.source.path == self.converted.path:
                    names[Part.HANDLER].add(function.name)
                elif function.source.path == self.helper.path:
                    names[Part.HELPER].add(function.name)
        return {part: frozenset(found) for part, found in names.items()}

    def view(self, part: Part) -> View:
        """The text that a part is."""
        source = self.converted if part is Part.HANDLER else self.helper
        return View(source, self.reach[part], self.first.program)

    def mutants(self, part: Part) -> Iterator[Mutant]:
        """Every mutant of a part, operator by operator."""
        view = self.view(part)
        for operator in operators_for(part):
            for number, plant in enumerate(operator.places(view)):
                yield Mutant(
                    part,
                    operator,
                    number,
                    plant,
                    view.source.line(plant.start),
                    plant.told(view),
                    plant.apply(view),
                )

    # -- judging -----------------------------------------------------------------

    @cached_property
    def passes(self) -> bool:
        """Whether the unmutated conversion is one that is written unasked."""
        comparison = pairing.compare_units(self.before, self.after, self.function, DEFAULT_ACCEPTED)
        return comparison.verdict in (Verdict.EQUAL, Verdict.EXPLAINED)

    def judge(self, mutant: Mutant, *, original: bool = True, bench: bool = True) -> Result:
        """All three answers for one mutant, or two, or one."""
        began = perf_counter()
        base = Result(
            self.file.selector,
            mutant.part.value,
            mutant.operator.name,
            mutant.number,
            mutant.plant.function.name,
            mutant.line,
            mutant.told,
            "judged",
        )
        converted, helper = self.converted, self.helper
        if mutant.part is Part.HANDLER:
            converted = SourceText(converted.path, mutant.text)
        else:
            helper = SourceText(helper.path, mutant.text)
        try:
            unit = self.load(converted, helper)
            pairs = list(self._changed(unit))
        except (GenfaultError, RefusedError) as error:
            return replace(base, status="invalid", notes=(str(error),))
        if unit.refusals or any(v.refusals for v in unit.variants) or not unit.variants:
            refusals = (*unit.refusals, *(r for v in unit.variants for r in v.refusals))
            if not any(self.entries[0] in v.program.functions for v in unit.variants):
                return replace(base, status="invalid", notes=tuple(map(str, refusals[:1])))
        if not pairs:
            return replace(base, status="same", seconds=perf_counter() - began)
        sharp = worst(self._against_conversion(unit, pairs))
        result = replace(
            base,
            mutant=sharp.verdict.value,
            mutant_classes=_classes(sharp),
            notes=sharp.notes,
        )
        if original and sharp.verdict is not Verdict.EQUAL:
            judged = worst(self._against_original(unit, pairs))
            result = replace(
                result, original=judged.verdict.value, original_classes=_classes(judged)
            )
        if bench:
            told = self._bench(pairs, converted, helper, result.original)
            result = replace(result, bench=told)
        return replace(result, seconds=perf_counter() - began)

    def _changed(self, unit: Unit) -> Iterator[tuple[int, Variant, Variant]]:
        """The variants of conversion and mutant in one configuration that are not alike."""
        for number, mine in enumerate(self.after.variants):
            for theirs in unit.variants:
                if (
                    mine.found
                    and any(agree(a, b) for a in mine.configurations for b in theirs.configurations)
                    and _program(mine) != _program(theirs)
                ):
                    yield number, mine, theirs

    def _against_conversion(
        self, unit: Unit, pairs: list[tuple[int, Variant, Variant]]
    ) -> Iterator[Comparison]:
        insides = Insides(self.after, unit)
        for _, mine, theirs in pairs:
            locks = has_vma_lock(mine) and has_vma_lock(theirs)
            for entry in self.entries:
                src = self._side(mine, entry, locks)
                tgt = self._side(theirs, entry, locks)
                one = compare(src, tgt, accepted=frozenset())
                yield one
                yield from insides.compared(src, tgt, one)

    def _side(self, variant: Variant, entry: str, locks: bool) -> Side:
        mode = find_mode(variant.program, entry, self.function, PathSolver())
        configurations = variant.configurations
        return Side(
            variant.program,
            entry,
            mode,
            self.converted.path,
            locks,
            configurations=configurations,
        )

    def _against_original(
        self, unit: Unit, pairs: list[tuple[int, Variant, Variant]]
    ) -> Iterator[Comparison]:
        changed = {id(theirs.configurations) for _, _, theirs in pairs}
        insides = Insides(self.before, unit)
        for src, tgt in pairing.sides(self.before, unit, self.function):
            if id(tgt.configurations) in changed:
                one = compare(src, tgt, accepted=DEFAULT_ACCEPTED)
                yield one
                yield from insides.compared(src, tgt, one)

    def _bench(
        self,
        pairs: list[tuple[int, Variant, Variant]],
        converted: SourceText,
        helper: SourceText,
        original: str,
    ) -> str:
        """What the compiled C says: `differs`, `agrees`, or why it says nothing.

        `like-original`: it differs, but where it does the original handler does
        what the mutant does. That is asked where the original is not told from
        the mutant.
        """
        answer = "agrees"
        for number, mine, theirs in pairs:
            try:
                bench, traces = self._baseline(number, mine)
                texts = self._traces(theirs, converted, helper, bench.draws)
                seeds = [
                    seed
                    for seed, (one, two) in enumerate(zip(traces, texts, strict=True))
                    if one != two and _tells(one, two)
                ]
                if not seeds:
                    continue
                if original == Verdict.DIFFERS.value:
                    return "differs"
                before = self._original_traces(mine, bench.draws)
                if any(_tells(before[seed], texts[seed]) for seed in seeds):
                    return "differs"
                answer = "like-original"
            except BenchError as error:
                answer = f"unbuilt: {error}" if answer == "agrees" else answer
        return answer

    def _traces(
        self, variant: Variant, source: SourceText, helper: SourceText | None, draws: Draws
    ) -> list[str]:
        """The traces of a program on the scenarios of another's."""
        found = next(f for f in variant.found if f.role is HandlerRole.HANDLER)
        found = replace(found, entries=self.entries)
        with tempfile.TemporaryDirectory(prefix="genfault-mutant-") as place:
            setting = variant.configurations[0]
            program = variant.program
            with build_bench(program, found, source, setting, helper, Path(place), draws) as bench:
                return bench.run_many(1, RUNS)

    def _original_traces(self, after: Variant, draws: Draws) -> list[str]:
        """What the handler does that was converted, in the same configuration."""
        variant = next(
            v
            for v in self.before.variants
            if any(agree(a, b) for a in v.configurations for b in after.configurations)
        )
        return self._traces(variant, self.before.source, None, draws)

    def _baseline(self, number: int, variant: Variant) -> tuple[Bench, list[str]]:
        known = self._benches.get(number)
        if known is None:
            with tempfile.TemporaryDirectory(prefix="genfault-conversion-") as place:
                bench = build_bench(
                    variant.program,
                    variant.found[0],
                    self.converted,
                    variant.configurations[0],
                    self.helper,
                    Path(place),
                )
                with bench:
                    known = self._benches[number] = (bench, bench.run_many(1, RUNS))
        return known


def _tells(one: str, two: str) -> bool:
    """Whether two traces differ in what is compared (house plan, section 6)."""
    a, b = observable(one), observable(two)
    return a is not None and b is not None and a != b


def subjects(request: Request) -> Iterator[Subject]:
    """Every handler of a source that converts."""
    for file in request.source.files:
        for listed, unit, conversion in convert_file(request, file):
            if conversion is not None:
                api = mm_api(request.source.tree, file.source.text)
                helper = SourceText(HELPER_C, helper_for(api).c)
                yield Subject(request, file, listed.function, unit, conversion.source, helper)


def worst(comparisons: Iterator[Comparison]) -> Comparison:
    """The worst of several answers; the first DIFFERS settles it."""
    order = (
        Verdict.DIFFERS,
        Verdict.UNSUPPORTED,
        Verdict.UNKNOWN,
        Verdict.EXPLAINED,
        Verdict.EQUAL,
    )
    found: Comparison | None = None
    try:
        for comparison in comparisons:
            if found is None or order.index(comparison.verdict) < order.index(found.verdict):
                found = comparison
            if comparison.verdict is Verdict.DIFFERS:
                return comparison
    except ResourceBound as bound:
        return Comparison(Verdict.UNKNOWN, (), 0, 0, (str(bound),))
    return found or Comparison(Verdict.UNSUPPORTED, (), 0, 0, ("nothing to compare",))


def has_vma_lock(variant: Variant) -> bool:
    """Whether lock_vma_under_rcu() may find one in a configuration (see compare/sides.py)."""
    return any(
        c.settings.get("CONFIG_PER_VMA_LOCK", "1") is not None for c in variant.configurations
    )


def _program(variant: Variant) -> tuple[str, ...]:
    return tuple(function_text(f) for _, f in sorted(variant.program.functions.items()))


def _classes(comparison: Comparison) -> tuple[str, ...]:
    return tuple(sorted({d.cls.value for d in comparison.differences}))
