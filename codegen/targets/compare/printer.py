# SPDX-License-Identifier: GPL-2.0-only
"""A comparison as a maintainer reads it, and as interface.md lays it out in JSON.

EXPLAINED: 220 path pairs over 2 passes; stale-outcome
  stale-outcome (line 165): user mode, no_vma: on pass 2 src still acts on ...
    scenario: handle_mm_fault#1=0x400 user_mode(regs)=1 ...
    src  135  handle_mm_fault(address, 0x254)
         165  return
    tgt  ...
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codegen.ir.concrete import ConcreteEvent, Evaluator, concrete_event
from codegen.ir.trace import Event, EventKind
from codegen.targets.compare.nodes import Comparison, Difference


def comparison_text(c: Comparison) -> str:
    """The verdict in one line, then a paragraph for each difference; ends with a newline."""
    counted = f"{c.pairs} path pairs over {c.passes} pass{'es' if c.passes != 1 else ''}"
    classes = ", ".join(sorted({str(d.cls) for d in c.differences}))
    lines = [f"{c.verdict}: {counted}" + (f"; {classes}" if classes else "")]
    lines += [f"  note: {note}" for note in c.notes]
    for d in c.differences:
        lines += ["", difference_text(d).rstrip("\n")]
    return "\n".join(lines) + "\n"


def difference_text(d: Difference) -> str:
    """One difference with its scenario and both traces; ends with a newline."""
    lines = [f"  {d.cls} (line {d.line}): {d.explanation}"]
    lines.append("    scenario: " + " ".join(f"{n}={_short(v)}" for n, v in d.scenario.items()))
    for label, trace in (("src", d.src), ("tgt", d.tgt)):
        shown = [_event_line(e) for e in concrete_events(trace, d.scenario)]
        if not shown and label == "tgt" and d.src:
            shown = ["the contract"]
        for position, line in enumerate(shown or ["nothing"]):
            lines.append(f"    {label if position == 0 else '   '}  {line}")
    return "\n".join(lines) + "\n"


def comparison_json(c: Comparison) -> dict[str, Any]:
    """`verdict` and `differences` as in interface.md, with the pairs, passes and notes."""
    return {
        "verdict": str(c.verdict),
        "differences": [difference_json(d) for d in c.differences],
        "pairs": c.pairs,
        "passes": c.passes,
        "notes": list(c.notes),
    }


def difference_json(d: Difference) -> dict[str, Any]:
    """One entry of `differences`."""
    return {
        "class": str(d.cls),
        "mode": d.mode,
        "outcome": d.outcome,
        "line": d.line,
        "scenario": dict(d.scenario),
        "src": [_event_json(e) for e in concrete_events(d.src, d.scenario)],
        "tgt": [_event_json(e) for e in concrete_events(d.tgt, d.scenario)],
        "explanation": d.explanation,
    }


def concrete_events(
    trace: tuple[Event, ...], scenario: Mapping[str, int]
) -> tuple[ConcreteEvent, ...]:
    """The events with their arguments worked out in the scenario."""
    evaluator = Evaluator(scenario)
    return tuple(concrete_event(e, evaluator) for e in trace)


def _event_line(event: ConcreteEvent) -> str:
    args = ", ".join(a if isinstance(a, str) else _short(a) for a in event.args)
    if event.kind is EventKind.WRITE:
        return f"{event.line:>5}  {event.name} = {args}"
    words = "" if event.kind in (EventKind.CALL, EventKind.FAULT) else f"  [{event.kind}]"
    return f"{event.line:>5}  {event.name}({args}){words}"


def _event_json(event: ConcreteEvent) -> dict[str, Any]:
    return {
        "kind": str(event.kind),
        "name": event.name,
        "args": list(event.args),
        "line": event.line,
    }


def _short(number: int) -> str:
    return str(number) if number < 10 else f"{number:#x}"


def findings_text(path: str, function: str, c: Comparison) -> str:
    """What `check` found, one line each as compilers print them; empty where nothing was."""
    return "".join(
        f"{path}:{d.line}: {function}(): {d.cls}: {d.explanation}\n" for d in c.differences
    )
