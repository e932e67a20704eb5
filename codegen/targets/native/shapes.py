# SPDX-License-Identifier: GPL-2.0-only
"""Types that are still being learnt, and what two of them that are one have to share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from codegen.base.spans import Span
from codegen.ir.types import CType


class Form(Enum):
    """What is known of a shape."""

    OPEN = "open"  # nothing yet: an unsigned long in the end
    SCALAR = "scalar"
    POINTER = "pointer"
    ARRAY = "array"
    RECORD = "record"
    VOID = "void"


@dataclass(eq=False)
class Shape:
    """A type that is still being learnt; `found` leads to the one that it turned out to be.

    `direct` says that the text itself dereferences it. What is only handed on
    to a pointer stays an unsigned long for C, as it does in the program. `sum`
    says that something is added to it: if that gives a pointer to a record, it
    is a table of them.
    """

    form: Form = Form.OPEN
    text: str = "unsigned long"
    to: Shape | None = None
    members: dict[str, Shape] = field(default_factory=dict)
    tag: str | None = None
    found: Shape | None = None
    direct: bool = False
    sum: bool = False

    def root(self) -> Shape:
        """The shape that stands for this one."""
        shape = self
        while shape.found is not None:
            shape = shape.found
        return shape


@dataclass(frozen=True)
class Known:
    """What the whole text turned out to use."""

    tags: Mapping[str, Shape]
    typedefs: Mapping[str, Shape]
    globals: Mapping[str, Shape]
    results: Mapping[str, Shape]
    params: Mapping[str, tuple[tuple[str, Shape], ...]]
    returns: Mapping[str, Shape]
    addresses: frozenset[str]
    enums: frozenset[str]
    edits: Mapping[str, Mapping[Span, str]]
    unions: tuple[UnionStart, ...]


@dataclass(frozen=True)
class UnionStart:
    """A union that is initialised through one of its members.

    What the others hold then only the header knows, so the scenario says it:
    `brace` is the initialiser's last token, in `function`.
    """

    function: str
    brace: Span
    name: str
    given: frozenset[str]
    shape: Shape


def reachable(known: Known) -> Iterator[tuple[str, Shape]]:
    """Every member, variable and result that the text uses, with its name."""
    stack: list[tuple[str, Shape]] = [*known.globals.items(), *known.results.items()]
    for shape in (*known.tags.values(), *known.typedefs.values(), *known.returns.values()):
        stack.append(("", shape))
    for params in known.params.values():
        stack += [("", shape) for _, shape in params]
    seen: set[int] = set()
    while stack:
        name, shape = stack.pop()
        shape = shape.root()
        if name:
            yield name, shape
        if id(shape) in seen:
            continue
        seen.add(id(shape))
        stack += shape.members.items()
        if shape.to is not None:
            stack.append(("", shape.to))


_SCALARS = {
    (8, True): "signed char",
    (8, False): "unsigned char",
    (16, True): "short",
    (16, False): "unsigned short",
    (32, True): "int",
    (32, False): "unsigned int",
    (64, True): "long",
    (64, False): "unsigned long",
}


def scalar_text(ctype: CType) -> str:
    """How C spells a type of the program."""
    if ctype.bits == 0:
        return "void"
    if ctype.boolean:
        return "_Bool"
    if ctype.pointer:
        return "void *"
    return _SCALARS[ctype.bits, ctype.signed]


# ---- unification ----


def unify(a: Shape, b: Shape) -> None:
    """Both are one type from now on, as far as pointers and records go."""
    a, b = a.root(), b.root()
    if a is b:
        return
    structural = (Form.POINTER, Form.ARRAY, Form.RECORD)
    if a.form is Form.OPEN and b.form in structural:
        _become(a, b)
    elif b.form is Form.OPEN and a.form in structural:
        _become(b, a)
    elif a.form is b.form is Form.OPEN and (a.tag is None or b.tag is None):
        if a.tag is not None:
            a, b = b, a
        a.found = b
    elif a.form in structural[:2] and b.form in structural[:2]:
        assert a.to is not None and b.to is not None
        one, two = a.to.root(), b.to.root()
        if Form.VOID not in (one.form, two.form):
            unify(one, two)
    elif a.form is b.form is Form.RECORD and (a.tag is None or b.tag is None):
        if a.tag is not None:
            a, b = b, a
        _merge(a, b)


def _become(open_: Shape, other: Shape) -> None:
    if other.form is Form.RECORD and open_.tag is None:
        open_.found = other
        return
    if open_.sum and other.to is not None and other.to.root().form is Form.RECORD:
        open_.form, open_.to = Form.ARRAY, other.to
        return
    # A pointer of its own, and a typedef keeps its name.
    open_.form = Form.RECORD if other.form is Form.RECORD else Form.POINTER
    open_.to, open_.members = other.to, other.members


def _merge(a: Shape, b: Shape) -> None:
    a.found = b
    for name, shape in a.members.items():
        if name in b.members:
            unify(shape, b.members[name])
        else:
            b.members[name] = shape


def pointee(shape: Shape) -> Shape:
    """What a pointer or an array leads to; an integer that is used so stays one."""
    shape = shape.root()
    if shape.form is Form.OPEN:
        shape.form, shape.to = Form.POINTER, Shape()
    shape.direct = True
    if shape.to is None:
        return Shape()
    return shape.to.root()


def member(record: Shape, name: str) -> Shape:
    """A record's member; what is no record yet becomes one."""
    record = record.root()
    if record.form is Form.OPEN:
        record.form = Form.RECORD
    if record.form is not Form.RECORD:
        return Shape()
    return record.members.setdefault(name, Shape())


def indexed(base: Shape) -> Shape:
    """What an array or a pointer holds at an index."""
    base = base.root()
    if base.form is Form.OPEN:
        base.form, base.to = Form.ARRAY, Shape()
    return pointee(base)
