# SPDX-License-Identifier: GPL-2.0-only
"""From what each outcome leaves to one dispatch over the helper's result.

MAPERR: a; f(SIGSEGV, SEGV_MAPERR);        a;
ACCERR: a; f(SIGSEGV, SEGV_ACCERR);  -->   if (res == GFAULT_SIGBUS)
SIGBUS: a; f(SIGBUS, BUS_ADRERR);                  f(SIGBUS, BUS_ADRERR);
                                           else
                                                   f(SIGSEGV, res == GFAULT_ACCERR ?
                                                     SEGV_ACCERR : SEGV_MAPERR);
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from codegen.targets.c.blocks import Block, If, Text
from codegen.targets.c.nodes import HelperResult
from codegen.targets.c.steps import (
    Branch,
    Exit,
    Hole,
    Leaving,
    Line,
    Pieces,
    Residual,
    Step,
    plain,
    tidy,
    without_comments,
)


class Huge(StrEnum):
    """Results that have no enumerator: what lies above the text."""

    POISON = f"{HelperResult.POISON} + PAGE_SHIFT"
    """A hardware memory error in a huge page, where it is answered in a way of its own."""


R = HelperResult
Answer = HelperResult | Huge
ORDER: tuple[Answer, ...] = (
    *(R.DONE, R.FOAD, R.KERN, R.SIGBUS, R.POISON),
    *(Huge.POISON, R.SIGSEGV, R.ACCERR, R.MAPERR),
)
_TOKEN = re.compile(r'\s+|"(?:\\.|[^"\\])*"|\w+|->|&&|\|\||[=!<>|&+-]=|\S')
Cases = dict[Answer, Residual]


@dataclass(frozen=True, slots=True)
class Ways:
    """How exits are written: what the handler returns, and where its text goes on behind."""

    result: str
    falls_to: str | None = None
    """The label right behind the dispatch."""
    ends: bool = True
    """The function ends behind the dispatch, so that a `return;` there is no more than said."""


def write_dispatch(cases: Cases, ways: Ways, result: str) -> tuple[Block, ...]:
    """The statements that answer every result in `cases`; `result` is the variable's name."""
    return tuple(_Writer(ways, result).every(cases, last=True))


def same_residual(one: Residual, other: Residual) -> bool:
    """Whether two residuals do the same."""
    return without_comments(one) == without_comments(other)


class _Writer:
    def __init__(self, ways: Ways, result: str) -> None:
        self.ways, self.result = ways, result

    def every(self, cases: Cases, *, last: bool) -> list[Block]:
        """The statements for some cases; nothing but these is left to happen."""
        blocks: list[Block] = []
        while len(cases) > 1 and (merged := self._first(cases)) is not None:
            blocks += self._step(merged)
            cases = {r: Residual(c.steps[1:], c.exit) for r, c in cases.items()}
        groups = self._groups(cases)
        if len(groups) == 1:
            group = groups[0]
            body = self._merged(group)
            assert body is not None
            return [*blocks, *self._body(body, last=last)]
        if blocks:
            return [*blocks, *self.every(cases, last=last)]
        final = groups[-1]
        ending = self._exit_key(final)
        for group in groups[:-1]:
            # What leaves in a way of its own stands first, and the rest is simpler for it.
            if R.KERN in group or self._exit_key(group) != ending:
                body = self._merged(group)
                assert body is not None
                inner = self._body(body, last=False)
                rest = {r: c for r, c in cases.items() if r not in group}
                test = If(self._test(group, cases), tuple(inner))
                return [test, *self.every(rest, last=last)]
        return [*self._choice(groups, cases), *self._leave(next(iter(final.values())).exit, last)]

    def _choice(self, groups: Sequence[Cases], cases: Cases) -> list[Block]:
        """An if/else chain over groups that all go on in the same way."""
        group, rest = groups[0], {r: c for g in groups[1:] for r, c in g.items()}
        body = self._merged(group)
        assert body is not None
        then = self._steps(body.steps)
        if len(groups) == 2:
            other = self._merged(groups[1])
            assert other is not None
            otherwise = self._steps(other.steps)
        else:
            otherwise = self._choice(groups[1:], rest)
        if not then:
            return [If(self._test(rest, cases), tuple(otherwise))] if otherwise else []
        return [If(self._test(group, cases), tuple(then), tuple(otherwise))]

    # -- merging -----------------------------------------------------------------

    def _groups(self, cases: Cases) -> list[Cases]:
        """Cases that one text can serve, in the order of the dispatch."""
        groups: list[Cases] = []
        for result in ORDER:
            if result not in cases:
                continue
            for group in groups:
                if R.KERN not in group and self._merged({**group, result: cases[result]}):
                    group[result] = cases[result]
                    break
            else:
                groups.append({result: cases[result]})
        # What a missing mapping gets comes last: everything else is an exception to it.
        groups.sort(key=lambda g: (R.MAPERR in g, R.ACCERR in g))
        return groups

    def _exit_key(self, group: Cases) -> tuple[object, ...]:
        ending = next(iter(group.values())).exit
        if ending is None:
            return ()
        return (ending.kind, tidy(plain(ending.value)), ending.label, ending.settings)

    def _first(self, cases: Cases) -> Step | None:
        """The first step of all cases, if they share it to the letter."""
        firsts = [c.steps[0] if c.steps else None for c in cases.values()]
        one = firsts[0]
        if one is None or any(f is None for f in firsts):
            return None
        bare = [without_comments(Residual((f,))) for f in firsts if f is not None]
        if any(b != bare[0] for b in bare[1:]):
            return None
        return _without_holes(one)

    def _merged(self, group: Cases) -> Residual | None:
        """One residual that serves the whole group, or None."""
        results = list(group)
        first = group[results[0]]
        if any(
            self._exit_key({r: c}) != self._exit_key({results[0]: first}) for r, c in group.items()
        ):
            return None
        if any(len(c.steps) != len(first.steps) for c in group.values()):
            return None
        steps: list[Step] = []
        for position in range(len(first.steps)):
            merged = self._merged_step({r: group[r].steps[position] for r in results})
            if merged is None:
                return None
            steps.append(merged)
        return Residual(tuple(steps), first.exit)

    def _merged_step(self, steps: Mapping[Answer, Step]) -> Step | None:
        bare = [without_comments(Residual((s,))) for s in steps.values()]
        comments = next((s.comments for s in steps.values() if s.comments), ())
        if all(b == bare[0] for b in bare[1:]):
            step = _without_holes(next(iter(steps.values())))
            if isinstance(step, Line):
                return Line(step.pieces, comments, step.oom, step.verbatim)
            return step
        lines = [s for s in steps.values() if isinstance(s, Line)]
        if len(lines) != len(steps):
            return None
        tokens = [_tokens(line.pieces) for line in lines]
        if len({len(t) for t in tokens}) != 1:
            return None
        differing = [i for i in range(len(tokens[0])) if len({t[i][1] for t in tokens}) > 1]
        if len(differing) != 1:
            return None
        at = differing[0]
        if tokens[0][at + 1 : at + 2] and tokens[0][at + 1][1] == "(":
            # Another function is called.
            return None
        values: dict[str, list[Answer]] = {}
        for result, texts in zip(steps, tokens, strict=True):
            values.setdefault(texts[at][1], []).append(result)
        if len(values) != 2 or not all(v[:1].isalpha() for v in values):
            return None
        (some, rare), (others, many) = sorted(
            values.items(), key=lambda v: (R.MAPERR in v[1], R.ACCERR not in v[1])
        )
        if R.SIGBUS in rare or R.SIGBUS in many:
            return None
        if len(rare) > 1 and len(many) == 1:
            some, rare, others = others, many, some
        test = self._tests(rare, steps)
        choice = f"{test} ? {some} : {others}"
        return Line((_fill(tokens[0], at, choice),), comments, lines[0].oom)

    # -- text --------------------------------------------------------------------

    def _tests(self, results: Sequence[Answer], cases: Iterable[Answer]) -> str:
        """The condition that the answer is one of `results`, where it is one of `cases`."""
        poison = [r for r in (R.POISON, Huge.POISON) if r in results]
        tests = [
            f"{self.result} == {r}" for r in sorted(results, key=ORDER.index) if r not in poison
        ]
        if poison:
            others = [r for r in (R.POISON, Huge.POISON) if r in cases and r not in poison]
            match others:
                case [R.POISON]:
                    tests.append(f"{self.result} > {Huge.POISON}")
                case [Huge.POISON]:
                    tests.append(f"{self.result} == {Huge.POISON}")
                case _:
                    tests.append(f"{self.result} >= {R.POISON}")
        return " || ".join(tests)

    def _test(self, group: Cases, cases: Cases) -> str:
        """The shortest condition that tells the group from the other cases."""
        others = [r for r in cases if r not in group]
        if len(others) == 1 and len(group) > 1 and others[0] not in (R.POISON, Huge.POISON):
            return f"{self.result} != {others[0]}"
        return self._tests(list(group), cases)

    def _body(self, residual: Residual, *, last: bool) -> list[Block]:
        return [*self._steps(residual.steps), *self._leave(residual.exit, last)]

    def _steps(self, steps: Sequence[Step]) -> list[Block]:
        return [block for step in steps for block in self._step(step)]

    def _step(self, step: Step) -> list[Block]:
        match step:
            case Line():
                text = plain(step.pieces)
                return [Text(text, step.comments, step.verbatim)]
            case Branch():
                condition = " ".join(plain(step.condition).split())
                then = self._body(step.then, last=False)
                other = self._body(step.otherwise, last=False)
                if not then:
                    return [If(f"!({condition})", tuple(other), (), "", step.comments)]
                return [If(condition, tuple(then), tuple(other), "", step.comments)]

    def _leave(self, ending: Exit | None, last: bool) -> list[Block]:
        if ending is None:
            return []
        match ending.kind:
            case Leaving.NEVER:
                return []
            case Leaving.GOTO:
                before: list[Block] = [Text(f"{n} = {v};") for n, v in ending.settings]
                if last and ending.label == self.ways.falls_to:
                    return before
                return [*before, Text(f"goto {ending.label};")]
            case Leaving.RETURN:
                value = " ".join(plain(ending.value).split())
                if not value and last and self.ways.ends:
                    return []
                return [Text(f"return {value};" if value else "return;")]


def _tokens(pieces: Pieces) -> list[tuple[str, str]]:
    """A statement's tokens, each with the white space before it; a hole is one token."""
    found: list[tuple[str, str]] = []
    space = ""
    for piece in pieces:
        if isinstance(piece, Hole):
            found.append((space, piece.text))
            space = ""
            continue
        for match in _TOKEN.finditer(piece):
            if match.group().isspace():
                space = " "
            else:
                found.append((space, match.group()))
                space = ""
    return found


def _fill(tokens: Sequence[tuple[str, str]], at: int, choice: str) -> str:
    """The statement with a conditional expression for one token."""
    before = tokens[at - 1][1] if at else ""
    after = tokens[at + 1][1] if at + 1 < len(tokens) else ""
    text = choice if before in ("(", ",", "=") and after in (")", ",", ";") else f"({choice})"
    return "".join(space + (text if i == at else token) for i, (space, token) in enumerate(tokens))


def _without_holes(step: Step) -> Step:
    match step:
        case Line():
            text = (plain(step.pieces),)
            return Line(text, step.comments, step.oom, step.verbatim)
        case Branch():
            return step
