# SPDX-License-Identifier: GPL-2.0-only
"""Walking two programs side by side, every feasible pair of ways, from gate to gate.

    entry --src--> handle_mm_fault()   for each: entry --tgt--> handle_mm_fault()?
    handle_mm_fault() --src--> return  for each: handle_mm_fault() --tgt--> return?
    handle_mm_fault() --src--> lock    for each: handle_mm_fault() --tgt--> lock?

Each side's ways from a gate are found once; those of both that some world leads
along are a pair. Pairs of states that stand at the same
gate and look alike are told once; each remembers the ways that led to it. Once
no new pair of states appears, any further pass repeats one already followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import assert_never

from codegen.ir.solver import ResourceBound
from codegen.ir.state import State
from codegen.ir.terms import (
    TRUE,
    Term,
    arithmetic,
    conjoin,
    equal,
    extend,
    integer,
    negate,
    symbol,
    truth,
)
from codegen.ir.trace import End, EventKind
from codegen.targets.compare.beside import Pair, Pairings, Told
from codegen.targets.compare.bundles import Bundle, alone, bundled
from codegen.targets.compare.joints import Channel, Joint, Parting, SamePage, Unmatched, Way
from codegen.targets.compare.live import Likeness, is_call_since
from codegen.targets.compare.observe import differing, observe, values_differ
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.world import MAX_PASS, Halt, World

ORDINAL = re.compile(r"#(\d+)")
_VMA = re.compile(r"vma#(\d+)")
_FAR = 2
MAX_PAIRS = 200_000
"""How many path pairs are decided before giving up."""
MAX_CANDIDATES = 5_000_000
"""How many ways of both sides are held against each other before giving up."""


class Walk:
    """The walk over one pair of programs in one mode.

    `judge` is given every parting. After `run()`: `pairs`, `passes`,
    `settled`, whether the loop came to rest within the passes followed, and
    `unmatched`, where src goes and tgt does not (`lost` are those to be told of).
    """

    def __init__(
        self,
        src: World,
        tgt: World,
        solver: SlicingSolver,
        facts: tuple[Term, ...],
        judge: Callable[[Parting], None],
        pairings: Pairings | None = None,
    ) -> None:
        self.src, self.tgt, self.solver = src, tgt, solver
        self.judge = judge
        self.pairings = pairings or Pairings()
        self.axioms = facts
        self.likeness = Likeness()
        self.pairs = 0
        self.candidates = 0
        self.parted = 0
        self.passes = 0
        self.settled = True
        self.unmatched: list[Unmatched] = []
        self.same_page = False

    def start(self) -> Joint:
        """Both sides at their entry."""
        a, b = self.src.start(), self.tgt.start()
        facts = tuple(dict.fromkeys((*self.axioms, *a.facts, *b.facts)))
        return Joint(a, b, facts, [Way(None, facts, (), ())], entered=False)

    def run(self, first: Joint | None = None, last: int = MAX_PASS) -> None:
        """Walks every pair, up to fault number `last`. Raises ResourceBound at too many pairs."""
        stage = [first or self.start()]
        seen: dict[object, list[frozenset[Term]]] = {}
        while stage:
            arrived: dict[object, Joint] = {}
            for bundle in self._bundled(stage):
                for one, pair in self._pairs(bundle):
                    self._compare(one, pair)
                    src, tgt = pair.src, pair.tgt
                    if src.end is tgt.end and src.end in (End.STOP, End.RETRY):
                        for joint, mine, theirs in one.each(src, tgt, self.solver):
                            self._arrive(arrived, joint, mine, theirs)
            stage = [j for key, j in arrived.items() if self._is_new(seen, key, j)]
            beyond = [j for j in stage if j.src.faults >= last and not j.at_fault]
            if beyond:
                self.settled = False
                stage = [j for j in stage if j not in beyond]

    def _bundled(self, stage: Sequence[Joint]) -> Iterator[Bundle]:
        """The pairs of states of a stage, as many together as may be followed as one."""
        return bundled(stage, self.likeness)

    def _pairs(self, bundle: Bundle) -> Iterator[tuple[Bundle, Pair]]:
        """The pairs of ways from a bundle, or from each of its members where it can not be one."""
        joint = bundle.joint
        faults, passes = self.limits(joint)
        self.tgt.presumed.clear()
        second = self._stretch(self.tgt, joint.tgt, joint.facts, faults, passes)
        presumed = dict(self.tgt.presumed)
        first = self._stretch(self.src, joint.src, joint.facts, faults, passes)
        if not (bundle.is_single or (bundle.is_sound(first) and bundle.is_sound(second))):
            for member in bundle.members:
                yield from self._pairs(alone(member.joint))
            return
        rows = self.pairings.rows(first, second, len(joint.facts), self.solver)
        for row in rows:
            before = self.parted
            self.candidates += row.candidates
            if self.candidates > MAX_CANDIDATES:
                raise ResourceBound(f"more than {MAX_CANDIDATES} candidates for a path pair")
            for pair in row.pairs:
                self.pairs += 1
                if self.pairs > MAX_PAIRS:
                    raise ResourceBound(f"more than {MAX_PAIRS} path pairs")
                yield bundle, pair
            met = [pair.own for pair in row.pairs]
            parted = bool(met) and self.parted - before >= len(met)
            self._cover(bundle, row.told, met, presumed, parted=parted)

    def _cover(
        self,
        bundle: Bundle,
        mine: Told,
        met: list[tuple[Term, ...]],
        presumed: Mapping[Term, Term],
        *,
        parted: bool,
    ) -> None:
        """Notes a way of src in whose world tgt does not always go one of those `met` beside it.

        That is so only where C leaves undefined what tgt does: it reads through
        a pointer that is NULL.
        """
        if met and (not all(met) or presumed.keys() <= mine.told):
            return
        src = mine.halt
        outside = tuple(negate(reduce(conjoin, own, TRUE)) for own in met)
        outside += tuple(self.tgt.granted)
        if met and not self.solver.also_possible(outside, src.facts):
            return
        # Without these tgt would always go somewhere.
        undefined = tuple(
            negate(learnt)
            for fact, learnt in presumed.items()
            if not self.solver.also_possible((*outside, fact), src.facts)
        )
        if not parted:
            self.unmatched += bundle.unmatched(src, outside, undefined, self.solver)
        elif undefined:
            found = bundle.unmatched(src, outside, undefined, self.solver)
            self.unmatched += (replace(one, parted=True) for one in found)

    @property
    def lost(self) -> list[Unmatched]:
        """Those of `unmatched` that are to be told of.

        Where the rest is told to be different, it is not what src reads through as well.
        """
        supposed = set(self.src.presumed.values())
        return [
            way
            for way in self.unmatched
            if not way.parted or any(negate(u) not in supposed for u in way.undefined)
        ]

    def limits(self, joint: Joint) -> tuple[int, int]:
        """(how many faults, how many passes) are followed from a pair of states to the next."""
        before = joint.src.faults
        faults = before + int(joint.at_fault)
        self.passes = max(self.passes, faults)
        return faults, before + 1 if joint.entered and not joint.at_fault else faults

    def _stretch(
        self, world: World, state: State, facts: tuple[Term, ...], faults: int, passes: int
    ) -> Sequence[Halt]:
        world.until(faults, passes)
        return world.ways(state, facts)

    # -- gates -----------------------------------------------------------------------

    def _arrive(self, arrived: dict[object, Joint], joint: Joint, src: Halt, tgt: Halt) -> None:
        """Both stand at the same gate: the pair of states goes to its like."""
        assert src.state is not None and tgt.state is not None
        one, two = src.state, tgt.state
        carried: tuple[Term, ...] = ()
        at_fault = src.end is End.STOP
        base = joint.base if joint.entered else one.epoch
        if not at_fault and one.faults >= 2:
            one, two, carried = self.likeness.forget(one, two, base)
        mine, my_names = self.likeness.of(one, base)
        theirs, their_names = self.likeness.of(two, base)
        apart = (
            # A side that is further ahead with each pass is no nearer to being alike.
            max(-_FAR, min(_FAR, one.epoch - two.epoch)),
            one.acquired - two.acquired,
            one.lock_depth - two.lock_depth,
            (one.vma_locked, two.vma_locked),
            frozenset(one.versions.items() ^ two.versions.items()),
        )
        versions = frozenset(one.versions.items()) if at_fault else None
        key = (src.end, mine, theirs, apart, versions, base)
        facts = self._lasting(tgt.facts, my_names | their_names, one, at_fault, base)
        way = Way(joint, (*tgt.facts[len(joint.facts) :], *carried), src.trace, tgt.trace)
        twin = arrived.get(key)
        if twin is None:
            arrived[key] = Joint(one, two, facts, [way], at_fault, base=base)
            return
        known = set(facts)
        twin.facts = tuple(f for f in twin.facts if f in known)
        twin.ways.append(way)

    def _lasting(
        self,
        facts: tuple[Term, ...],
        held: frozenset[str],
        state: State,
        at_fault: bool,
        base: int,
    ) -> tuple[Term, ...]:
        """The facts that can still matter: not those about a VMA, a lock or a fault gone by."""
        vmas = {int(m.group(1)) for name in held if (m := _VMA.match(name))}

        def matters(name: str) -> bool:
            ordinal = ORDINAL.search(name)
            if name in held:
                return True
            if ordinal is None:
                return at_fault or not is_call_since(name, base)
            number = int(ordinal.group(1))
            if name.startswith(("signal_pending#", "fatal_signal_pending#")):
                return number == state.faults
            if name.startswith("handle_mm_fault#"):
                return False
            return number in vmas or (at_fault and number == state.acquired)

        return tuple(f for f in facts if all(map(matters, f.symbols())))

    def _is_new(self, seen: dict[object, list[frozenset[Term]]], key: object, joint: Joint) -> bool:
        """Whether the pair has to be walked: not if it was, where no more was known than now."""
        facts = self.likeness.facts(joint.facts, joint.src, joint.base)
        walked = seen.setdefault(key, [])
        if any(before <= facts for before in walked):
            return False
        walked.append(facts)
        return True

    # -- comparing -------------------------------------------------------------------

    def _compare(self, bundle: Bundle, pair: Pair) -> None:
        """Gives the judge what a pair of ways differs in, as each member differs in it."""
        if pair.same:
            return
        src, tgt = pair.src, pair.tgt
        found = list(self._partings(bundle.joint, src, tgt))
        pair.same = not found
        self.parted += any(
            isinstance(p, Parting) and p.channel is Channel.STEPS and p.condition is TRUE
            for p in found
        )
        if not bundle.is_single and found:
            found = [
                parting
                for joint, mine, theirs in bundle.each(src, tgt, self.solver)
                for parting in self._partings(joint, mine, theirs)
            ]
        for parting in found:
            match parting:
                case SamePage():
                    self.same_page = True
                case Parting():
                    self.judge(parting)
                case _:
                    assert_never(parting)

    def _partings(self, joint: Joint, src: Halt, tgt: Halt) -> Iterator[Parting | SamePage]:
        facts = tgt.facts

        def holds(condition: Term) -> bool | None:
            return self.solver.decide(condition, facts)

        mine, theirs = observe(src.trace, holds), observe(tgt.trace, holds)

        def part(channel: Channel, condition: Term, position: int = 0) -> Parting:
            return Parting(channel, joint, src, tgt, mine, theirs, condition, facts, position)

        steps = differing(mine.steps, theirs.steps, holds)
        if steps is None and src.end is not tgt.end:
            steps = (len(mine.steps), TRUE)
        if steps is None and src.end is End.RETURN:
            unlike = _returns_differ(src, tgt, holds)
            steps = None if unlike is None else (len(mine.steps), unlike)
        if steps is not None:
            yield part(Channel.STEPS, steps[1], steps[0])
        if src.end is not tgt.end:
            return
        counted = differing(mine.accounting, theirs.accounting, holds)
        if counted is not None:
            yield part(Channel.ACCOUNTING, counted[1], counted[0])
        elif (
            src.end not in (End.STOP, End.NEVER)
            and _used_own(joint.tgt, tgt)
            and not _used_own(joint.src, src)
        ):
            # A VMA's own lock has to be counted, though src has none to count; not by
            # a kernel that has stopped.
            yield part(Channel.ACCOUNTING, TRUE)
        if src.end is not End.NEVER and src.held != tgt.held:
            yield part(Channel.HELD, TRUE)
        if src.end is End.STOP:
            yield from self._gates(src, tgt, holds, part)

    def _gates(
        self,
        src: Halt,
        tgt: Halt,
        holds: Callable[[Term], bool | None],
        part: Callable[[Channel, Term, int], Parting],
    ) -> Iterator[Parting | SamePage]:
        """What handle_mm_fault() is given: the address, or another in its page, and the flags."""
        (address, flags), (their_address, their_flags) = src.gate, tgt.gate
        unlike = values_differ(address, their_address, holds)
        if unlike is not None:
            mask = symbol("PAGE_MASK", 64)
            pages = [
                arithmetic("and", extend(a, 64, False), mask) for a in (address, their_address)
            ]
            same = holds(equal(*pages)) is True
            yield SamePage() if same else part(Channel.ADDRESS, unlike, 0)
        unlike = values_differ(flags, their_flags, holds)
        if unlike is None and src.owns is not tgt.owns:
            # The mm has to be told which lock is held.
            unlike = TRUE
        if unlike is not None:
            for position, condition in enumerate(self._by_what_was_read(src, unlike)):
                yield part(Channel.FLAGS, condition, position)

    def _by_what_was_read(self, src: Halt, unlike: Term) -> tuple[Term, ...]:
        """A difference in the flags of the second pass, with a page read on the first and without.

        After a VMA's own lock the right answer is not the same for both.
        """
        assert src.state is not None
        major = self.tgt.constants.get("VM_FAULT_MAJOR", 0)
        if src.state.faults != 1 or "FAULT_FLAG_VMA_LOCK" not in self.tgt.constants or not major:
            return (unlike,)
        answer = arithmetic("and", symbol("handle_mm_fault#1", 32), integer(major, 32))
        read = truth(answer)
        return tuple(
            c
            for way in (read, negate(read))
            if not (c := conjoin(unlike, way)).is_constant or c.value
        )


def _used_own(before: State, halt: Halt) -> bool:
    """Whether a side had a VMA's own lock somewhere on its way."""
    return before.vma_locked or any(e.kind is EventKind.VMA_LOCK for e in halt.trace)


def _returns_differ(src: Halt, tgt: Halt, holds: Callable[[Term], bool | None]) -> Term | None:
    """When the values returned differ; a function without one has nothing to compare."""
    if src.value is None or tgt.value is None:
        return None
    return values_differ(src.value, tgt.value, holds)
