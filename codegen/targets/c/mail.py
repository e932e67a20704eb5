# SPDX-License-Identifier: GPL-2.0-only
"""A planned series as mails: git's patches, our letter, and whom the tree wants them sent to.

    Plan + messages  --mails-->  {"0000-cover-letter.patch": ..., "0001-mm-add-...patch": ...}

The Cc lines are what the tree's own scripts/get_maintainer.pl says without a
look into any history, so that they are the same everywhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import formataddr, parseaddr
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.base.files import replace_files
from codegen.targets.c.git import (
    Commit,
    Identity,
    format_patches,
    identity,
    last_commit,
    patch_date,
)
from codegen.targets.c.message import Message
from codegen.targets.c.series import Plan

_MAINTAINER = "scripts/get_maintainer.pl"


def mails(
    tree: Path, plan: Plan, messages: Sequence[Message], cover: Message, *, signoff: bool
) -> tuple[dict[str, bytes], list[str]]:
    """The mails by file name, and what is worth telling the user.

    `messages` are one for each step. Raises GenfaultError where git does not
    know the user, and for files that a mail cannot carry.
    """
    for file in plan.files:
        if "\r\n" in file.after:
            raise GenfaultError(
                f"{file.path} has lines that end in CRLF, which mails do not keep; "
                "use --in-place and git commit"
            )
    author = identity(tree, "AUTHOR")
    trailer = f"\nSigned-off-by: {identity(tree, 'COMMITTER')}\n" if signoff else ""
    commits = [
        Commit(
            f"{message.subject}\n\n{message.body}{trailer}",
            {f.path: f.after.encode("latin-1") for f in step.files},
        )
        for step, message in zip(plan.steps, messages, strict=True)
    ]
    before = {f.path: f.before.encode("latin-1") for f in plan.files if f.before is not None}
    made = format_patches(before, commits, author, patch_date(tree))
    letter, *patches = made
    addressed, notes = _addressees(tree, {name: made[name] for name in patches}, author)
    for name in patches:
        made[name] = _with_cc(made[name], addressed.get(name, []))
    lists = dict.fromkeys(a for name in patches for a in addressed.get(name, []) if "<" not in a)
    persons = [a for name in patches[:1] for a in addressed.get(name, []) if "<" in a]
    made[letter] = _with_cc(_letter(made[letter], cover, tree), [*persons, *lists])
    return made, notes


def write_mails(folder: Path, made: Mapping[str, bytes], *, force: bool) -> list[Path]:
    """Writes the mails into a folder, all or none.

    Raises GenfaultError where the folder has anything in it and `force` is not
    given; with it, patches of an earlier series stay where their names differ.
    """
    if folder.exists() and not folder.is_dir():
        raise GenfaultError(f"{folder} is no folder")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise GenfaultError(f"{folder} is not empty; give --patches an empty folder, or --force")
    return replace_files([(folder / name, data) for name, data in made.items()])


def _letter(mail: bytes, cover: Message, tree: Path) -> bytes:
    """format-patch's letter with our words for its placeholders."""
    body = cover.body.rstrip("\n")
    text = mail.replace(b"*** SUBJECT HERE ***", cover.subject.encode("utf-8"))
    text = text.replace(b"*** BLURB HERE ***", body.encode("utf-8"))
    if base := last_commit(tree):
        head, mark, tail = text.rpartition(b"\n-- \n")
        text = head + f"\nbase-commit: {base[0]}".encode() + mark + tail
    return text


def _addressees(
    tree: Path, patches: Mapping[str, bytes], author: Identity
) -> tuple[dict[str, list[str]], list[str]]:
    """Whom each patch goes to, by file name, without its author; and why nobody, if so."""
    perl = shutil.which("perl")
    if not (tree / _MAINTAINER).is_file() or not (tree / "MAINTAINERS").is_file():
        return {}, [f"no Cc: the tree has no {_MAINTAINER} or no MAINTAINERS"]
    if perl is None:
        return {}, ["no Cc: there is no perl to run the tree's get_maintainer.pl"]
    with tempfile.TemporaryDirectory(prefix="genfault-") as folder:

        def ask(name: str) -> list[str] | str:
            path = Path(folder) / name
            path.write_bytes(patches[name])
            done = subprocess.run(
                [
                    *(perl, _MAINTAINER, "--nogit", "--nogit-fallback", "--norolestats"),
                    os.fspath(path),
                ],
                cwd=tree,
                capture_output=True,
                check=False,
            )
            if done.returncode:
                return done.stderr.decode("utf-8", "replace").strip().split("\n")[0]
            return [a for a in done.stdout.decode("utf-8", "replace").split("\n") if a.strip()]

        with ThreadPoolExecutor(2) as pool:
            answers = dict(zip(patches, pool.map(ask, patches), strict=True))
    failed = next((a for a in answers.values() if isinstance(a, str)), None)
    if failed is not None:
        return {}, [f"no Cc: get_maintainer.pl says: {failed}"]
    return {
        name: [a for a in answer if parseaddr(a)[1] != author.email]
        for name, answer in answers.items()
        if isinstance(answer, list)
    }, []


def _with_cc(mail: bytes, addresses: Sequence[str]) -> bytes:
    """A mail with its Cc header behind the others."""
    if not addresses:
        return mail
    head, blank, body = mail.partition(b"\n\n")
    shown = ",\n    ".join(_encoded(addresses))
    return head + f"\nCc: {shown}".encode("ascii") + blank + body


def _encoded(addresses: Sequence[str]) -> Iterator[str]:
    """Addresses as a header takes them: names in quotes or encoded where they have to be."""
    for address in addresses:
        name, email = parseaddr(address)
        yield formataddr((name, email)) if email else address.encode("ascii", "replace").decode()
