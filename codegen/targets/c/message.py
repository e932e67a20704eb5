# SPDX-License-Identifier: GPL-2.0-only
"""What the mails of a series say: one for the helper, one for each architecture, and the letter.

    (arc, EXPLAINED, differences)  --arch_message-->  Message("arc: mm: use generic_fault()", ...)

The words are those of `templates/c/patch*.j2` and `cover.j2`; here they get
the differences grouped by class and mode, and are wrapped to a mail's width.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codegen.ir.environment import outcome_place
from codegen.targets.c.nodes import HELPER_FUNCTION, MmApi
from codegen.targets.render import render

WIDTH = 72
"""How wide a line of a commit message may be (Documentation/process/submitting-patches.rst)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A subject without its prefix, and the body; both plain text."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Change:
    """The differences of one class in one mode: the outcomes that show it, in words.

    `ending` is how the original's trace ends that of the conversion does not:
    "returned" (no signal at all), "code" (the same signal otherwise), "other";
    an oops may end as "bug", in a BUG() that both run into.
    `told` is the comparison's own sentence about the first, `names` the flags
    that the original loses, or what it alone writes.
    """

    cls: str
    mode: str
    outcomes: tuple[str, ...]
    ending: str
    told: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One handler as the letter tells of it."""

    arch: str
    path: str
    function: str
    verdict: str
    classes: tuple[str, ...]
    refusal: str | None
    lines: tuple[int, int] | None
    """How many lines the file had and has."""


def helper_message(api: MmApi) -> Message:
    """What the patch says that adds the helper."""
    return Message(f"mm: add {HELPER_FUNCTION}()", wrapped(render("c/patch_helper.j2", api=api)))


def arch_message(arch: str, function: str, differences: Sequence[Mapping[str, Any]]) -> Message:
    """What the patch says that converts one handler, with each class of difference in words."""
    changes = changes_of(differences)
    body = render("c/patch_arch.j2", function=function, changes=changes, either=either)
    return Message(f"{arch}: mm: use {HELPER_FUNCTION}()", wrapped(body))


def cover_message(
    judged: Sequence[Judged], kernel: str, version: str, decode: str, signals: str
) -> Message:
    """The letter before the series; `decode` and `signals` are the tables, laid out already."""
    converted = [j for j in judged if j.refusal is None]
    body = render(
        "c/cover.j2",
        converted=converted,
        refused=[j for j in judged if j.refusal is not None],
        table=verdict_table(converted),
        kernel=kernel,
        version=version,
        decode=decode,
        signals=signals,
    )
    count = f"{len(converted)} architecture{'s' if len(converted) != 1 else ''}"
    return Message(f"mm: one {HELPER_FUNCTION}() for {count}", wrapped(body))


def verdict_table(converted: Sequence[Judged]) -> str:
    """One line a converted handler: lines before and after, verdict, classes."""
    rows = []
    width = max((len(j.arch) for j in converted), default=0)
    for j in converted:
        before, after = j.lines or (0, 0)
        head = f"  {j.arch:<{width}}  {before:>4} -> {after:<4} {j.verdict:<9}  "
        text = ", ".join(j.classes) or "-"
        rows.append(
            textwrap.fill(
                text, 75, initial_indent=head, subsequent_indent=" " * len(head), **_WORDS
            )
        )
    return "\n".join(rows)


_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def wrapped(text: str, width: int = WIDTH) -> str:
    """Paragraphs filled to the width; indented blocks (tables) stay, `- ` hangs its lines."""
    out = []
    for paragraph in re.split(r"\n[ \t]*\n", text.strip("\n")):
        if paragraph.startswith("  "):
            out.append(paragraph.rstrip())
            continue
        words = " ".join(paragraph.split())
        hang = "  " if words.startswith("- ") else ""
        out.append(textwrap.fill(words, width, subsequent_indent=hang, **_WORDS))
    return "\n\n".join(out) + "\n"


# ---- differences in words ----------------------------------------------------------------

_OUTCOMES = {
    "no_vma": "no VMA is found",
    "stack_growth_failure": "the stack cannot grow to the address",
    "access_denied": "the VMA does not permit the access",
    "signal_pending_after_RETRY": "a signal is pending when the mm asks for a retry",
    "VM_FAULT_RETRY_no_signal": "the mm asks for a retry",
    "VM_FAULT_COMPLETED": "the mm says VM_FAULT_COMPLETED",
    "success": "the fault is resolved",
    "lock_contended": "the mm cannot be locked",
}
"""The outcomes of the JSON contract, as the rest of a sentence that begins with "when"."""


def outcome_words(outcome: str | None) -> str | None:
    """`VM_FAULT_OOM` to "the mm says VM_FAULT_OOM"; None for what is no outcome of the mm's."""
    if outcome is None or outcome == "prologue":
        return None
    return _OUTCOMES.get(outcome, f"the mm says {outcome}")


_ONE_SENTENCE = ("fast-path", "flag-loss", "uaccess-livelock")
"""Classes that are the same change whatever the outcome."""


def changes_of(differences: Sequence[Mapping[str, Any]]) -> tuple[Change, ...]:
    """Differences (as in the JSON contract) grouped by class, mode and how they end."""
    groups: dict[tuple[str, str, str, bool], list[Mapping[str, Any]]] = {}
    for d in differences:
        key = (str(d["class"]), str(d["mode"]), _ending(d), outcome_words(d["outcome"]) is None)
        if d["class"] in _ONE_SENTENCE:
            own = d["class"] == "fast-path" and any(e["kind"] == "vma-lock" for e in d["src"])
            key = (key[0], key[1], "apart" if own else "other", False)
        groups.setdefault(key, []).append(d)
    changes = []
    for (cls, mode, ending, _), found in sorted(groups.items()):
        met = sorted({d["outcome"] for d in found}, key=outcome_place)
        outcomes = dict.fromkeys(w for o in met if (w := outcome_words(o)))
        names = dict.fromkeys(n for d in found for n in _names(d))
        told = _told(str(found[0]["explanation"]))
        changes.append(Change(cls, mode, tuple(outcomes), ending, told, tuple(names)))
    return tuple(changes)


def _ending(difference: Mapping[str, Any]) -> str:
    if difference["class"] == "dropped-effect":
        before, after = _written(difference["src"]), _written(difference["tgt"])
        return "joined" if after - before else "other" if before - after else "early"
    if difference["class"] == "oops-reason":
        return "bug" if any(e["kind"] == "bug" for e in difference["tgt"]) else "other"
    sent, now = _signals(difference["src"]), _signals(difference["tgt"])
    if not sent and now:
        return "returned"
    if sent and now and sent != now and sent[-1][:1] == now[-1][:1]:
        return "code"
    return "other"


def _signals(events: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(e["args"]) for e in events if e["kind"] == "signal"]


def _names(difference: Mapping[str, Any]) -> list[str]:
    """The flags that the original loses, or what only one of the two writes."""
    if lost := re.search(r"has lost flags \(([^)]*)\)", str(difference["explanation"])):
        return lost[1].split(", ")
    return sorted(_written(difference["src"]) ^ _written(difference["tgt"]))


def _written(events: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(e["name"]) for e in events if e["kind"] == "write"}


def _told(explanation: str) -> str:
    """The comparison's sentence without its heading, about the old and the new handler."""
    text = explanation.split(": ", 1)[-1].rstrip(".")
    text = re.sub(r"\bsrc\b", "the old handler", text)
    return re.sub(r"\btgt\b", "the new one", text)


def either(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`; what the mm says comes last and is said once."""
    said = [w.removeprefix(_SAYS) for w in words if w.startswith(_SAYS)]
    rest = [w for w in words if not w.startswith(_SAYS)]
    return _or([*rest, _SAYS + _or(said)] if said else rest)


_SAYS = "the mm says "


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
