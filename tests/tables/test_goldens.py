# SPDX-License-Identifier: GPL-2.0-only
"""The text tables of our own snippets, as a person has read them."""

from pathlib import Path

import pytest

from codegen.base.resources import data_dir
from codegen.tables.printer import handler_text
from codegen.toolchain import Request, open_request, tabled

CASES = Path(__file__).parent.parent / "cases" / "tables"
SNIPPETS = sorted(data_dir("kernel_snippets").glob("*.c"))


def request_for(path: Path) -> Request:
    return open_request(path, (), {}, 1)


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda p: p.stem)
def test_tables_of_a_snippet(path: Path, update_goldens: bool) -> None:
    request = request_for(path)
    text = "\n".join(handler_text(h) for f in request.source.files for h in tabled(request, f))
    golden = CASES / f"{path.stem}.txt"
    if update_goldens:
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_every_golden_has_its_snippet() -> None:
    assert {p.stem for p in CASES.glob("*.txt")} == {p.stem for p in SNIPPETS}
