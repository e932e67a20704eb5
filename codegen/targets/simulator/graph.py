# SPDX-License-Identifier: GPL-2.0-only
"""A function's control-flow graph, made ready to be written with if, else and few jumps.

Empty blocks and blocks that control cannot reach go, a jump to a block that
nobody else jumps to is spliced, and branches that only differ in one operand
of `&&` or `||` become one branch again:

    .entry: branch f() ? .1 : out        .entry: branch f() && g() ? .2 : out
    .1:     branch g() ? .2 : out
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from codegen.base.spans import Span
from codegen.ir.nodes import (
    Assign,
    Binary,
    Branch,
    Call,
    Cast,
    Expr,
    Function,
    Instruction,
    Jump,
    Literal,
    Local,
    Return,
    Unary,
)
from codegen.ir.program import subexpressions


@dataclass(frozen=True)
class Leaf:
    """One operand of a condition, with the call that it takes the value of, if any."""

    call: Call | None
    expr: Expr


@dataclass(frozen=True)
class Both:
    """Both hold; the right side is only looked at where the left holds."""

    left: Condition
    right: Condition


@dataclass(frozen=True)
class Either:
    """One of them holds; the right side is only looked at where the left does not hold."""

    left: Condition
    right: Condition


@dataclass(frozen=True)
class Not:
    """The condition does not hold."""

    inner: Condition


Condition = Leaf | Both | Either | Not


@dataclass(frozen=True)
class Fork:
    """The end of a block that has two ways on; `spans` are the branches it comes from."""

    condition: Condition
    then: str
    otherwise: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Decide:
    """`target = condition`: the value of a logical expression whose operands have effects."""

    target: Local
    condition: Condition
    span: Span


Step = Instruction | Decide


@dataclass(frozen=True)
class Node:
    """A block without its place in the source order; `end` None where control cannot go on."""

    label: str
    instructions: tuple[Step, ...]
    end: Jump | Fork | Return | None


@dataclass(frozen=True)
class Graph:
    """Nodes by label, in the order of the source, `entry` first."""

    entry: str
    nodes: dict[str, Node]
    before: dict[str, tuple[str, ...]]
    dominator: dict[str, str]
    order: dict[str, int]
    loops: frozenset[str]


def prepare(function: Function, never: Callable[[Call], bool], uses: dict[str, int]) -> Graph:
    """The graph of a function.

    `never` tells the calls that do not come back; `uses` counts the places
    where each local is read.
    """
    nodes: dict[str, Node] = {}
    for block in function.blocks:
        instructions: list[Step] = list(block.instructions)
        end: Jump | Fork | Return | None = _end(block.terminator)
        for position, instruction in enumerate(instructions):
            if isinstance(instruction, Call) and never(instruction):
                del instructions[position + 1 :]
                end = None
                break
        nodes[block.label] = Node(block.label, tuple(instructions), end)
    entry = function.entry
    changed = True
    while changed:
        nodes = _reached(nodes, entry)
        changed = _thread(nodes, entry) or _splice(nodes, entry)
        changed = changed or _merge(nodes, entry, uses) or _decide(nodes)
    return _analysed(nodes, entry)


def _end(terminator: Jump | Branch | Return) -> Jump | Fork | Return:
    match terminator:
        case Branch(condition=Literal(value=value)):
            return Jump(terminator.then if value else terminator.otherwise)
        case Branch() as branch if branch.then == branch.otherwise:
            return Jump(branch.then)
        case Branch() as branch:
            leaf = Leaf(None, branch.condition)
            return Fork(leaf, branch.then, branch.otherwise, (branch.span,))
        case _:
            return terminator


def targets(node: Node) -> tuple[str, ...]:
    """Where control may go next."""
    match node.end:
        case Jump(target=target):
            return (target,)
        case Fork(then=then, otherwise=otherwise):
            return (then, otherwise)
        case _:
            return ()


def _reached(nodes: dict[str, Node], entry: str) -> dict[str, Node]:
    seen: set[str] = set()
    stack = [entry]
    while stack:
        label = stack.pop()
        if label not in seen:
            seen.add(label)
            stack += targets(nodes[label])
    return {label: node for label, node in nodes.items() if label in seen}


def _before(nodes: dict[str, Node]) -> dict[str, list[str]]:
    before: dict[str, list[str]] = {label: [] for label in nodes}
    for label, node in nodes.items():
        for target in targets(node):
            before[target].append(label)
    return before


def _thread(nodes: dict[str, Node], entry: str) -> bool:
    """A jump to a block that only jumps on goes there at once."""
    onward = {
        label: node.end.target
        for label, node in nodes.items()
        if not node.instructions
        and isinstance(node.end, Jump)
        and node.end.target != label
        and label != entry
    }
    changed = False
    for label, node in list(nodes.items()):
        match node.end:
            case Jump(target=target) if target in onward and onward[target] != target:
                nodes[label] = replace(node, end=Jump(onward[target]))
                changed = True
            case Fork(then=then, otherwise=otherwise) as fork:
                new = (onward.get(then, then), onward.get(otherwise, otherwise))
                if new == (then, otherwise):
                    continue
                changed = True
                end: Fork | Jump = replace(fork, then=new[0], otherwise=new[1])
                nodes[label] = replace(node, end=end)
            case _:
                pass
    return changed


def _splice(nodes: dict[str, Node], entry: str) -> bool:
    """A block that only one other jumps to becomes that one's end."""
    before = _before(nodes)
    for label, node in list(nodes.items()):
        if not isinstance(node.end, Jump):
            continue
        target = node.end.target
        if target != label and target != entry and before[target] == [label]:
            after = nodes.pop(target)
            nodes[label] = Node(label, node.instructions + after.instructions, after.end)
            return True
    return False


def _merge(nodes: dict[str, Node], entry: str, uses: dict[str, int]) -> bool:
    """Two branches with a way in common become one."""
    before = _before(nodes)
    for label, node in nodes.items():
        if not isinstance(node.end, Fork):
            continue
        fork = node.end
        for way in (fork.then, fork.otherwise):
            second = nodes[way]
            if way in (label, entry) or before[way] != [label] or not second.label.startswith("."):
                continue
            condition = _own_condition(second, uses)
            if condition is None or not isinstance(second.end, Fork):
                continue
            merged = _merged(fork, condition, second.end, way == fork.then)
            if merged is not None:
                nodes[label] = replace(node, end=merged)
                return True
    return False


def _merged(fork: Fork, inner: Condition, second: Fork, on_then: bool) -> Fork | None:
    """`second` stands on one side of `fork`; None where the other side is none of its targets."""
    spans = fork.spans + second.spans
    outer = fork.condition
    if on_then:
        if second.otherwise == fork.otherwise:
            return Fork(Both(outer, inner), second.then, fork.otherwise, spans)
        if second.then == fork.otherwise:
            return Fork(Both(outer, _not(inner)), second.otherwise, fork.otherwise, spans)
    else:
        if second.then == fork.then:
            return Fork(Either(outer, inner), fork.then, second.otherwise, spans)
        if second.otherwise == fork.then:
            return Fork(Either(outer, _not(inner)), fork.then, second.then, spans)
    return None


def _decide(nodes: dict[str, Node]) -> bool:
    """Two ways that only write 1 and 0 to the same local are the value of the condition."""
    before = _before(nodes)
    for label, node in nodes.items():
        if not isinstance(node.end, Fork):
            continue
        fork = node.end
        yes, no = nodes[fork.then], nodes[fork.otherwise]
        ways = [_writes(n) for n in (yes, no) if before[n.label] == [label]]
        if len(ways) < 2 or ways[0] is None or ways[1] is None:
            continue
        (first, one), (second, zero) = ways[0], ways[1]
        if first != second or yes.end != no.end or {one, zero} != {0, 1}:
            continue
        condition = fork.condition if one else _not(fork.condition)
        step = Decide(first, condition, fork.spans[0])
        nodes[label] = Node(label, (*node.instructions, step), yes.end)
        return True
    return False


def _writes(node: Node) -> tuple[Local, int] | None:
    match node.instructions:
        case (Assign(target=Local() as local, value=Literal(value=value)),) if isinstance(
            node.end, Jump
        ) and local.name.startswith("%"):
            return local, value
        case _:
            return None


def _not(condition: Condition) -> Condition:
    return condition.inner if isinstance(condition, Not) else Not(condition)


def _own_condition(node: Node, uses: dict[str, int]) -> Condition | None:
    """The condition of a block that does nothing else; None where it does."""
    if not isinstance(node.end, Fork):
        return None
    if not node.instructions:
        return node.end.condition
    condition = node.end.condition
    if len(node.instructions) > 1 or not isinstance(condition, Leaf) or condition.call:
        return None
    call = node.instructions[0]
    if not isinstance(call, Call) or call.result is None:
        return None
    if foldable(call.result.name, condition.expr, uses):
        return Leaf(call, condition.expr)
    return None


def foldable(name: str, expr: Expr, uses: dict[str, int]) -> bool:
    """Whether a local's value may stand in the expression for it.

    It is used once, and nothing else is read there that getting it may change.
    """
    parts = list(subexpressions(expr))
    if uses.get(name) != 1 or not any(isinstance(p, Local) and p.name == name for p in parts):
        return False
    return all(
        isinstance(p, (Literal, Local, Unary, Cast))
        or (isinstance(p, Binary) and p.op not in ("&&", "||"))
        for p in parts
    )


def _analysed(nodes: dict[str, Node], entry: str) -> Graph:
    """Reverse postorder, dominators and the heads of loops."""
    post: list[str] = []
    seen: set[str] = set()
    active: set[str] = set()
    loops: set[str] = set()

    def visit(start: str) -> None:
        stack: list[tuple[str, int]] = [(start, 0)]
        seen.add(start)
        active.add(start)
        while stack:
            label, position = stack.pop()
            ways = targets(nodes[label])
            if position < len(ways):
                stack.append((label, position + 1))
                way = ways[position]
                if way in active:
                    loops.add(way)
                elif way not in seen:
                    seen.add(way)
                    active.add(way)
                    stack.append((way, 0))
            else:
                active.discard(label)
                post.append(label)

    visit(entry)
    order = {label: i for i, label in enumerate(reversed(post))}
    before = {label: tuple(ways) for label, ways in _before(nodes).items()}
    dominator = {entry: entry}
    changed = True
    while changed:
        changed = False
        for label in sorted(order, key=lambda n: order[n]):
            if label == entry:
                continue
            known = [b for b in before[label] if b in dominator]
            new = known[0]
            for other in known[1:]:
                new = _common(new, other, dominator, order)
            if dominator.get(label) != new:
                dominator[label] = new
                changed = True
    return Graph(entry, nodes, before, dominator, order, frozenset(loops))


def _common(a: str, b: str, dominator: dict[str, str], order: dict[str, int]) -> str:
    while a != b:
        while order[a] > order[b]:
            a = dominator[a]
        while order[b] > order[a]:
            b = dominator[b]
    return a
