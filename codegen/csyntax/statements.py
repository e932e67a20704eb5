# SPDX-License-Identifier: GPL-2.0-only
"""The statements of one function, with the preprocessor lines among them.

A small recursive descent over the tokens. tree-sitter's own statement nodes
are lost where an `else` stands before its `#endif`, or an arm opens a brace
that is closed after the `#endif`; here a directive is a statement like any other.

    if (a)              if
            f();          expression
    else                  else
    #endif                  directive
            g();            expression
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

from codegen.base.diagnostics import UnreadableSource
from codegen.base.spans import SourceText, Span
from codegen.csyntax.functions import pair_brackets
from codegen.csyntax.layout import comments_above
from codegen.csyntax.lex import Lexeme
from codegen.csyntax.nodes import Directive, FunctionText, Statement, StatementKind

_MAX_DEPTH = 120

_DECLARING = frozenset(
    (
        *("struct", "union", "enum", "const", "volatile", "static", "register", "extern", "auto"),
        *("unsigned", "signed", "int", "char", "short", "long", "float", "double", "void", "bool"),
        *("_Bool", "typedef", "typeof", "__typeof__", "__attribute__", "inline"),
    )
)
_DECLARING_LEAVES = frozenset(("primitive_type", "type_identifier"))
_JUMPS = {"break": StatementKind.BREAK, "continue": StatementKind.CONTINUE}
_GUARDED = {
    "switch": StatementKind.SWITCH,
    "while": StatementKind.WHILE,
    "for": StatementKind.FOR,
}
_LOOP_WORD = re.compile("for_?each")
_ASM = frozenset(("asm", "__asm__", "__asm"))


class _Parser:
    """Parses one body; `i` is the next token's index, `end` that of the closing brace."""

    def __init__(
        self,
        source: SourceText,
        lexemes: Sequence[Lexeme],
        comments: Sequence[Span],
        directives: Mapping[int, Directive],
    ) -> None:
        self.source, self.lexemes, self.comments = source, lexemes, comments
        self.directives = directives
        self.pairs = pair_brackets(lexemes)
        self.i, self.depth = 0, 0

    def text(self, ahead: int = 0) -> str:
        """The text of a token, "" past the end."""
        at = self.i + ahead
        return self.lexemes[at].text if at < len(self.lexemes) else ""

    def node(
        self,
        kind: StatementKind,
        first: int,
        children: Sequence[Statement] = (),
        head: Span | None = None,
        label: str | None = None,
    ) -> Statement:
        """A statement from the token `first` to the one just read."""
        start = self.lexemes[first].start
        span = Span(start, self.lexemes[max(first, self.i - 1)].end)
        above = comments_above(self.source, self.comments, start)
        return Statement(kind, span, tuple(children), head, label, above)

    def block(self) -> list[Statement]:
        """Statements up to a closing brace (not read) or the end."""
        out: list[Statement] = []
        while self.i < len(self.lexemes) and self.text() != "}":
            out.append(self.statement())
        return fold_groups(out, self.directives)

    def statement(self) -> Statement:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            line = self.source.line(self.lexemes[self.i].start)
            raise UnreadableSource(self.source.path, "statements are nested too deeply", line)
        try:
            return self.one()
        finally:
            self.depth -= 1

    def one(self) -> Statement:
        first, lexeme = self.i, self.lexemes[self.i]
        text = lexeme.text
        if lexeme.kind in ("directive", "skipped"):
            self.i += 1
            return self.node(StatementKind(lexeme.kind), first)
        match text:
            case "{":
                return self.compound()
            case ";":
                self.i += 1
                return self.node(StatementKind.EMPTY, first)
            case "if":
                return self.if_statement()
            case "else":
                # Its `if` is in an arm of a conditional that is over.
                return self.else_part()
            case "do":
                return self.do_statement()
            case "switch" | "while" | "for":
                self.i += 1
                head = self.parenthesised()
                return self.node(_GUARDED[text], first, self.governed(), head)
            case "case" | "default":
                return self.case_marker()
            case "goto":
                target = self.text(1)
                self.to_semicolon()
                return self.node(StatementKind.GOTO, first, label=target or None)
            case "return":
                inner = self.to_semicolon()
                end = self.lexemes[self.i - 1]
                value = Span(lexeme.end, end.start if end.text == ";" else end.end)
                return self.node(StatementKind.RETURN, first, inner, self.trimmed(value))
            case "break" | "continue":
                self.to_semicolon()
                return self.node(_JUMPS[text], first)
        if lexeme.is_word and self.text(1) == ":":
            self.i += 2
            return self.node(StatementKind.LABEL, first, label=text)
        if self.is_macro_block():
            self.i += 1
            head = self.parenthesised()
            return self.node(StatementKind.MACRO_BLOCK, first, self.governed(), head)
        kind = self.simple_kind()
        inner = self.to_semicolon()
        return self.node(kind, first, inner)

    def compound(self) -> Statement:
        first = self.i
        self.i += 1
        children = self.block()
        if self.text() == "}":
            self.i += 1
        return self.node(StatementKind.COMPOUND, first, children)

    def if_statement(self) -> Statement:
        first = self.i
        self.i += 1
        head = self.parenthesised()
        children = self.governed()
        ahead = 0
        while self.i + ahead < len(self.lexemes) and self.is_preproc(ahead):
            ahead += 1
        if self.text(ahead) == "else" and self.reaches_else(ahead):
            while self.is_preproc(0):
                children.append(self.statement())
            children.append(self.statement())
        return self.node(StatementKind.IF, first, fold_groups(children, self.directives), head)

    def reaches_else(self, ahead: int) -> bool:
        """Whether the directives before an `else` leave it with this `if`."""
        kinds = [
            self.directives[lexeme.start].kind
            for lexeme in self.lexemes[self.i : self.i + ahead]
            if lexeme.kind == "directive"
        ]
        # After an `#else` or `#elif` the `else` answers an `if` of before the conditional,
        # unless the conditional is over again by then.
        return not any(k.startswith("el") for k in kinds) or "endif" in kinds

    def else_part(self) -> Statement:
        first = self.i
        self.i += 1
        return self.node(StatementKind.ELSE, first, self.governed())

    def do_statement(self) -> Statement:
        first = self.i
        self.i += 1
        children = self.governed()
        head = None
        if self.text() == "while":
            self.i += 1
            head = self.parenthesised()
            if self.text() == ";":
                self.i += 1
        return self.node(StatementKind.DO, first, children, head)

    def case_marker(self) -> Statement:
        first = self.i
        self.i += 1
        ternaries = 0
        while self.i < len(self.lexemes) and self.text() not in (";", "{", "}"):
            text = self.text()
            if text == "(":
                self.i = self.pairs.get(self.i, self.i)
            elif text == "?":
                ternaries += 1
            elif text == ":":
                if ternaries == 0:
                    break
                ternaries -= 1
            self.i += 1
        value = Span(self.lexemes[first].end, self.lexemes[self.i - 1].end)
        if self.text() == ":":
            self.i += 1
        return self.node(StatementKind.CASE, first, head=self.trimmed(value))

    def governed(self) -> list[Statement]:
        """The statement under an if, else or loop, with the directives and labels before it."""
        out: list[Statement] = []
        while self.i < len(self.lexemes) and self.text() != "}":
            out.append(self.statement())
            if out[-1].kind not in (
                StatementKind.DIRECTIVE,
                StatementKind.SKIPPED,
                StatementKind.LABEL,
                StatementKind.CASE,
            ):
                break
        return out

    def is_preproc(self, ahead: int) -> bool:
        return self.lexemes[self.i + ahead].kind in ("directive", "skipped")

    def parenthesised(self) -> Span | None:
        """Reads `( ... )`; what stands inside, or None if there are no such parentheses."""
        if self.text() != "(" or self.i not in self.pairs:
            return None
        begin, end = self.i, self.pairs[self.i]
        self.i = end + 1
        return self.trimmed(Span(self.lexemes[begin].end, self.lexemes[end].start))

    def trimmed(self, span: Span) -> Span | None:
        text = self.source.slice(span)
        if not text.strip():
            return None
        start = span.start + len(text) - len(text.lstrip())
        return Span(start, start + len(text.strip()))

    def is_macro_block(self) -> bool:
        """`word(...) {`, or a `for_each` word whose parentheses have no operator after them."""
        if not self.lexemes[self.i].is_word or self.text(1) != "(":
            return False
        end = self.pairs.get(self.i + 1)
        if end is None or end + 1 >= len(self.lexemes):
            return False
        following = self.lexemes[end + 1]
        return following.text == "{" or (bool(_LOOP_WORD.search(self.text())) and following.is_word)

    def simple_kind(self) -> StatementKind:
        """Whether it declares, from the first tokens and what tree-sitter took them for."""
        lexeme = self.lexemes[self.i]
        if lexeme.text in _ASM:
            return StatementKind.ASM
        if lexeme.text in _DECLARING or (
            lexeme.kind in _DECLARING_LEAVES and self.text(1) not in ("", "}", "(", "=", ";", ",")
        ):
            return StatementKind.DECLARATION
        if lexeme.is_word:
            ahead = 1
            while self.text(ahead) == "*":
                ahead += 1
            after = self.text(ahead)
            named = after[:1].isalpha() or after[:1] == "_"
            if named and (ahead == 1 or self.text(ahead + 1) in ("=", ";", ",", "[")):
                return StatementKind.DECLARATION
        return StatementKind.EXPRESSION

    def to_semicolon(self) -> list[Statement]:
        """Reads to the end of a simple statement; gives the directives inside it.

        A macro call without a semicolon ends with its line; a brace that closes
        what is around it ends any statement.
        """
        first = self.i
        inner: list[Statement] = []
        while self.i < len(self.lexemes) and self.text() != "}":
            text = self.text()
            if text == ";":
                self.i += 1
                break
            if self.i > first and text in ("(", "[", "{") and self.i in self.pairs:
                end = self.pairs[self.i]
                while self.i < end:
                    if self.is_preproc(0):
                        inner.append(self.one())
                    else:
                        self.i += 1
                self.i += 1
                if end == self.pairs.get(first + 1) and self.ends_as_macro(first):
                    break
                continue
            if self.is_preproc(0):
                inner.append(self.one())
            else:
                self.i += 1
        return inner

    def ends_as_macro(self, first: int) -> bool:
        """Whether `MACRO(...)`, just read, is all: the next token starts a line and is a word."""
        if self.i >= len(self.lexemes) or not self.lexemes[first].text.isupper():
            return False
        between = self.source.text[self.lexemes[self.i - 1].end : self.lexemes[self.i].start]
        following = self.lexemes[self.i]
        return "\n" in between and (following.is_word or following.kind == "directive")


def fold_groups(
    statements: Sequence[Statement], directives: Mapping[int, Directive]
) -> list[Statement]:
    """The list with each conditional that begins and ends in it made one PREPROC_GROUP."""
    out: list[Statement] = []
    opened: list[int] = []
    for statement in statements:
        out.append(statement)
        if statement.kind is not StatementKind.DIRECTIVE:
            continue
        match directives[statement.span.start].kind:
            case "if" | "ifdef" | "ifndef":
                opened.append(len(out) - 1)
            case "endif" if opened:
                at = opened.pop()
                members = tuple(out[at:])
                del out[at:]
                first = members[0]
                out.append(
                    Statement(
                        StatementKind.PREPROC_GROUP,
                        Span(first.span.start, statement.span.end),
                        (replace(first, leading_comments=()), *members[1:]),
                        leading_comments=first.leading_comments,
                    )
                )
    return out


def statements_in(
    source: SourceText,
    lexemes: Sequence[Lexeme],
    comments: Sequence[Span],
    directives: Mapping[int, Directive],
    function: FunctionText,
) -> tuple[Statement, ...]:
    """The statements between a function's braces.

    `lexemes` are the file's code tokens, an arm that `unbalanced_arms` names
    being one token of the kind "skipped"; `directives` are keyed by offset.

    Raises UnreadableSource when the nesting is absurdly deep.
    """
    body = function.body
    first = bisect_right(lexemes, body.start, key=lambda lx: lx.start)
    inside = lexemes[first : bisect_left(lexemes, body.end, key=lambda lx: lx.end)]
    parser = _Parser(source, inside, comments, directives)
    out: list[Statement] = []
    while parser.i < len(inside):
        if parser.text() == "}":
            # A brace too many: another arm's. It carries no structure.
            parser.i += 1
            continue
        out.extend(parser.block())
    return tuple(fold_groups(out, directives))


def innermost(statements: Sequence[Statement], offset: int) -> Statement | None:
    """The deepest statement that holds `offset`."""
    for statement in statements:
        if offset in statement.span:
            return innermost(statement.children, offset) or statement
    return None
