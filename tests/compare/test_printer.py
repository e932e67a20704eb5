# SPDX-License-Identifier: GPL-2.0-only
"""What a reader is told of a difference: numbers by name, and commands that show it again."""

import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from codegen.__main__ import cli
from codegen.base.resources import data_dir
from codegen.ir.naming import Naming
from codegen.ir.vocabulary import load
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED
from codegen.targets.simulator.run import load_simulator, scenario_from, trace_json
from codegen.toolchain import Product, against, checked, converted, open_request

ALL = frozenset(DEFAULT_ACCEPTED)
SNIPPETS = sorted(p.stem for p in data_dir("kernel_snippets").glob("*.c"))
MASK = (1 << 64) - 1


# ---- names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number", "shown"),
    [
        ("handle_mm_fault#1", 0x2, "VM_FAULT_SIGBUS"),
        ("handle_mm_fault#2", 0x30020, "VM_FAULT_HWPOISON_LARGE|0x30000"),
        ("handle_mm_fault#1", 0, "0"),
        ("vma#1->vm_flags", 0x102, "VM_WRITE|VM_GROWSDOWN"),
        ("vma#1->vm_end", 0x1000, "0x1000"),
        ("current->mm", 1, "1"),
        ("PAGE_MASK", MASK & ~0xFFF, "-4096"),
    ],
)
def test_a_scenario_by_name_is_taken_back(name: str, number: int, shown: str) -> None:
    constants = load().constants
    assert Naming(constants).setting(name, number) == shown
    assert scenario_from([f"{name}={shown}"], constants)[name] & MASK == number


def test_numbers_are_the_trees() -> None:
    constants = {"FAULT_FLAG_DEFAULT": 0x3, "FAULT_FLAG_USER": 0x8, "FAULT_FLAG_WRITE": 0x1}
    assert Naming(constants).spelt(0xB, "fault_flags") == "FAULT_FLAG_DEFAULT|FAULT_FLAG_USER"
    assert Naming(constants).spelt(0x9, "fault_flags") == "FAULT_FLAG_WRITE|FAULT_FLAG_USER"
    assert Naming(constants).spelt(0x18, "fault_flags") == "FAULT_FLAG_USER|0x10"


def test_a_code_is_read_by_its_signal() -> None:
    names = Naming(load().constants)
    assert names.spelt(2, "code of SIGSEGV") == "SEGV_ACCERR"
    assert names.spelt(2, "code of SIGBUS") == "BUS_ADRERR"


def test_the_text_names_what_it_shows() -> None:
    text = report_of(products(None, "alpha"))
    assert "handle_mm_fault(address, FAULT_FLAG_DEFAULT|FAULT_FLAG_USER)" in text
    assert "force_sig_fault(SIGSEGV, SEGV_ACCERR, address)" in text
    assert "perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS, 1, regs, address)" in " ".join(text.split())
    assert "handle_mm_fault#1=VM_FAULT_SIGBUS" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_step_of_the_helper_names_its_file() -> None:
    (product,) = products(None, "alpha")
    source = (data_dir("kernel_snippets") / "alpha.c").read_text().splitlines()
    for difference in product.differences:
        assert not any("file" in e for e in difference["src"])
        files = {e["name"]: e.get("file") for e in difference["tgt"]}
        assert files["handle_mm_fault"] == "mm/generic_fault.c"
        fault = next(e for e in difference["src"] if e["name"] == "handle_mm_fault")
        assert "handle_mm_fault(" in source[fault["line"] - 1]
    assert "mm/generic_fault.c:" in product.report


# ---- replays ------------------------------------------------------------------------


def products(source: Path | None, arch: str) -> tuple[Product, ...]:
    """Every handler of an architecture against its conversion."""
    request = open_request(source, [arch], {}, 1)
    return tuple(p for f in request.source.files for p in converted(request, f, ALL))


def report_of(found: Sequence[Product]) -> str:
    return "".join(p.report for p in found)


def traced(argv: Sequence[str], tmp_path: Path) -> list[dict[str, Any]]:
    """The events that a `genfault simulate` command shows."""
    words = list(argv)
    assert words[:2] == ["genfault", "simulate"]
    context = cli.commands["simulate"].make_context("simulate", words[2:])
    sets = context.params["assignments"]
    command = tuple(words[2 : words.index("--set")] if sets else words[2:])
    simulator = load_simulator(module(command, tmp_path))
    trace = simulator.run(scenario_from(sets, simulator.constants()))
    events: list[dict[str, Any]] = trace_json(trace)["events"]
    return events


@cache
def module(command: tuple[str, ...], folder: Path) -> str:
    """The simulator that a command runs; made once for all its scenarios."""
    path = folder / "simulator.py"
    words = ["simulate", *command, "--emit", str(path), "--force"]
    assert not cli.main(words, prog_name="genfault", standalone_mode=False)
    return path.read_text()


def plain(events: Sequence[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Events as they are compared: a negative number is that number unsigned."""
    return [
        (
            e["kind"],
            e["name"],
            e["line"],
            *(a if isinstance(a, str) else a & 0xFFFF_FFFF for a in e["args"]),
        )
        for e in events
    ]


def commands(text: str) -> Iterator[list[str]]:
    """The commands in a text, as a shell would read them."""
    for part in text.split("replay: ")[1:]:
        lines = part.splitlines()
        end = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        # shlex does not know that a shell reads on over an escaped end of line.
        yield shlex.split(" ".join(line.rstrip("\\") for line in lines[: end + 1]))


def replayed(found: Sequence[Product], folder: Path) -> int:
    """Runs every command that the JSON has, those that are printed among them; how many.

    The text shows one scenario for all that one sentence tells of a mode.
    """
    count = 0
    for product in found:
        differences = every(product)
        printed = sorted(map(str, commands(product.report)))
        told = {(str(c), sentence(d)) for d in differences for c in d["replay"].values()}
        assert set(printed) <= {command for command, _ in told}
        shown = {words for command, words in told if command in printed}
        assert shown == {sentence(d) for d in differences}
        for difference in differences:
            for side, argv in difference["replay"].items():
                count += 1
                assert plain(traced(argv, folder)) == plain(difference[side]), shlex.join(argv)
    return count


def sentence(difference: dict[str, Any]) -> tuple[str, str, str]:
    """What is told once in the text: the class, the mode, and what the explanation says of them."""
    words = difference["explanation"].partition(": ")[2]
    return difference["class"], difference["mode"], words


def every(product: Product) -> list[dict[str, Any]]:
    """The differences, those that stand beside another of the same outcome among them."""
    return [d for one in product.differences for d in (one, *one.get("also", ()))]


@pytest.mark.parametrize("name", SNIPPETS)
def test_every_difference_of_a_conversion_replays(name: str, tmp_path: Path) -> None:
    found = products(None, name)
    assert replayed(found, tmp_path) == 2 * sum(len(every(p)) for p in found)


@pytest.mark.parametrize("name", ["alpha", "arc", "sh", "sparc32", "vendor", "parisc"])
def test_every_finding_replays(name: str, tmp_path: Path) -> None:
    request = open_request(None, [name], {}, 1)
    found = [p for f in request.source.files for p in checked(request, f, ALL)]
    assert replayed(found, tmp_path) == sum(len(every(p)) for p in found) > 0


def test_two_sources_replay_each_in_its_own(tmp_path: Path) -> None:
    """The other file calls its parameters otherwise, and has a configuration more."""
    text = (data_dir("kernel_snippets") / "arc.c").read_text()
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "old" / "arc.c").write_text(text)
    edited = text.replace("SEGV_ACCERR", "SEGV_MAPERR")
    edited = re.sub(r"(?<!_)\baddress\b", "where", edited)
    (tmp_path / "new" / "arc.c").write_text(edited)
    one, two = (open_request(tmp_path / d, [], {}, 1) for d in ("old", "new"))
    (file,) = one.source.files
    found = against(one, file, two, {file.path: two.source.files[0]}, ALL)
    assert replayed(found, tmp_path) == 2 * sum(len(every(p)) for p in found) > 0


def test_a_real_handler_replays(kernel_61: Path, tmp_path: Path) -> None:
    found = products(kernel_61, "alpha")
    assert replayed(found, tmp_path) == 2 * sum(len(every(p)) for p in found) > 0


def test_a_real_handler_with_a_fast_path_replays(kernel_612: Path, tmp_path: Path) -> None:
    found = products(kernel_612, "arc")
    assert replayed(found, tmp_path) == 2 * sum(len(every(p)) for p in found) > 0
