# SPDX-License-Identifier: GPL-2.0-only
"""scripts/bootstrap and scripts/genfault, with a Python that only pretends to make environments."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PYTHON = """\
#!/bin/sh
echo "$*" >>"$FAKE_PYTHON/log"
case "$*" in
*version_info*) [ ! -e "$FAKE_PYTHON/old" ] ;;
*ensurepip*) [ ! -e "$FAKE_PYTHON/no-venv" ] ;;
"-m venv "*) mkdir -p "$3/bin" "$3/site"; cp "$0" "$3/bin/python" ;;
"-m pip "*) [ ! -e "$FAKE_PYTHON/offline" ] ;;
*sysconfig*) echo "${0%/bin/python}/site" ;;
"-m codegen"*) ;;
*) exit 99 ;;
esac
"""

TOOLS = "bash cat cp dirname env flock mkdir mv rm sh sha256sum".split()


class Checkout:
    """The scripts in a folder of their own, and the pretended Python as the only one in PATH."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "check out"
        self.fake = folder / "fake"
        (self.root / "scripts").mkdir(parents=True)
        self.fake.mkdir()
        for name in ("bootstrap", "genfault"):
            shutil.copy(ROOT / "scripts" / name, self.root / "scripts" / name)
        (self.root / "requirements.lock").write_text("one==1\n")
        (self.root / "pyproject.toml").write_text("[project]\n")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.fake / tool).symlink_to(found)
        (self.fake / "python3").write_text(PYTHON)
        (self.fake / "python3").chmod(0o755)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "scripts" / script, *arguments],
            cwd=self.fake,
            env={"PATH": str(self.fake), "FAKE_PYTHON": str(self.fake)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def calls(self) -> list[str]:
        log = self.fake / "log"
        calls = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return calls

    def has(self, state: str) -> None:
        (self.fake / state).touch()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_start_sets_up_and_the_second_does_nothing(checkout: Checkout) -> None:
    first = checkout.run("bootstrap")
    assert (first.returncode, first.stdout) == (0, "")
    assert "setting up" in first.stderr
    (pip,) = [call for call in checkout.calls() if call.startswith("-m pip")]
    assert "--require-hashes" in pip
    assert f"{checkout.root}/requirements.lock" in pip
    pth = checkout.root / ".venv" / "site" / "genfault.pth"
    assert pth.read_text() == f"{checkout.root}\n"

    second = checkout.run("bootstrap")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert checkout.calls() == []


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_change_sets_up_afresh(checkout: Checkout, changed: str) -> None:
    checkout.run("bootstrap")
    (checkout.root / ".venv" / "left-over").touch()
    (checkout.root / changed).write_text("changed\n")
    checkout.calls()
    assert checkout.run("bootstrap").returncode == 0
    assert any(call.startswith("-m pip") for call in checkout.calls())
    assert not (checkout.root / ".venv" / "left-over").exists()


def test_a_moved_checkout_sets_up_afresh(checkout: Checkout) -> None:
    checkout.run("bootstrap")
    checkout.calls()
    moved = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.root = moved
    assert checkout.run("bootstrap").returncode == 0
    assert (moved / ".venv" / "site" / "genfault.pth").read_text() == f"{moved}\n"


def test_half_an_environment_is_not_trusted(checkout: Checkout) -> None:
    checkout.has("offline")
    failed = checkout.run("genfault", "list")
    assert failed.returncode == 2
    assert "is there a network?" in failed.stderr
    assert not any("-m codegen" in call for call in checkout.calls())
    (checkout.fake / "offline").unlink()
    assert checkout.run("genfault", "list").returncode == 0
    calls = checkout.calls()
    assert any(call.startswith("-m pip") for call in calls)
    assert calls[-1] == "-m codegen list"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("old", ["Python 3.11 or newer is needed", "apt-get install python3 python3-venv"]),
        ("no-venv", ["no venv module", "apt-get install python3-venv"]),
    ],
)
def test_what_is_missing_is_named(checkout: Checkout, state: str, words: list[str]) -> None:
    checkout.has(state)
    failed = checkout.run("bootstrap")
    assert failed.returncode == 2
    assert all(word in failed.stderr for word in words)
    assert not (checkout.root / ".venv").exists()


def test_without_any_python(checkout: Checkout) -> None:
    (checkout.fake / "python3").unlink()
    failed = checkout.run("bootstrap")
    assert failed.returncode == 2
    assert "Python 3.11 or newer is needed" in failed.stderr


def test_arguments_are_passed_on_and_none_is_help(checkout: Checkout) -> None:
    checkout.run("genfault", "tables", "a folder", "--arch", "arc")
    assert checkout.calls()[-1] == "-m codegen tables a folder --arch arc"
    checkout.run("genfault")
    assert checkout.calls()[-1] == "-m codegen --help"


def test_the_lock_pins_everything_by_hash_and_names_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pins = re.findall(r"^([a-z0-9-]+)==[^\s;]+ \\\n    --hash=sha256:[0-9a-f]{64}", lock, re.M)
    assert len(pins) == len(re.findall(r"^[a-z0-9]", lock, re.M))
    assert "://" not in lock
    assert "-url" not in re.sub(r"^#.*", "", lock, flags=re.M)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    wanted = re.findall(r'^    "([a-z0-9-]+)>=', project, re.M)
    assert len(wanted) >= 16
    assert set(wanted) <= set(pins)


def test_ci_runs_what_the_readme_says() -> None:
    lines = [
        line
        for line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[-1] == "exec scripts/test"
    assert len(lines) == 3
    for script in (ROOT / ".ci" / "run", *(ROOT / "scripts").iterdir()):
        if script.is_file():
            assert os.access(script, os.X_OK), script
