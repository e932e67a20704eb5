# SPDX-License-Identifier: GPL-2.0-only
"""Inside the routines that a comparison takes as one step.

A routine of the file that goes to the exception table, that oopses, or that is
an effect like any other (`Program.taken`) is one event of the trace, and two
events of one name and the same arguments are held to be the same. This is
where that is shown: the routine and all that it hangs on have the same text;
or they are the same but for the names of locals; or the engine compares the
routine of either side from its entry, for all arguments and in every world,
its own calls being events in turn.

    do_page_fault()  EQUAL, vmalloc_fault(regs, address) being a step of both
    vmalloc_fault()  a difference in line 61        -> a difference of the handler
    vmalloc_fault()  a loop that does not come to rest -> UNKNOWN
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

from codegen.frontend.nodes import Configuration
from codegen.ir.load import Unit, Variant, load_routine
from codegen.ir.nodes import Function, Global
from codegen.ir.program import Program, calls_of, expressions_of
from codegen.ir.shape import shape_of
from codegen.targets.compare.compare import compare
from codegen.targets.compare.family import Families
from codegen.targets.compare.nodes import Comparison, Selection, Side, Verdict
from codegen.targets.compare.same_text import Texts
from codegen.targets.compare.settings import agree, settings_of
from codegen.targets.compare.slices import SlicingSolver
from codegen.targets.compare.stretches import Stretches

MAX_STEPS = 1_000
"""How many steps of a routine are followed before it is left open: a loop over a table, mostly."""

Met = frozenset[tuple[bool, str]]


@dataclass(frozen=True)
class Inside:
    """A routine of either side, and what the engine told of the two in one mode (`user`)."""

    name: str
    user: bool
    src: Side
    tgt: Side
    told: Comparison
    stretches: Stretches


class Insides:
    """The routines of two units that are the same handler's.

    `engaged` are those that their text did not show to be the same.
    """

    def __init__(
        self,
        before: Unit,
        after: Unit,
        solver: SlicingSolver | None = None,
        numbers: Mapping[str, int] | None = None,
    ) -> None:
        self.numbers = numbers or {}
        self.units = (before, after)
        self.texts = Texts(before, after)
        self.solver = solver or SlicingSolver()
        self._variants: dict[tuple[int, str], tuple[Variant, ...]] = {}
        self.engaged: list[Inside] = []
        self._done: dict[object, Comparison] = {}
        self._shared: dict[str, tuple[Families, Stretches]] = {}

    def compared(self, src: Side, tgt: Side, whole: Comparison) -> list[Comparison]:
        """What comes of the routines that are steps of `whole`, and of those that these call.

        One comparison for each that is not plainly the same on both sides.
        """
        if self.texts.same_file:
            return []
        found: list[Comparison] = []
        entries = frozenset({src.entry, tgt.entry})
        waiting = self._steps(src.program, tgt.program, whole.met, entries, found)
        done: set[tuple[bool, str]] = set()
        while waiting:
            user, name = step = waiting.pop()
            if step in done or name in entries or self.texts.same(name):
                continue
            done.add(step)
            missing = next((i for i in (0, 1) if not self.texts.defines(i, name)), None)
            if missing is not None:
                where = self._place(1 - missing, name)
                found.append(_open(f"{where}: {name}() is not in the other file: not looked into"))
                continue
            for one, two in self._configurations(name, src, tgt):
                result = self._pair(name, user, one, two)
                found.append(result)
                met = result.met
                waiting += self._steps(one.program, two.program, met, frozenset({name}), found)
        return found

    def _steps(
        self,
        src: Program,
        tgt: Program,
        met: Met,
        entries: frozenset[str],
        found: list[Comparison],
    ) -> list[tuple[bool, str]]:
        """The routines of either side that were steps, or are handed on or called by address.

        What the functions that were gone through read of the files' own data
        has to be the same; to `found` is added what is not.
        """
        steps: dict[tuple[bool, str], None] = {}
        for user in (True, False):
            names = {name for mode, name in met if mode is user}
            entered: list[set[str]] = []
            addressed: list[set[str]] = []
            for side, program in enumerate((src, tgt)):
                own = _own(program) & names
                routines = {n for n in own if program.is_step(n)}
                steps |= dict.fromkeys((user, n) for n in sorted(routines))
                entered.append(own - (routines - entries))
                addressed.append(self._addressed(side, program, entered[-1]))
            # Only what both sides hand on can be taken for the same.
            steps |= dict.fromkeys((user, n) for n in sorted(addressed[0] & addressed[1]))
            found += self._unlike_data(entered[0] | entered[1])
        return list(steps)

    def _addressed(self, side: int, program: Program, names: set[str]) -> set[str]:
        """The file's functions that are met without being called by their name.

        Those whose address one of `names` takes, and those in a table that it
        reads if it calls something through a pointer.
        """
        found: set[str] = set()
        callers: set[str] = set()
        for name in names:
            read, calls_through = _reads(program.functions[name])
            found |= read & program.functions.keys()
            if calls_through:
                callers.add(name)
        return found | self.texts.pointed_at(side, callers) if callers else found

    def _unlike_data(self, functions: set[str]) -> Iterator[Comparison]:
        for side, item in self.texts.unlike_data(functions):
            source = self.units[side].source
            names = ", ".join(sorted(item.names))
            yield _open(
                f"{source.path}:{source.line(item.span.start)}: {names} has another value "
                "on the other side; what it holds is not compared"
            )

    def _place(self, side: int, name: str) -> str:
        return f"{self.units[side].source.path}:{self.texts.line(side, name)}"

    def _configurations(self, name: str, src: Side, tgt: Side) -> Iterator[tuple[Variant, Variant]]:
        """The routine in every configuration in which the handlers were compared."""
        around = [side.configurations or (Configuration(),) for side in (src, tgt)]
        for one in self._of(0, name):
            for two in self._of(1, name):
                every = (one.configurations, two.configurations, *around)
                if all(
                    any(agree(a, b) for a in some for b in others)
                    for some, others in combinations(every, 2)
                ):
                    yield one, two

    def _of(self, side: int, name: str) -> tuple[Variant, ...]:
        known = self._variants.get((side, name))
        if known is None:
            known = self._variants[side, name] = load_routine(self.units[side], name)
        return known

    def _sharing(self, name: str) -> tuple[Families, Stretches]:
        """What the configurations of a routine have in common."""
        known = self._shared.get(name)
        if known is None:
            families = Families(self._of(0, name), self._of(1, name))
            known = self._shared[name] = families, Stretches(families.all)
        return known

    def _pair(self, name: str, user: bool, one: Variant, two: Variant) -> Comparison:
        """The routine in one configuration of either side, in one mode."""
        key = (name, user, id(one), id(two))
        if key not in self._done:
            self._done[key] = self._decided(name, user, one, two)
        return self._done[key]

    def _decided(self, name: str, user: bool, one: Variant, two: Variant) -> Comparison:
        where = f"inside {name}() ({self._place(0, name)})"
        refusals = dict.fromkeys((*one.refusals, *two.refusals))
        if refusals:
            return _open(*(f"{where}: {refusal}" for refusal in refusals))
        there = [name in v.program.functions for v in (one, two)]
        if not any(there):
            return _SAME
        if not all(there):
            configuration = (one if there[0] else two).configurations[0]
            return _open(f"{where}: it is there on one side only, where {configuration}")
        if self._shapes(0, one.program) == self._shapes(1, two.program):
            unlike = [note for c in self._unlike_data(_own(one.program)) for note in c.notes]
            return _open(*unlike) if unlike else _SAME
        return self._engine(name, user, one, two, where)

    def _shapes(self, side: int, program: Program) -> dict[str, object]:
        """The shapes of a program's own functions, and of those of headers that they call."""
        own = _own(program)
        beside = self.units[side].header_names & program.functions.keys()
        waiting = list(own)
        while waiting:
            called = {c.name for c in calls_of(program.functions[waiting.pop()])}
            waiting += called & beside - own
            own |= called & beside
        return {name: shape_of(program.functions[name]) for name in own}

    def _engine(self, name: str, user: bool, one: Variant, two: Variant, where: str) -> Comparison:
        labels = [unit.source.path for unit in self.units]
        families, stretches = self._sharing(name)
        src, tgt = (
            Side(
                families.program(v),
                name,
                None,
                label,
                configurations=v.configurations,
                numbers=self.numbers,
            )
            for v, label in zip((one, two), labels, strict=True)
        )
        seen = compare(
            src,
            tgt,
            accepted=frozenset(),
            solver=self.solver,
            stretches=stretches,
            modes=(user,),
            inside=name,
            max_steps=MAX_STEPS,
        )
        self.engaged.append(Inside(name, user, src, tgt, seen, stretches))
        choices = [
            (v, [w for w in self._of(i, name) if name in w.program.functions])
            for i, v in enumerate((one, two))
        ]
        settings = settings_of(*choices)
        params = [v.program.functions[name].params for v in (one, two)]
        renamed = tuple((a.name, b.name) for a, b in zip(*params, strict=False) if a.name != b.name)
        mine = Selection(settings, function=name)
        theirs = Selection(settings, renamed=renamed, function=name)
        return replace(
            seen,
            differences=tuple(d.selected(mine, theirs) for d in seen.differences),
            notes=tuple(f"{where}: {note}" for note in seen.notes),
        )


_SAME = Comparison(Verdict.EQUAL, (), 0, 0)


def _open(*notes: str) -> Comparison:
    """Something that could not be compared."""
    return Comparison(Verdict.UNKNOWN, (), 0, 0, notes)


def _own(program: Program) -> set[str]:
    """The functions of a program's file: not the vocabulary's own, nor a helper's."""
    return {n for n, f in program.functions.items() if f.source is program.source}


@lru_cache(maxsize=4096)
def _reads(function: Function) -> tuple[frozenset[str], bool]:
    """(the names that a function does not declare, whether it calls through a pointer)."""
    names = frozenset(e.name for e in expressions_of(function) if isinstance(e, Global))
    return names, any(call.name.startswith("(*") for call in calls_of(function))
