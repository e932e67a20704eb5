# SPDX-License-Identifier: GPL-2.0-only
"""Kbuild for one architecture: configure, prepare, one object, sparse; every log is kept."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.kernel_build.diagnostics import Diagnostic, diagnostics_in
from scripts.kernel_build.recipes import Toolchain

# What a user's shell may hold and Kbuild would listen to.
_NOT_OURS = frozenset(
    "ARCH AS CC CROSS_COMPILE HOSTCC HOSTLD KAFLAGS KBUILD_EXTRA_SYMBOLS KBUILD_OUTPUT KCFLAGS "
    "KCPPFLAGS KCONFIG_CONFIG LD LLVM LLVM_IAS MAKEFLAGS MFLAGS O SRCARCH V W".split()
)
_SAVED = re.compile(r"^(?:saved)?cmd_\S+ := (.*)$")


@dataclass(frozen=True)
class Ran:
    """One command's end: whether it succeeded, what it found, its whole output, how long."""

    ok: bool
    found: tuple[Diagnostic, ...]
    output: str
    seconds: float

    def last_words(self) -> str:
        """The line that says most about a failure."""
        lines = [line for line in self.output.splitlines() if line.strip()]
        told = [line for line in lines if "rror" in line and not line.startswith("make")]
        return (told or lines or ["no output"])[0].strip()


@dataclass(frozen=True)
class Kbuild:
    """One architecture's build: the scratch source, the O= folder, the tools."""

    source: Path
    objects: Path
    logs: Path
    arch: str
    toolchain: Toolchain
    jobs: int

    def configure(self, target: str) -> Ran:
        """`make TARGET`: the .config, from nothing, so that no earlier one shows through."""
        self.objects.mkdir(parents=True, exist_ok=True)
        return self._make("config", target)

    def prepare(self) -> Ran:
        """`make prepare`: generated headers and the tools that objects need."""
        return self._make("prepare", "prepare", jobs=self.jobs)

    def is_set(self, symbol: str) -> bool:
        """Whether the .config has CONFIG_`symbol`=y."""
        config = self.objects / ".config"
        lines = config.read_text("utf-8", "replace").splitlines() if config.exists() else []
        return f"CONFIG_{symbol}=y" in lines

    def compile(self, label: str, target: str) -> Ran:
        """One object, always afresh."""
        (self.objects / target).unlink(missing_ok=True)
        return self._make(label, target)

    def sparse(self, label: str, target: str) -> Ran:
        """sparse alone on the source of an object that has been compiled."""
        # The object is up to date, so that C=2 has nothing to do but to check.
        return self._make(label, "C=2", "CHECK=sparse", target)

    def again(self, label: str, target: str, options: Sequence[str]) -> Ran:
        """The object's own compiler command once more with options behind it; no object."""
        folder, name = os.path.split(target)
        saved = self.objects / folder / f".{name}.cmd"
        command = _saved_command(saved.read_text("utf-8", "replace"), target)
        return self._run(label, ["bash", "-c", f"{command} {shlex.join(options)}"], self.objects)

    def _make(self, label: str, *targets: str, jobs: int = 1) -> Ran:
        command = [
            *("make", "-s", "-C", str(self.source), f"O={self.objects}", f"ARCH={self.arch}"),
            *(f"-j{jobs}", *self.toolchain.variables, *targets),
        ]
        return self._run(label, command, self.source)

    def _run(self, label: str, command: list[str], where: Path) -> Ran:
        environment = {k: v for k, v in os.environ.items() if k not in _NOT_OURS}
        environment["LC_ALL"] = "C"
        if self.toolchain.path is not None:
            environment["PATH"] = f"{self.toolchain.path}:{environment['PATH']}"
        start = time.monotonic()
        done = subprocess.run(
            command,
            cwd=where,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        seconds = time.monotonic() - start
        self.logs.mkdir(parents=True, exist_ok=True)
        log = f"$ {shlex.join(command)}\n{done.stdout}exit {done.returncode}\n"
        (self.logs / f"{label}.log").write_text(log, "utf-8")
        found = diagnostics_in(done.stdout, (self.source, self.objects))
        return Ran(done.returncode == 0, found, done.stdout, seconds)


def _saved_command(text: str, target: str) -> str:
    """The compiler command in a .cmd file of Kbuild's, without its outputs.

    `cmd_mm/x.o := gcc -Wp,-MMD,mm/.x.o.d … -c -o mm/x.o …/mm/x.c ; objtool …`
        --> `gcc … -c -o /dev/null …/mm/x.c`
    """
    matched = _SAVED.match(text.splitlines()[0])
    if matched is None:
        raise ValueError(f"no command in the .cmd file of {target}")
    command = matched[1].split(" ; ")[0].replace("$$", "$").replace("\\#", "#")
    command = re.sub(r" -Wp,-MMD,\S+", "", command)
    return command.replace(f" -o {target} ", " -o /dev/null ")
