# SPDX-License-Identifier: GPL-2.0-only
"""What a header's small functions give, and where another text says it by itself."""

import pytest

from codegen.base.spans import SourceText
from codegen.csyntax.inlines import Inline, inline_in, read_off
from codegen.csyntax.parse import parse

OFF = "static inline int is_off(struct pt_regs *regs)\n{\n\treturn !(regs->status & ON);\n}\n"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (OFF, Inline(("regs",), "int", "!(regs->status & ON)")),
        ("#include <a.h>\nextern int is_off(struct pt_regs *regs);\n" + OFF,
         Inline(("regs",), "int", "!(regs->status & ON)")),
        ("static __always_inline bool is_off(const struct pt_regs *r, unsigned long on)\n"
         "{ return r->status\n\t\t& on; }", Inline(("r", "on"), "bool", "r->status & on")),
        # Only declared, or called; more than a return; cut off by a narrow type; a macro as well.
        ("int is_off(struct pt_regs *regs);\n", None),
        ("static inline int f(void) { return is_off(regs); }\n", None),
        (OFF.replace("\treturn", "\tprobe();\n\treturn"), None),
        (OFF.replace("!(regs->status & ON)", "regs->status & ON"), None),
        (OFF.replace("struct pt_regs *regs", "u8 regs"), None),
        (OFF + "#define is_off is_off\n", None),
        # Named in a comment, or in a string.
        ("/* see is_off(regs) { */\n" + OFF, Inline(("regs",), "int", "!(regs->status & ON)")),
        ('asm("bl is_off() {");\n', None),
        # One for one configuration and one for another.
        (OFF + OFF, Inline(("regs",), "int", "!(regs->status & ON)")),
        (OFF + OFF.replace("ON", "OFF"), None),
    ],
)  # fmt: skip
def test_a_function_that_returns_one_expression_is_read(
    header: str, expected: Inline | None
) -> None:
    assert inline_in([header], "is_off") == expected


def test_the_arguments_stand_for_the_parameters() -> None:
    one = Inline(("r", "on"), "bool", "r->on & on")
    assert one.of(("tsk->regs", "A | B")) == "!!(tsk->regs->on & (A | B))"


@pytest.mark.parametrize(
    ("src", "tgt", "expected"),
    [
        ("if (likely(regs->status & ON)) g();", "if (!is_off(regs)) g();",
         ["!(regs->status & ON)=is_off(regs)"]),
        ("if (regs->status & OTHER) g();", "if (!is_off(regs)) g();", []),
        ("if (user->status & ON) g();", "if (is_off(regs)) g();", []),
    ],
)  # fmt: skip
def test_only_what_the_other_text_says_is_read_off(src: str, tgt: str, expected: list[str]) -> None:
    trees = [
        parse(SourceText("fault.c", f"void f(struct pt_regs *regs)\n{{\n\t{body}\n}}\n"))
        for body in (src, tgt)
    ]
    inline = inline_in([OFF], "is_off")
    assert inline is not None
    found = read_off(trees[0], trees[1], [("f", "f")], {"is_off": inline})
    assert [str(r) for r in found] == expected
