# SPDX-License-Identifier: GPL-2.0-only
"""Two files to the pairs of programs that are the same handler in the same configuration.

before: A | !A      after: A && B | A && !B | !A     ->    three pairs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from codegen.ir.handler import HandlerRole
from codegen.ir.load import Unit, Variant
from codegen.ir.program import Program
from codegen.ir.solver import PathSolver, ResourceBound
from codegen.ir.terms import Term
from codegen.tables.mode import find_mode
from codegen.targets.compare.compare import compare
from codegen.targets.compare.family import Blocks, Families
from codegen.targets.compare.findings import Findings
from codegen.targets.compare.joints import Parting
from codegen.targets.compare.merge import combined
from codegen.targets.compare.mode import in_one_world
from codegen.targets.compare.nodes import (
    Comparison,
    Difference,
    DifferenceClass,
    Selection,
    Side,
)
from codegen.targets.compare.routines import Insides
from codegen.targets.compare.runs import Runs, Scenarios
from codegen.targets.compare.settings import agree, settings_of
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.stretches import Stretches

_PER_VMA_LOCK = "CONFIG_PER_VMA_LOCK"


def compare_units(
    before: Unit,
    after: Unit,
    function: str,
    accepted: frozenset[DifferenceClass],
    respelt: tuple[tuple[str, str], ...] = (),
    numbers: Mapping[str, int] | None = None,
) -> Comparison:
    """The handler `function` of `before` against `after`, over every configuration of both.

    `respelt` are names of `before` that stand in `after` for what its text calls
    by another name, `numbers` what headers give to names of both.
    """
    found = []
    # What one configuration asked and went through is not asked and gone through again.
    solver = SlicingSolver()
    families = Families.of_handlers(before, after)
    stretches = Stretches(families.all)
    numbers = numbers or {}
    insides = Insides(before, after, solver, numbers)
    for src, tgt in sides(before, after, function, families):
        src, tgt = (replace(side, numbers=numbers) for side in (src, tgt))
        tgt = replace(tgt, selection=replace(tgt.selection, respelt=respelt))
        one = compare(src, tgt, accepted=accepted, solver=solver, stretches=stretches)
        seen = tuple(d.seen_in(src, tgt) for d in one.differences)
        found.append(replace(one, differences=seen))
        found += (_spelt(c, respelt) for c in insides.compared(src, tgt, one))
    return combined(found)


class _Parted(Exception):
    """Two ways differ."""


def parted(
    before: Unit, after: Unit, function: str, numbers: Mapping[str, int] | None = None
) -> bool:
    """Whether the handler's two texts part anywhere, the insides of routines left out.

    It says less than `compare_units()`, and sooner: what parts may still be no
    difference, where no world leads there. A bound that is reached counts as parting.
    """
    solver, families = SlicingSolver(), Families.of_handlers(before, after)
    stretches = Stretches(families.all)

    def stop(_parting: Parting) -> None:
        raise _Parted

    for pair in sides(before, after, function, families):
        src, tgt = (replace(side, numbers=numbers or {}) for side in pair)
        if any(s.entry not in s.program.functions for s in (src, tgt)):
            return True
        found = Findings(*in_one_world(src, tgt), solver, stretches)
        for user in (True, False):
            walk = found.walk(user)
            walk.judge = stop
            try:
                walk.run()
            except (_Parted, ResourceBound):
                return True
            if walk.lost or not walk.settled or not walk.pairs:
                return True
    return False


def _spelt(found: Comparison, respelt: tuple[tuple[str, str], ...]) -> Comparison:
    """The comparison of a routine, whose scenarios speak src's language as all do."""
    told = tuple(
        d.selected(d.selections[0], replace(d.selections[1], respelt=respelt))
        for d in found.differences
    )
    return replace(found, differences=told)


def with_settings(found: Comparison, before: Unit, after: Unit) -> Comparison:
    """The comparison, its differences saying which macros they want set that one side tests.

    Such a macro is one cause, whatever comes of it: of one class, mode and outcome
    the smallest is told.
    """
    mine, theirs = set(before.tested), set(after.tested)
    one_sided = {n: "src" if n in mine else "tgt" for n in mine ^ theirs}
    told = tuple(_once_each(_with_settings(d, one_sided)) for d in found.differences)
    return replace(found, differences=told)


def _with_settings(d: Difference, one_sided: Mapping[str, str]) -> Difference:
    """The difference, saying of which macros it wants set only one side knows anything."""
    wanted = tuple((n, one_sided[n]) for n, on in d.selections[0].settings if on and n in one_sided)
    told = "".join(f", with {name}, which only {side} tests" for name, side in wanted)
    explanation = f"{d.explanation.removesuffix('.')}{told}." if told else d.explanation
    also = tuple(_with_settings(one, one_sided) for one in d.also)
    return replace(d, explanation=explanation, also=also, hangs_on=wanted)


def _once_each(d: Difference) -> Difference:
    """The difference without those beside it that hang on what another hangs on."""
    known, also = {d.hangs_on}, []
    for one in d.also:
        if not one.hangs_on or one.hangs_on not in known:
            also.append(one)
        known.add(one.hangs_on)
    return replace(d, also=tuple(also))


def sides(
    before: Unit, after: Unit, function: str, families: Families | None = None
) -> Iterator[tuple[Side, Side]]:
    """The pairs to compare; `after` has the handler under the same name, or one of its own."""
    known = _Sides(families or Families.of_handlers(before, after))
    for one in before.variants:
        found = next(
            (f for f in one.found if f.function == function and f.role is HandlerRole.HANDLER), None
        )
        if found is None:
            continue
        for two in after.variants:
            if not any(agree(a, b) for a in one.configurations for b in two.configurations):
                continue
            name = _handler_in(two, function)
            if name is None:
                continue
            locks = _has_vma_lock(one) and _has_vma_lock(two)
            settings = settings_of((one, _with_handler(before)), (two, _with_handler(after)))
            for entry in found.entries:
                target = entry if entry in two.program.functions else name
                src = known.side(one, entry, function, before.source.path, locks)
                tgt = known.side(two, target, name, after.source.path, locks)
                yield (
                    replace(src, selection=_selection(src, src, one, settings)),
                    replace(tgt, selection=_selection(tgt, src, two, settings)),
                )


def _selection(
    side: Side, src: Side, variant: Variant, settings: tuple[tuple[str, bool], ...]
) -> Selection:
    entries = next((f.entries for f in variant.found if side.entry in f.entries), ())
    position = entries.index(side.entry) if len(entries) > 1 else None
    # Beside the other source's entry there may stand a function that is none in this one.
    function = None if entries else side.entry
    theirs = src.program.functions[src.entry].params
    mine = side.program.functions[side.entry].params
    renamed = tuple(
        (a.name, b.name) for a, b in zip(theirs, mine, strict=False) if a.name != b.name
    )
    return Selection(settings, position, renamed, function)


def _with_handler(unit: Unit) -> tuple[Variant, ...]:
    """The variants that `simulate` may choose from."""
    return tuple(v for v in unit.variants if any(f.role is HandlerRole.HANDLER for f in v.found))


def _handler_in(variant: Variant, function: str) -> str | None:
    if function in variant.program.functions:
        return function
    theirs = next((f for f in variant.found if f.role is HandlerRole.HANDLER), None)
    return None if theirs is None else theirs.function


def _has_vma_lock(variant: Variant) -> bool:
    """Whether lock_vma_under_rcu() may find one; it never does where it is configured away."""
    return any(c.settings.get(_PER_VMA_LOCK, "1") is not None for c in variant.configurations)


class _Sides:
    """Sides of several pairs; what is known of a program is found out once."""

    def __init__(self, families: Families) -> None:
        self._families = families
        self._solver = PathSolver()
        self._modes: dict[object, list[_Mode]] = {}
        self._kin: dict[int, list[Runs]] = {}
        self._scenarios = Scenarios()
        self._known: dict[tuple[int, str, str], Side] = {}

    def side(self, variant: Variant, entry: str, handler: str, label: str, locks: bool) -> Side:
        """One side of a pair; a program that stood in another pair has the same `runs`."""
        key = (id(variant), entry, handler)
        side = self._known.get(key)
        if side is None:
            program = self._families.program(variant)
            mode = self._mode(program, entry, handler)
            side = self._known[key] = Side(
                program,
                entry,
                mode,
                label,
                configurations=variant.configurations,
                handler=handler,
                runs=self._runs_of(program),
            )
        return replace(side, label=label, per_vma_lock=locks)

    def _runs_of(self, program: Program) -> Runs:
        """Where the runs of a program are kept, beside those of its family."""
        family = self._families.of(program)
        kin = self._kin.setdefault(id(family), [])
        kin.append(Runs(program, family, kin, self._scenarios))
        return kin[-1]

    def _mode(self, program: Program, entry: str, handler: str) -> Term | None:
        """The condition for user mode: that of a program which has the same blocks on the way."""
        family = self._families.of(program)
        distinct = tuple((n, f.distinct) for n, f in program.functions.items() if f.distinct)
        roles = program.roles(entry) | program.roles(handler)
        known = self._modes.setdefault((id(family), entry, handler, distinct, roles), [])
        for mode in known:
            if family.alike(mode.program, program, mode.blocks) and all(
                mode.program.blocks_before_fault(n) == program.blocks_before_fault(n)
                for n in {name for name, _ in mode.blocks}
            ):
                return mode.condition
        blocks: set[tuple[str, str]] = set()
        condition = find_mode(program, entry, handler, self._solver, blocks)
        known.append(_Mode(program, frozenset(blocks), condition))
        return condition


@dataclass(frozen=True)
class _Mode:
    """What find_mode() gave for a program, and the blocks that it went through."""

    program: Program
    blocks: Blocks
    condition: Term | None
