# SPDX-License-Identifier: GPL-2.0-only
"""Arrays of functions at file scope."""

from codegen.base.spans import SourceText
from codegen.csyntax.arrays import arrays_naming
from codegen.csyntax.parse import parse

TEXT = """\
static int slow(long far);
static int other(long far);
#ifdef CONFIG_BIG
static const struct entry traps[4] = {
	[0] = { other, 1, "none" },
	[1] = { .fn = slow, .name = "slow { path" },
};
#endif
static const char *names[] = { "slow", "other" };
static int (*one)(long) = slow;
static int slow(long far)
{
	static const hook mine[] = { slow };

	return mine[0](far);
}
"""


def found(*names: str) -> list[tuple[str, int]]:
    source = SourceText("t.c", TEXT)
    tables = arrays_naming(parse(source), frozenset(names))
    return [(name, source.line(place.start)) for name, place in tables]


def test_an_array_is_found_by_any_of_the_functions_in_it() -> None:
    assert found("slow") == [("traps", 4)]
    assert found("other", "nothing") == [("traps", 4)]


def test_strings_single_pointers_and_locals_do_not_count() -> None:
    assert found("names") == []
    assert found("path") == []
    assert found("fn", "mine") == []
