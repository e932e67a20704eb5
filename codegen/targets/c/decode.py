# SPDX-License-Identifier: GPL-2.0-only
"""The flags and the mask, worked out once before the call.

A handler that has its mask ready before the lock keeps its code as it stands.
Elsewhere every way from the decode to the fault is walked, and the ways are
put together to one tree, in the source's own conditions:

    if (store)                       if (cause & STORE) {
            flags |= WRITE;                  flags |= FAULT_FLAG_WRITE;
    ...                        -->           mask = VM_WRITE;
    if (store)                       } else {
            mask = VM_WRITE;                 mask = VM_READ;
    if (!(vma->vm_flags & mask))     }
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from codegen.base.diagnostics import RefusalCode, RefusedError
from codegen.base.spans import Span
from codegen.csyntax.identifiers import UseKind, uses_of
from codegen.csyntax.nodes import Statement, StatementKind
from codegen.ir.environment import Outcome
from codegen.ir.vocabulary import Role
from codegen.targets.c.blocks import Blank, Block, If, Text
from codegen.targets.c.expr import Assign, Binary, Expr, Member, Name, bare, parse_expression, walk
from codegen.targets.c.region import Region, says_user
from codegen.targets.c.route import Decision
from codegen.targets.c.runs import run_all
from codegen.targets.c.scene import Scenario, Setup, key_of
from codegen.targets.c.source import JUMPS, READ_SIDE, HandlerFile, assigned_names, every, words
from codegen.targets.c.steps import Branch, Line, Step, plain
from codegen.targets.c.tree import (
    NEVER,
    UNCHECKED,
    Mask,
    Tangled,
    Way,
    grow,
    masks_of,
    write_tree,
)
from codegen.targets.c.values import Value, spelled
from codegen.targets.c.walk import Walk, Walker

_LOCAL_NAMES = ("mask", "vm_flags", "access", "access_mask")


@dataclass(frozen=True)
class Decode:
    """What goes before the call, and what the call is given.

    `blocks` are new text; `merged` are statements of the prologue that went
    into it. `mask_local` is the variable that holds the mask: (name, whether it
    must be declared), or None where the mask is an expression as it stands.
    `notes` say what the decode does differently from the source, class first.
    """

    blocks: tuple[Block, ...]
    merged: tuple[Statement, ...]
    mask: str
    mask_local: tuple[str, bool] | None
    flags: str
    address: str
    regs: str
    notes: tuple[str, ...]


def build_decode(file: HandlerFile, region: Region) -> Decode:
    """The decode of a handler.

    Raises RefusedError: NOT_A_MASK where access is not a matter of any one of
    some bits, SHAPE where the flags are not the helper's.
    """
    return _Builder(file, region).build()


class _Builder:
    def __init__(self, file: HandlerFile, region: Region) -> None:
        self.file, self.region = file, region
        self.tree = region.handler.tree
        self.notes: list[str] = []

    def build(self) -> Decode:
        self._check_growth()
        own = self._own_units()
        hoisted = [s for s in own if self._sets_flags(s) or self._is_effect(s)]
        walks = self._walks((), hoisted)
        passed = [set(w.walker.passed) for w in walks if w.reached]
        # Only what every way comes through can stand in front of them all.
        hoisted = [s for s in hoisted if all(s.span in p for p in passed)]
        walks = self._walks((), hoisted)
        reached = [w for w in walks if w.reached]
        if not reached:
            raise self.file.refuse(
                RefusalCode.NO_DANCE,
                "no way leads to handle_mm_fault()",
                self.region.handler.text.name_span,
            )
        args = reached[0].walker.fault_args
        address = reached[0].walker.address
        if len(args) not in (3, 4) or address is None:
            raise self.file.refuse(
                RefusalCode.SHAPE,
                "the address that is looked up is not clear",
                self.region.handler.text.name_span,
            )
        flags = args[2]
        self._check_address(own, address)
        self._check_flags(flags)
        regs = args[3] if len(args) == 4 else "regs"
        # Flags that depend on what the mask depends on go into the same chain.
        joined = [s for s in hoisted if self._sets_flags(s) and self._interacts(s, walks, ())]
        if self._simple(walks):
            joined = []
        while True:
            kept = [s for s in hoisted if s not in joined]
            walks = self._walks((), kept)
            merged = self._merged_prologue(walks)
            if self._simple(walks):
                merged = ()
            walks = self._walks(merged, kept)
            more = [s for s in kept if self._sets_flags(s) and self._interacts(s, walks, merged)]
            if not more:
                break
            joined += more
        try:
            tree = grow([Way(w, self._mask_of(w)) for w in walks])
        except Tangled:
            raise self.file.refuse(
                RefusalCode.SHAPE,
                "what the access needs does not follow from conditions that stand in order",
                self.region.units[self.region.start].span,
            ) from None
        before: list[Block] = []
        if not says_user(self.file, self.region.handler):
            before += [If(self.region.mode, (Text(f"{flags} |= FAULT_FLAG_USER;"),)), Blank()]
            self.notes.append("flag-loss: the mm is told of user mode now")
        for s in kept:
            text = self.file.tree.source.text
            start = self.tree.line_span(s.span).start
            before.append(Text(text[start : s.span.end], self._comments(s), True))
            if self._is_effect(s):
                before.append(Blank())
                self.notes.append(
                    f"early-effect: {self.file.text_of(self.tree, s.span)} comes before the lookup"
                )
        masks = masks_of(tree)
        if len(masks) == 1 and (only := next(iter(masks))) is not None:
            # One mask, whatever the flags: it stands in the call.
            chain = write_tree(tree, Mask("", only, self._steps), default=False)
            self._say_above(chain, merged)
            return Decode(
                (*before, *chain), merged, only, None, flags, address, regs, tuple(self.notes)
            )
        name, declare = self._mask_name(own)
        mask = Mask(name, None if declare else self._start_of(name, merged), self._steps)
        chain = write_tree(tree, mask, default=not declare)
        self._say_above(chain, merged)
        blocks = [*before, *chain]
        return Decode(
            tuple(blocks), merged, name, (name, declare), flags, address, regs, tuple(self.notes)
        )

    def _say_above(self, chain: list[Block], merged: Sequence[Statement]) -> None:
        """The comments above the code that the chain replaces stand above the chain."""
        if merged and chain and isinstance(first := chain[0], If | Text):
            chain[0] = replace(first, comments=self._comments(merged[0]))

    def _check_address(self, own: Sequence[Statement], address: str) -> None:
        """The address must be known before the lock is taken."""
        names = words(address)
        for s in every(own):
            if s.kind is StatementKind.EXPRESSION and assigned_names(self.tree, s.span) & names:
                raise self.file.refuse(
                    RefusalCode.SHAPE, "the address is worked out with the lock held", s.span
                )

    def _check_growth(self) -> None:
        """A stack may grow to any address but those below FIRST_USER_ADDRESS, as in the helper."""
        region = self.region
        chain = ((region.units, region.start),)
        scenario = Scenario(Outcome.STACK_GROWTH_FAILURE, None)
        grown = [
            w
            for w in run_all(self.file, region.handler, scenario, region.setup, chain)
            if w.reached
        ]
        ways: dict[str, set[bool]] = {}
        spans: dict[str, Span] = {}
        for w in grown:
            for e in w.events:
                if isinstance(e, Decision) and "FIRST_USER_ADDRESS" not in words(e.text):
                    ways.setdefault(e.key, set()).add(e.taken)
                    spans[e.key] = e.span
        for key, taken in ways.items():
            if len(taken) == 1 or sum(key in _keys(w) for w in grown) < len(grown):
                raise self.file.refuse(
                    RefusalCode.SHAPE,
                    "a stack grows only under conditions of the architecture's own",
                    spans[key],
                )

    # -- what takes part ---------------------------------------------------------

    def _own_units(self) -> list[Statement]:
        """The units from the start of the dance up to the fault."""
        units = self.region.units[self.region.start :]
        fault = next(
            i
            for i, u in enumerate(units)
            if self.file.has_role(self.tree, u.span, frozenset({Role.FAULT}))
        )
        return list(units[:fault])

    def _walks(self, merged: Sequence[Statement], hoisted: Sequence[Statement]) -> list[Walk]:
        region = self.region
        setup = replace(region.setup, hoisted=frozenset(s.span for s in hoisted))
        if merged:
            # Nothing is known of what the merged code is yet to work out.
            names = {n for s in merged for n in assigned_names(self.tree, s.span)}
            start = dict(setup.start)
            start |= self._values_before(merged, names)
            setup = replace(setup, start=start, vanishing=setup.vanishing | names)
        statements = (*merged, *region.units[region.start :])
        chain = ((statements, 0),)
        return run_all(self.file, region.handler, Scenario(None, None), setup, chain)

    def _values_before(
        self, merged: Sequence[Statement], names: Iterable[str]
    ) -> dict[str, Value | None]:
        before = [u for u in self.region.prologue if u.span.end <= merged[0].span.start]
        setup = Setup(self.region.setup.modes, frozenset(), frozenset(), frozenset(), {})
        walker = Walker(self.file, self.region.handler, Scenario(Outcome.SUCCESS, None), setup)
        found = walker.constants_after(before, self.region.setup.start)
        return {n: found.get(n) for n in names}

    @property
    def _flags(self) -> str:
        """The variable that FAULT_FLAG bits are added to."""
        return self.region.setup.flags

    def _sets_flags(self, s: Statement) -> bool:
        """Whether a statement does nothing but change the flags, under conditions or not."""
        flags = self._flags
        if s.kind not in (StatementKind.EXPRESSION, StatementKind.IF):
            return False
        if assigned_names(self.tree, s.span) != {flags}:
            return False
        inner = list(every((s,)))
        allowed = (
            *(StatementKind.IF, StatementKind.ELSE, StatementKind.COMPOUND),
            StatementKind.EXPRESSION,
        )
        if any(i.kind not in allowed for i in inner):
            return False
        for i in inner:
            if i.kind is StatementKind.EXPRESSION and not isinstance(
                self.file.expression(self.tree, i.span), Assign
            ):
                return False
        return not self._looks_at_vma(s)

    def _is_effect(self, s: Statement) -> bool:
        """A call between lookup and fault that is none of the dance."""
        call = self.file.call_of(self.tree, s)
        if call is None or self._looks_at_vma(s):
            return False
        role = self.file.role(call.name)
        if role in READ_SIDE or role in (Role.ACCOUNTING, Role.IGNORE):
            return False
        return not (call.name in self.file.defined and self.file.dances(call.name))

    def _looks_at_vma(self, s: Statement) -> bool:
        if self.file.has_role(self.tree, s.span, READ_SIDE):
            return True
        return any(
            lx.text in ("vma", "vm_flags", "vm_start")
            for lx in self.tree.lexemes
            if s.span.start <= lx.start < s.span.end
        )

    # -- the prologue's part -----------------------------------------------------

    def _merged_prologue(self, walks: Sequence[Walk]) -> tuple[Statement, ...]:
        """The statements of the prologue that belong in one chain with the mask."""
        candidates: list[Statement] = []
        for s in reversed(self.region.prologue):
            if s in self.region.perf:
                continue
            if not self._decodes(s):
                break
            candidates.insert(0, s)
        taken: list[Statement] = []
        while True:
            more = [
                s
                for s in candidates
                if s not in taken
                and (self._interacts(s, walks, taken) or self._feeds(s, walks, taken))
            ]
            if not more:
                break
            taken = [s for s in candidates if s in taken or s in more]
            walks = self._walks(taken, ())
        written = {n for s in taken for n in assigned_names(self.tree, s.span)} - {self._flags}
        if any(self._used_elsewhere(n, taken) for n in written):
            # The variables are needed as they are: only flags may join.
            taken = [s for s in taken if self._sets_flags(s)]
            taken = [s for s in taken if self._interacts(s, self._walks((), ()), ())]
        return tuple(taken)

    def _decodes(self, s: Statement) -> bool:
        """Straight decode: assignments to locals, under conditions or not; no jump, no effect."""
        if s.kind not in (StatementKind.EXPRESSION, StatementKind.IF, StatementKind.SWITCH):
            return False
        for i in every((s,)):
            if i.kind in JUMPS or i.kind in (
                StatementKind.DIRECTIVE,
                StatementKind.PREPROC_GROUP,
                StatementKind.LABEL,
            ):
                return False
            if i.kind is StatementKind.EXPRESSION:
                node = self.file.expression(self.tree, i.span)
                if not isinstance(node, Assign) or not isinstance(node.target, Name):
                    return False
        for call in self.file.calls_in(self.tree, s.span):
            if self.file.role(call) in (Role.EFFECT, Role.PRINT, Role.KERNEL, Role.KERNEL_NEVER):
                return False
        return True

    def _conditions(self, s: Statement) -> list[str]:
        """The keys of the conditions inside a statement."""
        keys: list[str] = []
        for i in every((s,)):
            if i.kind is StatementKind.IF and i.head is not None:
                keys.append(key_of(self.file.text_of(self.tree, i.head)))
        return keys

    def _interacts(self, s: Statement, walks: Sequence[Walk], taken: Sequence[Statement]) -> bool:
        """Whether the conditions of the chain decide those of the statement, or it feeds them."""
        keys = {e.key for w in walks for e in w.events if isinstance(e, Decision)}
        mode = key_of(self.region.mode)
        written = {n for t in taken for n in assigned_names(self.tree, t.span)} - {self._flags}
        for key in self._conditions(s):
            if key == mode or self.region.setup.modes.get(key) is not None:
                continue
            if key in keys or words(key) & written:
                return True
            subject = re.match(r"(.+?)==[A-Za-z_0-9]+$", key)
            if subject and any(
                k == subject.group(1) or k.startswith(subject.group(1) + "==") for k in keys
            ):
                return True
        return False

    def _feeds(self, s: Statement, walks: Sequence[Walk], taken: Sequence[Statement]) -> bool:
        """Whether the statement works out what the chain, or what was taken, goes by."""
        flags = self._flags
        names = assigned_names(self.tree, s.span) - {flags}
        if s.kind is StatementKind.EXPRESSION:
            return False
        wanted = {
            word
            for w in walks
            for e in w.events
            if isinstance(e, Decision)
            for word in words(e.text)
        }
        wanted |= {word for w in walks for text, _ in w.checks for word in words(text)}
        wanted |= {word for t in taken for c in self._conditions(t) for word in words(c)}
        return bool(names & wanted)

    def _used_elsewhere(self, name: str, taken: Sequence[Statement]) -> bool:
        """Whether a local is needed outside of what goes or is merged."""
        inside = [s.span for s in (*taken, *self.region.gone)]
        for use in uses_of(self.tree, name, self.region.handler.text.body, directives=True):
            if use.kind not in (UseKind.NAME, UseKind.DIRECTIVE):
                continue
            if any(span.covers(use.span) for span in inside):
                continue
            at = self.tree.statement_at(self.region.handler.text, use.span.start)
            if at is not None and at.kind is StatementKind.DECLARATION:
                continue
            if (
                at is not None
                and at.kind is StatementKind.EXPRESSION
                and at in self.region.prologue
            ):
                node = self.file.expression(self.tree, at.span)
                if isinstance(node, Assign) and node.target.span == use.span:
                    continue
            return True
        return False

    # -- the mask ----------------------------------------------------------------

    def _simple(self, walks: Sequence[Walk]) -> bool:
        """Whether the mask is ready before the dance: nothing to do, and no decision changes it."""
        if any(not w.reached or any(isinstance(e, Line | Branch) for e in w.events) for w in walks):
            return False
        return len({self._mask_of(w) for w in walks}) == 1

    def _mask_of(self, walk: Walk) -> str | None:
        """The mask that one way needs; None where it ends in a BUG()."""
        if not walk.reached:
            ended = any(isinstance(e, Line) and self._never(plain(e.pieces)) for e in walk.events)
            if ended:
                return None
            if walk.checks:
                raise self._not_a_mask(walk)
            return NEVER
        masks = dict(walk.checks)
        if not masks:
            return UNCHECKED
        if len(masks) == 1:
            return next(iter(masks))
        numbers = {text: number for text, number in masks.items() if number is not None}
        for text, number in numbers.items():
            if len(numbers) == len(masks) and all(number & n == number for n in numbers.values()):
                return text
        raise self._not_a_mask(walk)

    def _never(self, text: str) -> bool:
        found = re.match(r"\s*(\w+)\s*\(", text)
        return found is not None and self.file.never_returns(found.group(1))

    def _not_a_mask(self, walk: Walk) -> RefusedError:
        masks = list(dict.fromkeys(text for text, _ in walk.checks))
        asked = [e for e in walk.events if isinstance(e, Decision) and e.labels is None]
        where = ", ".join(_said(e) for e in asked)
        reason = f"the access needs {' and '.join(masks)} at once"
        if where:
            reason += f" where {where}"
        return self.file.refuse(RefusalCode.NOT_A_MASK, reason, self._check_of(masks[-1]))

    def _check_of(self, mask: str) -> Span:
        """Where the VMA's flags are checked against a mask."""
        own = self.region.units[self.region.start :]
        for s in every(own):
            head = "" if s.head is None else self.file.text_of(self.tree, s.head)
            if s.head is not None and "vm_flags" in head and words(mask) <= words(head):
                return s.head
        for unit in own:
            calls = self.file.calls_in(self.tree, unit.span)
            if any(call in self.file.defined and self.file.checks(call) for call in calls):
                return unit.span if unit.head is None else unit.head
        return own[0].span

    def _mask_name(self, own: Sequence[Statement]) -> tuple[str, bool]:
        """The variable for the mask: the source's own if it has one, else a new one."""
        for s in every(own):
            for node in self._expressions(s):
                for part in walk(node):
                    name = self._checked_variable(part)
                    if name is not None:
                        return name, False
        taken = {lx.text for lx in self.tree.lexemes if lx.start in self.region.handler.text.span}
        return next(n for n in _LOCAL_NAMES if n not in taken), True

    def _start_of(self, name: str, merged: Sequence[Statement]) -> str | None:
        """What the mask's variable holds before the decode, as the prologue spells it."""
        values = self._values_before(merged, (name,)) if merged else self.region.setup.start
        value = values.get(name)
        return None if value is None else spelled(value)

    def _checked_variable(self, node: Expr) -> str | None:
        """The local that a VMA's flags are checked against in `vma->vm_flags & local`."""
        if not isinstance(node, Binary) or node.op != "&":
            return None
        for left, right in ((node.left, node.right), (node.right, node.left)):
            flags, mask = bare(left), bare(right)
            if isinstance(flags, Member) and flags.name == "vm_flags" and isinstance(mask, Name):
                return mask.text if mask.text in self.region.setup.start else None
        return None

    def _expressions(self, s: Statement) -> list[Expr]:
        if s.head is not None:
            return [parse_expression(self.tree, s.head)]
        if s.kind is StatementKind.EXPRESSION:
            return [parse_expression(self.tree, s.span)]
        return []

    def _check_flags(self, flags: str) -> None:
        """The flags must start as the mm wants them, and gain what the mode asks for."""
        text = self.file.text_of(self.tree, self.region.handler.text.body)
        known = words(text)
        old = {"FAULT_FLAG_ALLOW_RETRY", "FAULT_FLAG_KILLABLE"} <= known
        if flags != self._flags or not ("FAULT_FLAG_DEFAULT" in known or old):
            raise self.file.refuse(
                RefusalCode.SHAPE,
                "the flags do not start as FAULT_FLAG_DEFAULT in one local variable",
                self.region.handler.text.name_span,
            )

    # -- text --------------------------------------------------------------------

    def _comments(self, s: Statement) -> tuple[str, ...]:
        return tuple(self.tree.source.slice(c) for c in s.leading_comments)

    def _steps(self, steps: Sequence[Step]) -> list[Block]:
        blocks: list[Block] = []
        for step in steps:
            match step:
                case Line():
                    blocks.append(Text(self._kept_flags(plain(step.pieces)), (), step.verbatim))
                case Branch():
                    raise self.file.refuse(
                        RefusalCode.SHAPE,
                        "the decode has a condition that is not understood",
                        self.region.handler.text.name_span,
                    )
        return blocks

    def _kept_flags(self, text: str) -> str:
        """`flags = X` would wipe what the helper needs: bits are added instead."""
        flags = self._flags
        found = re.match(rf"{flags}\s*=\s*(.*)$", text, re.S)
        if found and "FAULT_FLAG_DEFAULT" not in text and not re.search(rf"\b{flags}\b", found[1]):
            self.notes.append(f"flag-loss: `{' '.join(text.split())}` now adds to the flags")
            return f"{flags} |= {found[1]}"
        return text


def _said(decision: Decision) -> str:
    """A decision and the way it was taken, as a condition that holds."""
    if decision.taken:
        return decision.text
    return f"!{decision.text}" if decision.text.isidentifier() else f"!({decision.text})"


def _keys(walk: Walk) -> set[str]:
    return {e.key for e in walk.events if isinstance(e, Decision)}


__all__ = ["NEVER", "UNCHECKED", "Decode", "build_decode"]
