# SPDX-License-Identifier: GPL-2.0-only
"""Many mutants: in parallel, each result written as soon as it is there, so that a run goes on
where the last one ended.

A result counts as known while the mutated text, the rest of the program and
the tool itself are the same (`digest`).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from codegen.base.progress import TerminalProgress
from codegen.toolchain import Request

from .judge import Mutant, Result, Subject, subjects
from .planting import Part

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Choice:
    """Which mutants: operators (all if none is named), parts, and how many of each at most.

    `helper_with` are the handlers that helper mutants run with: all, or the
    first few of a tree. `limit` picks that many places of an operator in a
    text, spread evenly.
    """

    operators: frozenset[str] = frozenset()
    parts: tuple[Part, ...] = tuple(Part)
    helper_with: frozenset[str] = frozenset()
    limit: int = 0

    def mutants(self, subject: Subject) -> Iterator[Mutant]:
        """The chosen mutants of a subject."""
        for part in self.parts:
            under = self.helper_with if part is Part.HELPER else frozenset()
            if under and subject.file.selector not in under:
                continue
            chosen: dict[str, list[Mutant]] = {}
            for mutant in subject.mutants(part):
                if not self.operators or mutant.operator.name in self.operators:
                    chosen.setdefault(mutant.operator.name, []).append(mutant)
            for found in chosen.values():
                yield from spread(found, self.limit)


def spread(found: Sequence[Mutant], limit: int) -> Sequence[Mutant]:
    """At most `limit` of them (0: all), the first and the last among them."""
    if not limit or len(found) <= limit:
        return found
    if limit == 1:
        return found[:1]
    step = (len(found) - 1) / (limit - 1)
    return [found[round(i * step)] for i in range(limit)]


@cache
def tool_digest() -> str:
    """What tells two states of the tool apart."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for folder, patterns in (
        (ROOT / "codegen", ("*.py", "*.toml")),
        (ROOT / "templates", ("*.j2",)),
        (here, ("judge.py", "observable.py")),
    ):
        for pattern in patterns:
            for path in sorted(folder.rglob(pattern)):
                digest.update(path.read_bytes())
    return digest.hexdigest()


def digest_of(subject: Subject, mutant: Mutant) -> str:
    """The mutated program and the tool, as one number."""
    digest = hashlib.sha256(tool_digest().encode())
    for text in (subject.converted.text, subject.helper.text, mutant.text):
        digest.update(text.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


class Store:
    """The results of a tree, one JSON object a line; the last one of a key counts."""

    def __init__(self, path: Path, *, keep: bool = False) -> None:
        self.path, self.keep = path, keep
        self.known: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                try:
                    data = json.loads(line)
                    self.known[data["key"]] = data
                except (ValueError, KeyError):
                    continue  # the last line of a run that was ended
        path.parent.mkdir(parents=True, exist_ok=True)

    def has(self, key: str, digest: str) -> bool:
        """Whether the result is there already, of the same text and the same tool."""
        data = self.known.get(key)
        return data is not None and (self.keep or data["digest"] == digest)

    def add(self, data: dict[str, Any]) -> None:
        """Writes one result."""
        self.known[data["key"]] = data
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data) + "\n")

    def results(self) -> list[Result]:
        """All of them, in a fixed order."""
        out = []
        for key in sorted(self.known):
            data = {k: v for k, v in self.known[key].items() if k not in ("key", "digest")}
            for name in ("mutant_classes", "original_classes", "notes"):
                data[name] = tuple(data[name])
            out.append(Result(**data))
        return out


_SUBJECTS: dict[str, Subject] = {}


def _work(
    request: Request, selector: str, wanted: list[tuple[Part, str, int, str]], bench: bool
) -> list[dict[str, Any]]:
    """A few mutants of one handler, in a process that keeps the handler for the next few."""
    if selector not in _SUBJECTS:
        _SUBJECTS.clear()
        _SUBJECTS.update({s.file.selector: s for s in subjects(request)})
    subject = _SUBJECTS[selector]
    out = []
    for part, operator, number, digest in wanted:
        mutant = next(
            m for m in subject.mutants(part) if (m.operator.name, m.number) == (operator, number)
        )
        result = subject.judge(mutant, bench=bench)
        out.append({"key": result.key, "digest": digest, **asdict(result)})
    return out


def run(request: Request, choice: Choice, store: Store, jobs: int, *, bench: bool = True) -> None:
    """Judges what is chosen and not yet known; a bar on stderr if that is a terminal."""
    work: list[tuple[Request, str, list[tuple[Part, str, int, str]]]] = []
    for subject in subjects(request):
        if not subject.passes:
            continue
        wanted = []
        for mutant in choice.mutants(subject):
            key = "/".join(
                (
                    subject.file.selector,
                    mutant.part.value,
                    mutant.operator.name,
                    str(mutant.number),
                )
            )
            digest = digest_of(subject, mutant)
            if not store.has(key, digest):
                wanted.append((mutant.part, mutant.operator.name, mutant.number, digest))
        own = _request_of(request, subject)
        work += [
            (own, subject.file.selector, wanted[i : i + 12]) for i in range(0, len(wanted), 12)
        ]
    total = sum(len(w[2]) for w in work)
    progress = TerminalProgress() if sys.stderr.isatty() else None
    if progress is not None and total:
        progress.start(total, "mutants")
    try:
        for results in _each(work, jobs, bench):
            for data in results:
                store.add(data)
            if progress is not None:
                progress.advance(len(results))
    finally:
        if progress is not None:
            progress.finish()


def _each(
    work: list[tuple[Request, str, list[tuple[Part, str, int, str]]]], jobs: int, bench: bool
) -> Iterator[list[dict[str, Any]]]:
    if jobs <= 1 or len(work) <= 1:
        for one in work:
            yield _work(*one, bench)
        return
    with ProcessPoolExecutor(min(jobs, os.cpu_count() or 1)) as pool:
        futures = [pool.submit(_work, *one, bench) for one in work]
        for future in as_completed(futures):
            yield future.result()


def _request_of(request: Request, subject: Subject) -> Request:
    """The request for one file only."""
    from dataclasses import replace

    return replace(request, source=replace(request.source, files=(subject.file,)))
