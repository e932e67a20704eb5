# SPDX-License-Identifier: GPL-2.0-only
"""Find the function definitions of a file, whatever macros stand around them.

tree-sitter's own `function_definition` nodes break on nearly every kernel
file (`void __kprobes f(...)`, `DEFINE_SOMETHING(f) {...}`), so definitions
are found on the tokens: at the outermost level, a name, balanced
parentheses, perhaps attributes, and a braced body.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.base.spans import SourceText, Span
from codegen.csyntax.directives import enclosing, whole_conditionals
from codegen.csyntax.layout import block_comment_above
from codegen.csyntax.lex import Lexeme
from codegen.csyntax.nodes import Conditional, FunctionText

# Words before parentheses that never are the function's name.
_NOT_NAMES = frozenset(
    (
        *("__attribute__", "__attribute", "__declspec", "_Alignas", "asm", "__asm__", "__asm"),
        *("typeof", "__typeof__", "if", "for", "while", "switch", "return", "sizeof"),
    )
)
_STORAGE = frozenset(("static", "extern", "inline", "__inline", "__inline__", "const"))
_CLOSERS = {")": "(", "]": "[", "}": "{"}


def pair_brackets(lexemes: Sequence[Lexeme]) -> dict[int, int]:
    """The index of each opening bracket's closing one.

    A brace outranks the others: it closes whatever was left open inside; a
    closing bracket that fits nothing is passed over.
    """
    pairs: dict[int, int] = {}
    stack: list[int] = []
    braces = 0
    for i, lexeme in enumerate(lexemes):
        text = lexeme.text
        if text in "([{":
            stack.append(i)
            braces += text == "{"
        elif text in _CLOSERS:
            wanted = _CLOSERS[text]
            if wanted == "{" and braces:
                while lexemes[stack[-1]].text != "{":
                    stack.pop()
                braces -= 1
            if stack and lexemes[stack[-1]].text == wanted:
                pairs[stack.pop()] = i
    return pairs


@dataclass(frozen=True, slots=True)
class _Head:
    """A definition's head: the indices of its first token and of its name."""

    first: int
    name: int
    is_static: bool


class _Scan:
    """One pass over a file's outermost level."""

    def __init__(self, text: str, lexemes: Sequence[Lexeme], pairs: Mapping[int, int]) -> None:
        self.text, self.lexemes, self.pairs = text, lexemes, pairs
        flush = [i for i, lx in enumerate(lexemes) if lx.text in "{}" and self.flush_left(i)]
        self.flush_open = [i for i in flush if lexemes[i].text == "{"]
        self.flush_close = [i for i in flush if lexemes[i].text == "}"]

    def flush_left(self, i: int) -> bool:
        start = self.lexemes[i].start
        return start == 0 or self.text[start - 1] == "\n"

    def definitions(self) -> list[tuple[_Head, int, int]]:
        """(head, index of `{`, index of `}`) of each definition."""
        found: list[tuple[_Head, int, int]] = []
        pending = i = 0
        while i < len(self.lexemes):
            match self.lexemes[i].text:
                case "(" | "[":
                    i = self.pairs.get(i, i)
                case ";" | "}":
                    pending = i + 1
                case "{":
                    head = self.head(pending, i)
                    if head is None:
                        i = self.pairs.get(i, i)
                    elif (end := self.body_end(i)) is not None:
                        found.append((head, i, end))
                        i = end
                        pending = end + 1
                    else:
                        pending = i + 1
            i += 1
        return found

    def body_end(self, begin: int) -> int | None:
        """Where a body ends: at its brace, or where the layout says if the braces do not pair."""
        end = self.pairs.get(begin)
        limit = len(self.lexemes) if end is None else end
        later = self.flush_open[bisect_right(self.flush_open, begin) :]
        intruder = next((i for i in later if i < limit and self.opens_function(i)), None)
        if end is not None and intruder is None:
            if not self.flush_left(begin) or self.flush_left(end):
                return end
            # Closed early, by a brace that is not where a body's is: look for the one that is.
            following = next((i for i in later if self.opens_function(i)), len(self.lexemes))
            at = bisect_left(self.flush_close, end)
            if at < len(self.flush_close) and self.flush_close[at] < following:
                return self.flush_close[at]
            return end
        stop = bisect_left(self.flush_close, limit if intruder is None else intruder)
        candidates = self.flush_close[bisect_right(self.flush_close, begin) : stop]
        return candidates[-1] if candidates else None

    def opens_function(self, brace: int) -> bool:
        """Whether the brace at the left margin follows `type name(...)`."""
        if brace < 3 or self.lexemes[brace - 1].text != ")":
            return False
        depth = 0
        for i in range(brace - 1, 1, -1):
            depth += {")": 1, "(": -1}.get(self.lexemes[i].text, 0)
            if depth == 0:
                name, before = self.lexemes[i - 1], self.lexemes[i - 2]
                return (
                    name.is_word
                    and name.text not in _NOT_NAMES
                    and (before.text == "*" or (before.is_word and before.text != "else"))
                )
        return False

    def head(self, first: int, brace: int) -> _Head | None:
        """The definition's head among the tokens first..brace-1, if that is what they are."""
        calls: list[int] = []
        i = first
        while i < brace:
            lexeme = self.lexemes[i]
            if lexeme.text == "=":
                return None
            if lexeme.text == "(" and i in self.pairs:
                end = self.pairs[i]
                name = i - 1
                if name >= first and self.lexemes[name].is_word:
                    calls.append(name)
                    if name == first and end + 1 < brace and self.stands_alone(name, end):
                        # A file-level macro without a semicolon; the head starts after it.
                        calls.clear()
                        first = end + 1
                i = end
            elif lexeme.text in "[{" and i in self.pairs:
                i = self.pairs[i]
            elif lexeme.kind == "directive" and not calls:
                first = i + 1
            i += 1
        calls = [i for i in calls if self.lexemes[i].text not in _NOT_NAMES]
        if not calls:
            return None
        name = self.choose(first, calls)
        for i in range(first, name):
            if self.lexemes[i].kind == "directive":
                first = i + 1
        words = [self.lexemes[i].text for i in range(first, name)]
        if self.is_macro_name(name) and not any(self.is_type(w) for w in words):
            inner = name + 2
            if not self.lexemes[inner].is_word:
                return None
            name = inner
        return _Head(first, name, "static" in words)

    def stands_alone(self, name: int, end: int) -> bool:
        following = self.lexemes[end + 1]
        return (
            self.is_macro_name(name)
            and self.flush_left(end + 1)
            and following.text != "{"
            and "\n" in self.text[self.lexemes[end].end : following.start]
        )

    def is_macro_name(self, i: int) -> bool:
        text = self.lexemes[i].text
        return text.isupper() and len(text) > 2

    @staticmethod
    def is_type(word: str) -> bool:
        """Whether a word before a name is more than a storage class or an attribute."""
        return word not in _STORAGE and not word.startswith("__")

    def choose(self, first: int, calls: list[int]) -> int:
        """Which `word(...)` is the function's name; attributes with arguments look the same."""
        plain = [i for i in calls if not self.lexemes[i].text.startswith("__")]
        candidates = plain or calls
        for i in candidates:
            if i > first and (self.lexemes[i - 1].text == "*" or self.typed(first, i)):
                return i
        return candidates[0]

    def typed(self, first: int, name: int) -> bool:
        before = self.lexemes[first:name]
        return before[-1].is_word and any(lx.is_word and self.is_type(lx.text) for lx in before)


def find_functions(
    source: SourceText,
    lexemes: Sequence[Lexeme],
    conditionals: Sequence[Conditional],
    comments: Sequence[Span],
) -> tuple[FunctionText, ...]:
    """Every function definition in the file, in order; one in each arm counts for itself.

    `lexemes` are the code tokens without the arms that `unbalanced_arms` names.
    """
    scan = _Scan(source.text, lexemes, pair_brackets(lexemes))
    functions = []
    for head, begin, end in scan.definitions():
        written = Span(lexemes[head.first].start, lexemes[end].end)
        span = whole_conditionals(conditionals, written)
        functions.append(
            FunctionText(
                name=lexemes[head.name].text,
                span=span,
                name_span=lexemes[head.name].span,
                body=Span(lexemes[begin].start, lexemes[end].end),
                is_static=head.is_static,
                leading_comment=block_comment_above(source, comments, span.start),
                conditionals=enclosing(conditionals, span),
            )
        )
    return tuple(functions)
