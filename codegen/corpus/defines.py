# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's own headers define a macro as.

definitions(linux-6.12, "arch/mips/mm/fault.c", "MODULES_VADDR")    {"CKSSEG"}
"""

import re
from functools import cache
from pathlib import Path

_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+((?:\\\r?\n|[^\n])*)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def definitions(tree: Path, path: str, name: str) -> frozenset[str]:
    """Every value that headers give to an object-like macro, blanks and comments aside.

    Looked for in the headers of the architecture that the file at `path` belongs
    to, and only if these have none in those of all. Empty where nobody defines it.
    """
    arch, _, rest = path.removeprefix("arch/").partition("/")
    places = [tree / "arch" / arch / "include"] if path.startswith("arch/") and rest else []
    for place in (*places, tree / "include"):
        found = _defined(place).get(name)
        if found:
            return frozenset(found)
    return frozenset()


@cache
def _defined(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    if folder.is_dir():
        for path in sorted(folder.rglob("*.h")):
            try:
                text = path.read_text("latin-1")
            except OSError:
                continue
            for name, value in _DEFINE.findall(text):
                plain = _COMMENT.sub(" ", value.replace("\\\n", " "))
                found.setdefault(name, set()).add("".join(plain.split()))
    return found
