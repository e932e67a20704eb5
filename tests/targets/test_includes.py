# SPDX-License-Identifier: GPL-2.0-only
"""Which includes go from a converted file, by the headers of a small tree or the vocabulary."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from codegen.base.spans import SourceText
from codegen.csyntax.parse import parse
from codegen.targets.c.headers import Headers, headers_of
from codegen.targets.c.includes import drop_includes

_TREE = {
    "include/linux/mm.h": "#ifndef _MM_H\n#define _MM_H\n#include <linux/base.h>\n"
    "#ifdef CONFIG_MMU\n#include <linux/deep.h>\n#endif\n"
    "int find(void);\n#define VM_READ 1\n#endif\n",
    "include/linux/base.h": "typedef long base_t;\nstruct task { int state; };\n",
    "include/linux/deep.h": "#include <asm/page.h>\nint deep(void);\n",
    "include/linux/perf.h": '#include <linux/base.h>\n#include "near.h"\nvoid count(void);\n'
    "struct event { int state; };\n",
    "include/linux/near.h": "int near(void);\n",
    "include/linux/huge.h": "#include <linux/deep.h>\nint shift(int index);\n",
    "include/linux/gone.h": "#include <linux/nowhere.h>\nint gone(void);\n",
    "include/linux/arch.h": "#include <asm/arch.h>\nint all(void);\n",
    "include/asm-generic/page.h": "#define PAGE_SIZE 4096\n",
    "arch/toy/include/asm/arch.h": "#include <cpu/kind.h>\nint own(void);\n",
    "arch/toy/include/cpu-one/cpu/kind.h": "int kind(void);\n",
    "arch/toy/include/cpu-two/cpu/kind.h": "int kind(void);\n",
}

BOTH = "linux/huge.h linux/perf.h"


@pytest.fixture
def headers(tmp_path: Path) -> Headers:
    for name, text in _TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = headers_of(tmp_path, tmp_path / "arch/toy/mm/fault.c")
    assert found is not None
    return found


def dropped(
    includes: str,
    before: str,
    after: str,
    headers: Headers | None,
    purposes: Mapping[str, tuple[str, ...]] | None = None,
) -> str:
    """The names of the includes that go when the body changes so."""
    top = "".join(f"#include <{name}>\n" for name in includes.split())
    body = "\nvoid fault(struct task *t, struct none *n)\n{{\n\tlong local;\n\n\t{}\n}}\n"
    old, new = (SourceText("fault.c", top + body.format(text)) for text in (before, after))
    left = drop_includes(new, parse(old), headers, purposes or {})
    assert left.text.endswith(body.format(after).lstrip("\n"))
    gone = set(top.splitlines()) - set(left.text.splitlines())
    return " ".join(name for name in includes.split() if f"#include <{name}>" in gone)


@pytest.mark.parametrize(
    ("includes", "before", "after", "gone"),
    [
        ("linux/mm.h linux/perf.h", "find(); count();", "VM_READ;", "linux/perf.h"),
        # Never used for itself: it may be there for what it brings in.
        ("linux/mm.h linux/perf.h", "find();", "VM_READ;", ""),
        # Still used, in one configuration.
        ("linux/mm.h linux/perf.h", "count();", "\n#ifdef A\n\tcount();\n#endif\n", ""),
        # Only it brings near() in, under quotes; base_t comes without it, too.
        ("linux/mm.h linux/perf.h", "count(); near();", "near();", ""),
        ("linux/mm.h linux/perf.h", "count(); (base_t)1;", "(base_t)1;", "linux/perf.h"),
        ("linux/perf.h", "count(); (base_t)1;", "(base_t)1;", ""),
        # A struct behind a pointer needs its definition.
        ("linux/perf.h", "count(); t->state;", "t->state;", ""),
        ("linux/mm.h linux/perf.h", "count(); t->state;", "t->state;", "linux/perf.h"),
        # What base is nobody knows: a member of that name may be the header's.
        ("linux/perf.h", "count(); current->state;", "current->state;", ""),
        # Both bring deep() in: mm.h only in some configuration, which is not enough ...
        ("linux/mm.h linux/huge.h", "shift(1); deep();", "deep();", ""),
        # ... and what deep.h brings comes or does not come with it.
        ("linux/mm.h linux/huge.h", "shift(1);", "VM_READ;", "linux/huge.h"),
        ("linux/deep.h linux/huge.h", "shift(1); PAGE_SIZE;", "PAGE_SIZE;", "linux/huge.h"),
        # Two that go, one after the other.
        ("linux/base.h linux/huge.h linux/perf.h", "shift(1); count();", ";", BOTH),
        # The architecture's own part of a header; one of two that the Makefile chooses from.
        ("linux/arch.h", "all(); own();", "own();", ""),
        ("linux/arch.h", "all(); kind();", "kind();", ""),
        ("linux/arch.h", "all();", ";", "linux/arch.h"),
        # A header that includes what the tree does not have tells nothing.
        ("linux/gone.h", "gone();", ";", ""),
        # A local of that name is no use.
        ("linux/base.h linux/perf.h", "count();", "local = 1;", "linux/perf.h"),
    ],
)
def test_what_a_trees_headers_say(
    includes: str, before: str, after: str, gone: str, headers: Headers
) -> None:
    assert dropped(includes, before, after, headers) == gone


def test_conditional_includes_stay(headers: Headers) -> None:
    top = "#include <linux/mm.h>\n#ifdef CONFIG_PERF\n#include <linux/perf.h>\n#endif\n"
    old, new = (SourceText("f.c", f"{top}int f(void)\n{{\n\t{b}\n}}\n") for b in ("count();", ";"))
    assert drop_includes(new, parse(old), headers, {}).text == new.text


def test_without_a_tree_only_known_purposes_count() -> None:
    purposes = {"linux/perf.h": ("count", "PERF_")}
    assert dropped("linux/mm.h linux/perf.h", "find(); count();", ";", None) == ""
    assert dropped("linux/perf.h", "count();", ";", None, purposes) == "linux/perf.h"
    assert dropped("linux/perf.h", "count();", "PERF_ON;", None, purposes) == ""
    assert dropped("linux/perf.h", ";", ";", None, purposes) == ""


def test_a_tree_without_the_architectures_headers_says_nothing(
    tmp_path: Path, headers: Headers
) -> None:
    other = headers_of(tmp_path, tmp_path / "arch/other/mm/fault.c")
    assert other is not None
    assert dropped("linux/mm.h linux/perf.h", "count();", ";", other) == ""
    assert headers_of(None, tmp_path / "fault.c") is None
