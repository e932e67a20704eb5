# SPDX-License-Identifier: GPL-2.0-only
"""What a function of the file may change: not its own record, nor what it does not hand on."""

import pytest

from codegen.base.spans import SourceText
from codegen.ir.load import load_unit
from codegen.ir.program import Program, Taken
from codegen.ir.vocabulary import load

HANDLER = """\
{helpers}
void do_page_fault(struct pt_regs *regs, unsigned long address)
{{
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;

	if (helper(regs))
		return;
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma)
		return;
	handle_mm_fault(vma, address, flags, regs);
	mmap_read_unlock(current->mm);
}}
"""


def program(helpers: str) -> Program:
    text = SourceText("fault.c", HANDLER.format(helpers=helpers))
    return load_unit(text, load().constants).variants[0].program


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        ("union word w = { .val = regs->code }; return w.low == 3;", Taken.INLINE),
        ("struct place p = { .at = regs->pc }; p.at += 4; return p.at & 1;", Taken.INLINE),
        ("if (regs->code) last.val = 1; return last.low == 3;", Taken.OPAQUE),
        ("union word w = { .val = regs->code }; show(&w); return w.low;", Taken.OPAQUE),
    ],
)
def test_a_record_of_its_own_is_no_effect(body: str, taken: Taken) -> None:
    """s390 of linux 6.12 reads the fault's address and kind out of a union."""
    found = program(f"static int helper(struct pt_regs *regs)\n{{\n\t{body}\n}}")
    assert found.taken("helper") is taken


@pytest.mark.parametrize(
    ("body", "writes"),
    [
        ("return probe(table);", False),
        ("return probe(regs->table);", False),
        ("return probe(regs);", True),
        ("return probe(&regs->pc);", True),
        ("struct pt_regs *r = regs; return probe(r);", True),
        ("return helper(regs);", False),
    ],
)
def test_what_is_not_handed_on_is_not_written(body: str, writes: bool) -> None:
    """probe() may write where its pointer leads; that is in regs only if it is given that."""
    helpers = (
        "static int probe(void *p)\n{\n\treturn read_from(p);\n}\n"
        f"static int helper(struct pt_regs *regs)\n{{\n\t{body}\n}}"
    )
    assert program(helpers).writes_objects("helper") is writes
