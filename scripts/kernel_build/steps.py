# SPDX-License-Identifier: GPL-2.0-only
"""One architecture, from its recipe to what each step found.

    before:  configure, prepare, handler.o, sparse       on the tree as it is
    alone:   configure, prepare, handler.o               with the series' first patch
    after:   the same, and mm/generic_fault.o            with the series applied
    again:   both objects with the warnings that the kernel leaves off;
             the helper with the per-VMA lock where this configuration has none

Only what is said after and was not said before counts. With the first patch
alone (the helper, which nothing selects yet) configuration and object must be
those of before: an architecture that has not been converted sees no other
patch of the series, for each touches one `arch/` folder only.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scripts.kernel_build.diagnostics import Diagnostic, new_ones
from scripts.kernel_build.kbuild import Kbuild, Ran
from scripts.kernel_build.recipes import Recipe, Toolchain
from scripts.kernel_build.scratch import lay, mended
from scripts.kernel_build.series import Handler, Series

HELPER_OBJECT = "mm/generic_fault.o"
HELPER_SOURCE = "mm/generic_fault.c"
# Off in the kernel's own flags or by its Makefile; what an edit leaves behind shows here.
_LEFT_OVERS = (
    "-Wno-error -Wunused -Wunused-but-set-variable -Wunused-macros -Wmissing-prototypes "
    "-Wmissing-declarations"
).split()
_LEFT_OVERS_GCC = ("-Wmaybe-uninitialized",)
_LEFT_OVERS_CLANG = ("-Wconditional-uninitialized",)
_FAST_PATH = ("-DCONFIG_PER_VMA_LOCK=1", "-DCONFIG_PER_VMA_LOCK_STATS=1")
# Part of the key of a remembered `before`: count up when these steps change.
_STEPS = 2


@dataclass(frozen=True)
class Step:
    """One step's end: `ok` None where it could not be taken, and `note` says why."""

    name: str
    ok: bool | None
    new: tuple[str, ...] = ()
    known: int = 0
    note: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class _Before:
    """What the untouched handler says; remembered between runs.

    `made` are the digests of the configuration and of the object.
    """

    ok: bool
    compiled: tuple[Diagnostic, ...]
    left_overs: tuple[Diagnostic, ...]
    sparse_ok: bool
    sparse: tuple[Diagnostic, ...]
    note: str
    made: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """The folders of one architecture in the cache."""

    folder: Path

    @property
    def source(self) -> Path:
        """The scratch copy of the tree."""
        return self.folder / "source"

    @property
    def objects(self) -> Path:
        """Kbuild's O=."""
        return self.folder / "objects"

    @property
    def logs(self) -> Path:
        """The output of each command."""
        return self.folder / "logs"


def build(
    tree: Path,
    recipe: Recipe,
    toolchain: Toolchain,
    handler: Handler,
    series: Series,
    place: Place,
    jobs: int,
    with_sparse: bool,
    tell: Callable[[str], None],
) -> Iterator[Step]:
    """Takes the steps and gives each one's end as soon as it is known; `tell` hears of each start.

    Ends early where the tree does not build before the conversion either.
    """
    kbuild = Kbuild(place.source, place.objects, place.logs, handler.folder, toolchain, jobs)
    steps = _Steps(tree, recipe, handler, series, place, kbuild, with_sparse, tell)
    yield from steps.run()


@dataclass
class _Steps:
    tree: Path
    recipe: Recipe
    handler: Handler
    series: Series
    place: Place
    kbuild: Kbuild
    with_sparse: bool
    tell: Callable[[str], None]

    @property
    def target(self) -> str:
        return f"{self.handler.file.removesuffix('.c')}.o"

    def run(self) -> Iterator[Step]:
        start = time.monotonic()
        before, remembered = self.before()
        yield Step(
            "before",
            before.ok,
            known=len(before.compiled),
            note=before.note or ("remembered" if remembered else ""),
            seconds=time.monotonic() - start,
        )
        if not before.ok:
            return

        if self.series.first:
            yield self.alone(before)
        start = time.monotonic()
        failed = self.set_up(self.series.files, "after")
        if failed is not None:
            note = f"{failed[0]}: {failed[1].last_words()}"
            yield Step("after", False, note=note, seconds=time.monotonic() - start)
            return
        if not self.kbuild.is_set("GENERIC_FAULT") and self.is_converted:
            note = "the configuration has no CONFIG_GENERIC_FAULT=y"
            yield Step("config", False, note=note, seconds=time.monotonic() - start)

        self.tell("compile after")
        after = self.kbuild.compile("after-handler", self.target)
        took = time.monotonic() - start
        yield _judged("after", after, before.compiled, took)
        if after.ok:
            yield from self.again("left-overs", self.target, self.left_overs, before.left_overs)
            yield from self.sparse("sparse", self.target, before)
        if self.is_converted:
            yield from self.helper(before)

    def alone(self, before: _Before) -> Step:
        """The state behind the first patch: to this architecture it is the one before it."""
        start = time.monotonic()
        failed = self.set_up(self.series.first, "alone")
        if failed is None:
            compiled = self.kbuild.compile("alone-handler", self.target)
            failed = None if compiled.ok else ("handler", compiled)
        took = time.monotonic() - start
        if failed is not None:
            note = f"{failed[0]}: {failed[1].last_words()}"
            return Step("helper alone", False, note=note, seconds=took)
        changed = [name for name, made in self.made().items() if made != before.made[name]]
        note = f"{' and '.join(changed)} changed" if changed else ""
        return Step("helper alone", not changed, note=note, seconds=took)

    def made(self) -> dict[str, str]:
        """What a build has made of the tree as it is laid out now, in short."""
        objects = self.place.objects
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in ((".config", objects / ".config"), ("object", objects / self.target))
        }

    @property
    def is_converted(self) -> bool:
        return self.handler.file in self.series.files

    @property
    def left_overs(self) -> tuple[str, ...]:
        own = _LEFT_OVERS_CLANG if self.kbuild.toolchain.is_clang else _LEFT_OVERS_GCC
        return (*_LEFT_OVERS, *own)

    def helper(self, before: _Before) -> Iterator[Step]:
        self.tell("compile the helper")
        done = self.kbuild.compile("after-helper", HELPER_OBJECT)
        yield _judged("helper", done, before.compiled, done.seconds)
        if not done.ok:
            return
        # Of its own it has nothing that was there before; of the headers it has.
        yield from self.again(
            "helper left-overs", HELPER_OBJECT, self.left_overs, before.left_overs
        )
        has_fast_path = b"CONFIG_PER_VMA_LOCK" in self.series.files.get(HELPER_SOURCE, b"")
        if has_fast_path and self.kbuild.is_set("PER_VMA_LOCK"):
            yield Step("fast path", True, note="part of this configuration")
        elif has_fast_path:
            yield from self.again("fast path", HELPER_OBJECT, _FAST_PATH, before.compiled)
        yield from self.sparse("helper sparse", HELPER_OBJECT, before)

    def again(
        self, name: str, target: str, options: Sequence[str], known: Sequence[Diagnostic]
    ) -> Iterator[Step]:
        self.tell(name)
        done = self.kbuild.again(f"after-{name.replace(' ', '-')}", target, options)
        yield _judged(name, done, known, done.seconds)

    def sparse(self, name: str, target: str, before: _Before) -> Iterator[Step]:
        if not self.with_sparse:
            return
        self.tell(name)
        done = self.kbuild.sparse(f"after-{name.replace(' ', '-')}", target)
        if not done.ok and not before.sparse_ok:
            note = f"fails before, too: {done.last_words()}"
            yield Step(name, None, note=note, seconds=done.seconds)
        else:
            yield _judged(name, done, before.sparse, done.seconds)

    def set_up(self, differs: Mapping[str, bytes], side: str) -> tuple[str, Ran] | None:
        """The scratch copy, the .config and the headers of a side; what failed, if it did."""
        self.tell(f"prepare {side}")
        is_clang = self.kbuild.toolchain.is_clang
        lay(self.tree, mended(self.tree, differs, self.recipe.mends, is_clang), self.place.source)
        done = self.kbuild.configure(self.recipe.config)
        if not done.ok:
            return self.recipe.config, done
        done = self.kbuild.prepare()
        return None if done.ok else ("prepare", done)

    def before(self) -> tuple[_Before, bool]:
        """What the untouched handler says, and whether that is remembered from an earlier run."""
        memory = self.place.folder / "before.json"
        key = self.key()
        try:
            stored = json.loads(memory.read_text("utf-8"))
        except (OSError, ValueError):
            stored = {}
        if stored.get("key") == key:
            return _before_from(stored["before"]), True
        before = self.measure_before()
        if before.ok:
            text = json.dumps({"key": key, "before": asdict(before)}, indent=1)
            memory.write_text(text, "utf-8")
        return before, False

    def measure_before(self) -> _Before:
        failed = self.set_up({}, "before")
        if failed is not None:
            note = f"{failed[0]}: {failed[1].last_words()}"
            return _Before(False, (), (), False, (), note)
        self.tell("compile before")
        compiled = self.kbuild.compile("before-handler", self.target)
        if not compiled.ok:
            return _Before(False, compiled.found, (), False, (), compiled.last_words())
        made = self.made()
        left_overs = self.kbuild.again("before-left-overs", self.target, self.left_overs)
        checked = None
        if self.with_sparse:
            checked = self.kbuild.sparse("before-sparse", self.target)
        return _Before(
            True,
            compiled.found,
            (*compiled.found, *left_overs.found),
            checked is not None and checked.ok,
            checked.found if checked is not None else (),
            "",
            made,
        )

    def key(self) -> str:
        """What the untouched handler's result depends on, as far as it may change."""
        text = (self.tree / self.handler.file).read_bytes()
        parts = [
            *(str(_STEPS), str(self.tree), repr(self.recipe), repr(self.kbuild.toolchain)),
            *(repr(self.left_overs), repr(self.with_sparse), hashlib.sha256(text).hexdigest()),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _judged(name: str, done: Ran, known: Sequence[Diagnostic], seconds: float) -> Step:
    fresh = new_ones(known, done.found)
    ok = done.ok and not fresh
    note = "" if done.ok or fresh else done.last_words()
    told = tuple(str(d) for d in fresh)
    return Step(name, ok, told, len(done.found) - len(fresh), note, seconds)


def _before_from(stored: Mapping[str, object]) -> _Before:
    def read(name: str) -> tuple[Diagnostic, ...]:
        entries = stored[name]
        assert isinstance(entries, list)
        return tuple(Diagnostic(**entry) for entry in entries)

    made = stored["made"]
    assert isinstance(made, dict)
    return _Before(
        bool(stored["ok"]),
        read("compiled"),
        read("left_overs"),
        bool(stored["sparse_ok"]),
        read("sparse"),
        str(stored["note"]),
        made,
    )
