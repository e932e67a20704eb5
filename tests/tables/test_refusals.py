# SPDX-License-Identifier: GPL-2.0-only
"""What can not be read is said, with its line, and the counts add up."""

from pathlib import Path

import pytest

from codegen.__main__ import main

HANDLER = """
void {name}(struct pt_regs *regs, unsigned long address)
{{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
again:
	vma = lock_mm_and_find_vma(current->mm, address, regs);
	if (!vma || {check})
		goto bad;
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault & VM_FAULT_RETRY)
		goto again;
	mmap_read_unlock(current->mm);
	return;
bad:
	force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)address);
}}
"""
BROKEN = """static int refused(struct vm_area_struct *vma)
{
	int x = 1;

	x = x +;
	return x;
}
"""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    captured = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, captured.out, captured.err


def test_a_helper_that_does_not_parse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.c"
    path.write_text(BROKEN + HANDLER.format(name="do_page_fault", check="refused(vma)"))
    code, out, err = run(capsys, "tables", "--jobs", "1", str(path))
    assert code == 1
    assert "odd.c:5: unreadable" in err and "x = x +;" in err
    assert "1 handler, 0 with tables, 1 not: odd.c" in out


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("computed", 4, "cannot be parsed as C"),
        ("distance", 31, "is a pointer to a record that is moved, or set against another: c"),
        ("looked_up", 41, "the text does not say which flags handle_mm_fault() gets: gneiss_"),
        ("middle", 24, "is an element by way of a pointer into an array: bits[…]"),
        ("record", 10, "gives back a record by value: onyx_of"),
    ],
)
def test_what_would_be_read_wrongly_is_not_read(
    name: str, line: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(__file__).parent.parent / "cases/unread" / f"{name}.c"
    code, out, err = run(capsys, "tables", "--jobs", "1", str(path))
    assert code == 1
    assert f"{name}.c:{line}: unreadable: {reason}" in err
    assert "1 handler, 0 with tables, 1 not" in out


def test_a_handler_that_does_not_parse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.c"
    path.write_text(HANDLER.format(name="do_page_fault", check="(address &)"))
    code, out, err = run(capsys, "tables", "--jobs", "1", str(path))
    assert code == 1
    assert "odd.c:12: unreadable" in err and "(address &)" in err
    assert "do_page_fault()" in out and "1 handler, 0 with tables, 1 not" in out


def test_several_handlers_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "two.c"
    path.write_text(
        HANDLER.format(name="do_page_fault", check="!(vma->vm_flags & VM_READ)")
        + HANDLER.format(name="force_user_fault", check="!(vma->vm_flags & VM_WRITE)")
    )
    code, out, _ = run(capsys, "tables", "--jobs", "1", str(path))
    assert code == 0
    assert "1 handler, 1 with tables; 1 other user of handle_mm_fault()" in out
    assert "force_user_fault()" in out and "(second)" in out


def test_a_file_without_a_handler(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.c"
    path.write_text("int f(int x)\n{\n\treturn x +;\n}\n")
    code, out, err = run(capsys, "tables", "--jobs", "1", str(path))
    assert code == 2
    assert not out and "nothing calls handle_mm_fault()" in err
