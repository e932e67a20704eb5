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
    ("before", "after", "said"),
    [
        ("\tfault = ", "}\nbroken = ", "odd.c:15: unreadable: the call stands in no function"),
        ("void f", "#error never\nvoid f", "odd.c:2: unreadable: every setting of the file's cond"),
        ("again:", "again: /* oh", "odd.c:10: unreadable: the comment is not closed: /* oh"),
        ("vma, address, flags, regs)", "vma)", "odd.c:14: unreadable: is not given a VMA, an add"),
    ],
)
def test_what_is_no_c_says_where(
    before: str, after: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = HANDLER.format(name="f", check="0")
    assert before in text
    path = tmp_path / "odd.c"
    path.write_text(text.replace(before, after))
    code, out, err = run(capsys, "tables", "--jobs", "1", str(path))
    assert code == 1
    assert said in err
    assert "1 handler, 0 with tables, 1 not: odd.c" in out


@pytest.mark.parametrize(
    ("head", "check", "said"),
    [
        ("#define A0 1\n" + "".join(f"#define A{i} (A{i - 1} + A{i - 1})\n" for i in range(1, 40)),
         "A39", "odd.c:52: the macro A39 expands to more than 100000 tokens"),
        ("", "(" * 4000 + "1" + ")" * 4000, "odd.c: nested more deeply than can be read"),
    ],
)  # fmt: skip
def test_what_grows_beyond_all_use_ends_the_run(
    head: str, check: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.c"
    path.write_text(head + HANDLER.format(name="f", check=check))
    code, out, err = run(capsys, "tables", "--jobs", "1", str(path))
    assert (code, out) == (2, "")
    assert said in err


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
