# SPDX-License-Identifier: GPL-2.0-only
"""What the steps of a function read and write."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.ir.nodes import Assign, Call, Expr, Function, Jump, Local, Return
from codegen.ir.program import expressions_of, subexpressions
from codegen.targets.simulator.graph import (
    Both,
    Condition,
    Decide,
    Either,
    Fork,
    Leaf,
    Node,
    Not,
    Step,
)


def reads_of(function: Function) -> Iterator[Expr]:
    """Every expression whose value is asked for: a target's own name is not."""
    yield from (e for e in expressions_of(function) if not isinstance(e, Local))
    for block in function.blocks:
        for instruction in block.instructions:
            yield from (e for e in instruction_reads(instruction) if isinstance(e, Local))
        match block.terminator:
            case Return(value=value) if value is not None:
                yield from (e for e in subexpressions(value) if isinstance(e, Local))
            case Jump() | Return():
                pass
            case branch:
                yield from (e for e in subexpressions(branch.condition) if isinstance(e, Local))


def instruction_reads(instruction: Assign | Call) -> Iterator[Expr]:
    """The expressions that an instruction evaluates; a local that it writes is none."""
    match instruction:
        case Assign(target=target, value=value):
            yield from subexpressions(value)
            if not isinstance(target, Local):
                yield from subexpressions(target)
        case Call(args=args):
            for arg in args:
                yield from subexpressions(arg)


def step_reads(step: Step) -> Iterator[Expr]:
    """The expressions that a step evaluates."""
    if isinstance(step, Decide):
        return condition_reads(step.condition)
    return instruction_reads(step)


def condition_calls(condition: Condition) -> Iterator[Call]:
    """The calls that stand in a condition."""
    match condition:
        case Leaf(call=call_):
            if call_ is not None:
                yield call_
        case Both(left=left, right=right) | Either(left=left, right=right):
            yield from condition_calls(left)
            yield from condition_calls(right)
        case Not(inner=inner):
            yield from condition_calls(inner)


def condition_reads(condition: Condition) -> Iterator[Expr]:
    """The expressions in a condition, those of its calls too."""
    match condition:
        case Leaf(call=call_, expr=expr):
            if call_ is not None:
                yield from instruction_reads(call_)
            yield from subexpressions(expr)
        case Both(left=left, right=right) | Either(left=left, right=right):
            yield from condition_reads(left)
            yield from condition_reads(right)
        case Not(inner=inner):
            yield from condition_reads(inner)


def targets_of(instruction: Step) -> set[str]:
    """The locals that a step writes."""
    match instruction:
        case Decide(target=Local(name=name)):
            return {name}
        case Assign(target=Local(name=name)):
            return {name}
        case Call(result=Local(name=name)):
            return {name}
        case Call(name=word, args=args) if "get_user" in word or "get_kernel_nofault" in word:
            first = args[0] if args else None
            return {first.name} if isinstance(first, Local) else set()
        case _:
            return set()


def written_in(node: Node) -> set[str]:
    """The locals that a block writes."""
    out: set[str] = set()
    for instruction in node.instructions:
        out |= targets_of(instruction)
        if isinstance(instruction, Decide):
            for c in condition_calls(instruction.condition):
                out |= targets_of(c)
    if isinstance(node.end, Fork):
        for c in condition_calls(node.end.condition):
            out |= targets_of(c)
    return out


def first_operand(condition: Condition) -> Expr | None:
    """What is evaluated first, if no call comes before it."""
    match condition:
        case Leaf(call=call_, expr=expr):
            return expr if call_ is None else None
        case Both(left=left) | Either(left=left):
            return first_operand(left)
        case Not(inner=inner):
            return first_operand(inner)
