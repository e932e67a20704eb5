# SPDX-License-Identifier: GPL-2.0-only
"""Which settings are tried for the macros that conditionals test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.base.spans import SourceText
from codegen.frontend import conditions
from codegen.frontend.conditions import ENABLED_WORDS, MAX_SETTINGS, settings
from codegen.ir.load import load_unit
from codegen.ir.vocabulary import load


def test_each_way_of_testing() -> None:
    either = frozenset({None, "1"})
    assert conditions.tested_macros("ifdef", "CONFIG_A") == {"CONFIG_A": either}
    assert conditions.tested_macros("if", "defined(A) || !defined B") == {"A": either, "B": either}
    assert conditions.tested_macros("if", "IS_ENABLED(CONFIG_A)") == {"CONFIG_A": either}
    assert conditions.tested_macros("if", "IS_MODULE(CONFIG_A)") == {"CONFIG_A_MODULE": either}
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


@pytest.mark.parametrize(
    ("defined", "true"),
    [
        (set(), set()),
        ({"CONFIG_A"}, {"IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE"}),
        ({"CONFIG_A_MODULE"}, {"IS_ENABLED", "IS_MODULE"}),
    ],
)
def test_an_option_is_y_or_m(defined: set[str], true: set[str]) -> None:
    told = {w for w in ENABLED_WORDS if conditions.is_enabled(w, "CONFIG_A", defined)}
    assert told == true


def test_no_option_is_y_and_m_at_once() -> None:
    tested = conditions.tested_macros("if", "IS_ENABLED(CONFIG_A) && !IS_MODULE(CONFIG_A)")
    tried = [c.settings for c in settings([tested], {}, ())]
    assert tried == [
        {"CONFIG_A": None, "CONFIG_A_MODULE": None},
        {"CONFIG_A": None, "CONFIG_A_MODULE": "1"},
        {"CONFIG_A": "1", "CONFIG_A_MODULE": None},
    ]


def test_each_way_to_build_an_option_is_a_variant_of_its_own() -> None:
    """`#if` and plain code ask the same question; m is not y."""
    lines = "\tif (IS_MODULE(CONFIG_A))\n\t\tdie();\n#if IS_BUILTIN(CONFIG_A)\n\tpanic();\n#endif\n"
    text = f"int f(void)\n{{\n{lines}\treturn handle_mm_fault(0, 0, 0, 0);\n}}\n"
    unit = load_unit(SourceText("f.c", text), load().constants)
    presence = {str(c) for v in unit.variants for c in v.configurations}
    assert presence == {
        "!defined(CONFIG_A) && !defined(CONFIG_A_MODULE)",
        "!defined(CONFIG_A) && defined(CONFIG_A_MODULE)",
        "defined(CONFIG_A) && !defined(CONFIG_A_MODULE)",
    }
    assert len(unit.variants) == 3
