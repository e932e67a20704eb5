# SPDX-License-Identifier: GPL-2.0-only
"""The last look at a simulator's text, with LibCST: it parses, and nothing in it is unused.

Functions, classes, methods, constants and imports of the embedded runtime that
this handler never comes to are taken out; the rest stays byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst


def prune(text: str, roots: Iterable[str]) -> str:
    """`text` without what `roots` (names of the module's top) do not need.

    Raises libcst.ParserSyntaxError where the text is no Python: our own mistake.
    """
    module = cst.parse_module(text)
    index = _Index()
    module.visit(index)
    needed = index.needed(roots)
    result = module.visit(_Sweep(needed, index.methods))
    return result.code


class _Names(cst.CSTVisitor):
    """Every name and attribute in a piece of code."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_Name(self, node: cst.Name) -> None:
        """A plain name, or an attribute's."""
        self.found.add(node.value)


def _names(node: cst.CSTNode) -> set[str]:
    visitor = _Names()
    node.visit(visitor)
    return visitor.found


class _Index(cst.CSTVisitor):
    """What each top-level definition and each method refers to."""

    def __init__(self) -> None:
        self.uses: dict[str, set[str]] = {}
        self.methods: set[str] = set()
        self.loose: set[str] = set()

    def visit_Module(self, node: cst.Module) -> bool:
        """Goes over the statements of the module's top."""
        for statement in node.body:
            match statement:
                case cst.FunctionDef(name=name):
                    self.uses.setdefault(name.value, set()).update(_names(statement))
                case cst.ClassDef():
                    self._class(statement)
                case cst.SimpleStatementLine():
                    self._line(statement)
                case _:
                    self.loose |= _names(statement)
        return False

    def _class(self, node: cst.ClassDef) -> None:
        own = self.uses.setdefault(node.name.value, set())
        for base in (*node.bases, *node.decorators):
            own |= _names(base)
        for item in node.body.body:
            if isinstance(item, cst.FunctionDef):
                name = item.name.value
                if name.startswith("__"):
                    own |= _names(item)
                    continue
                self.methods.add(name)
                self.uses.setdefault(name, set()).update(_names(item))
            else:
                own |= _names(item)

    def _line(self, node: cst.SimpleStatementLine) -> None:
        for name in _assigned(node):
            self.uses.setdefault(name, set()).update(_names(node) - {name})

    def needed(self, roots: Iterable[str]) -> set[str]:
        """Everything that the roots lead to, by name."""
        found: set[str] = set()
        stack = [*roots, *self.loose]
        while stack:
            name = stack.pop()
            if name not in found:
                found.add(name)
                stack += self.uses.get(name, ())
        return found


def _assigned(node: cst.SimpleStatementLine) -> list[str]:
    names = []
    for small in node.body:
        if isinstance(small, cst.Assign):
            names += [t.target.value for t in small.targets if isinstance(t.target, cst.Name)]
    return names


class _Sweep(cst.CSTTransformer):
    """Takes out what is not needed."""

    def __init__(self, needed: set[str], methods: set[str]) -> None:
        self.needed = needed
        self.methods = methods
        self.inside_class = 0
        self.inside_function = 0

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:  # noqa: ARG002
        """Methods are looked at, their bodies are not."""
        self.inside_class += 1
        return True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:  # noqa: ARG002
        """Nothing within a function is unused."""
        return False

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.RemovalSentinel:
        """A function or method goes where nobody calls it."""
        name = original_node.name.value
        if name in self.needed or (self.inside_class and name.startswith("__")):
            return updated_node
        return cst.RemoveFromParent()

    def leave_ClassDef(
        self, original_node: cst.ClassDef, updated_node: cst.ClassDef
    ) -> cst.ClassDef | cst.RemovalSentinel:
        """A class goes where nobody names it."""
        self.inside_class -= 1
        keep = original_node.name.value in self.needed
        return updated_node if keep else cst.RemoveFromParent()

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.RemovalSentinel:
        """A constant goes where nobody names it."""
        names = _assigned(original_node)
        if self.inside_class or not names or any(n in self.needed for n in names):
            return updated_node
        return cst.RemoveFromParent()

    def leave_Import(
        self, original_node: cst.Import, updated_node: cst.Import
    ) -> cst.Import | cst.RemovalSentinel:
        """A module that nobody uses."""
        used = any(_names(alias.name) & self.needed for alias in original_node.names)
        return updated_node if used else cst.RemoveFromParent()

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        """The names of a module that nobody uses."""
        if isinstance(original_node.names, cst.ImportStar):
            return updated_node
        if (
            isinstance(original_node.module, cst.Name)
            and original_node.module.value == "__future__"
        ):
            return updated_node
        kept = [a for a in updated_node.names if _names(a.name) & self.needed]  # type: ignore[union-attr]
        if not kept:
            return cst.RemoveFromParent()
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated_node.with_changes(names=kept)
