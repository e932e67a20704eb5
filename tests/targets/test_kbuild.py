# SPDX-License-Identifier: GPL-2.0-only
"""Makefiles and Kconfig files: when a file is built, and adding a line in a file's own order."""

import pytest

from codegen.targets.c.kbuild import built_when, with_object
from codegen.targets.c.kconfig import architecture_entry, entries, with_entry, with_select
from codegen.targets.c.series import ConvertedHandler, called_when

TREES = {
    "always": ({"arch/a/mm/Makefile": "obj-y := init.o fault.o\n"}, ()),
    "by symbol": ({"arch/a/mm/Makefile": "obj-$(CONFIG_MMU) += fault.o x.o\n"}, ("MMU",)),
    "continued": ({"arch/a/mm/Makefile": "obj-$(CONFIG_MMU) += x.o \\\n\tfault.o\n"}, ("MMU",)),
    "only a comment": ({"arch/a/mm/Makefile": "# obj-$(CONFIG_X) += fault.o\nobj-y = y.o\n"}, ()),
    "through a list": (
        {"arch/a/mm/Makefile": "mmu-y := no.o\nmmu-$(CONFIG_MMU) := fault.o\nobj-y += $(mmu-y)\n"},
        ("MMU",),
    ),
    "composite object": (
        {"arch/a/mm/Makefile": "paging-y := fault.o\nobj-$(CONFIG_PAGING) += paging.o\n"},
        ("PAGING",),
    ),
    "in a conditional": (
        {"arch/a/mm/Makefile": "ifeq ($(CONFIG_MMU),y)\nobj-y += fault.o\nendif\nobj-y += b.o\n"},
        ("MMU",),
    ),
    "in an else": (
        {"arch/a/mm/Makefile": "ifdef CONFIG_NOMMU\nobj-y += b.o\nelse\nobj-y += fault.o\nendif\n"},
        ("!NOMMU",),
    ),
    "not equal": (
        {"arch/a/mm/Makefile": "ifneq ($(CONFIG_NOMMU),y)\nobj-y += fault.o\nendif\n"},
        ("!NOMMU",),
    ),
    "a test that is no symbol's": (
        {"arch/a/mm/Makefile": "ifeq ($(ARCH),a)\nobj-y += fault.o\nendif\n"},
        (),
    ),
    "built either way": (
        {"arch/a/mm/Makefile": "obj-$(CONFIG_A) += fault.o\nobj-$(CONFIG_B) += fault.o\n"},
        (),
    ),
    "by its folder": (
        {
            "arch/a/mm/Makefile": "obj-y += fault.o\n",
            "arch/a/Kbuild": "obj-y += kernel/\nobj-$(CONFIG_MMU) += mm/\n",
        },
        ("MMU",),
    ),
    "by its folder's whole path": (
        {
            "arch/a/mm/Makefile": "obj-y += fault.o\n",
            "arch/a/Makefile": "core-$(CONFIG_MMU) += arch/a/mm/\n",
        },
        ("MMU",),
    ),
    "no Makefile at all": ({}, ()),
}


@pytest.mark.parametrize("name", TREES)
def test_built_when(name: str) -> None:
    files, expected = TREES[name]
    assert built_when(files.get, "arch/a/mm/fault.c") == expected


@pytest.mark.parametrize(("bits", "expected"), [("32", ("NARROW",)), ("64", ("!NARROW",))])
def test_built_by_a_variable_in_its_name(bits: str, expected: tuple[str, ...]) -> None:
    files = {
        "arch/a/mm/Makefile": "obj-y += init_$(BITS).o fault_$(BITS).o\n",
        "arch/a/Makefile": (
            "ifeq ($(CONFIG_NARROW),y)\nexport BITS := 32\nelse\nexport BITS := 64\nendif\n"
        ),
    }
    assert built_when(files.get, f"arch/a/mm/fault_{bits}.c") == expected


@pytest.mark.parametrize(
    ("before", "place"),
    [
        ("obj-$(CONFIG_A) += a.o\nobj-$(CONFIG_GENERIC_E) += e.o\nobj-$(CONFIG_Z) += z.o\n", 2),
        ("obj-$(CONFIG_A) += a.o\nobj-$(CONFIG_GENERIC_Z) += e.o\nobj-$(CONFIG_Z) += z.o\n", 1),
        ("obj-$(CONFIG_A) += a.o \\\n\tb.o\nifdef X\nobj-$(CONFIG_Z) += z.o\nendif\n", 2),
        ("# nothing yet\n", 1),
        ("# no newline", 1),
    ],
)
def test_a_new_object(before: str, place: int) -> None:
    line = "obj-$(CONFIG_GENERIC_FAULT) += generic_fault.o\n"
    after = with_object(before, line)
    assert after.splitlines(keepends=True).index(line) == place
    assert "\n".join(after.splitlines()).replace("\n" + line.rstrip(), "") == before.rstrip("\n")
    assert with_object(after, line) == after


SORTED = """\
config A
\tbool
\tdefault y
\tselect ARCH_X
\tselect GENERIC_ENTRY if \\
\t\tSMP
\t# select GENERIC_OLD
\tselect HAVE_X
\thelp
\t  select NOTHING here.

config MMU
\tbool "Paging"
\tdefault y

config ALWAYS
\tdef_bool y
"""


def only_entry(text: str) -> str:
    found = architecture_entry({"arch/a/Kconfig": text}.get, "arch/a/Kconfig")
    assert found is not None
    return found[1].name


def selected(text: str, condition: str | None = None) -> str:
    found = architecture_entry({"arch/a/Kconfig": text}.get, "arch/a/Kconfig")
    assert found is not None
    return with_select(text, found[1], "GENERIC_FAULT", condition)


def test_a_select_in_a_sorted_list() -> None:
    lines = selected(SORTED, "MMU").splitlines()
    assert lines[6] == "\tselect GENERIC_FAULT if MMU"
    assert [line for i, line in enumerate(lines) if i != 6] == SORTED.splitlines()


def test_a_select_in_a_list_without_order_goes_to_its_kin() -> None:
    names = ["OF", "GENERIC_X", "SYSCTL", "ARCH_Y", "RTC", "GENERIC_A", "BITS"]
    text = "config A\n\tdef_bool y\n" + "".join(f"\tselect {n}\n" for n in names)
    lines = [line.split()[-1] for line in selected(text).splitlines()[2:]]
    at = lines.index("GENERIC_FAULT")
    assert any(n.startswith("GENERIC_") for n in (lines[at - 1], lines[at + 1]))
    assert [n for n in lines if n != "GENERIC_FAULT"] == names


def test_a_select_that_is_there_already() -> None:
    once = selected(SORTED, "MMU")
    assert selected(once, "MMU") == once
    unconditional = selected(SORTED)
    assert selected(unconditional, "MMU") == unconditional


def test_line_endings_are_kept() -> None:
    text = SORTED.replace("\n", "\r\n")
    after = selected(text)
    assert after.count("\r\n") == after.count("\n") == text.count("\n") + 1


def test_the_architecture_is_what_is_always_on() -> None:
    assert [e.always_on for e in entries(SORTED)] == [True, False, True]
    conditional = "config B\n\tdef_bool 64BIT\n" + "".join(f"\tselect X{i}\n" for i in range(9))
    assert only_entry(conditional + SORTED) == "A"
    assert architecture_entry({"arch/a/Kconfig": conditional}.get, "arch/a/Kconfig") is None


def test_the_architecture_in_a_file_that_is_sourced() -> None:
    files = {
        "arch/a/Kconfig": 'source "arch/$(SRCARCH)/Kconfig.common"\nsource lib/Kconfig\n',
        "arch/a/Kconfig.common": SORTED,
        "lib/Kconfig": SORTED.replace("config A", "config LIB\n\tselect MORE"),
    }
    found = architecture_entry(files.get, "arch/a/Kconfig")
    assert found is not None
    assert (found[0], found[1].name) == ("arch/a/Kconfig.common", "A")


@pytest.mark.parametrize(
    ("before", "above", "below"),
    [
        ("config GENERIC_A\n\tbool\n\nconfig Z\n\tbool\n", "config GENERIC_A", "config Z"),
        ("config A\n\tbool\n\nconfig GENERIC_Z\n\tbool\n", "config A", "config GENERIC_Z"),
        ('menu "M"\n\nconfig A\n\tbool\n\nendmenu\n', "config A", "endmenu"),
        ("config A\n\tbool\n", "config A", None),
        ("if X\nconfig GENERIC_A\n\tbool\nendif\n\nconfig B\n\tbool\n", "config B", None),
    ],
)
def test_a_new_entry(before: str, above: str, below: str | None) -> None:
    entry = "config GENERIC_FAULT\n\tbool\n"
    after = with_entry(before, entry, "GENERIC_FAULT")
    assert above in after.split(entry)[0]
    assert after.split(entry)[0].endswith("\n\n")
    rest = after.split(entry)[1]
    assert rest == "" if below is None else below in rest and rest.startswith("\n")
    assert not after.endswith("\n\n")
    assert "\n\n\n" not in after


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ("#ifdef CONFIG_MMU\n{}#endif\n", ("MMU",)),
        ("#ifndef CONFIG_NOMMU\n{}#endif\n", ("!NOMMU",)),
        ("#ifdef CONFIG_NOMMU\nint x;\n#else\n{}#endif\n", ("!NOMMU",)),
        ("#if defined(CONFIG_A) && !IS_ENABLED(CONFIG_B)\n{}#endif\n", ("A", "!B")),
        ("#if defined(CONFIG_A) || defined(CONFIG_B)\n{}#endif\n", ()),
        ("#ifdef OWN_MACRO\n{}#endif\n", ()),
        ("{}#ifdef CONFIG_MMU\nvoid other(void) {{ }}\n#endif\n", ()),
    ],
)
def test_called_when(around: str, expected: tuple[str, ...]) -> None:
    function = "void fault(struct pt_regs *regs)\n{\n\tgeneric_fault(1, 2, 3, regs);\n}\n"
    text = around.format(function)
    assert called_when(ConvertedHandler("a", "arch/a/mm/fault.c", "", text)) == expected
