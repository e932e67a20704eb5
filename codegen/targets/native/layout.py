# SPDX-License-Identifier: GPL-2.0-only
"""Where the parts of the inferred types lie in memory, and how C declares them.

Every member has eight bytes or a multiple, and a record begins with a word
that nobody uses: the address of a record is never that of its first member.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from codegen.targets.native.shapes import Form, Known, Shape
from codegen.targets.normal import Kind

WORD = 8
_ELEMENTS = 64
_DATA = 3072
_SIZES = {"char": 1, "short": 2, "int": 4, "_Bool": 1}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A place in a type that holds a value, or a record that only has an address.

    It is at `offset`, or at every `stride` from there; `text` and `tail` are
    how C names it, before and behind the index.
    """

    offset: int
    size: int
    kind: Kind
    leads_to: int
    text: str
    tail: str = ""
    stride: int = 0
    count: int = 1
    record: bool = False
    kept: bool = False


_KEPT = ("mm", "active_mm", "vm_mm")


class Layout:
    """The types of one bench; `leaves[i]` describes type number i, number 0 is nothing."""

    def __init__(self, known: Known, kinds: Mapping[str, Kind]) -> None:
        self.known = known
        self.kinds = kinds
        self.leaves: list[list[Leaf]] = [[]]
        self._numbers: dict[int, int] = {}
        self._inlined = 0
        for shape in (*known.tags.values(), *known.typedefs.values(), *known.globals.values()):
            self._name(shape)
        for shape in (*known.results.values(), *known.returns.values()):
            self._name(shape)
        for params in known.params.values():
            for _, shape in params:
                self._name(shape)

    def _name(self, shape: Shape) -> None:
        """Gives a tag to every record in reach."""
        stack, seen = [shape], set()
        while stack:
            one = stack.pop().root()
            if id(one) in seen:
                continue
            seen.add(id(one))
            if one.form is Form.RECORD and one.tag is None:
                self._inlined += 1
                one.tag = f"struct gf_record_{self._inlined}"
                self.known.tags[one.tag] = one  # type: ignore[index]
            if one.to is not None:
                stack.append(one.to)
            stack += one.members.values()

    # -- numbers of types --

    def number(self, shape: Shape | None) -> int:
        """The number of the type that a pointer leads to; 0 where it is not known."""
        if shape is None:
            return 0
        shape = shape.root()
        if shape.form is Form.VOID:
            return 0
        if id(shape) not in self._numbers:
            self._numbers[id(shape)] = len(self.leaves)
            leaves: list[Leaf] = []
            self.leaves.append(leaves)
            leaves += self._leaves(shape, 0, "")
        return self._numbers[id(shape)]

    def variable(self, name: str, shape: Shape) -> int:
        """The number of a variable's own type: what it holds may go by its name."""
        shape = shape.root()
        if shape.form in (Form.RECORD, Form.ARRAY):
            return self.number(shape)
        leaf = self._scalar(shape, 0, "")
        kind = self.kinds.get(name, Kind.WORD)
        self.leaves.append([replace(leaf, kind=kind)])
        return len(self.leaves) - 1

    def pointee(self, shape: Shape) -> int:
        """The number of what a pointer leads to."""
        shape = shape.root()
        return self.number(shape.to) if shape.form is Form.POINTER else 0

    def _leaves(self, shape: Shape, offset: int, text: str) -> list[Leaf]:
        shape = shape.root()
        match shape.form:
            case Form.RECORD:
                out = [Leaf(offset, WORD, Kind.WORD, 0, text, record=True)] if text else []
                offset += WORD
                for name, member in shape.members.items():
                    inner = f"{text}.{name}" if text else name
                    out += self._leaves(member, offset, inner)
                    offset += self.size(member)
                return out
            case Form.ARRAY:
                assert shape.to is not None
                stride = self.size(shape.to)
                own = self.kinds.get(text.rpartition(".")[2], Kind.WORD)
                return [
                    Leaf(
                        leaf.offset + offset,
                        leaf.size,
                        leaf.kind if leaf.text else own,
                        leaf.leads_to,
                        text,
                        leaf.text,
                        stride,
                        self._elements(shape),
                        leaf.record,
                        leaf.kept,
                    )
                    for leaf in self._leaves(shape.to, 0, "")
                ]
            case _:
                return [self._scalar(shape, offset, text)]

    def _scalar(self, shape: Shape, offset: int, text: str) -> Leaf:
        word = text.rpartition(".")[2]
        pointer = shape.form is Form.POINTER
        kind = Kind.POINTER if pointer and not word else self.kinds.get(word, Kind.WORD)
        if not text:
            kind = Kind.WORD
        leads_to = self.pointee(shape)
        size = _SIZES.get(shape.text.split()[-1], WORD) if shape.form is Form.SCALAR else WORD
        return Leaf(offset, size, kind, leads_to, text, kept=word in _KEPT)

    def _elements(self, shape: Shape) -> int:
        assert shape.to is not None
        return max(1, min(_ELEMENTS, _DATA // 2 // self.size(shape.to)))

    def size(self, shape: Shape) -> int:
        """The size in memory."""
        shape = shape.root()
        match shape.form:
            case Form.RECORD:
                return WORD + sum(self.size(m) for m in shape.members.values())
            case Form.ARRAY:
                assert shape.to is not None
                return self.size(shape.to) * self._elements(shape)
            case _:
                return WORD

    # -- C --

    def declaration(self, shape: Shape, name: str) -> str:
        """A declaration of `name`, without the semicolon."""
        shape = shape.root()
        if shape.tag is not None:
            return f"{shape.tag} {name}"
        match shape.form:
            case Form.POINTER if not shape.direct:
                return f"unsigned long {name}"
            case Form.POINTER:
                assert shape.to is not None
                return self.declaration(shape.to, f"*{name}")
            case Form.ARRAY:
                assert shape.to is not None
                inner = f"({name})" if name.startswith("*") else name
                return self.declaration(shape.to, f"{inner}[{self._elements(shape)}]")
            case _:
                return f"{shape.text} {name}"

    def types(self) -> list[str]:
        """The definitions of every record and typedef, what is used before what uses it."""
        lines: list[str] = []
        done: set[int] = set()
        typedefs = dict(self.known.typedefs)
        lines += [f"enum {name} {{ gf_enum_{name} }};" for name in sorted(self.known.enums)]
        for tag in self.known.tags:
            lines.append(f"{tag};")
        for name, shape in typedefs.items():
            shape = shape.root()
            if shape.form is Form.RECORD and shape.tag == name:
                lines.append(f"typedef struct gf_typedef_{name} {name};")
            elif shape.form is Form.POINTER and shape.tag == name:
                assert shape.to is not None
                lines.append(f"typedef {self.declaration(shape.to, '*' + name)};")
            else:
                lines.append(f"typedef {shape.text} {name};")

        def define(shape: Shape) -> None:
            shape = shape.root()
            if shape.form is Form.ARRAY and shape.to is not None:
                define(shape.to)
                return
            if shape.form is not Form.RECORD or id(shape) in done:
                return
            done.add(id(shape))
            for member in shape.members.values():
                define(member)
            assert shape.tag is not None
            tag = shape.tag if " " in shape.tag else f"struct gf_typedef_{shape.tag}"
            lines.append(f"{tag} {{")
            lines.append("\tunsigned long gf_unused;")
            for name, member in shape.members.items():
                aligned = " __attribute__((aligned(8)))"
                lines.append(f"\t{self.declaration(member, name)}{aligned};")
            lines.append("};")

        for shape in (*self.known.tags.values(), *typedefs.values()):
            define(shape)
        return lines
