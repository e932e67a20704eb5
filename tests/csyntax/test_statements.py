# SPDX-License-Identifier: GPL-2.0-only
"""The statement tree, on small bodies and against tree-sitter's own where that one is whole."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_c

from codegen.base.diagnostics import UnreadableSource
from codegen.base.spans import SourceText
from codegen.csyntax import FunctionText, Statement, StatementKind, SyntaxTree, parse
from codegen.csyntax.printer import print_function


def function_of(body: str) -> tuple[SyntaxTree, FunctionText]:
    tree = parse(SourceText("x.c", "void f(void)\n{\n" + body + "}\n"))
    (function,) = tree.functions
    return tree, function


def shape(body: str) -> str:
    """The printed statements, the first line of the body being line 1."""
    tree = parse(SourceText("x.c", "void f(void) {" + body + "}\n"))
    (function,) = tree.functions
    lines = print_function(tree, function).splitlines()[1:]
    return "\n".join(line[2:] for line in lines)


def flat(statements: Iterable[Statement]) -> Iterator[Statement]:
    for statement in statements:
        yield statement
        yield from flat(statement.children)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("struct a *b = c;", "declaration"),
        ("unsigned long a, b;", "declaration"),
        ("vm_fault_t fault;", "declaration"),
        ("u32 __user *p = q;", "declaration"),
        ("pgd_t *a, *b;", "declaration"),
        ("static const char x[] = { 1, 2 };", "declaration"),
        ("a = b * c;", "expression"),
        ("f(a);", "expression"),
        ("DEFINE_WAIT(w);", "expression"),
        ("*p = 1;", "expression"),
        ("x;", "expression"),
        ("(void)({ int a; a; });", "expression"),
        ('asm volatile("nop");', "asm"),
        (";", "empty"),
        ("return a ? b : c;", "return"),
        ("goto out;", "goto"),
        ("break;", "break"),
        ("{ a(); }", "compound"),
        ("switch (a) { default: b(); }", "switch"),
        ("for (;;) a();", "for"),
        ("while (a) ;", "while"),
        ("do { a(); } while (b);", "do"),
        ("for_each_thing(a, b) { c(); }", "macro_block"),
        ("for_each_thing(a, b)\n\tc();", "macro_block"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    tree, function = function_of(f"\t{text}\n")
    (statement,) = tree.statements_in(function)
    assert statement.kind == kind
    assert tree.source.slice(statement.span) == text


def test_nesting() -> None:
    assert shape(
        """
	if (a) {
		b();
	} else if (c)
		goto out;
	else
		return;
	switch (d) {
	case A ? B : C:
	default:
		break;
	}
out:
	do
		e();
	while (f);
"""
    ) == (
        """
if 2..7
  compound 2..4
    expression 3..3
  else 4..7
    if 4..7
      goto out 5..5
      else 6..7
        return 7..7
switch 8..12
  compound 8..12
    case 9..9
    case 10..10
    break 11..11
label out 13..13
do 14..16
  expression 15..15
""".strip()
    )


def test_else_before_endif() -> None:
    assert (
        shape("\n#ifdef A\n\tif (a)\n\t\tb();\n\telse\n#endif\n\t\tc();\n\td();\n")
        == """
directive 2..2
if 3..7
  expression 4..4
  else 5..7
    directive 6..6
    expression 7..7
expression 8..8
""".strip()
    )


def test_else_that_begins_in_an_arm() -> None:
    assert (
        shape(
            "\n\tif (a) {\n\t\tb();\n#ifdef A\n\t} else if (c) {\n\t\td();\n#endif\n\t}\n\te();\n"
        )
        == """
if 2..8
  compound 2..5
    expression 3..3
    directive 4..4
  else 5..8
    if 5..8
      compound 5..8
        expression 6..6
        directive 7..7
expression 9..9
""".strip()
    )


def test_arms_that_share_a_closing_brace() -> None:
    assert (
        shape("\n#ifdef A\n\tif (a) {\n#else\n\tif (b) {\n#endif\n\t\tc();\n\t}\n\td();\n")
        == """
directive 2..2
if 3..8
  compound 3..8
    directive 4..4
    skipped 5..5
    directive 6..6
    expression 7..7
expression 9..9
""".strip()
    )


def test_groups() -> None:
    assert (
        shape(
            "\n#ifdef A\n\ta();\n#else\n\tint b = \n#if C\n\t\t1\n#endif\n\t\t;\n#endif\n\tc();\n"
        )
        == """
preproc_group 2..10
  directive 2..2
  expression 3..3
  directive 4..4
  declaration 5..9
    directive 6..6
    directive 8..8
  directive 10..10
expression 11..11
""".strip()
    )


def test_heads_and_labels() -> None:
    tree, function = function_of("\tif ( a && b )\n\t\treturn c;\n\treturn;\n")
    guarded, plain = tree.statements_in(function)
    assert guarded.head and tree.source.slice(guarded.head) == "a && b"
    value = guarded.children[0].head
    assert value and tree.source.slice(value) == "c"
    assert plain.head is None


def test_leading_comments_and_statement_at() -> None:
    body = "\ta(); /* beside a */\n\t/* one */\n\t// two\n\tif (b)\n\t\tc();\n"
    body += "\n\t/* far */\n\n\td();\n"
    tree, function = function_of(body)
    first, second, third = tree.statements_in(function)
    assert first.leading_comments == third.leading_comments == ()
    assert [tree.source.slice(c) for c in second.leading_comments] == ["/* one */", "// two"]
    inner = tree.statement_at(function, tree.source.text.index("c()"))
    assert inner and tree.source.slice(inner.span) == "c();"
    assert tree.statement_at(function, tree.source.text.index("/* far")) is None
    assert tree.source.slice(tree.line_span(inner.span)) == "\t\tc();\n"


def test_absurd_nesting_is_an_answer() -> None:
    tree, function = function_of("{" * 5000 + "}" * 5000 + "\n")
    with pytest.raises(UnreadableSource, match=r"x\.c:3: .*nested"):
        tree.statements_in(function)


_GRAMMAR = {
    "compound_statement": StatementKind.COMPOUND,
    "if_statement": StatementKind.IF,
    "else_clause": StatementKind.ELSE,
    "switch_statement": StatementKind.SWITCH,
    "while_statement": StatementKind.WHILE,
    "do_statement": StatementKind.DO,
    "for_statement": StatementKind.FOR,
    "goto_statement": StatementKind.GOTO,
    "return_statement": StatementKind.RETURN,
    "break_statement": StatementKind.BREAK,
    "continue_statement": StatementKind.CONTINUE,
    "declaration": StatementKind.DECLARATION,
    "expression_statement": StatementKind.EXPRESSION,
}
# The grammar has these as expression statements.
_AS_EXPRESSION = {StatementKind.ASM, StatementKind.EMPTY}


def grammar_statements(body: tree_sitter.Node) -> set[tuple[StatementKind, int, int]]:
    found = set()
    todo = list(body.children)
    while todo:
        node = todo.pop()
        if node.type == "parenthesized_expression" and node.children[1].type in _GRAMMAR:
            continue  # ({ ... })
        in_for_head = (
            node.type == "declaration" and node.parent and node.parent.type == "for_statement"
        )
        if node.type in _GRAMMAR and not in_for_head:
            found.add((_GRAMMAR[node.type], node.start_byte, node.end_byte))
        todo.extend(node.children)
    return found


@pytest.mark.kernel
def test_as_tree_sitter_reads_it(kernel_61: Path, kernel_612: Path) -> None:
    """Where the grammar reads a function without an error, its statements are ours."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_c.language()))
    compared = 0
    for path in (*kernel_61.glob("arch/*/mm/*fault*.c"), *kernel_612.glob("arch/*/mm/*fault*.c")):
        tree = parse(SourceText.from_bytes(str(path), path.read_bytes()))
        root = parser.parse(tree.source.to_bytes()).root_node
        for function in tree.functions:
            body = root.descendant_for_byte_range(function.body.start, function.body.end - 1)
            if body is None or body.type != "compound_statement" or body.has_error:
                continue
            ours = {
                (StatementKind.EXPRESSION if s.kind in _AS_EXPRESSION else s.kind, *ends(s))
                for s in flat(tree.statements_in(function))
                if s.kind in _GRAMMAR.values() or s.kind in _AS_EXPRESSION
            }
            assert ours == grammar_statements(body), f"{path} {function.name}"
            compared += len(ours)
    assert compared > 4000


def ends(statement: Statement) -> tuple[int, int]:
    return statement.span.start, statement.span.end


@pytest.mark.kernel
def test_every_token_is_in_a_statement(kernel_61: Path, kernel_612: Path) -> None:
    """Also in the handlers that the grammar cannot read; children stay inside their parents."""
    for path in (*kernel_61.glob("arch/*/mm/*fault*.c"), *kernel_612.glob("arch/*/mm/*fault*.c")):
        tree = parse(SourceText.from_bytes(str(path), path.read_bytes()))
        for function in tree.functions:
            statements = tree.statements_in(function)
            for parent in flat(statements):
                assert all(parent.span.covers(child.span) for child in parent.children)
            for lexeme in tree.lexemes:
                if function.body.start < lexeme.start and lexeme.end < function.body.end:
                    assert tree.statement_at(function, lexeme.start), f"{path} {lexeme}"
