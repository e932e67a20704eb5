# SPDX-License-Identifier: GPL-2.0-only
"""Every behaviour of two programs, side by side, in every world.

    compare(before, after, accepted=DEFAULT_ACCEPTED) -> Comparison(EXPLAINED, ...)

Every pair of ways is decided over bit-vectors; every difference that is told
was replayed in both programs. Of those that one sentence tells, with one class,
mode and outcome, the one with the smallest scenario stands for all.
"""

from __future__ import annotations

from codegen.ir.machine import MAX_STEPS
from codegen.ir.solver import ResourceBound
from codegen.targets.compare.findings import Findings
from codegen.targets.compare.mode import in_one_world
from codegen.targets.compare.nodes import (
    Comparison,
    Difference,
    DifferenceClass,
    Side,
    Verdict,
    grouped,
)
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.stretches import Stretches
from codegen.targets.compare.world import MAX_PASS


def compare(
    src: Side,
    tgt: Side,
    *,
    accepted: frozenset[DifferenceClass],
    solver: SlicingSolver | None = None,
    stretches: Stretches | None = None,
    modes: tuple[bool, ...] = (True, False),
    inside: str | None = None,
    max_steps: int = MAX_STEPS,
) -> Comparison:
    """Both sides over all feasible path pairs, in user and in kernel mode.

    `solver` and `stretches` may have served other configurations of the same handler.
    `inside` says that the two are no handlers but a routine of theirs: whatever
    it does otherwise is `other`. `modes` are those to look at, True for user
    mode; no path is followed for more than `max_steps` from gate to gate.

    `other` is never accepted. Nothing is raised: a side without its entry is
    UNSUPPORTED, a bound that was reached UNKNOWN, both with a note.
    """
    for side in (src, tgt):
        if side.entry not in side.program.functions:
            note = f"{side.label}: {side.entry}() could not be read"
            return Comparison(Verdict.UNSUPPORTED, (), 0, 0, (note,))
    found = Findings(
        *in_one_world(src, tgt),
        solver or SlicingSolver(),
        stretches or Stretches(),
        inside,
        max_steps,
    )
    pairs = passes = 0
    notes: dict[str, None] = {}
    met: set[tuple[bool, str]] = set()
    is_open = False
    for user in modes:
        walk = found.walk(user)
        # What was found before a bound was reached is told all the same.
        for step in (walk.run, lambda walk=walk, user=user: found.settle(walk, user)):
            try:
                step()
            except ResourceBound as bound:
                mode = "user" if user else "kernel"
                notes[f"{mode} mode: {bound}; {walk.pairs} path pairs were decided"] = None
                is_open = True
        pairs, passes = pairs + walk.pairs, max(passes, walk.passes)
        met |= {(user, name) for name in walk.src.visited & walk.tgt.visited}
        if not walk.pairs and not is_open:
            notes[
                f"no world was found in which both are in {'user' if user else 'kernel'} mode"
            ] = None
            is_open = True
        if not walk.settled:
            notes[
                f"the loop changes still after {MAX_PASS} passes; later ones were not followed"
            ] = None
            is_open = True
        lost = found.really_unmatched(walk)
        if lost:
            notes[lost] = None
            is_open = True
        if walk.same_page:
            notes["handle_mm_fault() is given another address in the same page"] = None
    differences = grouped(found.differences)
    notes |= dict.fromkeys(found.notes)
    is_open = is_open or bool(found.notes)
    verdict = _verdict(differences, accepted, is_open)
    return Comparison(verdict, differences, pairs, passes, tuple(notes), frozenset(met))


def _verdict(
    differences: tuple[Difference, ...], accepted: frozenset[DifferenceClass], is_open: bool
) -> Verdict:
    allowed = accepted - {DifferenceClass.OTHER}
    if any(d.cls not in allowed for d in differences):
        return Verdict.DIFFERS
    if is_open:
        return Verdict.UNKNOWN
    return Verdict.EXPLAINED if differences else Verdict.EQUAL
