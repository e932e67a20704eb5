# SPDX-License-Identifier: GPL-2.0-only
"""A function that calls itself as the last thing it does goes round in a loop.

.5:                                       .5:
    retry(regs, flags | TRIED)                %next0 = regs
    return                        ->          %next1 = flags | TRIED
                                              regs = %next0
                                              flags = %next1
                                              jump .entry
"""

from __future__ import annotations

from dataclasses import replace

from codegen.ir.nodes import Assign, Block, Call, Cast, Function, Jump, Local, Return


def without_tail_calls(function: Function) -> Function:
    """The function with every call of itself whose value it returns, or that is its end, a jump."""
    spare = tuple(Local(f"%next{i}", p.type) for i, p in enumerate(function.params))
    blocks = tuple(_round(function, block, spare) for block in function.blocks)
    if blocks == function.blocks:
        return function
    return replace(function, blocks=blocks, locals=(*function.locals, *spare))


def calls_itself(function: Function) -> Call | None:
    """A call of the function in itself that is left."""
    return next(
        (
            i
            for block in function.blocks
            for i in block.instructions
            if isinstance(i, Call) and i.name == function.name
        ),
        None,
    )


def _round(function: Function, block: Block, spare: tuple[Local, ...]) -> Block:
    last = block.instructions[-1] if block.instructions else None
    if not isinstance(last, Call) or last.name != function.name:
        return block
    if len(last.args) != len(spare) or not _ends(function, block, last.result):
        return block
    kept = [Assign(s, a, last.span) for s, a in zip(spare, last.args, strict=True)]
    given = [Assign(p, s, last.span) for p, s in zip(function.params, spare, strict=True)]
    return Block(block.label, (*block.instructions[:-1], *kept, *given), Jump(function.entry))


def _ends(function: Function, block: Block, result: Local | None) -> bool:
    """Whether nothing follows but the return, of that result if of any."""
    seen: set[str] = set()
    while isinstance(block.terminator, Jump) and block.terminator.target not in seen:
        seen.add(block.terminator.target)
        block = function.block(block.terminator.target)
        if block.instructions:
            return False
    match block.terminator:
        case Return(value=None):
            return True
        case Return(value=Local() as value) | Return(value=Cast(operand=Local() as value)):
            return value == result
        case _:
            return False
