# SPDX-License-Identifier: GPL-2.0-only
"""What the contract asks for in a scenario: the handler's own trace, put right.

lock, handle_mm_fault, return               (kernel mode, RETRY, a fatal signal pending)
lock, handle_mm_fault, fixup_exception      asked for
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from codegen.ir.environment import Outcome
from codegen.ir.terms import Term, arithmetic, integer, object_address, symbol
from codegen.ir.trace import Event, EventKind
from codegen.targets.compare.departures import PAGE_FAULTS, Finding, page_faults
from codegen.targets.compare.nodes import DifferenceClass
from codegen.targets.compare.scenario import Replay

_LOCKING = (EventKind.LOCK, EventKind.LOCK_WAIT, EventKind.VMA_LOCK)
_RELEASING = (EventKind.UNLOCK, EventKind.VMA_UNLOCK)
_ENDS = (EventKind.SIGNAL, EventKind.OOM, EventKind.KERNEL, EventKind.BUG)
_SIGNALS = {
    str(Outcome.SIGSEGV): ("SIGSEGV", "SEGV_MAPERR"),
    str(Outcome.SIGBUS): ("SIGBUS", "BUS_ADRERR"),
    str(Outcome.HWPOISON): ("SIGBUS", "BUS_MCEERR_AR"),
    str(Outcome.HWPOISON_LARGE): ("SIGBUS", "BUS_MCEERR_AR"),
}


@dataclass(frozen=True)
class Wanted:
    """One finding in one scenario.

    `unmapped` is what the handler does in the same world where there is no VMA:
    in kernel mode that is its own way to the fixup, or to the oops.
    """

    finding: Finding
    run: Replay
    user: bool
    unmapped: Replay | None
    constants: Mapping[str, int]

    def trace(self) -> tuple[Event, ...]:
        """The events that the contract asks for."""
        trace = self.run.trace
        match self.finding.cls:
            case DifferenceClass.UACCESS_LIVELOCK:
                return (*trace[: _last(trace, EventKind.FAULT) + 1], *self._fixup(trace))
            case DifferenceClass.MISSING_CASE:
                return self._answered(trace)
            case DifferenceClass.KERNEL_MODE_SIGNAL:
                return self._unsignalled(trace)
            case DifferenceClass.OTHER:
                return trace[: _first(trace, EventKind.SIGNAL) + 1]
            case DifferenceClass.LOCK_BALANCE:
                return self._balanced(trace)
            case DifferenceClass.LOCK_WAIT:
                at = _first(trace, *_LOCKING)
                wait = replace(trace[at], kind=EventKind.LOCK_WAIT, args=())
                return (*trace[:at], wait, *self._fixup(trace))
            case DifferenceClass.FLAG_LOSS:
                return tuple(map(self._with_flags, trace))
            case DifferenceClass.ACCOUNTING:
                return self._counted(trace)
            case _:
                raise AssertionError(f"{self.finding.cls} is told with a trace of its own")

    def _fixup(self, trace: tuple[Event, ...]) -> tuple[Event, ...]:
        """The way to the exception table, as the handler itself goes it."""
        if self.unmapped is not None:
            own = self.unmapped.trace
            kinds = (*_LOCKING, *_RELEASING, EventKind.FAULT, EventKind.ACCOUNTING)
            begun = [i for i, e in enumerate(own) if e.kind in kinds]
            tail = own[begun[-1] + 1 :] if begun else own
            if tail and not any(e.kind is EventKind.SIGNAL for e in tail):
                return tail
        regs = (object_address("regs"),)
        return (_event(trace[-1], EventKind.KERNEL, "fixup_exception", regs),)

    def _unsignalled(self, trace: tuple[Event, ...]) -> tuple[Event, ...]:
        """Only the way to the fixup, which stands before the signal or behind it."""
        told = (EventKind.SIGNAL, EventKind.OOM)
        kept = tuple(e for e in trace if e.kind not in told)
        behind = trace[_last(trace, *told) + 1 :]
        if behind or any(e.kind is EventKind.KERNEL for e in kept):
            return kept
        return (*kept, *self._fixup(trace))

    def _answered(self, trace: tuple[Event, ...]) -> tuple[Event, ...]:
        """The outcome's own answer where BUG() stands."""
        at = _first(trace, EventKind.BUG)
        bug, before = trace[at], list(trace[:at])
        if self.run.halt.held > 0:
            before.append(_event(bug, EventKind.UNLOCK, "mmap_read_unlock", ()))
        if not self.user:
            return (*before, *self._fixup(trace))
        if self.finding.outcome == Outcome.OOM:
            return (*before, _event(bug, EventKind.OOM, "pagefault_out_of_memory", ()))
        signo, code = _SIGNALS[self.finding.outcome or str(Outcome.SIGSEGV)]
        parts = {
            "signo": self._constant(signo),
            "code": self._constant(code),
            "addr": trace[_last(trace, EventKind.FAULT)].args[0],
        }
        word = "force_sig_fault"
        if code == "BUS_MCEERR_AR":
            word, parts["lsb"] = "force_sig_mceerr", symbol("PAGE_SHIFT", 32)
        signal = _event(bug, EventKind.SIGNAL, word, tuple(parts.values()))
        return (*before, replace(signal, parts=tuple(parts)))

    def _constant(self, name: str) -> Term:
        return integer(self.constants.get(name, 0), 32, name)

    def _balanced(self, trace: tuple[Event, ...]) -> tuple[Event, ...]:
        """One release for each time that the lock was taken and not let go by the mm."""
        held = self.run.halt.held
        if held > 0:
            release = _event(trace[-1], EventKind.UNLOCK, "mmap_read_unlock", ())
            ends = [i for i, e in enumerate(trace) if e.kind in _ENDS]
            at = ends[0] if ends else len(trace)
            return (*trace[:at], *(release,) * held, *trace[at:])
        surplus = [i for i, e in enumerate(trace) if e.kind in _RELEASING][held:]
        return tuple(e for i, e in enumerate(trace) if i not in surplus)

    def _with_flags(self, event: Event) -> Event:
        if event.kind is not EventKind.FAULT or len(event.args) < 2:
            return event
        address, flags = event.args[:2]
        lost = integer(self.finding.flags, flags.bits)
        return replace(event, args=(address, arithmetic("or", flags, lost)))

    def _counted(self, trace: tuple[Event, ...]) -> tuple[Event, ...]:
        """Counted once, before the lock is taken for the first time."""
        events = page_faults(trace)
        if events:
            again = events[1:]
            return tuple(e for e in trace if not any(e is other for other in again))
        at = _first(trace, *_LOCKING, EventKind.FAULT)
        address = trace[_first(trace, EventKind.FAULT)].args[0]
        counter = symbol(PAGE_FAULTS, 64)
        args = (counter, integer(1, 32), object_address("regs"), address)
        event = _event(trace[at], EventKind.ACCOUNTING, "perf_sw_event", args)
        return (*trace[:at], event, *trace[at:])


def _event(where: Event, kind: EventKind, name: str, args: tuple[Term, ...]) -> Event:
    """An event at the place of another."""
    return replace(where, kind=kind, name=name, args=args, parts=())


def _first(trace: tuple[Event, ...], *kinds: EventKind) -> int:
    return next((i for i, e in enumerate(trace) if e.kind in kinds), len(trace) - 1)


def _last(trace: tuple[Event, ...], *kinds: EventKind) -> int:
    return len(trace) - 1 - _first(trace[::-1], *kinds)
