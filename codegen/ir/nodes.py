# SPDX-License-Identifier: GPL-2.0-only
"""The program: functions as control-flow graphs over C expressions.

Lowering (`lower.py`) has already taken every side effect out of expressions:
a call that is not a pure word of the vocabulary is an instruction of its own,
and `&&`, `||` and `?:` are branches where an operand has an effect. What is
left in an expression only reads.

Printed form (`printer.py`):

    function do_page_fault(regs: ptr, address: u64) -> void
    entry:
        flags = FAULT_FLAG_DEFAULT                      # 93
        branch user_mode(regs) ? b1 : b2                # 95
    b1:
        flags = flags | FAULT_FLAG_USER                 # 96
        jump b2
"""

from dataclasses import dataclass, field
from functools import cached_property

from codegen.base.diagnostics import Refusal
from codegen.base.spans import SourceText, Span
from codegen.ir.types import CType


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, with the name that the source or a header gives it."""

    value: int
    type: CType
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal, as the source spells it."""

    value: str
    type: CType


@dataclass(frozen=True, slots=True)
class Local:
    """A parameter, a local variable or a temporary of the function at hand."""

    name: str
    type: CType


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the function does not declare: a variable, or a header's macro."""

    name: str
    type: CType


@dataclass(frozen=True, slots=True)
class Field:
    """`base->name`; `object.name` is `(&object)->name`."""

    base: "Expr"
    name: str
    type: CType


@dataclass(frozen=True, slots=True)
class Index:
    """`base[index]`."""

    base: "Expr"
    index: "Expr"
    type: CType


@dataclass(frozen=True, slots=True)
class Deref:
    """`*base`."""

    base: "Expr"
    type: CType


@dataclass(frozen=True, slots=True)
class AddressOf:
    """`&target`."""

    target: "LValue"
    type: CType


@dataclass(frozen=True, slots=True)
class Unary:
    """`-`, `~` or `!`."""

    op: str
    operand: "Expr"
    type: CType


@dataclass(frozen=True, slots=True)
class Binary:
    """An arithmetic, bitwise, comparison or (effect-free) logical operator."""

    op: str
    left: "Expr"
    right: "Expr"
    type: CType


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? then : otherwise`, both sides free of effects."""

    condition: "Expr"
    then: "Expr"
    otherwise: "Expr"
    type: CType


@dataclass(frozen=True, slots=True)
class Cast:
    """`(type)operand`, written or implied."""

    operand: "Expr"
    type: CType


@dataclass(frozen=True, slots=True)
class PureCall:
    """A call of a word that only reads: its value depends on its arguments alone."""

    name: str
    args: tuple["Expr", ...]
    type: CType


LValue = Local | Global | Field | Index | Deref
Expr = (
    Literal
    | Text
    | Local
    | Global
    | Field
    | Index
    | Deref
    | AddressOf
    | Unary
    | Binary
    | Conditional
    | Cast
    | PureCall
)


@dataclass(frozen=True, slots=True)
class Assign:
    """`target = value;`."""

    target: LValue
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """A call with an effect; `result` is the temporary that takes its value."""

    result: Local | None
    name: str
    args: tuple[Expr, ...]
    span: Span


Instruction = Assign | Call


@dataclass(frozen=True, slots=True)
class Jump:
    """Control goes on at a label."""

    target: str


@dataclass(frozen=True, slots=True)
class Branch:
    """`written` is False where `span` is not the condition's own text (a switch, part of an `&&`).

    `words` are the source's then, where they can be told: `cause == EXC_LOAD` of a switch.
    """

    condition: Expr
    then: str
    otherwise: str
    span: Span
    written: bool = True
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """`return value;`."""

    value: Expr | None
    span: Span


Terminator = Jump | Branch | Return


@dataclass(frozen=True, slots=True)
class Block:
    """Instructions that run in a row, and where control goes then."""

    label: str
    instructions: tuple[Instruction, ...]
    terminator: Terminator


@dataclass(frozen=True, eq=False)
class Function:
    """One function in one configuration; `blocks` in source order, entry first.

    Spans are places in `source`: the handler's file, or the text of the helper
    that a converted handler calls. `distinct` are the case labels of each
    switch: C does not let two of them have the same value. `doubts` are what
    makes the function unreadable where it is followed, and not a step alone.
    """

    name: str
    params: tuple[Local, ...]
    locals: tuple[Local, ...]
    blocks: tuple[Block, ...]
    returns: CType
    span: Span
    source: SourceText = field(repr=False, compare=False)
    entry: str = ".entry"
    distinct: tuple[tuple[Expr, ...], ...] = ()
    is_static: bool = False
    doubts: tuple[Refusal, ...] = ()

    @cached_property
    def block_map(self) -> dict[str, Block]:
        """The blocks by label."""
        return {b.label: b for b in self.blocks}

    def block(self, label: str) -> Block:
        """The block that starts at a label."""
        return self.block_map[label]
