# SPDX-License-Identifier: GPL-2.0-only
"""One cause is told once: what comes of it is not told as so many differences."""

from pathlib import Path

import pytest

from .test_sources import as_they_are, json_of, tree

HANDLER = """\
static int may_fix(unsigned long address)
{
	unsigned int level;
	int *entry;

	entry = look(address, &level);
	if (entry && is_there(*entry))
		pr_alert("there\\n");
	if (entry && is_large(*entry))
		pr_alert("large\\n");
	return 0;
}

static void bad_area(struct pt_regs *regs, unsigned long code, unsigned long address, int si_code)
{
	if (!user_mode(regs)) {
		die("Oops", regs, code);
		return;
	}
	if (was_seen(address))
		return;
	force_sig_fault(SIGSEGV, si_code, (void __user *)address);
}

static int denied(unsigned long code, struct vm_area_struct *vma)
{
	if (code & CODE_WRITE)
		return !(vma->vm_flags & VM_WRITE);
	return !(vma->vm_flags & VM_READ);
}

void do_page_fault(struct pt_regs *regs, unsigned long code, unsigned long address)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t fault, major = 0;
	int si_code = SEGV_MAPERR;

	if (address >= TASK_SIZE) {
		may_fix(address);
		bad_area(regs, code, address, SEGV_MAPERR);
		return;
	}
	if (code & CODE_WRITE)
		flags |= FAULT_FLAG_WRITE;
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
retry:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (!vma) {
		bad_area(regs, code, address, si_code);
		return;
	}
	if (denied(code, vma)) {
		mmap_read_unlock(mm);
		bad_area(regs, code, address, SEGV_ACCERR);
		return;
	}
	fault = handle_mm_fault(vma, address, flags, regs);
	major |= fault & VM_FAULT_MAJOR;
	if (fault_signal_pending(fault, regs)) {
		if (!user_mode(regs))
			die("Oops", regs, code);
		return;
	}
	if (fault & (VM_FAULT_COMPLETED | VM_FAULT_RETRY)) {
		if (fault & VM_FAULT_COMPLETED)
			return;
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	mmap_read_unlock(mm);
	if (fault & VM_FAULT_ERROR) {
		bad_area(regs, code, address, SEGV_MAPERR);
		return;
	}
	if (major)
		count_major(address);
}
"""


@pytest.fixture
def told(tmp_path: Path):  # type: ignore[no-untyped-def]
    """What is told of the handler and of the same one edited: (class, mode, outcome, sentence)."""

    def run(*edits: tuple[str, str], before: tuple[tuple[str, str], ...] = ()) -> list[tuple]:  # type: ignore[type-arg]
        texts = []
        for changes in (before, edits):
            text = HANDLER
            for old, new in changes:
                assert old in text
                text = text.replace(old, new)
            texts.append(text)
        src = tree(tmp_path / "old", texts[0], as_they_are)
        _, document = json_of(src, tree(tmp_path / "new", texts[1], as_they_are))
        (handler,) = document["handlers"]
        assert handler["verdict"] in ("EQUAL", "DIFFERS")
        return [
            (d["class"], d["mode"], d["outcome"], d["explanation"].partition(": ")[2])
            for found in handler["differences"]
            for d in (found, *found.get("also", ()))
        ]

    return run


def test_what_a_side_does_once_it_has_left_is_no_cause(told) -> None:  # type: ignore[no-untyped-def]
    """bad_area() returns at once, or sends a signal: the access is what is denied no more."""
    found = told(("return !(vma->vm_flags & VM_READ)", "return !(vma->vm_flags & VM_EXEC)"))
    assert set(found) == {
        ("other", "kernel", None, "src calls handle_mm_fault(); tgt goes to die()."),
        ("other", "kernel", "access_denied", "src goes to die(); tgt calls handle_mm_fault()."),
        ("other", "user", None,
         "src calls handle_mm_fault(); tgt calls was_seen() and sends SIGSEGV, SEGV_ACCERR."),
        ("other", "user", "access_denied",
         "src calls was_seen() and sends SIGSEGV, SEGV_ACCERR; tgt calls handle_mm_fault()."),
    }  # fmt: skip


def test_what_leaves_at_two_places_is_told_twice(told) -> None:  # type: ignore[no-untyped-def]
    entry, after = "if (address >= TASK_SIZE)", "if (user_mode(regs))\n\t\tflags"
    found = told(
        (entry, f'if (code & CODE_ODD) {{\n\t\tpr_alert("odd");\n\t\treturn;\n\t}}\n\t{entry}'),
        (after, f"if (code & CODE_BAD) {{\n\t\tdie(0);\n\t\treturn;\n\t}}\n\t{after}"),
    )
    left = {f[3].partition("tgt ")[2] for f in found if f[1] == "user"}
    assert {"calls pr_alert().", "goes to die()."} <= left


def test_what_hangs_on_a_macro_of_one_side_is_one_cause(told) -> None:  # type: ignore[no-untyped-def]
    """The option is gone from tgt; a fault's every answer may be another with it."""
    test = "if (code & CODE_WRITE)\n\t\tflags"
    found = told(
        before=(
            (test, "if (is_write(code))\n\t\tflags"),
            ("return !(vma->vm_flags & VM_READ)",
             "if (is_write(code))\n\t\treturn !(vma->vm_flags & VM_EXEC);\n"
             "\treturn !(vma->vm_flags & VM_READ)"),
            ("static int denied(",
             "#ifdef CONFIG_ODD\n#define is_write(c) ((c) & CODE_ODD)\n#else\n"
             "#define is_write(c) ((c) & CODE_WRITE)\n#endif\nstatic int denied("),
        ),
    )  # fmt: skip
    assert found
    assert all("with CONFIG_ODD, which only src tests" in sentence for *_, sentence in found)
    assert len({tuple(f[:3]) for f in found}) == len(found)


def test_what_hangs_on_another_call_inside_a_routine_is_not_told_apart(told) -> None:  # type: ignore[no-untyped-def]
    found = told(("look(address, &level)", "look_up(address, &level, 0)"))
    assert {sentence for *_, sentence in found} == {
        "inside may_fix(), src calls look(); tgt calls look_up(); "
        "what hangs on that is not told apart."
    }


def test_what_is_counted_over_all_passes_is_not_stale(told) -> None:  # type: ignore[no-untyped-def]
    """tgt asks the last pass only whether a page was read: another count, no stale outcome."""
    found = told(("major |= fault", "major = fault"))
    assert {(f[0], f[3]) for f in found} == {("other", "only src calls count_major().")}


def test_a_value_of_an_earlier_pass_in_the_answer_is_stale(told) -> None:  # type: ignore[no-untyped-def]
    after = "goto retry;"
    stale = f"si_code = SEGV_ACCERR;\n\t\t{after}"
    found = told(before=((after, stale),))
    assert {f[0] for f in found} == {"stale-outcome"}
    assert all(f[1] == "user" for f in found)


def test_a_mask_that_only_one_side_asks_for_is_not_0(told) -> None:  # type: ignore[no-untyped-def]
    """No note says that a world without the bit was left open: the verdict would be UNKNOWN."""
    asked = 'if (code & CODE_RMP)\n\t\tpr_alert("rmp\\n");\n\treturn 0;'
    given = (
        ("may_fix(unsigned long address)", "may_fix(unsigned long address, unsigned long code)"),
        ("may_fix(address)", "may_fix(address, code)"),
    )
    found = told(("return 0;", asked), *given, before=given)
    assert {f[3] for f in found} == {"inside may_fix(), only tgt calls pr_alert()."}
