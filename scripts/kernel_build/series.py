# SPDX-License-Identifier: GPL-2.0-only
"""What the conversion changes in a tree: asked of genfault, or read from patches.

tree, architectures  --make_series-->  Series: {path: bytes}, patches, handlers
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TOUCHED = re.compile(r"^(?:---|\+\+\+) (?:[ab]/)?(\S+)", re.M)

# The series is only compiled here: whose name it bears does not matter.
_NOBODY = {"GIT_AUTHOR_NAME": "genfault", "GIT_AUTHOR_EMAIL": "genfault@localhost"}


class SeriesError(Exception):
    """genfault or git did not do it; the message is for the user."""


@dataclass(frozen=True)
class Handler:
    """One handler, as `genfault convert --format json` tells of it."""

    arch: str
    file: str
    verdict: str
    why_not: str | None

    @property
    def folder(self) -> str:
        """The folder under arch/ that it lives in."""
        return self.file.split("/")[1]


@dataclass(frozen=True)
class Series:
    """The files that differ, whole; the patches in order; the handlers by architecture.

    `first` are the files as they are behind the first of several patches.
    """

    files: Mapping[str, bytes]
    patches: tuple[Path, ...]
    handlers: Mapping[str, Handler]
    first: Mapping[str, bytes] = field(default_factory=dict)


def make_series(
    tree: Path, archs: Sequence[str], asked: Sequence[str], patches: Path | None, folder: Path
) -> Series:
    """The series for `tree`; `patches` is one that is there already, `folder` takes a new one.

    `asked` are further options of `genfault convert`: what to accept, what to fix.

    Raises SeriesError where genfault cannot read the tree, or git cannot apply.
    """
    narrowed = [word for arch in archs for word in ("--arch", arch)]
    if patches is None:
        where = folder / "patches"
        told = _genfault("convert", str(tree), *narrowed, *asked, "--patches", str(where))
    else:
        where = patches
        told = _genfault("list", str(tree), *narrowed)
    found = tuple(p for p in sorted(where.glob("*.patch")) if not p.name.startswith("0000-"))
    if patches is not None and not found:
        raise SeriesError(f"{patches}: no *.patch in it")
    handlers = {
        h["arch"]: Handler(h["arch"], h["file"], h.get("verdict", ""), _why_not(h))
        for h in told["handlers"]
        if h["role"] == "handler" and h["arch"] is not None
    }
    first = apply(tree, found[:1]) if len(found) > 1 else {}
    return Series(apply(tree, found), found, handlers, first)


def _why_not(handler: Mapping[str, Any]) -> str | None:
    refusal = handler["refusal"]
    if refusal is not None:
        return f"{refusal['code']}: {refusal['reason']}"
    verdict = handler.get("verdict", "EQUAL")
    if verdict in ("EQUAL", "EXPLAINED"):
        return None
    classes = {d["class"] for d in handler.get("differences", ())}
    return f"{verdict}: {', '.join(sorted(classes))}"


def _genfault(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "codegen", *arguments, "--format", "json"],
        env={**_NOBODY, **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SeriesError(done.stderr.strip() or f"genfault ended with {done.returncode}")
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise SeriesError(f"genfault {arguments[0]} printed no JSON: {error}") from error


def apply(tree: Path, patches: Sequence[Path]) -> dict[str, bytes]:
    """The files that the patches touch, as they are behind the last one.

    Raises SeriesError, in git's words, where one does not apply.
    """
    texts = [patch.read_text("latin-1") for patch in patches]
    touched = {p for text in texts for p in _TOUCHED.findall(text)} - {"/dev/null", "dev/null"}
    with tempfile.TemporaryDirectory(prefix="kernel-build-") as name:
        place = Path(name)
        for path in touched:
            if (tree / path).is_file():
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                (place / path).write_bytes((tree / path).read_bytes())
        # No repository around the place may take part.
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(place.resolve().parent)}
        for patch in patches:
            done = subprocess.run(
                ["git", "apply", str(patch.resolve())],
                cwd=place,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SeriesError(f"{patch} does not apply: {done.stderr.strip()}")
        return {path: (place / path).read_bytes() for path in touched if (place / path).exists()}
