# SPDX-License-Identifier: GPL-2.0-only
"""Small handlers of our own, each with one thing that is hard to convert: text and verdict.

`pytest tests/targets/test_shapes.py --update-goldens` writes the goldens anew.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from codegen.targets.c.write import ConvertedFile, diff_text
from codegen.targets.compare.nodes import DEFAULT_ACCEPTED
from codegen.toolchain import converted, open_request

CASES = Path(__file__).resolve().parents[1] / "cases" / "shapes"
ACCEPTED = frozenset(c.value for c in DEFAULT_ACCEPTED)


NAMES = sorted(p.stem for p in CASES.glob("*.c"))
FIXED = sorted(p.stem.removesuffix("+fix") for p in CASES.glob("*+fix.diff"))
"""Handlers that leave something to BUG()."""


@pytest.mark.parametrize(
    ("name", "fixes"),
    [(n, frozenset[str]()) for n in NAMES] + [(n, frozenset({"missing-case"})) for n in FIXED],
)
def test_a_shape_converts_as_it_did(name: str, fixes: frozenset[str], update_goldens: bool) -> None:
    request = replace(open_request(CASES / f"{name}.c", (), {}, 1), fixes=fixes)
    (file,) = request.source.files
    (product,) = converted(request, file, ACCEPTED)
    lines = [str(r) for r in product.listed.refusals]
    if product.report:
        lines += [f"note: {n}" for n in product.notes]
        told = dict.fromkeys(f"{d['class']}: {d['explanation']}" for d in product.differences)
        lines += [product.verdict, *told]
    text = "".join(f"{line}\n" for line in lines)
    if product.after is not None:
        text += diff_text([ConvertedFile(file.path, product.before, product.after)])
    golden = CASES / f"{name}{'+fix' if fixes else ''}.diff"
    if update_goldens:
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


@pytest.mark.parametrize("arch", ["riscv", "s390"])
def test_a_handler_with_a_fast_path_gives_it_to_the_helper(arch: str, kernel_612: Path) -> None:
    request = open_request(kernel_612, (arch,), {}, 1)
    products = [p for f in request.source.files for p in converted(request, f, ACCEPTED)]
    (product,) = (p for p in products if p.is_handler)
    assert product.verdict == "EXPLAINED"
    assert product.after is not None
    assert "lock_vma_under_rcu" in product.before
    assert "lock_vma_under_rcu" not in product.after


def test_what_mends_a_double_unlock_wants_to_be_asked_for(kernel_61: Path) -> None:
    request = open_request(kernel_61, ("sh",), {}, 1)
    (file,) = request.source.files
    (kept,) = converted(request, file, ACCEPTED)
    assert (kept.verdict, kept.wanted, kept.after) == ("DIFFERS", ("lock-balance",), None)
    (asked,) = converted(request, file, ACCEPTED | {"lock-balance"})
    assert asked.verdict == "EXPLAINED"
    assert asked.after is not None


@pytest.mark.parametrize("arch", ["alpha", "csky"])
def test_a_missing_case_can_be_mended(arch: str) -> None:
    request = replace(open_request(None, (arch,), {}, 1), fixes=frozenset({"missing-case"}))
    (file,) = request.source.files
    (product,) = converted(request, file, ACCEPTED)
    assert product.verdict == "EXPLAINED"
    assert product.after is not None
    mended = {
        d["outcome"]: d["explanation"].split("tgt", 1)[1]
        for d in product.differences
        if d["class"] == "missing-case" and d["mode"] == "user"
    }
    assert "sends SIGBUS" in mended["VM_FAULT_HWPOISON"]
