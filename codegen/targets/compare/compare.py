# SPDX-License-Identifier: GPL-2.0-only
"""Every behaviour of two programs, side by side, in every world.

    compare(before, after, accepted=DEFAULT_ACCEPTED) -> Comparison(EXPLAINED, ...)

Every pair of ways is decided over bit-vectors; every difference that is told
was replayed in both programs. Of those that one sentence tells, with one class,
mode and outcome, the one with the smallest scenario stands for all.
"""

from __future__ import annotations

from collections.abc import Callable

from codegen.ir.machine import MAX_STEPS
from codegen.ir.solver import ResourceBound
from codegen.targets.compare.findings import Findings
from codegen.targets.compare.known import InMode
from codegen.targets.compare.mode import in_one_world
from codegen.targets.compare.nodes import (
    Comparison,
    Difference,
    DifferenceClass,
    Side,
    Verdict,
    grouped,
)
from codegen.targets.compare.pair import Walk
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
    modes_found = [_in_mode(found, user) for user in modes]
    differences = grouped([d for one in modes_found for d in one.differences])
    notes = dict.fromkeys(note for one in modes_found for note in one.notes)
    verdict = _verdict(differences, accepted, any(one.is_open for one in modes_found))
    return Comparison(
        verdict,
        differences,
        sum(one.pairs for one in modes_found),
        max((one.passes for one in modes_found), default=0),
        tuple(notes),
        frozenset(
            (user, name) for user, one in zip(modes, modes_found, strict=True) for name in one.met
        ),
    )


def _in_mode(found: Findings, user: bool) -> InMode:
    """What comes of one mode; known already where other programs go through the same blocks."""
    walk = found.walk(user)
    key = found.key(walk, user)
    before = found.stretches.known
    known = before.find(key, found.src, found.tgt, found.telling.called)
    if known is None:
        known = _walked(found, walk, user)
        before.keep(key, found.src, found.tgt, found.telling.called, known)
    return known


def _walked(found: Findings, walk: Walk, user: bool) -> InMode:
    mode = "user" if user else "kernel"
    notes: list[str] = []
    # What was found before a bound was reached is told all the same.
    steps: tuple[Callable[[], None], ...] = (walk.run, lambda: found.settle(walk, user))
    for step in steps:
        try:
            step()
        except ResourceBound as bound:
            notes.append(f"{mode} mode: {bound}; {walk.pairs} path pairs were decided")
    if not walk.pairs and not notes:
        notes.append(f"no world was found in which both are in {mode} mode")
    if not walk.settled:
        notes.append(
            f"the loop changes still after {MAX_PASS} passes; later ones were not followed"
        )
    lost = found.really_unmatched(walk)
    if lost:
        notes.append(lost)
    is_open = bool(notes or found.notes)
    if walk.same_page:
        notes.append("handle_mm_fault() is given another address in the same page")
    return InMode(
        tuple(found.differences),
        walk.pairs,
        walk.passes,
        frozenset(walk.src.visited & walk.tgt.visited),
        (*notes, *found.notes),
        is_open,
    )


def _verdict(
    differences: tuple[Difference, ...], accepted: frozenset[DifferenceClass], is_open: bool
) -> Verdict:
    allowed = accepted - {DifferenceClass.OTHER}
    if any(d.cls not in allowed for d in differences):
        return Verdict.DIFFERS
    if is_open:
        return Verdict.UNKNOWN
    return Verdict.EXPLAINED if differences else Verdict.EQUAL
