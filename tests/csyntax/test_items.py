# SPDX-License-Identifier: GPL-2.0-only
"""What stands at file scope, and what of it a function hangs on."""

import pytest

from codegen.base.spans import SourceText
from codegen.csyntax.items import ItemKind, Items
from codegen.csyntax.parse import parse


def items(text: str) -> Items:
    return Items(parse(SourceText("f.c", text)))


@pytest.mark.parametrize(
    ("text", "names", "initialised"),
    [
        ("static const int limit[] = {1, 2};", {"limit"}, True),
        ("static int a = 1, *b = 0;", {"a", "b"}, True),
        ("static unsigned long seen, missed;", {"seen", "missed"}, False),
        ("static struct info table[4] __ro_after_init = { { f } };", {"table"}, True),
        ("struct info { int (*fn)(int sig); const char *name; };", {"info"}, False),
        ("enum cause { READ, WRITE = 4, EXEC };", {"cause", "READ", "WRITE", "EXEC"}, False),
        ("static DEFINE_SPINLOCK(lock);", {"DEFINE_SPINLOCK", "lock"}, False),
    ],
)
def test_what_a_declaration_declares(text: str, names: set[str], initialised: bool) -> None:
    (item,) = items(text).all
    assert item.kind is ItemKind.DATA
    assert item.names >= names
    assert item.names <= {*names, "__ro_after_init"}
    assert item.initialised is initialised


def test_a_prototype_declares_no_data() -> None:
    assert items("static int first(int limit);\nvoid g(void) __noreturn;\n").all[:1] == ()


FILE = """\
#define LIMIT (limits[0] + EXTRA)
#define EXTRA 1
static const int limits[] = {1, 2};
static const struct info infos[] = { { other }, };
static int second(int a) { return a; }
#ifdef CONFIG_A
static int first(int a) { return second(a) + LIMIT; } /* said */
#endif
static int other(int a) { return infos[a].n; }
"""


def test_what_a_function_hangs_on_comes_in_the_order_of_the_file() -> None:
    found = items(FILE)
    needed = found.needed({"first"})
    assert [sorted(i.names) for i in needed] == [
        ["LIMIT"], ["EXTRA"], ["limits"], ["second"], ["first"],
    ]  # fmt: skip
    around, tokens = found.told(needed[-1])
    assert around == ("ifdef CONFIG_A",)
    assert "LIMIT" in tokens
    assert not any("said" in t for t in tokens)


def test_functions_that_only_data_names_are_left_out() -> None:
    found = items(FILE.replace("{ other }", "{ second }"))
    assert [sorted(i.names) for i in found.needed({"other"})] == [["infos"], ["other"]]
    assert [sorted(i.names) for i in found.needed({"first"}, frozenset({"first"}))] == [
        ["LIMIT"], ["EXTRA"], ["limits"], ["first"],
    ]  # fmt: skip


def test_spaces_and_comments_make_no_difference_and_strings_do() -> None:
    a, b, c = (
        items('static int f(void)\n{\n\treturn g("a b");\n}\n'),
        items('static int f(void) { /* as before */ return g( "a b" ); }'),
        items('static int f(void) { return g("a  b"); }'),
    )
    assert a.told(a.all[0]) == b.told(b.all[0])
    assert a.told(a.all[0]) != c.told(c.all[0])
