# SPDX-License-Identifier: GPL-2.0-only
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from codegen.targets.c.helper import HelperUnavailable, read_mm_api, render_helper
from codegen.targets.c.nodes import (
    DEFAULT_MM_API,
    HELPER_CONFIG,
    HELPER_FUNCTION,
    HelperResult,
    MmApi,
    MmDialect,
)

CASES = Path(__file__).parent.parent / "cases" / "helper"

GOLDENS = {
    "mmap_sem": MmApi(
        MmDialect.MMAP_SEM,
        handle_mm_fault_takes_regs=False,
        completed=False,
        retry_flag_default=False,
        allow_retry_twice=False,
    ),
    "mmap_sem_early": MmApi(
        MmDialect.MMAP_SEM,
        handle_mm_fault_takes_regs=False,
        completed=False,
        retry_flag_default=False,
        allow_retry_twice=False,
        killable=False,
        fault_type="int",
        signal_header="linux/sched.h",
        extable_header="linux/module.h",
    ),
    "find_vma": MmApi(MmDialect.FIND_VMA),
    "lock_mm_and_find_vma": DEFAULT_MM_API,
    "per_vma_lock": MmApi(
        MmDialect.LOCK_MM_AND_FIND_VMA,
        per_vma_lock=True,
        expand_stack_takes_mm=True,
        exception_ip=True,
    ),
}

# What the stubs call the declarations that a field of MmApi stands for.
STUBS = {
    "per_vma_lock": "HAVE_PER_VMA_LOCK",
    "vma_lock_kept": "HAVE_VMA_LOCK_KEPT",
    "handle_mm_fault_takes_regs": "HAVE_REGS",
    "completed": "HAVE_COMPLETED",
    "allow_retry_twice": "HAVE_RETRY_TWICE",
    "expand_stack_takes_mm": "HAVE_EXPAND_STACK_MM",
    "exception_ip": "HAVE_EXCEPTION_IP",
}

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="no C compiler")


def every_api() -> Iterator[MmApi]:
    """All values of MmApi that it accepts."""
    # What only trees older than killable locks lack is no more than another spelling.
    switches = [f.name for f in fields(MmApi) if f.type is bool and f.name != "killable"]
    for dialect in MmDialect:
        for values in product((False, True), repeat=len(switches)):
            given: dict[str, Any] = dict(zip(switches, values, strict=True))
            if given["per_vma_lock"] and not given["handle_mm_fault_takes_regs"]:
                continue
            if given["vma_lock_kept"] and not given["per_vma_lock"]:
                continue
            yield MmApi(dialect, **given)
    yield GOLDENS["mmap_sem_early"]


def distinct_apis() -> list[MmApi]:
    """One MmApi for each different text of the helper's C."""
    return list({render_helper(api).c: api for api in every_api()}.values())


def stub_macros(api: MmApi) -> list[str]:
    names = [macro for field, macro in STUBS.items() if getattr(api, field)]
    names += ["HAVE_MMAP_SEM"] if api.dialect is MmDialect.MMAP_SEM else []
    if not api.retry_flag_default:
        # FAULT_FLAG_INTERRUPTIBLE came with FAULT_FLAG_DEFAULT.
        names.append("ONLY_FATAL_SIGNALS")
    if api.dialect is MmDialect.LOCK_MM_AND_FIND_VMA:
        names.append("HAVE_LOCK_MM_AND_FIND_VMA")
    return [*names, *([] if api.killable else ["ONLY_UNKILLABLE"])]


def write_stub_tree(folder: Path) -> None:
    """The helper's header, and every other header that it includes, as the stubs."""
    (folder / "linux/sched").mkdir(parents=True)
    (folder / "linux/generic_fault.h").write_text(render_helper(DEFAULT_MM_API).header)
    for api in distinct_apis():
        for name in re.findall(r"#include <(linux/.*)>", render_helper(api).c):
            if name != "linux/generic_fault.h":
                (folder / name).write_text('#include "stubs.h"\n')


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name: str, update_goldens: bool) -> None:
    golden = CASES / f"{name}.c"
    text = render_helper(GOLDENS[name]).c
    if update_goldens:
        golden.write_text(text)
    assert golden.read_text() == text


def test_golden_header(update_goldens: bool) -> None:
    golden = CASES / "generic_fault.h"
    headers = {render_helper(api).header for api in GOLDENS.values()}
    assert len(headers) == 1, "an architecture includes the same header whatever the tree"
    text = headers.pop()
    if update_goldens:
        golden.write_text(text)
    assert golden.read_text() == text


def test_every_rendering_is_kernel_style() -> None:
    for api in every_api():
        helper = render_helper(api)
        for text in (helper.c, helper.header, helper.kconfig, helper.makefile):
            assert not re.search(r"\{\{|\}\}|\{%|%\}|\{#", text), api
            assert text.endswith("\n") and not text.endswith("\n\n")
            assert "\n\n\n" not in text, api
            for line in text.splitlines():
                assert line == line.rstrip(), (api, line)
                assert len(line.expandtabs(8)) <= 100, (api, line)
                # A run of spaces at the start only follows tabs (alignment) or is " *".
                assert re.match(r"\t*( {0,7}(\S|$))", line), (api, line)
                assert not line.startswith("  "), (api, line)
        for opening, closing in ("{}", "()"):
            assert helper.c.count(opening) == helper.c.count(closing), api


def test_every_result_is_in_the_header_and_returned() -> None:
    helper = render_helper(DEFAULT_MM_API)
    for result in HelperResult:
        assert re.search(rf"^\t{result}( = 256)?,$", helper.header, re.MULTILINE)
        assert re.search(rf"\b{result}\b", helper.c)
    assert f"unsigned int {HELPER_FUNCTION}(" in helper.header
    assert f"config {HELPER_CONFIG}\n" in helper.kconfig
    assert f"$(CONFIG_{HELPER_CONFIG})" in helper.makefile


def test_kconfig_selects_only_what_the_tree_has() -> None:
    assert "select" not in render_helper(GOLDENS["find_vma"]).kconfig
    later = render_helper(GOLDENS["per_vma_lock"]).kconfig
    assert "select LOCK_MM_AND_FIND_VMA" in later
    # That is the architecture's to say.
    assert "ARCH_SUPPORTS_PER_VMA_LOCK" not in later


def test_impossible_api() -> None:
    with pytest.raises(ValueError, match="per-VMA"):
        MmApi(MmDialect.FIND_VMA, per_vma_lock=True, handle_mm_fault_takes_regs=False)
    with pytest.raises(ValueError, match="killable"):
        MmApi(MmDialect.FIND_VMA, killable=False)
    with pytest.raises(ValueError, match="vma_lock_kept"):
        MmApi(MmDialect.FIND_VMA, vma_lock_kept=True)


@needs_gcc
def test_every_rendering_compiles(tmp_path: Path) -> None:
    write_stub_tree(tmp_path)
    sources = []
    for number, api in enumerate(distinct_apis()):
        for config in ["CONFIG_PER_VMA_LOCK", "UNRELATED"] if api.per_vma_lock else ["UNRELATED"]:
            source = tmp_path / f"{number}_{config}.c"
            defines = "".join(f"#define {name} 1\n" for name in [config, *stub_macros(api)])
            source.write_text(f"{defines}/* {api} */\n{render_helper(api).c}")
            sources.append(source.name)
    assert len(sources) > 100
    run = subprocess.run(
        [
            *(str(GCC), "-std=gnu11", "-fsyntax-only", "-Wall", "-Werror"),
            *("-Wno-builtin-declaration-mismatch", "-I.", f"-I{CASES}"),
            *sources,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")


# Every golden, and the variants that differ from them in what they do with a lock.
DRIVEN = {
    **GOLDENS,
    "mmap_sem_retry_twice": MmApi(
        MmDialect.MMAP_SEM, handle_mm_fault_takes_regs=False, completed=False
    ),
    "find_vma_no_regs": MmApi(
        MmDialect.FIND_VMA, handle_mm_fault_takes_regs=False, completed=False
    ),
    "find_vma_expand_mm": MmApi(MmDialect.FIND_VMA, expand_stack_takes_mm=True, exception_ip=True),
    "find_vma_per_vma_lock": MmApi(MmDialect.FIND_VMA, per_vma_lock=True, vma_lock_kept=True),
    "find_vma_vma_lock_dropped": MmApi(MmDialect.FIND_VMA, per_vma_lock=True),
}


@needs_gcc
@pytest.mark.parametrize("name", DRIVEN)
def test_contract(name: str, tmp_path: Path) -> None:
    api = DRIVEN[name]
    write_stub_tree(tmp_path)
    (tmp_path / "generic_fault.c").write_text(render_helper(api).c)
    defines = [f"-D{macro}" for macro in [*stub_macros(api), "CONFIG_PER_VMA_LOCK"]]
    flags = ["-std=gnu11", "-Wall", "-Werror", "-Wno-builtin-declaration-mismatch"]
    build = subprocess.run(
        [str(GCC), *flags, *defines, "-I.", f"-I{CASES}", str(CASES / "drive.c"), "-o", "drive"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (build.returncode, build.stderr) == (0, "")
    run = subprocess.run([tmp_path / "drive"], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "")


def write_tree(root: Path, headers: dict[str, str]) -> Path:
    for name, text in headers.items():
        path = root / "include/linux" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


SIGNAL = "static inline int fatal_signal_pending(struct task_struct *p);"
TYPES = "typedef unsigned int vm_fault_t;"
OLD_FAULT = "vm_fault_t handle_mm_fault(struct vm_area_struct *, unsigned long, unsigned int);"
NEW_FAULT = """extern vm_fault_t handle_mm_fault(struct vm_area_struct *vma,
    unsigned long address, unsigned int flags,
    struct pt_regs *regs);
"""
GROW_VMA = "extern int expand_stack(struct vm_area_struct *vma, unsigned long address);"
GROW_MM = "struct vm_area_struct *expand_stack(struct mm_struct * mm, unsigned long addr);"
DEFAULTS = "#define FAULT_FLAG_DEFAULT 1\nbool fault_flag_allow_retry_first(unsigned int flags);"
MMAP_LOCK = "void mmap_read_lock(struct mm_struct *);\nint mmap_read_lock_killable(void *);"
COMPLETED = "enum { VM_FAULT_COMPLETED = 1 };"

TREES = {
    "mmap_sem": {
        "mm.h": f"/* lock_mm_and_find_vma() is still to come */ {OLD_FAULT}{GROW_VMA}",
        "mm_types.h": TYPES + "struct mm_struct { struct rw_semaphore mmap_sem; };",
        "rwsem.h": "int down_read_killable(struct rw_semaphore *sem); // mmap_read_lock",
        "sched/signal.h": SIGNAL,
    },
    "mmap_sem_early": {
        "mm.h": "int handle_mm_fault(struct vm_area_struct *, unsigned long, unsigned int);",
        "mm_types.h": "struct mm_struct { struct rw_semaphore mmap_sem; };",
        "module.h": "const void *search_exception_tables(unsigned long add);",
        "rwsem.h": "void down_read(struct rw_semaphore *sem);",
        "sched.h": SIGNAL,
    },
    "find_vma": {
        "mm.h": NEW_FAULT + GROW_VMA + DEFAULTS,
        "mm_types.h": TYPES + COMPLETED,
        "mmap_lock.h": MMAP_LOCK,
        "ptrace.h": "#define instruction_pointer(regs) 0",
        "sched/signal.h": SIGNAL,
    },
    "lock_mm_and_find_vma": {
        "mm.h": NEW_FAULT + GROW_MM + DEFAULTS + "void *lock_mm_and_find_vma(void *mm);",
        "mm_types.h": TYPES + COMPLETED,
        "mmap_lock.h": MMAP_LOCK,
        "ptrace.h": "#define exception_ip(x) instruction_pointer(x)",
        "sched/signal.h": SIGNAL,
    },
}
# Later trees have the per-VMA lock in mmap_lock.h, earlier ones in mm.h.
TREES["per_vma_lock"] = TREES["lock_mm_and_find_vma"] | {
    "mmap_lock.h": MMAP_LOCK + "void *lock_vma_under_rcu(void *); void release_fault_lock(void *);"
}
KEPT = TREES["find_vma"] | {"mm.h": TREES["find_vma"]["mm.h"] + "void *lock_vma_under_rcu(void *);"}


@pytest.mark.parametrize("name", TREES)
def test_read_mm_api(name: str, tmp_path: Path) -> None:
    assert read_mm_api(write_tree(tmp_path, TREES[name])) == GOLDENS[name]


def test_read_early_per_vma_lock(tmp_path: Path) -> None:
    expected = MmApi(MmDialect.FIND_VMA, per_vma_lock=True, vma_lock_kept=True)
    assert read_mm_api(write_tree(tmp_path, KEPT)) == expected


@pytest.mark.parametrize(
    ("headers", "missing"),
    [
        ({}, "mm.h is missing"),
        ({"mm.h": "int x;"}, "do not declare fatal_signal_pending"),
        (
            TREES["find_vma"] | {"mmap_lock.h": "void mmap_read_lock(struct mm_struct *);"},
            r"mmap_read_lock_killable\(\)",
        ),
        (
            TREES["find_vma"] | {"mm.h": "int handle_mm_fault(struct mm_struct *, int, int);"},
            "handle_mm_fault.*not understood",
        ),
        (TREES["find_vma"] | {"mm.h": "int x;"}, "handle_mm_fault.*not understood"),
        (TREES["find_vma"] | {"mmap_lock.h": ""}, "neither"),
    ],
)
def test_no_helper_for_this_tree(headers: dict[str, str], missing: str, tmp_path: Path) -> None:
    with pytest.raises(HelperUnavailable, match=missing):
        read_mm_api(write_tree(tmp_path, headers))
