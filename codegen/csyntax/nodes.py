# SPDX-License-Identifier: GPL-2.0-only
"""What the lossless view is made of. Every node is a place in the text; none owns any text.

Printed forms (`printer.py`), one line a node, children indented:

    function do_page_fault static 72..184
    conditional ifdef CONFIG_MMU | else
    if 90..95
      compound 90..92
        goto no_context 91..91
"""

from dataclasses import dataclass
from enum import StrEnum

from codegen.base.spans import Span


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of text that is no white space.

    `kind` is the leaf kind of tree-sitter's C grammar ("identifier", "if",
    "->"), or "comment", "literal" (a whole string or character constant) or
    "directive" (a whole preprocessor line with its continuations).
    """

    kind: str
    span: Span


@dataclass(frozen=True, slots=True)
class Directive:
    """One preprocessor line, from its `#` to its end without the newline.

    `kind` is the word after the `#` ("ifdef", "define", ...; "" for a null
    directive, "line" for a line marker). `name` is the macro of define, undef,
    ifdef and ifndef. `text` is what follows `kind`, without comments, on one line.
    """

    kind: str
    span: Span
    name: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Branch:
    """One arm of a conditional: its directive, and the whole lines that it governs."""

    directive: Directive
    body: Span


@dataclass(frozen=True, slots=True)
class Conditional:
    """`#if` ... `#endif`. `endif` is None if the file ends first; `children` nest inside."""

    branches: tuple[Branch, ...]
    endif: Directive | None
    span: Span
    children: tuple["Conditional", ...]


@dataclass(frozen=True, slots=True)
class EnclosingBranch:
    """The arm `index` of `conditional` is around something."""

    conditional: Conditional
    index: int

    @property
    def directive(self) -> Directive:
        """The directive that opens the arm; those of the earlier arms are false here."""
        return self.conditional.branches[self.index].directive


@dataclass(frozen=True, slots=True)
class FunctionText:
    """One function definition.

    `span` goes from its first specifier, attribute or macro to the closing
    brace; `body` is the braces and all between. In a definition through a
    declaration macro, `MACRO(name, ...) {...}`, the name is the first argument.
    `conditionals` are those that enclose the whole of it, outermost first.
    """

    name: str
    span: Span
    name_span: Span
    body: Span
    is_static: bool
    leading_comment: Span | None
    conditionals: tuple[EnclosingBranch, ...]


class StatementKind(StrEnum):
    """What a statement is.

    LABEL and CASE (also `default:`) are markers: `name:` and no more; what
    they label follows as a sibling. ELSE is a child of its IF. MACRO_BLOCK is
    `for_each_thing(...)` with the statement that it governs. PREPROC_GROUP is
    a conditional that opens and closes in the same list of statements, its
    directives included; a DIRECTIVE outside of one stands alone. SKIPPED is a
    conditional's later arm whose brackets do not balance by themselves: the
    structure follows the first arm.
    """

    COMPOUND = "compound"
    IF = "if"
    ELSE = "else"
    SWITCH = "switch"
    CASE = "case"
    WHILE = "while"
    DO = "do"
    FOR = "for"
    MACRO_BLOCK = "macro_block"
    GOTO = "goto"
    LABEL = "label"
    RETURN = "return"
    BREAK = "break"
    CONTINUE = "continue"
    ASM = "asm"
    DECLARATION = "declaration"
    EXPRESSION = "expression"
    EMPTY = "empty"
    PREPROC_GROUP = "preproc_group"
    DIRECTIVE = "directive"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with the statements inside it.

    `head` is what stands between the parentheses of an if, switch, while, for
    or do, or the expression of a case or return, if any. `label` is the name of a label, or the
    label that a goto names. `leading_comments` are the comments on lines of
    their own directly above, top to bottom.
    """

    kind: StatementKind
    span: Span
    children: tuple["Statement", ...] = ()
    head: Span | None = None
    label: str | None = None
    leading_comments: tuple[Span, ...] = ()
