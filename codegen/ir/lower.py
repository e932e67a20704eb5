# SPDX-License-Identifier: GPL-2.0-only
"""pycparser's tree of one function to its control-flow graph.

    if (user_mode(regs) && !fixup(regs))      .entry:
            goto out;                             branch user_mode(regs) ? .1 : .2
                                              .1:
                                                  %1 = fixup(regs)
                                                  branch %1 == 0 ? out : .2

`user_mode` is a word that only reads, so it may stand in an expression; `fixup`
has an effect, so it becomes an instruction and `&&` becomes a branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from codegen.base.spans import SourceText
from codegen.frontend.nodes import ParsedFunction
from codegen.frontend.syntax import c_ast
from codegen.ir import types
from codegen.ir.lowering.declared import declared_type
from codegen.ir.lowering.statements import Statements
from codegen.ir.nodes import (
    Block,
    Function,
    Jump,
    Local,
    Return,
)
from codegen.ir.types import CType
from codegen.ir.vocabulary import Vocabulary


def lower(
    function: ParsedFunction,
    source: SourceText,
    vocabulary: Vocabulary,
    constants: dict[str, int],
    defined: dict[str, CType],
    tables: Mapping[str, tuple[str, ...]] | None = None,
) -> Function:
    """The control-flow graph of a parsed function.

    `constants` are the names with a known value; `defined` maps the functions
    that the file itself defines to what they return; `tables` are its arrays of
    functions. Raises RefusedError (unreadable) for a construct that has no
    meaning here.
    """
    return _Lowering(function, source, vocabulary, constants, defined, tables or {}).run()


def return_type(function: ParsedFunction, vocabulary: Vocabulary) -> CType:
    """What a parsed function returns, by its declaration alone."""
    return declared_type(function.tree.decl.type.type, vocabulary.typenames)


class _Lowering(Statements):
    """A function from its parameters to its last block."""

    def run(self) -> Function:
        declaration = self.function.tree.decl.type
        self.returns = self._type(declaration.type)
        params: list[Local] = []
        if declaration.args is not None:
            for number, param in enumerate(declaration.args.params):
                if isinstance(param, c_ast.EllipsisParam):
                    continue
                ptype = self._type(param.type)
                if ptype.bits == 0:
                    continue
                if isinstance(param.type, c_ast.ArrayDecl):
                    ptype = types.POINTER
                elif ptype.record and not self._gives_away(param.name):
                    if self._writes_member(param.name):
                        self._doubt(str(param.name), "is a record got by value and written")
                    # It gets the caller's object, which nobody changes meanwhile.
                    ptype = replace(types.POINTER, step=0)
                local = Local(param.name or f".arg{number}", ptype)
                params.append(local)
                self.scopes[0][local.name] = local
        if self.returns.record and self.returns.step == 0:
            self._doubt(self.function.name, "gives back a record by value")
        self._statement(self.function.tree.body)
        for name in sorted(self.into & self.indexed.keys()):
            self.here = self.indexed[name]
            self._doubt(f"{name}[…]", "is an element by way of a pointer into an array")
        for name, place in self.by_pointer.items() if self.pointed_at else ():
            self.here = place
            self._doubt(name, "calls a function of the file through a pointer")
        if self.block.terminator is None:
            self.block.terminator = Return(None, self._last_span())
        blocks = tuple(
            Block(b.label, tuple(b.instructions), b.terminator or Return(None, self._last_span()))
            for b in self.blocks
        )
        known = {b.label for b in blocks}
        for b in blocks:
            if isinstance(b.terminator, Jump) and b.terminator.target not in known:
                raise self._refuse(
                    f"goto {b.terminator.target}", "goes to a label that is not there"
                )
        return Function(
            self.function.name,
            tuple(params),
            tuple(self.locals),
            blocks,
            self.returns,
            self.function.span,
            self.source,
            distinct=tuple(self.distinct),
            is_static=self.function.is_static,
            doubts=tuple(dict.fromkeys(self.doubts)),
        )
