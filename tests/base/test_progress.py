# SPDX-License-Identifier: GPL-2.0-only
"""A bar is for a person at a terminal: never in a pipe, never on stdout."""

import os
import pty
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """\
import sys
from codegen.base.progress import progress_for_stderr
progress = progress_for_stderr()
progress.advance(1)
progress.finish()
assert "rich" not in sys.modules
for label in ("the first job", "the second job"):
    progress.start(1000, label)
    progress.advance(400)
    progress.advance(600)
progress.finish()
progress.finish()
print("data")
"""


def test_in_a_pipe_nothing_is_said() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("data\n", "")


def test_on_a_terminal_a_bar_is_drawn_on_stderr_only() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(theirs)
        drawn = b""
        try:
            while chunk := os.read(ours, 4096):
                drawn += chunk
        except OSError:
            pass  # how Linux says that the other side of a terminal is closed
        stdout, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 0
    assert stdout == b"data\n"
    assert b"the first job" in drawn
    assert b"the second job" in drawn
    assert b"1.0/1.0 kB" in drawn
