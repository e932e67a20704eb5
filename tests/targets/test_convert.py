# SPDX-License-Identifier: GPL-2.0-only
"""The conversion: goldens of our own snippets, traces before and after, properties of real ones.

`pytest tests/targets/test_convert.py --update-goldens` writes the goldens anew.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from codegen.base.diagnostics import Refusal, RefusalCode
from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.csyntax.edit import apply_edits
from codegen.csyntax.identifiers import UseKind, uses_of, words_in
from codegen.csyntax.nodes import StatementKind
from codegen.csyntax.parse import parse
from codegen.frontend.constants import merge, tree_constants
from codegen.ir.environment import Outcome, Plan
from codegen.ir.load import Unit, load_unit
from codegen.ir.machine import Machine
from codegen.ir.printer import term_text
from codegen.ir.program import Program
from codegen.ir.solver import PathSolver
from codegen.ir.trace import EventKind
from codegen.ir.vocabulary import load
from codegen.tables.mode import find_mode
from codegen.targets.c.convert import Conversion, convert_handler
from codegen.targets.c.helper import read_mm_api, render_helper
from codegen.targets.c.nodes import DEFAULT_MM_API, HELPER_C, HelperResult, MmApi
from codegen.targets.c.source import declarators, every

CASES = Path(__file__).resolve().parents[1] / "cases" / "convert"
SNIPPETS = sorted(p.stem for p in data_dir("kernel_snippets").glob("*.c"))

# The enumerators of include/linux/generic_fault.h, and a page size for their arithmetic.
RESULTS = {name: value for value, name in enumerate(HelperResult)} | {
    HelperResult.POISON.value: 256,
    "PAGE_SHIFT": 12,
}


@cache
def constants(tree: Path | None = None) -> Mapping[str, int]:
    known = load().constants if tree is None else merge(load().constants, tree_constants(tree))
    return {**known, **{str(name): value for name, value in RESULTS.items()}}


def handler_of(unit: Unit) -> str:
    for variant in unit.variants:
        for found in variant.found:
            if found.role.value == "handler":
                return found.function
    raise AssertionError(f"no handler in {unit.source.path}")


@cache
def snippet(name: str) -> Unit:
    path = data_dir("kernel_snippets") / f"{name}.c"
    return load_unit(SourceText.from_bytes(path.name, path.read_bytes()), constants())


@cache
def real(tree: Path, path: str) -> Unit:
    return load_unit(SourceText.from_bytes(path, (tree / path).read_bytes()), constants(tree))


def diff(before: SourceText, after: SourceText) -> str:
    lines = difflib.unified_diff(
        before.text.splitlines(True),
        after.text.splitlines(True),
        f"a/{before.path}",
        f"b/{after.path}",
    )
    return "".join(lines)


# -- goldens ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SNIPPETS)
def test_snippets_convert_as_they_did(name: str, update_goldens: bool) -> None:
    unit = snippet(name)
    result = convert_handler(unit, handler_of(unit), DEFAULT_MM_API)
    match result:
        case Refusal():
            text = f"{result}\n"
        case Conversion():
            notes = "".join(f"note: {note}\n" for note in result.notes)
            text = notes + diff(unit.source, result.source)
    golden = CASES / f"{name}.diff"
    if update_goldens:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


# -- behaviour ----------------------------------------------------------------------

# What the contract itself decides, and the events that belong to the helper.
_HELPERS_OWN = {
    EventKind.LOCK,
    EventKind.UNLOCK,
    EventKind.LOCK_WAIT,
    EventKind.VMA_LOCK,
    EventKind.VMA_UNLOCK,
    EventKind.ACCOUNTING,
}
_USER_OUTCOMES = (
    *(Outcome.NO_VMA, Outcome.ACCESS_DENIED, Outcome.OOM, Outcome.SIGSEGV, Outcome.SIGBUS),
    *(Outcome.SIGNAL_PENDING, Outcome.COMPLETED, Outcome.SUCCESS),
)


def traces(program: Program, function: str, outcome: Outcome, mode: bool) -> set[object]:
    """What the first pass does, of every path that meets the outcome."""
    found: set[object] = set()
    solver = PathSolver()
    condition = find_mode(program, function, function, solver)
    plan = Plan(mode=mode, outcome=outcome, passes=1)
    for path in Machine(program, function, plan, mode=condition).run():
        if path.outcome is not outcome:
            continue
        events = []
        for event in path.trace:
            if event.kind in _HELPERS_OWN:
                continue
            args = event.args
            if event.kind is EventKind.WRITE:
                args = args[:1]
            elif event.kind is EventKind.FAULT:
                # In the same page, so the address may differ.
                args = args[2:3]
            events.append((event.kind, event.name, tuple(term_text(a) for a in args)))
        value = None if path.value is None else term_text(path.value)
        found.add((tuple(events), path.end, value))
    return found


def compared(unit: Unit, api: MmApi, known: Mapping[str, int]) -> Iterator[tuple[Outcome, bool]]:
    """The outcomes and modes in which a handler and its conversion do not do the same."""
    function = handler_of(unit)
    result = convert_handler(unit, function, api)
    assert isinstance(result, Conversion), result
    library = SourceText(HELPER_C, render_helper(api).c)
    after = load_unit(result.source, known, library=library)
    assert not after.refusals
    before = next(v for v in unit.variants if any(f.function == function for f in v.found))
    setting = before.configurations[0].settings
    variant = next(
        v
        for v in after.variants
        for c in v.configurations
        if all(c.settings.get(n, setting[n]) == setting[n] for n in setting)
        and function in v.program.functions
    )
    for outcome in _USER_OUTCOMES:
        for mode in (True, False):
            old = traces(before.program, function, outcome, mode)
            assert old, (outcome, mode)
            if old != traces(variant.program, function, outcome, mode):
                yield outcome, mode


# (outcome, user mode) that the contract changes: signals in kernel mode, BUG() in kernel mode,
# a fatal signal that just returned, work before OOM, the panic in a switch.
ACCEPTED: Mapping[str, set[tuple[Outcome, bool]]] = {
    "arc": set(),
    "arm": set(),
    "arm64": set(),
    "vendor": set(),
    "alpha": {(Outcome.SIGBUS, False), (Outcome.SIGNAL_PENDING, False)},
    "hexagon": {(Outcome.SIGNAL_PENDING, False)},
}


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_a_converted_snippet_does_the_same(name: str) -> None:
    assert set(compared(snippet(name), DEFAULT_MM_API, constants())) <= ACCEPTED[name]


# -- single constructs --------------------------------------------------------------

HANDLER = """\
#include <linux/mm.h>
#include <linux/perf_event.h>

void toy_fault(struct pt_regs *regs, unsigned long ea, long cause)
{
	int why = SEGV_MAPERR;
	unsigned int how = FAULT_FLAG_DEFAULT;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t got;

	if (!mm || faulthandler_disabled())
		goto beyond_help;
	if (user_mode(regs))
		how |= FAULT_FLAG_USER;
	perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, ea);
once_more:
	vma = lock_mm_and_find_vma(mm, ea, regs);
	if (!vma)
		goto nothing_locked;
	why = SEGV_ACCERR;
@CHECK@
	got = handle_mm_fault(vma, ea, how, regs);
	if (fault_signal_pending(got, regs)) {
		if (user_mode(regs))
			return;
		goto beyond_help;
	}
	if (got & VM_FAULT_COMPLETED)
		return;
	if (got & VM_FAULT_RETRY) {
		how |= FAULT_FLAG_TRIED;
		goto once_more;
	}
	mmap_read_unlock(mm);
	if (!(got & VM_FAULT_ERROR))
		return;
	if (!user_mode(regs))
		goto beyond_help;
	if (got & VM_FAULT_OOM) {
		pagefault_out_of_memory();
		return;
	}
@MAP@
	return;
turned_away:
	mmap_read_unlock(mm);
nothing_locked:
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, why, (void __user *)ea);
		return;
	}
beyond_help:
	if (!fixup_exception(regs))
		die("toy", regs, cause);
}
"""
CHECK = "\tif (!(vma->vm_flags & VM_READ))\n\t\tgoto turned_away;"
MAP = """\
	if (got & VM_FAULT_SIGBUS)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)ea);
	else
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)ea);"""


def convert(check: str = CHECK, map_: str = MAP) -> Conversion | Refusal:
    text = HANDLER.replace("@CHECK@", check).replace("@MAP@", map_)
    unit = load_unit(SourceText("arch/x/mm/fault.c", text), constants())
    return convert_handler(unit, "toy_fault", DEFAULT_MM_API)


def converted(check: str = CHECK, map_: str = MAP) -> str:
    result = convert(check, map_)
    assert isinstance(result, Conversion), result
    return result.source.text


def test_a_mask_that_is_one_constant_is_an_argument() -> None:
    text = converted()
    assert "res = generic_fault(ea, how, VM_READ, regs);" in text
    assert "mask" not in text
    assert "res == GFAULT_ACCERR ? SEGV_ACCERR : SEGV_MAPERR" in text


def test_no_check_at_all_is_a_mask_of_all_ones() -> None:
    assert "generic_fault(ea, how, ~0UL, regs)" in converted("\tcond_resched();")


def test_a_denial_without_a_check_is_mask_0() -> None:
    text = converted(f"\tif (cause == CAUSE_SUPER)\n\t\tgoto turned_away;\n{CHECK}")
    assert "if (cause == CAUSE_SUPER)\n\t\tmask = 0;\n\telse\n\t\tmask = VM_READ;\n" in text


def test_a_condition_beside_the_check_becomes_an_arm() -> None:
    text = converted(
        "\tif (!(vma->vm_flags & VM_EXEC) && cause == CAUSE_FETCH)\n\t\tgoto turned_away;\n"
        "\tif (cause != CAUSE_FETCH && !(vma->vm_flags & VM_READ))\n\t\tgoto turned_away;"
    )
    chain = "if (cause == CAUSE_FETCH)\n\t\tmask = VM_EXEC;\n\telse\n\t\tmask = VM_READ;\n"
    assert chain in text


@pytest.mark.parametrize(
    ("check", "code"),
    [
        ("\tif ((vma->vm_flags & (VM_READ | VM_WRITE)) != (VM_READ | VM_WRITE))", "not-a-mask"),
        ("\tif (vma->vm_flags & VM_PFNMAP)", "not-a-mask"),
        ("\tif (!arch_vma_access_permitted(vma, cause, 0, 0))", "not-a-mask"),
        ("\tif (!(vma->vm_flags & VM_READ) || !(vma->vm_flags & VM_WRITE))", "not-a-mask"),
        ("\tif (!pgprot_val(vma->vm_page_prot))", "not-a-mask"),
    ],
)
def test_what_is_no_mask_is_refused(check: str, code: str) -> None:
    result = convert(f"{check}\n\t\tgoto turned_away;")
    assert isinstance(result, Refusal), result.source.text
    assert result.code == code
    assert result.line > 1
    assert result.construct


@pytest.mark.parametrize(
    ("old", "new", "reason", "construct"),
    [
        (
            "\tif (user_mode(regs))\n\t\thow |= F",
            "\thow |= F",
            "under one test",
            "how |= FAULT_FLAG_",
        ),
        ("handle_mm_fault(vma, ea, how,", "handle_mm_fault(vma, ea, 0,", "no local", "handle_mm"),
    ],
)
def test_why_the_mode_is_not_known(old: str, new: str, reason: str, construct: str) -> None:
    text = HANDLER.replace("@CHECK@", CHECK).replace("@MAP@", MAP)
    assert old in text
    text = text.replace(old, new)
    if "no local" in reason:
        lines = text.splitlines(True)
        text = "".join(line for line in lines if "how" not in line and "FAULT_FLAG" not in line)
    unit = load_unit(SourceText("arch/x/mm/fault.c", text), constants())
    result = convert_handler(unit, "toy_fault", DEFAULT_MM_API)
    assert isinstance(result, Refusal)
    assert reason in result.reason
    assert result.construct.startswith(construct)
    assert result.line > 2


def test_the_outcome_itself_cannot_be_handed_on() -> None:
    result = convert(map_="\treport_fault(regs, got);")
    assert isinstance(result, Refusal)
    assert (result.code, result.construct) == (RefusalCode.SHAPE, "got")


def test_bug_stays_bug() -> None:
    text = converted(
        map_="\tif (got & VM_FAULT_SIGBUS) {\n"
        "\t\tforce_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)ea);\n\t\treturn;\n\t}\n"
        "\tBUG();"
    )
    assert "if (res == GFAULT_SIGSEGV || res >= GFAULT_POISON)\n\t\tBUG();\n" in text


def test_lines_that_end_in_cr_lf_are_refused() -> None:
    text = HANDLER.replace("@CHECK@", CHECK).replace("@MAP@", MAP).replace("\n", "\r\n")
    unit = load_unit(SourceText("arch/x/mm/fault.c", text), constants())
    result = convert_handler(unit, "toy_fault", DEFAULT_MM_API)
    assert isinstance(result, Refusal)
    assert "CR LF" in result.reason


@pytest.mark.parametrize("name", ["arc", "arm64", "vendor"])
def test_a_second_conversion_is_refused(name: str) -> None:
    unit = snippet(name)
    function = handler_of(unit)
    first = convert_handler(unit, function, DEFAULT_MM_API)
    assert isinstance(first, Conversion)
    again = convert_handler(load_unit(first.source, constants()), function, DEFAULT_MM_API)
    assert isinstance(again, Refusal)
    assert again.code is RefusalCode.CONVERTED


# -- properties, of snippets and of the real handlers ---------------------------------


def assert_well_made(unit: Unit, result: Conversion) -> None:
    """Nothing is left of the dance, nothing is unused, nothing else is touched."""
    before, after = unit.source, result.source
    function = handler_of(unit)
    assert apply_edits(before, result.edits) == after.text
    tree = parse(after)
    for handler in tree.functions:
        if handler.name != function or "generic_fault(" not in after.slice(handler.body):
            continue
        words = words_in(tree, handler.body)
        for word in ("handle_mm_fault", "lock_mm_and_find_vma", "mmap_read_unlock", "find_vma"):
            assert word not in words
        statements = list(every(tree.statements_in(handler)))
        for s in statements:
            if s.kind is StatementKind.DECLARATION:
                for d in declarators(tree, s):
                    assert len(uses_of(tree, d.name, handler.body, directives=True)) > 1, d.name
            if s.kind is StatementKind.LABEL and s.label:
                uses = uses_of(tree, s.label, handler.body)
                assert len([u for u in uses if u.kind is UseKind.LABEL]) > 1, s.label
    for f in tree.functions:
        if f.is_static and len(uses_of(parse(before), f.name)) > 1:
            assert len(uses_of(tree, f.name, directives=True)) > 1, f.name
    for line in after.text.splitlines():
        assert len(line.expandtabs(8)) <= 100 or line in before.text, line
        assert line == line.rstrip() or line in before.text, line
    assert "\n\n\n" not in after.text or "\n\n\n" in before.text
    # All that is new stands in one place, but for declarations and the include.
    added = [e for e in result.edits if e.replacement.strip()]
    start = next(f.body.start for f in unit.tree.functions if f.name == function)
    assert all(e.span.start >= start or "#include" in e.replacement for e in added)


@pytest.mark.parametrize("name", SNIPPETS)
def test_snippets_are_well_made(name: str) -> None:
    unit = snippet(name)
    result = convert_handler(unit, handler_of(unit), DEFAULT_MM_API)
    if isinstance(result, Conversion):
        assert_well_made(unit, result)


# The least that has to go, the most that may come.
LINES = {
    "alpha/mm/fault.c": (70, 25),
    "arc/mm/fault.c": (80, 22),
    "arm/mm/fault.c": (78, 16),
    "arm64/mm/fault.c": (80, 14),
    "csky/mm/fault.c": (110, 32),
    "hexagon/mm/vm_fault.c": (65, 24),
    "loongarch/mm/fault.c": (80, 23),
    "nios2/mm/fault.c": (82, 29),
    "riscv/mm/fault.c": (135, 35),
    "sh/mm/fault.c": (150, 34),
    "sparc/mm/fault_32.c": (80, 26),
    "xtensa/mm/fault.c": (95, 28),
}
REFUSED = {
    "ia64/mm/fault.c": RefusalCode.GROWSUP,
    "parisc/mm/fault.c": RefusalCode.GROWSUP,
    "m68k/mm/fault.c": RefusalCode.SHAPE,
    "microblaze/mm/fault.c": RefusalCode.SHAPE,
    "openrisc/mm/fault.c": RefusalCode.SHAPE,
    "mips/mm/fault.c": RefusalCode.NOT_A_MASK,
    "powerpc/mm/fault.c": RefusalCode.NOT_A_MASK,
    "x86/mm/fault.c": RefusalCode.NOT_A_MASK,
}


def lines_changed(unit: Unit, result: Conversion) -> tuple[int, int]:
    lines = diff(unit.source, result.source).splitlines()[2:]
    return sum(x.startswith("-") for x in lines), sum(x.startswith("+") for x in lines)


@pytest.mark.parametrize("path", sorted(LINES))
def test_handlers_of_6_1_convert(path: str, kernel_61: Path) -> None:
    unit = real(kernel_61, f"arch/{path}")
    result = convert_handler(unit, handler_of(unit), read_mm_api(kernel_61))
    assert isinstance(result, Conversion), result
    assert_well_made(unit, result)
    gone, new = lines_changed(unit, result)
    assert gone >= LINES[path][0]
    assert new <= LINES[path][1]


@pytest.mark.parametrize("path", sorted(REFUSED))
def test_handlers_of_6_1_are_refused_with_a_reason(path: str, kernel_61: Path) -> None:
    unit = real(kernel_61, f"arch/{path}")
    result = convert_handler(unit, handler_of(unit), read_mm_api(kernel_61))
    assert isinstance(result, Refusal)
    assert result.code is REFUSED[path]
    assert result.construct
    assert re.search(r"\w+ \w+", result.reason)


@pytest.mark.parametrize("path", sorted([*LINES, "s390/mm/fault.c"]))
def test_handlers_of_6_12_convert(path: str, kernel_612: Path) -> None:
    unit = real(kernel_612, f"arch/{path}")
    result = convert_handler(unit, handler_of(unit), read_mm_api(kernel_612))
    if path == "arm64/mm/fault.c":
        # It checks a protection key, which the helper cannot carry.
        assert isinstance(result, Refusal)
        assert result.code is RefusalCode.NOT_A_MASK
        return
    assert isinstance(result, Conversion), result
    assert_well_made(unit, result)


def test_arc_and_arm64_of_6_1_do_the_same(kernel_61: Path) -> None:
    api = read_mm_api(kernel_61)
    for path in ("arch/arc/mm/fault.c", "arch/arm64/mm/fault.c"):
        assert not set(compared(real(kernel_61, path), api, constants(kernel_61)))


def test_arc_of_6_1_is_as_short_as_by_hand(kernel_61: Path) -> None:
    unit = real(kernel_61, "arch/arc/mm/fault.c")
    result = convert_handler(unit, handler_of(unit), read_mm_api(kernel_61))
    assert isinstance(result, Conversion)
    text = result.source.text
    order = ["mask = VM_READ;", "{\t/* ST/EX */", "generic_fault(", "GFAULT_FOAD)", "no_context:"]
    places = [text.rindex(piece) for piece in order]
    assert places == sorted(places)
    assert text.count("no_context:") == 1
    for word in ("write", "exec", "sig", "si_code", "vma", "got"):
        assert not uses_of(parse(result.source), word)
