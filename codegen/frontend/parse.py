# SPDX-License-Identifier: GPL-2.0-only
"""A function's tokens to pycparser's tree.

pycparser reads one token a line behind a single line of typedefs, so that
every coordinate in its tree, and in its errors, is the index of a token, and
the token knows its place in the file.
"""

from __future__ import annotations

import re
from typing import Any

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
        message = str(error)
        if _PLACE.match(message) is None and "end of input" not in message:
            message = f":{_FIRST_LINE + _failing(declared, clean)}: {message.lstrip(': ')}"
        raise RefusedError(_refusal(source, clean, message, span)) from error
    tree = next((d for d in unit.ext if isinstance(d, c_ast.FuncDef)), None)
    if tree is None:
        raise RefusedError(_refusal(source, clean, "no function definition", span))
    return ParsedFunction(name, tree, tuple(clean), _FIRST_LINE, span, is_static)


def parameters(function: ParsedFunction) -> tuple[Any, ...]:
    """The types of a function's parameters, as pycparser has them."""
    declared = function.tree.decl.type.args
    params = () if declared is None else declared.params
    return tuple(p.type for p in params if not isinstance(p, c_ast.EllipsisParam))


def _failing(declared: str, tokens: list[Token]) -> int:
    """The index of the first token of the statement at which an error without a place arises.

    The shortest beginning of the function that gives such an error, its blocks
    closed, ends with that statement.
    """
    ends: list[tuple[int, int]] = []
    depth = inside = 0
    for i, token in enumerate(tokens):
        inside += (token.text in ("(", "[")) - (token.text in (")", "]"))
        depth += (token.text == "{") - (token.text == "}")
        if not inside and token.text in (";", "{", "}"):
            ends.append((i, depth))

    def fails(which: int) -> bool:
        end, opened = ends[which]
        text = "\n".join([declared, *(t.text for t in tokens[: end + 1]), "}" * opened])
        try:
            CParser().parse(text)
        except ParseError as error:
            return _PLACE.match(str(error)) is None
        return False

    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if fails(middle):
            high = middle
        else:
            low = middle + 1
    return ends[low - 1][0] + 1 if low and ends else 0


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
