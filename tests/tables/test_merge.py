# SPDX-License-Identifier: GPL-2.0-only
"""Presence conditions tell the chosen configurations from the rest."""

import re
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from codegen.frontend.nodes import Configuration
from codegen.tables.merge import merge_tables, presence
from codegen.tables.nodes import Access, AccessKind, DecodeRow

VALUES: dict[str, tuple[str | None, ...]] = {
    "CONFIG_A": (None, "1"),
    "CONFIG_B": (None, "1"),
    "LEVELS": (None, "2", "3"),
}
EVERYTHING = [
    Configuration(dict(zip(VALUES, pick, strict=True))) for pick in product(*VALUES.values())
]


def holds(condition: str, configuration: Configuration) -> bool:
    """The condition as the preprocessor would take it."""

    def defined(match: re.Match[str]) -> str:
        return str(configuration.settings.get(match.group(1)) is not None)

    def compared(match: re.Match[str]) -> str:
        name, operator, value = match.groups()
        return str((configuration.settings.get(name) == value) is (operator == "=="))

    text = re.sub(r"defined\((\w+)\)", defined, condition)
    text = re.sub(r"(\w+) (==|!=) (\d+)", compared, text)
    text = text.replace("&&", "and").replace("||", "or").replace("!", "not ")
    return bool(eval(text))


@given(st.sets(st.sampled_from(range(len(EVERYTHING))), min_size=1))
def test_presence_selects_what_was_chosen(chosen: set[int]) -> None:
    condition = presence([EVERYTHING[i] for i in chosen], EVERYTHING)
    for i, configuration in enumerate(EVERYTHING):
        assert condition is None or holds(condition, configuration) is (i in chosen)
    assert (condition is None) is (len(chosen) == len(EVERYTHING))


def test_what_does_not_matter_is_not_named() -> None:
    chosen = [c for c in EVERYTHING if c.settings["CONFIG_A"]]
    assert presence(chosen, EVERYTHING) == "defined(CONFIG_A)"


def test_rows_of_all_variants_carry_no_condition() -> None:
    row = DecodeRow(None, (), Access(AccessKind.NEVER), 1)
    other = DecodeRow("x", (), Access(AccessKind.UNCHECKED), 2)
    first, second = tuple(EVERYTHING[:6]), tuple(EVERYTHING[6:])
    assert merge_tables([(first, (row,)), (second, (row,))], lambda _: 0) == (row,)
    merged = merge_tables([(first, (row,)), (second, (other,))], lambda _: 0)
    assert [r.presence for r in merged] == ["!defined(CONFIG_A)", "defined(CONFIG_A)"]
