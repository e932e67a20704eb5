# SPDX-License-Identifier: GPL-2.0-only
"""What is found, for other readers than a terminal: SARIF and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codegen.toolchain.comparison import checked, converted
from codegen.toolchain.products import Product
from codegen.toolchain.request import Request
from codegen.toolchain.tabling import tabled

if TYPE_CHECKING:
    from codegen.corpus.nodes import CFile
    from codegen.targets.report.nodes import Entry


def sarif_log(
    request: Request,
    products: Sequence[Product],
    accepted: frozenset[str],
    arguments: Sequence[str],
    code: int,
) -> dict[str, Any]:
    """What `check` found as a SARIF log."""
    from codegen import __version__
    from codegen.targets.report.sarif import Checked, Invocation, sarif_document

    handlers = [
        Checked(
            p.listed.path,
            p.listed.function,
            p.listed.line,
            p.listed.arch,
            p.differences,
            p.listed.refusals,
        )
        for p in products
    ]
    root = request.source.root
    return sarif_document(handlers, Invocation(arguments, code, root, __version__, accepted))


def reported(request: Request, file: CFile, accepted: frozenset[str]) -> tuple[Entry, ...]:
    """Everything that is known of a file's handlers, for the page."""
    from codegen.targets.c.write import ConvertedFile, diff_text
    from codegen.targets.report.nodes import Entry

    tables = {(h.function, h.line): h for h in tabled(request, file)}
    findings = {p.key: p.differences for p in checked(request, file, frozenset())}
    entries = []
    for product in converted(request, file, accepted):
        listed = product.listed
        known = tables.get(product.key, listed)
        patch = ""
        if product.after is not None:
            patch = diff_text([ConvertedFile(file.path, product.before, product.after)])
        # The tables of a handler that does not convert are there all the same.
        refusals = known.refusals or (() if known.signals else listed.refusals)
        reason = known.inconvertible or next(iter(listed.refusals), None)
        entries.append(
            Entry(
                replace(
                    known,
                    refusals=refusals,
                    inconvertible=None if patch else reason,
                    wanted=product.wanted,
                ),
                product.verdict,
                product.differences,
                findings.get(product.key, ()),
                _unicode(patch),
                product.notes,
            )
        )
    return tuple(entries)


def _unicode(text: str) -> str:
    """A file's bytes, one character each, as the text that they are."""
    return text.encode("latin-1").decode("utf-8", "replace")


def page_of(request: Request, entries: Sequence[Entry]) -> str:
    """The page on a source."""
    from codegen.targets.c.after import helper_for, mm_api
    from codegen.targets.c.nodes import HELPER_C, HELPER_HEADER
    from codegen.targets.report.page import Subject, page_text

    helper: list[tuple[str, str]] = []
    if request.source.kind == "tree":
        text = helper_for(mm_api(request.source.tree, ""))
        helper = [(HELPER_C, text.c), (HELPER_HEADER, text.header)]
    return page_text(Subject(request.source.name, request.source.kernel, helper), entries)
