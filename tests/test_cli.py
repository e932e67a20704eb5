# SPDX-License-Identifier: GPL-2.0-only
"""The command line as a user meets it: output, exit codes, and what bad input gets."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codegen.__main__ import main
from codegen.ir.environment import Outcome

HANDLER = """\
// SPDX-License-Identifier: GPL-2.0-only
int noted;

void trap(struct pt_regs *regs, unsigned long address)
{
	struct mm_struct *mm = current->mm;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
again:
	vma = lock_mm_and_find_vma(mm, address, regs);
	if (!vma)
		goto bad;
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto again;
	}
	mmap_read_unlock(mm);
	return;
bad:
	force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)address);
}
"""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


@pytest.fixture
def genfault(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str | Path) -> Ran:
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Ran(stop.value.code, captured.out, captured.err)

    return run


class TestOnTheSnippets:
    def test_list_counts_add_up(self, genfault: Any) -> None:
        ran = genfault("list")
        lines = ran.out.splitlines()
        refused = [line for line in lines[:-1] if ": " in line.split("  ")[-1] and "(line" in line]
        converting = [line for line in lines[:-1] if "  converts" in line]
        assert f"{len(converting)} convert, {len(refused)} do not" in lines[-1]
        assert ran.code == (1 if refused else 0)

    def test_tables_as_json(self, genfault: Any) -> None:
        document = genfault("tables", "--arch", "arc", "--format", "json").document
        assert document["schema"] == "genfault/1"
        assert document["command"] == "tables"
        (handler,) = document["handlers"]
        assert handler["status"] == "convertible"
        cells = {(row["mode"], row["outcome"]) for row in handler["signals"]}
        assert cells == {(m, o.value) for m in ("user", "kernel") for o in Outcome}
        assert handler["decode"][-1]["guard"] is None
        written = [r for r in handler["decode"] if r["fault_flags"] == ["FAULT_FLAG_WRITE"]]
        assert [r["access"] for r in written] == [{"kind": "mask", "bits": ["VM_WRITE"]}]

    def test_tables_say_whether_a_handler_converts(self, genfault: Any) -> None:
        ran = genfault("tables", "--arch", "ia64", "--format", "json")
        (handler,) = ran.document["handlers"]
        # It was read, so that nothing is wrong with the tables themselves.
        assert ran.code == 0
        assert handler["status"] == "refused"
        assert handler["refusal"]["code"] == "growsup"
        assert "find_vma_prev" in handler["refusal"]["construct"]
        assert len(handler["signals"]) == 24

    def test_convert_shows_a_diff_that_applies(self, genfault: Any, tmp_path: Path) -> None:
        ran = genfault("convert", "--arch", "arc", "--arch", "arm64")
        assert ran.code == 0
        (tmp_path / "diff").write_text(ran.out)
        source = Path(__file__).parent.parent / "kernel_snippets"
        for name in ("arc.c", "arm64.c"):
            (tmp_path / name).write_bytes((source / name).read_bytes())
        subprocess.run(
            ["patch", "-p1", "-i", "diff"], cwd=tmp_path, check=True, capture_output=True
        )
        assert "generic_fault(" in (tmp_path / "arc.c").read_text()

    def test_convert_output_does_not_overwrite(self, genfault: Any, tmp_path: Path) -> None:
        assert genfault("convert", "--arch", "arc", "--output", tmp_path / "o").code == 0
        before = (tmp_path / "o" / "arc.c").read_bytes()
        again = genfault("convert", "--arch", "arc", "--output", tmp_path / "o")
        assert again.code == 2
        assert "is there already" in again.err
        assert (tmp_path / "o" / "arc.c").read_bytes() == before

    def test_a_converted_file_is_converted_already(self, genfault: Any, tmp_path: Path) -> None:
        genfault("convert", "--arch", "arc", "--output", tmp_path)
        ran = genfault("convert", tmp_path / "arc.c")
        assert ran.code == 0
        assert "already-converted" in ran.err
        assert ran.out == ""

    def test_diff_gives_a_verdict(self, genfault: Any) -> None:
        document = genfault("diff", "--arch", "arc", "--format", "json").document
        (handler,) = document["handlers"]
        assert handler["verdict"] == "EXPLAINED"
        assert "stale-outcome" in {d["class"] for d in handler["differences"]}

    def test_a_class_that_is_rejected_makes_it_differ(self, genfault: Any) -> None:
        ran = genfault("diff", "--arch", "arc", "--reject", "stale-outcome")
        assert ran.code == 1
        assert "1 DIFFERS" in ran.out

    def test_a_counterexample_replays_on_both_sides(self, genfault: Any) -> None:
        document = genfault("diff", "--arch", "arc", "--format", "json").document
        difference = document["handlers"][0]["differences"][0]
        sets = [f"--set={n}={v}" for n, v in difference["scenario"].items()]
        before = genfault("simulate", "--arch", "arc", "--format", "json", *sets).document
        after = genfault("simulate", "--arch", "arc", "--converted", "--format", "json", *sets)
        assert before["events"] != after.document["events"]

    def test_simulate_prints_the_trace(self, genfault: Any) -> None:
        ran = genfault(
            *("simulate", "--arch", "arc", "--set", "user_mode(regs)=1", "--set", "current->mm=1"),
            *("--set", "vma_found#1=1", "--set", "vma#1->vm_flags=7"),
            *("--set", "handle_mm_fault#1=VM_FAULT_SIGBUS"),
        )
        assert ran.code == 0
        assert "force_sig_fault(SIGBUS, BUS_ADRERR" in ran.out

    def test_simulate_says_which_file_an_event_is_in(self, genfault: Any) -> None:
        words = "user_mode(regs)=1 current->mm=1 vma_found#1=1 vma#1->vm_flags=7".split()
        sets = [f"--set={w}" for w in (*words, "handle_mm_fault#1=VM_FAULT_SIGBUS")]
        ran = genfault("simulate", "--arch", "arc", "--converted", "--format", "json", *sets)
        files = {e["name"]: e.get("file") for e in ran.document["events"]}
        assert files["handle_mm_fault"] == "mm/generic_fault.c"
        assert files["force_sig_fault"] is None
        table = genfault("simulate", "--arch", "arc", "--converted", *sets).out
        line = next(x for x in table.splitlines() if "mmap_lock()" in x)
        assert line.split()[0].startswith("mm/generic_fault.c:")

    def test_simulate_tells_what_nobody_asked_for(self, genfault: Any) -> None:
        ran = genfault("simulate", "--arch", "arc", "--set", "entirely_else=1")
        assert ran.code == 0
        assert "the run did not ask for entirely_else" in ran.err

    def test_simulate_emits_a_module_that_runs_alone(self, genfault: Any, tmp_path: Path) -> None:
        module = tmp_path / "simulator.py"
        assert genfault("simulate", "--arch", "arc", "--emit", module).code == 0
        done = subprocess.run(
            [sys.executable, "-I", module, "user_mode(regs)=1", "current->mm=1"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "SEGV_MAPERR" in done.stdout


class TestBadInput:
    @pytest.mark.parametrize(
        ("name", "content", "complaint"),
        [
            ("empty.c", b"", "empty"),
            ("binary.c", b"\x7fELF\0\0", "binary"),
            ("prose.c", b"Dear reader, this is no C.\n", "C"),
            ("idle.c", b"int main(void) { return 0; }\n", "handle_mm_fault"),
        ],
    )
    def test_a_file_that_is_none(
        self, genfault: Any, tmp_path: Path, name: str, content: bytes, complaint: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        ran = genfault("tables", tmp_path / name)
        assert (ran.code, ran.out) == (2, "")
        assert name in ran.err
        assert complaint in ran.err
        assert ran.err.count("\n") == 1

    @pytest.mark.parametrize("command", ["list", "tables", "convert", "diff", "check", "simulate"])
    def test_a_file_that_only_speaks_of_it(
        self, genfault: Any, tmp_path: Path, command: str
    ) -> None:
        path = tmp_path / "idle.c"
        path.write_text("/* Not handle_mm_fault()'s. */\nint f(void)\n{\n\treturn 1;\n}\n")
        ran = genfault(command, path)
        assert (ran.code, ran.out) == (2, "")
        assert "idle.c: no fault path: nothing calls handle_mm_fault()" in ran.err

    def test_a_huge_file(self, genfault: Any, tmp_path: Path) -> None:
        (tmp_path / "huge.c").write_bytes(b"int x; handle_mm_fault {}\n" * 400_000)
        ran = genfault("convert", tmp_path / "huge.c")
        assert ran.code == 2
        assert "huge.c" in ran.err

    @pytest.mark.parametrize(
        "arguments",
        [
            ("tables", "/nowhere/at/all.c"),
            ("tables", "--arch", "no-such-arch"),
            ("tables", "--configuration", "CONFIG_X"),
            ("tables", "--format", "yaml"),
            ("diff", "--accept", "no-such-class"),
            ("diff", "--accept", "other"),
            ("convert", "--fix", "stale-outcome"),
            ("convert", "--fix", "no-such-class"),
            ("diff", "--fix", "missing-case", "kernel_snippets", "kernel_snippets"),
            ("convert", "--diff", "--in-place"),
            ("convert", "--in-place"),
            ("simulate",),
            ("simulate", "--arch", "arc", "--set", "nonsense"),
            ("simulate", "--arch", "arc", "--set", "adress=1"),
            ("simulate", "--arch", "arc", "--set", "vma#1->vm_flags=0"),
            ("simulate", "--arch", "arc", "--set", "handle_mm_fault#1=VM_FAULT_OOM|VM_FAULT_RETRY"),
            ("fetch", "2.4"),
            ("no-such-command",),
        ],
    )
    def test_bad_usage(self, genfault: Any, arguments: tuple[str, ...]) -> None:
        ran = genfault(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.strip()
        assert "Traceback" not in ran.err

    def test_c_that_does_not_parse_is_refused_with_its_line(
        self, genfault: Any, tmp_path: Path
    ) -> None:
        broken = HANDLER.replace("\tif (!vma)\n", "\tif (!vma) && nonsense\n")
        (tmp_path / "broken.c").write_text(broken)
        ran = genfault("tables", tmp_path / "broken.c")
        assert ran.code == 1
        assert "broken.c:15: unreadable" in ran.err
        assert "1 not: broken.c" in ran.out

    def test_in_place_keeps_uncommitted_work(self, genfault: Any, tmp_path: Path) -> None:
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(tmp_path)]
        source = Path(__file__).parent.parent / "kernel_snippets" / "arc.c"
        (tmp_path / "arc.c").write_bytes(source.read_bytes())
        for words in (["init", "-q"], ["add", "arc.c"], ["commit", "-qm", "x"]):
            subprocess.run([*git, *words], check=True)
        edited = source.read_text() + "\n/* mine */\n"
        (tmp_path / "arc.c").write_text(edited)
        ran = genfault("convert", tmp_path / "arc.c", "--in-place")
        assert ran.code == 2
        assert "not committed" in ran.err
        assert (tmp_path / "arc.c").read_text() == edited


def test_a_refusal_of_a_verdict_keeps_the_text_back(genfault: Any, tmp_path: Path) -> None:
    """A conversion that changes what nobody accepted is neither shown nor written."""
    ran = genfault("convert", "--arch", "arc", "--reject", "stale-outcome")
    assert ran.code == 1
    assert ran.out == ""
    assert "DIFFERS" in ran.err


def test_one_file_of_ones_own(genfault: Any, tmp_path: Path) -> None:
    (tmp_path / "own.c").write_text(HANDLER)
    document = genfault("tables", tmp_path / "own.c", "--format", "json").document
    (handler,) = document["handlers"]
    assert (handler["function"], handler["line"], handler["arch"]) == ("trap", 4, None)
    assert handler["decode"] == [
        {
            "guard": None,
            "presence": None,
            "line": handler["decode"][0]["line"],
            "fault_flags": [],
            "access": {"kind": "unchecked"},
        }
    ]


def test_help_loads_no_heavy_library() -> None:
    """Start-up counts: the solver and the parsers are for those who use them."""
    code = (
        "import sys\n"
        "try:\n    import codegen.__main__ as m; m.main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'z3', 'pycparser', 'pcpp', 'tree_sitter', 'libcst', 'jinja2', 'rich'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
