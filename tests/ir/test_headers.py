# SPDX-License-Identifier: GPL-2.0-only
"""Which functions of a header only compute."""

import re
from pathlib import Path

import pytest

from codegen.ir.headers import made_of, not_read
from codegen.ir.vocabulary import load

FILE = "arch/any/mm/fault.c"


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ("bool f(unsigned long a)\n{ a &= 3; if (a == 1) return true; return a > 2; }", None),
        ("int f(u8 a)\n{ switch (a) { case 1: return 2; default: return a + 1; } }", None),
        ("bool f(struct pt_regs *regs)\n{ return user_mode(regs) && !(regs->st & 1); }", None),
        ("bool f(long a)\n{ return g(a) == 1; }\nstatic inline long g(long a)\n{ return a + 1; }",
         None),
        ("bool f(long a)\n{ return g(a); }\n", r"calls g\(\)"),
        ("void f(long *a)\n{ *a = 1; }", "returns what is no number"),
        ("int f(long *a)\n{ *a = 1; return 0; }", "writes more than its own"),
        ("int f(long a)\n{ while (a) a--; return 0; }", "has a loop"),
        ("int f(long a)\n{ return a ? f(a - 1) : 0; }", "has a loop"),
        ("bool f(pte_t a)\n{ return a.low & 1; }", "is given a record by value"),
        ("bool f(union word a)\n{ return a.low & 1; }", "is given a record by value"),
        ("bool f(union word *a)\n{ return a->low & 1; }", None),
        ("int f(odd_t a)\n{ return 1; }", "has a, of a type"),
        ("int f(long a)\n{ odd_t b = a; return b; }", "has b, of a type"),
        ("odd_t f(long a)\n{ return a; }", "returns what is no number"),
        ("int f(long a)\n{ return (odd_t)a; }", "casts to a type"),
        ("int f(long a)\n{ asm volatile(\"nop\"); return a; }", "calls "),
        ("int f(long a)\n{ return handle_mm_fault(a); }", r"calls handle_mm_fault\(\)"),
        ("int f(long a)\n{ return search_exception_tables(a) != 0; }", r"calls search_exc"),
        ("int f(long a)\n{ return a +; }", "cannot be parsed"),
    ],
)  # fmt: skip
def test_only_a_mere_computation_is_read(
    tmp_path: Path, definition: str, reason: str | None
) -> None:
    header = tmp_path / "arch/any/include/asm/f.h"
    header.parent.mkdir(parents=True)
    header.write_text(f"static inline {definition}\n")
    found = made_of(tmp_path, FILE, "f")
    told = not_read(tmp_path, FILE, found, load().constants)
    if reason is None:
        assert told is None
    else:
        assert told is not None
        assert re.search(reason, told), told
