# SPDX-License-Identifier: GPL-2.0-only
"""Debian's source packages through apt, as any user.

apt knows the mirrors, the proxies and the keys: its package lists are signed,
and it checks what it downloads against them. We check the file once more
against the SHA256 that those lists give.
"""

import hashlib
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.base.progress import Progress

_CHUNK = 1 << 20
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Package:
    """One version of a Debian package, as apt's signed lists describe it."""

    name: str
    version: str
    size: int
    sha256: str


class UnknownPackage(GenfaultError):
    """apt's package lists do not have the package; fresher lists may."""


@dataclass(frozen=True, slots=True)
class Lists:
    """apt's package lists: the system's, or, with `folder`, a set of our own.

    The system's are fetched by root, and a new machine or a container has none.
    The sources and the keys that vouch for them are the system's in any case.
    """

    folder: Path | None = None

    @property
    def options(self) -> list[str]:
        """What tells apt to use these lists."""
        if self.folder is None:
            return []
        return [
            *("-o", f"Dir::State::lists={self.folder}/lists"),
            *("-o", f"Dir::Cache={self.folder}/cache"),
            *("-o", "Dir::State::status=/var/lib/dpkg/status"),
            *("-o", "APT::Sandbox::User="),
        ]


def own_lists(folder: Path, progress: Progress) -> Lists:
    """Fresh package lists in `folder`, which needs no root.

    Raises GenfaultError when there is no apt, or it reaches no archive.
    """
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    lists = Lists(folder)
    command = ["apt-get", "update", "--quiet", *lists.options, *_PATIENCE]
    progress.start(None, "fetch package lists")
    try:
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            env=_plain_words(),
            check=False,
        )
    except OSError as error:
        raise _no_tool("apt-get", error) from error
    finally:
        progress.finish()
    if ran.returncode != 0:
        complaint = next(
            (line for line in ran.stderr.splitlines() if line.startswith("E:")),
            "apt gave no reason",
        )
        raise GenfaultError(f"apt could not fetch its package lists: {complaint}")
    return lists


_PATIENCE = ("-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30")


def find_package(name: str, lists: Lists) -> Package:
    """The version of `name` that apt would install.

    Raises GenfaultError when there is no apt, UnknownPackage when its lists do
    not have it.
    """
    show = ["apt-cache", *lists.options, "show", "--no-all-versions", name]
    try:
        shown = subprocess.run(
            show, capture_output=True, text=True, errors="replace", env=_plain_words(), check=False
        )
    except OSError as error:
        raise _no_tool("apt-cache", error) from error
    fields: dict[str, str] = {}
    for line in shown.stdout.split("\n\n", 1)[0].splitlines():
        key, colon, value = line.partition(": ")
        if colon and not line.startswith(" "):
            fields[key] = value.strip()
    if shown.returncode != 0 or not fields:
        raise UnknownPackage(
            f"apt does not know the package {name}: its package lists are empty or those of "
            "another Debian release (6.1 and 6.12 are in Debian 12 with its security updates); "
            "run `apt-get update` as root and try again"
        )
    try:
        return Package(name, fields["Version"], int(fields["Size"]), fields["SHA256"].lower())
    except (KeyError, ValueError) as error:
        raise GenfaultError(
            f"apt's package lists have no version, size or SHA256 for {name}; "
            "run `apt-get update` as root and try again"
        ) from error


def download(package: Package, folder: Path, lists: Lists, progress: Progress) -> Path:
    """The package's `.deb` in the empty `folder`, verified.

    Raises GenfaultError when apt cannot get it or the file is not the one
    that the lists describe; an exception from `progress` stops apt.
    """
    words = folder / "apt.log"
    command = [
        *("apt-get", "download", "--quiet"),
        *lists.options,
        *("-o", "APT::Get::AllowUnauthenticated=false"),
        *_PATIENCE,
        f"{package.name}={package.version}",
    ]
    progress.start(package.size, f"download {package.name} {package.version}")
    try:
        with words.open("wb") as log:
            apt = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_plain_words(),
            )
        try:
            done = 0
            running = True
            while running:
                try:
                    apt.wait(_POLL_SECONDS)
                    running = False
                except subprocess.TimeoutExpired:
                    pass
                now = sum(part.stat().st_size for part in folder.glob("*.deb"))
                if now > done:
                    progress.advance(now - done)
                    done = now
        finally:
            apt.kill()
            apt.wait()
    except FileNotFoundError as error:
        raise _no_tool("apt-get", error) from error
    finally:
        progress.finish()
    debs = list(folder.glob("*.deb"))
    if apt.returncode != 0 or len(debs) != 1:
        raise GenfaultError(
            f"apt could not download {package.name} {package.version}: "
            f"{_last_complaint(words)}; is there a network, and are apt's lists fresh "
            "(`apt-get update`)?"
        )
    _verify(debs[0], package)
    return debs[0]


def member_of(deb: Path, suffix: str, target: Path, progress: Progress) -> None:
    """The one file of a `.deb` whose name ends in `suffix`, written to `target`.

    Raises GenfaultError when there is no dpkg-deb, or no such file.
    """
    try:
        reader = subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", os.fspath(deb)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise _no_tool("dpkg-deb", error) from error
    assert reader.stdout is not None
    try:
        with tarfile.open(fileobj=reader.stdout, mode="r|", bufsize=_CHUNK) as stream:
            for member in stream:
                if member.isreg() and member.name.endswith(suffix):
                    content = stream.extractfile(member)
                    assert content is not None
                    progress.start(member.size, f"open {deb.name}")
                    with target.open("xb") as file:
                        while chunk := content.read(_CHUNK):
                            file.write(chunk)
                            progress.advance(len(chunk))
                    return
    except tarfile.TarError as error:
        raise GenfaultError(f"{deb.name} is damaged: {error}") from error
    finally:
        progress.finish()
        reader.kill()
        reader.wait()
        reader.stdout.close()
    raise GenfaultError(f"{deb.name} holds no *{suffix}")


def _verify(deb: Path, package: Package) -> None:
    with deb.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != package.sha256:
        raise GenfaultError(
            f"{deb.name} is not the file that apt's lists describe: "
            f"SHA256 {found}, expected {package.sha256}"
        )


def _last_complaint(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    errors = [line for line in lines if line.startswith(("E:", "Err:"))]
    return (errors or lines or ["it said nothing"])[-1].strip()


def _plain_words() -> dict[str, str]:
    """Our environment, with the untranslated messages that we read."""
    return os.environ | {"LC_ALL": "C"}


def _no_tool(tool: str, error: OSError) -> GenfaultError:
    return GenfaultError(
        f"cannot run {tool} ({error.strerror}): fetch gets the kernel's source through apt and "
        "needs Debian or a system like it; give any kernel tree as SOURCE instead"
    )
