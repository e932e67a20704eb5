# SPDX-License-Identifier: GPL-2.0-only
"""The numbers of the fault flags, out of headers in every form that they have had."""

from pathlib import Path

import pytest

from codegen.base.diagnostics import UnreadableSource
from codegen.frontend.constants import tree_constants

FAULTS = """
typedef unsigned int vm_fault_t;
enum vm_fault_reason {
	VM_FAULT_OOM = (__force vm_fault_t)0x000001,
	VM_FAULT_SIGBUS = (__force vm_fault_t)0x000002,
	VM_FAULT_RETRY = (__force vm_fault_t)0x000400,
};
enum fault_flag {
	FAULT_FLAG_WRITE = 1 << 0,
	FAULT_FLAG_ALLOW_RETRY = 1 << 2,
	FAULT_FLAG_KILLABLE = 1 << 4,
	FAULT_FLAG_TRIED = 1 << 5,
	FAULT_FLAG_USER = 1 << 6,
};
"""
DEFINES = """
#define VM_READ 0x00000001
#define VM_WRITE 0x00000002 /* what it says */
#define VM_EXEC BIT(2)
#ifdef CONFIG_UPWARDS
#define VM_GROWSDOWN 0
#else
#define VM_GROWSDOWN 0x00000100
#endif
"""
BITS = """
#define MAKE_BIT(name, number) \\
	VMA_ ## name ## _BIT = ((__force vma_flag_t)number)
#define SAME_BIT(name, other) VMA_ ## name ## _BIT = (VMA_ ## other ## _BIT)
enum {
	MAKE_BIT(READ, 0),
	MAKE_BIT(WRITE, 1),
#ifdef CONFIG_SOME
	MAKE_BIT(EXEC, 2),	/* a comment, with a comma */
#endif
	MAKE_BIT(GROWSDOWN, 8),
	SAME_BIT(STACK, GROWSDOWN),
};
#define FLAG_OF(name) BIT((__force int) VMA_ ## name ## _BIT)
#define VM_READ FLAG_OF(READ)
#define VM_WRITE FLAG_OF(WRITE)
#define VM_EXEC FLAG_OF(EXEC)
#define VM_GROWSDOWN FLAG_OF(GROWSDOWN)
#define VM_STACK FLAG_OF(STACK)
"""


def _tree(root: Path, text: str) -> Path:
    folder = root / "include" / "linux"
    folder.mkdir(parents=True)
    (folder / "mm.h").write_text(text)
    return root


@pytest.mark.parametrize("bits", [DEFINES, BITS], ids=["numbers", "made of bit numbers"])
def test_numbers_are_found_in_either_form(tmp_path: Path, bits: str) -> None:
    found = tree_constants(_tree(tmp_path, FAULTS + bits))
    assert [found[f"VM_{n}"] for n in ("READ", "WRITE", "EXEC", "GROWSDOWN")] == [1, 2, 4, 0x100]
    assert found["VM_FAULT_RETRY"] == 0x400
    assert found["FAULT_FLAG_USER"] == 0x40


def test_an_alias_has_the_number_of_what_it_stands_for(tmp_path: Path) -> None:
    found = tree_constants(_tree(tmp_path, FAULTS + BITS))
    assert found["VM_STACK"] == 0x100


def test_an_enumerator_without_a_value_counts_on(tmp_path: Path) -> None:
    found = tree_constants(_tree(tmp_path, FAULTS + DEFINES + "enum { VM_A = 6, VM_B, VM_C };"))
    assert (found["VM_B"], found["VM_C"]) == (7, 8)


def test_headers_that_do_not_tell_a_flag_are_named(tmp_path: Path) -> None:
    text = FAULTS + DEFINES.replace("VM_GROWSDOWN", "VM_SOMETHING_ELSE")
    with pytest.raises(UnreadableSource, match=r"include/linux/mm\.h: .* VM_GROWSDOWN"):
        tree_constants(_tree(tmp_path, text))
