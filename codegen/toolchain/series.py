# SPDX-License-Identifier: GPL-2.0-only
"""What a tree gains and loses when its handlers are converted, and the mails that say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codegen.toolchain.products import Product
from codegen.toolchain.request import Request

if TYPE_CHECKING:
    from codegen.targets.c.series import Plan


def plan(
    request: Request,
    products: Sequence[Product],
    whole_tree: bool = False,
    *,
    force: bool = False,
) -> Plan:
    """All that changes, step by step: in a kernel tree the helper and the Kconfig lines too.

    For a file or folder inside a tree that is so only if `whole_tree`. With
    `force` a helper that the tree has already, and that is not ours, is replaced.
    """
    from codegen.targets.c.after import helper_for, mm_api
    from codegen.targets.c.names import check_names
    from codegen.targets.c.series import ConvertedHandler, plan_series, plan_texts

    handlers = [
        ConvertedHandler(p.listed.arch or p.listed.path, p.listed.path, p.before, p.after)
        for p in products
        if p.after is not None
    ]
    tree = request.source.tree
    if tree is None or not handlers or not (whole_tree or request.source.kind == "tree"):
        return plan_texts(handlers)
    helper = helper_for(mm_api(tree, ""))
    check_names(tree, helper)
    return plan_series(tree, helper, handlers, force=force)


def series_mails(
    request: Request, planned: Plan, products: Sequence[Product], signoff: bool
) -> tuple[dict[str, bytes], list[str]]:
    """The mails of a planned series by file name, and what is worth telling the user."""
    from codegen import __version__
    from codegen.tables.narrow import narrow_decode, narrow_signals
    from codegen.targets.c.after import mm_api
    from codegen.targets.c.mail import mails
    from codegen.targets.c.message import Judged, arch_message, cover_message, helper_message

    tree = request.source.tree
    assert tree is not None
    by_path = {p.listed.path: p for p in products if p.after is not None}
    messages = []
    for step in planned.steps:
        product = next((by_path[f.path] for f in step.files if f.path in by_path), None)
        if step.arch is None or product is None:
            messages.append(helper_message(mm_api(tree, "")))
        else:
            function, found = product.listed.function, product.differences
            messages.append(arch_message(step.arch, function, found))
    judged = [
        Judged(
            p.listed.arch or p.listed.path,
            p.listed.path,
            p.listed.function,
            p.verdict,
            tuple(sorted({str(d["class"]) for d in p.differences})),
            p.why_not,
            None if p.after is None else (p.before.count("\n"), p.after.count("\n")),
        )
        for p in products
        if p.is_handler
    ]
    tables = [p.tables for p in products if p.tables is not None]
    kernel = request.source.kernel or request.source.name
    decode, signals = narrow_decode(tables), narrow_signals(tables)
    cover = cover_message(judged, kernel, __version__, decode, signals)
    return mails(tree, planned, messages, cover, signoff=signoff)
