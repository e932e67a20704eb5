# SPDX-License-Identifier: GPL-2.0-only
"""Names that another text of the same function has under another name."""

import pytest

from codegen.base.spans import SourceText
from codegen.csyntax.parse import parse
from codegen.csyntax.renames import Rename, parsed, renames, respelt


def text(body: str) -> SourceText:
    return SourceText("fault.c", f"void f(struct pt_regs *regs)\n{{\n\t{body}\n}}\n")


def found(src: str, tgt: str) -> list[str]:
    trees = parse(text(src)), parse(text(tgt))
    return [str(r) for r in renames(*trees, [("f", "f")], {"SEGV_MAPERR", "SEGV_ACCERR"})]


@pytest.mark.parametrize(
    ("src", "tgt", "expected"),
    [
        ("if (regs->cause & W) g();", "if (regs->cause & W) g();", []),
        ("if (regs->a_cause & W) g();", "if (regs->a.cause & W) g();", ["a_cause=a.cause"]),
        ("if (x < OLD_END && y != OLD_END) g();", "if (x < NEW_END && y != NEW_END) g();",
         ["OLD_END=NEW_END"]),
        # Both stand in the other text as well: something was changed, not renamed.
        ("if (x < A || x < B) g();", "if (x < B || x < A) g();", []),
        ("if (x < A) g(A);", "if (x < B) g(A);", []),
        # One name that became two.
        ("g(A, A);", "g(B, C);", []),
        # What both sides know by number is what it is; so is what the text declares.
        ("g(SEGV_MAPERR);", "g(SEGV_ACCERR);", []),
        ("int a = 1; g(a);", "int b = 1; g(b);", []),
        # A function that is given more, or a function in place of a variable, is another.
        ("x = look(a, b);", "x = look_up(a, b);", ["look=look_up"]),
        ("x = look(a);", "x = look_up(a, g(b, 0));", []),
        ("x = look(a); y = look(b);", "x = look_up(a); y = look_up(b, 0);", []),
        ("x = lowcore;", "x = get_lowcore();", []),
        # Text in comments and literals is no name.
        ('g("a"); /* a */', 'g("b"); /* b */', []),
    ],
)  # fmt: skip
def test_a_rename_is_one_for_one_and_throughout(src: str, tgt: str, expected: list[str]) -> None:
    assert found(src, tgt) == expected


def test_the_old_name_is_put_in_wherever_the_tokens_stand() -> None:
    source = text('#ifdef NEW\n\tif (regs->ecr . cause) g(NEW, "NEW"); /* NEW */\n#endif')
    read, used = respelt(source, [Rename("OLD", "NEW"), Rename("cause", "ecr.cause")])
    assert read.text == (
        "void f(struct pt_regs *regs)\n{\n\t#ifdef OLD\n\t"
        'if (regs->cause) g(OLD, "NEW"); /* NEW */\n#endif\n}\n'
    )
    assert {str(r) for r in used} == {"OLD=NEW", "cause=ecr.cause"}


def test_a_run_of_tokens_is_held_together_and_lines_stay() -> None:
    source = text("if (!is_off(\n\t\tregs)) g();\n\th();")
    read, _ = respelt(source, [Rename("regs->status & ON", "!is_off(regs)")])
    assert "if ((regs->status & ON)\n) g();" in read.text
    assert read.text.count("\n") == source.text.count("\n")


@pytest.mark.parametrize(
    ("given", "old", "new"),
    [
        ("A=B", "A", "B"),
        ("a == b = same(a, b)", "a == b", "same(a, b)"),
        ("a->b=c.d", "a->b", "c.d"),
    ],
)
def test_an_option_is_read(given: str, old: str, new: str) -> None:
    assert parsed(given) == Rename(old, new)


@pytest.mark.parametrize("given", ["", "A", "A=", "=B", "A=A", "a == b"])
def test_what_is_no_rename(given: str) -> None:
    assert parsed(given) is None
