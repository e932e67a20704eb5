# SPDX-License-Identifier: GPL-2.0-only
"""`struct kernel_siginfo info = { .si_signo = SIGSEGV };` as one assignment a member."""

from __future__ import annotations

from typing import Any

from codegen.base.spans import Span
from codegen.frontend.syntax import c_ast
from codegen.ir import types
from codegen.ir.lowering.arithmetic import cast
from codegen.ir.lowering.operators import Operators
from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Field,
    Index,
    Literal,
    Local,
    LValue,
)

MOST_ELEMENTS = 64
_ASSIGNS = frozenset("= |= &= ^= += -= *= /= %= <<= >>= ++ --".split())


class Initialisers(Operators):
    """The fourth layer: records and arrays that are given their values in braces."""

    def _initialise(self, local: Local, declared: Any, items: list[Any], span: Span) -> None:
        """`{ .val = x }`: what is not named is 0, but in a union whose layout nobody knows.

        Raises RefusedError for members that only the header's order names.
        """
        while isinstance(declared, (c_ast.TypeDecl, c_ast.Typename)):
            declared = declared.type
        if isinstance(declared, c_ast.ArrayDecl):
            self._initialise_array(local, declared, items, span)
            return
        if not local.type.record and not any(isinstance(i, c_ast.NamedInitializer) for i in items):
            value = self._value(items[0]) if items else Literal(0, types.INT)
            self._emit(Assign(local, cast(value, local.type), span))
            return
        named = []
        for item in items:
            if isinstance(item, c_ast.NamedInitializer):
                names = [n.name for n in item.name if isinstance(n, c_ast.ID)]
                if len(names) == len(item.name):
                    named.append((tuple(names), item.expr))
                    continue
            elif isinstance(value := self._value(item), Literal) and not value.value:
                continue
            raise self._refuse(
                f"{local.name} = {{ … }}", "gives members by their order, which a header knows"
            )
        given = {names[0] for names, _ in named}
        if not (isinstance(declared, c_ast.Union) and given):
            for name in self._members_of(local.name.split(".")[0]):
                if name not in given:
                    self._emit(Assign(self._member(local, (name,)), Literal(0, types.INT), span))
        for path, expr in named:
            target = self._member(local, path)
            if isinstance(expr, c_ast.InitList):
                self._initialise_member(local, path, expr, span)
            else:
                self._emit(Assign(target, self._converted(expr, target.type), span))

    def _initialise_member(
        self, local: Local, names: tuple[str, ...], items: Any, span: Span
    ) -> None:
        """`{ .outer = { .inner = x } }`."""
        for item in items.exprs or ():
            inner = tuple(n.name for n in item.name) if hasattr(item, "name") else ()
            if not inner or isinstance(item.expr, c_ast.InitList):
                raise self._refuse(
                    f"{local.name} = {{ … }}", "gives members by their order, which a header knows"
                )
            target = self._member(local, (*names, *inner))
            self._emit(Assign(target, self._converted(item.expr, target.type), span))

    def _initialise_array(self, local: Local, declared: Any, items: list[Any], span: Span) -> None:
        """`{ a, b }`: the elements in order, and 0 for the rest of a short array."""
        size = len(items)
        if isinstance(declared.dim, c_ast.Constant) and declared.dim.value.isdigit():
            size = int(declared.dim.value)
        if size > MOST_ELEMENTS or any(
            isinstance(i, (c_ast.NamedInitializer, c_ast.InitList)) for i in items
        ):
            raise self._refuse(f"{local.name}[] = {{ … }}", "is too much of an array")
        element = self._type(declared.type)
        base = AddressOf(local, types.POINTER)
        for number in range(size):
            value = self._value(items[number]) if number < len(items) else Literal(0, types.INT)
            target = Index(base, Literal(number, types.INT), element)
            self._emit(Assign(target, cast(value, element), span))

    def _member(self, local: Local, names: tuple[str, ...]) -> Field:
        """`local.a.b`."""
        place: LValue = local
        for name in names:
            ctype = self.vocabulary.fields.get(name, types.UNKNOWN_VALUE)
            place = Field(AddressOf(place, types.POINTER), name, ctype)
        assert isinstance(place, Field)
        return place

    def _gives_away(self, name: str | None) -> bool:
        """Whether the function takes the address of the variable itself: `&name`."""
        tokens = self.function.tokens
        return any(
            t.text == name
            and before.text == "&"
            and first.text in ("(", ",", "=", "return")
            and after.text not in (".", "[")
            for first, before, t, after in zip(
                tokens, tokens[1:], tokens[2:], tokens[3:], strict=False
            )
        )

    def _writes_member(self, name: str | None) -> bool:
        """Whether the function writes `name.member`."""
        tokens = self.function.tokens
        for i, t in enumerate(tokens):
            if t.text != name:
                continue
            end = i + 1
            while tokens[end].text == ".":
                end += 2
            if end > i + 1 and tokens[end].text in _ASSIGNS:
                return True
        return False

    def _members_of(self, name: str) -> list[str]:
        """The members of a variable that the function's own text names."""
        tokens = self.function.tokens
        found = {
            member.text: None
            for variable, dot, member in zip(tokens, tokens[1:], tokens[2:], strict=False)
            if variable.text == name and dot.text == "."
        }
        return list(found)
