# SPDX-License-Identifier: GPL-2.0-only
"""What of a bench's trace is compared (house plan, section 6): how a lock is taken is not.

lock mmap_lock()                          (left out)
accounting perf_sw_event(0x2, 0x1, ...)   counted by itself, from fault to fault
write a = 1 | unlock ... | write a = 2    write a = 2
return void lock=0 vma=0                  return void held=0
"""

from __future__ import annotations

from codegen.targets.normal import UNCOUNTED

_UNSEEN = frozenset(("lock", "unlock", "lock-wait", "vma-lock", "vma-unlock"))


def observable(text: str) -> tuple[str, ...] | None:
    """The lines that count, in a fixed form; None for a run that says nothing."""
    *lines, end = text.split("\n")
    if end in UNCOUNTED and end != "endless":
        return None
    steps: list[str] = []
    counted: list[str] = []
    writes: dict[str, str] = {}

    def flush() -> None:
        steps.extend(f"write {name} = {value}" for name, value in sorted(writes.items()))
        writes.clear()

    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind in _UNSEEN:
            continue
        if kind == "write":
            name, _, value = rest.partition(" = ")
            if name.endswith(("maj_flt", "min_flt")):
                counted.append(line)
            else:
                writes.pop(name, None)
                writes[name] = value
            continue
        if kind == "accounting":
            counted.append(line)
            continue
        if kind == "call" and rest.startswith("WARN") and "(0x0" in rest:
            continue
        flush()
        steps.append(line)
        if kind == "handle_mm_fault":
            steps.append(f"counted {counted}")
            counted = []
    flush()
    steps += [f"counted {counted}", _end(end)]
    return tuple(steps)


def _end(end: str) -> str:
    """Locks held are held, whichever they are."""
    words = end.split()
    if words[:1] != ["return"] or len(words) != 4:
        return end
    held = sum(int(w.partition("=")[2]) for w in words[2:])
    return f"return {words[1]} held={held}"
