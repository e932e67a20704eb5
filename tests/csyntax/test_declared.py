# SPDX-License-Identifier: GPL-2.0-only
"""What a header declares, and what it only mentions."""

import pytest

from codegen.csyntax.declared import declared_in


@pytest.mark.parametrize(
    ("text", "names", "tags", "members"),
    [
        ("#define ONE 1\n#  define TWO(x) \\\n\t((x) + one)\n#undef THREE\n", "ONE TWO", "", ""),
        ("extern int one;\nint f(struct s *p, int q);\n", "one f", "", ""),
        ("static inline int f(int q)\n{\n\treturn g(q);\n}\nint after;\n", "f after", "", ""),
        ("struct s *f(void)\n{\n\tint inner;\n}\n", "f", "", ""),
        ("struct a;\nunion b;\n", "", "", ""),
        ("struct s { int a, *b[3]; long (*c)(int q); int d : 1; };\n", "", "s", "a b c d"),
        ("struct s { union { int a; }; struct t { int b; } c; };\n", "", "s t", "a b c"),
        ("enum e {\n\tA,\n\tB = (1 << K),\n\tC\n};\n", "A B C", "e", ""),
        ("typedef struct { int m; } t_t;\ntypedef void (*fn_t)(int q);\n", "t_t fn_t", "", "m"),
        ("#ifdef X\nint one;\n#else\n#define one 2\n#endif\nint two;\n", "one two", "", ""),
        ('/* int no; */\nconst char *s = "int no;";\n', "s", "", ""),
        ("struct s v = { .m = n };\n", "v", "", ""),
    ],
)
def test_declared(text: str, names: str, tags: str, members: str) -> None:
    found = declared_in(text)
    assert found.names == set(names.split())
    assert found.tags == set(tags.split())
    assert found.members == set(members.split())


def test_what_a_macro_declares_counts() -> None:
    found = declared_in("DECLARE_PER_CPU(struct s, one);\nEXPORT_SYMBOL(two);\n")
    assert {"one", "two"} <= found.names
