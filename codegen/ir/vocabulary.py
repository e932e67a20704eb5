# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's vocabulary, as read from `vocabulary.toml`.

The only thing that the tool knows beforehand: what the words of a handler do.
Everything else (which register says "write", where the address comes from) it
learns from the handler itself.
"""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from codegen.ir import types
from codegen.ir.types import CType


class Role(StrEnum):
    """What a word does; the values are the keys of `[roles]` in vocabulary.toml."""

    FAULT = "fault"
    LOCK_FIND = "lock_find"
    LOCK = "lock"
    TRYLOCK = "trylock"
    LOCK_KILLABLE = "lock_killable"
    UNLOCK = "unlock"
    WRITE_LOCK_KILLABLE = "write_lock_killable"
    WRITE_LOCK = "write_lock"
    WRITE_UNLOCK = "write_unlock"
    DOWNGRADE = "downgrade"
    FIND_VMA = "find_vma"
    FIND_VMA_PREV = "find_vma_prev"
    EXPAND_STACK = "expand_stack"
    LOCK_VMA = "lock_vma"
    UNLOCK_VMA = "unlock_vma"
    SEM_LOCK = "sem_lock"
    SEM_TRYLOCK = "sem_trylock"
    SEM_LOCK_KILLABLE = "sem_lock_killable"
    SEM_UNLOCK = "sem_unlock"
    SIGNAL_PENDING = "signal_pending"
    FATAL_PENDING = "fatal_pending"
    USER_MODE = "user_mode"
    OOM = "oom"
    BUG = "bug"
    WARN = "warn"
    ACCOUNTING = "accounting"
    IGNORE = "ignore"
    PURE = "pure"
    FRESH = "fresh"
    PRINT = "print"
    EFFECT = "effect"
    SIGNAL = "signal"
    KERNEL_READS = "kernel_reads"
    KERNEL = "kernel"
    KERNEL_NEVER = "kernel_never"
    KERNEL_NEVER_IN_KERNEL = "kernel_never_in_kernel"


DANCE_ROLES = frozenset(
    {
        Role.FAULT,
        Role.LOCK_FIND,
        Role.LOCK,
        Role.TRYLOCK,
        Role.LOCK_KILLABLE,
        Role.UNLOCK,
        Role.WRITE_LOCK_KILLABLE,
        Role.WRITE_LOCK,
        Role.WRITE_UNLOCK,
        Role.DOWNGRADE,
        Role.FIND_VMA,
        Role.FIND_VMA_PREV,
        Role.EXPAND_STACK,
        Role.LOCK_VMA,
        Role.UNLOCK_VMA,
        Role.SEM_LOCK,
        Role.SEM_TRYLOCK,
        Role.SEM_LOCK_KILLABLE,
        Role.SEM_UNLOCK,
    }
)
# The words with which the dance may begin.
LOCKING_ROLES = DANCE_ROLES - {
    Role.UNLOCK,
    Role.SEM_UNLOCK,
    Role.WRITE_UNLOCK,
    Role.UNLOCK_VMA,
    Role.DOWNGRADE,
}
READING_ROLES = frozenset({Role.PURE, Role.USER_MODE, Role.KERNEL_READS})


@dataclass(frozen=True, slots=True)
class SignalShape:
    """Where a signal's parts are: an argument's index, or the part's own name."""

    signo: int | str | None = None
    code: int | str | None = None
    addr: int | None = None
    lsb: int | None = None
    pkey: int | None = None
    info: int | None = None


@dataclass(frozen=True, slots=True)
class NumberKind:
    """A kind of number: the constants that spell it, several with `|` where it is `bits`."""

    prefix: tuple[str, ...]
    bits: bool = False
    whole: tuple[str, ...] = ()


@dataclass(frozen=True)
class KindsOf:
    """Which values are of which kind (a key of `[kinds]` in vocabulary.toml).

    `arguments` are a word's, by their place in the trace; `results` are those
    of `word#1` in a scenario.
    """

    arguments: dict[str, dict[int, str]]
    results: dict[str, str]
    fields: dict[str, str]
    signal_parts: dict[str, str]


@dataclass(frozen=True)
class Vocabulary:
    """Every word, by name."""

    roles: dict[str, Role]
    signals: dict[str, SignalShape]
    results: dict[str, CType]
    typenames: dict[str, CType]
    fields: dict[str, CType]
    constants: dict[str, int]
    bounds: dict[str, int]
    beyond: dict[str, str]
    program_counters: frozenset[str]
    headers: dict[str, tuple[str, ...]]
    """A header, and how every name begins that a handler may include it for."""
    kinds: dict[str, NumberKind]
    kinds_of: KindsOf
    macros: str
    functions: str

    def role(self, name: str) -> Role | None:
        """The role of a word; None for a word that is not in the vocabulary."""
        return self.roles.get(name)

    def words(self, role: Role) -> frozenset[str]:
        """All words of a role."""
        return frozenset(name for name, own in self.roles.items() if own is role)

    def is_reading(self, name: str) -> bool:
        """Whether a call of the word only reads, so that it may stand in an expression."""
        return self.roles.get(name) in READING_ROLES

    def result_type(self, name: str) -> CType:
        """What a word returns; a long where nobody says."""
        return self.results.get(name, types.UNKNOWN_RESULT)


_TYPE_WORDS = {
    "void": types.VOID,
    "bool": types.BOOL,
    "s8": types.CHAR,
    "u8": types.UCHAR,
    "s16": types.SHORT,
    "u16": types.USHORT,
    "s32": types.INT,
    "int": types.INT,
    "u32": types.UINT,
    "s64": types.LONG,
    "u64": types.ULONG,
    "ptr": types.POINTER,
    "record": types.RECORD,
}
_KERNEL_KEYS = {
    "reads": Role.KERNEL_READS,
    "returns": Role.KERNEL,
    "never": Role.KERNEL_NEVER,
    "never_in_kernel": Role.KERNEL_NEVER_IN_KERNEL,
}


def _kinds_of(data: dict[str, dict[str, Any]]) -> KindsOf:
    arguments = {
        word: {int(place): kind for place, kind in places.items()}
        for word, places in data["arguments"].items()
    }
    return KindsOf(arguments, data["results"], data["fields"], data["signal_parts"])


@cache
def load() -> Vocabulary:
    """The vocabulary of the tool; read once in a process."""
    data = tomllib.loads((Path(__file__).parent / "vocabulary.toml").read_text("utf-8"))
    roles = {name: Role(role) for role, names in data["roles"].items() for name in names}
    for key, role in _KERNEL_KEYS.items():
        roles |= dict.fromkeys(data["kernel"][key], role)
    signals = {name: SignalShape(**shape) for name, shape in data["signal"].items()}
    roles |= dict.fromkeys(signals, Role.SIGNAL)

    def typed(section: str) -> dict[str, CType]:
        return {name: _TYPE_WORDS[word] for word, names in data[section].items() for name in names}

    return Vocabulary(
        roles=roles,
        signals=signals,
        results=typed("results"),
        typenames=typed("types"),
        fields=typed("fields"),
        constants=data["constants"],
        bounds=data["bounds"],
        beyond=data["beyond"],
        program_counters=frozenset(data["program_counter"]["fields"]),
        headers={name: tuple(starts) for name, starts in data["headers"].items()},
        kinds={
            name: NumberKind(
                tuple(kind["prefix"]), kind.get("bits", False), tuple(kind.get("whole", ()))
            )
            for name, kind in data["kinds"].items()
        },
        kinds_of=_kinds_of(data["kinds_of"]),
        macros=data["models"]["macros"],
        functions=data["models"]["functions"],
    )
