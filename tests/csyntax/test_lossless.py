# SPDX-License-Identifier: GPL-2.0-only
"""No byte is lost: the tokens and the white space between them are the file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.csyntax import SyntaxTree, parse
from codegen.csyntax.lex import lex_text

_PIECES = (
    *("int x;", "{", "}", "(", ")", '"a;{b"', "'\\''", '"', "'", "/* c */", "/*", "// d", "\\\n"),
    *("\n", "\t", " ", "#", "#if A\n", "#else\n", "#endif\n", "else", "if (a)", "case 1:", "x:"),
    *("f(a)", "static", "for_each(a)", "=", ";", "\r\n", "\x00", "\xe9", "#define M \\\n 1\n"),
)


def assert_lossless(tree: SyntaxTree) -> None:
    assert tree.render() == tree.source.text
    pos = 0
    for token in tree.tokens:
        between = tree.source.text[pos : token.span.start]
        assert token.span.start >= pos, "tokens overlap"
        assert not between.replace("\\\r\n", "").replace("\\\n", "").strip(" \t\r\n\f\v"), between
        pos = token.span.end


def assert_lexed_like_c(tree: SyntaxTree) -> None:
    """tree-sitter's leaves and the small lexer agree on every token outside of literals."""
    text, pos, plain = tree.source.text, 0, []
    for start, end, _ in (*tree.outline.regions, (len(text), len(text), "")):
        plain += [(lx.start, lx.text) for lx in lex_text(text, pos, start)]
        pos = end
    leaves: list[tuple[int, str]] = []
    for lexeme in tree.lexemes:
        if lexeme.kind == "number_literal" and lexeme.text[0] in "+-":
            # The grammar takes a sign for a part of the number.
            leaves += [(lexeme.start, lexeme.text[0]), (lexeme.start + 1, lexeme.text[1:])]
        elif lexeme.kind not in ("literal", "directive"):
            leaves.append((lexeme.start, lexeme.text))
    assert leaves == plain


@given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join))
def test_any_text_survives(text: str) -> None:
    tree = parse(SourceText("x.c", text))
    assert_lossless(tree)
    for function in tree.functions:
        assert function.span.covers(function.body)
        for statement in tree.statements_in(function):
            assert function.body.covers(statement.span)


@given(st.binary(max_size=200))
def test_any_bytes_survive(data: bytes) -> None:
    tree = parse(SourceText.from_bytes("x.c", data))
    assert tree.render().encode("latin-1") == data


@pytest.mark.parametrize("path", sorted(data_dir("kernel_snippets").rglob("*.c")), ids=str)
def test_snippets(path: Path) -> None:
    tree = parse(SourceText.from_bytes(path.name, path.read_bytes()))
    assert_lossless(tree)
    assert_lexed_like_c(tree)


@pytest.mark.kernel
@pytest.mark.parametrize("fixture", ["kernel_61", "kernel_612"])
def test_kernel_files(fixture: str, request: pytest.FixtureRequest) -> None:
    root: Path = request.getfixturevalue(fixture)
    paths = sorted(root.glob("arch/*/mm/*.c"))
    assert len(paths) > 200
    for path in paths:
        tree = parse(SourceText.from_bytes(str(path.relative_to(root)), path.read_bytes()))
        assert_lossless(tree)
        assert_lexed_like_c(tree)


def test_a_quote_in_an_error_region_ends_its_literal() -> None:
    text = 'void f(void)\n{\n\tasm volatile("m %0" : [o] "=r" (x), "r" (y));\n\tg(x);\n}\n'
    tree = parse(SourceText("x.c", text))
    words = [lx.text for lx in tree.lexemes if lx.is_word]
    assert words == ["void", "f", "void", "asm", "volatile", "o", "x", "y", "g", "x"]


def test_comments_are_found_where_they_are_comments() -> None:
    text = 'char *s = "/* no */"; // yes\n#define A 1 /* too */\nint b; /* and\n# this */\n'
    tree = parse(SourceText("x.c", text))
    found = [tree.source.slice(span) for span in tree.comments]
    assert found == ["// yes", "/* too */", "/* and\n# this */"]
    assert [d.kind for d in tree.directives] == ["define"]
