# SPDX-License-Identifier: GPL-2.0-only
"""`genfault fetch`: a real kernel tree out of Debian's `linux-source-*` package.

    <cache>/genfault/linux-source-6.1/                   the tree, always whole
    <cache>/genfault/linux-source-6.1/.genfault-complete what it was made of
    <cache>/genfault/.genfault-fetch.lock                one fetch at a time
    <cache>/genfault/.genfault-fetch-XXXX/               one in the making

A tree is made under a name of its own and renamed when it is whole; what an
interrupted run left behind is removed by the next one.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.base.progress import Progress
from codegen.corpus.apt import (
    Lists,
    Package,
    UnknownPackage,
    download,
    find_package,
    member_of,
    own_lists,
)
from codegen.corpus.unpack import NEEDED_FOLDERS, NEEDED_SCRIPTS, is_needed, unpack_tarball

RELEASES = ("6.1", "6.12")
"""The kernels whose source Debian 12 packages."""

STAMP = ".genfault-complete"
_LOCK = ".genfault-fetch.lock"
_MAKING = ".genfault-fetch-"
_PARTS = [*NEEDED_FOLDERS, *NEEDED_SCRIPTS]


def default_directory() -> Path:
    """`$XDG_CACHE_HOME/genfault`, or `~/.cache/genfault`; never in a checkout.

    Raises GenfaultError when the user has no home folder.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if cache.startswith("/"):  # the specification has relative ones ignored
        return Path(cache) / "genfault"
    try:
        return Path.home() / ".cache" / "genfault"
    except RuntimeError as error:
        raise GenfaultError(f"nowhere to keep the kernel source: {error}; give --dir") from error


def fetch(release: str, directory: Path, full: bool, progress: Progress) -> Path:
    """The tree of Debian's `linux-source-<release>` in `directory`; its path.

    Unpacks what `corpus.unpack.is_needed` names, or everything if `full`. A
    tree that is already there is returned at once, apt is not asked; only a
    part where `full` is wanted is replaced. Removing the folder is the way to
    get a newer version.

    Raises GenfaultError for a release other than `RELEASES`, without apt or a
    network, for a package that fails its checks, for a full disk, and for a
    folder of that name that is not ours. Nothing half is left behind.
    """
    if release not in RELEASES:
        raise GenfaultError(
            f"no kernel {release!r} to fetch, only {' and '.join(RELEASES)}; "
            "for another one give its tree as SOURCE"
        )
    tree = directory.absolute() / f"linux-source-{release}"
    if _is_complete(tree, full):
        return tree
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _only_one(directory, progress):
            # Whoever had the lock before us may have made just this tree.
            if not _is_complete(tree, full):
                _make(tree, full, progress)
    except OSError as error:
        what = error.filename or directory
        reason = f"{error.strerror or error}: {what}"
        raise GenfaultError(f"cannot fetch into {directory}: {reason}") from error
    return tree


def _is_complete(tree: Path, full: bool) -> bool:
    """Whether `tree` holds all that is asked for, by its stamp."""
    try:
        stamp = json.loads((tree / STAMP).read_text("utf-8"))
        return stamp["full"] is True or (not full and set(_PARTS) <= set(stamp["parts"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _make(tree: Path, full: bool, progress: Progress) -> None:
    if tree.exists() and not (tree / STAMP).exists():
        raise GenfaultError(f"{tree} was not made by genfault; move it away, or give another --dir")
    making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=tree.parent))
    try:
        (making / "deb").mkdir()
        package, deb = _package(tree.name, making, progress)
        tarball = making / f"{tree.name}.tar.xz"
        member_of(deb, f"/{tarball.name}", tarball, progress)
        unpack_tarball(tarball, making / "tree", _everything if full else is_needed, progress)
        _stamp(making / "tree", package, full)
        if tree.exists():
            tree.rename(making / "old")
        (making / "tree").rename(tree)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _package(name: str, making: Path, progress: Progress) -> tuple[Package, Path]:
    """The package and its file, by the system's lists or, where they do not know it, our own."""
    lists = Lists()
    try:
        package = find_package(name, lists)
    except UnknownPackage as unknown:
        try:
            lists = own_lists(making / "apt", progress)
        except GenfaultError as error:
            raise GenfaultError(
                f"{unknown}; fetching lists of our own failed too: {error}"
            ) from error
        package = find_package(name, lists)
    return package, download(package, making / "deb", lists, progress)


def _everything(_name: str, _is_folder: bool) -> bool:
    return True


def _stamp(tree: Path, package: Package, full: bool) -> None:
    """The last file written: a tree with it is whole."""
    content = {
        "package": package.name,
        "version": package.version,
        "sha256": package.sha256,
        "full": full,
        "parts": _PARTS,
    }
    (tree / STAMP).write_text(json.dumps(content, indent=1) + "\n", "utf-8")


@contextmanager
def _only_one(directory: Path, progress: Progress) -> Iterator[None]:
    """Holds the folder's lock, and starts from a clean folder.

    The system drops the lock when its holder dies, however it dies, so what
    is still in the making once we have it belongs to nobody.
    """
    with (directory / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.start(None, f"waiting for another fetch into {directory}")
            fcntl.flock(lock, fcntl.LOCK_EX)
            progress.finish()
        for stale in directory.glob(f"{_MAKING}*"):
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
        yield
