# SPDX-License-Identifier: GPL-2.0-only
"""What `genfault diff` tells of two kernel releases, against what a reader of both finds.

`tests/cases/releases/ARCH.toml` holds the facts, read off the two sources by
hand. A fact too many is a false alarm or a cause told twice, one too few a
change that was missed. Where the two part is given by what stands there. Where
a handler has many configurations, `configuration` fixes some.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from codegen.corpus.pairs import pair_up
from codegen.toolchain import against, open_pair

CASES = Path(__file__).parent.parent / "cases/releases"


@pytest.mark.parametrize("arch", sorted(p.stem for p in CASES.glob("*.toml")))
def test_what_changed_is_told_and_nothing_else(
    arch: str, kernel_61: Path, kernel_612: Path
) -> None:
    facts = tomllib.loads((CASES / f"{arch}.toml").read_text("utf-8"))
    fixed = {n: "1" if v == "y" else None for n, v in facts.get("configuration", {}).items()}
    src, tgt = open_pair((kernel_61, kernel_612), [arch], fixed, 1)
    partners = pair_up(src.source, tgt.source)
    found = ((f, p) for f in src.source.files for p in against(src, f, tgt, partners, frozenset()))
    ((file, product),) = [(f, p) for f, p in found if p.is_handler]
    assert product.verdict == facts["verdict"]
    lines = file.source.text.splitlines(), partners[file.path].source.text.splitlines()
    told = [d for one in product.differences for d in (one, *one.get("also", ()))]
    expected = {key: fact for fact in facts.get("told", ()) for key in keys(fact)}
    assert sorted(map(kind, told)) == sorted(expected)
    for d in told:
        fact = expected[kind(d)]
        assert fact["src"] in lines[0][d["line"] - 1], kind(d)
        assert fact["tgt"] in lines[1][d["tgt_line"] - 1], kind(d)


def keys(fact: dict[str, Any]) -> list[tuple[str, ...]]:
    """A fact for each outcome that it holds for."""
    return [(fact["class"], fact["mode"], o, fact.get("says", "")) for o in fact["outcomes"]]


def kind(d: dict[str, Any]) -> tuple[str, ...]:
    """A difference as the facts have it; what `other` says tells one from another."""
    says = d["explanation"].partition(": ")[2] if d["class"] == "other" else ""
    if "renamed" in d:
        says = " ".join(f"{r['src']}={r['tgt']}" for r in d["renamed"])
    return (d["class"], d["mode"], d["outcome"] or "any", says)
