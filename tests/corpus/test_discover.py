# SPDX-License-Identifier: GPL-2.0-only
"""What a SOURCE argument turns into, and the one message for each that is none."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codegen.base import resources
from codegen.base.diagnostics import GenfaultError, UnreadableSource
from codegen.corpus.discover import open_source
from codegen.corpus.nodes import SourceKind
from codegen.corpus.read import MOST_BYTES
from codegen.corpus.tree import arch_of, kernel_version

FAULT = b"int fault(void)\n{\n\treturn handle_mm_fault(0, 0, 0, 0);\n}\n"
OTHER = b"int other(void)\n{\n\treturn 0;\n}\n"

MAKEFILE = b"# SPDX\nVERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 21\nEXTRAVERSION = -rc1\nNAME = x\n"

HANDLERS_61 = (
    "alpha arc arm arm64 csky hexagon ia64 loongarch m68k microblaze mips nios2 openrisc parisc "
    "powerpc riscv s390 sh sparc32 sparc64 um x86 xtensa"
).split()


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write(
        tmp_path / "linux",
        {
            "Makefile": MAKEFILE,
            "include/linux/mm.h": b"#define FAULT_FLAG_WRITE 1\n",
            "arch/arc/mm/fault.c": FAULT,
            "arch/arc/mm/init.c": OTHER,
            "arch/arc/boot/dts/handle_mm_fault.dts": FAULT,
            "arch/sparc/mm/fault_32.c": FAULT,
            "arch/sparc/mm/fault_64.c": FAULT,
            "arch/um/kernel/skas/deep/trap.c": FAULT,
            "arch/m68k/mm/.hidden/fault.c": FAULT,
            "virt/kvm/guest.c": FAULT,
            "mm/memory.c": FAULT,
            "drivers/iommu/svm.c": FAULT,
        },
    )


def paths(path: Path | None, *archs: str) -> list[str]:
    return [file.path for file in open_source(path, archs).files]


def complaint(path: Path | None, *archs: str) -> str:
    with pytest.raises(GenfaultError) as caught:
        open_source(path, archs)
    return str(caught.value)


class TestTree:
    def test_the_candidates_are_the_files_below_arch_and_virt_that_mention_the_word(
        self, tree: Path
    ) -> None:
        source = open_source(tree)
        assert source.kind is SourceKind.TREE
        assert (source.name, source.kernel) == ("linux", "7.3.21")
        assert source.root == source.tree == tree
        assert [(file.path, file.arch, file.selector) for file in source.files] == [
            ("arch/arc/mm/fault.c", "arc", "arc"),
            ("arch/sparc/mm/fault_32.c", "sparc32", "sparc32"),
            ("arch/sparc/mm/fault_64.c", "sparc64", "sparc64"),
            ("arch/um/kernel/skas/deep/trap.c", "um", "um"),
            ("virt/kvm/guest.c", None, "guest"),
        ]
        assert source.files[0].source.to_bytes() == FAULT
        assert source.files[0].source.path == "arch/arc/mm/fault.c"

    def test_the_printed_form(self, tree: Path) -> None:
        assert str(open_source(tree, ["sparc32"])) == (
            "linux: tree, kernel 7.3.21, 1 files\n  arch/sparc/mm/fault_32.c [sparc32]"
        )

    def test_archs_narrow(self, tree: Path) -> None:
        assert paths(tree, "sparc64") == ["arch/sparc/mm/fault_64.c"]
        assert paths(tree, "um", "arc") == [
            "arch/arc/mm/fault.c",
            "arch/um/kernel/skas/deep/trap.c",
        ]
        assert paths(tree, "guest") == ["virt/kvm/guest.c"]

    def test_an_unknown_arch_is_told_what_there_is(self, tree: Path) -> None:
        message = complaint(tree, "arc", "sparc")
        assert "no arch 'sparc'" in message
        assert "only arc, guest, sparc32, sparc64, um" in message
        assert message.endswith("?")
        assert "sparc32" in message.split("did you mean")[1]
        assert "did you mean" not in complaint(tree, "zzz")

    def test_one_arch_reads_no_other(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        opened: list[str] = []
        really = os.open

        def watch(path: os.PathLike[str] | str, flags: int, *rest: int) -> int:
            opened.append(os.fspath(path))
            return really(path, flags, *rest)

        monkeypatch.setattr(os, "open", watch)
        open_source(tree, ["arc"])
        assert opened
        assert all("/arch/arc/" in path for path in opened)

    def test_a_folder_in_a_tree_is_known_by_the_tree(self, tree: Path) -> None:
        source = open_source(tree / "arch" / "sparc")
        assert source.kind is SourceKind.FOLDER
        assert (source.name, source.tree, source.root) == ("sparc", tree, tree)
        assert source.kernel == "7.3.21"
        assert [file.arch for file in source.files] == ["sparc32", "sparc64"]
        assert paths(tree / "mm") == ["mm/memory.c"]

    def test_a_file_in_a_tree_is_known_by_the_tree(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tree / "arch")
        source = open_source(Path("arc/mm/../mm/fault.c"))
        assert source.kind is SourceKind.FILE
        assert (source.tree, source.root, source.kernel) == (tree, tree, "7.3.21")
        assert [str(file) for file in source.files] == ["arch/arc/mm/fault.c [arc]"]
        assert open_source(Path("arc/mm/fault.c"), ["arc"]).files == source.files
        assert "did you mean arc?" in complaint(Path("arc/mm/fault.c"), "arcs")

    @pytest.mark.parametrize(
        ("lost", "reason"),
        [
            ("arch", "not a kernel tree: it has no arch/"),
            ("include", "not a kernel tree: it has no include/linux/"),
            ("Makefile", "not a kernel tree: it has no Makefile"),
        ],
    )
    def test_a_broken_tree_is_told_what_it_lacks(self, tree: Path, lost: str, reason: str) -> None:
        (tree / lost).rename(tree.parent / lost)
        assert complaint(tree) == f"{tree}: {reason}"

    def test_a_tree_without_a_fault_path(self, tmp_path: Path) -> None:
        files = {"Makefile": MAKEFILE, "include/linux/mm.h": b"", "arch/arc/a.c": OTHER}
        message = complaint(write(tmp_path, files))
        assert message.endswith("no fault path: none of its 1 .c files calls handle_mm_fault()")

    @pytest.mark.parametrize(
        ("makefile", "version"),
        [
            (MAKEFILE, "7.3.21"),
            (b"VERSION = 4\nPATCHLEVEL = 0\n", "4.0.0"),
            (b"VERSION\t= 2\nPATCHLEVEL\t=  6\nSUBLEVEL\t= 39\nVERSION = 9\n", "2.6.39"),
            (b"VERSION = 1\nall:\n", None),
            (b"\xff\0", None),
        ],
    )
    def test_the_version_is_the_makefiles(
        self, tmp_path: Path, makefile: bytes, version: str | None
    ) -> None:
        assert kernel_version(write(tmp_path, {"Makefile": makefile})) == version
        assert kernel_version(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("path", "arch"),
    [
        ("arch/arc/mm/fault.c", "arc"),
        ("arch/sparc/mm/fault_32.c", "sparc32"),
        ("arch/x86/fault32.c", "x86"),
        ("arch/x86/fault_32_old.c", "x86"),
        ("arch/hexagon/mm/vm_fault.c", "hexagon"),
        ("arch/fault.c", None),
        ("virt/arch/arc/fault_32.c", None),
        ("fault_32.c", None),
    ],
)
def test_the_arch_is_the_folder_with_the_number_of_the_stem(path: str, arch: str | None) -> None:
    assert arch_of(path) == arch


class TestFolder:
    def test_any_folder_of_c_files(self, tmp_path: Path) -> None:
        files = {"b.c": FAULT, "a_32.c": FAULT, "deep/c.c": FAULT, "no.c": OTHER, "h.h": FAULT}
        source = open_source(write(tmp_path / "own", files))
        assert (source.kind, source.name) == (SourceKind.FOLDER, "own")
        assert (source.tree, source.kernel) == (None, None)
        assert [(file.path, file.arch, file.selector) for file in source.files] == [
            ("a_32.c", None, "a_32"),
            ("b.c", None, "b"),
            ("deep/c.c", None, "c"),
        ]
        assert paths(tmp_path / "own", "b") == ["b.c"]

    def test_what_convert_wrote_keeps_its_archs(self, tmp_path: Path) -> None:
        source = open_source(write(tmp_path, {"arch/sparc/mm/fault_32.c": FAULT}))
        assert [file.arch for file in source.files] == ["sparc32"]

    def test_a_large_file_of_something_else_is_no_obstacle(self, tmp_path: Path) -> None:
        large = OTHER + b" " * MOST_BYTES
        assert paths(write(tmp_path, {"large.c": large, "a.c": FAULT})) == ["a.c"]
        message = complaint(write(tmp_path, {"large.c": large + FAULT}))
        assert message.startswith(f"{tmp_path / 'large.c'}: larger than 4 MiB")

    def test_links_to_folders_are_not_followed(self, tmp_path: Path) -> None:
        write(tmp_path, {"a.c": FAULT})
        (tmp_path / "again").symlink_to(tmp_path)
        (tmp_path / "link.c").symlink_to(tmp_path / "a.c")
        (tmp_path / "dangling.c").symlink_to(tmp_path / "none.c")
        assert paths(tmp_path) == ["a.c", "link.c"]

    def test_no_c_file_at_all(self, tmp_path: Path) -> None:
        write(tmp_path, {"README": FAULT})
        assert complaint(tmp_path) == f"{tmp_path}: no .c file in this folder"

    def test_no_fault_path(self, tmp_path: Path) -> None:
        write(tmp_path, {"a.c": OTHER, "b.c": OTHER})
        assert complaint(tmp_path) == (
            f"{tmp_path}: no fault path: none of its 2 .c files calls handle_mm_fault()"
        )

    def test_a_binary_candidate_is_an_error_with_its_line(self, tmp_path: Path) -> None:
        write(tmp_path, {"a.c": FAULT, "b.c": b"\n\n\0" + FAULT})
        assert complaint(tmp_path).startswith(f"{tmp_path / 'b.c'}:3: binary file")

    def test_a_folder_that_nobody_meant(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("codegen.corpus.scan._MOST_ENTRIES", 3)
        write(tmp_path, {f"{n}.c": FAULT for n in range(4)})
        assert "more than 3 files and folders below it" in complaint(tmp_path)


class TestSnippets:
    def test_no_argument_is_the_bundled_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path / "kernel_snippets", {"arc.c": FAULT, "arm64.c": FAULT})
        monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "codegen")
        source = open_source(None)
        assert (source.kind, source.name) == (SourceKind.SNIPPETS, "kernel_snippets")
        assert (source.tree, source.kernel) == (None, None)
        assert [file.selector for file in source.files] == ["arc", "arm64"]
        assert paths(None, "arm64") == ["arm64.c"]
        assert "did you mean arm64?" in complaint(None, "arm46")

    def test_a_broken_installation_is_one_message(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "codegen")
        assert "kernel_snippets/ is missing" in complaint(None)


class TestFile:
    def test_any_c_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(tmp_path, {"own/fault.c": FAULT})
        monkeypatch.chdir(tmp_path)
        source = open_source(Path("own/fault.c"))
        assert (source.kind, source.name) == (SourceKind.FILE, "own/fault.c")
        assert (source.root, source.tree) == (tmp_path / "own", None)
        assert [str(file) for file in source.files] == ["fault.c [fault]"]

    @pytest.mark.parametrize("name", ["fault.h", "fault.inc"])
    def test_a_header_may_be_named(self, tmp_path: Path, name: str) -> None:
        assert paths(write(tmp_path, {name: FAULT}) / name) == [name]

    def test_every_byte_survives(self, tmp_path: Path) -> None:
        data = FAULT.replace(b"\n", b"\r\n") + bytes(range(1, 256))
        (file,) = open_source(write(tmp_path, {"a.c": data}) / "a.c").files
        assert file.source.to_bytes() == data

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("empty.c", b"", "empty file"),
            ("binary.c", FAULT + b"a\0b", "5: binary file: it holds a NUL byte"),
            ("wide.c", FAULT.decode().encode("utf-16"), "1: binary file: it holds a NUL byte"),
            ("fault.py", FAULT, "not C: a C file's name ends in .c, .h, .inc"),
            ("prose.c", b"about handle_mm_fault()\n", "not C: there is no function body in it"),
            ("other.c", OTHER, "no fault path: nothing calls handle_mm_fault()"),
            ("huge.c", FAULT + b" " * MOST_BYTES, "larger than 4 MiB: not a fault handler"),
        ],
    )
    def test_what_is_no_handler_says_why(
        self, tmp_path: Path, name: str, data: bytes, message: str
    ) -> None:
        path = write(tmp_path, {name: data}) / name
        separator = ":" if message[0].isdigit() else ": "
        assert complaint(path) == f"{path}{separator}{message}"

    def test_the_largest_file_still_goes(self, tmp_path: Path) -> None:
        data = FAULT + b" " * (MOST_BYTES - len(FAULT))
        assert paths(write(tmp_path, {"a.c": data}) / "a.c") == ["a.c"]

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda path: None, "no such file or folder"),
            (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
            (lambda path: os.mkfifo(path), "not a regular file"),
        ],
    )
    def test_what_is_no_file_says_why(
        self, tmp_path: Path, make: Callable[[Path], None], message: str
    ) -> None:
        make(tmp_path / "fault.c")
        assert message in complaint(tmp_path / "fault.c")

    @pytest.mark.parametrize("name", ["x" * 300 + ".c", "fault.c/below.c"])
    def test_a_path_that_cannot_be(self, tmp_path: Path, name: str) -> None:
        write(tmp_path, {"fault.c": FAULT})
        with pytest.raises(UnreadableSource):
            open_source(tmp_path / name)

    @pytest.mark.parametrize("inside", [False, True])
    def test_without_permission(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
    ) -> None:
        path = write(tmp_path, {"fault.c": FAULT}) / "fault.c"

        def refuse(*_: object) -> int:
            # What root, who may read everything, would never see.
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        message = complaint(tmp_path if inside else path)
        assert message == f"{path}: cannot be read: Permission denied"


class TestRealKernels:
    def test_61(self, kernel_61: Path) -> None:
        source = open_source(kernel_61)
        assert source.kernel is not None
        assert source.kernel.startswith("6.1.")
        assert sorted({file.selector for file in source.files}) == HANDLERS_61
        assert paths(kernel_61, "arc") == ["arch/arc/mm/fault.c", "arch/arc/mm/tlb.c"]

    def test_612(self, kernel_612: Path) -> None:
        archs = sorted({file.selector for file in open_source(kernel_612).files})
        assert archs == [arch for arch in HANDLERS_61 if arch != "ia64"]
