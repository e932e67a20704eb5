# SPDX-License-Identifier: GPL-2.0-only
"""AccessDecode: from the handler's entry to the call of handle_mm_fault(), or to a denial.

    write = cause & STORE;                      cause & STORE   WRITE  any of VM_WRITE
    ...                                  ->     otherwise       -      any of VM_READ
    mask = write ? VM_WRITE : VM_READ;
    if (!(vma->vm_flags & mask)) goto bad_area;

The machine runs up to the call with a VMA that covers the address. Conditions
on the VMA become the predicate of a row, all others guards; those that only
choose between leaving early and going on do not matter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from codegen.base.diagnostics import Refusal, RefusalCode, RefusedError
from codegen.base.spans import Span
from codegen.ir.environment import field_value, vma_object
from codegen.ir.machine import Machine
from codegen.ir.nodes import Literal
from codegen.ir.printer import term_text
from codegen.ir.program import Program, calls_of
from codegen.ir.solver import PathSolver
from codegen.ir.terms import (
    FALSE,
    TRUE,
    Term,
    arithmetic,
    choose,
    conjoin,
    disjoin,
    integer,
    negate,
    rebuild,
    substitute,
    truth,
)
from codegen.ir.trace import Decision, End, EventKind, Path
from codegen.tables import cover, decision
from codegen.tables.cover import Answered, Cube
from codegen.tables.decision import Leaf, Node, Tree
from codegen.tables.mode import mode_by_answer, mode_of, prologue
from codegen.tables.nodes import Access, AccessKind, DecodeRow
from codegen.tables.questions import Questions
from codegen.tables.reuse import Recall

_MAX_BITS = 8


@dataclass(frozen=True)
class _Row:
    """A leaf: the flags (None where the access is denied at once) and the predicate.

    `check` is where the VMA is looked at.
    """

    flags: int | None
    allowed: Term
    bug: bool
    span: Span = field(compare=False)
    check: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Decode:
    """The rows of one program, and the mode as each of its entries sees it."""

    rows: tuple[DecodeRow, ...]
    modes: Mapping[str, Term | None]


def extract_decode(
    program: Program,
    entries: tuple[str, ...],
    handler: str,
    solver: PathSolver,
    recall: Recall[Decode] | None = None,
) -> Decode:
    """The rows of one program, first match wins.

    Entries that call the handler with other constants (`do_exception(regs,
    VM_WRITE)`) have rows of their own, told apart by what they pass. `recall`
    holds what came of other configurations, and takes this. Raises
    ResourceBound where the paths are too many.
    """
    recall = recall or Recall()
    callers = _callers_with_constants(program, handler) or entries
    known = recall.find((entries, callers), program)
    if known is not None:
        return known
    modes: dict[str, Term | None] = {}
    visited: set[str] = set()
    tables: list[tuple[dict[str, set[Term]], tuple[DecodeRow, ...]]] = []
    for entry in callers:
        machine = prologue(program, entry, handler, solver, None)
        paths = list(machine.run())
        mode = mode_of(machine, paths) or mode_by_answer(program, entry, handler, solver)
        modes[entry] = mode
        if mode is not None:
            machine = prologue(program, entry, handler, solver, mode)
            paths = list(machine.run())
        visited |= machine.visited
        tables.append((machine.given, _rows(machine, program, paths)))
    for entry in entries:
        if entry not in modes:
            machine = prologue(program, entry, handler, solver, None)
            modes[entry] = mode_of(machine, machine.run()) or mode_by_answer(
                program, entry, handler, solver
            )
            visited |= machine.visited
    decode = Decode(_side_by_side(tables), modes)
    return recall.keep((entries, callers), program, visited, decode)


def _callers_with_constants(program: Program, handler: str) -> tuple[str, ...]:
    """The callers of a static handler that tell it by a constant what to do, if all of them do."""
    if not program.functions[handler].is_static:
        return ()
    passed: dict[str, list[tuple[int | None, ...]]] = {}
    for name, function in program.functions.items():
        for call in calls_of(function):
            if call.name == handler:
                values = tuple(a.value if isinstance(a, Literal) else None for a in call.args)
                passed.setdefault(name, []).append(values)
    if len(passed) < 2 or any(len(calls) != 1 for calls in passed.values()):
        return ()
    columns = list(zip(*(calls[0] for calls in passed.values()), strict=False))
    if any(None not in column and len(set(column)) > 1 for column in columns):
        return tuple(passed)
    return ()


def _side_by_side(
    tables: Sequence[tuple[dict[str, set[Term]], tuple[DecodeRow, ...]]],
) -> tuple[DecodeRow, ...]:
    """The rows of several entries as one list: a row's guard says which entry it is for."""
    rows = [rows for _, rows in tables]
    if all(r == rows[0] for r in rows):
        return rows[0]
    out: list[DecodeRow] = []
    for i, (given, own) in enumerate(tables):
        label = None if i == len(tables) - 1 else _label(given, [g for g, _ in tables])
        for row in own:
            if label is not None:
                guard = f"{label} && {_bracketed(row.guard)}" if row.guard else label
                row = replace(row, guard=guard)
            if row not in out:
                out.append(row)
    return tuple(out)


def _label(given: dict[str, set[Term]], all_given: Sequence[dict[str, set[Term]]]) -> str | None:
    """`access == VM_WRITE`: the parameter of the handler that differs between its entries."""
    for name, values in given.items():
        constants = [g.get(name, set()) for g in all_given]
        alone = all(len(c) == 1 and next(iter(c)).is_constant for c in constants)
        if alone and len({next(iter(c)).value for c in constants}) > 1:
            return f"{name} == {term_text(next(iter(values)))}"
    return None


def _bracketed(guard: str) -> str:
    return f"({guard})" if "||" in guard or " ? " in guard else guard


def _rows(machine: Machine, program: Program, paths: Sequence[Path]) -> tuple[DecodeRow, ...]:
    memo: dict[Term, Term] = {}
    found = [p for p in paths if p.end is not End.CUT]
    tree = decision.grow(
        (_one_vma(decisions, program, memo), leaf)
        for p in found
        for decisions, leaf in _leaves(p, program)
    )
    default = program.constants["FAULT_FLAG_DEFAULT"]
    user = program.constants["FAULT_FLAG_USER"]
    given = [
        leaf.flags
        for p in found
        for _, leaf in _leaves(p, program)
        if leaf is not None and leaf.flags is not None
    ]
    # Where no row has the default, that says nothing of what a row wipes.
    kept = default if any(f & default == default for f in given) else 0
    tree = decision.reduce(_without_user(_lift(tree), user, kept), _same)
    told = [p for p in found if p.end is End.STOP or p.found_vma]
    never = () if any(f & user for f in given) else ("FAULT_FLAG_USER",)
    return _Rules(machine, program, _common(told), kept, never).rows(tree)


def _common(found: Sequence[Path]) -> tuple[Term, ...]:
    """What holds on every path."""
    if not found:
        return ()
    shared = frozenset.intersection(*(frozenset(p.facts) for p in found))
    return tuple(f for f in found[0].facts if f in shared)


class _Rules:
    """The leaves of a tree as rows, first match wins.

    `kept` are the default flags that some row has; `never` are the flags of the
    contract that none has.
    """

    def __init__(
        self,
        machine: Machine,
        program: Program,
        facts: tuple[Term, ...],
        kept: int,
        never: tuple[str, ...],
    ) -> None:
        self.kept, self.never = kept, never
        self.machine, self.program, self.facts = machine, program, facts
        self.default = program.constants["FAULT_FLAG_DEFAULT"]
        self.user = program.constants["FAULT_FLAG_USER"]
        self.questions = Questions(machine.solver, facts)
        self.words = machine.words

    def rows(self, tree: Tree[_Row]) -> tuple[DecodeRow, ...]:
        """The rows; those that the earlier ones leave no room for are gone."""
        answered = []
        deciding: dict[_Row, Span] = {}
        found = list(decision.paths(tree))
        self._in_order([node for above, _ in found for node, _ in above])
        for above, leaf in found:
            cube = frozenset(self._literal(node, holds) for node, holds in above)
            answered.append(Answered(cube, self._canonical(leaf)))
            if above:
                deciding[answered[-1].answer] = above[-1][0].span
        checks = Counter(a.answer.check for a in dict.fromkeys(answered))
        rules: list[tuple[list[Cube], _Row, Term]] = []
        before: tuple[Term, ...] = ()
        given = TRUE
        for cubes, row in cover.first_match(answered, self.questions.conflict):
            guard = self.questions.any_of(cubes)
            if not self.machine.solver.possible((*self.facts, *before, guard)):
                continue
            rules.append((cubes, row, given))
            before += (negate(guard),)
            for cube in cubes:
                if all(_mentions_vma(self.questions.terms[atom]) for atom, _ in cube):
                    given = conjoin(given, negate(self.questions.term(cube)))
        out: list[DecodeRow] = []
        for cubes, row, known in rules:
            if cubes[0]:
                place = self.questions.spans[max(atom for atom, _ in cubes[0])]
            elif row.check is not None and (checks[row.check] == 1 or row not in deciding):
                place = row.check
            else:
                place = deciding.get(row, row.span)
            out.append(self._row(row, cubes, place, known))
        return tuple(out)

    def _in_order(self, nodes: Sequence[Node[_Row]]) -> None:
        """Numbers the questions as the handler asks them; what it asks again counts there."""
        own, called = self.machine.asked, self.machine.called

        def place(node: Node[_Row]) -> int:
            condition = node.condition
            return (own.get(condition) or called.get(condition) or node.span).start

        for node in sorted(nodes, key=place):
            self._literal(node, True)

    def _literal(self, node: Node[_Row], holds: bool) -> tuple[int, bool]:
        place = self.machine.asked.get(node.condition, node.span)
        condition = node.asked[0]
        words = term_text(condition, self.words)
        return self.questions.literal(condition, holds, place, words)

    def _canonical(self, row: _Row) -> _Row:
        """Denied is denied, whatever the flags would have been."""
        return replace(row, flags=self.default) if row.allowed is FALSE else row

    def _row(self, row: _Row, cubes: list[Cube], place: Span, given: Term) -> DecodeRow:
        flags = row.flags if row.flags is not None else self.default
        constants = self.program.constants
        names = flag_names(flags & ~self.default & ~self.user, constants, "FAULT_FLAG_")
        wiped = self.never
        if self.kept & ~flags:
            wiped = ("FAULT_FLAG_DEFAULT", "FAULT_FLAG_USER")
        elif self.default & ~flags:
            wiped = ("FAULT_FLAG_DEFAULT", *self.never)
        if row.allowed is FALSE or row.bug:
            wiped = ()
        if row.bug:
            access = Access(AccessKind.BUG)
        else:
            shared = frozenset.intersection(*cubes)
            about = [x for x in shared if _mentions_vma(self.questions.terms[x[0]])]
            given = conjoin(given, self.questions.term(frozenset(about)))
            access = access_of(row.allowed, constants, self.words, given)
        guard = self.questions.texts(cubes, self.words) or None
        return DecodeRow(guard, names, access, self.program.source.line(place.start), wiped)


_PASS = re.compile(r"^vma#\d+")
_EPOCH = re.compile(r"@\d+$")


def _one_vma(
    decisions: tuple[Decision, ...], program: Program, memo: dict[Term, Term]
) -> tuple[Decision, ...]:
    """The decisions as if there were one VMA: fast path and slow path ask the same of theirs."""
    return tuple(replace(d, condition=_first_pass(d.condition, program, memo)) for d in decisions)


def _first_pass(term: Term, program: Program, memo: dict[Term, Term]) -> Term:
    if term in memo:
        return memo[term]
    payload = term.payload
    args = tuple(_first_pass(a, program, memo) for a in term.args)
    if isinstance(payload, str) and any(s.startswith("vma#") for s in term.symbols()):
        payload = _PASS.sub("vma#1", payload)
        if term.op == "call":
            payload = _EPOCH.sub("", payload)
            args = tuple(_without_path(a, program) for a in args)
    memo[term] = rebuild(term.op, args, term.bits, payload)
    return memo[term]


def _without_path(value: Term, program: Program) -> Term:
    """Fault flags that a check gets, without those that only tell mode and path apart."""
    constants = program.constants
    default = constants["FAULT_FLAG_DEFAULT"]
    if not value.is_constant or value.name is not None or value.value & default != default:
        return value
    aside = constants["FAULT_FLAG_USER"] | constants.get("FAULT_FLAG_VMA_LOCK", 0)
    return integer(value.value & ~aside, value.bits)


def _leaves(path: Path, program: Program) -> Iterator[tuple[tuple[Decision, ...], _Row | None]]:
    """What a path comes to; flags that hang on a choice (`write ? W : 0`) ask it like a branch."""
    if path.end is not End.STOP or path.flags is None:
        yield path.decisions, _denied(path)
        return
    pending = [(path.decisions, path.flags)]
    fast = program.constants.get("FAULT_FLAG_VMA_LOCK", 0)
    while pending:
        decisions, flags = pending.pop(0)
        choice = next((t.args[0] for t in flags.walk() if t.op == "ite"), None)
        if choice is None and not flags.is_constant and "FAULT_FLAG_" not in program.source.text:
            # Up to 2.6.31 the parameter was `write_access`, and 1 is FAULT_FLAG_WRITE still.
            write = integer(program.constants["FAULT_FLAG_WRITE"], flags.bits)
            flags = choose(truth(flags), write, integer(0, flags.bits))
            choice = truth(flags) if flags.op != "ite" else flags.args[0]
        if choice is None:
            if not flags.is_constant:
                raise RefusedError(_untold(flags, path, program))
            yield decisions, _Row(flags.value & ~fast, TRUE, False, path.span)
            continue
        inverted = choice.op == "lnot"
        atom = negate(choice) if inverted else choice
        for holds in (True, False):
            asked = Decision(atom, holds, path.span, 0, inverted)
            known = substitute(flags, {atom: TRUE if holds else FALSE})
            pending.append(((*decisions, asked), known))


def _untold(flags: Term, path: Path, program: Program) -> Refusal:
    source = program.source
    return Refusal(
        RefusalCode.UNREADABLE,
        "the text does not say which flags handle_mm_fault() gets",
        term_text(flags),
        source.path,
        source.line(path.span.start),
    )


def _denied(path: Path) -> _Row | None:
    if not path.found_vma:
        return None
    bug = next((e for e in path.trace if e.kind is EventKind.BUG), None)
    return _Row(None, FALSE, bug is not None, bug.span if bug else path.span)


def _mentions_vma(term: Term) -> bool:
    return any(s.startswith("vma#") for s in term.symbols())


def _lift(tree: Tree[_Row]) -> Tree[_Row]:
    """Conditions on the VMA sink into the leaves as predicates."""
    if not isinstance(tree, Node):
        return tree
    then, otherwise = _lift(tree.then), _lift(tree.otherwise)
    if not _mentions_vma(tree.condition):
        return decision.make(tree.condition, tree.span, then, otherwise, _same, tree.inverted)
    return _check(tree.condition, tree.span, then, otherwise)


def _state_atom(condition: Term) -> Term | None:
    """A part of a check that is about the machine and not about the VMA, to be told apart first."""
    for part in condition.walk():
        is_atom = part.bits == 1 and part.op not in ("land", "lor", "lnot", "ite")
        if is_atom and not part.is_constant and not _mentions_vma(part):
            return part
    return None


def _check(condition: Term, span: Span, then: Tree[_Row], otherwise: Tree[_Row]) -> Tree[_Row]:
    atom = _state_atom(condition)
    if atom is not None:
        sides = []
        for holds in (True, False):
            known = substitute(condition, {atom: TRUE if holds else FALSE})
            a = decision.restrict(then, atom, holds)
            b = decision.restrict(otherwise, atom, holds)
            if known.is_constant:
                sides.append(a if known.value else b)
            else:
                sides.append(_check(known, span, a, b))
        return decision.make(atom, span, sides[0], sides[1], _same)
    match then, otherwise:
        case None, _:
            return otherwise
        case _, None:
            return then
        case Leaf(value=allowed), Leaf(value=denied):
            merged = _merge_checked(condition, span, allowed, denied)
            return Leaf(merged) if merged else Node(condition, span, then, otherwise)
        case _:
            node = then if isinstance(then, Node) else otherwise
            assert isinstance(node, Node)
            inner = node.condition
            if _mentions_vma(inner):
                return Node(condition, span, then, otherwise)
            return decision.make(
                inner,
                node.span,
                _check(
                    condition,
                    span,
                    decision.restrict(then, inner, True),
                    decision.restrict(otherwise, inner, True),
                ),
                _check(
                    condition,
                    span,
                    decision.restrict(then, inner, False),
                    decision.restrict(otherwise, inner, False),
                ),
                _same,
                node.inverted,
            )


def _merge_checked(condition: Term, asked: Span, a: _Row, b: _Row) -> _Row | None:
    """Two leaves that differ by a check of the VMA: one row with a predicate."""
    if a.bug or b.bug:
        return None
    if a.flags is not None and b.flags is not None and a.flags != b.flags:
        return None
    flags = a.flags if a.flags is not None else b.flags
    span = a.span if a.flags is not None else b.span
    check = a.check or b.check or asked
    return _Row(flags, choose(condition, a.allowed, b.allowed), False, span, check)


def _same(a: _Row, b: _Row) -> _Row | None:
    if (a.allowed, a.bug) != (b.allowed, b.bug):
        return None
    if a.flags == b.flags:
        return a
    if a.allowed is FALSE:
        # Denied whatever the flags would have been.
        return a if a.flags is not None else b
    return None


def _without_user(tree: Tree[_Row], user: int, default: int) -> Tree[_Row]:
    """FAULT_FLAG_USER follows the mode and is no part of a row's flags.

    A row that never has the flag although its neighbours do has wiped it; that
    shows as the flags of FAULT_FLAG_DEFAULT missing too, and is kept.
    """
    match tree:
        case Leaf(value=row) if row.flags is not None and row.flags & default == default:
            return Leaf(replace(row, flags=row.flags & ~user))
        case Node():
            return Node(
                tree.condition,
                tree.span,
                _without_user(tree.then, user, default),
                _without_user(tree.otherwise, user, default),
                tree.inverted,
            )
        case _:
            return tree


def flag_names(value: int, constants: Mapping[str, int], prefix: str) -> tuple[str, ...]:
    """The names of the single bits in `value`, lowest first; unknown bits as hex."""
    names = []
    for bit in range(value.bit_length()):
        if value >> bit & 1:
            known = [n for n, v in constants.items() if n.startswith(prefix) and v == 1 << bit]
            names.append(min(known, key=lambda n: (len(n), n)) if known else hex(1 << bit))
    return tuple(names)


_GENERAL_BITS = ("VM_READ", "VM_WRITE", "VM_EXEC", "VM_SHARED", "VM_GROWSDOWN", "VM_GROWSUP")


def access_of(
    allowed: Term,
    constants: Mapping[str, int],
    spelling: Mapping[Term, str],
    given: Term = TRUE,
) -> Access:
    """The predicate as a mask, if over all settings of the bits it reads it is "any of M".

    `given` is what the row's guard already says of the VMA.
    """
    flags = field_value(vma_object(1), "vm_flags")
    mask = as_mask(conjoin(given, allowed), flags)
    also = None
    if mask is None and allowed is TRUE:
        return Access(AccessKind.UNCHECKED)
    if mask is None and allowed is FALSE:
        return Access(AccessKind.NEVER)
    if mask is None:
        mask = as_mask(allowed, flags)
    if mask is None and (parts := _mask_and_more(allowed, flags)) is not None:
        mask, also = parts
    if mask is None:
        return Access(AccessKind.PREDICATE, text=term_text(allowed, spelling))
    if mask == 0:
        return Access(AccessKind.NEVER)
    text = None if also is None else term_text(also, spelling)
    return Access(AccessKind.MASK, _bit_names(mask, constants), text)


def _bit_names(mask: int, constants: Mapping[str, int]) -> tuple[str, ...]:
    names = []
    for bit in range(mask.bit_length()):
        if not mask >> bit & 1:
            continue
        known = [
            n
            for n, v in constants.items()
            if v == 1 << bit and n.startswith("VM_") and not n.startswith("VM_FAULT_")
        ]
        preferred = [n for n in _GENERAL_BITS if n in known]
        names.append((preferred or sorted(known, key=lambda n: (len(n), n)) or [hex(1 << bit)])[0])
    return tuple(names)


def _mask_and_more(allowed: Term, flags: Term) -> tuple[int, Term] | None:
    """(mask, rest) where the predicate is "any of mask" and a rest that is not about the flags.

    The rest is what remains if every flag is set (a protection key, say); the
    mask is what remains if the rest holds. The solver must agree that the two
    together are the predicate.
    """
    ones = integer((1 << flags.bits) - 1, flags.bits)
    rest = substitute(allowed, {flags: ones})
    if rest.is_constant:
        return None
    atoms = [
        t
        for t in allowed.walk()
        if t.bits == 1
        and t.op not in ("land", "lor", "lnot", "ite")
        and flags not in set(t.walk())
        and not t.is_constant
    ]
    if not atoms or len(atoms) > 4:
        return None
    for setting in product((TRUE, FALSE), repeat=len(atoms)):
        known = dict(zip(atoms, setting, strict=True))
        if substitute(rest, known) is not TRUE:
            continue
        mask = as_mask(substitute(allowed, known), flags)
        if mask is None:
            return None
        any_of = truth(arithmetic("and", flags, integer(mask, flags.bits)))
        together = conjoin(any_of, rest)
        solver = PathSolver()
        differ = disjoin(conjoin(together, negate(allowed)), conjoin(negate(together), allowed))
        return None if solver.possible((differ,)) else (mask, rest)
    return None


def as_mask(allowed: Term, flags: Term) -> int | None:
    """M where `allowed` is `flags & M` over all settings of the bits it reads; else None."""
    if any(s not in flags.symbols() for s in allowed.symbols()):
        return None
    bits = 0
    for part in allowed.walk():
        if part.op == "and" and flags in part.args:
            other = part.args[1] if part.args[0] is flags else part.args[0]
            if not other.is_constant:
                return None
            bits |= other.value
    positions = [b for b in range(64) if bits >> b & 1]
    if not positions or len(positions) > _MAX_BITS:
        return None

    def holds(value: int) -> bool | None:
        result = substitute(allowed, {flags: integer(value, flags.bits)})
        return bool(result.value) if result.is_constant else None

    mask = sum(1 << b for b in positions if holds(1 << b))
    for setting in product((0, 1), repeat=len(positions)):
        value = sum(1 << b for b, on in zip(positions, setting, strict=True) if on)
        if holds(value) is not bool(value & mask):
            return None
    return mask
