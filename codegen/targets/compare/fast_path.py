# SPDX-License-Identifier: GPL-2.0-only
"""The per-VMA lock's path against the one that takes the mm's lock.

    fast:  fault & MAJOR, return                      in the same world
    slow:  fault & MAJOR, cmo_account_page_fault()    they differ

The same program runs twice, once without ever getting a VMA's own lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from codegen.ir.environment import truth_symbol
from codegen.ir.terms import Term
from codegen.targets.compare.answers import answers_differ, calls
from codegen.targets.compare.joints import Channel, Parting
from codegen.targets.compare.nodes import Difference, DifferenceClass
from codegen.targets.compare.pair import Walk
from codegen.targets.compare.scenario import Replay, replay
from codegen.targets.compare.scene import Scene

MAX_TRIED = 6
"""How many partings of one kind are tried for a scenario."""


def fast_and_slow(scene: Scene) -> Iterator[Difference]:
    """The differences between both paths in one mode, one per outcome."""
    partings: list[Parting] = []
    fast, slow = scene.world(contended=False), scene.world(contended=False, fast=False)
    locked = truth_symbol("vma_read_locked#1")
    walk = Walk(fast, slow, scene.solver, (locked,), partings.append)
    walk.run(last=1)
    kinds: dict[tuple[str | None, object], list[tuple[Parting, Term]]] = {}
    for parting in partings:
        if parting.channel in (Channel.STEPS, Channel.HELD) and _same_vma(parting):
            for outcome, when in scene.met(parting):
                how = (parting.channel, parting.src.end, parting.tgt.end)
                kinds.setdefault((outcome, how), []).append((parting, when))
    for (outcome, _), kept in kinds.items():
        for parting, when in sorted(kept, key=lambda p: len(p[0].facts))[:MAX_TRIED]:
            told = _told(scene, walk, parting, outcome, when)
            if told is not None:
                yield told
                break


def _same_vma(parting: Parting) -> bool:
    """Whether both paths found the VMA once, so that it is the same one."""
    src, tgt = parting.src.state, parting.tgt.state
    return src is not None and tgt is not None and src.acquired == tgt.acquired


def _told(
    scene: Scene, walk: Walk, parting: Parting, outcome: str | None, when: Term
) -> Difference | None:
    for facts in scene.worlds(parting, when):
        for scenario in scene.scenarios(islice(walk.src.endings(parting.src, facts), 2)):
            fast = replay(scene.side, (), scenario)
            slow = replay(scene.side, (), scenario, fast=False)
            if fast is None or slow is None:
                continue
            found = _told_apart(fast, slow)
            if found is None:
                continue
            words, line = found
            return Difference(
                DifferenceClass.FAST_PATH,
                scene.mode_word,
                outcome,
                line or scene.line(parting),
                scenario,
                fast.trace,
                slow.trace,
                scene.explained(outcome, words),
            )
    return None


def _told_apart(fast: Replay, slow: Replay) -> tuple[str, int | None] | None:
    """(in what the two differ, the line of what only one of them does); None where alike."""
    if fast.halt.held != slow.halt.held:
        return "the fast path and the slow path leave the locks in another state", None
    if answers_differ(fast, slow):
        return "the fast path and the slow path answer differently", None
    for run, other, path, without in ((slow, fast, "slow", "fast"), (fast, slow, "fast", "slow")):
        known = {c.name for c in calls(other)}
        extra = next((c for c in calls(run) if c.name not in known), None)
        if extra is not None:
            words = f"the {path} path calls {extra.name}(), the {without} path does not"
            return words, extra.line
    return None
