# SPDX-License-Identifier: GPL-2.0-only
"""Knowing a kernel tree when we see one, and which of its files belong to which arch.

Facts: the layout of the kernel's top folder, and the first lines of its top
Makefile (VERSION, PATCHLEVEL, SUBLEVEL).
"""

import re
from pathlib import Path, PurePosixPath

_VERSION = re.compile(rb"^(VERSION|PATCHLEVEL|SUBLEVEL)[ \t]*=[ \t]*([0-9]+)[ \t]*$", re.MULTILINE)
_WIDTH = re.compile(r"_([0-9]+)$")


def is_tree(folder: Path) -> bool:
    """Whether `folder` is the root of a kernel tree, whole or unpacked in part."""
    return not missing_marks(folder)


def missing_marks(folder: Path) -> tuple[str, ...]:
    """What `folder` lacks to be a kernel tree; empty for a tree."""
    marks = {
        "arch/": (folder / "arch").is_dir(),
        "include/linux/": (folder / "include" / "linux").is_dir(),
        "Makefile": any((folder / name).is_file() for name in ("Makefile", "Kbuild")),
    }
    return tuple(name for name, present in marks.items() if not present)


def looks_like_a_broken_tree(folder: Path) -> bool:
    """Whether `folder` was clearly meant to be a kernel tree, but is none.

    It has the mm's header, or a Makefile that names a kernel version. `arch/`
    and a header of ours do not count: `convert --output` writes such folders.
    """
    if is_tree(folder):
        return False
    return (folder / "include" / "linux" / "mm.h").exists() or kernel_version(folder) is not None


def enclosing_tree(path: Path) -> Path | None:
    """The nearest folder above `path` that is a kernel tree, None without one."""
    return next((folder for folder in path.parents if is_tree(folder)), None)


def kernel_version(tree: Path) -> str | None:
    """`6.1.192` from the tree's top Makefile; None if it does not name a kernel version."""
    try:
        with (tree / "Makefile").open("rb") as makefile:
            head = makefile.read(4096)
    except OSError:
        return None
    found: dict[bytes, str] = {}
    for key, number in _VERSION.findall(head):
        found.setdefault(key, number.decode("ascii"))
    if not {b"VERSION", b"PATCHLEVEL"} <= found.keys():
        return None
    return f"{found[b'VERSION']}.{found[b'PATCHLEVEL']}.{found.get(b'SUBLEVEL', '0')}"


def arch_of(path: str) -> str | None:
    """The architecture that a root-relative posix path belongs to.

    >>> arch_of("arch/arc/mm/fault.c"), arch_of("arch/sparc/mm/fault_32.c")
    ('arc', 'sparc32')
    >>> arch_of("virt/kvm/kvm_main.c") is None
    True
    """
    parts = PurePosixPath(path).parts
    if len(parts) < 3 or parts[0] != "arch":
        return None
    width = _WIDTH.search(PurePosixPath(path).stem)
    return parts[1] + (width.group(1) if width else "")
