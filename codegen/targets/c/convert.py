# SPDX-License-Identifier: GPL-2.0-only
"""A handler's file with the mm dance replaced by one call of `generic_fault()`.

    prologue; retry: dance; map   -->   prologue; decode; res = generic_fault(); dispatch

Everything is learnt from the handler. What is left of its own statements
behind each outcome (`walk.py`) is put together to one dispatch, what leads to
the fault (`decode.py`) to one decode; the rest of the text stays byte for byte.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, replace

from codegen.base.diagnostics import Refusal, RefusalCode, RefusedError
from codegen.base.spans import SourceText, Span
from codegen.csyntax.directives import enclosing
from codegen.csyntax.edit import Edit, apply_edits, delete_statements
from codegen.csyntax.identifiers import uses_of, words_in
from codegen.csyntax.nodes import FunctionText, Statement, StatementKind
from codegen.csyntax.parse import SyntaxTree
from codegen.ir.environment import Outcome
from codegen.ir.load import Unit
from codegen.ir.vocabulary import Role
from codegen.targets.c.blocks import Blank, Block, If, Label, Text, write
from codegen.targets.c.cleanup import clean, join_declarations
from codegen.targets.c.decode import Decode, build_decode
from codegen.targets.c.dispatch import Cases, Huge, Ways, same_residual, write_dispatch
from codegen.targets.c.fix import fix_missing_cases
from codegen.targets.c.headers import Headers
from codegen.targets.c.includes import add_include, drop_includes
from codegen.targets.c.nodes import HELPER_FUNCTION, HelperResult, MmApi
from codegen.targets.c.region import Region, ends_flow, find_region
from codegen.targets.c.runs import the_residual
from codegen.targets.c.scene import Scenario, poison_shift
from codegen.targets.c.source import Body, HandlerFile, every
from codegen.targets.c.steps import (
    Exit,
    Hole,
    Leaving,
    Line,
    Pieces,
    Residual,
    Step,
    plain,
    without_comments,
)
from codegen.targets.render import render

R = HelperResult
_USER = {
    R.MAPERR: Outcome.NO_VMA,
    R.ACCERR: Outcome.ACCESS_DENIED,
    R.SIGSEGV: Outcome.SIGSEGV,
    R.SIGBUS: Outcome.SIGBUS,
    R.POISON: Outcome.HWPOISON_LARGE,
}
_KERNEL = (
    *(Outcome.NO_VMA, Outcome.ACCESS_DENIED, Outcome.SIGSEGV, Outcome.SIGBUS, Outcome.OOM),
    *(Outcome.HWPOISON, Outcome.HWPOISON_LARGE, Outcome.SIGNAL_PENDING),
)
_UNLOCKS = frozenset((Role.UNLOCK, Role.SEM_UNLOCK, Role.UNLOCK_VMA))
_SHORT_TAIL = 6


@dataclass(frozen=True)
class Conversion:
    """A converted file: its text, the edits that lead there, and what a reader should know.

    `notes` begin with a class or a word: `flag-loss: ...`, `early-effect: ...`.
    """

    source: SourceText
    edits: tuple[Edit, ...]
    notes: tuple[str, ...]


def convert_handler(
    unit: Unit,
    found_function: str,
    api: MmApi,
    fixes: frozenset[str] = frozenset(),
    headers: Headers | None = None,
) -> Conversion | Refusal:
    """The file of `unit` with the handler `found_function` converted, or why it cannot be.

    `fixes` are the classes of difference in which the better behaviour is wanted,
    `headers` those of the file's tree: they tell which includes nothing needs any more.
    Nothing is verified here: the caller compares the result with the original.
    """
    refusal = _refused_at_once(unit, found_function)
    if refusal is not None:
        return refusal
    try:
        return _Conversion(unit, found_function, api, fixes, headers).convert()
    except RefusedError as error:
        return error.refusal
    except RecursionError:
        return Refusal(
            RefusalCode.RESOURCE,
            "the code is nested too deeply",
            found_function,
            unit.source.path,
            1,
        )


def converted_function(tree: SyntaxTree) -> FunctionText | None:
    """The function that calls `generic_fault()`, if the file was converted already."""
    for use in uses_of(tree, HELPER_FUNCTION):
        function = tree.function_at(use.span.start)
        if function is not None and function.name != HELPER_FUNCTION:
            return function
    return None


def _calls(tree: SyntaxTree, caller: str, goal: str) -> bool:
    """Whether a function of the file is another, or comes to it through functions of the file."""
    bodies = {f.name: f.body for f in tree.functions}
    seen, todo = set[str](), [caller]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen and name in bodies:
            seen.add(name)
            todo += [word for word in words_in(tree, bodies[name]) if word in bodies]
    return False


def _refused_at_once(unit: Unit, function: str) -> Refusal | None:
    """What needs no look at the handler's statements."""
    source = unit.source
    own = next((f for f in unit.tree.functions if f.name == HELPER_FUNCTION), None)
    if own is not None:
        return Refusal(
            RefusalCode.SHAPE,
            "the file has a function of that name of its own",
            f"{HELPER_FUNCTION}()",
            source.path,
            source.line(own.name_span.start),
        )
    converted = converted_function(unit.tree)
    if converted is not None:
        # A second loop (sparc32's forced user faults) is left to dance by itself.
        # The call may stand in a function that the loop's calls, or calls it.
        half = any(f.function == function for v in unit.variants for f in v.found) and (
            _calls(unit.tree, function, converted.name)
            or _calls(unit.tree, converted.name, function)
        )
        return Refusal(
            RefusalCode.SHAPE if half else RefusalCode.CONVERTED,
            f"the file calls {HELPER_FUNCTION}() and still has a loop of its own around "
            "handle_mm_fault(): half of it was converted by hand"
            if half
            else "the handler calls generic_fault() already",
            converted.name,
            source.path,
            source.line(converted.name_span.start),
        )
    if "\r\n" in source.text:
        line = source.line(source.text.index("\r\n"))
        return Refusal(
            RefusalCode.SHAPE,
            "lines end in CR LF, which is no kernel style",
            "\\r\\n",
            source.path,
            line,
        )
    if not any(function in v.program.functions for v in unit.variants):
        return Refusal(
            RefusalCode.NO_DANCE, "no function of this name was read", function, source.path, 1
        )
    return None


class _Conversion:
    def __init__(
        self,
        unit: Unit,
        function: str,
        api: MmApi,
        fixes: frozenset[str],
        headers: Headers | None,
    ) -> None:
        self.unit, self.function, self.api, self.fixes = unit, function, api, fixes
        self.headers = headers
        variants = [v for v in unit.variants if function in v.program.functions]
        dancing = [v for v in variants if any(f.function == function for f in v.found)]
        self.variant = (dancing or variants or list(unit.variants))[0]
        self.file = HandlerFile(unit.tree, self.variant.program)
        self.notes: list[str] = []

    def convert(self) -> Conversion:
        body = self._body()
        self.result = result = self._result_name(body)
        region = find_region(self.file, body, result)
        decode = build_decode(self.file, region)
        cases, done, foad = self._cases(region)
        self.notes += decode.notes
        result = self._result_name(body)
        lines, moved = self._lines(region, decode, cases, done, foad, result)
        text = self._replace(region, decode, lines, moved, result)
        source = SourceText(self.unit.source.path, text)
        source = clean(source, self.unit.tree, self.function)
        source = join_declarations(source, self.function, result, "unsigned int")
        if decode.mask_local is not None and decode.mask_local[1]:
            source = join_declarations(source, self.function, decode.mask_local[0], "unsigned long")
        purposes = self.variant.program.vocabulary.headers
        source = drop_includes(add_include(source), self.unit.tree, self.headers, purposes)
        edits = _edits(self.unit.source, source)
        return Conversion(source, edits, tuple(dict.fromkeys(self.notes)))

    def _body(self) -> Body:
        source = self.unit.source
        body = self.file.body(self.function)
        if body is None or body.tree is not self.unit.tree:
            raise RefusedError(
                Refusal(
                    RefusalCode.SHAPE,
                    "the handler has more than one definition with a dance in it",
                    self.function,
                    source.path,
                    1,
                )
            )
        return body

    def _result_name(self, body: Body) -> str:
        taken = {lx.text for lx in body.tree.lexemes if lx.start in body.text.span}
        return next(n for n in ("res", "result", "outcome") if n not in taken)

    # -- outcomes ----------------------------------------------------------------

    def _left(self, region: Region, outcome: Outcome, mode: bool) -> Residual | None:
        chain = ((region.units, region.start),)
        scenario = Scenario(outcome, mode)
        return the_residual(self.file, region.handler, scenario, region.setup, chain)

    def _cases(self, region: Region) -> tuple[Cases, Residual, Residual]:
        """What every result leaves to do; and DONE and FOAD by themselves."""
        cases: Cases = {}
        for result, outcome in _USER.items():
            left = self._left(region, outcome, True)
            if left is None:
                if result is R.ACCERR:
                    # Nothing is ever denied: the answer never comes.
                    continue
                raise self._refuse(region, f"nothing is known of what follows {outcome}")
            cases[result] = left
        if R.ACCERR not in cases:
            cases[R.ACCERR] = cases[R.MAPERR]
        cases |= self._poison(region, cases[R.POISON])
        if "missing-case" in self.fixes:
            cases = fix_missing_cases(cases, self.result)
        cases[R.KERN] = self._kernel(region)
        done = self._done(region)
        foad = self._foad(region)
        return {r: _settled(c) for r, c in cases.items()}, done, foad

    def _poison(self, region: Region, large: Residual) -> Cases:
        """POISON carries both flavours: the small one's size is a page."""
        small = self._left(region, Outcome.HWPOISON, True)
        if small is None:
            return {R.POISON: large}
        shift = poison_shift(self.result)
        if same_residual(_with_shift(small, shift), _with_shift(large, shift)):
            return {R.POISON: large}
        return {R.POISON: small, Huge.POISON: large}

    def _kernel(self, region: Region) -> Residual:
        """All failures in kernel mode are one to the helper: what most of them lead to."""
        found = [r for o in _KERNEL if (r := self._left(region, o, False)) is not None]
        real = [r for r in found if not _is_quiet(r)]
        if not real:
            raise self._refuse(region, "a fault in kernel mode is never fixed up")
        counts = Counter(without_comments(r) for r in real)
        most = max(counts.values())
        return next(r for r in real if counts[without_comments(r)] == most)

    def _done(self, region: Region) -> Residual:
        found = [
            r
            for o in (Outcome.SUCCESS, Outcome.COMPLETED)
            for m in (True, False)
            if (r := self._left(region, o, m)) is not None
        ]
        if not found or any(not same_residual(found[0], r) for r in found[1:]):
            raise self._refuse(region, "a fault that was handled is not always left the same way")
        return found[0]

    def _foad(self, region: Region) -> Residual:
        """OOM or a signal pending: nothing is left but to return."""
        oom = self._left(region, Outcome.OOM, True)
        pending = self._left(region, Outcome.SIGNAL_PENDING, True)
        if (
            oom is None
            or oom.exit is None
            or not any(isinstance(s, Line) and s.oom for s in oom.steps)
        ):
            raise self._refuse(region, "the OOM killer is not called in user mode")
        lost = [s for s in oom.steps if not _is_local(s, region)]
        if lost:
            self.notes.append("dropped-effect: what stood before pagefault_out_of_memory()")
        left = Residual((), oom.exit)
        if pending is not None and not same_residual(pending, left):
            raise self._refuse(region, "OOM and a pending signal are left in different ways")
        return left

    def _refuse(self, region: Region, reason: str) -> RefusedError:
        return self.file.refuse(RefusalCode.SHAPE, reason, region.handler.text.name_span)

    # -- text --------------------------------------------------------------------

    def _lines(
        self,
        region: Region,
        decode: Decode,
        cases: Cases,
        done: Residual,
        foad: Residual,
        result: str,
    ) -> tuple[list[str], bool]:
        """The new lines, and whether the tail was moved in among them."""
        args = ", ".join((decode.address, decode.flags, decode.mask, decode.regs))
        call = f"{result} = {HELPER_FUNCTION}({args});"
        above: list[Block] = [*decode.blocks]
        if any(not isinstance(b, Text) for b in above) and not isinstance(above[-1], Blank):
            above.append(Blank())
        moved = self._short_tail(region, cases)
        ways = Ways(result, None if moved else self._falls_to(region), not region.kept or moved)
        done_test, foad_test = f"likely({result} == {R.DONE})", f"{result} == {R.FOAD}"
        quick: tuple[Block, ...] = (If(f"{done_test} || {foad_test}", _leaving(foad, ways)),)
        if not same_residual(done, foad):
            quick = (If(done_test, _leaving(done, ways)), If(foad_test, _leaving(foad, ways)))
        kern_test = f"{result} == {R.KERN}"
        tail: tuple[Block, ...] = ()
        if moved:
            tail = (If(kern_test, self._moved_tail(region)),)
            cases = {r: c for r, c in cases.items() if r is not R.KERN}
        dispatch = write_dispatch(cases, ways, result)
        kern = [i for i, b in enumerate(dispatch) if isinstance(b, If) and b.condition == kern_test]
        at = kern[0] if kern else 0
        text = render(
            "c/handler.c.j2",
            decode=write(above),
            call=write([Text(call)]),
            quick=write(quick),
            tail=write(tail),
            prefix=write(dispatch[:at]),
            kern=write(dispatch[at : at + len(kern[:1])]),
            dispatch=write(dispatch[at + len(kern[:1]) :]),
        )
        return text.splitlines(), moved

    def _moved_tail(self, region: Region) -> tuple[Block, ...]:
        """The tail that KERN and the prologue share, to stand where KERN is tested."""
        label = region.units[region.kept[0]].label
        assert label is not None
        above = self._label_comments(region)
        tail: list[Block] = [Label(label, above), Text(self._tail_text(region), (), True)]
        if not ends_flow(self.file, region.handler, region.units[region.kept[-1]]):
            tail.append(Text("return;"))
        return tuple(tail)

    def _label_comments(self, region: Region) -> tuple[str, ...]:
        """The comments above the first label that stays.

        Where it has none, those of a label before it that goes: `bad_area:`
        above `bad_area_nosemaphore:`, with nothing but the unlock between them.
        """
        source, units = region.handler.tree.source, region.units
        if not region.kept or units[region.kept[0]].kind is not StatementKind.LABEL:
            return ()
        for i in range(region.kept[0], region.start - 1, -1):
            unit = units[i]
            if unit.kind is StatementKind.LABEL and unit.leading_comments:
                # As the source has it, at the margin or not.
                return tuple(
                    source.text[_line(source.text, c.start) : c.end] for c in unit.leading_comments
                )
            call = self.file.call_of(region.handler.tree, unit)
            unlocks = call is not None and self.file.role(call.name) in _UNLOCKS
            if not unlocks and unit.kind is not StatementKind.LABEL:
                break
        return ()

    def _short_tail(self, region: Region, cases: Cases) -> bool:
        """Whether the whole tail is one label with a few lines that KERN goes to."""
        ending = cases[R.KERN].exit
        if ending is None or ending.kind is not Leaving.GOTO or cases[R.KERN].steps:
            return False
        if region.kept_labels != {ending.label} or not region.kept:
            return False
        if region.units[region.kept[0]].kind is not StatementKind.LABEL:
            return False
        first, last = region.kept[0], region.kept[-1]
        if last - first != len(region.kept) - 1 or last != len(region.units) - 1:
            return False
        units = region.units[first + 1 : last + 1]
        if any(
            s.kind in (StatementKind.PREPROC_GROUP, StatementKind.DIRECTIVE) for s in every(units)
        ):
            return False
        return self._tail_text(region).count("\n") < _SHORT_TAIL

    def _tail_text(self, region: Region) -> str:
        """The lines behind the tail's label."""
        units, tree = region.units, region.handler.tree
        label = units[region.kept[0]]
        start = tree.line_span(label.span).end
        end = units[region.kept[-1]].span.end
        return tree.source.text[start:end].strip("\n")

    def _falls_to(self, region: Region) -> str | None:
        """The label that the text goes on with behind the dispatch, if a goto is not needed.

        It is where every other goto stands under a conditional: the label would be
        unused in the other configurations.
        """
        if not region.kept:
            return None
        unit = region.units[region.kept[0]]
        if unit.kind is not StatementKind.LABEL:
            return None
        groups = region.handler.tree.conditional_groups
        stays = (*region.prologue, *(region.units[i] for i in region.kept))
        gotos = [s for s in every(stays) if s.kind is StatementKind.GOTO and s.label == unit.label]
        around = set(enclosing(groups, unit.span))
        if gotos and all(set(enclosing(groups, s.span)) - around for s in gotos):
            return None
        return unit.label

    def _replace(
        self, region: Region, decode: Decode, lines: list[str], moved: bool, result: str
    ) -> str:
        """The file's text with the dance replaced."""
        tree, source = region.handler.tree, region.handler.tree.source
        kept = () if moved else region.kept
        edits: list[Edit] = []
        gone = [*region.perf, *decode.merged]
        first = _top(region.units[region.start])
        while before := [
            s for s in gone if s.span.end <= first and not source.text[s.span.end : first].strip()
        ]:
            # The perf event right above goes with the dance.
            first = _top(before[-1])
            gone.remove(before[-1])
        start = source.text.rfind("\n", 0, first) + 1
        while start and not source.text[source.text.rfind("\n", 0, start - 1) + 1 : start].strip():
            start = source.text.rfind("\n", 0, start - 1) + 1
        edits += delete_statements(tree, gone)
        body_end = source.text.rfind("\n", 0, region.handler.text.body.end) + 1
        runs = _runs(kept)
        stop = _line(source.text, _top(region.units[runs[0][0]])) if runs else body_end
        above = source.text[source.text.rfind("\n", 0, start - 1) + 1 : start].strip()
        if above and above != "{":
            lines = ["", *lines]
        new = "\n".join(lines) + "\n" + ("\n" if runs else "")
        if runs and not region.units[runs[0][0]].leading_comments:
            new += "".join(f"{c}\n" for c in self._label_comments(region))
        edits.append(Edit(Span(start, stop), new))
        for i, (_, last) in enumerate(runs):
            after = tree.line_span(region.units[last].span).end
            following = (
                _line(source.text, _top(region.units[runs[i + 1][0]]))
                if i + 1 < len(runs)
                else body_end
            )
            between = source.text[after:following]
            if any(u.span.start >= after and u.span.start < following for u in region.gone):
                edits.append(Edit(Span(after, following), "\n" if i + 1 < len(runs) else ""))
            elif i + 1 == len(runs) and between.strip():
                edits.append(Edit(Span(after, following), between))
        edits.append(self._declaration(region, decode, result))
        return apply_edits(source, edits)

    def _declaration(self, region: Region, decode: Decode, result: str) -> Edit:
        """Declares the result, where the source declares what handle_mm_fault() returns."""
        tree, source = region.handler.tree, region.handler.tree.source
        declarations = [u for u in region.prologue if u.kind is StatementKind.DECLARATION]
        place = next(
            (u for u in declarations if source.slice(u.span).startswith("vm_fault_t")),
            declarations[-1] if declarations else None,
        )
        at = (
            tree.line_span(place.span).start
            if place is not None
            else tree.line_span(
                Span(region.handler.text.body.start, region.handler.text.body.start)
            ).end
        )
        text = f"\tunsigned int {result};\n"
        if decode.mask_local is not None and decode.mask_local[1]:
            text = f"\tunsigned long {decode.mask_local[0]};\n" + text
        return Edit(Span(at, at), text)


def _top(s: Statement) -> int:
    """Where a statement begins, the comments above it included."""
    return s.leading_comments[0].start if s.leading_comments else s.span.start


def _line(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _runs(kept: tuple[int, ...]) -> list[tuple[int, int]]:
    """Indices as runs of neighbours: (first, last)."""
    runs: list[tuple[int, int]] = []
    for i in kept:
        if runs and runs[-1][1] == i - 1:
            runs[-1] = (runs[-1][0], i)
        else:
            runs.append((i, i))
    return runs


def _leaving(residual: Residual, ways: Ways) -> tuple[Block, ...]:
    # Inside an if the return is always written.
    inner = replace(ways, ends=False, falls_to=None)
    return write_dispatch({R.DONE: residual}, inner, ways.result)


def _is_quiet(residual: Residual) -> bool:
    """Just a return, or a BUG(): nothing that a kernel-mode fault should come to."""
    if residual.exit is not None and residual.exit.kind is Leaving.NEVER:
        return len(residual.steps) <= 2 and any(
            isinstance(s, Line)
            and "BUG" in "".join(p if isinstance(p, str) else p.text for p in s.pieces)
            for s in residual.steps
        )
    return not residual.steps and (residual.exit is None or residual.exit.kind is Leaving.RETURN)


def _is_local(step: Step, region: Region) -> bool:
    """Whether a step is the OOM call, or nothing but an assignment to a local."""
    if not isinstance(step, Line):
        return False
    target = plain(step.pieces).split("=")[0].strip()
    return step.oom or target in region.setup.start


def _settled(residual: Residual) -> Residual:
    """The locals that the code at the exit's label reads, set by statements of their own."""
    ending = residual.exit
    if ending is None or not ending.settings:
        return residual
    lines: tuple[Step, ...] = tuple(
        Line((f"{name} = ", Hole(value), ";")) for name, value in ending.settings
    )
    return Residual((*residual.steps, *lines), Exit(ending.kind, ending.value, ending.label))


def _with_shift(residual: Residual, shift: str) -> Residual:
    """A page's size written as what the helper tells."""

    def pieces(old: Pieces) -> Pieces:
        return tuple(
            Hole(shift) if isinstance(p, Hole) and p.text == "PAGE_SHIFT" else p for p in old
        )

    steps: list[Step] = []
    for s in residual.steps:
        steps.append(replace(s, pieces=pieces(s.pieces)) if isinstance(s, Line) else s)
    return Residual(tuple(steps), residual.exit)


def _edits(before: SourceText, after: SourceText) -> tuple[Edit, ...]:
    """The edits that lead from one text to the other, whole lines."""
    old, new = before.text.splitlines(True), after.text.splitlines(True)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return tuple(
        Edit(Span(starts[i1], starts[i2]), "".join(new[j1:j2]))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    )
