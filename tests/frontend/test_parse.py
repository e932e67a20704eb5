# SPDX-License-Identifier: GPL-2.0-only
"""Functions to syntax: what is rewritten for the parser, and where an error is."""

import pytest

from codegen.base.diagnostics import RefusedError
from codegen.base.spans import SourceText
from codegen.csyntax.parse import parse
from codegen.frontend.constants import enumerators
from codegen.frontend.nodes import Configuration, ParsedFunction
from codegen.frontend.parse import parse_function
from codegen.frontend.preprocess import Preprocessor


def parsed(text: str, name: str = "f") -> ParsedFunction:
    source = SourceText("f.c", text)
    preprocessor = Preprocessor(source, parse(source), "", {})
    (stream,) = preprocessor.run(Configuration(), frozenset({name}))
    f = stream.function
    return parse_function(source, name, stream.tokens, f.span, f.is_static, frozenset())


@pytest.mark.parametrize(
    "body",
    [
        "for_each_vma(vmi, vma) { g(vma); }",
        "for_each_vma(vmi, vma) g(vma);",
        "if (x)\n\t\tlist_for_each_entry(p, &head, list) { g(p); }",
        "do { g(x); } while (x);",
        "x = y ?: z;",
        'asm volatile("nop" : "=r" (x) : "r" (y) : "memory");',
        "x = ({ int t = y; t + 1; });",
        "goto out;\nout:\n\treturn;",
    ],
)
def test_kernel_constructs_parse(body: str) -> None:
    assert parsed(f"static void f(int x, int y, int z)\n{{\n\t{body}\n}}\n").name == "f"


@pytest.mark.parametrize(
    ("bad", "line"),
    [("x = x +;", 6), ("x = sizeof;", 6), ("if (x) { x = (); }", 6), ("x = 1 2;", 6)],
)
def test_an_error_names_the_line_of_its_statement(bad: str, line: int) -> None:
    text = f"int f(int x)\n{{\n\tint y = 1;\n\n\tif (y) {{\n\t\t{bad}\n\t}}\n\treturn x;\n}}\n"
    with pytest.raises(RefusedError) as caught:
        parsed(text)
    refusal = caught.value.refusal
    assert (refusal.path, refusal.line) == ("f.c", line)
    assert refusal.construct in text.split("\n")[line - 1]


def test_enumerators_count_on() -> None:
    text = """
    enum fault_type { KERNEL_FAULT, /* USER */ USER_FAULT = 4, GMAP_FAULT, };
    enum { ODD = sizeof(int), LOST, AGAIN = 0x10, SAME = AGAIN };
    """
    assert enumerators(text) == {
        "KERNEL_FAULT": 0,
        "USER_FAULT": 4,
        "GMAP_FAULT": 5,
        "AGAIN": 16,
        "SAME": 16,
    }


@pytest.mark.parametrize("declared", ["jmp_buf *p;", "jmp_buf *p = g();", "const jmp_buf *p;"])
def test_a_pointer_to_an_unknown_type_is_declared(declared: str) -> None:
    """No product: nobody would throw it away."""
    function = parsed(f"void f(void)\n{{\n\t{declared}\n\tp = h();\n}}")
    assert type(function.tree.body.block_items[0]).__name__ == "Decl"
