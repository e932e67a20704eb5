# SPDX-License-Identifier: GPL-2.0-only
"""Running an emitted simulator inside our own process."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from types import ModuleType
from typing import Any

from codegen.base.diagnostics import GenfaultError
from codegen.targets.simulator import runtime

_WORD = re.compile(r"\b[A-Za-z_]\w*")
_NEAR = 0.85


class ImpossibleScenario(GenfaultError):
    """The scenario asks for what the kernel never does, or is none."""


class Simulator:
    """An emitted module, loaded once; `run` may be called as often as one likes."""

    def __init__(self, text: str) -> None:
        # A module of its own that no import finds; dataclasses look it up while it runs.
        self._module = ModuleType("genfault_simulator")
        self._words = frozenset(_WORD.findall(text))
        code = compile(text, "simulator.py", "exec", dont_inherit=True)
        known = sys.modules.get(self._module.__name__)
        sys.modules[self._module.__name__] = self._module
        try:
            exec(code, self._module.__dict__)
        finally:
            if known is None:
                del sys.modules[self._module.__name__]
            else:
                sys.modules[self._module.__name__] = known

    def run(self, scenario: Mapping[str, int]) -> Any:
        """The trace (runtime.Trace of that module). Raises ImpossibleScenario."""
        try:
            return self._module.simulate(scenario)
        except self._module.ScenarioError as error:
            raise ImpossibleScenario(str(error)) from error

    def run_noting(self, scenario: Mapping[str, int], *texts: str) -> tuple[Any, list[str]]:
        """The trace, and the names of the scenario that the run did not ask for.

        `texts` are the C files whose words a name may have besides the
        module's own: what the other side asks for is no mistake. Raises
        ImpossibleScenario, also for a name that is nearly one that is known.
        """
        known = self._words.union(*(_WORD.findall(t) for t in texts))
        self._check_names(scenario, known)
        asked = self._module.Asked(scenario)
        trace = self.run(asked)
        # A header's constant has its number whether or not this run needs it.
        return trace, [n for n in asked.unused() if not (n.isupper() and n in known)]

    def _check_names(self, scenario: Mapping[str, int], known: frozenset[str]) -> None:
        """A word that nobody knows, and that looks like one that the module does."""
        given = {word for name in scenario for word in _WORD.findall(name)}
        for name in scenario:
            for word in _WORD.findall(name):
                if word in known:
                    continue
                near = get_close_matches(word, self._words - given, 1, _NEAR)
                if near:
                    raise ImpossibleScenario(
                        f"{name}: the handler knows no {word!r}; did you mean {near[0]!r}?"
                    )

    def run_many(self, scenarios: Iterable[Mapping[str, int]]) -> Iterator[Any]:
        """The traces, in order; None for a scenario that the kernel cannot be in."""
        traces: Iterator[Any] = self._module.simulate_many(scenarios)
        return traces

    def table(self, trace: Any) -> str:
        """The trace as the table that the module itself prints."""
        show: Callable[[Any], str] = self._module.trace_table
        return show(trace)

    def constants(self) -> Mapping[str, int]:
        """The names that a scenario's values may use."""
        known: Mapping[str, int] = self._module.CONSTANTS
        return known


def scenario_from(words: Sequence[str], constants: Mapping[str, int]) -> dict[str, int]:
    """NAME=VALUE words (`--set`) as a scenario; `constants` are the names that a value may use.

    Raises ImpossibleScenario for other words.
    """
    try:
        return runtime.parse_scenario(list(words), constants)
    except runtime.ScenarioError as error:
        raise ImpossibleScenario(str(error)) from error


@lru_cache(maxsize=64)
def load_simulator(text: str) -> Simulator:
    """The simulator of an emitted text."""
    return Simulator(text)


def run_simulator(text: str, scenario: Mapping[str, int]) -> Any:
    """Runs an emitted text once in a namespace of its own and gives its trace.

    Raises ImpossibleScenario for a scenario that the kernel cannot be in.
    """
    return load_simulator(text).run(scenario)


def trace_table(text: str, trace: Any) -> str:
    """The trace of an emitted text as a table: C line, kind, step."""
    return load_simulator(text).table(trace)


def trace_json(trace: Any) -> dict[str, Any]:
    """The trace as JSON: events as interface.md has them, then how it ended.

    An event that is in another file than the handler's (the helper's) says so: `"file"`.
    """
    events = []
    for e in trace.events:
        args = [_json(a) for a in e.args]
        events.append({"kind": e.kind, "name": e.name, "args": args, "line": int(e.line)})
        if (file := getattr(e.line, "file", None)) is not None:
            events[-1]["file"] = file
    value = None if trace.value is None else _json(trace.value)
    return {"events": events, "end": trace.end, "value": value, "lock": trace.lock}


def _json(arg: int | str) -> int | str:
    """A number that is one, a name where the simulator knows it (SIGSEGV, regs)."""
    if isinstance(arg, str):
        return arg
    return str(arg.name) if getattr(arg, "kind", None) == "constant" else int(arg)  # type: ignore[attr-defined]
