# SPDX-License-Identifier: GPL-2.0-only
"""LOSSLESS: a C file as a maintainer sees it, to find things in and to edit byte for byte.

Nothing is preprocessed here: both branches of an `#ifdef` are there, comments
and blank lines too. `parse` gives a `SyntaxTree`; `edit` changes the text.
"""

from codegen.csyntax.edit import Edit, apply_edits, delete_spans, delete_statements
from codegen.csyntax.identifiers import Use, UseKind, uses_of, words_in
from codegen.csyntax.nodes import (
    Branch,
    Conditional,
    Directive,
    EnclosingBranch,
    FunctionText,
    Statement,
    StatementKind,
    Token,
)
from codegen.csyntax.parse import SyntaxTree, parse

__all__ = [
    "Branch",
    "Conditional",
    "Directive",
    "Edit",
    "EnclosingBranch",
    "FunctionText",
    "Statement",
    "StatementKind",
    "SyntaxTree",
    "Token",
    "Use",
    "UseKind",
    "apply_edits",
    "delete_spans",
    "delete_statements",
    "parse",
    "uses_of",
    "words_in",
]
