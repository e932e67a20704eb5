# SPDX-License-Identifier: GPL-2.0-only
"""Statements to be written: what decode and dispatch are made of before they become text.

If(condition, (Text("mask = VM_WRITE;"),), (Text("mask = VM_READ;"),))  --write-->  lines
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.targets.c.layout import WIDTH, columns, comment_lines, shift, wrap


@dataclass(frozen=True, slots=True)
class Text:
    """One statement, or whole lines of the source if `verbatim`."""

    text: str
    comments: tuple[str, ...] = ()
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """`name:` at the left margin, below its comments."""

    name: str
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Blank:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class If:
    """`if (condition) then else otherwise`; `remark` is a comment beside the condition."""

    condition: str
    then: tuple[Block, ...]
    otherwise: tuple[Block, ...] = ()
    remark: str = ""
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Switch:
    """`switch (subject)`; each arm is its labels (`default` among them) and what it does."""

    subject: str
    arms: tuple[tuple[tuple[str, ...], tuple[Block, ...]], ...]
    leaves: frozenset[int] = frozenset()
    """The arms that never come to their end."""


Block = Text | Label | Blank | If | Switch


def write(blocks: Sequence[Block], depth: int = 1) -> list[str]:
    """The lines of some statements."""
    lines: list[str] = []
    for block in blocks:
        match block:
            case Text():
                for comment in block.comments:
                    lines += comment_lines(comment, depth)
                if block.verbatim:
                    lines += shift(block.text, depth)
                else:
                    lines += wrap(block.text, depth)
            case Label():
                for comment in block.comments:
                    lines += comment_lines(comment, depth)
                lines.append(f"{block.name}:")
            case Blank():
                lines.append("")
            case If():
                for comment in block.comments:
                    lines += comment_lines(comment, depth)
                lines += _chain(block, depth)
            case Switch():
                lines += _switch(block, depth)
    return lines


def _chain(block: If, depth: int) -> list[str]:
    """An if with its else-ifs; all arms have braces if one needs them."""
    arms: list[tuple[str | None, str, tuple[Block, ...]]] = []
    current: If | None = block
    while current is not None:
        arms.append((current.condition, current.remark, current.then))
        match current.otherwise:
            case (If(comments=()) as inner,):
                current = inner
            case ():
                current = None
            case other:
                arms.append((None, "", other))
                current = None
    written = [write(body, depth + 1) for _, _, body in arms]
    braces = any(not _is_simple(body) for _, _, body in arms)
    tabs = "\t" * depth
    lines: list[str] = []
    for i, ((condition, remark, _), body) in enumerate(zip(arms, written, strict=True)):
        opener = " {" if braces else ""
        head = "else" if condition is None else f"if ({condition})"
        if i and condition is not None:
            head = f"else {head}"
        if i and braces:
            head = "} " + head
        new = wrap(head + opener, depth)
        if remark and columns(new[-1] + "\t" + remark) <= WIDTH + 20:
            new[-1] += "\t" + remark
        lines += new
        lines += body
    if braces:
        lines.append(f"{tabs}}}")
    return lines


def _is_simple(body: Sequence[Block]) -> bool:
    """Whether a body is one statement without a comment: it needs no braces."""
    match list(body):
        case [Text(comments=(), verbatim=False)]:
            return True
        case _:
            return False


def _switch(block: Switch, depth: int) -> list[str]:
    tabs = "\t" * depth
    lines = [f"{tabs}switch ({block.subject}) {{"]
    for i, (labels, body) in enumerate(block.arms):
        for label in labels:
            lines.append(f"{tabs}default:" if label == "default" else f"{tabs}case {label}:")
        lines += write(body, depth + 1)
        if i not in block.leaves:
            lines.append(f"{tabs}\tbreak;")
    lines.append(f"{tabs}}}")
    return lines
