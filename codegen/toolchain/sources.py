# SPDX-License-Identifier: GPL-2.0-only
"""The same handlers in two sources: what differs, what only has another name, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from codegen.toolchain.products import Product, classes_of, reading_of, simulate_command
from codegen.toolchain.request import Request, unit_of
from codegen.toolchain.tabling import with_status

if TYPE_CHECKING:
    from codegen.base.diagnostics import Refusal
    from codegen.corpus.nodes import CFile
    from codegen.csyntax.renames import Rename
    from codegen.ir.load import Unit
    from codegen.tables.nodes import HandlerTables
    from codegen.targets.compare.nodes import Comparison, DifferenceClass
    from codegen.toolchain.headers import Reading


def against(
    request: Request,
    file: CFile,
    other: Request,
    partners: Mapping[str, CFile],
    accepted: frozenset[str],
    same: Sequence[Rename] = (),
) -> tuple[Product, ...]:
    """Each handler of a file compared with the same handler of another source.

    `same` are names that the user takes for the same, src's and tgt's.
    """
    from codegen.tables.extract import with_refusal

    products = []
    for listed, unit, pair in _paired(request, file, other, partners, same):
        product = Product(with_status(request, file, unit, listed), file.source.text)
        match pair:
            case None:
                products.append(product)
            case _Pair():
                products.append(_side_by_side(product, pair, classes_of(accepted), same))
            case _:
                refused = with_refusal(listed, pair)
                products.append(replace(product, listed=refused, report=_unsupported(pair)))
    return tuple(products)


@dataclass(frozen=True)
class Beside:
    """One handler of two sources as `against()` compares it: read alike, name by name.

    `respelt` and `numbers` are what `compare_units()` is told of names.
    """

    function: str
    unit: Unit
    theirs: Unit
    respelt: tuple[tuple[str, str], ...]
    numbers: Mapping[str, int]


def beside(
    request: Request,
    file: CFile,
    other: Request,
    partners: Mapping[str, CFile],
    same: Sequence[Rename] = (),
) -> Iterator[Beside]:
    """Each handler of a file with the same handler of another source, where there is one."""
    from codegen.targets.compare.sides import parted

    for listed, _, pair in _paired(request, file, other, partners, same):
        if not isinstance(pair, _Pair):
            continue
        numbers, taken, theirs = _numbers(pair), _given(pair, same), pair.theirs
        apart = parted(pair.unit, theirs, listed.function, numbers)
        if apart or _read_apart(pair, theirs, parted=False).headers:
            taken += _one_thing_each(pair)[1]
            pair, theirs, read = _with_headers(pair, taken)
            numbers |= read.numbers
        yield Beside(listed.function, pair.unit, theirs, _spelling(taken), numbers)


def _paired(
    request: Request,
    file: CFile,
    other: Request,
    partners: Mapping[str, CFile],
    same: Sequence[Rename],
) -> Iterator[tuple[HandlerTables, Unit, _Pair | Refusal | None]]:
    """Each handler of a file with its like; why there is none; None where it is refused itself."""
    from codegen.base.diagnostics import Refusal, RefusalCode
    from codegen.tables.extract import list_handlers

    unit = unit_of(request, file)
    partner = partners.get(file.path)
    theirs = None if partner is None else unit_of(other, partner, (request, file), same)
    twins = () if theirs is None else list_handlers(theirs, file.arch)
    twin = next((h for h in twins if h.role == "handler"), None)
    for listed in list_handlers(unit, file.arch):
        if listed.role != "handler":
            continue
        if listed.refusals:
            yield listed, unit, None
        elif partner is None or theirs is None or twin is None or twin.refusals:
            where = (listed.function, file.path, listed.line)
            missing = Refusal(RefusalCode.NO_COUNTERPART, _lacking(other, "tgt", partner), *where)
            yield listed, unit, twin.refusals[0] if twin is not None and twin.refusals else missing
        else:
            pair = _Pair(request, file, other, partner, unit, theirs, listed, twin)
            yield listed, unit, pair.following(same)


def unpaired(
    request: Request, other: Request, partners: Mapping[str, CFile]
) -> tuple[Product, ...]:
    """The handlers of `other` that `request` has no file for."""
    from codegen.base.diagnostics import Refusal, RefusalCode
    from codegen.tables.extract import list_handlers, with_refusal

    paired = {file.path for file in partners.values()}
    products = []
    for file in other.source.files:
        if file.path in paired:
            continue
        for listed in list_handlers(unit_of(other, file), file.arch):
            if listed.role == "handler":
                where = (listed.function, file.path, listed.line)
                missing = Refusal(
                    RefusalCode.NO_COUNTERPART, _lacking(request, "src", None), *where
                )
                refused = with_refusal(listed, missing)
                products.append(Product(refused, file.source.text, report=_unsupported(missing)))
    return tuple(products)


def _unsupported(refusal: Refusal) -> str:
    return f"UNSUPPORTED  {refusal.reason}\n"


def _lacking(other: Request, side: str, partner: CFile | None) -> str:
    """Why a handler has none beside it."""
    where = f"{other.source.name} ({side})"
    if partner is None:
        return f"there is no such handler in {where}"
    return f"{partner.path} has no handler that can be read in {where}"


@dataclass(frozen=True)
class _Pair:
    """One handler of two sources, and what it was read from."""

    request: Request
    file: CFile
    other: Request
    partner: CFile
    unit: Unit
    theirs: Unit
    listed: HandlerTables
    twin: HandlerTables

    def reading(self, mine: tuple[str, ...], theirs: tuple[str, ...]) -> _Pair:
        """The pair, with more functions of their headers, or their own, read on either side."""
        request = replace(self.request, inline=(*self.request.inline, *mine))
        other = replace(self.other, inline=(*self.other.inline, *theirs))
        return replace(self, request=request, other=other, unit=unit_of(request, self.file))

    def following(self, same: Sequence[Rename]) -> _Pair:
        """The pair, with each routine followed that only one of the two files has.

        Beside a text that does the same by itself it would be one step, and
        whatever it does another difference.
        """
        mine, theirs = _only_in(self.unit, self.theirs), _only_in(self.theirs, self.unit)
        if not mine and not theirs:
            return self
        pair = self.reading(mine, theirs)
        beside = (pair.request, self.file)
        return replace(pair, theirs=unit_of(pair.other, self.partner, beside, same))


def _only_in(one: Unit, other: Unit) -> tuple[str, ...]:
    """The routines of a file that are one step, where the other file has none of that name."""
    defined = {f.name for f in other.tree.functions}
    programs = [v.program for v in one.variants]
    found = {n for p in programs for n in p.functions if p.may_be_followed(n)}
    return tuple(sorted(found & {f.name for f in one.tree.functions} - defined))


def _with_headers(pair: _Pair, taken: Sequence[Rename]) -> tuple[_Pair, Unit, Reading]:
    """(the pair, and tgt's file under the names taken, with what of headers they need, which)."""
    theirs = _respelt(pair, taken) if taken else pair.theirs
    read = _read_apart(pair, theirs, parted=True)
    if read.headers:
        pair = pair.reading(*read.inline)
        theirs = _respelt(pair, taken)
    return pair, theirs, read


def _read_apart(pair: _Pair, theirs: Unit, *, parted: bool) -> Reading:
    """What the two sides' headers have to be read for."""
    from codegen.toolchain.headers import Release, read_apart

    beside = sorted(_beside(pair))
    src = Release(pair.request, pair.file, pair.unit, tuple(f for f, _ in beside))
    tgt = Release(pair.other, pair.partner, theirs, tuple(g for _, g in beside))
    return read_apart(src, tgt, parted=parted)


def _side_by_side(
    product: Product, pair: _Pair, accepted: frozenset[DifferenceClass], same: Sequence[Rename]
) -> Product:
    """The product with what differs; differences of names are told as that, once."""
    from codegen.targets.compare.naming import told_as_names
    from codegen.targets.compare.nodes import Renamed
    from codegen.targets.compare.printer import comparison_text
    from codegen.targets.compare.sides import compare_units, parted, with_settings
    from codegen.toolchain.headers import Reading

    given, numbers, read = _given(pair, same), _numbers(pair), Reading()

    def compared(theirs: Unit, taken: Sequence[Rename]) -> Comparison:
        spelt, function = _spelling(taken), pair.listed.function
        found = compare_units(pair.unit, theirs, function, accepted, spelt, numbers)
        return with_settings(found, pair.unit, theirs)

    notes = [f"taken for the same: {r.old} and {r.new}" for r in given]
    found: tuple[Rename, ...] = ()
    proven: dict[Rename, str] = {}
    comparison = None
    # What the headers say is asked for where something differs; mostly that shows at once.
    theirs = pair.theirs
    apart = parted(pair.unit, theirs, pair.listed.function, numbers)
    if not apart and not _read_apart(pair, theirs, parted=False).headers:
        comparison = compared(theirs, given)
    if comparison is None or comparison.differences:
        found, proven = _one_thing_each(pair)
        given += proven
        pair, theirs, read = _with_headers(pair, given)
        numbers |= read.numbers
        if proven or comparison is None or read.headers:
            comparison = compared(theirs, given)
        notes += [f"{r.old} is {r.new}: {reason}" for r, reason in proven.items()]
        notes += read.notes(comparison)
    names = [r for r in found if r not in proven and not read.names & {r.old, r.new}]
    if names and comparison.differences:
        told = [Renamed(r.old, r.new, r.src_line, r.tgt_line) for r in names]
        again = compared(_respelt(pair, (*given, *names)), (*given, *names))
        comparison = told_as_names(comparison, again, told) or comparison
    comparison = replace(comparison, notes=(*comparison.notes, *notes))
    reading = reading_of(
        pair.unit,
        (pair.file.path, pair.partner.path),
        simulate_command(pair.request, pair.file),
        simulate_command(pair.other, pair.partner),
        theirs,
    )
    judged = product.judged(comparison, comparison_text(comparison, reading), reading)
    return replace(judged, same=tuple(str(r) for r in given))


def _given(pair: _Pair, same: Sequence[Rename]) -> list[Rename]:
    """Those of the names that the user takes for the same which tgt's text has."""
    from codegen.csyntax.renames import respelt

    _, used = respelt(pair.partner.source, same)
    return [r for r in same if r in used]


def _respelt(pair: _Pair, taken: Sequence[Rename]) -> Unit:
    """tgt's file, read with names taken for the same."""
    return unit_of(pair.other, pair.partner, (pair.request, pair.file), taken)


def _spelling(taken: Sequence[Rename]) -> tuple[tuple[str, str], ...]:
    return tuple((r.old, r.new) for r in taken)


def _numbers(pair: _Pair) -> dict[str, int]:
    """What the headers of the trees give to constants of the two texts.

    One that they do not agree on is left to the comparison, which supposes that a
    name is one thing.
    """
    from codegen.csyntax.identifiers import words_in
    from codegen.frontend.numbers import header_numbers

    units = (pair.unit, pair.theirs)
    own = {d.name for u in units for d in u.tree.directives if d.kind == "define"}
    words = {w for u in units for w in words_in(u.tree) if w.isupper() or w[0].isupper()}
    words -= own | {n for u in units for n in u.constants}
    sides = ((pair.request, pair.file), (pair.other, pair.partner))
    found = [
        header_numbers(r.source.tree, f.path, words) for r, f in sides if r.source.tree is not None
    ]
    names = {n for numbers in found for n in numbers}
    values = {n: {numbers[n] for numbers in found if n in numbers} for n in names}
    return {n: min(values[n]) for n in names if len(values[n]) == 1}


def _one_thing_each(pair: _Pair) -> tuple[tuple[Rename, ...], dict[Rename, str]]:
    """(what seems to have got another name, what is one thing under two names and why)."""
    found = _renamed(pair)
    proven = {r: reason for r in found if (reason := _one_thing(pair, r)) is not None}
    read = (*_read_off(pair), *_unions(pair))
    return found, proven | dict.fromkeys(read, "a header of tgt's says so")


def _one_thing(pair: _Pair, rename: Rename) -> str | None:
    """Why two names are the same thing, as the headers of the trees say; None where they do not.

    Both trees define both names alike, or one tree knows both and defines one as the other.
    """
    from codegen.corpus.defines import definitions

    trees = pair.request.source.tree, pair.other.source.tree
    if trees[0] is None or trees[1] is None:
        return None
    mine = definitions(trees[0], pair.file.path, rename.old)
    theirs = definitions(trees[1], pair.partner.path, rename.new)
    if mine and mine == theirs:
        return f"both trees define it as {' or '.join(sorted(mine))}"
    if definitions(trees[0], pair.file.path, rename.new) == {rename.old}:
        return f"src's headers define {rename.new} as {rename.old}"
    if definitions(trees[1], pair.partner.path, rename.old) == {rename.new}:
        return f"tgt's headers define {rename.old} as {rename.new}"
    return None


def _renamed(pair: _Pair) -> tuple[Rename, ...]:
    """What seems to have got another name between the two texts."""
    from codegen.csyntax.identifiers import words_in
    from codegen.csyntax.renames import renames
    from codegen.ir.vocabulary import Role, load

    vocabulary = load()
    programs = [v.program for unit in (pair.unit, pair.theirs) for v in unit.variants]
    functions = _beside(pair)
    known = {n for p in programs for n in p.constants}
    words = {w for unit in (pair.unit, pair.theirs) for w in words_in(unit.tree)}
    known |= {w for w in words if vocabulary.role(w) not in (None, Role.PURE)}
    return renames(pair.unit.tree, pair.theirs.tree, functions, known)


def _beside(pair: _Pair) -> set[tuple[str, str]]:
    """The functions of src and tgt that are held against each other, by their names."""
    units = (pair.unit, pair.theirs)
    shared = {n for unit in units for v in unit.variants for n in v.program.functions}
    return {(n, n) for n in shared} | {(pair.listed.function, pair.twin.function)}


def _read_off(pair: _Pair) -> tuple[Rename, ...]:
    """The calls that only tgt makes, and that give what src says by itself."""
    from codegen.corpus.defines import headers_with
    from codegen.csyntax.identifiers import words_in
    from codegen.csyntax.inlines import inline_in, read_off
    from codegen.ir.vocabulary import Role, load

    tree = pair.other.source.tree
    if tree is None:
        return ()
    own = {f.name for f in pair.theirs.tree.functions}
    own |= {d.name for d in pair.theirs.tree.directives if d.kind == "define" and d.name}
    only = set(words_in(pair.theirs.tree)) - set(words_in(pair.unit.tree)) - own
    known = load()
    inline = {
        name: found
        for name in sorted(only)
        if known.role(name) in (None, Role.PURE)
        and (found := inline_in(headers_with(tree, pair.partner.path, name), name)) is not None
    }
    return read_off(pair.unit.tree, pair.theirs.tree, _beside(pair), inline)


def _unions(pair: _Pair) -> tuple[Rename, ...]:
    """The fields of a header's unions that only tgt knows, as what they are of the value."""
    from codegen.corpus.defines import headers_with, is_big_endian
    from codegen.csyntax.bitfields import Fields, fields_in, read_unions
    from codegen.csyntax.identifiers import words_in

    tree, path = pair.other.source.tree, pair.partner.path
    order = None if tree is None else is_big_endian(tree, path)
    if tree is None or order is None:
        return ()
    known = set(words_in(pair.unit.tree))

    def fields_of(tag: str) -> Fields | None:
        return None if tag in known else fields_in(headers_with(tree, path, tag), tag, order)

    return read_unions(pair.theirs.tree, pair.theirs.tree.functions, fields_of)
