# SPDX-License-Identifier: GPL-2.0-only
"""A comparison as a maintainer reads it, and as interface.md lays it out in JSON.

EXPLAINED  220 path pairs over 2 passes
  stale-outcome      user: no_vma

  stale-outcome: on pass 2 src still acts on what an earlier pass left behind; ...
    user mode, no_vma (line 165)
      scenario: user_mode(regs)=1 handle_mm_fault#1=VM_FAULT_RETRY ...
      src  tgt
      135   86   handle_mm_fault(address, FAULT_FLAG_DEFAULT|FAULT_FLAG_USER)
      165      - ...
      replay: genfault simulate --arch arc --set 'user_mode(regs)=1' ...
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from codegen.ir.environment import outcome_place
from codegen.ir.naming import Naming
from codegen.targets.compare.nodes import Comparison, Difference, Selection
from codegen.targets.trace import (
    WIDTH,
    Step,
    merged_text,
    single_text,
    steps,
    wrapped,
)


@dataclass(frozen=True)
class Reading:
    """What a reader is told beside a comparison: names for numbers, and how to run it again.

    `files` are the handlers' own on either side; `src` and `tgt` the command
    that simulates the side, less the scenario (`tgt` None: there is no such program).
    `unsaid` are the variables and fields that src does not say and tgt does, and the other way
    round: the simulator of a side would take them for mistyped. `own` are the names
    for numbers that either side's simulator knows, where they are not all of them.
    """

    naming: Naming
    files: tuple[str, str]
    src: tuple[str, ...]
    tgt: tuple[str, ...] | None = None
    unsaid: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    own: tuple[Naming, Naming] | None = None

    def steps(self, d: Difference) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Both traces of a difference."""
        theirs = steps(d.tgt, d.scenario, self.naming)
        respelt = d.selections[1].respelt
        if respelt:
            theirs = tuple(replace(s, text=_respelt(s.text, respelt)) for s in theirs)
        return steps(d.src, d.scenario, self.naming), theirs

    def replays(self, d: Difference) -> dict[str, list[str]]:
        """The commands that show the traces of a difference again, by side."""
        commands = {"src": self.src, "tgt": self.tgt}
        namings = self.own or (self.naming, self.naming)
        sides = zip(commands.items(), d.selections, self.unsaid, namings, strict=True)
        return {
            side: [*command, *_selected(d, selection, unsaid, naming)]
            for (side, command), selection, unsaid, naming in sides
            if command is not None
        }


def _selected(
    d: Difference, selection: Selection, unsaid: frozenset[str], naming: Naming
) -> list[str]:
    """The options of `simulate` for a difference on one side."""
    words = [] if selection.function is None else ["--function", selection.function]
    for name, on in selection.settings:
        option = _respelt(name, _names(selection))
        words += ["--configuration", f"{option}={'y' if on else 'n'}"]
    if selection.entry is not None:
        words += ["--set", f"entry={selection.entry}"]
    for old, new in selection.respelt:
        if not _is_name(old) or not _is_name(new):
            words += ["--same", f"{old}={new}"]
    for name, number in d.scenario.items():
        told = _renamed(name, selection)
        # What has a number in its name is the world's: it may ask itself.
        if "#" in told or unsaid.isdisjoint(re.findall(r"\w+", told)):
            words += ["--set", f"{told}={naming.setting(name, number)}"]
    return words


def _renamed(name: str, selection: Selection) -> str:
    """A scenario's name in the words of the other side: its parameters by its own names."""
    names = dict(selection.renamed)
    if names:
        name = re.sub(r"(?<![\w.>])[A-Za-z_]\w*", lambda m: names.get(m[0], m[0]), name)
    return _respelt(name, _names(selection))


def _names(selection: Selection) -> list[tuple[str, str]]:
    """The pairs that are names on both sides; any other is the simulator's to read as src does."""
    return [(old, new) for old, new in selection.respelt if _is_name(old) and _is_name(new)]


def _is_name(text: str) -> bool:
    return re.fullmatch(r"\w+(?:(?:\.|->)\w+)*", text) is not None


def _respelt(text: str, names: Sequence[tuple[str, str]]) -> str:
    """A text in src's names in tgt's."""
    for old, new in names:
        text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new.replace("\\", r"\\"), text)
    return text


# ---- text ----------------------------------------------------------------------------


def comparison_text(c: Comparison, reading: Reading) -> str:
    """The verdict, an overview, then a paragraph for each difference; ends with a newline."""
    counted = f"{c.pairs} path pairs over {c.passes} pass{'es' if c.passes != 1 else ''}"
    lines = [f"{c.verdict}  {counted}", *_overview(c.differences)]
    lines += [f"  note: {note}" for note in c.notes]
    for _, group in groupby(_in_order(c.differences), _kind):
        every = list(group)
        # What is seen in the handler itself says more than what is seen inside a routine.
        every.sort(key=lambda d: (d.mode, d.inside is not None, d.size))
        lines += ["", *_prose("  ", f"{every[0].cls}: {_sentence(every[0])}")]
        for mode, alike in groupby(every, lambda d: d.mode):
            shown, *rest = alike
            others = sorted(rest, key=lambda d: outcome_place(d.outcome))
            lines += _paragraph(shown, reading)
            if others:
                words = [f"{w}," for w in map(_where, others)]
                too = "what else comes of it" if shown.hangs_on else f"{mode} mode, too"
                lines += _filled(f"    {too}: ", [*words[:-1], words[-1][:-1]])
    return "\n".join(lines) + "\n"


def _kind(d: Difference) -> tuple[object, ...]:
    """What is told under one heading: a class, and one sentence or one cause in one mode."""
    return (str(d.cls), *((d.mode, d.hangs_on) if d.hangs_on else (_sentence(d),)))


def _sentence(d: Difference) -> str:
    """The explanation without when it was met."""
    return d.explanation.partition(": ")[2] or d.explanation


def _in_order(differences: Sequence[Difference]) -> list[Difference]:
    """As they come, with those that stand beside others, those of one kind together."""
    every = [one for d in differences for one in (d, *d.also)]
    first = {_kind(d): i for i, d in reversed(list(enumerate(every)))}
    return sorted(every, key=lambda d: (first[_kind(d)], d.mode))


def _where(d: Difference) -> str:
    """`no_vma (src line 93, tgt line 140)`: what was met, and where the two part."""
    lines = f"line {d.line}" if d.tgt_line is None else f"src line {d.line}, tgt line {d.tgt_line}"
    return f"{d.outcome or 'any outcome'} ({lines})"


def _overview(differences: Sequence[Difference]) -> list[str]:
    """One line a class and mode: which outcomes."""
    met: dict[tuple[str, str], set[str | None]] = {}
    for d in differences:
        met.setdefault((str(d.cls), d.mode), set()).add(d.outcome)
    wide = max((len(cls) for cls, _ in met), default=0)
    lines: list[str] = []
    for (cls, mode), outcomes in met.items():
        words = ", ".join(o or "any outcome" for o in sorted(outcomes, key=outcome_place))
        lines += wrapped(f"  {cls:<{wide}}  {mode + ':':<7} ", words, WIDTH)
    return lines


def _paragraph(d: Difference, reading: Reading) -> list[str]:
    src, tgt = reading.steps(d)
    lines = [f"    {d.mode} mode, {_where(d)}", *_scenario(d, reading)]
    if tgt or reading.tgt is not None:
        lines += [f"      {line}" for line in merged_text(src, tgt, reading.files)]
    else:
        lines += [f"      {line}" for line in single_text(src, reading.files[0])]
    for command in reading.replays(d).values():
        lines += _command(command)
    return lines


def _scenario(d: Difference, reading: Reading) -> list[str]:
    words = [f"{n}={reading.naming.setting(n, v)}" for n, v in d.scenario.items()]
    return _filled("      scenario: ", words)


def _filled(head: str, words: Sequence[str], end: str = "") -> list[str]:
    """Words one after the other, in lines that `end` marks as going on."""
    lines, line = [], head
    for word in words:
        if line.strip() and len(line) + len(word) + len(end) > WIDTH and line != head:
            lines.append(line.rstrip() + end)
            line = " " * len(head)
        line += word + " "
    return [*lines, line.rstrip()]


def _prose(head: str, text: str) -> list[str]:
    lines = _filled(head, text.split(" "))
    return [lines[0], *("  " + line for line in lines[1:])]


_WITH_VALUE = ("--set", "--configuration", "--arch", "--function", "--same", "--inline")


def _command(argv: Sequence[str]) -> list[str]:
    """A command line that a shell takes as it stands; `\\` goes on in the next line."""
    words: list[str] = []
    for word in map(shlex.quote, argv):
        if words and words[-1] in _WITH_VALUE:
            words[-1] += f" {word}"  # an option stays with its value
        else:
            words.append(word)
    return _filled("      replay: ", words, end=" \\")


def findings_text(path: str, function: str, c: Comparison, reading: Reading) -> str:
    """What `check` found: a line each as compilers print them, then the counterexample.

    Empty where nothing was found.
    """
    lines: list[str] = []
    for d in (one for found in c.differences for one in (found, *found.also)):
        lines.append(f"{path}:{d.line}: {function}(): {d.cls}: {d.explanation}")
        lines += _paragraph(d, reading)[1:]
    return "".join(f"{line}\n" for line in lines)


# ---- JSON ----------------------------------------------------------------------------


def comparison_json(c: Comparison, reading: Reading) -> dict[str, Any]:
    """`verdict` and `differences` as in interface.md, with the pairs, passes and notes."""
    return {
        "verdict": str(c.verdict),
        "differences": [difference_json(d, reading) for d in c.differences],
        "pairs": c.pairs,
        "passes": c.passes,
        "notes": list(c.notes),
    }


def difference_json(d: Difference, reading: Reading) -> dict[str, Any]:
    """One entry of `differences`; `replay` are the argument lists of the commands."""
    src, tgt = reading.steps(d)
    out = {
        "class": str(d.cls),
        "mode": d.mode,
        "outcome": d.outcome,
        "line": d.line,
        "scenario": dict(d.scenario),
        "src": [_event_json(e, reading.files[0]) for e in src],
        "tgt": [_event_json(e, reading.files[1]) for e in tgt],
        "explanation": d.explanation,
        "replay": reading.replays(d),
    }
    if d.inside is not None:
        out["inside"] = d.inside
    if d.tgt_line is not None:
        out["tgt_line"] = d.tgt_line
    if d.renamed:
        out["renamed"] = [
            {"src": r.old, "src_line": r.src_line, "tgt": r.new, "tgt_line": r.tgt_line}
            for r in d.renamed
        ]
    if d.also:
        out["also"] = [difference_json(one, reading) for one in d.also]
    return out


def _event_json(step: Step, own: str) -> Mapping[str, Any]:
    out: dict[str, Any] = {
        "kind": str(step.kind),
        "name": step.name,
        "args": list(step.args),
        "line": step.line,
        "text": step.text,
    }
    if step.file != own:
        out["file"] = step.file
    return out
