# SPDX-License-Identifier: GPL-2.0-only
"""Whole words outside of comments and literals, and what each of them is."""

from codegen.base.spans import SourceText, Span
from codegen.csyntax import UseKind, parse, uses_of, words_in

_TEXT = """#include <linux/flags.h>
#define F(x) g(flags, x)
/* flags */
struct flags { int flags; };
void f(struct flags *p)
{
	unsigned int flags = p->flags, my_flags;

	if (a ? flags : b)
		goto flags;
	pr("flags %d", flags);
flags:
	switch (a) {
	case flags:
		x = (struct s){ .flags = 1 };
	default:
		break;
	}
	goto *q[&&flags];
}
"""


def test_kinds() -> None:
    tree = parse(SourceText("x.c", _TEXT))
    uses = uses_of(tree, "flags", directives=True)
    assert all(tree.source.slice(use.span) == "flags" for use in uses)
    assert [(tree.source.line(use.span.start), str(use.kind)) for use in uses] == [
        (1, "directive"),
        (2, "directive"),
        (4, "tag"),
        (4, "name"),
        (5, "tag"),
        (7, "name"),
        (7, "member"),
        (9, "name"),
        (10, "label"),
        (11, "name"),
        (12, "label"),
        (14, "name"),
        (15, "member"),
        (19, "label"),
    ]


def test_directives_count_only_if_asked() -> None:
    tree = parse(SourceText("x.c", _TEXT))
    assert UseKind.DIRECTIVE not in {use.kind for use in uses_of(tree, "flags")}
    assert uses_of(tree, "define", directives=True) == ()
    assert [u.kind for u in uses_of(tree, "g", directives=True)] == [UseKind.DIRECTIVE]


def test_spans_limit() -> None:
    tree = parse(SourceText("x.c", _TEXT))
    start = _TEXT.index("unsigned")
    line = Span(start, _TEXT.index("\n", start))
    found = words_in(tree, line)
    assert list(found) == ["unsigned", "int", "flags", "p", "my_flags"]
    assert [use.kind for use in found["flags"]] == [UseKind.NAME, UseKind.MEMBER]
    # A word that the span cuts is not in it.
    assert words_in(tree, Span(start + 1, start + 8)) == {}
