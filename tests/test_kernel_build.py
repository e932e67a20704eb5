# SPDX-License-Identifier: GPL-2.0-only
"""scripts/kernel-build on a toy tree: what it compiles, finds, remembers, and leaves alone."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scripts.kernel_build import report, review, scratch
from scripts.kernel_build.__main__ import main
from scripts.kernel_build.diagnostics import Diagnostic, diagnostics_in, new_ones
from scripts.kernel_build.recipes import How, Mend, find_toolchain, load_recipes
from scripts.kernel_build.series import Handler, Series, SeriesError, apply
from scripts.kernel_build.steps import HELPER_SOURCE, Place, Step, build

needs_make = pytest.mark.skipif(
    shutil.which("make") is None or shutil.which("gcc") is None, reason="needs make and gcc"
)

FAULT = "arch/toy/mm/fault.c"
# As much of Kbuild as the steps ask of it.
MAKEFILE = """\
MAKEFLAGS += -rR
VERSION = 6
PATCHLEVEL = 9
SUBLEVEL = 3
src := $(CURDIR)
toy_defconfig:
\tgrep -hs GENERIC $(src)/mm/Kconfig > $(O)/.config || :
prepare:
\ttouch $(O)/prepared
ifeq ($(C),2)
%.o: FORCE
\t@echo "$(src)/$*.c:1: warning: from sparse"
else
%.o: FORCE
\tmkdir -p $(dir $(O)/$@)
\techo 'savedcmd_$@ := gcc -Wall -Wp,-MMD,x -c -o $@ $(src)/$*.c' > $(O)/$(@D)/.$(@F).cmd
\tcd $(O) && gcc -Wall -c -o $@ $(src)/$*.c
endif
FORCE:
"""
BEFORE = """\
int known(void) { int old; return 0; }
"""
HELPER = """\
#ifdef CONFIG_PER_VMA_LOCK
int fast(void) { return slow; }
#endif
int helper;
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    files = {
        "Makefile": MAKEFILE,
        FAULT: BEFORE,
        "arch/toy/Kconfig": "",
        "arch/other/mm/fault.c": "",
        "mm/Kconfig": "",
        "mm/Makefile": "",
        "Kbuild": "",
        "Kconfig": "",
        "scripts/Makefile.build": "",
        ".git/HEAD": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def digest(folder: Path) -> str:
    """Every name, time and byte below a folder, in short."""
    state = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        state.update(f"{path} {path.stat().st_mtime_ns}\n".encode())
        state.update(path.read_bytes() if path.is_file() else b"")
    return state.hexdigest()


Steps = Callable[..., dict[str, Step]]


@pytest.fixture
def steps(tree: Path, tmp_path: Path) -> Steps:
    """`steps(after, helper=…)`: the steps of the toy architecture, by name."""
    data = tmp_path / "recipes.toml"
    data.write_text('[recipe.toy]\ncross = ""\nconfig = "toy_defconfig"\n')

    def take(
        after: str,
        helper: str = "int helper;\n",
        kconfig: str = "",
        first: Mapping[str, bytes] | None = None,
    ) -> dict[str, Step]:
        recipe = load_recipes(data)["toy"]
        toolchain = find_toolchain(recipe, tmp_path / "standins")
        assert toolchain is not None
        files = {
            FAULT: after.encode(),
            HELPER_SOURCE: helper.encode(),
            "mm/Kconfig": f"CONFIG_GENERIC_FAULT=y\n{kconfig}".encode(),
        }
        handler = Handler("toy", FAULT, "EQUAL", None)
        series = Series(files, (), {"toy": handler}, first or {})
        place = Place(tmp_path / "place")
        place.folder.mkdir(exist_ok=True)
        untouched = digest(tree)
        found = build(tree, recipe, toolchain, handler, series, place, 1, True, lambda doing: None)
        taken = {step.name: step for step in found}
        assert digest(tree) == untouched
        return taken

    return take


@needs_make
def test_what_was_said_before_is_no_finding(steps: Steps) -> None:
    taken = steps("int added;\n" + BEFORE)
    assert {name: step.ok for name, step in taken.items()} == dict.fromkeys(
        "before after left-overs sparse helper".split(), True
    ) | {"helper left-overs": True, "helper sparse": False}
    assert taken["after"].known == 1
    # The toy's sparse says something of every file; of the helper it is new.
    assert taken["helper sparse"].new == (f"{HELPER_SOURCE}:1: warning: from sparse",)


@needs_make
@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({HELPER_SOURCE: b"int helper;\n", "mm/Kconfig": b"config OTHER\n"}, ""),
        ({"mm/Kconfig": b"CONFIG_GENERIC_FAULT=y\n"}, ".config changed"),
        ({FAULT: BEFORE.replace("0", "1").encode()}, "object changed"),
        ({FAULT: b"broken\n"}, "handler: "),
    ],
)
def test_the_first_patch_changes_nothing_that_is_built(
    changed: Mapping[str, bytes], note: str, steps: Steps
) -> None:
    for _ in range(2):
        # What was measured before is remembered, too.
        taken = steps(BEFORE, first=changed)["helper alone"]
        assert taken.ok is not bool(note)
        assert taken.note.startswith(note)


@needs_make
def test_a_new_warning_is_a_finding(steps: Steps) -> None:
    taken = steps(BEFORE + "int more(void) { int left; return 0; }\n")
    assert taken["after"].ok is False
    (found,) = taken["after"].new
    assert found.startswith(f"{FAULT}:2: warning: unused variable ")
    assert "left" in found


@needs_make
def test_a_warning_that_the_kernel_leaves_off_is_a_finding(steps: Steps) -> None:
    taken = steps("#define LEFT 1\n" + BEFORE)
    assert taken["after"].ok is True
    assert taken["left-overs"].ok is False
    assert "LEFT" in taken["left-overs"].new[0]


@needs_make
def test_an_error_is_a_finding(steps: Steps) -> None:
    taken = steps("int broken(void) { return nothing; }\n", "int helper = nothing;\n")
    assert taken["after"].ok is False
    assert "error: " in taken["after"].new[0]
    assert taken["helper"].ok is False
    assert "left-overs" not in taken


@needs_make
def test_the_fast_path_is_compiled_where_the_configuration_has_none(steps: Steps) -> None:
    taken = steps(BEFORE, HELPER)
    assert taken["helper"].ok is True
    assert taken["fast path"].ok is False
    assert "slow" in taken["fast path"].new[0]
    sound = HELPER.replace("slow", "1")
    assert steps(BEFORE, sound)["fast path"].ok is True
    with_lock = steps(BEFORE, sound, "CONFIG_PER_VMA_LOCK=y # GENERIC")
    assert with_lock["fast path"].ok is True


@needs_make
def test_a_tree_that_does_not_build_is_not_judged(steps: Steps, tree: Path) -> None:
    (tree / FAULT).write_text("broken\n")
    taken = steps("int sound;\n")
    assert list(taken) == ["before"]
    assert taken["before"].ok is False
    assert "error" in taken["before"].note


@needs_make
def test_before_is_remembered_until_it_changes(steps: Steps, tree: Path) -> None:
    assert steps(BEFORE)["before"].note == ""
    assert steps(BEFORE)["before"].note == "remembered"
    (tree / FAULT).write_text("int another;\n")
    again = steps(BEFORE)
    assert again["before"].note == ""
    assert again["after"].ok is False


@needs_make
def test_without_the_symbol_the_helper_is_not_built_in(steps: Steps, tree: Path) -> None:
    (tree / "Makefile").write_text(MAKEFILE.replace("GENERIC", "SOMETHING"))
    assert steps(BEFORE)["config"].ok is False


def test_a_scratch_copy_is_links_and_what_differs(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for text in (b"one", b"two"):
        scratch.lay(tree, {FAULT: text, "mm/new.c": b"new", "deep/er/x.c": b""}, copy)
        assert (copy / FAULT).read_bytes() == text
    assert (copy / "arch/other").is_symlink()
    assert (copy / "arch/toy/Kconfig").is_symlink()
    assert not (copy / "arch/toy").is_symlink()
    assert not (copy / FAULT).is_symlink()
    assert not (copy / ".git").exists()
    assert (copy / "mm/new.c").read_bytes() == b"new"
    assert (tree / FAULT).read_text() == BEFORE


def test_a_mend_is_told_by_the_text(tree: Path) -> None:
    mend = Mend("toy", "why", FAULT, "old", "ancient", FAULT, "known(", False)
    assert (
        scratch.mended(tree, {}, (mend,), False)[FAULT] == BEFORE.replace("old", "ancient").encode()
    )
    assert scratch.mended(tree, {FAULT: b"old"}, (mend,), False) == {FAULT: b"old"}
    only_clang = Mend("toy", "why", FAULT, "old", "ancient", FAULT, "known(", True)
    assert scratch.mended(tree, {}, (only_clang,), False) == {}


def test_the_recipes_are_whole() -> None:
    recipes = load_recipes()
    assert {"arc", "arm64", "csky", "sparc32", "sparc64", "um", "xtensa"} <= recipes.keys()
    for recipe in recipes.values():
        assert recipe.standin or recipe.package, recipe.name
        assert recipe.compiler in recipe.missing()


def test_no_compiler_and_a_standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    recipes = load_recipes()
    csky = recipes["csky"]
    assert find_toolchain(csky, tmp_path / "standins") is None
    assert find_toolchain(recipes["arc"], tmp_path / "standins") is None
    assert "apt-get install gcc-arc-linux-gnu" in recipes["arc"].missing()
    assert csky.standin is not None
    fake = tools / f"{csky.standin.cross}gcc"
    fake.write_text('#!/bin/sh\necho "$0" "$@"\n')
    fake.chmod(0o755)
    toolchain = find_toolchain(csky, tmp_path / "standins")
    assert toolchain is not None
    assert toolchain.how is How.STANDIN
    assert (tmp_path / "standins" / "csky-linux-gnu-gcc").exists()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_standin_sees_types_and_makes_an_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's gcc in the place of another one, which knows none of these options."""
    ia64 = load_recipes()["ia64"]
    toolchain = find_toolchain(ia64, tmp_path)
    assert toolchain is not None
    if toolchain.how is How.COMPILER:
        pytest.skip("there is a compiler for ia64")
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "x.c"
    source.write_text(
        '#ifndef __ia64__\n#error not disguised\n#endif\nint x(void) { asm("br.ret"); }\n'
    )
    command = [
        str(tmp_path / "ia64-linux-gnu-gcc"),
        *"-mconstant-gp -ffixed-r13 -G 0 -c -o x.o x.c".split(),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x.o").read_bytes()[:4] == b"\x7fELF"
    source.write_text("int x(void) { return nothing; }\n")
    assert subprocess.run(command, capture_output=True).returncode == 1


def test_diagnostics_lose_their_place() -> None:
    root = Path("/somewhere/source")
    said = "/somewhere/source/mm/a.c:3:7: warning: one\nmake: noise\nmm/b.c:1: error: two\n"
    found = diagnostics_in(said, (root,))
    assert [str(d) for d in found] == ["mm/a.c:3: warning: one", "mm/b.c:1: error: two"]
    moved = (Diagnostic("mm/a.c", 99, "warning", "one"), found[0])
    assert new_ones(found, moved) == (found[0],)
    assert new_ones((), found) == found


def test_patches_become_files(tree: Path, tmp_path: Path) -> None:
    patch = tmp_path / "0001-x.patch"
    patch.write_text(
        f"From: x\n---\n--- a/{FAULT}\n+++ b/{FAULT}\n@@ -1 +1,2 @@\n+int first;\n {BEFORE}"
        "--- /dev/null\n+++ b/mm/new.c\n@@ -0,0 +1 @@\n+int fresh;\n"
    )
    assert apply(tree, [patch]) == {
        FAULT: f"int first;\n{BEFORE}".encode(),
        "mm/new.c": b"int fresh;\n",
    }
    patch.write_text(patch.read_text().replace("known", "unknown"))
    with pytest.raises(SeriesError, match="does not apply"):
        apply(tree, [patch])


def row(name: str, *taken: Step) -> report.Row:
    return report.Row(name, name, "compiler", "gcc", "1", "2", taken)


def test_the_summary_and_the_results() -> None:
    good = row("arc", Step("before", True), Step("after", True), Step("sparse", None, note="no"))
    bad = row("arm", Step("before", True), Step("after", False, ("w", "w")))
    worse = row("um", Step("before", True), Step("after", False, note="no"))
    left_out = report.Row("ia64", None, "", "", "", "", (), "does not convert")
    lines = report.summary([good, bad, worse, left_out]).splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["arc", "compiler", "ok", "ok", "-"],
        ["arm", "compiler", "ok", "2", "new"],
        ["um", "compiler", "ok", "FAILED"],
    ]
    assert lines[4] == "ia64: does not convert"
    first = report.document("6.1", [good, left_out], {})
    assert list(first["rows"]) == ["arc"]
    assert list(report.document("6.1", [bad], first)["rows"]) == ["arc", "arm"]
    assert list(report.document("6.2", [bad], first)["rows"]) == ["arm"]


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({"scripts/Makefile.build": None}, (), "no whole kernel tree"),
        ({".config": ""}, (), "make mrproper"),
        ({"arch/toy/include/generated/x.h": ""}, (), "make mrproper"),
        ({}, ("toaster",), "no recipe for 'toaster'"),
        ({}, ("--jobs", "2", "toaster"), "no recipe for 'toaster'"),
    ],
)
def test_bad_usage_is_one_message(
    change: Mapping[str, str | None],
    arguments: tuple[str, ...],
    words: str,
    tree: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, text in change.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink() if text is None else path.write_text(text)
    assert main([str(tree), *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("kernel-build: ")
    assert words in said.err
    assert said.err.count("\n") == 1


@pytest.mark.skipif(shutil.which("perl") is None, reason="needs perl")
def test_checkpatch_on_a_line_that_moved_is_no_finding(tmp_path: Path) -> None:
    script = tmp_path / "scripts/checkpatch.pl"
    script.parent.mkdir()
    patch = tmp_path / "0002-toy.patch"
    patch.write_text("---\n-BUG();\n+\tBUG();\n+new;\n")

    def says(*lines: str) -> Step:
        told = "".join(f"0002-toy.patch:{line}\n" for line in lines)
        script.write_text(f"print <<'E';\n{told}total: 1\nE\nexit({int(bool(lines))});\n")
        return review.checkpatch(tmp_path, patch)

    assert says().ok is True
    assert says("3: WARNING:AVOID_BUG: do not").ok is True
    noted = says("4: CHECK:SPACING: no space", "4: WARNING:FILE_PATH_CHANGES: a new file")
    assert (noted.ok, noted.note) == (True, "1 SPACING, 1 FILE_PATH_CHANGES")
    found = says("4: ERROR:CODE_INDENT: tabs")
    assert (found.ok, found.new) == (False, ("0002-toy.patch:4: ERROR: tabs",))
    script.write_text("exit(1);\n")
    assert review.checkpatch(tmp_path, patch).ok is None
