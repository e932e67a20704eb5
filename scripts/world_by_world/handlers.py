# SPDX-License-Identifier: GPL-2.0-only
"""The programs: a source's handlers alone, with their conversions, with those of another source."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codegen.base.diagnostics import GenfaultError, RefusedError
from codegen.base.spans import SourceText
from codegen.corpus.pairs import pair_up
from codegen.ir.load import Unit
from codegen.tables.extract import list_handlers
from codegen.targets.compare.check import check
from codegen.targets.compare.compare import compare
from codegen.targets.compare.family import Families
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED, Verdict
from codegen.targets.compare.routines import Insides
from codegen.targets.compare.sides import sides
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.stretches import Stretches
from codegen.toolchain import (
    after_of,
    beside,
    convert_file,
    open_pair,
    open_request,
    unit_of,
)
from tests.mutants.judge import Mutant, Subject, subjects
from tests.mutants.planting import Part

from .checked import checked
from .compared import Pair, compared
from .measure import Measured

_MOST_PAIRS = 2
"""How many configurations of a planted wrong are looked at."""


@dataclass(frozen=True)
class Options:
    """How many worlds of a handler are judged, for how long; `seed` says which."""

    worlds: int
    seed: int = 1
    seconds: float = 1e9


@dataclass(frozen=True)
class Row:
    """A handler (and a wrong) in one configuration, what was said of it, what its worlds say."""

    name: str
    verdict: Verdict
    found: Measured


def converted(source: Path, archs: Sequence[str], options: Options) -> Iterator[Row]:
    """Each handler that converts with its conversion, in each configuration."""
    request = open_request(source, list(archs), {}, 1)
    for file in request.source.files:
        for listed, unit, conversion in convert_file(request, file):
            if conversion is not None:
                after = after_of(request, file, conversion)
                yield from _rows(file.selector, unit, after, listed.function, options)


def both(paths: tuple[Path, Path], archs: Sequence[str], options: Options) -> Iterator[Row]:
    """Each handler with the same handler of another source, as `genfault diff SRC TGT` reads it."""
    request, other = open_pair(paths, list(archs), {}, 1)
    partners = pair_up(request.source, other.source)
    for file in request.source.files:
        for one in beside(request, file, other, partners):
            yield from _rows(
                file.selector, one.unit, one.theirs, one.function, options, numbers=one.numbers
            )


def alone(source: Path, archs: Sequence[str], options: Options) -> Iterator[Row]:
    """Each handler by itself, in each configuration, as `genfault check` looks at it."""
    request = open_request(source, list(archs), {}, 1)
    for file in request.source.files:
        unit = unit_of(request, file)
        for listed in list_handlers(unit, file.arch):
            if listed.role != "handler" or listed.refusals:
                continue
            solver = SlicingSolver()
            configurations = [src for src, _ in sides(unit, unit, listed.function)]
            share = -(-options.worlds // len(configurations))
            for number, side in enumerate(configurations):
                told = check(side, solver)
                found = checked(side, told, solver, share, options.seed, options.seconds)
                verdict = Verdict.DIFFERS if told else Verdict.EQUAL
                yield Row(f"{file.selector} {number}", verdict, found)


def planted(source: Path, archs: Sequence[str], options: Options, wrongs: int) -> Iterator[Row]:
    """The same with some of the wrongs of scripts/mutants, as far as the comparison passes them."""
    pick = random.Random(options.seed)
    for subject in subjects(open_request(source, list(archs), {}, 1)):
        mutants = [m for part in Part for m in subject.mutants(part)]
        pick.shuffle(mutants)
        for mutant in mutants[:wrongs]:
            try:
                unit = _with(subject, mutant)
            except (GenfaultError, RefusedError):
                continue
            name = f"{subject.file.selector} {mutant.part}/{mutant.operator.name}/{mutant.number}"
            yield from _rows(name, subject.before, unit, subject.function, options, _MOST_PAIRS)


def _with(subject: Subject, mutant: Mutant) -> Unit:
    """The conversion with a wrong in it. Raises GenfaultError where it cannot be read."""
    converted, helper = subject.converted, subject.helper
    if mutant.part is Part.HANDLER:
        converted = SourceText(converted.path, mutant.text)
    else:
        helper = SourceText(helper.path, mutant.text)
    return subject.load(converted, helper)


def _rows(
    name: str,
    before: Unit,
    after: Unit,
    function: str,
    options: Options,
    most: int | None = None,
    numbers: Mapping[str, int] | None = None,
) -> Iterator[Row]:
    """The configurations, all or the last few; those of `most` only that the comparison passes.

    Behind each stand the routines that are one step of it and were compared by themselves.
    """
    families = Families.of_handlers(before, after)
    known = SlicingSolver(), Stretches(families.all)
    insides = Insides(before, after, known[0], numbers)
    pairs = list(enumerate(sides(before, after, function, families)))
    share = -(-options.worlds // max(1, len(pairs))) if most is None else options.worlds
    for number, pair in pairs if most is None else pairs[-most:]:
        src, tgt = (replace(side, numbers=numbers or {}) for side in pair)
        told = compare(src, tgt, accepted=DEFAULT_ACCEPTED, solver=known[0], stretches=known[1])
        if told.verdict is Verdict.UNSUPPORTED:
            continue
        if most is not None and told.verdict not in (Verdict.EQUAL, Verdict.EXPLAINED):
            continue
        handler = Pair(src, tgt, told, *known)
        for title, one in _with_insides(f"{name} {number}", handler, insides):
            found = compared(one, share, options.seed, options.seconds)
            yield Row(title, one.told.verdict, found)


def _with_insides(title: str, handler: Pair, insides: Insides) -> Iterator[tuple[str, Pair]]:
    """The pair, and the routines that are one step of it and had to be compared."""
    yield title, handler
    done = len(insides.engaged)
    insides.compared(handler.src, handler.tgt, handler.told)
    for i in insides.engaged[done:]:
        own = Pair(i.src, i.tgt, i.told, handler.solver, i.stretches, i.name, (i.user,))
        yield f"{title} {i.name}()", own
