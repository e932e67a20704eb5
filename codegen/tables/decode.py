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
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

from codegen.base.spans import Span
from codegen.ir.environment import Outcome, Plan, field_value, vma_object
from codegen.ir.machine import Machine
from codegen.ir.printer import term_text
from codegen.ir.program import Program
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
from codegen.tables import decision
from codegen.tables.decision import Leaf, Node, Tree
from codegen.tables.nodes import Access, AccessKind, DecodeRow

_MAX_BITS = 8


@dataclass(frozen=True)
class _Row:
    """A leaf: the flags (None where the access is denied at once) and the predicate."""

    flags: int | None
    allowed: Term
    bug: bool
    span: Span


def extract_decode(
    program: Program, entry: str, handler: str, mode: Term | None, solver: PathSolver
) -> tuple[DecodeRow, ...]:
    """The rows of one program, first match wins.

    Raises ResourceBound where the paths are too many.
    """
    plan = Plan(outcome=Outcome.SUCCESS, stop_at_fault=True)
    machine = Machine(program, entry, plan, solver, mode, handler)
    paths = list(machine.run())
    memo: dict[Term, Term] = {}
    tree = decision.grow((_one_vma(p.decisions, memo), _leaf(p, program)) for p in paths)
    lifted = _lift(tree)
    wanted = program.constants["FAULT_FLAG_DEFAULT"]
    user = program.constants["FAULT_FLAG_USER"]
    tree = decision.reduce(_without_user(lifted, user, wanted), _same)
    rows = []
    guards = decision.rules(tree)
    for conditions, span, row in guards:
        guard = " && ".join(_bracketed(c, machine) for c in conditions) or None
        rows.append(_row(row, guard, span, machine, program, wanted, user))
    return tuple(rows)


def _bracketed(condition: Term, machine: Machine) -> str:
    text = term_text(condition, machine.spelling)
    return f"({text})" if "||" in text or " ? " in text else text


_PASS = re.compile(r"^vma#\d+")
_EPOCH = re.compile(r"@\d+$")


def _one_vma(decisions: tuple[Decision, ...], memo: dict[Term, Term]) -> tuple[Decision, ...]:
    """The decisions as if there were one VMA: a fast path and a slow path ask the same of theirs."""
    return tuple(replace(d, condition=_first_pass(d.condition, memo)) for d in decisions)


def _first_pass(term: Term, memo: dict[Term, Term]) -> Term:
    if term in memo:
        return memo[term]
    payload = term.payload
    if isinstance(payload, str) and any(s.startswith("vma#") for s in term.symbols()):
        payload = _PASS.sub("vma#1", _EPOCH.sub("", payload) if term.op == "call" else payload)
    args = tuple(_first_pass(a, memo) for a in term.args)
    memo[term] = rebuild(term.op, args, term.bits, payload)
    return memo[term]


def _leaf(path: Path, program: Program) -> _Row | None:
    if path.end is End.STOP:
        assert path.flags is not None
        flags = path.flags.value if path.flags.is_constant else 0
        fast = program.constants.get("FAULT_FLAG_VMA_LOCK", 0)
        return _Row(flags & ~fast, TRUE, False, path.span)
    if not path.found_vma or path.end is End.CUT:
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
        if part.bits == 1 and not part.is_constant and part.op not in ("land", "lor", "lnot", "ite"):
            if not _mentions_vma(part):
                return part
    return None


def _check(
    condition: Term, span: Span, then: Tree[_Row], otherwise: Tree[_Row]
) -> Tree[_Row]:
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
        case Leaf(value=a), Leaf(value=b):
            merged = _merge_checked(condition, a, b)
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


def _merge_checked(condition: Term, a: _Row, b: _Row) -> _Row | None:
    """Two leaves that differ by a check of the VMA: one row with a predicate."""
    if a.bug or b.bug:
        return None
    if a.flags is not None and b.flags is not None and a.flags != b.flags:
        return None
    flags = a.flags if a.flags is not None else b.flags
    span = a.span if a.flags is not None else b.span
    return _Row(flags, choose(condition, a.allowed, b.allowed), False, span)


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
            return Leaf(_Row(row.flags & ~user, row.allowed, row.bug, row.span))
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


def _row(
    row: _Row,
    guard: str | None,
    span: Span | None,
    machine: Machine,
    program: Program,
    default: int,
    user: int,
) -> DecodeRow:
    flags = row.flags if row.flags is not None else default
    lost = default & ~flags
    names = flag_names(flags & ~default & ~user, program.constants, "FAULT_FLAG_")
    wiped = [n for n in ("FAULT_FLAG_DEFAULT", "FAULT_FLAG_USER") if lost]
    place = span or row.span
    line = program.source.line(place.start)
    access = (
        Access(AccessKind.BUG)
        if row.bug
        else access_of(row.allowed, program.constants, machine.spelling)
    )
    return DecodeRow(guard, names, access, line, tuple(wiped))


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
    allowed: Term, constants: Mapping[str, int], spelling: Mapping[Term, str]
) -> Access:
    """The predicate as a mask, if over all settings of the bits it reads it is "any of M"."""
    if allowed is TRUE:
        return Access(AccessKind.UNCHECKED)
    if allowed is FALSE:
        return Access(AccessKind.NEVER)
    flags = field_value(vma_object(1), "vm_flags")
    mask = as_mask(allowed, flags)
    also = None
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
        differ = disjoin(
            conjoin(together, negate(allowed)), conjoin(negate(together), allowed)
        )
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


__all__ = ["access_of", "as_mask", "conjoin", "extract_decode", "negate"]
