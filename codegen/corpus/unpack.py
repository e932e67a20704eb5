# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tarball (`linux-source-6.1.tar.xz`) to a folder, whole or the part that we need.

The xz tool decompresses on all cores while we walk the tar stream: 5 s for a
whole kernel, where Python's own xz stream takes 90. Nothing in the stream can
write outside the folder: names that leave it and anything but files, folders
and links inside it are errors, and links are made last, so that no file is
ever written through one.
"""

import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from codegen.base.diagnostics import GenfaultError
from codegen.base.progress import Progress

_CHUNK = 1 << 16

NEEDED_FOLDERS = ("arch", "include", "mm")
"""What a handler, its headers and the helper's place are in."""

NEEDED_SCRIPTS = (
    "scripts/checkpatch.pl",
    "scripts/const_structs.checkpatch",
    "scripts/get_maintainer.pl",
    "scripts/spelling.txt",
)
"""What judges a patch and says whom it goes to, with the lists that they read."""


def is_needed(name: str, is_folder: bool) -> bool:
    """Whether a part-unpacked tree has the member `name` (relative to the tree's top).

    Beside the folders and scripts above, every file at the top (Makefile,
    Kconfig, MAINTAINERS, COPYING ...) and every folder there, empty:
    checkpatch.pl and get_maintainer.pl look for those to know a kernel tree
    (`top_of_kernel_tree` in both).
    """
    top, below, _ = name.partition("/")
    return (
        not below
        or top in NEEDED_FOLDERS
        or name in NEEDED_SCRIPTS
        or (is_folder and name == "scripts")
    )


def unpack_tarball(
    tarball: Path, target: Path, wanted: Callable[[str, bool], bool], progress: Progress
) -> None:
    """The members of `tarball` that `wanted(name, is_folder)` asks for, into the new `target`.

    The tarball's single top folder is left out of the names. `progress`
    counts compressed bytes.

    Raises GenfaultError for a tarball that is damaged or not of this form,
    OSError when the disk does not take it.
    """
    target.mkdir()
    links: list[tuple[Path, str]] = []
    with tarball.open("rb") as packed:
        # xz shares our file's offset, so that our side can tell how far it is.
        try:
            xz = subprocess.Popen(
                ["xz", "-T0", "-dc"], stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise GenfaultError(f"cannot run xz ({error.strerror}): install xz-utils") from error
        assert xz.stdout is not None
        assert xz.stderr is not None
        progress.start(os.fstat(packed.fileno()).st_size, f"unpack {tarball.name}")
        done = 0
        try:
            with tarfile.open(fileobj=xz.stdout, mode="r|", bufsize=_CHUNK) as stream:
                for member in stream:
                    name = _name_inside(member.name)
                    if name and wanted(name, member.isdir()):
                        _place(stream, member, target / name, name, links)
                    now = os.lseek(packed.fileno(), 0, os.SEEK_CUR)
                    if now > done:
                        progress.advance(now - done)
                        done = now
            # The end-of-archive blocks may be followed by padding that xz still has to write.
            while xz.stdout.read(_CHUNK):
                pass
            complaint = xz.stderr.read().decode("utf-8", "replace").strip()
            if xz.wait() != 0:
                raise GenfaultError(f"{tarball.name} is damaged: {complaint}")
        except tarfile.TarError as error:
            raise GenfaultError(f"{tarball.name} is damaged: {error}") from error
        finally:
            xz.kill()
            xz.wait()
            xz.stdout.close()
            xz.stderr.close()
            progress.finish()
    for link, destination in links:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(destination)


def _place(
    stream: tarfile.TarFile,
    member: tarfile.TarInfo,
    path: Path,
    name: str,
    links: list[tuple[Path, str]],
) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif member.issym():
        _check_link(name, member.linkname)
        links.append((path, member.linkname))
    elif member.isreg():
        content = stream.extractfile(member)
        assert content is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            _copy(content, file)
            if member.mode & 0o100:
                os.fchmod(file.fileno(), 0o755)
    else:
        raise GenfaultError(f"unexpected kind of member in the tarball: {member.name}")


def _copy(content: IO[bytes], file: IO[bytes]) -> None:
    while chunk := content.read(_CHUNK):
        file.write(chunk)


def _name_inside(name: str) -> str:
    """The member's name below the tarball's top folder; empty for that folder itself."""
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise GenfaultError(f"a member of the tarball leaves its folder: {name}")
    return "/".join(parts[1:])


def _check_link(name: str, destination: str) -> None:
    """GenfaultError unless the link `name` stays inside the tree."""
    depth = len(PurePosixPath(name).parts) - 1
    for part in PurePosixPath(destination).parts:
        depth += -1 if part == ".." else 1
        if part == "/" or depth < 0:
            raise GenfaultError(f"a link of the tarball leaves its folder: {name} -> {destination}")
