# SPDX-License-Identifier: GPL-2.0-only
"""Every function is found, with the right extents, also where the grammar breaks."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.csyntax import FunctionText, SyntaxTree, parse


def tree_of(text: str) -> SyntaxTree:
    return parse(SourceText("x.c", text))


def only(text: str) -> tuple[SyntaxTree, FunctionText]:
    tree = tree_of(text)
    (function,) = tree.functions
    return tree, function


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("void f(void)", "f"),
        ("static inline unsigned long *f(struct a *b, int (*c)(void))", "f"),
        ("asmlinkage void __kprobes f(struct pt_regs *regs)", "f"),
        ("static void __kprobes\nf(struct pt_regs *regs,\n  unsigned long address)", "f"),
        ("static int __attribute__((noinline)) f(int a)", "f"),
        ("__printf(1, 2) void f(const char *fmt, ...)", "f"),
        ("static __must_hold(x) int f(int a)", "f"),
        ("static int f(int a) __releases(lock)", "f"),
        ("static vm_fault_t __f(struct mm_struct *mm) __must_hold(mm)", "__f"),
        ("DEFINE_IDTENTRY_RAW_ERRORCODE(f)", "f"),
        ("DEFINE_INTERRUPT_HANDLER(f)", "f"),
        ("SYSCALL_DEFINE2(f, int, a, int, b)", "f"),
        ("struct a *f(void)", "f"),
        ("main()", "main"),
    ],
)
def test_heads(head: str, name: str) -> None:
    text = f"int before;\n\n{head}\n{{\n\treturn g({{1}});\n}}\n\nint after;\n"
    tree, function = only(text)
    assert function.name == name
    assert tree.source.slice(function.name_span) == name
    assert tree.source.slice(function.span) == text[text.index(head) : text.index("\n\nint after")]
    assert tree.source.slice(function.body) == "{\n\treturn g({1});\n}"
    assert function.is_static == head.startswith("static")


@pytest.mark.parametrize(
    "text",
    [
        "struct a {\n\tint b;\n};\n",
        "struct a b[] = {\n\t{ f(1) },\n};\n",
        "static int (*f[])(int) = { g };\n",
        "enum { A = (1), B };\n",
        "struct __attribute__((packed)) a\n{\n\tint b;\n};\n",
        "/* void f(void)\n{\n} */\n",
        "#define F() void f(void) \\\n{ \\\n}\n",
        "void f(void);\n",
    ],
)
def test_what_is_no_function(text: str) -> None:
    assert tree_of(text).functions == ()


def test_file_level_macros_do_not_belong_to_the_next_function() -> None:
    text = "EXPORT_THING(g)\nstatic int f(void)\n{\n}\nNO_PROBE(f);\n"
    tree, function = only(text)
    assert tree.source.slice(function.span) == "static int f(void)\n{\n}"


def test_one_function_in_each_arm() -> None:
    text = (
        "#ifdef A\n#if B\nint f(void)\n{\n\treturn 1;\n}\n#endif\n#else\n"
        "int f(void)\n{\n\treturn 0;\n}\n#endif\n"
    )
    first, second = tree_of(text).functions
    assert first.name == second.name == "f"
    assert [(e.directive.kind, e.directive.text) for e in first.conditionals] == [
        ("ifdef", "A"),
        ("if", "B"),
    ]
    assert [(e.directive.kind, e.index) for e in second.conditionals] == [("else", 1)]


def test_a_head_in_arms_is_taken_whole() -> None:
    text = (
        "int a;\n#ifdef A\nint f(int a)\n#else\nint f(long a)\n#endif\n{\n\treturn a;\n}\nint b;\n"
    )
    tree, function = only(text)
    assert tree.source.slice(function.span).startswith("#ifdef A\n")
    assert function.conditionals == ()


def test_a_brace_in_arms_is_closed_once() -> None:
    text = (
        "int f(int a)\n{\n#ifdef A\n\tif (a) {\n#else\n\tif (!a) {\n#endif\n\t\tg();\n\t}\n}\n\n"
        "int h(void)\n{\n}\n"
    )
    tree = tree_of(text)
    assert [f.name for f in tree.functions] == ["f", "h"]
    assert tree.source.slice(tree.functions[0].body).endswith("\t}\n}")


def test_braces_that_never_pair_end_at_the_left_margin() -> None:
    text = (
        "int f(int a)\n{\n#ifdef A\n\tif (a) {\n#endif\n\t\tg();\n}\n\n"
        "static int h(void)\n{\n\treturn 0;\n}\n"
    )
    tree = tree_of(text)
    assert [f.name for f in tree.functions] == ["f", "h"]
    assert tree.source.slice(tree.functions[0].span).endswith("g();\n}")
    text = "int f(int a)\n{\n\tif (a)\n\t\tg(); }\n\th();\n}\n\nint k(void)\n{\n}\n"
    tree = tree_of(text)
    assert [f.name for f in tree.functions] == ["f", "k"]
    assert tree.source.slice(tree.functions[0].span).endswith("h();\n}")


@pytest.mark.parametrize(
    ("above", "comment"),
    [
        ("/* one */\n\n/*\n * two\n */\n", "/*\n * two\n */"),
        ("// one\n// two\n", "// one\n// two"),
        ("int a; /* of a */\n", None),
        ("/* far */\n\n", None),
    ],
)
def test_leading_comment(above: str, comment: str | None) -> None:
    tree, function = only(f"{above}void f(void)\n{{\n}}\n")
    found = function.leading_comment
    assert (found and tree.source.slice(found)) == comment


def expected_body(text: str, call: int) -> tuple[int, int]:
    """A body by the kernel's layout alone: braces at the left margin."""
    return text.rindex("\n{\n", 0, call) + 1, text.index("\n}\n", call) + 2


def calls_in_code(tree: SyntaxTree) -> list[int]:
    """Where `handle_mm_fault(` is called."""
    lexemes = tree.lexemes
    return [
        lx.start
        for lx, after in pairwise(lexemes)
        if lx.text == "handle_mm_fault" and after.text == "("
    ]


def assert_callers_found(tree: SyntaxTree) -> list[str]:
    text = tree.source.text
    names = []
    for call in calls_in_code(tree):
        function = tree.function_at(call)
        assert function is not None, tree.source.path
        assert (function.body.start, function.body.end) == expected_body(text, call)
        start = function.span.start
        assert start == 0 or text[start - 1] == "\n"
        above = text[:start].rstrip("\n")
        directive_above = above[above.rfind("\n") + 1 :].startswith("#")
        blank_above = text[:start].endswith("\n\n")
        assert blank_above or directive_above or above.endswith(("*/", "}", ";"))
        head = text[start : function.body.start]
        assert ";" not in head
        assert re.search(rf"\b{function.name}\b", head)
        names.append(function.name)
    return names


@pytest.mark.parametrize("path", sorted(data_dir("kernel_snippets").rglob("*.c")), ids=str)
def test_snippets(path: Path) -> None:
    tree = parse(SourceText.from_bytes(path.name, path.read_bytes()))
    assert assert_callers_found(tree)


_CALLERS = {
    "alpha/mm/fault.c": "do_page_fault",
    "arc/mm/fault.c": "do_page_fault",
    "arm/mm/fault.c": "do_page_fault",
    "csky/mm/fault.c": "do_page_fault",
    "hexagon/mm/vm_fault.c": "do_page_fault",
    "loongarch/mm/fault.c": "__do_page_fault",
    "m68k/mm/fault.c": "do_page_fault",
    "microblaze/mm/fault.c": "do_page_fault",
    "mips/mm/fault.c": "__do_page_fault",
    "nios2/mm/fault.c": "do_page_fault",
    "openrisc/mm/fault.c": "do_page_fault",
    "parisc/mm/fault.c": "do_page_fault",
    "powerpc/mm/copro_fault.c": "copro_handle_mm_fault",
    "powerpc/mm/fault.c": "___do_page_fault",
    "s390/mm/fault.c": "do_exception",
    "sh/mm/fault.c": "do_page_fault",
    "sparc/mm/fault_32.c": "do_sparc_fault",
    "sparc/mm/fault_64.c": "do_sparc64_fault",
    "um/kernel/trap.c": "handle_page_fault",
    "x86/mm/fault.c": "do_user_addr_fault",
    "xtensa/mm/fault.c": "do_page_fault",
}
_CALLERS_61 = {
    "arm64/mm/fault.c": "__do_page_fault",
    "ia64/mm/fault.c": "ia64_do_page_fault",
    "riscv/mm/fault.c": "do_page_fault",
}
_CALLERS_612 = {
    "arm64/mm/fault.c": "do_page_fault",
    "riscv/mm/fault.c": "handle_page_fault",
    "s390/mm/gmap.c": "__s390_unshare_zeropages",
}


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("fixture", "callers"), [("kernel_61", _CALLERS_61), ("kernel_612", _CALLERS_612)]
)
def test_real_handlers(
    fixture: str, callers: dict[str, str], request: pytest.FixtureRequest
) -> None:
    arch: Path = request.getfixturevalue(fixture) / "arch"
    found = {}
    for path in sorted([*arch.glob("*/mm/*.c"), *arch.glob("um/kernel/trap.c")]):
        data = path.read_bytes()
        if b"handle_mm_fault" in data:
            name = str(path.relative_to(arch))
            names = assert_callers_found(parse(SourceText.from_bytes(name, data)))
            if names:
                found[name] = names[0]
    assert found == _CALLERS | callers


@pytest.mark.kernel
def test_no_body_at_the_left_margin_is_missed(kernel_61: Path, kernel_612: Path) -> None:
    """In all of arch/*/mm, each `{` at the margin after a parenthesis is some function's."""
    seen = 0
    for path in (*kernel_61.glob("arch/*/mm/*.c"), *kernel_612.glob("arch/*/mm/*.c")):
        tree = parse(SourceText.from_bytes(str(path), path.read_bytes()))
        bodies = {function.body.start for function in tree.functions}
        text = tree.source.text
        for before, lexeme in pairwise(tree.lexemes):
            if lexeme.text == "{" and before.text == ")" and text[lexeme.start - 1] == "\n":
                assert lexeme.start in bodies, f"{path}:{tree.source.line(lexeme.start)}"
                seen += 1
    assert seen > 5000


def test_hostile_nesting_takes_no_quadratic_time() -> None:
    text = "void f(void)\n{\n" + "(" * 100_000 + "}\n" * 20_000
    assert [f.name for f in tree_of(text).functions] == ["f"]
