# SPDX-License-Identifier: GPL-2.0-only
"""`fetch` from end to end, offline: apt is two small scripts, the package a real `.deb`."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from codegen.base.diagnostics import GenfaultError
from codegen.base.progress import SilentProgress
from codegen.corpus.debian import STAMP, default_directory, fetch

NEEDED = {
    ".get_maintainer.ignore": "x\n",
    "COPYING": "x\n",
    "Kbuild": "x\n",
    "Kconfig": "x\n",
    "MAINTAINERS": "x\n",
    "Makefile": "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 5\n",
    "arch/arc/mm/fault.c": "void f(void)\n{\n\thandle_mm_fault();\n}\n",
    "include/linux/mm.h": "#define X\n",
    "mm/memory.c": "x\n",
    "scripts/checkpatch.pl": "#!/usr/bin/perl\n",
    "scripts/const_structs.checkpatch": "x\n",
    "scripts/get_maintainer.pl": "#!/usr/bin/perl\n",
    "scripts/spelling.txt": "x\n",
}
EXTRA = {
    "Documentation/index.rst": "x\n",
    "drivers/net/tun.c": "x\n",
    "scripts/Makefile.build": "x\n",
    "scripts/dtc/dtc.c": "x\n",
    "virt/kvm/kvm_main.c": "x\n",
}
LINKS = {"arch/arc/boot/dts/include": "../../../../include"}

APT_CACHE = """\
#!/bin/sh
echo "apt-cache $*" >>"$FAKE_APT/log"
[ "$LC_ALL" = C ] || exit 9
[ -f "$FAKE_APT/record" ] || { echo "E: No packages found" >&2; exit 100; }
cat "$FAKE_APT/record"
"""

APT_GET = """\
#!/bin/sh
echo "apt-get $*" >>"$FAKE_APT/log"
if [ "$1" = update ]; then
  [ -f "$FAKE_APT/fresh" ] || { echo "E: no archive can be reached" >&2; exit 100; }
  mv "$FAKE_APT/fresh" "$FAKE_APT/record"
  exit 0
fi
deb=$FAKE_APT/linux-source-6.1_6.1.5-1_all.deb
case $(cat "$FAKE_APT/mode") in
offline)
  echo "Err:1 http mirror linux-source-6.1"
  echo "E: Failed to fetch: Could not resolve the mirror" >&2
  exit 100 ;;
slow)
  head -c 100 "$deb" >linux-source-6.1_6.1.5-1_all.deb
  : >"$FAKE_APT/started"
  sleep 60 ;;
short)
  sleep 0.5 ;;
esac
cp "$deb" .
"""


@dataclass
class FakeApt:
    """What apt says and does, as files that the two scripts read."""

    home: Path

    def behave(self, mode: str) -> None:
        (self.home / "mode").write_text(mode)

    def describe(self, **changes: str) -> None:
        deb = self.home / "linux-source-6.1_6.1.5-1_all.deb"
        fields = {
            "Package": "linux-source-6.1",
            "Version": "6.1.5-1",
            "Description": "the source\n Size: a trap in a long description",
            "Size": str(deb.stat().st_size),
            "SHA256": hashlib.sha256(deb.read_bytes()).hexdigest(),
        } | changes
        record = "".join(f"{key}: {value}\n" for key, value in fields.items() if value)
        (self.home / "record").write_text(f"{record}\nPackage: older\nVersion: 1\n")

    def pack(self, tarball: bytes) -> None:
        """A `.deb` with these bytes as its kernel tarball, and its description."""
        package = self.home / "package"
        (package / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (package / "DEBIAN" / "control").write_text(
            "Package: linux-source-6.1\nVersion: 6.1.5-1\nArchitecture: all\n"
            "Maintainer: nobody <nobody@localhost>\nDescription: test\n"
        )
        (package / "usr" / "src").mkdir(parents=True, exist_ok=True)
        (package / "usr" / "src" / "linux-source-6.1.tar.xz").write_bytes(tarball)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Znone", "--build", package, self.home],
            check=True,
            capture_output=True,
        )
        self.describe()

    def downloads(self) -> int:
        return self.log().count("apt-get download")

    def log(self) -> str:
        log = self.home / "log"
        return log.read_text() if log.exists() else ""


def kernel_tarball(folder: Path) -> bytes:
    top = folder / "linux-source-6.1"
    for name, text in (NEEDED | EXTRA).items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
        if name.endswith(".pl"):
            (top / name).chmod(0o775)
    for name, destination in LINKS.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).symlink_to(destination)
    packed = folder / "kernel.tar.xz"
    with tarfile.open(packed, "w:xz") as stream:
        stream.add(top, top.name)
    return packed.read_bytes()


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApt:
    home = tmp_path / "apt"
    (home / "bin").mkdir(parents=True)
    for name, script in (("apt-cache", APT_CACHE), ("apt-get", APT_GET)):
        (home / "bin" / name).write_text(script)
        (home / "bin" / name).chmod(0o755)
    monkeypatch.setenv("FAKE_APT", str(home))
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    fake = FakeApt(home)
    fake.behave("well")
    fake.pack(kernel_tarball(tmp_path / "kernel"))
    return fake


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "genfault"


def get(cache: Path, full: bool = False) -> Path:
    return fetch("6.1", cache, full, SilentProgress())


def complaint(cache: Path, release: str = "6.1") -> str:
    with pytest.raises(GenfaultError) as caught:
        fetch(release, cache, False, SilentProgress())
    return str(caught.value)


def files_below(tree: Path) -> dict[str, str]:
    return {
        path.relative_to(tree).as_posix(): path.read_text()
        for path in tree.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def left_in(cache: Path) -> set[str]:
    """What lies in the cache, but for the lock file."""
    return {path.name for path in cache.iterdir()} - {".genfault-fetch.lock"}


class TestWhole:
    def test_only_what_is_needed_is_unpacked(self, apt: FakeApt, cache: Path) -> None:
        tree = get(cache)
        assert tree == cache / "linux-source-6.1"
        files = files_below(tree)
        stamp = json.loads(files.pop(STAMP))
        assert files == NEEDED
        assert os.access(tree / "scripts/checkpatch.pl", os.X_OK)
        assert (tree / "Makefile").stat().st_mode & 0o111 == 0
        for name, destination in LINKS.items():
            assert str((tree / name).readlink()) == destination
        # checkpatch.pl knows a kernel tree by folders that it never looks into.
        assert (tree / "drivers").is_dir()
        assert (tree / "Documentation").is_dir()
        assert (stamp["package"], stamp["version"], stamp["full"]) == (
            "linux-source-6.1",
            "6.1.5-1",
            False,
        )
        assert left_in(cache) == {"linux-source-6.1"}
        assert "apt-get download" in apt.log()
        assert "linux-source-6.1=6.1.5-1" in apt.log()

    def test_the_second_call_asks_nobody(
        self, apt: FakeApt, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tree = get(cache)
        before = apt.log()
        monkeypatch.setenv("PATH", "/nowhere")
        assert get(cache) == tree
        assert apt.log() == before

    def test_a_full_tree_replaces_a_part_and_serves_for_one(
        self, apt: FakeApt, cache: Path
    ) -> None:
        tree = get(cache)
        assert get(cache, full=True) == tree
        files = files_below(tree)
        assert json.loads(files.pop(STAMP))["full"] is True
        assert files == NEEDED | EXTRA
        assert left_in(cache) == {"linux-source-6.1"}
        assert apt.downloads() == 2
        get(cache)
        get(cache, full=True)
        assert apt.downloads() == 2

    def test_progress_counts_every_byte(self, apt: FakeApt, cache: Path) -> None:
        jobs: list[list[int | str | None]] = []

        class Counting(SilentProgress):
            def start(self, total: int | None, label: str) -> None:
                jobs.append([label.split()[0], total, 0])

            def advance(self, amount: int) -> None:
                done = jobs[-1][2]
                assert isinstance(done, int)
                jobs[-1][2] = done + amount

        fetch("6.1", cache, False, Counting())
        assert [job[0] for job in jobs] == ["download", "open", "unpack"]
        assert all(total == done for _, total, done in jobs)
        assert apt.downloads() == 1

    def test_a_damaged_stamp_makes_the_tree_afresh(self, apt: FakeApt, cache: Path) -> None:
        (get(cache) / STAMP).write_text('{"full": ')
        (cache / "linux-source-6.1" / "Makefile").unlink()
        get(cache)
        assert (cache / "linux-source-6.1" / "Makefile").is_file()
        assert apt.downloads() == 2


class TestRefused:
    def test_an_unknown_release(self, apt: FakeApt, cache: Path) -> None:
        assert "no kernel '5.10' to fetch, only 6.1 and 6.12" in complaint(cache, "5.10")
        assert apt.log() == ""
        assert not cache.exists()

    def test_without_apt(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        assert complaint(cache).startswith("cannot run apt-cache (No such file or directory)")
        assert left_in(cache) == set()

    @pytest.mark.parametrize("tool", ["apt-get", "dpkg-deb", "xz"])
    def test_without_one_of_the_tools(
        self, apt: FakeApt, cache: Path, monkeypatch: pytest.MonkeyPatch, tool: str
    ) -> None:
        tools = apt.home / "tools"
        tools.mkdir()
        for name in {"sh", "cat", "cp", "head", "sleep", "dpkg-deb", "xz"} - {tool}:
            found = shutil.which(name)
            assert found
            (tools / name).symlink_to(found)
        if tool == "apt-get":
            (apt.home / "bin" / tool).unlink()
        monkeypatch.setenv("PATH", f"{apt.home / 'bin'}{os.pathsep}{tools}")
        assert complaint(cache).startswith(f"cannot run {tool} (")
        assert left_in(cache) == set()

    def test_with_empty_lists(self, apt: FakeApt, cache: Path) -> None:
        (apt.home / "record").unlink()
        message = complaint(cache)
        assert "apt does not know the package linux-source-6.1" in message
        assert "run `apt-get update`" in message
        assert "no archive can be reached" in message
        assert apt.downloads() == 0
        assert left_in(cache) == set()

    def test_with_empty_lists_of_the_system_and_fresh_ones_of_our_own(
        self, apt: FakeApt, cache: Path
    ) -> None:
        (apt.home / "record").rename(apt.home / "fresh")
        tree = fetch("6.1", cache, False, SilentProgress())
        assert (tree / "Makefile").is_file()
        download = next(line for line in apt.log().splitlines() if "get download" in line)
        assert "Dir::State::lists=" in download

    @pytest.mark.parametrize("field", ["Version", "Size", "SHA256"])
    def test_with_a_description_that_lacks_something(
        self, apt: FakeApt, cache: Path, field: str
    ) -> None:
        apt.describe(**{field: ""})
        assert "have no version, size or SHA256" in complaint(cache)
        assert apt.downloads() == 0

    def test_without_a_network(self, apt: FakeApt, cache: Path) -> None:
        apt.behave("offline")
        message = complaint(cache)
        assert "E: Failed to fetch: Could not resolve the mirror" in message
        assert "is there a network" in message
        assert left_in(cache) == set()

    def test_with_another_file_than_the_lists_describe(self, apt: FakeApt, cache: Path) -> None:
        apt.describe(SHA256="0" * 64)
        assert "is not the file that apt's lists describe" in complaint(cache)
        assert left_in(cache) == set()

    def test_with_a_truncated_tarball(self, apt: FakeApt, cache: Path, tmp_path: Path) -> None:
        whole = (tmp_path / "kernel" / "kernel.tar.xz").read_bytes()
        for length in (0, 40, len(whole) - 100, len(whole) - 10):
            apt.pack(whole[:length])
            assert "linux-source-6.1.tar.xz is damaged" in complaint(cache)
            assert left_in(cache) == set()

    def test_with_a_package_without_the_tarball(self, apt: FakeApt, cache: Path) -> None:
        inside = apt.home / "package" / "usr" / "src"
        apt.pack(b"")
        (inside / "linux-source-6.1.tar.xz").rename(inside / "other.tar.xz")
        subprocess.run(
            ["dpkg-deb", "--build", apt.home / "package", apt.home],
            check=True,
            capture_output=True,
        )
        apt.describe()
        assert "holds no */linux-source-6.1.tar.xz" in complaint(cache)

    def test_a_folder_of_the_users_own_stays(self, apt: FakeApt, cache: Path) -> None:
        mine = cache / "linux-source-6.1" / "mine"
        mine.mkdir(parents=True)
        assert "was not made by genfault" in complaint(cache)
        assert mine.is_dir()
        assert apt.log() == ""

    def test_a_place_that_cannot_be_written(self, apt: FakeApt, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        message = complaint(tmp_path / "file" / "cache")
        assert message.startswith("cannot fetch into")
        assert apt.log() == ""

    def test_a_disk_that_is_full(
        self, apt: FakeApt, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("codegen.corpus.unpack._copy", full)
        assert "No space left on device" in complaint(cache)
        assert left_in(cache) == set()
        assert apt.downloads() == 1


class TestHostileTarball:
    """Debian's are signed; the promise that nothing leaves the folder holds all the same."""

    @pytest.mark.parametrize(
        ("name", "kind", "link"),
        [
            ("linux/../../outside", tarfile.REGTYPE, ""),
            ("/outside", tarfile.REGTYPE, ""),
            ("linux/arch/a", tarfile.SYMTYPE, "/etc"),
            ("linux/arch/a", tarfile.SYMTYPE, "../../outside"),
            ("linux/arch/a", tarfile.SYMTYPE, "../arch/../../b/../mm"),
            ("linux/arch/a", tarfile.LNKTYPE, "linux/Makefile"),
            ("linux/arch/a", tarfile.FIFOTYPE, ""),
            ("linux/arch/a", tarfile.CHRTYPE, ""),
        ],
    )
    def test_is_an_error(
        self, apt: FakeApt, cache: Path, tmp_path: Path, name: str, kind: bytes, link: str
    ) -> None:
        before = set(tmp_path.rglob("outside"))
        packed = tmp_path / "hostile.tar.xz"
        with tarfile.open(packed, "w:xz") as stream:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            stream.addfile(member)
        apt.pack(packed.read_bytes())
        message = complaint(cache)
        assert "leaves its folder" in message or "unexpected kind of member" in message
        assert left_in(cache) == set()
        assert set(tmp_path.rglob("outside")) == before

    def test_nothing_is_written_through_a_link(
        self, apt: FakeApt, cache: Path, tmp_path: Path
    ) -> None:
        packed = tmp_path / "hostile.tar.xz"
        with tarfile.open(packed, "w:xz") as stream:
            link = tarfile.TarInfo("linux/arch/a")
            link.type, link.linkname = tarfile.SYMTYPE, "../mm"
            stream.addfile(link)
            stream.addfile(tarfile.TarInfo("linux/arch/a/b"))
        apt.pack(packed.read_bytes())
        assert "cannot fetch into" in complaint(cache)
        assert left_in(cache) == set()


class TestInterrupted:
    @pytest.mark.parametrize("job", ["download", "open", "unpack"])
    def test_by_the_keyboard(self, apt: FakeApt, cache: Path, job: str) -> None:
        class Impatient(SilentProgress):
            def start(self, total: int | None, label: str) -> None:
                self.label = label

            def advance(self, amount: int) -> None:
                if self.label.startswith(job):
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fetch("6.1", cache, False, Impatient())
        assert left_in(cache) == set()
        get(cache)
        assert left_in(cache) == {"linux-source-6.1"}
        assert apt.downloads() == 2

    def test_while_it_replaces_a_part(self, apt: FakeApt, cache: Path) -> None:
        tree = get(cache)
        apt.behave("offline")
        with pytest.raises(GenfaultError):
            get(cache, full=True)
        assert get(cache) == tree
        assert (tree / "Makefile").is_file()

    def test_by_a_kill(self, apt: FakeApt, cache: Path) -> None:
        apt.behave("slow")
        victim = start_fetch(cache)
        try:
            wait_for(apt.home / "started")
        finally:
            # With its apt, as when the machine goes down: nobody cleans up.
            os.killpg(victim.pid, signal.SIGKILL)
            victim.wait()
        assert any(name.startswith(".genfault-fetch-") for name in left_in(cache))
        assert not (cache / "linux-source-6.1").exists()
        apt.behave("well")
        get(cache)
        assert left_in(cache) == {"linux-source-6.1"}


class TestTogether:
    def test_two_at_once_download_once(self, apt: FakeApt, cache: Path) -> None:
        apt.behave("short")
        both = [start_fetch(cache), start_fetch(cache)]
        assert [process.wait(60) for process in both] == [0, 0]
        assert apt.downloads() == 1
        assert left_in(cache) == {"linux-source-6.1"}

    def test_the_one_that_waits_says_so(self, apt: FakeApt, cache: Path) -> None:
        cache.mkdir(parents=True)
        labels: list[str] = []

        class Listening(SilentProgress):
            def start(self, total: int | None, label: str) -> None:
                labels.append(label)
                # The other one is done as soon as we say that we wait for it.
                fcntl.flock(other, fcntl.LOCK_UN)

        with (cache / ".genfault-fetch.lock").open("ab") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            fetch("6.1", cache, False, Listening())
        assert labels[0].startswith("waiting for another fetch")
        assert apt.downloads() == 1


class TestDefaultDirectory:
    def test_is_the_users_cache(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert default_directory() == tmp_path / "xdg" / "genfault"
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        assert default_directory() == tmp_path / ".cache" / "genfault"
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert default_directory() == tmp_path / ".cache" / "genfault"

    def test_needs_a_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def homeless() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", homeless)
        with pytest.raises(GenfaultError, match="give --dir"):
            default_directory()


def start_fetch(cache: Path) -> subprocess.Popen[bytes]:
    script = textwrap.dedent("""\
        import sys
        from pathlib import Path
        from codegen.base.progress import SilentProgress
        from codegen.corpus.debian import fetch
        fetch("6.1", Path(sys.argv[1]), False, SilentProgress())
        """)
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", script, str(cache)], cwd=root, start_new_session=True
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)
