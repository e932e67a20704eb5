# SPDX-License-Identifier: GPL-2.0-only
"""The numbers that an architecture's headers give to their constants."""

from pathlib import Path

import pytest

from codegen.frontend.numbers import header_numbers

HEADER = """\
#define CAUSE_LOAD 13 /* a load */
#define CAUSE_MASK (CAUSE_LOAD | _BITUL(CAUSE_SHIFT))
#define CAUSE_SHIFT 5
#define HEX_BITS _AC(0x02000000, UL)
#define LONG_ONE 1UL
#define FIELD ((unsigned long)0xf << 4)
#define WORDS (CAUSE_LOAD + unknown)
#define ROUND ROUND
#ifdef CONFIG_M
#define MODE_BIT 0x80
#else
#define MODE_BIT 0x20
#endif
enum error_code {
	PF_PROT	=	BIT(0),	/* (1) */
	PF_WRITE =	BIT(1),
	PF_NEXT,
	PF_RMP = BIT(31),
};
"""


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("CAUSE_LOAD", 13),
        ("CAUSE_MASK", 45),
        ("HEX_BITS", 0x2000000),
        ("LONG_ONE", 1),
        ("FIELD", 0xF0),
        ("PF_PROT", 1),
        ("PF_NEXT", 3),
        ("PF_RMP", 1 << 31),
        # Made of what nobody defines, of itself, or another with another configuration.
        ("WORDS", None),
        ("ROUND", None),
        ("MODE_BIT", None),
        ("NOBODYS", None),
    ],
)
def test_a_constant_has_the_one_number_that_it_is_defined_as(
    tmp_path: Path, name: str, number: int | None
) -> None:
    header = tmp_path / "arch/arc/include/asm/fault.h"
    header.parent.mkdir(parents=True)
    header.write_text(HEADER)
    found = header_numbers(tmp_path, "arch/arc/mm/fault.c", [name])
    assert found == ({} if number is None else {name: number})
    assert header_numbers(tmp_path, "arch/arm/mm/fault.c", [name]) == {}
