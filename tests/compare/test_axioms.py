# SPDX-License-Identifier: GPL-2.0-only
"""What is assumed of the world (docs/house.md) ends a false alarm, and hides nothing beside it.

Each axiom has a pair of handlers that are equal because of it, and pairs
nearby that it must not make equal.
"""

import pytest

from codegen.targets.compare.check import check
from codegen.targets.compare.compare import compare
from codegen.targets.compare.nodes import Verdict

from .conftest import Edit, Snippet

GROWS = "\t\tvma = expand_stack(mm, address);\n"
FIND = "\tvma = find_vma(mm, address);\n"
LOW = "if (address < FIRST_USER_ADDRESS)"
TABLE = "!search_exception_tables(regs->pc)"
START = "\tregs->ear = address;\n"


def verdict(snippet: Snippet, src: tuple[Edit, ...], tgt: tuple[Edit, ...]) -> Verdict:
    sides = snippet("microblaze", *src), snippet("microblaze", *tgt)
    return compare(*sides, accepted=frozenset()).verdict


def equal_if(is_equal: bool) -> Verdict:
    return Verdict.EQUAL if is_equal else Verdict.DIFFERS


@pytest.mark.parametrize(
    ("edit", "is_equal"),
    [
        # Nothing could have grown there anyway.
        ((GROWS, f"\t\t{LOW}\n\t\t\tgoto segv_unlock;\n{GROWS}"), True),
        # It says nothing of a VMA that is there already ...
        ((FIND, f"{FIND}\t{LOW}\n\t\tgoto segv_unlock;\n"), False),
        # ... of an address that is not below ...
        ((GROWS, f"\t\tif (address < 2 * FIRST_USER_ADDRESS)\n\t\t\tgoto segv_unlock;\n{GROWS}"),
         False),
        # ... and of what is done about it.
        ((GROWS, f"\t\t{LOW}\n\t\t\tBUG();\n{GROWS}"), False),
    ],
)  # fmt: skip
def test_no_stack_grows_below_the_first_user_address(
    edit: Edit, is_equal: bool, snippet: Snippet
) -> None:
    assert verdict(snippet, (), (edit,)) is equal_if(is_equal)


@pytest.mark.parametrize(
    ("edits", "is_equal"),
    [
        (((TABLE, "!search_exception_tables(instruction_pointer(regs))"),), True),
        # The register that it returns to is another one ...
        (((TABLE, "!search_exception_tables(regs->r15)"),), False),
        # ... and so is the counter once it was moved.
        (
            ((START, f"{START}\tregs->pc += 4;\n"),
             (TABLE, "!search_exception_tables(instruction_pointer(regs))")),
            False,
        ),
    ],
)  # fmt: skip
def test_the_counter_in_regs_is_the_instruction_pointer(
    edits: tuple[Edit, ...], is_equal: bool, snippet: Snippet
) -> None:
    moved = ((START, f"{START}\tregs->pc += 4;\n"),) if len(edits) > 1 else ()
    assert verdict(snippet, moved, edits) is equal_if(is_equal)


@pytest.mark.parametrize(
    ("before", "is_equal"),
    [
        ("\tpte_errors += regs->link->depth;\n", True),
        ("\tregs->link->depth = 0;\n", True),
        # Not read where `&&`, `||` or `?:` goes round it, nor on another path.
        ("\tif (regs->link && regs->link->depth)\n\t\tpte_errors++;\n", False),
        ("\tif (!regs->link || regs->link->depth)\n\t\tpte_errors++;\n", False),
        ("\tpte_errors += regs->link ? regs->link->depth : 0;\n", False),
        ("\tif (esr & ESR_S)\n\t\tpte_errors += regs->link->depth;\n", False),
        # The address of what is there is not looked at.
        ("\tnote_link(&regs->link->depth);\n", False),
        # Another pointer of the same name.
        ("\tpte_errors += current->thread.link->depth;\n", False),
    ],
)
def test_what_was_dereferenced_is_not_null(before: str, is_equal: bool, snippet: Snippet) -> None:
    leak = "\tif (!regs->link)\n\t\treturn;\n"
    read = (START, before + START)
    lost = ("\tvma = find_vma(mm, address);\n", f"{leak}\tvma = find_vma(mm, address);\n")
    assert verdict(snippet, (read,), (read, lost)) is equal_if(is_equal)
    found = {str(d.cls) for d in check(snippet("microblaze", read, lost))}
    assert ("lock-balance" in found) is not is_equal
