# SPDX-License-Identifier: GPL-2.0-only
"""The vocabulary's lists: each word once, each role's words to be had."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import codegen.ir.vocabulary
from codegen.ir.vocabulary import Role, load


def lists(data: Any, where: str = "") -> dict[str, list[str]]:
    """Every list of words in the file, by its place."""
    found: dict[str, list[str]] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            found |= lists(value, f"{where}{key}.")
        elif isinstance(value, list):
            found[f"{where}{key}"] = [v for v in value if isinstance(v, str)]
    return found


def test_no_word_stands_twice_in_a_list() -> None:
    path = Path(codegen.ir.vocabulary.__file__).with_suffix(".toml")
    twice = {
        where: again
        for where, words in lists(tomllib.loads(path.read_text("utf-8"))).items()
        if (again := [w for w, n in Counter(words).items() if n > 1])
    }
    assert not twice


def test_the_words_of_a_role() -> None:
    vocabulary = load()
    assert "search_exception_tables" in vocabulary.words(Role.KERNEL_READS)
    for role in Role:
        assert all(vocabulary.role(word) is role for word in vocabulary.words(role))
