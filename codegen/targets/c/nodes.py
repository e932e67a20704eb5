# SPDX-License-Identifier: GPL-2.0-only
"""What the C products are written from, and what they are.

MmApi(dialect=find_vma, completed=True, …)  --render_helper-->  HelperText
"""

from dataclasses import dataclass
from enum import StrEnum

from codegen.ir.handler import SHARED_HELPER


class MmDialect(StrEnum):
    """How a tree locks the mm and finds the VMA; the values are part of the JSON contract."""

    MMAP_SEM = "mmap_sem"
    FIND_VMA = "find_vma"
    LOCK_MM_AND_FIND_VMA = "lock_mm_and_find_vma"


class HelperResult(StrEnum):
    """What `generic_fault()` returns: Al Viro's word, and the enumerator's name in C.

    POISON is a base: the helper returns POISON plus log2 of the affected size.
    """

    DONE = "GFAULT_DONE"
    FOAD = "GFAULT_FOAD"
    KERN = "GFAULT_KERN"
    MAPERR = "GFAULT_MAPERR"
    ACCERR = "GFAULT_ACCERR"
    SIGSEGV = "GFAULT_SIGSEGV"
    SIGBUS = "GFAULT_SIGBUS"
    POISON = "GFAULT_POISON"


HELPER_FUNCTION = SHARED_HELPER
"""The helper's name in C."""

HELPER_C = "mm/generic_fault.c"
"""Where the helper goes in a kernel tree."""

HELPER_HEADER = "include/linux/generic_fault.h"
"""Where its declaration goes in a kernel tree."""

HELPER_INCLUDE = "linux/generic_fault.h"
"""What a converted handler includes."""

HELPER_CONFIG = "GENERIC_FAULT"
"""The Kconfig symbol that an architecture selects to get the helper built."""


@dataclass(frozen=True, slots=True)
class MmApi:
    """What a tree's own headers offer to a page-fault handler.

    There is no word about `fault_signal_pending()`: it asks `user_mode(regs)`,
    and the helper's mode is what its caller says it is (FAULT_FLAG_USER). Some
    architectures mean another test by it, and um may have no regs at all. The
    helper asks `signal_pending()` and `fatal_signal_pending()`, which every
    tree has.
    """

    dialect: MmDialect
    per_vma_lock: bool = False
    """`lock_vma_under_rcu()` exists, under CONFIG_PER_VMA_LOCK."""
    vma_lock_kept: bool = False
    """`handle_mm_fault()` leaves the VMA's lock to its caller even if it returns RETRY."""
    handle_mm_fault_takes_regs: bool = True
    """`handle_mm_fault()` has a `regs` argument and does the maj/min accounting itself."""
    completed: bool = True
    """VM_FAULT_COMPLETED exists."""
    retry_flag_default: bool = True
    """FAULT_FLAG_DEFAULT exists."""
    allow_retry_twice: bool = True
    """FAULT_FLAG_ALLOW_RETRY may stay set beside FAULT_FLAG_TRIED."""
    expand_stack_takes_mm: bool = False
    """`expand_stack(mm, addr)` returns a VMA, or NULL with the lock released."""
    exception_ip: bool = False
    """`exception_ip(regs)` exists: the faulting PC, also in a delay slot."""
    killable: bool = True
    """A read lock can be waited for so that a fatal signal ends the wait (4.15)."""
    fault_type: str = "vm_fault_t"
    """What `handle_mm_fault()` returns: before 4.17 an int."""
    signal_header: str = "linux/sched/signal.h"
    """Where `signal_pending()` is declared: before 4.11 linux/sched.h."""
    extable_header: str = "linux/extable.h"
    """Where `search_exception_tables()` is declared: before 4.9 linux/module.h."""

    def __post_init__(self) -> None:
        if self.per_vma_lock and not self.handle_mm_fault_takes_regs:
            raise ValueError("per-VMA locks came after handle_mm_fault() got its regs")
        if self.vma_lock_kept and not self.per_vma_lock:
            raise ValueError("vma_lock_kept says something about per-VMA locks only")
        if not self.killable and self.dialect is not MmDialect.MMAP_SEM:
            raise ValueError("mmap_read_lock() never came without mmap_read_lock_killable()")


DEFAULT_MM_API = MmApi(
    MmDialect.LOCK_MM_AND_FIND_VMA, expand_stack_takes_mm=True, exception_ip=True
)
"""For a source without a kernel tree around it: the API of linux 6.1 stable."""


@dataclass(frozen=True, slots=True)
class HelperText:
    """The helper as it goes into a tree: two new files, and what two others gain."""

    c: str
    """`mm/generic_fault.c`, whole."""
    header: str
    """`include/linux/generic_fault.h`, whole."""
    kconfig: str
    """The entry that `mm/Kconfig` gains."""
    makefile: str
    """The line that `mm/Makefile` gains."""
