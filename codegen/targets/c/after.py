# SPDX-License-Identifier: GPL-2.0-only
"""The helper beside a converted handler: its text for a tree, and both as one program."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from codegen.base.spans import SourceText
from codegen.frontend.constants import enumerators
from codegen.ir.load import Unit, load_unit
from codegen.targets.c.helper import mm_api_of_file, read_mm_api, render_helper
from codegen.targets.c.nodes import HELPER_C, HelperText, MmApi


def mm_api(tree: Path | None, text: str) -> MmApi:
    """What the mm offers: by a tree's own headers, or else by a handler's own words."""
    return mm_api_of_file(text) if tree is None else _tree_api(tree)


@cache
def _tree_api(tree: Path) -> MmApi:
    return read_mm_api(tree)


@cache
def helper_for(api: MmApi) -> HelperText:
    """`generic_fault()` as it is rendered for that mm."""
    return render_helper(api)


def after_unit(
    source: SourceText,
    api: MmApi,
    constants: Mapping[str, int],
    fixed: Mapping[str, str | None],
) -> Unit:
    """A converted file's programs; the helper's own text is inlined in them."""
    helper = helper_for(api)
    known = {**constants, **enumerators(helper.header)}
    return load_unit(source, known, fixed, SourceText(HELPER_C, helper.c))
