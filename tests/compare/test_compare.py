# SPDX-License-Identifier: GPL-2.0-only
"""Comparing two handlers: nothing is different from itself, and every planted wrong is seen."""

from pathlib import Path

import pytest

from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.ir.vocabulary import load
from codegen.targets.c.helper import render_helper
from codegen.targets.c.nodes import DEFAULT_MM_API, MmApi, MmDialect
from codegen.targets.compare.compare import compare
from codegen.targets.compare.nodes import (
    DEFAULT_ACCEPTED,
    Comparison,
    DifferenceClass,
    Side,
    Verdict,
)
from codegen.targets.compare.printer import comparison_json, comparison_text
from codegen.targets.compare.scenario import agree, replay

from .conftest import Edit, Snippet, edited, reading, tree_sides

SNIPPETS = sorted(p.stem for p in data_dir("kernel_snippets").glob("*.c"))
PER_VMA_LOCK = MmApi(
    MmDialect.LOCK_MM_AND_FIND_VMA,
    per_vma_lock=True,
    expand_stack_takes_mm=True,
    exception_ip=True,
)

CASES = Path(__file__).parent.parent / "cases/compare"


def converted_arc(
    *edits: Edit, helper: tuple[Edit, ...] = (), api: MmApi = DEFAULT_MM_API
) -> list[Side]:
    """The arc snippet as a conversion would have it, the helper's text beside it."""
    text = (data_dir("kernel_snippets") / "arc.c").read_text("utf-8")
    prologue = text[: text.index("void do_page_fault")]
    values = (CASES / "results.h").read_text("utf-8")
    after = (CASES / "arc_converted.c").read_text("utf-8")
    source = SourceText("arc.c", edited(values + prologue + after, edits))
    library = SourceText("mm/generic_fault.c", values + edited(render_helper(api).c, helper))
    return sides_of_entry(source, library)


def sides_of_entry(source: SourceText, library: SourceText) -> list[Side]:
    """The converted handler calls the helper; it is its entry, the helper is not."""
    from codegen.ir.load import load_unit

    unit = load_unit(source, load().constants, library=library)
    return [Side(v.program, "do_page_fault", None, source.path) for v in unit.variants]


def replays(c: Comparison, src: Side, tgt: Side) -> None:
    """Each difference is seen again when both sides run in its scenario."""
    params = tuple(p.name for p in src.program.functions[src.entry].params)
    for d in c.differences:
        one, two = replay(src, params, d.scenario), replay(tgt, params, d.scenario)
        assert one is not None
        assert two is not None
        assert not agree(one, two), d


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_handler_is_equal_to_itself(name: str, snippet: Snippet) -> None:
    side = snippet(name)
    result = compare(side, side, accepted=frozenset())
    assert (result.verdict, result.differences) == (Verdict.EQUAL, ())
    assert result.pairs > 10
    assert result.passes >= 1


@pytest.mark.parametrize(
    ("name", "edits"),
    [
        (
            "arc",
            (
                (
                    "\tif (store)\n\t\tflags |= FAULT_FLAG_WRITE;\n"
                    "\tif (user_mode(regs))\n\t\tflags |= FAULT_FLAG_USER;\n",
                    "\tif (user_mode(regs))\n\t\tflags |= FAULT_FLAG_USER;\n"
                    "\tif (store)\n\t\tflags |= FAULT_FLAG_WRITE;\n",
                ),
            ),
        ),
        ("arc", (("if (!(vma->vm_flags & mask))", "if ((vma->vm_flags & mask) == 0)"),)),
        ("arc", (("store ? VM_WRITE : VM_READ;", "VM_READ + store;"),)),
        ("arc", (("unsigned long address, struct pt_regs *regs)\n{\n\tstruct task",
                  "unsigned long addr, struct pt_regs *r)\n{\n\tunsigned long address = addr;\n"
                  "\tstruct pt_regs *regs = r;\n\tstruct task"),)),
        ("arc", (("\tif (!(vma->vm_flags & mask)) {",
                  "\tmight_sleep();\n\tif (!(vma->vm_flags & mask)) {"),)),
        ("arc", (("\ttsk->thread.fault_address = address;\n",
                  "\ttsk->thread.fault_address = 0;\n\ttsk->thread.fault_address = address;\n"),)),
    ],
)  # fmt: skip
def test_the_same_said_otherwise_is_equal(
    name: str, edits: tuple[Edit, ...], snippet: Snippet
) -> None:
    result = compare(snippet(name), snippet(name, *edits), accepted=frozenset())
    assert result.verdict is Verdict.EQUAL, comparison_text(result, reading())


UNLOCK = "\tmmap_read_unlock(mm);\nunlocked:"
PERF = "\tperf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address);\n"
MUTANTS: dict[str, tuple[str, Edit, DifferenceClass]] = {
    "double unlock": (
        "arc",
        (UNLOCK, "\tmmap_read_unlock(mm);\n" + UNLOCK),
        DifferenceClass.OTHER,
    ),
    "missing unlock": ("arc", (UNLOCK, "unlocked:"), DifferenceClass.OTHER),
    "lost USER": ("arc", ("flags |= FAULT_FLAG_USER;", ";"), DifferenceClass.OTHER),
    "lost WRITE": ("arc", ("flags |= FAULT_FLAG_WRITE;", ";"), DifferenceClass.OTHER),
    "lost TRIED": ("arc", ("flags |= FAULT_FLAG_TRIED;", ";"), DifferenceClass.OTHER),
    "= for |=": (
        "arc",
        ("flags |= FAULT_FLAG_WRITE;", "flags = FAULT_FLAG_WRITE;"),
        DifferenceClass.OTHER,
    ),
    "swapped si_code": (
        "arc",
        ("code = SEGV_ACCERR;", "code = SEGV_MAPERR;"),
        DifferenceClass.SIGNAL_CODE,
    ),
    "other BUS code": (
        "arc",
        ("code = BUS_ADRERR;", "code = BUS_OBJERR;"),
        DifferenceClass.SIGNAL_CODE,
    ),
    "perf dropped": ("arc", (PERF, ""), DifferenceClass.OTHER),
    "perf inside the loop": (
        "arc",
        (PERF + "again:\n", "again:\n" + PERF),
        DifferenceClass.OTHER,
    ),
    "fatal for plain signal_pending": (
        "arc",
        (
            "fault_signal_pending(fault, regs)",
            "((fault & VM_FAULT_RETRY) && fatal_signal_pending(current))",
        ),
        DifferenceClass.OTHER,
    ),
    "plain for fatal signal_pending": (
        "arc",
        (
            "fault_signal_pending(fault, regs)",
            "((fault & VM_FAULT_RETRY) && signal_pending(current))",
        ),
        DifferenceClass.OTHER,
    ),
    "livelock": (
        "arc",
        ("\t\tif (user_mode(regs))\n\t\t\treturn;\n\t\tgoto no_context;",
         "\t\treturn;"),
        DifferenceClass.OTHER,
    ),
    "dropped early exit": (
        "arc",
        ("if (!mm || faulthandler_disabled())", "if (!mm)"),
        DifferenceClass.OTHER,
    ),
    "OOM before KERN": (
        "arc",
        (
            "\tif (!user_mode(regs))\n\t\tgoto no_context;\n"
            "\tif (fault & VM_FAULT_OOM)\n\t\tgoto oom;",
            "\tif (fault & VM_FAULT_OOM)\n\t\tgoto oom;\n"
            "\tif (!user_mode(regs))\n\t\tgoto no_context;",
        ),
        DifferenceClass.OTHER,
    ),
    "lost thread field": (
        "arc",
        ("\ttsk->thread.fault_address = address;\n", ""),
        DifferenceClass.OTHER,
    ),
    "completed ignored": (
        "arc",
        ("\tif (fault & VM_FAULT_COMPLETED)\n\t\treturn;\n", ""),
        DifferenceClass.OTHER,
    ),
    "wider mask": (
        "arc",
        ("store ? VM_WRITE : VM_READ", "store ? VM_WRITE : VM_READ | VM_EXEC"),
        DifferenceClass.OTHER,
    ),
    "other address": (
        "arc",
        ("force_sig_fault(signo, code, (void __user *)address)",
         "force_sig_fault(signo, code, (void __user *)(address & ~3UL))"),
        DifferenceClass.OTHER,
    ),
    "new BUG": (
        "arc",
        ("\tsigno = SIGSEGV;\n",
         "\tif (fault & VM_FAULT_HWPOISON)\n\t\tBUG();\n\tsigno = SIGSEGV;\n"),
        DifferenceClass.OTHER,
    ),
    "wrong shift": (
        "arm64",
        ("hstate_index_to_shift(VM_FAULT_GET_HINDEX(fault))",
         "hstate_index_to_shift(VM_FAULT_GET_HINDEX(fault) + 1)"),
        DifferenceClass.OTHER,
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_wrong_is_seen(mutant: str, snippet: Snippet) -> None:
    name, edit, cls = MUTANTS[mutant]
    src, tgt = snippet(name), snippet(name, edit)
    result = compare(src, tgt, accepted=DEFAULT_ACCEPTED)
    assert result.verdict is Verdict.DIFFERS, comparison_text(result, reading())
    assert cls in {d.cls for d in result.differences}
    replays(result, src, tgt)


IMPROVED: dict[str, tuple[str, tuple[Edit, ...], DifferenceClass]] = {
    "the livelock": (
        "hexagon",
        (
            (
                "if (fault_signal_pending(outcome, regs))\n\t\treturn;",
                "if (fault_signal_pending(outcome, regs)) {\n\t\tif (!user_mode(regs))\n"
                "\t\t\tgoto kernel;\n\t\treturn;\n\t}",
            ),
        ),
        DifferenceClass.UACCESS_LIVELOCK,
    ),
    "the stale fault": (
        "arc",
        (("again:\n", "again:\n\tfault = VM_FAULT_SIGSEGV;\n"),),
        DifferenceClass.STALE_OUTCOME,
    ),
    "the reason of the oops": (
        "xtensa",
        (("else\n\t\t\tbad_page_fault(regs, address, SIGKILL);",
          "else\n\t\t\tbad_page_fault(regs, address, SIGSEGV);"),),
        DifferenceClass.OOPS_REASON,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", IMPROVED)
def test_what_meets_the_contract_is_explained(what: str, snippet: Snippet) -> None:
    name, edits, cls = IMPROVED[what]
    src, tgt = snippet(name), snippet(name, *edits)
    result = compare(src, tgt, accepted=DEFAULT_ACCEPTED)
    assert result.verdict is Verdict.EXPLAINED, comparison_text(result, reading())
    assert {d.cls for d in result.differences} == {cls}
    replays(result, src, tgt)
    rejected = compare(src, tgt, accepted=frozenset())
    assert rejected.verdict is Verdict.DIFFERS


@pytest.mark.parametrize("what", ["the livelock", "the stale fault"])
def test_the_other_way_round_is_other(what: str, snippet: Snippet) -> None:
    name, edits, _ = IMPROVED[what]
    result = compare(snippet(name, *edits), snippet(name), accepted=frozenset(DifferenceClass))
    assert result.verdict is Verdict.DIFFERS
    assert {d.cls for d in result.differences} == {DifferenceClass.OTHER}


def test_a_conversion_differs_by_what_the_original_got_wrong(snippet: Snippet) -> None:
    src = snippet("arc")
    (tgt,) = converted_arc()
    result = compare(src, tgt, accepted=DEFAULT_ACCEPTED)
    assert result.verdict is Verdict.EXPLAINED, comparison_text(result, reading())
    assert {d.cls for d in result.differences} == {DifferenceClass.STALE_OUTCOME}
    replays(result, src, tgt)


def test_an_effect_that_moves_over_the_mm_is_told(snippet: Snippet) -> None:
    """Each calls the same, once, with the same; one before handle_mm_fault(), one behind it."""
    asked = "\tfault = handle_mm_fault(vma, address, flags, regs);\n"
    effect = "\tsync_caches(address);\n"
    src, tgt = (snippet("arc", (asked, text)) for text in (effect + asked, asked + effect))
    found = compare(src, tgt, accepted=DEFAULT_ACCEPTED)
    assert found.verdict is Verdict.DIFFERS
    assert {d.cls for d in found.differences} == {DifferenceClass.OTHER}
    replays(found, src, tgt)


def test_a_conversion_gains_the_fast_path(snippet: Snippet) -> None:
    src = snippet("arc")
    sides = converted_arc(api=PER_VMA_LOCK)
    results = [compare(src, tgt, accepted=DEFAULT_ACCEPTED) for tgt in sides]
    assert [r.verdict for r in results] == [Verdict.EXPLAINED] * 2
    classes = [{d.cls for d in r.differences} for r in results]
    assert {DifferenceClass.STALE_OUTCOME} in classes
    assert {DifferenceClass.STALE_OUTCOME, DifferenceClass.FAST_PATH} in classes


def test_a_leak_on_the_fast_path_is_seen(snippet: Snippet) -> None:
    edit = (
        "\t\t\tvma_end_read(vma);\n\t\t\tcount_vm_vma_lock_event(VMA_LOCK_SUCCESS);\n",
        "",
    )
    results = [
        compare(snippet("arc"), tgt, accepted=DEFAULT_ACCEPTED).verdict
        for tgt in converted_arc(helper=(edit,), api=PER_VMA_LOCK)
    ]
    assert Verdict.DIFFERS in results


def test_a_side_without_its_entry_is_unsupported(snippet: Snippet) -> None:
    side = snippet("arc")
    lost = Side(side.program, "no_such_function", None, "arc.c")
    result = compare(side, lost, accepted=frozenset())
    assert result.verdict is Verdict.UNSUPPORTED
    assert "no_such_function" in result.notes[0]


def test_a_bound_that_is_reached_is_unknown(
    snippet: Snippet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codegen.targets.compare.pair.MAX_PAIRS", 20)
    side = snippet("arc")
    result = compare(side, side, accepted=frozenset())
    assert result.verdict is Verdict.UNKNOWN
    assert any("20" in note for note in result.notes)


def test_text_and_json_tell_both_traces(snippet: Snippet) -> None:
    src, tgt = snippet("arc"), snippet("arc", ("code = SEGV_ACCERR;", "code = SEGV_MAPERR;"))
    result = compare(src, tgt, accepted=DEFAULT_ACCEPTED)
    text = comparison_text(result, reading())
    assert text.startswith("DIFFERS  ")
    assert "signal-code: the same signal" in text
    assert "scenario: " in text
    data = comparison_json(result, reading())
    assert data["verdict"] == "DIFFERS"
    (difference,) = data["differences"]
    assert difference["class"] == "signal-code"
    assert difference["mode"] == "user"
    assert difference["outcome"] == "access_denied"
    mine, theirs = (
        [e["args"] for e in difference[side] if e["kind"] == "signal"] for side in ("src", "tgt")
    )
    assert [(a[0], a[1]) for a in (*mine, *theirs)] == [
        ("SIGSEGV", "SEGV_ACCERR"),
        ("SIGSEGV", "SEGV_MAPERR"),
    ]


def unequal(tree: Path) -> dict[str, Verdict]:
    """The handlers of a tree that are not equal to themselves."""
    verdicts = {
        arch: compare(side, side, accepted=frozenset()).verdict for arch, side in tree_sides(tree)
    }
    assert len(verdicts) >= 20
    return {arch: verdict for arch, verdict in verdicts.items() if verdict is not Verdict.EQUAL}


def test_every_handler_of_6_1_is_equal_to_itself(kernel_61: Path) -> None:
    assert unequal(kernel_61) == {}


def test_every_handler_of_6_12_is_equal_to_itself(kernel_612: Path) -> None:
    assert unequal(kernel_612) == {}


def test_a_later_release_has_no_livelock(kernel_61: Path, kernel_612: Path) -> None:
    before, after = dict(tree_sides(kernel_61)), dict(tree_sides(kernel_612))
    for arch in ("hexagon", "m68k", "nios2", "openrisc", "parisc"):
        result = compare(before[arch], after[arch], accepted=frozenset())
        assert {d.cls for d in result.differences} == {DifferenceClass.UACCESS_LIVELOCK}


# What would be accepted if it were what its class is named after, and is not.
NO_BETTER: dict[str, tuple[str, tuple[Edit, ...]]] = {
    "a text that src never gives": ("arc", (('die("Oops"', 'die("Page fault"'),)),
    "a reason that src never gives": (
        "xtensa",
        (("else\n\t\t\tbad_page_fault(regs, address, SIGKILL);",
          "else\n\t\t\tbad_page_fault(regs, address, SIGBUS + 1);"),),
    ),
    "a livelock that ends in something else": (
        "hexagon",
        (("if (fault_signal_pending(outcome, regs))\n\t\treturn;",
          "if (fault_signal_pending(outcome, regs)) {\n\t\tif (!user_mode(regs))\n"
          "\t\t\tcurrent->thread.x = 1;\n\t\treturn;\n\t}"),),
    ),
    "a perf event with no registers": (
        "arc",
        ((PERF, PERF.replace("regs", "NULL")),),
    ),
    "a perf event of another address": (
        "arc",
        ((PERF, PERF.replace("address", "address + 1")),),
    ),
    "a lock got without registers": (
        "arc",
        (("lock_mm_and_find_vma(mm, address, regs)", "lock_mm_and_find_vma(mm, address, NULL)"),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", NO_BETTER)
def test_what_only_looks_like_an_accepted_class_is_not_let_through(
    what: str, snippet: Snippet
) -> None:
    name, edits = NO_BETTER[what]
    result = compare(snippet(name), snippet(name, *edits), accepted=DEFAULT_ACCEPTED)
    assert result.verdict is Verdict.DIFFERS, comparison_text(result, reading())


@pytest.mark.parametrize(
    "condition", ["!user_mode(regs)", "user_mode(regs) && store", "1", "0", "store"]
)
def test_a_wrong_mode_does_not_empty_the_world(condition: str, snippet: Snippet) -> None:
    """FAULT_FLAG_USER set under another condition: that is no other name for user mode."""
    src = snippet("arc")
    tgt = snippet("arc", ("if (user_mode(regs))\n\t\tflags", f"if ({condition})\n\t\tflags"))
    result = compare(src, tgt, accepted=DEFAULT_ACCEPTED)
    assert result.verdict is Verdict.DIFFERS, comparison_text(result, reading())
    back = compare(tgt, src, accepted=frozenset())
    assert back.verdict is Verdict.DIFFERS, comparison_text(back, reading())
