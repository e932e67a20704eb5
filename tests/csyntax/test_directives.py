# SPDX-License-Identifier: GPL-2.0-only
"""Preprocessor lines and the tree of conditionals."""

from codegen.base.spans import SourceText
from codegen.csyntax import SyntaxTree, parse
from codegen.csyntax.printer import print_conditionals

_TEXT = """#include <linux/mm.h>
#  define A(x) \\
\tf(x) /* c */
#if defined(A) && \\
    !B /* why
  not */
int a;
#elif C
#ifdef D // d
#error don't
#endif
#else
char *s = "\\
#define NO 1";
/*
#define NO 2
*/
#endif /* A */
#
# 12 "x.h"
#undef A
#pragma once
"""


def tree_of(text: str) -> SyntaxTree:
    return parse(SourceText("x.c", text))


def test_kinds_names_and_text() -> None:
    assert [(d.kind, d.name, d.text) for d in tree_of(_TEXT).directives] == [
        ("include", None, "<linux/mm.h>"),
        ("define", "A", "A(x) f(x)"),
        ("if", None, "defined(A) && !B"),
        ("elif", None, "C"),
        ("ifdef", "D", "D"),
        ("error", None, "don't"),
        ("endif", None, ""),
        ("else", None, ""),
        ("endif", None, ""),
        ("", None, ""),
        ("line", None, '12 "x.h"'),
        ("undef", "A", "A"),
        ("pragma", None, "once"),
    ]


def test_spans_take_continuations_and_comments_in() -> None:
    tree = tree_of(_TEXT)
    assert tree.source.slice(tree.directives[1].span) == "#  define A(x) \\\n\tf(x) /* c */"
    assert tree.source.slice(tree.directives[2].span).endswith("why\n  not */")


def test_groups() -> None:
    tree = tree_of(_TEXT)
    assert print_conditionals(tree.conditional_groups) == (
        "conditional if defined(A) && !B | elif C | else\n  conditional ifdef D"
    )
    (group,) = tree.conditional_groups
    assert tree.source.slice(group.branches[0].body) == "int a;\n"
    assert tree.source.slice(group.branches[1].body) == "#ifdef D // d\n#error don't\n#endif\n"
    assert tree.source.slice(group.span).endswith("#endif /* A */")


def test_unpaired() -> None:
    tree = tree_of("#else\n#endif\n#if A\n#ifdef B\nint b;")
    (group,) = tree.conditional_groups
    assert group.endif is None and group.span.end == len(tree.source.text)
    (inner,) = group.children
    assert tree.source.slice(inner.branches[0].body) == "int b;"


def test_crlf() -> None:
    tree = tree_of("#define A \\\r\n 1\r\n#if A\r\nint b;\r\n#endif\r\n")
    assert [(d.kind, d.text) for d in tree.directives] == [
        ("define", "A 1"),
        ("if", "A"),
        ("endif", ""),
    ]
    assert tree.source.slice(tree.conditional_groups[0].branches[0].body) == "int b;\r\n"
