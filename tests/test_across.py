# SPDX-License-Identifier: GPL-2.0-only
"""docs/conversion-*.md: what scripts/across writes, and that it is what it would write today."""

import json
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


def check_page(release: str, tree: Path) -> None:
    command = [sys.executable, "-m", "codegen", "convert", str(tree), *ACCEPT, "--format", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode in (0, 1)
    text = across_pages.page_of_tree(tree, json.loads(done.stdout), {})
    page = DOCS / f"conversion-{release}.md"
    told = "run scripts/across and look at the difference"
    assert without_the_compiler(page.read_text("utf-8")) == without_the_compiler(text), told


def test_the_page_of_6_1_is_that_of_today(kernel_61: Path) -> None:
    check_page("6.1", kernel_61)


def test_the_page_of_6_12_is_that_of_today(kernel_612: Path) -> None:
    check_page("6.12", kernel_612)
