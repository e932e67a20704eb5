# SPDX-License-Identifier: GPL-2.0-only
"""The helper `generic_fault()`, written for one tree out of what that tree offers.

    include/linux/{mm,mmap_lock,…}.h  --read_mm_api-->  MmApi  --render_helper-->  HelperText

A tree is known by its headers, never by its version number: stable trees carry
parts of later mm APIs (6.1.y has `lock_mm_and_find_vma()` of 6.5), and so do
the vendors' trees.
"""

import re
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.targets.c.nodes import HelperText, MmApi, MmDialect
from codegen.targets.render import render

_HEADERS = (
    "mm.h",
    "mm_types.h",
    "mmap_lock.h",
    "ptrace.h",
    "rwsem.h",
    "sched/signal.h",
)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


class HelperUnavailable(GenfaultError):
    """This tree lacks something that the helper cannot do without."""

    def __init__(self, tree: Path, missing: str) -> None:
        super().__init__(f"{tree}: generic_fault() cannot be written for this tree: {missing}")


def read_mm_api(tree: Path) -> MmApi:
    """What the headers under `tree`/include/linux offer.

    The marks are declarations in mm.h, mm_types.h, mmap_lock.h (5.8 on),
    ptrace.h, rwsem.h and sched/signal.h; a header that the tree does not have
    offers nothing. `vma_lock_kept` has no declaration of its own: the change
    that made `handle_mm_fault()` drop the VMA's lock on RETRY (6.6) is known by
    `release_fault_lock()`, which came with it.

    Raises HelperUnavailable where mm.h is missing or the API is older than
    `vm_fault_t` and killable read locks (about 4.17).
    """
    headers = {name: _read_header(tree / "include/linux" / name) for name in _HEADERS}
    text = "\n".join(headers.values())
    if not headers["mm.h"]:
        raise HelperUnavailable(tree, "include/linux/mm.h is missing or unreadable")
    for word in ("vm_fault_t", "fatal_signal_pending"):
        if not _has(text, word):
            raise HelperUnavailable(tree, f"its headers do not declare {word}")

    fault = _parameters(headers["mm.h"], "handle_mm_fault")
    if len(fault) not in (3, 4) or "vm_area_struct" not in fault[0]:
        raise HelperUnavailable(tree, f"handle_mm_fault({', '.join(fault)}) is not understood")
    takes_regs = "pt_regs" in fault[-1]

    dialect = _dialect(text)
    if dialect is None:
        raise HelperUnavailable(tree, "neither mmap_read_lock() nor mmap_sem is in its headers")
    lock = "down_read_killable" if dialect is MmDialect.MMAP_SEM else "mmap_read_lock_killable"
    if dialect is not MmDialect.LOCK_MM_AND_FIND_VMA and not _has(text, lock):
        raise HelperUnavailable(tree, f"its headers do not declare {lock}()")

    per_vma_lock = takes_regs and _has(text, "lock_vma_under_rcu")
    grow = _parameters(headers["mm.h"], "expand_stack")
    return MmApi(
        dialect=dialect,
        per_vma_lock=per_vma_lock,
        vma_lock_kept=per_vma_lock and not _has(text, "release_fault_lock"),
        handle_mm_fault_takes_regs=takes_regs,
        completed=_has(text, "VM_FAULT_COMPLETED"),
        retry_flag_default=_has(text, "FAULT_FLAG_DEFAULT"),
        allow_retry_twice=_has(text, "fault_flag_allow_retry_first"),
        expand_stack_takes_mm=bool(grow) and "mm_struct" in grow[0],
        exception_ip=_has(headers["ptrace.h"], "exception_ip"),
    )


def render_helper(api: MmApi) -> HelperText:
    """The helper for `api`: the same bytes for the same `api`."""
    return HelperText(
        c=render("c/generic_fault.c.j2", api=api),
        header=render("c/generic_fault.h.j2"),
        kconfig=render("c/Kconfig.j2", api=api),
        makefile=render("c/Makefile.j2"),
    )


def _dialect(text: str) -> MmDialect | None:
    """The newest way to the VMA that the headers offer."""
    if _has(text, "lock_mm_and_find_vma"):
        return MmDialect.LOCK_MM_AND_FIND_VMA
    if _has(text, "mmap_read_lock"):
        return MmDialect.FIND_VMA
    if _has(text, "mmap_sem"):
        return MmDialect.MMAP_SEM
    return None


def _read_header(path: Path) -> str:
    """A header without its comments, which may name things that are not there; or nothing."""
    try:
        return _COMMENT.sub(" ", path.read_text(encoding="latin-1"))
    except OSError:
        return ""


def _has(text: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", text) is not None


def _parameters(text: str, function: str) -> tuple[str, ...]:
    """The parameters of the first declaration of `function`, or () if there is none."""
    found = re.search(rf"\b{function}\s*\(([^()]*)\)", text)
    return tuple(" ".join(p.split()) for p in found[1].split(",")) if found else ()
