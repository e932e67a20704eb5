# SPDX-License-Identifier: GPL-2.0-only
"""The house rules that a reader relies on when `ls codegen/` is the diagram."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "codegen"

FLOORS = (
    "base",
    "corpus",
    "csyntax",
    "frontend",
    "ir",
    "tables",
    "targets",
    "toolchain",
    "__main__",
)

TARGETS = ("c", "compare", "native", "report", "simulator")

SOLE_USERS = {
    "click": ("codegen.__main__", "codegen.base.progress"),
    "jinja2": ("codegen.targets",),
    "libcst": ("codegen.targets.simulator",),
    "pcpp": ("codegen.frontend",),
    "pycparser": ("codegen.frontend",),
    "rich": ("codegen.__main__", "codegen.base.progress"),
    "tree_sitter": ("codegen.csyntax",),
    "tree_sitter_c": ("codegen.csyntax",),
    "z3": ("codegen.ir",),
}

# "helper" is no such name: it is the kernel function generic_fault() that we write.
BARRED_NAMES = {"utils", "util", "helpers", "manager", "managers", "misc", "common"}

MODULES = sorted(PACKAGE.rglob("*.py"))
OWN_FILES = sorted(
    path
    for folder in ("codegen", "tests", "scripts")
    for path in (ROOT / folder).rglob("*.py")
    if "cases" not in path.relative_to(ROOT).parts
)


def name_of(path: Path, root: Path = ROOT) -> str:
    """`codegen.base.spans`; a package's `__init__.py` has the package's name."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of all that a module imports, at its top or within functions."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                base = node.module or ""
                if node.level:
                    up = module.split(".")
                    up = up[: len(up) - node.level + is_package]
                    base = ".".join([*up, *([base] if base else [])])
                # `from codegen import ir` imports codegen.ir, so the name counts too.
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def is_inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def broken_rules(module: str, imported: str) -> str | None:
    """Why `module` may not import `imported`; None where it may."""
    for library, users in SOLE_USERS.items():
        if is_inside(imported, library) and not any(is_inside(module, user) for user in users):
            return f"only {' and '.join(users)} may import {library}"
    here, there = module.split("."), imported.split(".")
    if there[0] != "codegen" or len(there) == 1:
        return None
    if len(here) == 1:
        return "the package's own __init__ imports no floor"
    if there[1] not in FLOORS:
        return None  # a name defined in codegen/__init__.py
    if FLOORS.index(there[1]) > FLOORS.index(here[1]):
        return f"{here[1]} is below {there[1]}"
    # A module beside the targets is what they share, and so knows none of them either.
    target = there[2] if here[1] == there[1] == "targets" and len(there) > 2 else None
    if target in TARGETS and here[2:3] != [target]:
        return f"{module} and the target {target} do not know each other"
    return None


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_its_own_floor_and_lower_ones(path: Path) -> None:
    module = name_of(path)
    tree = ast.parse(path.read_text("utf-8"))
    broken = [
        f"{path.relative_to(ROOT)}:{line}: imports {imported}: {reason}"
        for line, imported in imports_of(tree, module, path.name == "__init__.py")
        if (reason := broken_rules(module, imported))
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("module", "statement", "is_package"),
    [
        ("codegen.base.spans", "import codegen.corpus", False),
        ("codegen.base.spans", "from codegen import corpus", False),
        ("codegen.base.spans", "from ..ir.nodes import Block", False),
        ("codegen.base", "from ..ir import nodes", True),
        ("codegen.tables.extract", "def f():\n    from codegen.targets.c import emit", False),
        ("codegen.targets.c.emit", "from codegen.targets.simulator.emit import x", False),
        ("codegen.targets.c.emit", "from ..report import page", False),
        ("codegen.targets.templates", "from codegen.targets.c import emit", False),
        ("codegen.toolchain", "from codegen.__main__ import main", False),
        ("codegen", "from codegen.base import spans", True),
        ("codegen.ir.lower", "import pycparser.c_ast", False),
        ("codegen.targets.c.emit", "from libcst import matchers", False),
        ("codegen.frontend.parse", "import tree_sitter_c as c", False),
        ("codegen.toolchain", "import click", False),
        ("codegen.base.spans", "from rich import progress", False),
        ("codegen.tables.merge", "import z3", False),
    ],
)
def test_the_rules_catch(module: str, statement: str, is_package: bool) -> None:
    found = list(imports_of(ast.parse(statement), module, is_package))
    assert [broken_rules(module, imported) for _, imported in found] != [None] * len(found)


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("codegen.ir.lower", "from codegen.frontend.nodes import Unit"),
        ("codegen.ir.lower", "from .nodes import Block"),
        ("codegen.ir.solver", "import z3"),
        ("codegen.targets.simulator.emit", "import libcst, jinja2"),
        ("codegen.targets.c.emit", "from codegen.targets.templates import load"),
        ("codegen.targets.c.emit", "from codegen.targets.c.nodes import HelperText"),
        ("codegen.__main__", "from codegen import __version__, toolchain"),
    ],
)
def test_the_rules_allow(module: str, statement: str) -> None:
    found = list(imports_of(ast.parse(statement), module, False))
    assert found
    assert [broken_rules(module, imported) for _, imported in found] == [None] * len(found)


def test_every_module_has_its_place() -> None:
    names = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    names |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert names <= set(FLOORS)
    assert {path.parent.name for path in PACKAGE.glob("targets/*/__init__.py")} <= set(TARGETS)


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [name_of(path) for path in OWN_FILES if BARRED_NAMES & set(path.stem.split("_"))]


def test_no_package_is_empty_and_no_folder_lacks_its_init() -> None:
    folders = {path.parent for path in MODULES}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]
    assert not [folder for folder in folders if is_empty_package(folder)]


def is_empty_package(folder: Path) -> bool:
    """No module below it, and nothing but a docstring in its own `__init__.py`."""
    if [path for path in folder.rglob("*.py") if path.name != "__init__.py"]:
        return False
    body = ast.parse((folder / "__init__.py").read_text("utf-8")).body
    return all(isinstance(node, ast.Expr) for node in body)


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: name_of(path))
def test_every_file_names_its_licence_at_the_top(path: Path) -> None:
    head = path.read_text("utf-8").splitlines()[:2]
    assert "# SPDX-License-Identifier: GPL-2.0-only" in head
