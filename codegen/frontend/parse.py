# SPDX-License-Identifier: GPL-2.0-only
"""A function's tokens to pycparser's tree.

pycparser reads one token a line behind a single line of typedefs, so that
every coordinate in its tree, and in its errors, is the index of a token, and
the token knows its place in the file.
"""

from __future__ import annotations

import re

from pycparser import c_ast
from pycparser.c_parser import CParser, ParseError

from codegen.base.diagnostics import Refusal, RefusalCode, RefusedError
from codegen.base.spans import SourceText, Span
from codegen.frontend import rewrite
from codegen.frontend.nodes import ParsedFunction, Token

_FIRST_LINE = 2
_PLACE = re.compile(r"^[^:]*:(\d+)(?::\d+)?: *(.*)$", re.DOTALL)


def parse_function(
    source: SourceText,
    name: str,
    tokens: tuple[Token, ...],
    span: Span,
    is_static: bool,
    typenames: frozenset[str],
) -> ParsedFunction:
    """The syntax of one function definition.

    `tokens` are the definition's, macros expanded (`preprocess.py`).
    Raises RefusedError (unreadable) with the line and the text that does not parse.
    """
    clean = rewrite.rewrite(list(tokens), name, typenames)
    types = rewrite.inferred_types(clean, typenames)
    declared = "typedef int " + ", ".join(sorted(types)) + ";" if types else ""
    text = declared + "\n" + "\n".join(t.text for t in clean)
    try:
        unit = CParser().parse(text)
    except ParseError as error:
        raise RefusedError(_refusal(source, clean, str(error), span)) from error
    tree = next((d for d in unit.ext if isinstance(d, c_ast.FuncDef)), None)
    if tree is None:
        raise RefusedError(_refusal(source, clean, "no function definition", span))
    return ParsedFunction(name, tree, tuple(clean), _FIRST_LINE, span, is_static)


def _refusal(source: SourceText, tokens: list[Token], message: str, span: Span) -> Refusal:
    match = _PLACE.match(message)
    index = int(match.group(1)) - _FIRST_LINE if match else 0
    reason = match.group(2).strip() if match else message
    where = tokens[min(max(index, 0), len(tokens) - 1)].span.start if tokens else span.start
    line = source.line(where)
    text = source.text[source.line_start(line) :].split("\n", 1)[0].strip()
    return Refusal(
        RefusalCode.UNREADABLE, f"cannot be parsed as C ({reason})", text, source.path, line
    )
