# SPDX-License-Identifier: GPL-2.0-only
"""Which settings are tried for the macros that conditionals test."""

from hypothesis import given
from hypothesis import strategies as st

from codegen.frontend import conditions
from codegen.frontend.conditions import MAX_SETTINGS, settings


def test_each_way_of_testing() -> None:
    either = frozenset({None, "1"})
    assert conditions.tested_macros("ifdef", "CONFIG_A") == {"CONFIG_A": either}
    assert conditions.tested_macros("if", "defined(A) || !defined B") == {"A": either, "B": either}
    assert conditions.tested_macros("if", "IS_ENABLED(CONFIG_A)") == {"CONFIG_A": either}
    assert conditions.tested_macros("elif", "LEVELS > 2") == {"LEVELS": either | {"1", "2", "3"}}


names = st.lists(st.sampled_from([f"CONFIG_{i}" for i in range(12)]), unique=True, max_size=12)


@given(names)
def test_every_value_of_every_macro_is_tried(found: list[str]) -> None:
    tried = settings([{n: frozenset({None, "1"})} for n in found], {}, ())
    assert len(tried) == len({str(c) for c in tried}) <= MAX_SETTINGS
    for name in found:
        assert {c.settings[name] for c in tried} == {None, "1"}


@given(names)
def test_a_fixed_macro_keeps_its_value(found: list[str]) -> None:
    fixed: dict[str, str | None] = dict.fromkeys(found[:2])
    tried = settings([{n: frozenset({None, "1"})} for n in found], fixed, ())
    assert all(c.settings[n] is None for n in fixed for c in tried)
