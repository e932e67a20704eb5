# SPDX-License-Identifier: GPL-2.0-only
"""The type that a declarator spells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from codegen.frontend.syntax import c_ast
from codegen.ir import types
from codegen.ir.types import CType


def declared_type(node: Any, typenames: Mapping[str, CType]) -> CType:
    """The type of a declaration, a type name or a declarator; `typenames` are the typedefs'."""
    match node:
        case c_ast.TypeDecl() | c_ast.Typename() | c_ast.Decl():
            return declared_type(node.type, typenames)
        case c_ast.PtrDecl():
            return _pointer(node.type, typenames)
        case c_ast.FuncDecl():
            return types.POINTER
        case c_ast.ArrayDecl():
            return types.RECORD
        case c_ast.Struct() | c_ast.Union():
            return replace(types.RECORD, step=0)
        case c_ast.Enum():
            return types.UINT
        case c_ast.IdentifierType():
            return _named_type(node.names, typenames)
        case _:
            return types.UNKNOWN_VALUE


def _pointer(node: Any, typenames: Mapping[str, CType]) -> CType:
    """A pointer to what a declarator spells."""
    while isinstance(node, (c_ast.TypeDecl, c_ast.Typename)):
        node = node.type
    if isinstance(node, (c_ast.Struct, c_ast.Union)):
        return replace(types.POINTER, step=0)
    if isinstance(node, (c_ast.FuncDecl, c_ast.ArrayDecl)):
        return types.POINTER
    to = declared_type(node, typenames)
    known = to.known and not to.record and to.bits
    return replace(types.POINTER, step=max(to.bits // 8, 1), to=to if known else None)


def _named_type(names: list[str], typenames: Mapping[str, CType]) -> CType:
    if len(names) == 1 and names[0] in typenames:
        return typenames[names[0]]
    words = set(names)
    if "char" in words:
        return types.UCHAR if "unsigned" in words else types.CHAR
    if "short" in words:
        return types.USHORT if "unsigned" in words else types.SHORT
    if "long" in words:
        return types.ULONG if "unsigned" in words else types.LONG
    if words & {"unsigned", "signed", "int"}:
        return types.UINT if "unsigned" in words else types.INT
    return types.UNKNOWN_VALUE
