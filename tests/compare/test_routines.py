# SPDX-License-Identifier: GPL-2.0-only
"""Inside the routines that are one step of the trace: planted wrongs are seen there, too."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from codegen.base.spans import SourceText
from codegen.frontend.constants import merge, tree_constants
from codegen.ir.handler import HandlerRole
from codegen.ir.load import Unit, load_routine, load_unit
from codegen.ir.shape import shape_of
from codegen.ir.vocabulary import load
from codegen.targets.compare.nodes import Comparison, DifferenceClass, Side, Verdict
from codegen.targets.compare.scenario import agree, replay
from codegen.targets.compare.sides import compare_units

from .conftest import Edit, edited

HANDLER = """\
static const int limits[] = { 1, 2, 3 };
static int limit = 4;
#define FIRST (limits[0])

static void tell(struct pt_regs *regs, unsigned long address)
{
	pr_alert("at %lx\\n", address);
	show_regs(regs);
}

static int synced(unsigned long address)
{
	pgd_t *pgd = pgd_offset(current->active_mm, address);

	if (pgd_none(*pgd))
		return 0;
	set_pgd(pgd, init_pgd(address));
	return FIRST;
}

static int walked(unsigned long address)
{
	unsigned long i;

	for (i = 0; i < address; i++) {
		if (probed(i))
			return 0;
	}
	return 1;
}

static void no_context(struct pt_regs *regs, unsigned long address)
{
#ifdef CONFIG_LOUD
	pr_debug("no context\\n");
#endif
	if (fixup_exception(regs))
		return;
	tell(regs, address);
	die("Oops", regs, address);
}

void do_page_fault(struct pt_regs *regs, unsigned long address)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t fault;

	if (address >= TASK_SIZE && !user_mode(regs)) {
		if (synced(address) && walked(address))
			return;
		no_context(regs, address);
		return;
	}
	on_each_cpu(tell);
	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
again:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (vma) {
		fault = handle_mm_fault(vma, address, flags, regs);
		if ((fault & VM_FAULT_COMPLETED) || fault_signal_pending(fault, regs))
			return;
		if (!(fault & VM_FAULT_RETRY)) {
			mmap_read_unlock(mm);
			return;
		}
		flags |= FAULT_FLAG_TRIED;
		goto again;
	}
	if (user_mode(regs)) {
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)address);
		return;
	}
	no_context(regs, address);
}
"""
FIXUP = "\tif (fixup_exception(regs))\n\t\treturn;\n"
SYNCED = "\tif (pgd_none(*pgd))\n\t\treturn 0;\n"


def own(*edits: Edit, fixed: Mapping[str, str | None] | None = None) -> Unit:
    """The handler of this page, edited."""
    return load_unit(SourceText("f.c", edited(HANDLER, edits)), load().constants, fixed)


def compared(src: Unit, tgt: Unit) -> Comparison:
    """Both over every configuration, nothing accepted."""
    found = (f for v in src.variants for f in v.found if f.role is HandlerRole.HANDLER)
    return compare_units(src, tgt, next(found).function, frozenset())


def replays(c: Comparison, src: Unit, tgt: Unit) -> None:
    """Each difference inside a routine is seen again when both sides' routines run."""
    for d in c.differences:
        if d.inside is None:
            continue
        assert [s.function for s in d.selections] == [d.inside] * 2
        sides = []
        for unit, selection in zip((src, tgt), d.selections, strict=True):
            chosen = dict(selection.settings)
            variant = next(
                v
                for v in load_routine(unit, d.inside)
                if d.inside in v.program.functions
                and any(
                    all(
                        c.settings.get(n, "") is not None if on else c.settings.get(n) is None
                        for n, on in chosen.items()
                    )
                    for c in v.configurations
                )
            )
            sides.append(Side(variant.program, d.inside, None, unit.source.path))
        params = tuple(p.name for p in sides[0].program.functions[d.inside].params)
        one, two = (replay(side, params, d.scenario) for side in sides)
        assert one is not None
        assert two is not None
        assert not agree(one, two), d


@pytest.mark.parametrize(
    ("edits", "inside", "modes"),
    [
        ((("if (fixup_exc", "if (!fixup_exc"),), "no_context", {"kernel"}),
        ((("pr_debug(", "pr_alert("),), "no_context", {"kernel"}),
        # What a routine of a routine does.
        ((("show_regs(regs);", "show_regs(NULL);"),), "tell", {"kernel", "user"}),
        (((SYNCED, ""),), "synced", {"kernel"}),
        ((("set_pgd(pgd,", "set_pgd(pgd + 1,"),), "synced", {"kernel"}),
        ((("return FIRST;", "return !FIRST;"),), "synced", {"kernel"}),
        ((("(limits[0])", "(limits[1])"),), "synced", {"kernel"}),
    ],
)  # fmt: skip
def test_a_wrong_inside_a_routine_is_seen(
    edits: tuple[Edit, ...], inside: str, modes: set[str]
) -> None:
    src, tgt = own(), own(*edits)
    c = compared(src, tgt)
    assert c.verdict is Verdict.DIFFERS, c
    assert {(d.cls, d.inside, d.outcome) for d in c.differences} == {
        (DifferenceClass.OTHER, inside, None)
    }
    assert {d.mode for d in c.differences} == modes
    assert all(f"inside {inside}()" in d.explanation and d.line > 1 for d in c.differences)
    replays(c, src, tgt)


def test_a_conditional_inside_a_routine_tells_its_configurations_apart() -> None:
    """The handler itself has one configuration; the command that replays fixes the routine's."""
    c = compared(own(), own(('"no context\\n"', '"none\\n"')))
    assert [d.selections[0].settings for d in c.differences] == [(("CONFIG_LOUD", True),)]
    quiet = {"CONFIG_LOUD": None}
    c = compared(own(fixed=quiet), own(('"no context\\n"', '"none\\n"'), fixed=quiet))
    assert c.verdict is Verdict.EQUAL


@pytest.mark.parametrize(
    "edits",
    [
        (),
        (("\tif (pgd_none(*pgd))", "\t/* nothing there */\n\tif (pgd_none(*pgd))"),),
        (("unsigned long i;", "unsigned long k;"), ("i = 0", "k = 0"), ("i < ad", "k < ad"),
         ("i++", "k++"), ("probed(i)", "probed(k)")),
        # Restructured: the arms the other way round, an early return, a label.
        (
            (
                FIXUP + "\ttell(regs, address);\n\tdie(\"Oops\", regs, address);\n",
                "\tif (!fixup_exception(regs)) {\n\t\ttell(regs, address);\n"
                "\t\tdie(\"Oops\", regs, address);\n\t}\n",
            ),
        ),
        (
            (
                SYNCED + "\tset_pgd(pgd, init_pgd(address));\n\treturn FIRST;\n",
                "\tif (!pgd_none(*pgd)) {\n\t\tset_pgd(pgd, init_pgd(address));\n"
                "\t\tgoto out;\n\t}\n\treturn 0;\nout:\n\treturn FIRST;\n",
            ),
        ),
        # Where it stands does not matter, nor what nobody uses.
        (("static int limit = 4;", "static int limit = 5;"),),
    ],
)  # fmt: skip
def test_the_same_said_otherwise_inside_a_routine_is_equal(edits: tuple[Edit, ...]) -> None:
    c = compared(own(), own(*edits))
    assert (c.verdict, c.notes) == (Verdict.EQUAL, ())


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        # Data is not looked into; a loop does not come to rest.
        ((("{ 1, 2, 3 }", "{ 0, 2, 3 }"),), "f.c:1: limits has another value"),
        ((("i < address", "i <= address"),), "inside walked() (f.c:21): kernel mode: a path of"),
        # What the compiler would find in another file now, and a routine that cannot be read.
        ((("static void tell(struct pt_regs *regs, unsigned long address)\n{\n"
           "\tpr_alert(\"at %lx\\n\", address);\n\tshow_regs(regs);\n}\n",
           "void tell(struct pt_regs *regs, unsigned long address);\n"),),
         "f.c:5: tell() is not in the other file"),
        ((("\tpr_debug(\"no context\\n\");\n", "\tbreak;\n"),),
         "inside no_context() (f.c:32): f.c:35: unreadable"),
    ],
)  # fmt: skip
def test_what_cannot_be_decided_inside_a_routine_is_unknown(
    edits: tuple[Edit, ...], told: str
) -> None:
    c = compared(own(), own(*edits))
    assert c.verdict is Verdict.UNKNOWN, c
    assert any(note.startswith(told) for note in c.notes), c.notes


def test_a_lost_test_for_null_is_not_equal() -> None:
    """src answers where a pointer is NULL; tgt reads through it, which is no way at all."""
    tested = ("return FIRST;", "{ struct page *p = found(address);\n\tif (!p)\n\t\treturn 0;\n"
              "\treturn p->state; }")  # fmt: skip
    untested = (tested[0], tested[1].replace("\tif (!p)\n\t\treturn 0;\n", ""))
    c = compared(own(tested), own(untested))
    assert c.verdict is not Verdict.EQUAL, c
    assert compared(own(untested), own(tested)).verdict is Verdict.EQUAL


@pytest.mark.parametrize(
    ("arch", "edit", "inside"),
    [
        ("xtensa", ("pgd_val(*pgd) = pgd_val(*pgd_k);", "pgd_val(*pgd) = 0;"), "vmalloc_fault"),
        ("xtensa", ("if (!pmd_present(*pmd) || ", "if (!pmd_present(*pmd) && "), "vmalloc_fault"),
        ("riscv", ("if (fixup_exception(regs))\n\t\treturn;", ""), "no_context"),
        ("riscv", ("bust_spinlocks(1);", ""), "die_kernel_fault"),
        ("arm", ("if (fixup_exception(regs))\n\t\treturn;", ""), "__do_kernel_fault"),
        ("arc", ("if (!pud_present(*pud))", "if (pud_present(*pud))"), "handle_kernel_vaddr_fault"),
        ("sh", ("set_pud(pud, *pud_k);", ""), "vmalloc_sync_one"),
        ("microblaze", ("regs->pc = fixup->fixup;", ""), "bad_page_fault"),
    ],
)  # fmt: skip
def test_a_wrong_inside_a_routine_of_a_real_kernel_is_seen(
    kernel_61: Path, arch: str, edit: Edit, inside: str
) -> None:
    path = kernel_61 / f"arch/{arch}/mm/fault.c"
    constants = merge(load().constants, tree_constants(kernel_61))
    text = SourceText.from_bytes(f"arch/{arch}/mm/fault.c", path.read_bytes()).text
    options = ("CONFIG_MMU", "CONFIG_ARM_LPAE", "CONFIG_DEBUG_USER", "CONFIG_KUSER_HELPERS")
    fixed = dict.fromkeys(options, "1")
    src = load_unit(SourceText("fault.c", text), constants, fixed)
    tgt = load_unit(SourceText("fault.c", edited(text, (edit,))), constants, fixed)
    c = compared(src, tgt)
    assert c.verdict is Verdict.DIFFERS
    assert {d.inside for d in c.differences} == {inside}
    replays(c, src, tgt)


def test_shapes_tell_functions_apart_but_for_the_names_of_locals() -> None:
    def shape(*edits: Edit) -> object:
        return shape_of(own(*edits).variants[0].program.functions["walked"])

    assert shape() == shape(("unsigned long i;", "unsigned long k;"), ("i = 0", "k = 0"),
                            ("i < ad", "k < ad"), ("i++", "k++"), ("ed(i)", "ed(k)"))  # fmt: skip
    assert shape() != shape(("i < address", "i <= address"))
    assert shape() != shape(("unsigned long i;", "int i;"))
    assert shape() != shape(("i++", "i += 2"))
    assert shape() != shape(("probed(i)", "probed(address)"))
    assert shape() != shape(("return 1;", "return 2;"))
