# SPDX-License-Identifier: GPL-2.0-only
"""How long work tells a waiting person where it stands.

Stages take a `Progress` and never know whether anyone watches: the command
line hands them a bar on a terminal, tests and pipes get silence.
"""

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as RichBar
    from rich.progress import TaskID


class Progress(Protocol):
    """One job at a time: `start`, any number of `advance`, `finish`."""

    def start(self, total: int | None, label: str) -> None:
        """Begin a job of `total` bytes, or of unknown length; ends a job still open."""

    def advance(self, amount: int) -> None:
        """`amount` more bytes are done."""

    def finish(self) -> None:
        """The job is over, well or badly; without an open job nothing happens."""


class SilentProgress:
    """Says nothing; for pipes, tests and anything short."""

    def start(self, total: int | None, label: str) -> None:
        """See `Progress.start`."""

    def advance(self, amount: int) -> None:
        """See `Progress.advance`."""

    def finish(self) -> None:
        """See `Progress.finish`."""


class TerminalProgress:
    """A bar on stderr: label, bytes done and total, rate, time left.

    rich is imported by the first `start`, so a command that shows no bar does
    not pay for it.
    """

    def __init__(self) -> None:
        self._bar: RichBar | None = None
        self._task: TaskID | None = None

    def start(self, total: int | None, label: str) -> None:
        """See `Progress.start`."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import (
            Progress as RichBar,
        )

        self.finish()
        self._bar = RichBar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(label, total=total)
        self._bar.start()

    def advance(self, amount: int) -> None:
        """See `Progress.advance`."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, amount)

    def finish(self) -> None:
        """See `Progress.finish`."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None


def progress_for_stderr() -> Progress:
    """A bar when stderr is a terminal, silence otherwise."""
    return TerminalProgress() if sys.stderr.isatty() else SilentProgress()
