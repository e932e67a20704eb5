# SPDX-License-Identifier: GPL-2.0-only
"""What a field of a header's union is of the value that the union was given."""

import pytest

from codegen.base.spans import SourceText
from codegen.csyntax.bitfields import Fields, fields_in, read_unions
from codegen.csyntax.parse import parse

WORD = """\
union word {
	unsigned long val;
	struct {
		unsigned long page : 52; /* where */
		unsigned long	   : 8;
		unsigned long low  : 4;
	};
};
"""
FIELDS = Fields("val", (("low", 0, 4), ("page", 12, 52)))


def test_the_first_field_has_the_highest_bits_of_a_big_endian_machine() -> None:
    assert fields_in(["int x;\n", WORD], "word", True) == FIELDS
    little = Fields("val", (("page", 0, 52), ("low", 60, 4)))
    assert fields_in([WORD], "word", False) == little


@pytest.mark.parametrize(
    "header",
    [
        "",
        "union word;\n",
        WORD.replace(": 52", ": 51"),
        WORD.replace("unsigned long page", "unsigned int page"),
        WORD.replace("\t};\n", "\t} part;\n"),
        WORD + WORD.replace(": 8", ": 4").replace("low  : 4", "low  : 8"),
    ],
)
def test_what_is_not_plainly_one_word_is_left_alone(header: str) -> None:
    assert fields_in([header], "word", True) is None


DECLARED = "union word w = { .val = regs->code };"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{DECLARED} g(w.low, w.page);",
         ["(regs->code >> 0 & 0xf)=w.low", "(regs->code >> 12 & 0xfffffffffffff)=w.page"]),
        (f"{DECLARED} g(w.val);", ["(regs->code)=w.val"]),
        (f"{DECLARED} regs->code = w.low | 1;", ["(regs->code >> 0 & 0xf)=w.low"]),
        # Written to, or the value is, or its address is taken; given otherwise, or not here.
        (f"{DECLARED} w.low = 1; g(w.low);", []),
        (f"{DECLARED} w.low |= 1; g(w.low);", []),
        (f"{DECLARED} regs->code = 0; g(w.low);", []),
        (f"{DECLARED} h(&w); g(w.low);", []),
        ("union word w = { .val = probe(regs) }; g(w.low);", []),
        ("union word w; w.val = regs->code; g(w.low);", []),
        ("union word w = { .low = regs->code }; g(w.low);", []),
        ("union other w = { .val = regs->code }; g(w.low);", []),
        ("g(w.low);", []),
    ],
)  # fmt: skip
def test_a_local_that_is_only_read_is_its_value(body: str, expected: list[str]) -> None:
    tree = parse(SourceText("fault.c", f"void f(struct pt_regs *regs)\n{{\n\t{body}\n}}\n"))
    found = read_unions(tree, tree.functions, lambda tag: FIELDS if tag == "word" else None)
    assert [str(r) for r in found] == expected


def test_two_functions_have_to_give_it_the_same() -> None:
    text = "".join(
        f"void {name}(struct pt_regs *regs)\n{{\n\tunion word w = {{ .val = {value} }};\n"
        "\tg(w.low);\n}\n"
        for name, value in (("f", "regs->code"), ("h", "regs->other"))
    )
    tree = parse(SourceText("fault.c", text))
    assert read_unions(tree, tree.functions, lambda _: FIELDS) == ()
