# SPDX-License-Identifier: GPL-2.0-only
"""Edits change what they say and nothing else; deletions leave clean text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.base.resources import data_dir
from codegen.base.spans import SourceText, Span
from codegen.csyntax import Edit, apply_edits, delete_spans, delete_statements, parse


def test_no_edits_give_the_text_itself() -> None:
    source = SourceText("x.c", "int \t a;\r\n")
    assert apply_edits(source, ()) is source.text


def test_edits_in_any_order() -> None:
    source = SourceText("x.c", "abcdef")
    edits = [
        Edit(Span(4, 5), "E"),
        Edit(Span(0, 1), ""),
        Edit(Span(4, 4), "1"),
        Edit(Span(4, 4), "2"),
        Edit(Span(1, 3), "-"),
    ]
    assert apply_edits(source, edits) == "-d12Ef"


def test_overlaps_and_ends() -> None:
    source = SourceText("x.c", "abcdef")
    with pytest.raises(ValueError, match="overlap"):
        apply_edits(source, [Edit(Span(0, 3), ""), Edit(Span(2, 4), "")])
    with pytest.raises(ValueError, match="overlap"):
        apply_edits(source, [Edit(Span(0, 3), ""), Edit(Span(1, 1), "x")])
    with pytest.raises(ValueError, match="past the end"):
        apply_edits(source, [Edit(Span(6, 7), "x")])


@given(st.text("ab\n", max_size=30), st.lists(st.tuples(st.integers(0, 30), st.text("xy"))))
def test_insertions_keep_the_rest(text: str, inserts: list[tuple[int, str]]) -> None:
    edits = [Edit(Span(min(at, len(text)), min(at, len(text))), new) for at, new in inserts]
    result = apply_edits(SourceText("x.c", text), edits)
    assert result.replace("x", "").replace("y", "") == text


def without(text: str, *victims: str, keep_comments: bool = False) -> str:
    """The body `text` after the statements that begin with `victims` are deleted."""
    tree = parse(SourceText("x.c", "void f(void)\n{\n" + text + "}\n"))
    (function,) = tree.functions
    statements = []
    for victim in victims:
        statement = tree.statement_at(function, tree.source.text.index(victim))
        assert statement is not None
        statements.append(statement)
    edits = delete_statements(tree, statements, keep_comments=keep_comments)
    result = apply_edits(tree.source, edits)
    head = "void f(void)\n{\n"
    assert result.startswith(head) and result.endswith("}\n")
    return result[len(head) : -2]


@pytest.mark.parametrize(
    ("before", "victims", "after"),
    [
        ("\ta();\n\tb();\n\tc();\n", ["b"], "\ta();\n\tc();\n"),
        ("\ta();\n\n\tb();\n\n\tc();\n", ["b"], "\ta();\n\n\tc();\n"),
        ("\tint a;\n\n\tb();\n", ["int"], "\tb();\n"),
        ("\ta();\n\n\tb();\n", ["b"], "\ta();\n"),
        ("\ta();\n\n\tb();\n\n\tc();\n", ["b", "c"], "\ta();\n"),
        ("\ta();\n\n\tb();\n\n\tc();\n", ["c", "a"], "\tb();\n"),
        (
            "\ta();\n\t/* of b\n\t * too */\n\tb(); /* and b */\n\tc();\n",
            ["b("],
            "\ta();\n\tc();\n",
        ),
        ("\ta(); b(); c();\n", ["b"], "\ta(); c();\n"),
        ("\ta(); b();\n", ["b"], "\ta();\n"),
        ("\ta(); b();\n", ["a"], "\tb();\n"),
        ("\ta(); b(); /* x */\n", ["b"], "\ta(); /* x */\n"),
        ("\ta();\nout:\n\tb();\n", ["out"], "\ta();\n\tb();\n"),
        ("\tif (x) {\n\t\ta();\n\t}\n\n\tb();\n", ["if"], "\tb();\n"),
    ],
)
def test_deletions(before: str, victims: list[str], after: str) -> None:
    assert without(before, *victims) == after


def test_comments_may_stay() -> None:
    text = "\ta();\n\t/* of b */\n\tb();\n"
    assert without(text, "b()", keep_comments=True) == "\ta();\n\t/* of b */\n"


def test_a_function_goes_with_its_comment() -> None:
    text = "int a;\n\n/* of f */\nstatic void f(void)\n{\n}\n\nint b;\n"
    tree = parse(SourceText("x.c", text))
    (function,) = tree.functions
    assert function.leading_comment
    edits = delete_spans(tree, [Span(function.leading_comment.start, function.span.end)])
    assert apply_edits(tree.source, edits) == "int a;\n\nint b;\n"


@pytest.mark.parametrize("path", sorted(data_dir("kernel_snippets").rglob("*.c")), ids=str)
def test_deleting_any_one_statement_leaves_clean_text(path: Path) -> None:
    tree = parse(SourceText.from_bytes(path.name, path.read_bytes()))
    kept = {i for i, line in enumerate(tree.source.text.split("\n")) if line != line.rstrip()}
    for function in tree.functions:
        for statement in tree.statements_in(function):
            (edit,) = delete_statements(tree, [statement])
            result = apply_edits(tree.source, [edit])
            assert edit.replacement == ""
            assert not any(
                line != line.rstrip() for i, line in enumerate(result.split("\n")) if i not in kept
            )
            assert result.count("\n\n\n") <= tree.source.text.count("\n\n\n")
            assert "{\n\n" not in result[edit.span.start - 3 : edit.span.start + 3]
            assert len(parse(SourceText("x.c", result)).functions) == len(tree.functions)
