# SPDX-License-Identifier: GPL-2.0-only
"""docs/conversion-*.md are what scripts/across would write today; the series can be bisected."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts import across_pages
from scripts.across_pages.__main__ import ACCEPT, DOCS
from scripts.kernel_build.report import digest

HELPER = "int helper;\n"
BEFORE = "one\ntwo\nthree\n"
AFTER = "one\n2\n"


def handler(arch: str, **changes: Any) -> dict[str, Any]:
    told = {
        "arch": arch,
        "role": "handler",
        "file": f"arch/{arch}/mm/fault.c",
        "line": 7,
        "refusal": None,
        "verdict": "EXPLAINED",
        "differences": [{"class": "stale-outcome"}, {"class": "lock-wait"}],
        "original": BEFORE,
        "converted": AFTER,
    }
    return {**told, **changes}


def results(*rows: Mapping[str, Any]) -> dict[str, Any]:
    return {"rows": {row["name"]: row for row in rows}}


def row(name: str, arch: str, how: str = "compiler", ok: bool = True, text: str = AFTER) -> Any:
    return {
        "name": name,
        "arch": arch,
        "how": how,
        "handler": digest(text.encode()),
        "helper": digest(HELPER.encode()),
        "steps": [{"name": "before", "ok": True}, {"name": "sparse", "ok": ok}],
    }


def test_a_row_for_each_handler() -> None:
    refusal = {"code": "growsup", "reason": "it grows up", "construct": "a  (\n  b)", "line": 9}
    kept_back = {"converted": None, "verdict": "DIFFERS", "differences": [{"class": "other"}]}
    document = {
        "kernel": "6.9.3",
        "handlers": [
            handler("arc"),
            handler("ia64", refusal=refusal, verdict="UNSUPPORTED", converted=None),
            handler("sh", **kept_back),
            handler("powerpc", role="other"),
            handler("sparc64", differences=[{"class": "lock-balance"}]),
        ],
    }
    text = across_pages.page(document, {}, HELPER)
    assert text.startswith("# What becomes of the handlers of linux 6.9.3\n")
    assert " 2 of 4 handlers convert." in text
    assert "| arc | yes | EXPLAINED | lock-wait, stale-outcome | 3, 2 | 2, 1 | not run |" in text
    assert "| ia64 | no: growsup |  |  |  |  |  |" in text
    assert "* **ia64**, arch/ia64/mm/fault.c:9: it grows up (growsup): `a ( b)`" in text
    assert "* **sh**, arch/sh/mm/fault.c:7: the conversion differs (other)" in text
    assert "| sparc64 | with --accept lock-balance | EXPLAINED | lock-balance |" in text
    assert "powerpc" not in text


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([], "not run"),
        ([row("toy", "toy")], "yes"),
        ([row("toy", "toy", how="standin")], "types only"),
        ([row("toy", "toy", ok=False)], "no: sparse"),
        ([row("toy", "toy", text="of yesterday")], "not run"),
        ([row("toy", "other")], "not run"),
        ([row("toy", "toy"), row("toy32", "toy", ok=False)], "yes; toy32: no: sparse"),
    ],
)
def test_it_compiles_if_this_very_text_did(rows: list[Any], word: str) -> None:
    assert across_pages.compiles("toy", AFTER, results(*rows), HELPER) == word
    assert across_pages.compiles("toy", AFTER, results(*rows), "other helper") == "not run"


def without_the_compiler(text: str) -> list[str]:
    """The page less the column that only scripts/kernel-build can fill."""
    return [line.rsplit("|", 2)[0] if line.startswith("|") else line for line in text.splitlines()]


def run_convert(tree: Path, patches: Path) -> Any:
    """The tree's conversion as JSON, and as a series in `patches`."""
    command = [sys.executable, "-m", "codegen", "convert", str(tree), *ACCEPT]
    command += ["--format", "json", "--patches", str(patches)]
    author = {"GIT_AUTHOR_NAME": "Nobody", "GIT_AUTHOR_EMAIL": "nobody@example.org"}
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **author},
        check=False,
    )
    assert done.returncode in (0, 1)
    return json.loads(done.stdout)


def check_page(release: str, tree: Path, document: Any) -> None:
    text = across_pages.page_of_tree(tree, document, {})
    page = DOCS / f"conversion-{release}.md"
    told = "run scripts/across and look at the difference"
    assert without_the_compiler(page.read_text("utf-8")) == without_the_compiler(text), told


def changes(patch: Path) -> dict[str, tuple[list[str], list[str]]]:
    """What a patch takes out of each file and puts in, by path; signature and mail left out."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for part in patch.read_text("utf-8").split("\ndiff --git ")[1:]:
        path = part.split("\n")[0].split(" b/")[1]
        lines = part.split("\n@@")[1:]
        body = [line for hunk in lines for line in hunk.split("\n")[1:]]
        body = body[: body.index("-- ")] if "-- " in body else body
        found[path] = (
            [line[1:] for line in body if line.startswith("-")],
            [line[1:] for line in body if line.startswith("+")],
        )
    return found


def check_bisectable(patches: Path, document: Any) -> None:
    """Behind each patch an architecture has the tree of before, or its own end state.

    The helper's patch brings files that nothing builds and an option that nothing
    selects, has no prompt and no default; each other patch stays in one
    architecture's folder, and no two of them meet.
    """
    first, *others = sorted(patches.glob("000[1-9]*")) + sorted(patches.glob("00[1-9][0-9]*"))
    helper = changes(first)
    assert not any(gone for gone, _ in helper.values())
    new = {"include/linux/generic_fault.h", "mm/generic_fault.c"}
    added = {path: lines for path, (_, lines) in helper.items() if path not in new}
    assert added.keys() == {"MAINTAINERS", "mm/Kconfig", "mm/Makefile"}
    assert added["MAINTAINERS"] == ["F:\tinclude/linux/generic_fault.h"]
    assert added["mm/Makefile"] == ["obj-$(CONFIG_GENERIC_FAULT) += generic_fault.o"]
    head, kind, *rest = (line for line in added["mm/Kconfig"] if line)
    assert (head, kind) == ("config GENERIC_FAULT", "\tbool")
    assert {line.split()[0] for line in rest} <= {"depends", "select"}

    seen = set(helper)
    for patch in others:
        touched = changes(patch)
        assert not seen & touched.keys()
        seen |= touched.keys()
        folder = {path.split("/")[1] for path in touched}
        (handler,) = (path for path in touched if path.endswith(".c"))
        assert len(folder) == 1
        assert touched.keys() == {handler, f"arch/{folder.pop()}/Kconfig"}
        (gone, (select,)) = next(c for path, c in touched.items() if path != handler)
        assert not gone
        assert select.split()[:2] == ["select", "GENERIC_FAULT"]
    converted = [h["file"] for h in document["handlers"] if h["converted"] is not None]
    assert sorted(path for path in seen if path.startswith("arch/") and path.endswith(".c")) == (
        sorted(converted)
    )


def test_the_page_and_the_series_of_6_1(kernel_61: Path, tmp_path: Path) -> None:
    document = run_convert(kernel_61, tmp_path / "series")
    check_page("6.1", kernel_61, document)
    check_bisectable(tmp_path / "series", document)


def test_the_page_and_the_series_of_6_12(kernel_612: Path, tmp_path: Path) -> None:
    document = run_convert(kernel_612, tmp_path / "series")
    check_page("6.12", kernel_612, document)
    check_bisectable(tmp_path / "series", document)
