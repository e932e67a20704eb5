# SPDX-License-Identifier: GPL-2.0-only
"""What the tree's own scripts say of the patches: checkpatch.pl, kernel-doc."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.kernel_build.diagnostics import diagnostics_in
from scripts.kernel_build.steps import Step

# A new file may want a line in MAINTAINERS: for the maintainers to say.
_NOTED = frozenset({"FILE_PATH_CHANGES"})
_FOUND = re.compile(
    r"^\S+?:(?P<line>\d+): (?P<level>ERROR|WARNING|CHECK):(?P<type>\w+): (?P<text>.*)$"
)


def checkpatch(source: Path, patch: Path) -> Step:
    """`checkpatch.pl --strict` on one patch; `source` is a scratch copy, for it leaves a file.

    What it says of a line that the patch only moves was there before, and does
    not count; nor does a CHECK.
    """
    start = time.monotonic()
    text = patch.read_text("utf-8", "replace")
    signed = () if "\nSigned-off-by: " in text else ("--no-signoff",)
    words = ("--strict", "--terse", "--show-types", *signed)
    command = ["perl", str(source / "scripts/checkpatch.pl"), f"--root={source}", *words]
    done = _run([*command, str(patch.resolve())], source)
    took = time.monotonic() - start
    if done.returncode and "total:" not in done.stdout:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        return Step("checkpatch", None, note=lines[0], seconds=took)
    lines = text.splitlines()
    moved = {line[1:].strip() for line in lines if line.startswith("-")}
    fresh, noted = [], []
    for found in filter(None, map(_FOUND.match, done.stdout.splitlines())):
        about = lines[int(found["line"]) - 1] if int(found["line"]) <= len(lines) else ""
        if about.startswith("+") and about[1:].strip() in moved:
            continue
        if found["level"] == "CHECK" or found["type"] in _NOTED:
            noted.append(found["type"])
        else:
            fresh.append(f"{patch.name}:{found['line']}: {found['level']}: {found['text']}")
    told = ", ".join(f"{noted.count(t)} {t}" for t in dict.fromkeys(noted))
    return Step("checkpatch", not fresh, tuple(fresh), note=told, seconds=took)


def kernel_doc(source: Path, files: Sequence[str]) -> Step:
    """The tree's kernel-doc on the helper and its header."""
    start = time.monotonic()
    script = source / "scripts/kernel-doc"
    if not script.exists():
        return Step("kernel-doc", None, note="the tree has no scripts/kernel-doc")
    done = _run([str(script), "-none", *(str(source / f) for f in files)], source)
    found = tuple(str(d) for d in diagnostics_in(done.stdout + done.stderr, (source,)))
    ok = done.returncode == 0 and not found
    note = "" if ok or found else (done.stderr.strip().splitlines() or ["failed"])[-1]
    return Step("kernel-doc", ok, found, note=note, seconds=time.monotonic() - start)


def _run(command: list[str], where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=where,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
