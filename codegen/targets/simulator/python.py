# SPDX-License-Identifier: GPL-2.0-only
"""Python text in pieces: expressions that know their precedence and range, and statements.

What is written here is laid out as `ruff format` would, at 100 columns: an
expression that does not fit is cut by giving a part of it a name first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

WIDTH = 100
INDENT = "    "
_LONGEST_PATH = 50

# Python's precedence, loosest first.
TERNARY, OR, AND, NOT, COMPARE, BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT, SIGN, ATOM = range(
    13
)

Range = tuple[int, int]
ANY: Range = (-(1 << 63), (1 << 64) - 1)


@dataclass(frozen=True)
class Py:
    """An expression: text and operands (each with the precedence that it needs) in turn.

    `span` is the range that its value is known to be in; `args` are set for a
    call, whose text is `head(args)`; `plain` is False where evaluating it has
    an effect, so that it may not be moved.
    """

    pieces: tuple[str | tuple[Py, int], ...]
    precedence: int = ATOM
    span: Range = ANY
    head: str = ""
    args: tuple[tuple[str, Py], ...] | None = None
    plain: bool = True

    @property
    def text(self) -> str:
        """The expression as Python."""
        out = []
        for piece in self.pieces:
            if isinstance(piece, str):
                out.append(piece)
            else:
                inner, needed = piece
                out.append(inner.text if inner.precedence >= needed else f"({inner.text})")
        return "".join(out)

    @property
    def operands(self) -> tuple[Py, ...]:
        """The direct operands."""
        return tuple(p[0] for p in self.pieces if not isinstance(p, str))

    def replaced(self, old: Py, new: Py) -> Py:
        """The expression with one operand, somewhere in it, replaced."""
        if self is old:
            return new
        if self.args is not None and self.precedence == ATOM:
            args = tuple((k, a.replaced(old, new)) for k, a in self.args)
            return call(self.head, args, self.span, self.plain)
        pieces = tuple(
            p if isinstance(p, str) else (p[0].replaced(old, new), p[1]) for p in self.pieces
        )
        return Py(pieces, self.precedence, self.span, plain=self.plain)


def atom(text: str, span: Range = ANY) -> Py:
    """A name or a number."""
    return Py((text,), ATOM, span)


def number(value: int) -> Py:
    """An integer literal."""
    text = str(value) if abs(value) < 4096 else f"{'-' if value < 0 else ''}0x{abs(value):X}"
    return Py((text,), SIGN if value < 0 else ATOM, (value, value))


def call(
    head: str, args: Iterable[Py | tuple[str, Py]], span: Range = ANY, plain: bool = True
) -> Py:
    """`head(args)`; an argument may have a keyword."""
    named = tuple(a if isinstance(a, tuple) else ("", a) for a in args)
    pieces: list[str | tuple[Py, int]] = [head, "("]
    for position, (keyword, value) in enumerate(named):
        pieces.append(", " * (position > 0) + (f"{keyword}=" if keyword else ""))
        pieces.append((value, TERNARY))
    pieces.append(")")
    return Py(tuple(pieces), ATOM, span, head, named, plain and all(a.plain for _, a in named))


def join(operator: str, left: Py, right: Py, precedence: int, span: Range = ANY) -> Py:
    """A binary operator; comparisons never chain, `and` inside `or` gets parentheses."""
    low = {COMPARE: BIT_OR, OR: NOT}.get(precedence, precedence)
    high = low if precedence in (OR, AND, COMPARE) else precedence + 1
    if precedence in (OR, AND):
        low = precedence if left.precedence == precedence else NOT
        high = NOT
    pieces = ((left, low), f" {operator} ", (right, high))
    return Py(pieces, precedence, span, plain=left.plain and right.plain)


def both(left: Py, right: Py) -> Py:
    """`left and right`."""
    if "False" in (left.text, right.text) and left.plain:
        return atom("False")
    if left.text == "True":
        return right
    return left if right.text == "True" else join("and", left, right, AND)


def either(left: Py, right: Py) -> Py:
    """`left or right`; two comparisons of one value are one."""
    if "True" in (left.text, right.text) and left.plain:
        return atom("True")
    if left.text == "False":
        return right
    if right.text == "False":
        return left
    if left.precedence == right.precedence == COMPARE and right.pieces[1] == " == ":
        same = left.operands[0].text == right.operands[0].text and left.plain
        if same and left.pieces[1] in (" == ", " in "):
            subject, *values = left.operands
            return one_of(subject, [*values, right.operands[1]])
    return join("or", left, right, OR)


def one_of(subject: Py, values: list[Py], operator: str = " in ") -> Py:
    """`subject in (a, b)`."""
    given = call("", values)
    pieces: tuple[str | tuple[Py, int], ...] = ((subject, BIT_OR), operator, *given.pieces)
    head = f"{subject.text if subject.precedence >= BIT_OR else f'({subject.text})'}{operator}"
    return Py(pieces, COMPARE, ANY, head, given.args)


def prefix(operator: str, operand: Py, precedence: int, span: Range = ANY) -> Py:
    """`-x`, `~x`, `not x`."""
    return Py((operator, (operand, precedence)), precedence, span, plain=operand.plain)


def string(value: str) -> str:
    """A string literal, quoted as the formatter prefers."""
    body = value.encode("unicode_escape").decode("ascii")
    if body.count('"') > body.count("'"):
        return "'" + body.replace("'", "\\'") + "'"
    return '"' + body.replace('"', '\\"') + '"'


def shown_path(path: str) -> str:
    """A file's path as comments and docstrings name it: printable, and not too long."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "?" for c in path)
    return plain if len(plain) <= _LONGEST_PATH else "..." + plain[3 - _LONGEST_PATH :]


# ---- statements ------------------------------------------------------------------


@dataclass
class Line:
    """`before` expression; `name` is set where it assigns to a local."""

    before: str
    value: Py | None = None
    name: str | None = None

    @property
    def leaves(self) -> bool:
        """Whether control does not go on behind it."""
        return self.before.startswith(("return", "raise ", "continue"))


@dataclass
class If:
    """A branch; `comments` name the C lines that it comes from."""

    condition: Py
    then: list[Statement]
    otherwise: list[Statement] = field(default_factory=list)
    comments: tuple[str, ...] = ()


@dataclass
class Cases:
    """`while True: match label:`, the places that control jumps to."""

    cases: list[tuple[str, list[Statement]]]
    counted: bool


Statement = Line | If | Cases


def leaves(body: list[Statement]) -> bool:
    """Whether control never comes out at the end."""
    if not body:
        return False
    match body[-1]:
        case Line() as line:
            return line.leaves
        case If(then=then, otherwise=otherwise):
            return leaves(then) and leaves(otherwise)
        case Cases():
            return True


class Writer:
    """Statements as lines of text."""

    def __init__(self, taken: set[str]) -> None:
        self.lines: list[str] = []
        self.taken = taken

    def body(self, body: list[Statement], depth: int) -> None:
        """The statements of a block."""
        for statement in body:
            match statement:
                case Line():
                    self._line(statement, depth)
                case If():
                    self._if(statement, depth, "if")
                case Cases():
                    self._cases(statement, depth)

    def _put(self, text: str, depth: int) -> None:
        self.lines.append(INDENT * depth + text)

    def _fits(self, text: str, depth: int) -> bool:
        return len(INDENT) * depth + len(text) <= WIDTH

    def _line(self, line: Line, depth: int) -> None:
        value = line.value
        if value is None:
            self._put(line.before, depth)
            return
        while not self._fits(line.before + value.text, depth):
            if value.args and self._split(line.before, value, depth):
                return
            smaller = self._cut(value, depth)
            if smaller is None:
                break
            value = smaller
        for text in self._layout(line.before, value, "", depth):
            self._put(text, depth)

    def _split(self, before: str, value: Py, depth: int) -> bool:
        """A call over several lines; False where an argument is too long for a line of its own."""
        assert value.args is not None
        args = [(f"{k}=" if k else "") + a.text for k, a in value.args]
        if self._fits(", ".join(args), depth + 1) and not value.head.endswith("in "):
            lines = [", ".join(args)]
        elif all(self._fits(a + ",", depth + 1) for a in args) and len(args) > 1:
            lines = [a + "," for a in args]
        elif value.head == "string":
            room = WIDTH - len(INDENT) * (depth + 1) - 2
            lines = _chunks(args[0], room)
        else:
            return False
        self._put(f"{before}{value.head}(", depth)
        for text in lines:
            self._put(text, depth + 1)
        self._put(")", depth)
        return True

    def _cut(self, value: Py, depth: int) -> Py | None:
        """Gives the longest part a name of its own; None where nothing can be cut."""
        parts = [p for p in _parts(value) if p is not value and p.plain and len(p.text) > 12]
        parts = [p for p in parts if p.operands]
        if not parts:
            return None
        best = max(parts, key=lambda p: (min(len(p.text), WIDTH - 30), -len(p.text)))
        name = self._name()
        self._line(Line(f"{name} = ", best, name), depth)
        return value.replaced(best, atom(name, best.span))

    def _name(self) -> str:
        n = 1
        while (name := f"part_{n}") in self.taken:
            n += 1
        self.taken.add(name)
        return name

    def _if(self, branch: If, depth: int, word: str) -> None:
        condition = branch.condition
        while not self._fits(f"{word} {condition.text}:", depth):
            smaller = self._cut(condition, depth)
            if smaller is None:
                break
            condition = smaller
        head = f"{word} {condition.text}:"
        lines = [head] if self._fits(head, depth) else self._long_condition(word, condition, depth)
        comment = "; ".join(dict.fromkeys(branch.comments))
        if comment and len(lines) == 1 and self._fits(f"{head}  # {comment}", depth):
            self._put(f"{head}  # {comment}", depth)
        else:
            for line in lines:
                self._put(line, depth)
            if comment:
                room = WIDTH - len(INDENT) * (depth + 1) - 2
                short = comment if len(comment) <= room else comment[: room - 3].rstrip() + "..."
                self._put(f"# {short}", depth + 1)
        self.body(branch.then, depth + 1)
        if not branch.otherwise:
            return
        only = branch.otherwise[0] if len(branch.otherwise) == 1 else None
        if isinstance(only, If) and self._fits(f"elif {only.condition.text}:", depth):
            self._if(only, depth, "elif")
            return
        self._put("else:", depth)
        self.body(branch.otherwise, depth + 1)

    def _long_condition(self, word: str, condition: Py, depth: int) -> list[str]:
        """A condition over several lines: one operand a line, or what the last brackets hold."""
        operator = {AND: "and", OR: "or"}.get(condition.precedence, "")
        operands = _chain(condition)
        if len(operands) > 2 or (len(operands) == 2 and not condition.text.endswith(")")):
            inner = self._layout("", condition, "", depth + 1)
            return [f"{word} (", *(INDENT + line for line in inner), "):"]
        if len(operands) == 1:
            return self._layout(f"{word} ", condition, ":", depth)
        left, right = operands
        lines = self._operand(f"{word} {_bracketed(left)} {operator} ", right, ":", depth)
        if self._fits(lines[0], depth):
            return lines
        return self._operand(f"{word} ", left, f" {operator} {_bracketed(right)}:", depth)

    def _layout(self, before: str, value: Py, after: str, depth: int) -> list[str]:
        """An expression between brackets, over as many lines as it takes."""
        if self._fits(before + value.text + after, depth):
            return [before + value.text + after]
        if value.args:
            args = [(f"{k}=" if k else "", a) for k, a in value.args]
            joined = ", ".join(k + a.text for k, a in args)
            if self._fits(joined, depth + 1) and not value.head.endswith("in "):
                inner = [joined]
            elif len(args) > 1:
                inner = [x for k, a in args for x in self._layout(k, a, ",", depth + 1)]
            else:
                inner = self._layout("", args[0][1], "", depth + 1)
            return [f"{before}{value.head}(", *(INDENT + line for line in inner), f"){after}"]
        if value.precedence == NOT:
            return self._operand(f"{before}not ", value.operands[0], after, depth)
        operator = {AND: "and", OR: "or"}.get(value.precedence)
        if operator is None:
            return [before + value.text + after]
        first, *rest = _chain(value)
        lines = self._operand(before, first, "", depth)
        for position, operand in enumerate(rest):
            last = position == len(rest) - 1
            lines += self._operand(f"{operator} ", operand, after if last else "", depth)
        return lines

    def _operand(self, before: str, value: Py, after: str, depth: int) -> list[str]:
        """An operand of `and`, `or` or `not`, in parentheses where it needs them."""
        if value.precedence >= NOT:
            return self._layout(before, value, after, depth)
        if self._fits(f"{before}({value.text}){after}", depth):
            return [f"{before}({value.text}){after}"]
        inner = self._layout("", value, "", depth + 1)
        return [f"{before}(", *(INDENT + line for line in inner), f"){after}"]

    def _cases(self, machine: Cases, depth: int) -> None:
        self._put(f"label = {string(machine.cases[0][0])}", depth)
        self._put("while True:", depth)
        if machine.counted:
            self._put("w.turn()", depth + 1)
        self._put("match label:", depth + 1)
        for label, body in machine.cases:
            self._put(f"case {string(label)}:", depth + 2)
            last = body[-1] if body else None
            if isinstance(last, Line) and last.before == "continue" and len(body) > 1:
                body = body[:-1]
            self.body(body, depth + 3)


def _chain(condition: Py) -> list[Py]:
    """The operands of `a and b and c`."""
    if condition.precedence not in (AND, OR):
        return [condition]
    left, right = condition.operands
    more = _chain(left) if left.precedence == condition.precedence else [left]
    return [*more, right]


def _bracketed(operand: Py) -> str:
    return operand.text if operand.precedence >= NOT else f"({operand.text})"


def _chunks(literal: str, room: int) -> list[str]:
    """A string literal in pieces that each fit."""
    quote, body = literal[0], literal[1:-1]
    pieces = []
    while len(body) > room:
        end = body.rfind(" ", 0, room) + 1 or room
        while body[end - 1] == "\\":
            end -= 1
        pieces.append(quote + body[:end] + quote)
        body = body[end:]
    return [*pieces, quote + body + quote]


def _parts(value: Py) -> list[Py]:
    out = [value]
    for operand in value.operands:
        out += _parts(operand)
    return out
