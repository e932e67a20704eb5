# SPDX-License-Identifier: GPL-2.0-only
"""The wheel is whole: every module, our own data, and both found once it is installed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ("docs", "templates", "kernel_snippets")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, unpacked as pip would."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("genfault-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def run_installed(installed: Path, script: str, cwd: Path) -> str:
    """What `script` prints with the wheel in front of this checkout, run from elsewhere."""
    start = f"import sys; sys.path.insert(0, {str(installed)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", start + script],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_holds_the_package_and_nothing_else(installed: Path) -> None:
    own = files_below(ROOT / "codegen")
    assert own
    packed = files_below(installed / "codegen")
    assert {name: data for name, data in packed.items() if not name.startswith("_data/")} == own
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {
        "codegen"
    }


@pytest.mark.parametrize("name", DATA)
def test_our_data_travels_and_is_found(installed: Path, tmp_path: Path, name: str) -> None:
    own = files_below(ROOT / name)
    assert own, f"{name}/ is empty"
    script = f"from codegen.base.resources import data_dir\nprint(data_dir({name!r}))"
    found = Path(run_installed(installed, script, tmp_path))
    assert found == installed / "codegen" / "_data" / name
    assert files_below(found) == own


@pytest.mark.parametrize("name", DATA)
def test_our_data_is_found_in_a_checkout(name: str) -> None:
    from codegen.base.resources import data_dir

    assert data_dir(name) == ROOT / name
    with pytest.raises(FileNotFoundError, match="no_such_folder/ is missing"):
        data_dir("no_such_folder")


def test_the_bundled_snippets_open_from_an_installation(installed: Path, tmp_path: Path) -> None:
    script = (
        "from codegen.corpus.discover import open_source\n"
        "print(*(file.path for file in open_source(None).files))"
    )
    found = run_installed(installed, script, tmp_path).split()
    assert found == sorted(path.name for path in (ROOT / "kernel_snippets").glob("*.c"))


def test_it_says_what_it_is(installed: Path) -> None:
    import codegen

    (info,) = installed.glob("genfault-*.dist-info")
    metadata = (info / "METADATA").read_text("utf-8")
    assert f"\nVersion: {codegen.__version__}\n" in metadata
    assert "\nLicense-Expression: GPL-2.0-only\n" in metadata
    assert "codegen.__main__:main" in (info / "entry_points.txt").read_text("utf-8")
    assert (info / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
