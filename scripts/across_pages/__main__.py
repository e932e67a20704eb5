# SPDX-License-Identifier: GPL-2.0-only
"""The command line of scripts/across."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from codegen.base.files import replace_file
from scripts.across_pages import ON_REQUEST, page_of_tree
from scripts.kernel_build.report import read_results

DOCS = Path(__file__).resolve().parents[2] / "docs"
ACCEPT = tuple(word for name in ON_REQUEST for word in ("--accept", name))
RELEASES = ("6.1", "6.12")


def genfault(*arguments: str) -> str:
    """What a genfault command prints; ends the program, with its words, where it fails."""
    command = [sys.executable, "-m", "codegen", *arguments]
    done = subprocess.run(command, cwd=DOCS.parent, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(2)
    return done.stdout


def main() -> int:
    """0 when the pages are as they should be; 1 with --check when they are not."""
    parser = argparse.ArgumentParser(
        prog="scripts/across", description="write docs/conversion-*.md"
    )
    parser.add_argument("releases", nargs="*", metavar="RELEASE", help="6.1, 6.12; or both")
    parser.add_argument("--check", action="store_true", help="write nothing, only say")
    options = parser.parse_args()
    for release in options.releases:
        if release not in RELEASES:
            parser.error(f"there is no page for {release!r}, only for {', '.join(RELEASES)}")
    stale = 0
    for release in options.releases or RELEASES:
        tree = Path(genfault("fetch", release).strip())
        document = json.loads(genfault("convert", str(tree), *ACCEPT, "--format", "json"))
        text = page_of_tree(tree, document, read_results(DOCS / f"kernel-build-{release}.json"))
        path = DOCS / f"conversion-{release}.md"
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale = 1
        if options.check:
            print(f"{path}: out of date", file=sys.stderr)
        else:
            replace_file(path, text.encode())
            print(f"wrote {path}", file=sys.stderr)
    return stale if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
