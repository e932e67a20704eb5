# SPDX-License-Identifier: GPL-2.0-only
"""Numbers by the kernel's own names, in a scenario and in a trace.

    0x254, fault_flags    ->  FAULT_FLAG_DEFAULT|FAULT_FLAG_USER
    handle_mm_fault#1, 2  ->  VM_FAULT_SIGBUS
    force_sig_fault(11, 1, address)  ->  SIGSEGV, SEGV_MAPERR, address

Which value is of which kind stands in vocabulary.toml, `[kinds_of]`; the
numbers are the tree's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen.ir.concrete import Evaluator
from codegen.ir.printer import term_text
from codegen.ir.terms import Term
from codegen.ir.trace import Event, EventKind
from codegen.ir.vocabulary import NumberKind, Vocabulary, load

_ANSWER = re.compile(r"(\w+)#\d+\Z")
_FIELD = re.compile(r"(?:->|\.)(\w+)(?:@\d+)?\Z")
_LONGEST = 40
_WIDTHS = ("zext", "sext", "trunc")


@dataclass(frozen=True)
class Naming:
    """The names of one kernel's numbers; `constants` are the tree's."""

    constants: Mapping[str, int]
    vocabulary: Vocabulary = field(default_factory=load)

    def spelt(self, number: int, kind: str | None) -> str | None:
        """A number of a kind by its constants' names; None where they do not spell it."""
        known = self.vocabulary.kinds.get(kind) if kind is not None else None
        if known is None:
            return None
        if not known.bits:
            return next((n for n in self._names(known) if self.constants[n] == number), None)
        return self._bits(number, known) if number else None

    def _names(self, kind: NumberKind) -> list[str]:
        """The constants of a kind, the vocabulary's own first: a tree may have further aliases."""
        ordered = dict.fromkeys([*self.vocabulary.constants, *self.constants])
        # A longer prefix is a kind of its own: VM_FAULT_OOM is no VM_ flag.
        longer = tuple(
            p
            for other in self.vocabulary.kinds.values()
            for p in other.prefix
            if p not in kind.prefix and p.startswith(kind.prefix)
        )
        return [
            n
            for n in ordered
            if n.startswith(kind.prefix) and not n.startswith(longer) and n in self.constants
        ]

    def _bits(self, number: int, kind: NumberKind) -> str | None:
        left, words = number, []
        names = self._names(kind)
        single = [n for n in names if (v := self.constants[n]) > 0 and not v & (v - 1)]
        for name in (*kind.whole, *single):
            value = self.constants.get(name, 0)
            if value and left & value == value:
                words.append(name)
                left &= ~value
        if not words:
            return None
        return "|".join([*words, *([f"{left:#x}"] if left else [])])

    # -- a scenario ------------------------------------------------------------------

    def setting(self, name: str, number: int) -> str:
        """What a scenario gives to a name, as `--set` takes it back."""
        return self.spelt(number, self._kind_of(name)) or plain(number)

    def _kind_of(self, name: str) -> str | None:
        kinds = self.vocabulary.kinds_of
        answer, inside = _ANSWER.match(name), _FIELD.search(name)
        if answer is not None:
            return kinds.results.get(answer[1])
        return kinds.fields.get(inside[1]) if inside is not None else None

    # -- a trace ---------------------------------------------------------------------

    def arguments(self, event: Event, evaluator: Evaluator) -> tuple[str, ...]:
        """What an event was given, each by the name that a reader of the source knows."""
        args = event.args[:1] if event.kind is EventKind.WRITE else event.args
        signo = event.part("signo") if event.kind is EventKind.SIGNAL else None
        signal = None if signo is None else self._argument(signo, "signo", evaluator)
        return tuple(
            self._argument(arg, self._kind_of_argument(event, place, signal), evaluator)
            for place, arg in enumerate(args)
        )

    def is_signal(self, term: Term, evaluator: Evaluator) -> bool:
        """Whether a value is a signal's number or code, written by its name in the source."""
        chosen = settled(term, evaluator)
        return chosen.is_constant and (chosen.name or "").startswith(self._signal_prefixes())

    def _signal_prefixes(self) -> tuple[str, ...]:
        kinds = self.vocabulary.kinds
        return tuple(
            p for k in kinds if k == "signo" or k.startswith("code ") for p in kinds[k].prefix
        )

    def _kind_of_argument(self, event: Event, place: int, signal: str | None) -> str | None:
        kinds = self.vocabulary.kinds_of
        if event.kind is EventKind.WRITE:
            return kinds.fields.get(str(event.args[1].payload))
        if event.kind is not EventKind.SIGNAL:
            return kinds.arguments.get(event.name, {}).get(place)
        part = event.parts[place] if place < len(event.parts) else ""
        kind = kinds.signal_parts.get(part)
        return f"code of {signal}" if kind == "code" else kind

    def _argument(self, term: Term, kind: str | None, evaluator: Evaluator) -> str:
        value = evaluator.value(term)
        if value.address and value.name is not None:
            return value.name
        chosen = settled(term, evaluator)
        if chosen.is_constant and chosen.name is not None:
            return chosen.name
        known = self.spelt(value.number, kind)
        if known is not None:
            return known
        if not chosen.is_constant:
            shown = term_text(chosen).removeprefix("uninitialized ")
            if len(shown) <= _LONGEST:
                return shown
        return plain(value.number, term.bits)


def settled(term: Term, evaluator: Evaluator) -> Term:
    """The term that gives the value in a scenario: the branch taken, without mere changes of width.

    A change of width that changes the value stays.
    """
    while True:
        if term.op == "ite":
            term = term.args[1 if evaluator.number(term.args[0]) else 2]
        elif term.op in _WIDTHS and evaluator.number(term.args[0]) == evaluator.number(term):
            term = term.args[0]
        else:
            return term


def plain(number: int, bits: int = 64) -> str:
    """A number as C has it: small ones decimal, a negative one with its sign."""
    if bits in (32, 64) and number >> (bits - 1) and (1 << bits) - number <= 4096:
        return str(number - (1 << bits))
    return str(number) if number < 10 else f"{number:#x}"
