# SPDX-License-Identifier: GPL-2.0-only
"""Every converted text, with its helper, past the host's compiler: no warning that is new.

The text stands between the stubs of the native bench. What an edit leaves
behind (a local, a label, a static function that nothing uses any more) is what
the compiler is asked for; scripts/kernel-build asks the real ones.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.csyntax.identifiers import uses_of
from codegen.csyntax.parse import parse
from codegen.frontend.constants import enumerators, merge, tree_constants
from codegen.ir.handler import HandlerRole
from codegen.ir.load import Unit, Variant, load_unit
from codegen.ir.vocabulary import load
from codegen.targets.c.convert import Conversion, convert_handler
from codegen.targets.c.helper import read_mm_api, render_helper
from codegen.targets.c.nodes import DEFAULT_MM_API, HELPER_C, MmApi
from codegen.targets.native.bench import COMPILER
from codegen.targets.native.stubs import write_sources

SNIPPETS = sorted(data_dir("kernel_snippets").glob("*.c"))
# The stubs guess types, and a bench calls with whatever it has.
FLAGS = (
    "-std=gnu11 -nostdinc -fsyntax-only -Wall -Wextra "
    "-Wno-int-conversion -Wno-sign-compare -Wno-unused-parameter"
).split()
SAID = re.compile(r"^(?P<file>[^:\s]+):\d+:\d+: (?P<text>(?:warning|error): .*)$", re.M)


def enough(variants: Sequence[Variant]) -> list[Variant]:
    """Variants in which each macro has each of its settings once."""
    seen: set[tuple[str, str | None]] = set()
    chosen: list[Variant] = []
    for variant in variants:
        settings = set(variant.configurations[0].settings.items())
        if not chosen or settings - seen:
            seen |= settings
            chosen.append(variant)
    return chosen


def said(unit: Unit, library: SourceText | None, where: Path) -> set[str]:
    """What the compiler says of a handler, `file: warning`, in enough configurations."""
    words: set[str] = set()
    number = 0
    for variant in enough(unit.variants):
        for handler in variant.found:
            if handler.role is not HandlerRole.HANDLER:
                continue
            folder = where / str(number)
            folder.mkdir(parents=True)
            number += 1
            configuration = variant.configurations[0]
            sources = write_sources(
                variant.program, handler, unit.source, configuration, library, folder
            )
            done = subprocess.run(
                [COMPILER, *FLAGS, "-I", str(sources.includes), str(sources.unit)],
                capture_output=True,
                text=True,
                check=False,
            )
            for match in SAID.finditer(done.stderr):
                # The numbers of the stubs' own types are no part of a message.
                words.add(f"{Path(match['file']).name}: {match['text']}")
            assert done.returncode == 0 or "error: " in done.stderr, done.stderr
    assert number, "no handler was compiled"
    return words


def dead_functions(text: str) -> set[str]:
    """Static functions that the file does not mention but where it defines them."""
    tree = parse(SourceText("text", text))
    return {
        f.name
        for f in tree.functions
        if f.is_static and len(uses_of(tree, f.name, directives=True)) == 1
    }


def check(
    path: Path, name: str, constants: Mapping[str, int], api: MmApi, where: Path
) -> set[str] | None:
    """What is new behind the conversion; None where there is none."""
    unit = load_unit(SourceText.from_bytes(name, path.read_bytes()), constants)
    found = next((f for v in unit.variants for f in v.found if f.role is HandlerRole.HANDLER), None)
    if found is None:
        return None
    conversion = convert_handler(unit, found.function, api)
    if not isinstance(conversion, Conversion):
        return None
    return new_in(unit, conversion.source, constants, api, where)


def new_in(
    unit: Unit,
    converted: SourceText,
    constants: Mapping[str, int],
    api: MmApi,
    where: Path,
) -> set[str]:
    helper = render_helper(api)
    library = SourceText(HELPER_C, helper.c)
    known = {**constants, **enumerators(helper.header)}
    after = load_unit(converted, known, None, library)
    fresh = said(after, library, where / "after") - said(unit, None, where / "before")
    dead = dead_functions(converted.text) - dead_functions(unit.source.text)
    return fresh | {f"{name} is not used any more" for name in dead}


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda p: p.stem)
def test_snippet(path: Path, tmp_path: Path) -> None:
    fresh = check(path, path.name, load().constants, DEFAULT_MM_API, tmp_path)
    if fresh is None:
        pytest.skip("is refused")
    assert not fresh


def check_tree(tree: Path, where: Path) -> None:
    constants = merge(dict(load().constants), tree_constants(tree))
    api = read_mm_api(tree)
    fresh = {}
    for pattern in ("arch/*/mm/*fault*.c", "arch/um/kernel/trap.c"):
        for path in sorted(tree.glob(pattern)):
            name = str(path.relative_to(tree))
            if b"handle_mm_fault" in path.read_bytes():
                fresh[name] = check(path, name, constants, api, where / name)
    converted = {name: words for name, words in fresh.items() if words is not None}
    assert len(converted) >= 9
    assert not {name: words for name, words in converted.items() if words}


def test_real_handlers_of_6_1(kernel_61: Path, tmp_path: Path) -> None:
    check_tree(kernel_61, tmp_path)


def test_real_handlers_of_6_12(kernel_612: Path, tmp_path: Path) -> None:
    check_tree(kernel_612, tmp_path)


LEFT_OVERS = [
    ("unsigned int flags =", "unsigned int left, flags =", "unused variable"),
    ("no_context:", "left:\nno_context:", "defined but not used [-Wunused-label]"),
    (
        "void do_page_fault(",
        "static int left(void)\n{\n\treturn 0;\n}\n\nvoid do_page_fault(",
        "left is",
    ),
]


@pytest.mark.parametrize(("before", "after", "message"), LEFT_OVERS)
def test_what_is_left_behind_is_seen(before: str, after: str, message: str, tmp_path: Path) -> None:
    path = data_dir("kernel_snippets") / "arc.c"
    constants = load().constants
    unit = load_unit(SourceText.from_bytes(path.name, path.read_bytes()), constants)
    found = next(f for v in unit.variants for f in v.found if f.role is HandlerRole.HANDLER)
    conversion = convert_handler(unit, found.function, DEFAULT_MM_API)
    assert isinstance(conversion, Conversion)
    text = conversion.source.text
    assert text.count(before) == 1
    spoilt = SourceText(path.name, text.replace(before, after))
    fresh = new_in(unit, spoilt, constants, DEFAULT_MM_API, tmp_path)
    assert any(message in words for words in fresh), fresh
