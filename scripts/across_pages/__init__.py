# SPDX-License-Identifier: GPL-2.0-only
"""The pages docs/conversion-*.md: a table across architectures, out of genfault's own words.

genfault convert --format json, kernel-build's results  --page-->  markdown
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from codegen.targets.c.helper import read_mm_api, render_helper
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED, DifferenceClass
from scripts.kernel_build.report import digest

_HEAD = (
    *("architecture", "converts", "verdict", "classes of difference"),
    *("lines of the file", "taken out, put in", "compiles"),
)
_INTRO = """\
# What becomes of the handlers of linux {kernel}

Written by `scripts/across`; not to be edited by hand. {converted} of {count} handlers convert.

**Lines of the file**: before and after. **Taken out, put in**: the lines that the
conversion removes from the file and the lines that it adds. **Compiles**: what
`scripts/kernel-build` found with the architecture's own compiler against the
tree's headers, handler and `mm/generic_fault.c`, before and after; "types only"
where a stand-in had to do for the compiler; "not run" where this very text has
not been compiled. [differences.md](differences.md) explains the classes.

"""


# What a user may accept, and is not accepted unasked: the page says who needs it.
ON_REQUEST = tuple(
    c.value for c in DifferenceClass if c not in DEFAULT_ACCEPTED and c is not DifferenceClass.OTHER
)


def page(document: Mapping[str, Any], results: Mapping[str, Any], helper: str) -> str:
    """The page: `document` from genfault, `results` from kernel-build, the helper's text."""
    handlers = [h for h in document["handlers"] if h["role"] == "handler"]
    rows = [_row(h, results, helper) for h in handlers]
    converted = sum(h["converted"] is not None for h in handlers)
    lines = [_line(_HEAD), _line(["---"] * len(_HEAD)), *(_line(row) for row in rows)]
    intro = _INTRO.format(kernel=document["kernel"], converted=converted, count=len(handlers))
    refused = [_refusal(h) for h in handlers if h["converted"] is None]
    tail = ["", "## Why not", "", *refused] if refused else []
    return intro + "\n".join([*lines, *tail]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(handler: Mapping[str, Any], results: Mapping[str, Any], helper: str) -> list[str]:
    after = handler["converted"]
    name = str(handler["arch"])
    if after is None:
        refusal = handler["refusal"]
        code = "differs" if refusal is None else str(refusal["code"])
        return [name, f"no: {code}", "", "", "", "", ""]
    before = handler["original"]
    old, new = before.splitlines(), after.splitlines()
    changed = [line[:1] for line in difflib.ndiff(old, new)]
    classes = sorted({str(d["class"]) for d in handler["differences"]})
    asked = " ".join(f"--accept {c}" for c in classes if c in ON_REQUEST)
    return [
        name,
        f"with {asked}" if asked else "yes",
        str(handler["verdict"]),
        ", ".join(classes),
        f"{len(old)}, {len(new)}",
        f"{changed.count('-')}, {changed.count('+')}",
        compiles(name, after, results, helper),
    ]


def compiles(arch: str, after: str, results: Mapping[str, Any], helper: str) -> str:
    """What kernel-build says of this very text of a handler, below this very helper."""
    texts = (digest(after.encode("latin-1")), digest(helper.encode("latin-1")))
    said = []
    for name, row in results.get("rows", {}).items():
        if row["arch"] == arch and (row["handler"], row["helper"]) == texts:
            failed = [step["name"] for step in row["steps"] if step["ok"] is False]
            good = "types only" if row["how"] == "standin" else "yes"
            word = f"no: {', '.join(failed)}" if failed else good
            said.append(word if name == arch else f"{name}: {word}")
    return "; ".join(said) or "not run"


def _refusal(handler: Mapping[str, Any]) -> str:
    refusal = handler["refusal"]
    if refusal is None:
        classes = sorted({str(d["class"]) for d in handler["differences"]})
        where = f"{handler['file']}:{handler['line']}"
        return f"* **{handler['arch']}**, {where}: the conversion differs ({', '.join(classes)})"
    construct = shorten(str(refusal["construct"]).replace("`", "'"), 60, placeholder=" …")
    where = f"{handler['file']}:{refusal['line']}"
    return (
        f"* **{handler['arch']}**, {where}: {refusal['reason']} ({refusal['code']}): `{construct}`"
    )


def page_of_tree(tree: Path, document: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """The page of a tree for what genfault said of it."""
    for handler in document["handlers"]:
        handler["original"] = (tree / handler["file"]).read_text("latin-1")
    return page(document, results, render_helper(read_mm_api(tree)).c)
