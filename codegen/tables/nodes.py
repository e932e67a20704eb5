# SPDX-License-Identifier: GPL-2.0-only
"""AccessDecode and SignalMap: the two tables of a handler.

Printed form (`printer.py`):

    decode
      regs->ecr_cause & ECR_C_PROTV_STORE   WRITE   any of VM_WRITE     :102
      otherwise                             -       any of VM_READ      :123
    signals, user
      no_vma              SIGSEGV/SEGV_MAPERR address                   :184
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from codegen.base.diagnostics import Refusal
from codegen.ir.environment import Outcome
from codegen.ir.handler import Dialect, HandlerRole


class AccessKind(StrEnum):
    """How the VMA is checked; the values are the JSON contract's words."""

    MASK = "mask"
    NEVER = "never"
    UNCHECKED = "unchecked"
    PREDICATE = "predicate"
    BUG = "bug"


@dataclass(frozen=True, slots=True)
class Access:
    """The predicate on `vma->vm_flags`: any of `bits`, or what `text` says in C.

    A mask with a `text` is one that something beside the flags limits further,
    such as a protection key.
    """

    kind: AccessKind
    bits: tuple[str, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class DecodeRow:
    """One row of an AccessDecode: rows are tried in order, `guard` None is otherwise.

    `fault_flags` come on top of FAULT_FLAG_DEFAULT and, in user mode, of
    FAULT_FLAG_USER; `lost` are flags of these two that the row wipes.
    `presence` is the condition on the configuration, None for every one.
    """

    guard: str | None
    fault_flags: tuple[str, ...]
    access: Access
    line: int
    lost: tuple[str, ...] = ()
    presence: str | None = None


class ResultKind(StrEnum):
    """What a handler does about an outcome; the values are the JSON contract's words."""

    SIGNAL = "signal"
    RETURN = "return"
    OOM = "oom"
    KERNEL = "kernel"
    BUG = "bug"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that happens: `signo`, `code`, `addr` of a signal, `value` of a return (C text)."""

    kind: ResultKind
    signo: str | None = None
    code: str | None = None
    addr: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What happens under `guard` (None: always): results in order, other effects as C text."""

    guard: str | None
    results: tuple[Result, ...]
    effects: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One cell of a SignalMap: a mode and an outcome.

    `possible` is False where the mm never gives that answer (the flags do not
    allow a retry, the kernel has no such bit): the cases say what the handler
    would do.
    """

    mode: str
    outcome: Outcome
    cases: tuple[Case, ...]
    presence: str | None = None
    possible: bool = True


@dataclass(frozen=True)
class HandlerTables:
    """A handler with its tables, or the reason why it has none.

    `reached_through` are the arrays of functions (arm64's `fault_info[]`) that
    it, or a caller of it in the file, stands in, each with file and line.
    `inconvertible` says why a handler that can be read does not convert,
    `wanted` which classes of difference one must accept to have it converted.

    `configurations` are the presence conditions of the variants that have the
    handler, `mode` is its condition for user mode in C.
    """

    arch: str | None
    role: HandlerRole
    path: str
    function: str
    line: int
    dialect: Dialect
    configurations: tuple[str, ...]
    decode: tuple[DecodeRow, ...] = ()
    signals: tuple[SignalRow, ...] = ()
    mode: str = "user_mode(regs)"
    refusals: tuple[Refusal, ...] = ()
    reached_through: tuple[str, ...] = ()
    inconvertible: Refusal | None = None
    wanted: tuple[str, ...] = ()
