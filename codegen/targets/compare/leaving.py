# SPDX-License-Identifier: GPL-2.0-only
"""Where one side leaves while the other goes on to the mm, and what is one such place.

src  access_error() -> page_fault_oops()           tgt  handle_mm_fault()
src  access_error() -> force_sig_fault(SIGSEGV)    tgt  handle_mm_fault()      one place

What a side does once it has left is decided by other questions than the one at
which the two part. The branch of the handler itself is that question; of the
ways behind it one is told, and one for each signal that they come to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from codegen.ir.trace import End, Event, EventKind
from codegen.targets.compare.apart import only_in
from codegen.targets.compare.cases import Case
from codegen.targets.compare.joints import Channel
from codegen.targets.compare.nodes import DifferenceClass, Side, plainness
from codegen.targets.compare.told import Leaving, Told
from codegen.targets.compare.watch import watch

_GATES = (End.STOP, End.RETRY)


def leaving(
    case: Case,
    src: Side,
    tgt: Side,
    scenario: dict[str, int],
    called: tuple[frozenset[str], frozenset[str]],
) -> Leaving | None:
    """Where a side leaves; None where both do, or none, or where that cannot be told.

    What only one of them calls at all, of what they have `called`, makes it another place.
    """
    gone = [tail.halt.end not in _GATES for tail in (case.src, case.tgt)]
    if case.channel is not Channel.STEPS or gone[0] is gone[1]:
        return None
    tail, side, word = (case.src, src, "src") if gone[0] else (case.tgt, tgt, "tgt")
    seen = watch(side, scenario)
    own = side.handler or side.entry
    turns = [] if seen is None else [t for t in seen.turns if t.function == own]
    if not turns:
        return None
    signals = (s for s in tail.steps if isinstance(s, Event) and s.kind is EventKind.SIGNAL)
    sent = tuple((s.part("signo"), s.part("code")) for s in signals)
    own_calls = only_in(case.src.steps, called[1]), only_in(case.tgt.steps, called[0])
    return (word, turns[-1].span, turns[-1].label, own_calls), sent


def once_a_place(told: Iterable[Told]) -> Iterator[Told]:
    """The differences, of those that leave at one place one for each signal that is sent.

    Where none is sent, or there are others that send one, the smallest of those
    without stands for all of them, or none.
    """
    places: dict[object, list[tuple[Told, tuple[object, ...]]]] = {}
    for one in told:
        if one.left is None or one.difference.cls is not DifferenceClass.OTHER:
            yield one
            continue
        where, sent = one.left
        places.setdefault((one.difference.kind, where), []).append((one, sent))
    for alike in places.values():
        sending = [one for one, sent in alike if sent]
        yield from sending or [min((o for o, _ in alike), key=lambda o: plainness(o.difference))]
