# SPDX-License-Identifier: GPL-2.0-only
"""What git says about a tree, and git's own `format-patch` on what we changed in it.

Patches are made in a repository of their own that holds the touched files
alone: their blobs are those of the real tree, so that `git am -3` works there,
and neither the tree nor the user's configuration of diffs has a say in the
bytes. Dates are SOURCE_DATE_EPOCH, else that of the tree's last commit, else
the day that format-patch itself puts on every patch.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen import __version__
from codegen.base.diagnostics import GenfaultError

_NO_DATE = 1000684800
"""Mon Sep 17 00:00:00 2001, see `git help format-patch`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A name and an address, as git has them configured."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Commit:
    """One patch to be: whole message, and each file's bytes after it."""

    message: str
    files: Mapping[str, bytes]


def uncommitted(root: Path, paths: Sequence[str]) -> list[str]:
    """Those of the files that git sees a change in; none where there is no git or no work tree."""
    try:
        done = subprocess.run(
            ["git", "status", "--porcelain", "-z", "--no-renames", "--", *paths],
            cwd=root,
            capture_output=True,
            check=False,
        )
    except OSError:
        return []
    if done.returncode:
        return []
    # Paths are relative to the work tree's top, which may lie above the root.
    entries = [e[3:] for e in done.stdout.decode("utf-8", "replace").split("\0") if e]
    return [p for p in paths if any(e == p or e.endswith(f"/{p}") for e in entries)]


def identity(tree: Path, kind: str) -> Identity:
    """Who git says that the user is, as AUTHOR or COMMITTER.

    Raises GenfaultError without git, and where no name or address is configured.
    """
    try:
        done = subprocess.run(
            ["git", "-c", "user.useConfigOnly=true", "var", f"GIT_{kind}_IDENT"],
            cwd=tree,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise GenfaultError("--patches needs git, which cannot be run") from error
    name, _, rest = done.stdout.partition(" <")
    email = rest.partition(">")[0]
    if done.returncode or not name or not email:
        raise GenfaultError(
            "a patch needs an author, and git does not know you: "
            'git config --global user.name "Your Name"; '
            "git config --global user.email you@example.com"
        )
    return Identity(name, email)


def last_commit(tree: Path) -> tuple[str, int] | None:
    """(hash, time) of the last commit of the repository whose top the tree is; else None."""
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%H %ct", "--no-show-signature"],
            cwd=tree,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    if done.returncode or not (tree / ".git").exists():
        return None
    commit, _, time = done.stdout.strip().partition(" ")
    return (commit, int(time)) if time.isdigit() else None


def patch_date(tree: Path) -> int:
    """The date of all patches of a series, in seconds: the same for the same tree."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdigit():
        return int(epoch)
    commit = last_commit(tree)
    return commit[1] if commit else _NO_DATE


def format_patches(
    before: Mapping[str, bytes], commits: Sequence[Commit], author: Identity, date: int
) -> dict[str, bytes]:
    """The mails of a series by file name, 0000-cover-letter.patch first.

    `before` are the touched files as the tree has them. The letter's subject
    and text are still format-patch's placeholders.
    """
    with tempfile.TemporaryDirectory(prefix="genfault-") as folder:
        repository = _Repository(Path(folder), author, date)
        repository.git("init", "-q", ".")
        repository.commit("before", before)
        for commit in commits:
            repository.commit(commit.message, commit.files)
        repository.git(
            *("format-patch", "-q", "--numbered", "--cover-letter", "--zero-commit"),
            *(f"--signature=genfault {__version__}", "--no-renames", "--stat=72"),
            *("--output-directory=.git/mails", f"HEAD~{len(commits)}"),
        )
        mails = sorted((Path(folder) / ".git/mails").iterdir())
        return {mail.name: mail.read_bytes() for mail in mails}


class _Repository:
    """A repository of our own, in which nobody's configuration is heard."""

    def __init__(self, folder: Path, author: Identity, date: int) -> None:
        self.folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        self.environment = kept | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": f"{date} +0000",
            "GIT_COMMITTER_NAME": author.name,
            "GIT_COMMITTER_EMAIL": author.email,
            "GIT_COMMITTER_DATE": f"{date} +0000",
            "HOME": os.fspath(folder),
            "LC_ALL": "C",
        }

    def git(self, *words: str, stdin: bytes = b"") -> None:
        settings = ("core.abbrev=12", "core.autocrlf=false", "core.safecrlf=false", "gc.auto=0")
        done = subprocess.run(
            ["git", *(w for s in settings for w in ("-c", s)), *words],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise GenfaultError(f"git {words[0]} failed: {said}")

    def commit(self, message: str, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.git("add", "--all", "--force", ".")
        self.git(
            *("commit", "-q", "--allow-empty", "--no-verify", "--cleanup=verbatim", "-F", "-"),
            stdin=message.encode("utf-8"),
        )
