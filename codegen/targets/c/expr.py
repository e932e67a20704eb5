# SPDX-License-Identifier: GPL-2.0-only
"""C expressions as the source spells them: every node is a place in the text.

The conversion keeps the maintainer's own words, so it cannot work on lowered
code. This parser reads one expression out of a file's lexemes; what it does
not understand becomes an `Opaque` node, which nothing is known about.

    `!(vma->vm_flags & VM_EXEC)`  gives
    Unary(!, Binary(&, Member(Name vma, vm_flags), Name VM_EXEC))
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.base.spans import Span
from codegen.csyntax.lex import Lexeme
from codegen.csyntax.parse import SyntaxTree


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, macro or enumerator."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Number:
    """An integer constant."""

    span: Span
    value: int


@dataclass(frozen=True, slots=True)
class Unary:
    """A prefix operator; `sizeof` and `++` too."""

    span: Span
    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Postfix:
    """`x++` or `x--`."""

    span: Span
    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """`left op right`, logical operators too."""

    span: Span
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Ternary:
    """`condition ? then : otherwise`."""

    span: Span
    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Assign:
    """`target op value`, where `op` is `=`, `|=` and so on."""

    span: Span
    op: str
    target: Expr
    value: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """`name(args)`; a call through anything but a name is Opaque."""

    span: Span
    name: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name` or `base->name`."""

    span: Span
    base: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`base[index]`."""

    span: Span
    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Cast:
    """`(type)operand`; which type does not matter here."""

    span: Span
    operand: Expr


@dataclass(frozen=True, slots=True)
class Paren:
    """`(inner)`."""

    span: Span
    inner: Expr


@dataclass(frozen=True, slots=True)
class Opaque:
    """A literal, a statement expression, or whatever else was not understood."""

    span: Span
    parts: tuple[Expr, ...] = ()


Expr = (
    Name
    | Number
    | Unary
    | Postfix
    | Binary
    | Ternary
    | Assign
    | Call
    | Member
    | Index
    | Cast
    | Paren
    | Opaque
)

_LEVELS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_PRECEDENCE = {op: level for level, ops in enumerate(_LEVELS) for op in ops}
_ASSIGNMENTS = frozenset(("=", "|=", "&=", "^=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>="))
_PREFIXES = frozenset(("!", "~", "-", "+", "*", "&", "++", "--"))
_TYPE_WORDS = frozenset(
    (
        *("struct", "union", "enum", "const", "volatile", "unsigned", "signed", "int", "char"),
        *("short", "long", "void", "bool", "_Bool", "__user", "__force", "__iomem", "__kernel"),
        *("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64"),
    )
)


def children(node: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside one, in the order of the text."""
    match node:
        case Name() | Number():
            return ()
        case Unary(operand=inner) | Postfix(operand=inner) | Cast(operand=inner):
            return (inner,)
        case Paren(inner=inner) | Member(base=inner):
            return (inner,)
        case Binary(left=left, right=right):
            return (left, right)
        case Ternary():
            return (node.condition, node.then, node.otherwise)
        case Assign(target=target, value=value):
            return (target, value)
        case Call(args=args):
            return args
        case Index(base=base, index=index):
            return (base, index)
        case Opaque(parts=parts):
            return parts


def walk(node: Expr) -> Iterator[Expr]:
    """The expression and everything in it."""
    yield node
    for child in children(node):
        yield from walk(child)


def bare(node: Expr) -> Expr:
    """The expression without parentheses, casts and the hints `likely()`, `unlikely()`."""
    while True:
        match node:
            case Paren(inner=inner) | Cast(operand=inner):
                node = inner
            case Call(name="likely" | "unlikely", args=(inner,)):
                node = inner
            case _:
                return node


def parse_expression(tree: SyntaxTree, span: Span) -> Expr:
    """The expression that `span` holds; a trailing semicolon is passed over.

    Never fails: what is left over or malformed makes the whole Opaque.
    """
    lexemes = tree.lexemes
    first = bisect_left(lexemes, span.start, key=lambda lx: lx.start)
    last = bisect_left(lexemes, span.end, key=lambda lx: lx.start)
    inside = [lx for lx in lexemes[first:last] if lx.kind != "directive"]
    while inside and inside[-1].text == ";":
        inside.pop()
    parser = _Parser(inside, span)
    try:
        node = parser.comma()
        if parser.i == len(inside):
            return node
    except _Malformed:
        pass
    return Opaque(span, tuple(Name(lx.span, lx.text) for lx in inside if lx.is_word))


class _Malformed(Exception):
    pass


class _Parser:
    def __init__(self, lexemes: Sequence[Lexeme], span: Span) -> None:
        self.lexemes, self.span, self.i = lexemes, span, 0

    def text(self, ahead: int = 0) -> str:
        at = self.i + ahead
        return self.lexemes[at].text if at < len(self.lexemes) else ""

    def take(self, text: str) -> Lexeme:
        if self.text() != text:
            raise _Malformed
        self.i += 1
        return self.lexemes[self.i - 1]

    def comma(self) -> Expr:
        node = self.assignment()
        while self.text() == ",":
            self.i += 1
            right = self.assignment()
            node = Opaque(_join(node, right), (node, right))
        return node

    def assignment(self) -> Expr:
        left = self.ternary()
        if self.text() in _ASSIGNMENTS:
            op = self.text()
            self.i += 1
            right = self.assignment()
            return Assign(_join(left, right), op, left, right)
        return left

    def ternary(self) -> Expr:
        condition = self.binary(0)
        if self.text() != "?":
            return condition
        self.i += 1
        then = condition if self.text() == ":" else self.comma()
        self.take(":")
        otherwise = self.ternary()
        return Ternary(_join(condition, otherwise), condition, then, otherwise)

    def binary(self, level: int) -> Expr:
        left = self.unary()
        while (found := _PRECEDENCE.get(self.text(), -1)) >= level:
            op = self.text()
            self.i += 1
            right = self.binary(found + 1)
            left = Binary(_join(left, right), op, left, right)
        return left

    def unary(self) -> Expr:
        if self.i >= len(self.lexemes):
            raise _Malformed
        lexeme = self.lexemes[self.i]
        if lexeme.text in _PREFIXES:
            self.i += 1
            operand = self.unary()
            return Unary(Span(lexeme.start, operand.span.end), lexeme.text, operand)
        if lexeme.text == "sizeof":
            self.i += 1
            operand = self.unary()
            return Opaque(Span(lexeme.start, operand.span.end))
        if lexeme.text == "(" and (end := self.type_end()):
            self.i = end + 1
            operand = self.unary()
            return Cast(Span(lexeme.start, operand.span.end), operand)
        return self.postfix()

    def type_end(self) -> int:
        """The index of the `)` if a cast's type stands here, or 0."""
        at, words, pointer = self.i + 1, 0, False
        while at < len(self.lexemes) and self.lexemes[at].text != ")":
            lexeme = self.lexemes[at]
            if lexeme.text == "*" and words:
                pointer = True
            elif lexeme.is_word and not (pointer and lexeme.text not in _TYPE_WORDS):
                words += 1
            else:
                return 0
            at += 1
        if not words or at + 1 >= len(self.lexemes):
            return 0
        following = self.lexemes[at + 1]
        operand = following.is_word or following.kind in ("number_literal", "literal")
        operand = operand or following.text in ("(", "~", "-", "&", "*", "!")
        inner = [lx.text for lx in self.lexemes[self.i + 1 : at]]
        is_type = pointer or words > 1
        is_type = is_type or any(t in _TYPE_WORDS or t.endswith("_t") for t in inner)
        return at if operand and is_type else 0

    def postfix(self) -> Expr:
        node = self.primary()
        while True:
            match self.text():
                case "(":
                    node = self.call(node)
                case "[":
                    self.i += 1
                    index = self.comma()
                    end = self.take("]")
                    node = Index(Span(node.span.start, end.end), node, index)
                case "." | "->":
                    self.i += 1
                    field = self.lexemes[self.i] if self.i < len(self.lexemes) else None
                    if field is None or not field.is_word:
                        raise _Malformed
                    self.i += 1
                    node = Member(Span(node.span.start, field.end), node, field.text)
                case "++" | "--":
                    end = self.take(self.text())
                    node = Postfix(Span(node.span.start, end.end), end.text, node)
                case _:
                    return node

    def call(self, function: Expr) -> Expr:
        self.take("(")
        args: list[Expr] = []
        while self.text() != ")":
            args.append(self.assignment())
            if self.text() == ",":
                self.i += 1
            elif self.text() != ")":
                raise _Malformed
        end = self.take(")")
        span = Span(function.span.start, end.end)
        if isinstance(function, Name):
            return Call(span, function.text, tuple(args))
        return Opaque(span, (function, *args))

    def primary(self) -> Expr:
        if self.i >= len(self.lexemes):
            raise _Malformed
        lexeme = self.lexemes[self.i]
        if lexeme.text == "(":
            self.i += 1
            if self.text() == "{":
                raise _Malformed
            inner = self.comma()
            end = self.take(")")
            return Paren(Span(lexeme.start, end.end), inner)
        if lexeme.kind == "literal":
            # Adjoining strings and the macros between them are one literal.
            start, end_at = lexeme.start, lexeme.end
            while self.i < len(self.lexemes) and (
                self.lexemes[self.i].kind == "literal" or self.string_macro()
            ):
                end_at = self.lexemes[self.i].end
                self.i += 1
            return Opaque(Span(start, end_at))
        if lexeme.is_word:
            following = self.lexemes[self.i + 1] if self.i + 1 < len(self.lexemes) else None
            self.i += 1
            if following is not None and following.kind == "literal":
                # KERN_ALERT "text"
                inner = self.primary()
                return Opaque(Span(lexeme.start, inner.span.end))
            return Name(lexeme.span, lexeme.text)
        if (value := _number(lexeme.text)) is not None:
            self.i += 1
            return Number(lexeme.span, value)
        raise _Malformed

    def string_macro(self) -> bool:
        lexeme = self.lexemes[self.i]
        return lexeme.is_word and self.lexemes[self.i - 1].kind == "literal"


def _number(text: str) -> int | None:
    digits = text.rstrip("uUlL")
    try:
        if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
            return int(digits, 8)
        return int(digits, 0)
    except ValueError:
        return None


def _join(left: Expr, right: Expr) -> Span:
    return Span(left.span.start, right.span.end)
