# SPDX-License-Identifier: GPL-2.0-only
"""C tokens with exact positions, by pcpp's lexer.

pcpp's own driver strips and joins lines first, which moves every offset; here
its lexer runs on the file's text as it is.
"""

from __future__ import annotations

from typing import Any

import pcpp

from codegen.base.spans import Span
from codegen.frontend.nodes import Kind, Token

_SKIPPED = frozenset({"CPP_WS", "CPP_LINECONT", "CPP_COMMENT1", "CPP_COMMENT2"})
_KINDS = {
    "CPP_ID": Kind.WORD,
    "CPP_INTEGER": Kind.NUMBER,
    "CPP_FLOAT": Kind.NUMBER,
    "CPP_STRING": Kind.STRING,
    "CPP_CHAR": Kind.CHARACTER,
}


MOST_TOKENS = 100_000
"""What a macro may expand to; the largest of a real handler makes some hundred."""


class Endless(Exception):
    """A macro expands to more than anybody reads."""


class Quiet(pcpp.Preprocessor):  # type: ignore[misc]
    """pcpp without its own error output; what goes wrong is seen by our parser."""

    def expand_macros(self, tokens: list[Any], expanding_from: list[str] | None = None) -> Any:
        """The tokens with their macros expanded. Raises Endless where they grow beyond all use."""
        out = super().expand_macros(tokens, expanding_from or [])
        if len(out) > MOST_TOKENS:
            raise Endless
        return out

    def on_error(self, file: str, line: int, msg: str) -> None:  # noqa: ARG002
        """What pcpp would print is only counted."""
        self.return_code += 1


def raw_tokens(preprocessor: pcpp.Preprocessor, text: str) -> list[Any]:
    """pcpp's tokens of `text`, white space and comments included; `lexpos` is the offset."""
    out: list[Any] = []
    for token in preprocessor.tokenize(text):
        if token.type in ("CPP_COMMENT1", "CPP_COMMENT2", "CPP_LINECONT"):
            continue
        if (
            token.value == "="
            and out
            and out[-1].value == "^"
            and out[-1].lexpos + 1 == token.lexpos
        ):
            # pcpp's pattern for `^=` is anchored and never matches.
            out[-1].value = "^="
            continue
        if token.value == "." and [t.value for t in out[-2:]] == [".", "."]:
            # Nor does it know `...`.
            out.pop()
            out[-1].value = "..."
            continue
        out.append(token)
    return out


def convert(raw: Any, span: Span, expanded: bool) -> Token | None:
    """Our token for one of pcpp's; None for white space."""
    if raw.type in _SKIPPED:
        return None
    return Token(_KINDS.get(raw.type, Kind.PUNCTUATION), str(raw.value), span, expanded)
