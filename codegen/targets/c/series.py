# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel tree gains step by step: the helper first, then one architecture after the other.

    step      files
    (helper)  include/linux/generic_fault.h, mm/generic_fault.c, mm/Kconfig, mm/Makefile, ...
    alpha     arch/alpha/Kconfig, arch/alpha/mm/fault.c
    arc       arch/arc/Kconfig, arch/arc/mm/fault.c

After each step the tree builds: nothing selects the helper before its files
are there, and an architecture selects it in the step that calls it. When it
has to be selected is learned from the tree: its Makefiles say when the file is
built, the `#if`s around the handler when the call is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codegen.base.diagnostics import GenfaultError
from codegen.base.spans import SourceText
from codegen.csyntax.identifiers import uses_of
from codegen.csyntax.nodes import Branch, Directive
from codegen.csyntax.parse import parse
from codegen.targets.c import kbuild, kconfig
from codegen.targets.c.nodes import (
    HELPER_C,
    HELPER_CONFIG,
    HELPER_FUNCTION,
    HELPER_HEADER,
    HelperText,
)
from codegen.targets.c.write import ConvertedFile

_SYMBOL_TEST = re.compile(
    r"(!?)\s*(?:(?:defined|IS_ENABLED|IS_BUILTIN)\s*\(?\s*)?CONFIG_(\w+)\s*\)?"
)
_KCONFIG, _MAKEFILE, _MAINTAINERS = "mm/Kconfig", "mm/Makefile", "MAINTAINERS"


@dataclass(frozen=True, slots=True)
class ConvertedHandler:
    """One file with a converted handler; text is Latin-1 for bytes."""

    arch: str
    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one patch changes: `arch` is None for the helper's."""

    arch: str | None
    files: tuple[ConvertedFile, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, and what could not be done because the tree lacks a file for it."""

    steps: tuple[Step, ...]
    lacking: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[ConvertedFile, ...]:
        """All files as they are before the first and after the last step, in order of path."""
        merged: dict[str, ConvertedFile] = {}
        for file in (f for step in self.steps for f in step.files):
            first = merged.get(file.path, file)
            merged[file.path] = ConvertedFile(file.path, first.before, file.after)
        return tuple(merged[path] for path in sorted(merged))


@dataclass
class _Tree:
    """A tree with the changes of the steps so far on top."""

    root: Path
    changed: dict[str, str] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)

    def read(self, path: str) -> str | None:
        """A file as it is after the steps so far; None where there is none."""
        if path in self.changed:
            return self.changed[path]
        try:
            return (self.root / path).read_bytes().decode("latin-1")
        except OSError:
            return None

    def change(self, path: str, after: str) -> list[ConvertedFile]:
        """The file with its new text, if that is new."""
        before = self.read(path)
        if before == after:
            return []
        self.changed[path] = after
        return [ConvertedFile(path, before, after)]


def plan_series(
    root: Path,
    helper: HelperText,
    handlers: Sequence[ConvertedHandler],
    *,
    force: bool = False,
) -> Plan:
    """The steps that bring the helper and the converted handlers into a tree; none for none.

    What the tree has of it already (an earlier run) is no step. Raises
    GenfaultError where it has files of the helper's names with another text,
    which `force` replaces.
    """
    if not handlers:
        return Plan(())
    tree = _Tree(root)
    steps = [Step(None, tuple(_helper_step(tree, helper, force=force)))]
    for handler in _in_order(handlers):
        steps.append(Step(handler.arch, tuple(_arch_step(tree, handler))))
    return Plan(tuple(step for step in steps if step.files), tuple(tree.lacking))


def plan_texts(handlers: Sequence[ConvertedHandler]) -> Plan:
    """The handlers alone: what surrounds them is no kernel tree, so nothing else changes."""
    steps = [Step(h.arch, (ConvertedFile(h.path, h.before, h.after),)) for h in _in_order(handlers)]
    return Plan(tuple(steps))


def _in_order(handlers: Sequence[ConvertedHandler]) -> list[ConvertedHandler]:
    return sorted(handlers, key=lambda h: (h.arch, h.path))


def _helper_step(tree: _Tree, helper: HelperText, *, force: bool) -> list[ConvertedFile]:
    files = []
    for path, text in ((HELPER_HEADER, helper.header), (HELPER_C, helper.c)):
        there = tree.read(path)
        if there not in (None, text) and not force:
            raise GenfaultError(_not_ours(tree.root / path, there or ""))
        files += tree.change(path, text)
    if (makefile := tree.read(_MAKEFILE)) is None:
        tree.lacking.append(f"{_MAKEFILE} is missing: nothing builds {HELPER_C}")
    else:
        files += tree.change(_MAKEFILE, kbuild.with_object(makefile, helper.makefile))
    if (options := tree.read(_KCONFIG)) is None:
        tree.lacking.append(f"{_KCONFIG} is missing: there is no {HELPER_CONFIG} to select")
    elif not any(e.name == HELPER_CONFIG for e in kconfig.entries(options)):
        after = kconfig.with_entry(options, helper.kconfig, HELPER_CONFIG)
        files += tree.change(_KCONFIG, after)
    if (maintainers := tree.read(_MAINTAINERS)) is not None:
        files += tree.change(_MAINTAINERS, _with_maintained(maintainers, HELPER_HEADER))
    return sorted(files, key=lambda f: f.path)


def _not_ours(path: Path, text: str) -> str:
    declared = re.search(rf"^[^\n;{{}}]*\b{HELPER_FUNCTION}\s*\([^()]*\)", text, re.MULTILINE)
    shown = f" (`{' '.join(declared[0].split())}`)" if declared else ""
    return (
        f"{path} is there already and is not what genfault writes for this tree{shown}; "
        "it was edited, or is somebody else's. Nothing was written; --force writes over it"
    )


def _arch_step(tree: _Tree, handler: ConvertedHandler) -> list[ConvertedFile]:
    files = _select(tree, handler)
    files += tree.change(handler.path, handler.after)
    return sorted(files, key=lambda f: f.path)


def _select(tree: _Tree, handler: ConvertedHandler) -> list[ConvertedFile]:
    """The architecture's Kconfig with the helper selected when its handler is built."""
    parts = handler.path.split("/")
    if parts[0] != "arch" or len(parts) < 3:
        tree.lacking.append(f"{handler.path} is below no arch/: nothing selects {HELPER_CONFIG}")
        return []
    top = f"arch/{parts[1]}/Kconfig"
    found = kconfig.architecture_entry(tree.read, top)
    if found is None:
        what = "is missing" if tree.read(top) is None else "has no entry that is always on"
        tree.lacking.append(f"{top} {what}: nothing selects {HELPER_CONFIG}")
        return []
    path, entry = found
    text = tree.read(path)
    assert text is not None
    conditions = [
        c
        for c in (*kbuild.built_when(tree.read, handler.path), *called_when(handler))
        if not kconfig.always_on(tree.read, top, c)
    ]
    condition = " && ".join(dict.fromkeys(conditions)) or None
    return tree.change(path, kconfig.with_select(text, entry, HELPER_CONFIG, condition))


def called_when(handler: ConvertedHandler) -> kbuild.Conditions:
    """The Kconfig symbols that the `#if`s around the function with the call test.

    A test that Kconfig cannot say (of the file's own macros) counts as true.
    """
    syntax = parse(SourceText(handler.path, handler.after))
    for function in syntax.functions:
        if uses_of(syntax, HELPER_FUNCTION, function.body):
            return tuple(
                c for e in function.conditionals for c in _arm(e.conditional.branches, e.index)
            )
    return ()


def _arm(branches: Sequence[Branch], index: int) -> kbuild.Conditions:
    """What holds in an arm: its own test, and none of those before it."""
    before = [_tested(branch.directive) for branch in branches[:index]]
    failed = tuple(kbuild.negated(test[0]) for test in before if len(test) == 1)
    return (*failed, *_tested(branches[index].directive))


def _tested(directive: Directive) -> kbuild.Conditions:
    """`ifdef CONFIG_MMU`, `if defined(CONFIG_A) && !IS_ENABLED(CONFIG_B)` in Kconfig's words."""
    match directive.kind:
        case "ifdef" | "elifdef":
            tests = [f"defined({directive.name})"]
        case "ifndef" | "elifndef":
            tests = [f"!defined({directive.name})"]
        case "if" | "elif" if "||" not in directive.text:
            tests = directive.text.split("&&")
        case _:
            tests = []
    found = []
    for test in tests:
        if known := _SYMBOL_TEST.fullmatch(test.strip()):
            found.append(f"{known[1]}{known[2]}")
    return tuple(found)


def _with_maintained(text: str, path: str) -> str:
    """MAINTAINERS with the file under whoever has `mm/`, in the order of the list."""
    physical = text.splitlines(keepends=True)
    here = next((i for i, line in enumerate(physical) if line.split() == ["F:", "mm/"]), None)
    if here is None or f"F:\t{path}" in (line.rstrip() for line in physical):
        return text
    start = here
    while start and physical[start - 1].startswith("F:"):
        start -= 1
    line = physical[here].replace("mm/", path)
    at = next((i for i in range(start, here) if physical[i].split()[1] > path), here)
    return "".join([*physical[:at], line, *physical[at:]])
