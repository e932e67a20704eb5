# SPDX-License-Identifier: GPL-2.0-only
"""A handler's own C text, compiled by the host and run on scenarios.

    program, text, configuration --build_bench--> Bench --run, run_many--> traces

The text is compiled once, with -fsanitize=thread: the compiler then calls a
function of ours before every access to memory, and that is how a field gets
its number from the scenario when it is first read, and how a write is seen. A
bench is a process of its own; nothing that the handler does can hurt ours.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from codegen.base.diagnostics import GenfaultError
from codegen.base.spans import SourceText
from codegen.frontend.nodes import Configuration
from codegen.ir.handler import Found
from codegen.ir.program import Program
from codegen.targets.native.stubs import Sources, write_sources
from codegen.targets.normal import Draws, NormalTrace

COMPILER = "gcc"
_FLAGS = (
    "-std=gnu11 -O1 -w -fno-pic -fno-builtin -fno-strict-aliasing -fno-strict-overflow "
    "-fno-delete-null-pointer-checks -fno-stack-protector -fno-tree-sra "
    "-ftrivial-auto-var-init=zero -mcmodel=large"
).split()
_HOOKS = (
    "-fsanitize=thread -fsanitize=shift-exponent --param tsan-instrument-func-entry-exit=0"
).split()


class BenchError(GenfaultError):
    """The bench cannot be built or does not answer."""


@dataclass
class Bench:
    """A compiled handler; it answers until it is closed."""

    program: Program
    found: Found
    draws: Draws
    executable: Path
    _process: subprocess.Popen[bytes] | None = None

    def run(self, scenario: Mapping[str, int]) -> NormalTrace:
        """The trace of a scenario that gives numbers to names; any other name is 0.

        Raises BenchError where the process does not answer.
        """
        lines = [
            f"g {self.draws.canonical(name)} {value & (1 << 64) - 1}\n"
            for name, value in scenario.items()
        ]
        text = self._ask("".join(lines) + "r\n")
        return NormalTrace.of(text.split("\n\n")[0])

    def run_many(self, first: int, count: int) -> list[str]:
        """The texts of the traces of the scenarios with the seeds from `first` on."""
        text = self._ask(f"s {first} {count}\n")
        return text.split("\n\n")[:-1]

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, request: str) -> str:
        if self._process is None:
            self._process = subprocess.Popen(
                [str(self.executable)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(request.encode("latin-1", "replace"))
            process.stdin.flush()
            head = process.stdout.read(8)
            if len(head) == 8:
                (length,) = struct.unpack("=Q", head)
                data = process.stdout.read(length)
                if len(data) == length:
                    return data.decode("latin-1")
        except BrokenPipeError:
            pass
        self.close()
        raise BenchError(f"{self.executable}: the bench of {self.found.function}() broke down")


def build_bench(
    program: Program,
    found: Found,
    source: SourceText,
    configuration: Configuration,
    library: SourceText | None,
    workdir: Path,
    draws: Draws | None = None,
) -> Bench:
    """Compiles a handler in one configuration; what is written stays in `workdir`.

    `source` is the text that `program` was made from, `library` the rendered
    generic_fault() that a converted handler calls. `draws` are another bench's,
    where the two shall meet the same scenarios. Raises BenchError where
    there is no compiler or it does not take the text.
    """
    if shutil.which(COMPILER) is None:
        raise BenchError(f"the native bench needs {COMPILER}, which is not installed")
    sources = write_sources(program, found, source, configuration, library, workdir, draws)
    return Bench(program, found, sources.draws, _compile(sources, workdir, source.path))


def _compile(sources: Sources, workdir: Path, path: str) -> Path:
    include = ["-nostdinc", "-I", str(sources.includes)]
    unit, world, program = (workdir / n for n in ("unit.o", "world.o", "bench"))
    steps = [
        [*_FLAGS, *_HOOKS, *include, "-c", str(sources.unit), "-o", str(unit)],
        [*_FLAGS, "-c", str(sources.world), "-o", str(world)],
        # Away from the numbers that scenarios like.
        ["-no-pie", "-Wl,-Ttext-segment=0x51230000", str(unit), str(world), "-o", str(program)],
    ]
    for step in steps:
        done = subprocess.run([COMPILER, *step], capture_output=True, text=True, check=False)
        if done.returncode:
            first = next((x for x in done.stderr.splitlines() if "error" in x), done.stderr[:200])
            raise BenchError(f"{path}: the host's compiler does not take it: {first}")
    return program
