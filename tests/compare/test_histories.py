# SPDX-License-Identifier: GPL-2.0-only
"""What is told of a handler is a function of the sources, whatever a process did before.

Each history is a process of its own: other hash seeds and addresses, other
handlers first, the same terms made in another order.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from codegen.base.resources import data_dir

ROOT = Path(__file__).parents[2]
TELL = """
import json, sys
from click.testing import CliRunner
from codegen.__main__ import cli
from codegen.ir import terms

source, archs, made = json.load(sys.stdin)
for op, name, bits in made:
    terms.symbol(name, bits) if op == "sym" else terms.object_address(name)
told = {}
for arch in archs:
    for command in ("diff", "check"):
        words = [command, source, "--arch", arch, "--format", "json", "--jobs", "1"]
        told[f"{command} {arch}"] = CliRunner().invoke(cli, words, standalone_mode=False).stdout
leaves = [t for t in terms._interned.values() if t.op in ("sym", "object") and not t.args]
json.dump([told, [(t.op, t.payload, t.bits) for t in leaves]], sys.stdout)
"""


def tell(seed: int, source: Path, archs: list[str], made: list[Any]) -> tuple[dict[str, str], Any]:
    """(what a new process tells of each handler in turn, the names that it came to know).

    `made` are names that it knows from the beginning.
    """
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        input=json.dumps([str(source), archs, made]),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
    )
    told, names = json.loads(done.stdout)
    return told, names


def tells_the_same(source: Path, archs: list[str]) -> None:
    told, names = tell(1, source, archs, [])
    assert all(json.loads(text)["handlers"] for text in told.values())
    random.Random(1).shuffle(names)
    again, _ = tell(2, source, archs[::-1], names)
    assert again == told


def test_snippets_whatever_came_before() -> None:
    tells_the_same(data_dir("kernel_snippets"), ["riscv", "arc"])


def test_a_real_handler_whatever_came_before(kernel_612: Path) -> None:
    tells_the_same(kernel_612, ["loongarch"])
