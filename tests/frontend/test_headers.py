# SPDX-License-Identifier: GPL-2.0-only
"""Functions of headers that are read with the file that calls them, and those that are not."""

from pathlib import Path

import pytest

from codegen.base.diagnostics import UnreadableSource
from codegen.frontend.headers import NotReadError, definition, header_texts, needed
from codegen.frontend.numbers import literal_of

FILE = "arch/any/mm/fault.c"
STORE = (
    "#ifndef _ASM_CODE_H\n#define _ASM_CODE_H\n#ifndef __ASSEMBLY__\n"
    "#define CODE 0x3f\n#define STORE (0x4)\n#define STORE_L(n)\t(STORE + (n))\n"
    "/* a store */\nstatic inline bool is_store(unsigned long code)\n{\n"
    "\tcode = code & CODE;\n\treturn code == STORE_L(0) || code == STORE_L(1);\n}\n#endif\n#endif\n"
)


def tree(root: Path, *headers: str) -> Path:
    folder = root / "arch/any/include/asm"
    folder.mkdir(parents=True)
    for number, text in enumerate(headers):
        (folder / f"h{number}.h").write_text(text)
    return root


def test_a_function_is_read_with_the_macros_and_constants_that_it_needs(tmp_path: Path) -> None:
    root = tree(tmp_path, STORE)
    found = needed(root, FILE, "is_store", lambda _: False)
    assert list(found) == ["is_store", "STORE_L"]
    (header,) = header_texts(root, FILE, tuple(found))
    assert header.functions == {"is_store"}
    assert header.macros[-3:] == (
        "#define CODE 0x3f",
        "#define STORE 0x4",
        "#define STORE_L(n) (STORE + (n))",
    )
    start = STORE.index("static inline")
    assert header.source.path == "arch/any/include/asm/h0.h"
    assert header.source.text[: start + 6].split() == ["static"]
    assert header.source.text[start:].split() == STORE[start : STORE.index("#endif")].split()
    assert header.source.text.count("\n") == STORE.count("\n")


def test_what_is_to_be_left_stays_a_call(tmp_path: Path) -> None:
    root = tree(tmp_path, STORE)
    assert list(needed(root, FILE, "is_store", lambda word: word == "STORE_L")) == ["is_store"]


ON = "static inline bool on(void)\n{\n\treturn IS_ENABLED(CONFIG_ON);\n}\n"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([STORE.replace("is_store", "is_load")], "is not defined in a header"),
        ([STORE, STORE], None),
        ([STORE, STORE.replace("STORE_L(1)", "STORE_L(2)")], "is defined more than once"),
        ([STORE, "#define is_store is_store\n"], None),
        ([STORE, "#define is_store(code) 0\n"], "is defined more than once"),
        ([STORE, "extern bool is_store(unsigned long code);\n"], None),
        ([STORE.replace("static inline ", "")], "is no inline function"),
        ([STORE.replace("__ASSEMBLY__", "CONFIG_OLD")], "hangs on the configuration"),
        ([STORE.replace("#ifndef __ASSEMBLY__", "#if !defined(__ASSEMBLY__)")], None),
        ([STORE.replace("\treturn", "#ifdef X\n\tcode++;\n#endif\n\treturn")],
         "hangs on the configuration"),
        ([STORE.replace("code & CODE", "IS_ENABLED(CONFIG_X) ? code : 0")],
         "hangs on the configuration"),
    ],
)  # fmt: skip
def test_only_what_is_the_same_everywhere_is_read(
    tmp_path: Path, headers: list[str], reason: str | None
) -> None:
    root = tree(tmp_path, *headers)
    if reason is None:
        assert "return code" in definition(root, FILE, "is_store").text
    else:
        with pytest.raises(NotReadError, match=reason):
            definition(root, FILE, "is_store")


def test_a_name_that_cannot_be_read_is_an_error_of_who_asks(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match=r"on\(\) is not read: it hangs"):
        header_texts(tree(tmp_path, ON), FILE, ("on",))


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("(0x3F)", "0x3f"),
        ("UL(1)", "0x1UL"),
        ("_AC(1,UL)", "0x1UL"),
        ("(BIT(3) | ELx)", "0x18UL"),
        ("(ELx << 1)", "0x20"),
        ("(-1)", "(-0x1)"),
        ("(~3)", "(-0x4)"),
        ("0x80000000", "0x80000000"),
        ("(~3U)", "0xfffffffcU"),
        ("(~3UL)", "0xfffffffffffffffcUL"),
        ("(unsigned long)4", "0x4UL"),
        ("OTHER", None),
    ],
)
def test_a_constant_has_the_type_that_it_is_written_with(
    tmp_path: Path, text: str, literal: str | None
) -> None:
    root = tree(tmp_path, f"#define NUMBER {text}\n#define ELx 0x10\n")
    assert literal_of(root, FILE, "NUMBER") == literal
