# SPDX-License-Identifier: GPL-2.0-only
"""A handler's file as the conversion looks at it: functions, statements, macros, what words mean.

Nothing is preprocessed; `#ifdef`s are statements like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from codegen.base.diagnostics import Refusal, RefusalCode, RefusedError
from codegen.base.spans import SourceText, Span
from codegen.csyntax.identifiers import words_in
from codegen.csyntax.lex import WORD
from codegen.csyntax.nodes import FunctionText, Statement, StatementKind
from codegen.csyntax.parse import SyntaxTree, parse
from codegen.ir.program import Program
from codegen.ir.vocabulary import DANCE_ROLES, Role
from codegen.targets.c.expr import Call, Expr, Name, parse_expression, walk
from codegen.targets.c.values import Value

JUMPS = frozenset((StatementKind.GOTO, StatementKind.RETURN))
READ_SIDE = DANCE_ROLES - {
    Role.WRITE_LOCK,
    Role.WRITE_LOCK_KILLABLE,
    Role.WRITE_UNLOCK,
    Role.DOWNGRADE,
}
"""The dance proper; who takes the lock for writing does something else (arm prints a PTE)."""


@dataclass(frozen=True)
class Body:
    """One function's text and statements; `tree` is the file it is in."""

    tree: SyntaxTree
    text: FunctionText
    statements: tuple[Statement, ...] = field(repr=False)
    parameters: tuple[str, ...]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.text.name

    @property
    def is_void(self) -> bool:
        """Whether the function returns nothing."""
        head = self.tree.source.text[self.text.span.start : self.text.name_span.start]
        return "*" not in head and "void" in head.split()


@dataclass(frozen=True, slots=True)
class Declarator:
    """One name that a declaration declares, with what it starts as."""

    name: str
    span: Span
    value: Span | None


class HandlerFile:
    """The file of a handler. `program` says what its words do, `constants` what numbers are."""

    def __init__(self, tree: SyntaxTree, program: Program) -> None:
        self.tree, self.program = tree, program
        self.models = parse(SourceText("vocabulary", program.vocabulary.functions))
        self.macro_values: dict[str, Value | None] = {}
        self._expressions: dict[tuple[int, Span], Expr] = {}
        self._bodies: dict[str, Body | None] = {}

    def refuse(self, code: RefusalCode, reason: str, span: Span) -> RefusedError:
        """The refusal that names the text at `span`; to be raised."""
        construct = " ".join(self.tree.source.slice(span).split())
        if len(construct) > 100:
            construct = construct[:97] + "..."
        line = self.tree.source.line(span.start)
        return RefusedError(Refusal(code, reason, construct, self.tree.source.path, line))

    def expression(self, tree: SyntaxTree, span: Span) -> Expr:
        """The expression at a place, parsed once."""
        key = (id(tree), span)
        known = self._expressions.get(key)
        if known is None:
            known = self._expressions[key] = parse_expression(tree, span)
        return known

    def text_of(self, tree: SyntaxTree, span: Span) -> str:
        """A piece of code on one line, comments left out."""
        pieces, pos = [], span.start
        for comment in tree.comments:
            if comment.start >= pos and comment.end <= span.end:
                pieces.append(tree.source.text[pos : comment.start])
                pos = comment.end
        pieces.append(tree.source.text[pos : span.end])
        return " ".join("".join(pieces).split())

    # -- functions ---------------------------------------------------------------

    def body(self, name: str) -> Body | None:
        """The definition of a function of the file (or of the vocabulary's models).

        None if there is none, or more than one that could be meant.
        """
        if name not in self._bodies:
            self._bodies[name] = self._find_body(name)
        return self._bodies[name]

    def _find_body(self, name: str) -> Body | None:
        for tree in (self.tree, self.models):
            found = [f for f in tree.functions if f.name == name]
            if len(found) == 1:
                return self._make_body(tree, found[0])
            if found:
                dancing = [f for f in found if self._names_dance(tree, f)]
                return self._make_body(tree, dancing[0]) if len(dancing) == 1 else None
        return None

    def _make_body(self, tree: SyntaxTree, text: FunctionText) -> Body:
        return Body(tree, text, tree.statements_in(text), parameters_of(tree, text))

    def _names_dance(self, tree: SyntaxTree, function: FunctionText) -> bool:
        return any(self.role(w) in DANCE_ROLES for w in words_in(tree, function.body))

    def role(self, name: str) -> Role | None:
        """What the vocabulary says of a word; None for the file's own functions."""
        return self.program.role(name)

    def is_local(self, name: str) -> bool:
        """Whether the file (or a model) defines the function."""
        return self.body(name) is not None

    @cached_property
    def defined(self) -> frozenset[str]:
        """The functions that the file itself defines."""
        return frozenset(f.name for f in self.tree.functions)

    def words_of(self, name: str) -> frozenset[str]:
        """Every word in a function and in those of the file that it names."""
        seen: set[str] = set()
        stack, words = [name], set[str]()
        while stack:
            current = stack.pop()
            if current in seen or (body := self.body(current)) is None:
                continue
            seen.add(current)
            found = set(words_in(body.tree, body.text.body))
            words |= found
            stack += [w for w in found if w in self.defined]
        return frozenset(words)

    def dances(self, name: str) -> bool:
        """Whether a function of the file takes part in the dance: locks, looks up, faults."""
        return any(self.role(w) in READ_SIDE for w in self.words_of(name))

    def checks(self, name: str) -> bool:
        """Whether a function of the file reads a VMA's flags."""
        return "vm_flags" in self.words_of(name)

    def never_returns(self, name: str) -> bool:
        """Whether a call of the word does not come back (to either mode)."""
        if self.role(name) in (Role.BUG, Role.KERNEL_NEVER):
            return True
        body = self.body(name)
        if body is None or name not in self.program.functions:
            return False
        head = body.tree.source.text[body.text.span.start : body.text.name_span.start]
        return "__noreturn" in head or not self.program.may_return(name)

    # -- statements --------------------------------------------------------------

    def calls_in(self, tree: SyntaxTree, span: Span) -> Iterator[str]:
        """The words in a stretch of code that stand before an opening parenthesis."""
        for word, uses in words_in(tree, span).items():
            for use in uses:
                if tree.source.text[use.span.end : use.span.end + 2].lstrip()[:1] == "(":
                    yield word
                    break

    def has_role(self, tree: SyntaxTree, span: Span, roles: frozenset[Role]) -> bool:
        """Whether the code calls a word with one of the roles, itself or through the file's own."""
        for word in self.calls_in(tree, span):
            if self.role(word) in roles:
                return True
            if word in self.defined and any(self.role(w) in roles for w in self.words_of(word)):
                return True
        return False

    def declarators(self, tree: SyntaxTree, statement: Statement) -> tuple[Declarator, ...]:
        """The names that a declaration declares."""
        return declarators(tree, statement)

    def call_of(self, tree: SyntaxTree, statement: Statement) -> Call | None:
        """The call that an expression statement is."""
        if statement.kind is not StatementKind.EXPRESSION:
            return None
        node = self.expression(tree, statement.span)
        return node if isinstance(node, Call) else None


def every(statements: Sequence[Statement]) -> Iterator[Statement]:
    """All statements, those inside others too, in the order of the text."""
    for statement in statements:
        yield statement
        yield from every(statement.children)


def parameters_of(tree: SyntaxTree, function: FunctionText) -> tuple[str, ...]:
    """The names of a function's parameters; "" for one without a name."""
    inside = [
        lx
        for lx in tree.lexemes
        if function.name_span.end <= lx.start < function.body.start and lx.kind != "directive"
    ]
    names: list[str] = []
    depth, last = 0, ""
    for lexeme in inside:
        match lexeme.text:
            case "(":
                depth += 1
                continue
            case ")":
                depth -= 1
                if depth == 0:
                    names.append(last)
                    break
                continue
            case "," if depth == 1:
                names.append(last)
                last = ""
                continue
        if lexeme.is_word:
            last = lexeme.text
    return () if names in (["void"], [""]) else tuple(names)


def declarators(tree: SyntaxTree, statement: Statement) -> tuple[Declarator, ...]:
    """See `HandlerFile.declarators`."""
    lexemes = [
        lx
        for lx in tree.lexemes
        if statement.span.start <= lx.start < statement.span.end and lx.kind != "directive"
    ]
    found: list[Declarator] = []
    depth, name, equals, star = 0, None, None, None
    for lexeme in lexemes:
        text = lexeme.text
        if text in "([{" and equals is None and text != "[":
            depth += 1
        elif text in "([{":
            depth += 1
        elif text in ")]}":
            depth -= 1
        if depth or text in ")]}":
            continue
        if text in (",", ";"):
            if name is not None:
                start = star if star is not None else name.start
                value = None if equals is None else _trim(tree, Span(equals, lexeme.start))
                end = value.end if value else _last_end(tree, lexeme.start)
                found.append(Declarator(name.text, Span(start, end), value))
            name, equals, star = None, None, None
        elif text == "=" and equals is None:
            equals = lexeme.end
        elif text == "*" and equals is None:
            star = lexeme.start if star is None else star
        elif lexeme.is_word and equals is None:
            name = lexeme
    return tuple(found)


def _trim(tree: SyntaxTree, span: Span) -> Span:
    text = tree.source.slice(span)
    start = span.start + len(text) - len(text.lstrip())
    return Span(start, start + len(text.strip()))


def _last_end(tree: SyntaxTree, end: int) -> int:
    return len(tree.source.text[:end].rstrip())


def assigned_names(tree: SyntaxTree, span: Span) -> frozenset[str]:
    """The plain names that a stretch of code assigns to, or takes the address of."""
    lexemes = [lx for lx in tree.lexemes if span.start <= lx.start < span.end]
    found: set[str] = set()
    for i, lexeme in enumerate(lexemes):
        if not lexeme.is_word:
            continue
        before = lexemes[i - 1].text if i else ";"
        after = lexemes[i + 1].text if i + 1 < len(lexemes) else ";"
        if before in (".", "->"):
            continue
        if (after.endswith("=") and after not in ("==", "!=", "<=", ">=")) or after in ("++", "--"):
            found.add(lexeme.text)
        elif before == "&" and (i < 2 or lexemes[i - 2].text in ("(", ",", "=", "return")):
            if after not in ("->", ".", "["):
                found.add(lexeme.text)
        elif before in ("++", "--"):
            found.add(lexeme.text)
    return frozenset(found)


def mentioned(node: Expr) -> frozenset[str]:
    """The plain variables that an expression names."""
    return frozenset(n.text for n in walk(node) if isinstance(n, Name))


def words(text: str) -> frozenset[str]:
    """Every identifier in a piece of C text."""
    return frozenset(m.group() for m in WORD.finditer(re.sub(r'"(\\.|[^"\\])*"', '""', text)))
