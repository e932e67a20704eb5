# SPDX-License-Identifier: GPL-2.0-only
"""Two sources side by side: numbers by name, and handlers that have no counterpart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from codegen.__main__ import cli
from codegen.base.diagnostics import GenfaultError
from codegen.base.resources import data_dir
from codegen.frontend.constants import reconciled
from codegen.ir.vocabulary import load
from codegen.targets.c.after import helper_for, mm_api
from codegen.targets.c.nodes import HELPER_C, HELPER_HEADER
from codegen.toolchain import converted, open_request, tabled

ARC = (data_dir("kernel_snippets") / "arc.c").read_text("utf-8")
FAMILIES = ("FAULT_FLAG_", "VM_FAULT_", "VM_")


def as_they_are(_: str, bit: int) -> int:
    return bit


def turned_round(family: str, bit: int) -> int:
    """Another bit for each: the fault flags and results in reverse, the VM_* turned by three."""
    return bit ^ 3 if family == "VM_" else 23 - bit


def tree(root: Path, handler: str, place: Callable[[str, int], int], arch: str = "arc") -> Path:
    """A kernel tree of one handler whose header gives every flag the bit that `place` says."""
    lines = []
    for name, value in load().constants.items():
        family = next((f for f in FAMILIES if name.startswith(f)), None)
        if family is not None and value > 0 and not name.endswith("_BIT"):
            bits = [b for b in range(value.bit_length()) if value >> b & 1]
            moved = sum({1 << place(family, b) for b in bits})
            lines.append(f"#define {name} {moved:#x}")
    header, file = root / "include/linux/mm.h", root / f"arch/{arch}/mm/fault.c"
    for path in (header, file):
        path.parent.mkdir(parents=True)
    (root / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\n")
    (root / "Kconfig").touch()
    header.write_text("\n".join(lines) + "\n")
    file.write_text(handler)
    return root


def diff(src: Path, tgt: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        cli, ["diff", str(src), str(tgt), "--jobs", "1", *options], standalone_mode=False
    )
    if done.exception is not None:
        raise done.exception
    return int(done.return_value), done.output


def test_flags_that_are_only_numbered_otherwise_are_equal(tmp_path: Path) -> None:
    src = tree(tmp_path / "old", ARC, as_they_are)
    tgt = tree(tmp_path / "new", ARC, turned_round)
    code, told = diff(src, tgt)
    assert code == 0, told
    assert "1 EQUAL" in told


def test_a_difference_is_seen_through_other_numbers(tmp_path: Path) -> None:
    src = tree(tmp_path / "old", ARC, as_they_are)
    lost = ARC.replace("flags |= FAULT_FLAG_WRITE;", "flags |= FAULT_FLAG_REMOTE;")
    assert lost != ARC
    code, told = diff(src, tree(tmp_path / "new", lost, turned_round))
    assert code == 1
    assert "1 DIFFERS" in told
    assert "WRITE" in told


def test_a_number_that_stands_in_the_text_is_no_name(tmp_path: Path) -> None:
    """The handler that spells FAULT_FLAG_WRITE as 0x1 is wrong where it is another bit."""
    spelt = ARC.replace("flags |= FAULT_FLAG_WRITE;", f"flags |= {1 << 7:#x};")
    src = tree(tmp_path / "old", ARC, as_they_are)
    code, _ = diff(src, tree(tmp_path / "new", spelt, turned_round))
    assert code == 1


@pytest.mark.parametrize(
    ("src", "tgt", "expected"),
    [
        ({"VM_A": 1, "VM_B": 2}, {"VM_A": 2, "VM_B": 1}, {"VM_A": 1, "VM_B": 2}),
        # What only tgt has keeps its place, or gets another where it is not free.
        ({"VM_READ": 1}, {"VM_READ": 1, "VM_NEW": 4}, {"VM_READ": 1, "VM_NEW": 4}),
        ({"VM_READ": 1}, {"VM_READ": 2, "VM_NEW": 1}, {"VM_READ": 1, "VM_NEW": 2}),
        # A mask is made of the same names again, the ones that it gained included.
        (
            {"VM_A": 1, "VM_B": 2, "VM_MASK": 1},
            {"VM_A": 4, "VM_B": 8, "VM_MASK": 12},
            {"VM_A": 1, "VM_B": 2, "VM_MASK": 3},
        ),
        # A field keeps its width; what is no flag of a family stays as it is.
        (
            {"VM_FAULT_OOM": 1, "VM_FAULT_HINDEX_MASK": 0xF0, "SIGBUS": 7},
            {"VM_FAULT_OOM": 1, "VM_FAULT_HINDEX_MASK": 0xF00, "SIGBUS": 10},
            {"VM_FAULT_OOM": 1, "VM_FAULT_HINDEX_MASK": 0xF0, "SIGBUS": 10},
        ),
        # The same bit of two families is two things; the number of a bit is none.
        (
            {"FAULT_FLAG_WRITE": 1, "VM_READ": 1, "VM_READ_BIT": 0},
            {"FAULT_FLAG_WRITE": 8, "VM_READ": 1, "VM_READ_BIT": 3},
            {"FAULT_FLAG_WRITE": 1, "VM_READ": 1, "VM_READ_BIT": 0},
        ),
        ({"VM_A": 1, "VM_NOT": ~1}, {"VM_A": 2, "VM_NOT": ~2}, {"VM_A": 1, "VM_NOT": ~1}),
    ],
)  # fmt: skip
def test_numbers_are_reconciled_by_name(
    src: dict[str, int], tgt: dict[str, int], expected: dict[str, int]
) -> None:
    assert reconciled(src, tgt) == expected
    assert reconciled(src, src) == src


def test_sources_without_a_common_handler_say_so(tmp_path: Path) -> None:
    src = tree(tmp_path / "old", ARC, as_they_are)
    with pytest.raises(GenfaultError, match="no handler in common"):
        diff(src, two_files(tree(tmp_path / "new", ARC, as_they_are, arch="csky")))


def two_files(root: Path) -> Path:
    """The tree with a handler for a second architecture: two single files would be a pair."""
    other = root / "arch/hexagon/mm/fault.c"
    other.parent.mkdir(parents=True)
    other.write_text(ARC)
    return root


def test_a_handler_of_another_file_name_is_the_same_architecture(tmp_path: Path) -> None:
    src = two_files(tree(tmp_path / "old", ARC, as_they_are))
    tgt = two_files(tree(tmp_path / "new", ARC, as_they_are))
    (tgt / "arch/arc/mm/fault.c").rename(tgt / "arch/arc/mm/vm_fault.c")
    code, told = diff(src, tgt)
    assert code == 0
    assert "2 EQUAL" in told


def test_a_handler_that_the_other_source_has_not_is_unsupported(tmp_path: Path) -> None:
    src = two_files(tree(tmp_path / "old", ARC, as_they_are))
    code, told = diff(src, tree(tmp_path / "new", ARC, as_they_are))
    assert code == 1
    assert "1 EQUAL" in told
    assert "1 UNSUPPORTED" in told


def test_a_handler_that_cannot_be_read_on_one_side_is_unsupported(tmp_path: Path) -> None:
    src = tree(tmp_path / "old", ARC, as_they_are)
    broken = ARC.replace("void do_page_fault(", "void do_page_fault((")
    code, told = diff(src, tree(tmp_path / "new", broken, as_they_are))
    assert code == 1
    assert "UNSUPPORTED" in told


class TestConvertedByHand:
    """A handler that calls generic_fault() is compared together with it."""

    ACCEPTED = ("stale-outcome", "uaccess-livelock", "missing-case", "kernel-mode-signal")

    @pytest.fixture
    def converted(self, tmp_path: Path) -> Path:
        """What `convert --output` makes of the snippet, with the helper beside it."""
        root = tmp_path / "converted"
        target = root / "arch/arc/mm/fault.c"
        target.parent.mkdir(parents=True)
        request = open_request(data_dir("kernel_snippets") / "arc.c", (), {}, 1)
        (product,) = converted(request, request.source.files[0], frozenset(self.ACCEPTED))
        assert product.after is not None
        target.write_text(product.after)
        helper = helper_for(mm_api(None, ARC))
        for name, text in ((HELPER_C, helper.c), (HELPER_HEADER, helper.header)):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    def told(self, tgt: Path) -> tuple[int, str]:
        accept = [word for name in self.ACCEPTED for word in ("--accept", name)]
        src = data_dir("kernel_snippets") / "arc.c"
        return diff(src, tgt, *accept)

    def test_the_conversion_is_explained(self, converted: Path) -> None:
        code, told = self.told(converted / "arch/arc/mm/fault.c")
        assert code == 0, told
        assert "1 EXPLAINED" in told
        assert "taken as genfault writes it" not in told

    def test_a_slip_of_the_hand_is_seen(self, converted: Path) -> None:
        file = converted / "arch/arc/mm/fault.c"
        slip = file.read_text().replace("mask = VM_WRITE", "mask = VM_READ")
        assert slip != file.read_text()
        file.write_text(slip)
        code, told = self.told(file)
        assert code == 1
        assert "other" in told

    def test_a_slip_in_the_helper_is_seen(self, converted: Path) -> None:
        helper = converted / HELPER_C
        slip = helper.read_text().replace("flags |= FAULT_FLAG_TRIED;", "")
        assert slip != helper.read_text()
        helper.write_text(slip)
        code, _ = self.told(converted / "arch/arc/mm/fault.c")
        assert code == 1

    def test_a_file_alone_gets_the_helper_that_genfault_writes(
        self, converted: Path, tmp_path: Path
    ) -> None:
        alone = tmp_path / "arc_by_hand.c"
        alone.write_text((converted / "arch/arc/mm/fault.c").read_text())
        code, told = self.told(alone)
        assert code == 0, told
        assert "taken as genfault writes it" in told

    def test_the_folder_of_the_conversion_is_a_source(self, converted: Path) -> None:
        request = open_request(converted, (), {}, 1)
        found = [t for file in request.source.files for t in tabled(request, file)]
        assert [(t.function, t.role) for t in found] == [
            ("do_page_fault", "handler"),
            ("generic_fault", "other"),
        ]
        assert len(found[0].signals) == 24
        assert found[0].inconvertible is not None

    def test_a_setting_without_the_handler_has_no_other_one(self, converted: Path) -> None:
        """arm without CONFIG_MMU: the helper beside the file is nobody's then."""
        file = converted / "arch/arc/mm/fault.c"
        lines = file.read_text().splitlines(keepends=True)
        start = next(i for i, line in enumerate(lines) if line.startswith("void do_page_fault("))
        file.write_text(
            "".join([*lines[:start], "#ifdef CONFIG_MMU\n", *lines[start:], "#endif\n"])
        )
        request = open_request(file, (), {}, 1)
        (found,) = tabled(request, request.source.files[0])
        assert (found.function, found.role) == ("do_page_fault", "handler")
        assert found.configurations == ("defined(CONFIG_MMU)",)


# ---- names --------------------------------------------------------------------------


def renamed(root: Path, header: str = "") -> Path:
    """The arc snippet with its store bit called otherwise, and a header of its architecture."""
    handler = ARC.replace("ECR_C_PROTV_STORE", "ECR_C_STORE")
    assert handler != ARC
    return with_header(tree(root, handler, as_they_are), header)


def with_header(root: Path, header: str) -> Path:
    path = root / "arch/arc/include/asm/arcregs.h"
    path.parent.mkdir(parents=True)
    path.write_text(header)
    return root


def json_of(src: Path, tgt: Path, *options: str) -> tuple[int, dict[str, Any]]:
    words = ["diff", str(src), str(tgt), "--jobs", "1", "--format", "json", *options]
    done = CliRunner().invoke(cli, words, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return int(done.return_value), json.loads(done.stdout)


def test_a_name_that_changed_is_told_once_with_the_option_that_accepts_it(tmp_path: Path) -> None:
    src, tgt = tree(tmp_path / "old", ARC, as_they_are), renamed(tmp_path / "new")
    code, told = json_of(src, tgt)
    assert code == 1
    (handler,) = told["handlers"]
    (difference,) = handler["differences"]
    assert (handler["verdict"], difference["class"]) == ("DIFFERS", "other")
    (names,) = difference["renamed"]
    assert (names["src"], names["tgt"]) == ("ECR_C_PROTV_STORE", "ECR_C_STORE")
    assert (
        "--same 'ECR_C_PROTV_STORE=ECR_C_STORE' nothing else differs" in difference["explanation"]
    )
    code, told = json_of(src, tgt, "--same", "ECR_C_PROTV_STORE=ECR_C_STORE")
    assert (code, told["handlers"][0]["verdict"]) == (0, "EQUAL")
    assert told["handlers"][0]["same"] == ["ECR_C_PROTV_STORE=ECR_C_STORE"]


def test_what_differs_besides_a_name_is_told_by_itself(tmp_path: Path) -> None:
    src = tree(tmp_path / "old", ARC.replace("SEGV_MAPERR", "SEGV_ACCERR"), as_they_are)
    _, told = json_of(src, renamed(tmp_path / "new"))
    differences = told["handlers"][0]["differences"]
    assert [d["class"] for d in differences if "renamed" in d] == ["other"]
    assert {d["class"] for d in differences if "renamed" not in d} == {"signal-code"}


@pytest.mark.parametrize(("value", "code"), [("(1 << 1)", 0), ("(1<<1) /* ST */", 0), ("4", 1)])
def test_macros_that_both_trees_define_alike_are_the_same(
    tmp_path: Path, value: str, code: int
) -> None:
    src = tree(tmp_path / "old", ARC, as_they_are)
    with_header(src, "#define ECR_C_PROTV_STORE (1 << 1)\n")
    tgt = renamed(tmp_path / "new", f"#define ECR_C_STORE {value}\n")
    assert json_of(src, tgt)[0] == code


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("#define ECR_C_STORE ECR_C_PROTV_STORE\n", "", 0),
        ("", "#define ECR_C_PROTV_STORE ECR_C_STORE\n", 0),
        ("#define ECR_C_STORE ECR_C_PROTV_LOAD\n", "", 1),
    ],
)
def test_a_macro_that_one_tree_defines_as_the_other_is_the_same(
    tmp_path: Path, old: str, new: str, code: int
) -> None:
    """x86: linux 6.1 calls pmd_large() by the name pmd_leaf() as well, 6.12 by that alone."""
    src = with_header(tree(tmp_path / "old", ARC, as_they_are), old)
    assert json_of(src, renamed(tmp_path / "new", new))[0] == code


def test_a_flag_that_only_tgt_has_goes_by_its_name(tmp_path: Path) -> None:
    src = tree(tmp_path / "old", ARC, as_they_are)
    header = src / "include/linux/mm.h"
    kept = [n for n in header.read_text().splitlines() if " FAULT_FLAG_VMA_LOCK " not in n]
    header.write_text("\n".join(kept) + "\n")
    more = ARC.replace(
        "flags |= FAULT_FLAG_WRITE;", "flags |= FAULT_FLAG_WRITE | FAULT_FLAG_VMA_LOCK;"
    )
    assert more != ARC
    _, told = diff(src, tree(tmp_path / "new", more, as_they_are))
    assert "|FAULT_FLAG_VMA_LOCK" in told.replace("|\n", "|").replace("| ", "|").replace(" ", "")


def test_a_scenario_gives_constants_the_numbers_of_the_headers(tmp_path: Path) -> None:
    """Two causes that share a bit, or a bit that is in no register, are no scenario."""
    header = "#define ECR_C_PROTV_STORE 0x40\nenum { ECR_C_PROTV_OTHER = 1 };\n"
    src = with_header(tree(tmp_path / "old", ARC, as_they_are), header)
    changed = ARC.replace("flags |= FAULT_FLAG_WRITE;", "flags |= FAULT_FLAG_REMOTE;")
    tgt = with_header(tree(tmp_path / "new", changed, as_they_are), header)
    _, told = json_of(src, tgt)
    scenarios = [d["scenario"] for d in told["handlers"][0]["differences"]]
    assert {s.get("ECR_C_PROTV_STORE") for s in scenarios} == {0x40}
    assert all("ECR_C_PROTV_OTHER" not in s for s in scenarios)


INLINE = "static inline int is_store(struct pt_regs *regs)\n{\n\treturn !(regs->st & STORED);\n}\n"


@pytest.mark.parametrize(("header", "code"), [(INLINE, 0), ("", 1)])
def test_what_a_header_has_a_call_do_is_read_where_src_says_it(
    tmp_path: Path, header: str, code: int
) -> None:
    """riscv of linux 6.12: regs_irqs_disabled() is what 6.1 asks of the register itself."""
    asked = "if (user_mode(regs))\n\t\tflags |= FAULT_FLAG_USER;"
    assert asked in ARC
    old = ARC.replace(asked, f'if (regs->st & STORED)\n\t\tpr_info("on");\n\t{asked}')
    new = ARC.replace(asked, f'if (!is_store(regs))\n\t\tpr_info("on");\n\t{asked}')
    src = tree(tmp_path / "old", old, as_they_are)
    tgt = with_header(tree(tmp_path / "new", new, as_they_are), header)
    assert json_of(src, tgt)[0] == code


UNION = (
    "union word {\n\tunsigned long val;\n\tstruct {\n\t\tunsigned long page : 52;\n"
    "\t\tunsigned long : 8;\n\t\tunsigned long low : 4;\n\t};\n};\n"
)
ORDER = "#include <linux/byteorder/{}_endian.h>\n"


@pytest.mark.parametrize(
    ("order", "field", "code"),
    [("big", "low == 3", 0), ("big", "low == 5", 1), ("little", "low == 3", 1)],
)
def test_a_field_of_a_headers_union_is_that_of_the_value(
    tmp_path: Path, order: str, field: str, code: int
) -> None:
    """s390 of linux 6.12 reads `union teid`, where 6.1 has masks."""
    head = "if (user_mode(regs))\n\t\tflags |= FAULT_FLAG_USER;"
    old = ARC.replace(head, f'if ((regs->st & 0xf) == 3)\n\t\tpr_info("on");\n\t{head}')
    new = ARC.replace(head, f'if (at_three(regs))\n\t\tpr_info("on");\n\t{head}')
    helper = (
        "static int at_three(struct pt_regs *regs)\n{\n"
        f"\tunion word w = {{ .val = regs->st }};\n\n\treturn w.{field};\n}}\n\n"
    )
    handler = "void do_page_fault("
    assert handler in new
    src = tree(tmp_path / "old", old, as_they_are)
    tgt = tree(tmp_path / "new", new.replace(handler, helper + handler, 1), as_they_are)
    with_header(tgt, UNION)
    byteorder = tgt / "arch/arc/include/uapi/asm/byteorder.h"
    byteorder.parent.mkdir(parents=True)
    byteorder.write_text(ORDER.format(order))
    assert json_of(src, tgt)[0] == code


def test_a_replay_of_what_was_read_off_a_header_shows_the_same(tmp_path: Path) -> None:
    asked = "if (user_mode(regs))\n\t\tflags |= FAULT_FLAG_USER;"
    old = ARC.replace(asked, f'if (regs->st & STORED)\n\t\tpr_info("on");\n\t{asked}')
    new = ARC.replace(asked, f'if (!is_store(regs))\n\t\tpr_warn("on");\n\t{asked}')
    src = tree(tmp_path / "old", old, as_they_are)
    tgt = with_header(tree(tmp_path / "new", new, as_they_are), INLINE)
    _, told = json_of(src, tgt)
    difference = told["handlers"][0]["differences"][0]
    assert "--same" in difference["replay"]["tgt"]
    for side in ("src", "tgt"):
        words = [*difference["replay"][side][1:], "--format", "json"]
        done = CliRunner().invoke(cli, words, standalone_mode=False)
        assert done.exception is None, done.output
        shown = [e["name"] for e in json.loads(done.stdout)["events"]]
        assert [n for n in shown if n.startswith("pr_")] == [
            e["name"] for e in difference[side] if e["name"].startswith("pr_")
        ]
        assert any(n.startswith("pr_") for n in shown)


@pytest.mark.parametrize(("first", "code"), [("0", 0), ("1", 1)])
def test_a_constant_of_the_headers_may_be_0(tmp_path: Path, first: str, code: int) -> None:
    """s390 of linux 6.12 compares with PSW_BITS_AS_PRIMARY, 6.1 with 0."""
    header = f"enum {{ AS_PRIMARY = {first}, AS_HOME = 3 }};\n"
    src = asking(tmp_path / "old", "(regs->st & 3) == 0", header)
    tgt = asking(tmp_path / "new", "(regs->st & 3) == AS_PRIMARY", header)
    assert json_of(src, tgt)[0] == code


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("cause & 4", 0),
        ("(cause & 6) == 2 && user_class(regs)", 0),
        ("in_class(cause & 6)", 0),
        ("cause == 4", 1),
    ],
)
def test_a_parameter_that_got_wider_is_the_same_word(
    tmp_path: Path, condition: str, code: int
) -> None:
    """arm64: `unsigned int esr` of linux 5.10 is `unsigned long esr` of 6.1."""
    head = "void do_page_fault(unsigned long address, struct pt_regs *regs"
    assert head in ARC

    def taking(kind: str) -> str:
        asked = f'if ({condition})\n\t\tpr_info("asked");\n\t{ASKED}'
        return ARC.replace(head, f"{head}, unsigned {kind} cause").replace(ASKED, asked)

    src = tree(tmp_path / "old", taking("int"), as_they_are)
    tgt = tree(tmp_path / "new", taking("long"), as_they_are)
    got, told = json_of(src, tgt)
    assert got == code
    for difference in told["handlers"][0]["differences"]:
        assert difference["scenario"]["cause"] == 1 << 32 | 4
        for side in ("src", "tgt"):
            assert replayed(difference["replay"][side]) == [e["name"] for e in difference[side]]


# ---- functions of headers -----------------------------------------------------------

ASKED = "if (user_mode(regs))\n\t\tflags |= FAULT_FLAG_USER;"
CODES = (
    "#define TYPE 0x3c\n#define CODE 0x3f\n#define STORE 0x0c\n#define STORE_L(n) (STORE + (n))\n"
)
IS_STORE = (
    "static inline bool is_store(unsigned long code)\n{\n\tcode = code & CODE;\n\n"
    "\treturn code == STORE_L(0) || code == STORE_L(1) ||\n"
    "\t       code == STORE_L(2) || code == STORE_L(3);\n}\n"
)
SAYS = "(regs->st & TYPE) == STORE"


def asking(root: Path, condition: str, header: str) -> Path:
    """The arc snippet, printing where a condition holds; its architecture has a header."""
    assert ASKED in ARC
    handler = ARC.replace(ASKED, f'if ({condition})\n\t\tpr_info("asked");\n\t{ASKED}')
    return with_header(tree(root, handler, as_they_are), header)


@pytest.mark.parametrize(
    ("old", "new", "header", "code"),
    [
        (SAYS, "is_store(regs->st)", IS_STORE, 0),
        ("is_store(regs->st)", SAYS, IS_STORE, 0),
        # One level more than the type has.
        (SAYS, "is_store(regs->st)", IS_STORE.replace("STORE_L(3)", "STORE_L(4)"), 1),
        # What a narrow parameter cuts off, and what a narrow result does.
        ("(regs->st & 0xff) == STORE", "is_store(regs->st)",
         "static inline int is_store(u8 code)\n{\n\treturn code == STORE;\n}\n", 0),
        ("regs->st == STORE", "is_store(regs->st)",
         "static inline int is_store(u8 code)\n{\n\treturn code == STORE;\n}\n", 1),
        ("regs->st & (TYPE << 2)", "is_store(regs->st)",
         "static inline u8 is_store(unsigned long st)\n{\n\treturn st & (TYPE << 2);\n}\n", 0),
        ("regs->st & (TYPE << 3)", "is_store(regs->st)",
         "static inline u8 is_store(unsigned long st)\n{\n\treturn st & (TYPE << 3);\n}\n", 1),
        ("regs->st & (TYPE << 3)", "is_store(regs->st)",
         "static inline bool is_store(unsigned long st)\n{\n\treturn st & (TYPE << 3);\n}\n", 0),
        # What another of its functions computes, and branches.
        (SAYS, "is_store(regs->st)",
         "static inline unsigned long type_of(unsigned long st)\n{\n\treturn st & TYPE;\n}\n"
         "static inline bool is_store(unsigned long st)\n{\n\tif (type_of(st) == STORE)\n"
         "\t\treturn true;\n\treturn false;\n}\n", 0),
        # It does more than compute, it hangs on the configuration.
        (SAYS, "is_store(regs->st)", IS_STORE.replace("\n\treturn", "\tprobe();\n\treturn"), 1),
        (SAYS, "is_store(regs->st)", f"#ifdef CONFIG_A\n{IS_STORE}\n#endif\n", 1),
    ],
)  # fmt: skip
def test_a_headers_function_that_one_side_calls_is_what_it_computes(
    tmp_path: Path, old: str, new: str, header: str, code: int
) -> None:
    """arm64 of linux 6.12 calls esr_fsc_is_permission_fault(), 6.1 compares the type itself."""
    src = asking(tmp_path / "old", old, CODES + header)
    tgt = asking(tmp_path / "new", new, CODES + header)
    assert json_of(src, tgt)[0] == code


LEVELS = IS_STORE.replace("STORE_L(3)", "STORE_L(4)")


def test_a_scenario_of_what_a_header_computes_is_a_code(tmp_path: Path) -> None:
    src = asking(tmp_path / "old", SAYS, CODES + LEVELS)
    tgt = asking(tmp_path / "new", "is_store(regs->st)", CODES + LEVELS)
    _, told = json_of(src, tgt)
    codes = {d["scenario"].get("regs->st", 0) & 0x3F for d in told["handlers"][0]["differences"]}
    assert codes <= {0xF, 0x10}
    _, text = diff(src, tgt)
    assert "note: is_store() is read in arch/arc/include/asm/arcregs.h" in text


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [(IS_STORE, IS_STORE, 0), (IS_STORE, LEVELS, 1),
     # Other words for the same, and the same number of another type.
     (IS_STORE, IS_STORE.replace("bool", "int"), 0),
     ("#define LAST 3\n" + IS_STORE.replace("(3)", "(LAST)"),
      "#define LAST UL(3)\n" + IS_STORE.replace("(3)", "(LAST)"), 0),
     (IS_STORE, IS_STORE.replace("code == STORE_L(0) ||", "STORE == code ||"), 0),
     # The same words, and another number.
     ("#define LAST 3\n" + IS_STORE.replace("(3)", "(LAST)"),
      "#define LAST 4\n" + IS_STORE.replace("(3)", "(LAST)"), 1)],
)  # fmt: skip
def test_what_both_call_is_read_where_the_trees_have_it_compute_another_thing(
    tmp_path: Path, old: str, new: str, code: int
) -> None:
    src = asking(tmp_path / "old", "is_store(regs->st)", CODES + old)
    tgt = asking(tmp_path / "new", "is_store(regs->st)", CODES + new)
    got, told = json_of(src, tgt)
    assert got == code
    assert told["handlers"][0]["verdict"] == ("DIFFERS" if code else "EQUAL")


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (f"#ifdef CONFIG_A\n{IS_STORE}#endif\n", "it hangs on the configuration"),
        (IS_STORE.replace("\n\treturn", "\tprobe();\n\treturn"), "it calls probe()"),
        ("#define is_store(code) ((code) == STORE)\n", "it is a macro"),
    ],
)
def test_a_call_on_which_a_difference_hangs_and_that_is_not_read_is_noted(
    tmp_path: Path, header: str, why: str
) -> None:
    src = asking(tmp_path / "old", SAYS, CODES)
    tgt = asking(tmp_path / "new", "is_store(regs->st)", CODES + header)
    code, told = diff(src, tgt)
    assert code == 1
    assert f"note: is_store() is not read: {why}" in told


def test_a_constant_that_the_trees_disagree_on_is_one_thing(tmp_path: Path) -> None:
    """As it is where both say its name: what is made of it stays a call."""
    header = CODES + IS_STORE
    src = asking(tmp_path / "old", SAYS, header.replace("0x0c", "0x08"))
    tgt = asking(tmp_path / "new", "is_store(regs->st)", header)
    code, told = diff(src, tgt)
    assert code == 1
    assert "is_store() is not read: it hangs on STORE, which the trees define otherwise" in told


def test_inside_a_routine_a_headers_function_is_read_as_well(tmp_path: Path) -> None:
    def routine(condition: str) -> str:
        body = f'{{\n\tif ({condition})\n\t\tpr_info("it");\n}}\n\n'
        handler = ARC.replace(ASKED, f"show_it(regs);\n\t{ASKED}")
        shown = f"static void show_it(struct pt_regs *regs)\n{body}void do_page_fault("
        return handler.replace("void do_page_fault(", shown, 1)

    src = with_header(tree(tmp_path / "old", routine(SAYS), as_they_are), CODES + IS_STORE)
    calls = routine("is_store(regs->st)")
    tgt = with_header(tree(tmp_path / "same", calls, as_they_are), CODES + IS_STORE)
    assert json_of(src, tgt)[0] == 0
    tgt = with_header(tree(tmp_path / "new", calls, as_they_are), CODES + LEVELS)
    code, told = json_of(src, tgt)
    assert code == 1
    assert {d["inside"] for d in told["handlers"][0]["differences"]} == {"show_it"}
    # The same text of the routine, and another one of the header.
    other = with_header(tree(tmp_path / "other", calls, as_they_are), CODES + IS_STORE)
    assert json_of(tgt, other)[0] == 1


def test_a_replay_of_what_a_header_computes_shows_the_same(tmp_path: Path) -> None:
    src = asking(tmp_path / "old", SAYS, CODES + LEVELS)
    tgt = asking(tmp_path / "new", "is_store(regs->st)", CODES + LEVELS)
    _, told = json_of(src, tgt)
    for difference in told["handlers"][0]["differences"]:
        assert "--inline" in difference["replay"]["tgt"]
        assert "--inline" not in difference["replay"]["src"]
        shown = [replayed(difference["replay"][side]) for side in ("src", "tgt")]
        assert shown == [[e["name"] for e in difference[side]] for side in ("src", "tgt")]
        assert shown[0] != shown[1]


def test_a_constant_that_only_the_other_side_says_is_no_mistake(tmp_path: Path) -> None:
    """Though it is nearly one that this side says."""
    header = CODES.replace("STORE", "ST_STORE") + LEVELS.replace("STORE", "ST_STORE")
    both = 'user_mode(regs))\n\t\tpr_warn("%d", ST_STORES);\n\tif ('
    src = asking(tmp_path / "old", f"{both}(regs->st & TYPE) == ST_STORE", header)
    tgt = asking(tmp_path / "new", f"{both}is_store(regs->st)", header)
    _, told = json_of(src, tgt)
    difference = told["handlers"][0]["differences"][0]
    assert "ST_STORE" in difference["scenario"]
    assert "ST_STORE" not in (tgt / "arch/arc/mm/fault.c").read_text().replace("ST_STORES", "")
    assert replayed(difference["replay"]["tgt"]) == [e["name"] for e in difference["tgt"]]


def test_what_stands_beside_a_difference_inside_a_routine_replays_there(tmp_path: Path) -> None:
    def routine(*lines: str) -> str:
        body = "".join(f"\t{line}\n" for line in lines)
        handler = ARC.replace(ASKED, f"show_it(regs);\n\t{ASKED}")
        shown = f"static void show_it(struct pt_regs *regs)\n{{\n{body}}}\n\nvoid do_page_fault("
        return handler.replace("void do_page_fault(", shown, 1)

    seen = ('if (regs->st & 1)\n\t\tpr_info("st");', 'if (regs->ecr & 4)\n\t\tpr_warn("ecr");')
    src = tree(tmp_path / "old", routine(*seen), as_they_are)
    tgt = tree(
        tmp_path / "new",
        routine(seen[0].replace("& 1", "& 2"), seen[1].replace("& 4", "& 8")),
        as_they_are,
    )
    _, told = json_of(src, tgt)
    found = told["handlers"][0]["differences"]
    beside = [one for d in found for one in d.get("also", ())]
    assert beside
    for difference in (*found, *beside):
        shown = [replayed(difference["replay"][side]) for side in ("src", "tgt")]
        assert shown == [[e["name"] for e in difference[side]] for side in ("src", "tgt")]
        assert shown[0] != shown[1]


def replayed(words: list[str]) -> list[str]:
    """The events that a replay command shows."""
    done = CliRunner().invoke(cli, [*words[1:], "--format", "json"], standalone_mode=False)
    assert done.exception is None, done.output
    return [e["name"] for e in json.loads(done.stdout)["events"]]


def test_a_name_that_is_not_to_be_read_is_a_wrong_argument(tmp_path: Path) -> None:
    tgt = asking(tmp_path / "new", "is_store(regs->st)", CODES + IS_STORE)
    for name in ("is_load", "STORE"):
        words = ["simulate", str(tgt), "--arch", "arc", "--inline", name]
        done = CliRunner().invoke(cli, words, standalone_mode=False)
        assert isinstance(done.exception, GenfaultError)
        assert f"{name}() is not read" in str(done.exception)


# ---- handlers that only one source has ----------------------------------------------


@pytest.mark.parametrize("options", [[], ["--arch", "hexagon"]])
@pytest.mark.parametrize("gone_from", ["src", "tgt"])
def test_a_handler_that_is_gone_is_a_finding(
    tmp_path: Path, gone_from: str, options: list[str]
) -> None:
    more = two_files(tree(tmp_path / "more", ARC, as_they_are))
    less = tree(tmp_path / "less", ARC, as_they_are)
    pair = (less, more) if gone_from == "src" else (more, less)
    code, told = json_of(*pair, *options)
    assert code == 1
    gone = next(h for h in told["handlers"] if h["arch"] == "hexagon")
    assert (gone["verdict"], gone["refusal"]["code"]) == ("UNSUPPORTED", "no-counterpart")
    assert f"less ({gone_from})" in gone["refusal"]["reason"]


def test_an_architecture_that_neither_source_has_is_a_wrong_argument(tmp_path: Path) -> None:
    src, tgt = (tree(tmp_path / name, ARC, as_they_are) for name in ("old", "new"))
    with pytest.raises(GenfaultError, match="no arch 'vax'"):
        json_of(src, tgt, "--arch", "vax")


@pytest.mark.parametrize("number", ["0x2", "0xa41a400e"])
def test_a_mask_is_what_the_headers_say(tmp_path: Path, number: str) -> None:
    """An `int` keeps what a constant masks; where its number is known, nothing is supposed."""
    place = "\tif (!mm || faulthandler_disabled())\n"
    trees = []
    for signo in ("SIGBUS", "SIGILL"):
        asked = f"\tint bad = regs->ecr_cause & ECR_BAD;\n\tif (bad)\n\t\tforce_sig({signo});\n"
        assert place in ARC
        root = tree(tmp_path / signo, ARC.replace(place, asked + place), as_they_are)
        header = root / "arch/arc/include/asm/arcregs.h"
        header.parent.mkdir(parents=True)
        header.write_text(f"#define ECR_BAD {number}\n")
        trees.append(root)
    assert diff(trees[0], trees[0])[0] == 0
    status, text = diff(trees[0], trees[1])
    assert status == 1
    assert "ECR_BAD=" in text


# ---- routines and entries that one source alone has -----------------------------------

OOPS = """\
no_context:
	if (!fixup_exception(regs))
		die("Oops", regs, address);
}"""
IN_ROUTINE = """\
no_context:
	oops_here(regs, address);
}"""


def with_routine(body: str) -> str:
    """The arc snippet, whose way out of kernel mode is a routine of its own."""
    head = "void do_page_fault(unsigned long address, struct pt_regs *regs"
    assert OOPS in ARC and head in ARC
    routine = (
        "static void oops_here(struct pt_regs *regs, unsigned long address)\n{\n" + body + "}\n\n"
    )
    return ARC.replace(head, routine + head).replace(OOPS, IN_ROUTINE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('\tif (!fixup_exception(regs))\n\t\tdie("Oops", regs, address);\n', 0),
        ('\tif (fixup_exception(regs))\n\t\treturn;\n\tdie("Oops", regs, address);\n', 0),
        ('\tif (!fixup_exception(regs))\n\t\tdie("Oops", regs, 0);\n', 1),
        ('\tif (!fixup_exception(regs) && !kfence(address))\n\t\tdie("Oops", regs, address);\n', 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("turned", [False, True])
def test_a_routine_that_one_source_alone_has_is_followed(
    tmp_path: Path, body: str, code: int, turned: bool
) -> None:
    """s390: do_no_context() of linux 6.1 is part of handle_fault_error_nolock() in 6.12."""
    texts = [with_routine(body), ARC]
    old, new = texts[::-1] if turned else texts
    src, tgt = tree(tmp_path / "old", old, as_they_are), tree(tmp_path / "new", new, as_they_are)
    got, told = json_of(src, tgt)
    assert got == code
    for difference in told["handlers"][0]["differences"]:
        assert "oops_here" not in difference["explanation"]
        for side in ("src", "tgt"):
            assert replayed(difference["replay"][side]) == [e["name"] for e in difference[side]]


def test_a_replay_begins_where_the_comparison_did(tmp_path: Path) -> None:
    """s390: of linux 6.12 do_exception() is an entry itself, as it hands nothing back."""
    head = "void do_page_fault(unsigned long address, struct pt_regs *regs)"
    asked = "if (fetch)\n\t\tmask = VM_EXEC;\n\telse\n\t\tmask = store ? VM_WRITE : VM_READ;"
    assert head in ARC and asked in ARC
    before, _, body = ARC.replace(asked, "mask = wanted;").partition(head)
    body = body.replace("SEGV_ACCERR", "SEGV_PKUERR")
    given = body.replace("return;", "return fault;").replace(
        'die("Oops", regs, address);\n', 'die("Oops", regs, address);\n\treturn fault;\n'
    )

    def handler(kind: str, text: str, used: str) -> str:
        goes = f"static {kind} to_the_mm(unsigned long address, struct pt_regs *regs, int wanted)"
        callers = "".join(
            f"\nvoid on_{word}(unsigned long address, struct pt_regs *regs)\n{{\n"
            f"\t{used.format(f'to_the_mm(address, regs, VM_{word.upper()})')};\n}}\n"
            for word in ("read", "write")
        )
        return before + goes + text + callers

    used = 'if ({} & VM_FAULT_OOM)\n\t\tpr_info("out of memory")'
    src = tree(tmp_path / "old", handler("unsigned int", given, used), as_they_are)
    tgt = tree(tmp_path / "new", handler("void", body, "{}"), as_they_are)
    got, told = json_of(src, tgt)
    assert got == 1
    differences = told["handlers"][0]["differences"]
    assert differences
    for difference in differences:
        for side in ("src", "tgt"):
            assert replayed(difference["replay"][side]) == [e["name"] for e in difference[side]]


def test_a_replay_does_not_name_what_its_side_does_not_say(tmp_path: Path) -> None:
    """s390: `store_indication` of linux 6.1 is the key `have_store_indication` in 6.12."""
    sources = []
    for name, asked in (
        ("old", "known_fault_cause"),
        ("new", "static_branch_likely(&has_known_fault_cause)"),
    ):
        handler = ARC.replace(ASKED, f'if ({asked})\n\t\tpr_info("asked");\n\t{ASKED}')
        declared = "static int known_fault_cause;\n" if name == "old" else ""
        sources.append(tree(tmp_path / name, declared + handler, as_they_are))
    src, tgt = sources
    got, told = json_of(src, tgt)
    assert got == 1
    differences = [
        d for one in told["handlers"][0]["differences"] for d in (one, *one.get("also", ()))
    ]
    assert {"known_fault_cause", "static_branch_likely(&has_known_fault_cause)"} <= {
        name for d in differences for name in d["scenario"]
    }
    for difference in differences:
        for side in ("src", "tgt"):
            assert replayed(difference["replay"][side]) == [e["name"] for e in difference[side]]


def test_a_replay_has_the_names_of_its_own_kernel(tmp_path: Path) -> None:
    """x86: linux 6.12 has a VM_SHADOW_STACK, and 6.1 not."""
    asked = "if (!(vma->vm_flags & mask)) {"
    assert asked in ARC
    wants = ARC.replace(asked, "if (!(vma->vm_flags & mask) || vma->vm_flags & VM_SHINY) {")
    src, tgt = tree(tmp_path / "old", ARC, as_they_are), tree(tmp_path / "new", wants, as_they_are)
    header = tgt / "include/linux/mm.h"
    header.write_text(header.read_text() + "#define VM_SHINY 0x40000000\n")
    got, told = json_of(src, tgt)
    assert got == 1
    differences = told["handlers"][0]["differences"]
    assert any("VM_SHINY" in word for d in differences for word in d["replay"]["tgt"])
    for difference in differences:
        for side in ("src", "tgt"):
            assert replayed(difference["replay"][side]) == [e["name"] for e in difference[side]]


def test_a_replay_does_not_name_a_field_that_its_side_does_not_have(tmp_path: Path) -> None:
    """arc: `regs->ecr_cause` of linux 6.1 is `regs->ecr.cause` in 6.12."""
    src = tree(tmp_path / "old", ARC, as_they_are)
    tgt = tree(tmp_path / "new", ARC.replace("regs->ecr_", "regs->ecr."), as_they_are)
    got, told = json_of(src, tgt)
    assert got == 1
    for difference in told["handlers"][0]["differences"]:
        assert any("regs->ecr" in name for name in difference["scenario"])
        for side in ("src", "tgt"):
            assert replayed(difference["replay"][side]) == [e["name"] for e in difference[side]]
