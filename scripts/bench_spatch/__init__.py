# SPDX-License-Identifier: GPL-2.0-only
"""The whole series for a tree against coccinelle on the same files, in the same run.

What spatch does is far less: region.cocci replaces lines, knows nothing
of masks, outcomes and signals, and checks nothing. It is a yardstick.
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PATCH = Path(__file__).with_name("region.cocci")


def report(tree: str, runs: int) -> None:
    """Prints the times of both, a line each, and their ratio; or that there is no spatch."""
    if shutil.which("spatch") is None:
        print("spatch is not installed (Debian: apt-get install coccinelle)")
        return
    # Only a whole tree has what a series needs: Kconfig files, maintainers.
    option = "--patches" if (Path(tree) / "mm/Kconfig").exists() else "--output"
    convert = [sys.executable, "-m", "codegen", "convert", tree, option]
    series, patch = [], []
    files: list[str] = []
    changed = 0
    for run in range(runs + 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            ours = _timed([*convert, f"{folder}/series"], ROOT)
            files = sorted(_converted(folder / "series"))
            groups = folder / "groups"
            groups.write_text("\n\n".join(f"{tree}/{file}" for file in files) + "\n")
            theirs = _timed(
                [
                    *("spatch", "--very-quiet", "--sp-file", str(_PATCH)),
                    *("--file-groups", str(groups)),
                ],
                folder,  # in the tree it would read options of the tree's own
            )
            changed = theirs[2].count("\n--- ") + theirs[2].startswith("--- ")
        if run:  # the first one warms the caches
            series.append(ours)
            patch.append(theirs)
    told = f"spatch on the same files (changes {changed})"
    for what, times in ((f"convert TREE {option} ({len(files)} handlers)", series), (told, patch)):
        walls = [wall for wall, _, _ in times]
        cpu = statistics.median(cpu for _, cpu, _ in times)
        print(
            f"{what:44}{min(walls):12.3f}{statistics.median(walls):9.3f}{max(walls):9.3f}{cpu:9.3f}"
        )
    ratio = statistics.median(t[0] for t in series) / statistics.median(t[0] for t in patch)
    print(f"{'series / spatch':44}{'':12}{ratio:9.1f}", flush=True)


def _converted(folder: Path) -> set[str]:
    """The handlers' files in a series, or below a folder of converted files."""
    touched = {
        line.removeprefix("+++ b/")
        for patch in folder.glob("*.patch")
        for line in patch.read_text("latin-1").splitlines()
        if line.startswith("+++ b/arch/") and line.endswith(".c")
    }
    return touched | {str(p.relative_to(folder)) for p in folder.glob("arch/**/*.c")}


def _timed(command: list[str], where: Path) -> tuple[float, float, str]:
    """(wall seconds, CPU seconds, what is printed) of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=where,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout
