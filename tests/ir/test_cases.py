# SPDX-License-Identifier: GPL-2.0-only
"""Small C in, control-flow graph and tables out: `tests/cases/ir/*.c`, each with its `.txt`."""

from pathlib import Path

import pytest

from codegen.base.spans import SourceText
from codegen.ir.load import load_unit
from codegen.ir.printer import function_text
from codegen.ir.vocabulary import load
from codegen.tables.extract import extract_tables
from codegen.tables.printer import handler_text

CASES = sorted((Path(__file__).parent.parent / "cases" / "ir").glob("*.c"))


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_case(path: Path, update_goldens: bool) -> None:
    unit = load_unit(SourceText.from_bytes(path.name, path.read_bytes()), load().constants)
    assert not unit.refusals
    graphs = [
        function_text(f)
        for f in unit.variants[0].program.functions.values()
        if f.source is unit.source
    ]
    text = "\n".join([*graphs, *(handler_text(t) for t in extract_tables(unit, None))])
    golden = path.with_suffix(".txt")
    if update_goldens:
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")
