# SPDX-License-Identifier: GPL-2.0-only
"""A C file to its `SyntaxTree`; what the tree offers is worked out when it is asked for."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from codegen.base.spans import SourceText, Span
from codegen.csyntax import directives as preproc
from codegen.csyntax import layout, statements
from codegen.csyntax.functions import find_functions
from codegen.csyntax.lex import Lexeme, Outline, lex, outline
from codegen.csyntax.nodes import Conditional, Directive, FunctionText, Statement, Token


@dataclass(frozen=True)
class SyntaxTree:
    """The lossless view of one file."""

    source: SourceText

    @cached_property
    def outline(self) -> Outline:
        """Which parts are comments, literals and preprocessor lines."""
        return outline(self.source.text)

    @cached_property
    def lexemes(self) -> tuple[Lexeme, ...]:
        """The code tokens in order; each literal and each directive is one, comments are none."""
        return lex(self.source, self.outline)

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """Everything that is not white space (or a continued line's backslash), in order."""
        code = [(lx.start, lx.end, lx.kind) for lx in self.lexemes]
        comments = [region for region in self.outline.regions if region[2] == "comment"]
        return tuple(Token(k, Span(start, end)) for start, end, k in sorted(code + comments))

    def render(self) -> str:
        """The file put together again from the tokens and the trivia between them."""
        text, pos = self.source.text, 0
        pieces: list[str] = []
        for token in self.tokens:
            pieces += (text[pos : token.span.start], self.source.slice(token.span))
            pos = token.span.end
        return "".join((*pieces, text[pos:]))

    @property
    def comments(self) -> tuple[Span, ...]:
        """All comments, also those inside preprocessor lines."""
        return self.outline.comments

    @cached_property
    def directives(self) -> tuple[Directive, ...]:
        """All preprocessor lines, in order."""
        return tuple(preproc.read_directive(self.source, span) for span in self.outline.directives)

    @cached_property
    def conditional_groups(self) -> tuple[Conditional, ...]:
        """The outermost `#if` ... `#endif`, each with those inside it."""
        return preproc.conditional_groups(self.source, self.directives)

    @cached_property
    def functions(self) -> tuple[FunctionText, ...]:
        """Every function definition, in order; the same name may come more than once."""
        code = [lx for lx in self._structure if lx.kind != "skipped"]
        return find_functions(self.source, code, self.conditional_groups, self.comments)

    def function_at(self, offset: int) -> FunctionText | None:
        """The function whose definition holds `offset`."""
        return next((f for f in self.functions if offset in f.span), None)

    def statements_in(self, function: FunctionText) -> tuple[Statement, ...]:
        """The statements between the function's braces, see `Statement`.

        Raises UnreadableSource when they are nested absurdly deep.
        """
        known = self._statements.get(function)
        if known is None:
            by_start = {directive.span.start: directive for directive in self.directives}
            known = statements.statements_in(
                self.source, self._structure, self.comments, by_start, function
            )
            self._statements[function] = known
        return known

    def statement_at(self, function: FunctionText, offset: int) -> Statement | None:
        """The innermost statement that holds `offset`; None between statements."""
        return statements.innermost(self.statements_in(function), offset)

    def line_span(self, span: Span) -> Span:
        """`span` extended to whole lines, with indentation and newline."""
        return layout.line_span(self.source, span)

    @cached_property
    def _statements(self) -> dict[FunctionText, tuple[Statement, ...]]:
        return {}

    @cached_property
    def _structure(self) -> tuple[Lexeme, ...]:
        """The lexemes, each arm whose brackets do not balance being one of the kind "skipped"."""
        arms = preproc.unbalanced_arms(self.conditional_groups, self.lexemes)
        arms = tuple(a for a in arms if not any(b != a and b.covers(a) for b in arms))
        if not arms:
            return self.lexemes
        starts = [arm.start for arm in arms]
        out: list[Lexeme] = []
        for lexeme in self.lexemes:
            at = bisect_right(starts, lexeme.start) - 1
            if at < 0 or lexeme.start >= arms[at].end:
                out.append(lexeme)
            elif out and out[-1].kind == "skipped" and out[-1].start >= arms[at].start:
                out[-1] = out[-1]._replace(end=lexeme.end)
            else:
                out.append(Lexeme("#", lexeme.start, lexeme.end, "skipped"))
        return tuple(out)


def parse(source: SourceText) -> SyntaxTree:
    """The lossless view of a C file. Never fails: broken C has tokens too."""
    return SyntaxTree(source)
