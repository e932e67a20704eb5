# SPDX-License-Identifier: GPL-2.0-only
"""Names by place: the function stays what it was, and its configurations agree on names."""

from pathlib import Path

import pytest

from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.ir.load import load_unit
from codegen.ir.placed import by_place
from codegen.ir.shape import shape_of
from codegen.ir.vocabulary import load

SNIPPETS = sorted(data_dir("kernel_snippets").glob("*.c"))


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda p: p.stem)
def test_nothing_but_names_changes(path: Path) -> None:
    source = SourceText.from_bytes(path.name, path.read_bytes())
    for variant in load_unit(source, load().constants).variants:
        for function in variant.program.functions.values():
            placed = by_place(function)
            assert shape_of(placed) == shape_of(function)
            assert len(placed.block_map) == len(function.blocks)
            assert len({local.name for local in placed.locals}) == len(function.locals)
