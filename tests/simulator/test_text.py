# SPDX-License-Identifier: GPL-2.0-only
"""The emitted text as a product: it is clean, stable, and runs by itself."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.ir.handler import Found
from codegen.ir.load import load_unit
from codegen.ir.program import Program
from codegen.ir.vocabulary import load
from codegen.targets.simulator.emit import emit_simulator
from codegen.toolchain import open_request, simulators

CONVERTED = ["alpha", "arc", "sparc32", "vendor"]
ROOT = Path(__file__).resolve().parent.parent.parent
SNIPPETS = sorted(data_dir("kernel_snippets").glob("*.c"))


def handler(name: str) -> tuple[Program, Found, SourceText]:
    data = (data_dir("kernel_snippets") / f"{name}.c").read_bytes()
    source = SourceText.from_bytes(f"arch/{name}/mm/fault.c", data)
    variant = next(v for v in load_unit(source, load().constants).variants if v.found)
    return variant.program, variant.found[0], source


def emitted(name: str) -> str:
    program, found, _ = handler(name)
    return emit_simulator(program, found, title="linux 6.1", converted=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every snippet's simulator, one file each, and some converted ones."""
    out = tmp_path_factory.mktemp("simulators")
    for path in SNIPPETS:
        (out / f"{path.stem}_simulator.py").write_text(emitted(path.stem), "utf-8")
    request = open_request(None, CONVERTED, {}, 1)
    for file in request.source.files:
        ((name, text),) = simulators(request, file, converted_side=True)
        assert isinstance(text, str)
        (out / f"{name}_after.py").write_text(text, "utf-8")
    return out


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("tool", [["format", "--check"], ["check"]], ids=" ".join)
def test_the_text_is_as_ruff_would_have_it(folder: Path, tool: list[str]) -> None:
    config = str(ROOT / "pyproject.toml")
    words = [sys.executable, "-m", "ruff", *tool, "--no-cache", "--config", config, "."]
    done = run(*words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_text_is_typed(folder: Path) -> None:
    files = sorted(p.name for p in folder.glob("*.py"))
    words = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=/dev/null"]
    done = run(*words, *files, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_runs_where_genfault_is_not(folder: Path) -> None:
    file = str(folder / "arc_simulator.py")
    scenario = [
        "user_mode(regs)=1",
        "current->mm=1",
        "address=0x1000",
        "ECR_V_PROTV=1",
        "vma_found#1=1",
        "vma#1->vm_flags=VM_READ|VM_WRITE",
        "handle_mm_fault#1=VM_FAULT_RETRY",
        "vma_found#2=1",
        "vma#2->vm_flags=0x1",
        "handle_mm_fault#2=VM_FAULT_SIGBUS|VM_FAULT_MAJOR",
    ]
    done = run(sys.executable, "-I", file, *scenario, cwd=folder)
    assert done.returncode == 0, done.stderr
    steps = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    kinds = [step[1] for step in steps[1:-1]]
    assert kinds == [
        *("accounting", "lock", "handle_mm_fault"),
        *("lock", "handle_mm_fault", "unlock", "write", "signal"),
    ]
    flags = "FAULT_FLAG_DEFAULT|FAULT_FLAG_USER"
    assert steps[3][2] == f"handle_mm_fault(address, {flags})"
    again = "FAULT_FLAG_DEFAULT|FAULT_FLAG_TRIED|FAULT_FLAG_USER"
    assert steps[5][2] == f"handle_mm_fault(address, {again})"
    assert steps[-2][2] == "force_sig_fault(SIGBUS, BUS_ADRERR, address)"
    assert steps[-1][1] == "returns"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("address=", "neither a number nor known"),
        ("address=VM_NOTHING", "neither a number nor known"),
        ("address", "not NAME=VALUE"),
        ("=1", "not NAME=VALUE"),
    ],
)
def test_bad_words_are_one_line_on_stderr(folder: Path, word: str, said: str) -> None:
    done = run(sys.executable, "-I", str(folder / "arc_simulator.py"), word, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_same_program_gives_the_same_bytes() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from codegen.base.spans import SourceText\n"
        "from codegen.ir.load import load_unit\n"
        "from codegen.ir.vocabulary import load\n"
        "from codegen.targets.simulator.emit import emit_simulator\n"
        "data = open(sys.argv[2], 'rb').read()\n"
        "unit = load_unit(SourceText.from_bytes('f.c', data), load().constants)\n"
        "v = unit.variants[0]\n"
        "print(emit_simulator(v.program, v.found[0], title='t', converted=False))\n"
    )
    source = str(data_dir("kernel_snippets") / "x86.c")
    texts = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(ROOT), source],
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
            check=True,
        )
        texts.add(done.stdout)
    assert len(texts) == 1


@pytest.mark.parametrize("name", ["arc", "arm64", "vendor"])
def test_each_branch_names_the_line_that_it_comes_from(name: str) -> None:
    _, _, source = handler(name)
    lines = source.text.split("\n")
    tree_text = emitted(name)
    body = tree_text[tree_text.index("# ==== the handler") : tree_text.index("# ==== running")]
    own = body[body.index(f'"""{source.path}:') :]
    branches = len(re.findall(r"^ +(?:if|elif) ", own, re.MULTILINE))
    named = re.findall(rf"# {re.escape(source.path)}:(\d+): ([^\n]*)", own)
    assert branches == len(named) > 5
    for number, text in named:
        first = text.split(";")[0].removesuffix("...")
        assert " ".join(lines[int(number) - 1].split()).startswith(first.strip()[:60])


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda p: p.stem)
def test_nothing_unused_stays(path: Path) -> None:
    """No function, constant or method of the runtime that this handler never comes to."""
    text = emitted(path.stem)
    tree = ast.parse(text)
    words = re.findall(r"\w+", text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
            if node.name == "simulate_many":  # for those who import the module
                continue
            assert words.count(node.name) > 1, node.name
    assert "genfault.codegen" not in text
    imported = [n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
    names = {a.name for n in imported if isinstance(n, ast.Import) for a in n.names}
    assert names <= {"re", "sys", "zlib"}


def test_the_docstring_says_which_configuration() -> None:
    program, found, _ = handler("alpha")
    setting = " && ".join(f"!defined(CONFIG_{letter * 20})" for letter in "ABCD")
    text = emit_simulator(program, found, title="t", converted=False, configuration=setting)
    assert setting in " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    assert max(map(len, text.splitlines())) <= 100
    assert "--configuration" not in emitted("arc")


def test_the_docstring_says_what_and_how() -> None:
    program, found, source = handler("arm64")
    text = emit_simulator(program, found, title="linux 6.1", converted=True)
    doc = ast.get_docstring(ast.parse(text)) or ""
    assert found.function in doc and source.path in doc and "linux 6.1" in doc
    assert "converted" in doc.splitlines()[0]
    for name in ("user_mode(regs)", "handle_mm_fault#1", "vma_found#1"):
        assert name in doc
