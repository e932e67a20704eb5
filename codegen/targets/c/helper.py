# SPDX-License-Identifier: GPL-2.0-only
"""The helper `generic_fault()`, written for one tree out of what that tree offers.

    include/linux/{mm,mmap_lock,…}.h  --read_mm_api-->  MmApi  --render_helper-->  HelperText

A tree is known by its headers, never by its version number: stable trees carry
parts of later mm APIs (6.1.y has `lock_mm_and_find_vma()` of 6.5), and so do
the vendors' trees.
"""

import re
from dataclasses import replace
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.targets.c.nodes import DEFAULT_MM_API, HelperText, MmApi, MmDialect
from codegen.targets.render import render

HEADERS = (
    "mm.h",
    "mm_types.h",
    "mmap_lock.h",
    "ptrace.h",
    "rwsem.h",
    "sched.h",
    "sched/signal.h",
)
"""Which headers below include/linux/ are asked."""
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
"""What a header says in words, which may name things that are not there."""


class HelperUnavailable(GenfaultError):
    """This tree lacks something that the helper cannot do without."""

    def __init__(self, tree: Path, missing: str) -> None:
        # The arguments as they are: it is made anew from them on its way out of a worker.
        super().__init__(tree, missing)
        self.reason = f"generic_fault() cannot be written for this tree: {missing}"

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.reason}"


def read_mm_api(tree: Path) -> MmApi:
    """What the headers under `tree`/include/linux offer.

    The marks are declarations in mm.h, mm_types.h, mmap_lock.h (5.8 on),
    ptrace.h, rwsem.h and sched/signal.h; a header that the tree does not have
    offers nothing. `vma_lock_kept` has no declaration of its own: the change
    that made `handle_mm_fault()` drop the VMA's lock on RETRY (6.6) is known by
    `release_fault_lock()`, which came with it.

    Raises HelperUnavailable where mm.h is missing, or `handle_mm_fault()` takes
    what it took before 4.8.
    """
    headers = {name: _read_header(tree / "include/linux" / name) for name in HEADERS}
    text = "\n".join(headers.values())
    if not headers["mm.h"]:
        raise HelperUnavailable(tree, "include/linux/mm.h is missing or unreadable")
    if not _has(text, "fatal_signal_pending"):
        raise HelperUnavailable(tree, "its headers do not declare fatal_signal_pending")

    fault = _parameters(headers["mm.h"], "handle_mm_fault")
    if len(fault) not in (3, 4) or "vm_area_struct" not in fault[0]:
        raise HelperUnavailable(tree, f"handle_mm_fault({', '.join(fault)}) is not understood")
    takes_regs = "pt_regs" in fault[-1]

    dialect = _dialect(text)
    if dialect is None:
        raise HelperUnavailable(tree, "neither mmap_read_lock() nor mmap_sem is in its headers")
    killable = dialect is not MmDialect.MMAP_SEM or _has(text, "down_read_killable")
    if dialect is MmDialect.FIND_VMA and not _has(text, "mmap_read_lock_killable"):
        raise HelperUnavailable(tree, "its headers do not declare mmap_read_lock_killable()")

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
        killable=killable,
        fault_type="vm_fault_t" if _has(text, "vm_fault_t") else "int",
        signal_header=_first(tree, "linux/sched/signal.h", "linux/sched.h"),
        extable_header=_first(tree, "linux/extable.h", "linux/module.h"),
    )


def mm_api_of_file(text: str) -> MmApi:
    """What the mm seems to offer to a file without a tree around it, by the words that it uses.

    The newest API of the generation that its lock belongs to. A file that has
    no lock to tell by is taken for one of today's snippets.
    """
    code = COMMENT.sub(" ", text)
    if _has(code, "lock_vma_under_rcu"):
        return replace(DEFAULT_MM_API, per_vma_lock=True)
    if _has(code, "lock_mm_and_find_vma"):
        return DEFAULT_MM_API
    takes_regs = any(
        len(call.split(",")) == 4 and "regs" in call.split(",")[3]
        for call in re.findall(r"\bhandle_mm_fault\s*\(((?:[^()]|\([^()]*\))*)\)", code)
    )
    old = MmApi(
        MmDialect.MMAP_SEM,
        handle_mm_fault_takes_regs=takes_regs,
        completed=False,
        retry_flag_default=_has(code, "FAULT_FLAG_DEFAULT"),
        allow_retry_twice=_has(code, "FAULT_FLAG_DEFAULT"),
    )
    if _has(code, "mmap_sem"):
        return old
    if _has(code, "mmap_read_lock") and _has(code, "find_vma"):
        completed = _has(code, "VM_FAULT_COMPLETED")
        return replace(old, dialect=MmDialect.FIND_VMA, completed=completed, allow_retry_twice=True)
    return DEFAULT_MM_API


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
        return COMMENT.sub(" ", path.read_text(encoding="latin-1"))
    except OSError:
        return ""


def _first(tree: Path, now: str, before: str) -> str:
    """The header of today, unless the tree has only the one of before."""
    older = not (tree / "include" / now).is_file() and (tree / "include" / before).is_file()
    return before if older else now


def _has(text: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", text) is not None


def _parameters(text: str, function: str) -> tuple[str, ...]:
    """The parameters of the first declaration of `function`, or () if there is none."""
    found = re.search(rf"\b{function}\s*\(([^()]*)\)", text)
    return tuple(" ".join(p.split()) for p in found[1].split(",")) if found else ()
