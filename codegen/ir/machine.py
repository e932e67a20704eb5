# SPDX-License-Identifier: GPL-2.0-only
"""The symbolic machine: runs a program along every feasible path.

A state is a stack of frames, a memory from places to terms, and the facts that
lead here. At a branch that the facts leave open the state is copied and both
ways are followed. Calls are taken as the vocabulary and `program.py` say; the
mm answers as `environment.py` says.

    machine = Machine(program, "do_page_fault", Plan(mode=True, outcome=Outcome.OOM, passes=1))
    for path in machine.run(): ...
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import heappop, heappush

from codegen.base.spans import Span
from codegen.ir import environment as env
from codegen.ir import types
from codegen.ir.dance import Dancer
from codegen.ir.environment import Plan
from codegen.ir.live import joins
from codegen.ir.nodes import (
    Assign,
    Branch,
    Call,
    Global,
    Jump,
    Literal,
    Local,
    Return,
)
from codegen.ir.program import (
    Program,
    subexpressions,
)
from codegen.ir.solver import PathSolver, ResourceBound
from codegen.ir.state import Fork, Frame, Pause, State, Stop
from codegen.ir.terms import (
    FALSE,
    TRUE,
    Term,
    call,
    conjoin,
    disjoin,
    equal,
    extend,
    local_address,
    negate,
    object_address,
    symbol,
    truth,
)
from codegen.ir.trace import Decision, End, Path
from codegen.ir.vocabulary import Role

MAX_STEPS = 20_000
MAX_PATHS = 20_000


class Machine(Dancer):
    """Runs one program from one function under one plan.

    `mode` is the handler's condition for user mode as a term over its entry
    state; None means `user_mode(regs)` itself. `low_stack` may be set where a
    stack may grow below FIRST_USER_ADDRESS, unless the program asks.
    """

    def __init__(
        self,
        program: Program,
        entry: str,
        plan: Plan,
        solver: PathSolver | None = None,
        mode: Term | None = None,
        handler: str | None = None,
    ) -> None:
        self.program = program
        self.plan = plan
        self.solver = solver or PathSolver()
        self.constants = program.constants
        self.entry = program.functions[entry]
        self.handler = handler or entry
        self._pausing: frozenset[Role] = frozenset()
        self.paused: list[State] = []
        # Of each function the blocks before which a path pauses, if any are to be told.
        self.apart: Callable[[str], frozenset[str]] | None = None
        self._merging = False
        self.max_steps = MAX_STEPS
        self.spelling: dict[Term, str] = {}
        self.names: dict[Term, str] = {}
        # Where the handler asks a condition last, or calls what asks it.
        self.asked: dict[Term, Span] = {}
        self.called: dict[Term, Span] = {}
        self.known: Mapping[Term, int] = {}
        self.granted: dict[Term, Term] = {}
        self.presumed: dict[Term, Term] = {}
        # The functions that were gone through or called, and the blocks gone through.
        self.visited: set[str] = {entry}
        self.blocks: set[tuple[str, str]] = set()
        # What the handler is called with.
        self.given: dict[str, set[Term]] = {}
        self.user = env.truth_symbol("user_mode(regs)")
        self.mode = mode if mode is not None else self.user
        self.axioms: tuple[Term, ...] = self._program_counters()
        if mode is not None and mode is not self.user:
            same = disjoin(conjoin(self.user, mode), conjoin(negate(self.user), negate(mode)))
            self.axioms += (same,)
        if plan.mode is not None:
            self.axioms += (self.user if plan.mode else negate(self.user),)
            if mode is not None and mode is not self.user:
                self.axioms = (
                    *self._program_counters(),
                    self.user if plan.mode else negate(self.user),
                    mode if plan.mode else negate(mode),
                )

    def _program_counters(self) -> tuple[Term, ...]:
        """The handler looks up `regs->pc` where another says instruction_pointer(regs)."""
        params = {p.name for p in self.entry.params if p.type.pointer}
        known = self.program.vocabulary.program_counters
        found: dict[Term, None] = {}
        for regs, name in self.program.looked_up:
            if regs in params and name in known:
                base = object_address(regs)
                told = call("instruction_pointer", (base,), types.LONG_BITS)
                found[equal(env.field_value(base, name), told)] = None
        return tuple(found)

    # -- running ---------------------------------------------------------------

    def start(self) -> State:
        """The state at the handler's entry."""
        state = State([], {}, {}, self.axioms + self.distinct_labels, (), [])
        args: list[Term] = []
        for param in self.entry.params:
            if param.type.pointer or param.type.record:
                args.append(object_address(param.name))
            else:
                args.append(symbol(param.name, param.type.bits))
        self._enter(state, self.entry, args, None, self.entry.span)
        return state

    @cached_property
    def distinct_labels(self) -> tuple[Term, ...]:
        """No two case labels of a switch have the same value."""
        facts: dict[Term, None] = {}
        scratch = State([], {}, {}, (), (), [])
        for function in self.program.functions.values():
            for labels in function.distinct:
                terms = [self._eval(scratch, e) for e in labels if isinstance(e, (Global, Literal))]
                for i, a in enumerate(terms):
                    for b in terms[i + 1 :]:
                        width = max(a.bits, b.bits)
                        differ = negate(equal(extend(a, width, True), extend(b, width, True)))
                        if not differ.is_constant:
                            facts[differ] = None
        return tuple(facts)

    def states_before(self, roles: frozenset[Role], states: Sequence[State] = ()) -> list[State]:
        """The states in which a word of one of `roles` comes next, alike ones told once."""
        self._pausing, self.paused = roles, []
        for _ in self.run_merged(states):
            pass
        self._pausing = frozenset()
        merged: dict[object, State] = {}
        for state in self.paused:
            twin = merged.setdefault(state.likeness(), state)
            if twin is not state:
                twin.absorb(state)
        return list(merged.values())

    def run_merged(
        self,
        states: Sequence[State] = (),
        alike: Callable[[State], object] = State.likeness,
        absorb: Callable[[State, State], None] = State.absorb,
    ) -> Iterator[Path]:
        """Every feasible path; states that meet and are alike are followed once.

        Who lags behind runs first, so that what can meet does. `alike` says
        what makes two states alike, `absorb` makes the first stand for both. A
        path has a list of ways then, each a list of decisions. Raises
        ResourceBound like `run()`.
        """
        waiting: list[tuple[tuple[tuple[int, int], ...], int, State]] = []
        serial = count = 0
        was_merging, self._merging = self._merging, True
        try:
            for state in [s.copy() for s in states] or [self.start()]:
                serial += 1
                heappush(waiting, (state.place(), serial, state))
            while waiting:
                place, _, state = heappop(waiting)
                met = [state]
                while waiting and waiting[0][0] == place:
                    met.append(heappop(waiting)[2])
                for state in met if len(met) == 1 else _merged(met, alike, absorb):
                    results: list[State | Path] = [state]
                    # What runs alone can meet nobody.
                    while len(results) == 1 and isinstance(results[0], State):
                        results = self._advance(results[0])
                        if waiting or len(met) > 1:
                            break
                    for result in results:
                        if isinstance(result, State):
                            serial += 1
                            heappush(waiting, (result.place(), serial, result))
                            continue
                        count += 1
                        if count > MAX_PATHS:
                            raise ResourceBound(f"more than {MAX_PATHS} paths")
                        if result.end is not End.CUT:
                            yield result
        finally:
            self._merging = was_merging

    def run(self, states: Sequence[State] = ()) -> Iterator[Path]:
        """Every feasible path, depth first, the taken side of a branch first.

        It starts at the entry, or in copies of `states`. Raises ResourceBound
        when there are too many paths, or one is too long.
        """
        stack: list[State | Path] = [s.copy() for s in reversed(states)] or [self.start()]
        count = 0
        while stack:
            current = stack.pop()
            if isinstance(current, State):
                stack.extend(reversed(self._advance(current)))
                continue
            count += 1
            if count > MAX_PATHS:
                raise ResourceBound(f"more than {MAX_PATHS} paths")
            if current.end is not End.CUT:
                yield current

    def _advance(self, state: State) -> list[State | Path]:
        """Runs to the next fork or the end."""
        try:
            while True:
                state.steps += 1
                if state.steps > self.max_steps:
                    raise ResourceBound(f"a path of more than {self.max_steps} steps")
                frame = state.frames[-1]
                block = frame.function.block_map[frame.label]
                if not frame.index:
                    self._begin(frame)
                if frame.index < len(block.instructions):
                    instruction = block.instructions[frame.index]
                    frame.index += 1
                    match instruction:
                        case Assign():
                            self._assign(state, instruction)
                        case Call():
                            forks = self._call(state, instruction)
                            if forks is not None:
                                return self._fork(state, forks)
                    continue
                match block.terminator:
                    case Jump(target=target):
                        frame.label, frame.index = target, 0
                    case Branch() as branch:
                        states = self._branch(state, branch)
                        if states is not None:
                            return states
                    case Return() as ending:
                        self._return(state, ending)
                        if self._merging:
                            return [state]
                        continue
                if self._merging and frame.label in joins(frame.function):
                    return [state]
        except Pause:
            self.paused.append(state)
            return []
        except Stop as stop:
            return [self._path(state, stop.end, stop.span, stop.value)]

    def _begin(self, frame: Frame) -> None:
        """A block begins, unless it is one before which to pause."""
        name = frame.function.name
        if self.apart is not None and frame.label in self.apart(name):
            raise Pause
        self.blocks.add((name, frame.label))

    def _path(self, state: State, end: End, span: Span, value: Term | None) -> Path:
        return Path(
            state.facts,
            state.decisions,
            tuple(state.trace),
            end,
            value,
            self._place_in_file(state, span),
            state.lock_depth,
            state.faults,
            state.acquired > 0 or state.faults > 0,
            state.flags,
            max(state.outcome_at, 0),
            state.outcome,
            bool(state.vmas),
            state.ways(),
        )

    def _branch(self, state: State, branch: Branch) -> list[State | Path] | None:
        frame = state.frames[-1]
        condition = self._as_asked(state, truth(self._eval(state, branch.condition)))
        if self.noting and not condition.is_constant:
            self._spell(state, condition, branch)
        self._kernel_seen(state, branch.condition, branch.span)
        if state.frames[-1] is not frame:
            return None
        known = self.solver.decide(condition, state.facts)
        if known is not None:
            frame.label, frame.index = (branch.then if known else branch.otherwise), 0
            return None
        states: list[State | Path] = []
        for taken, target in ((True, branch.then), (False, branch.otherwise)):
            way = state.copy()
            fact = condition if taken else negate(condition)
            way.facts = (*way.facts, fact)
            if self.noting:
                inverted = condition.op == "lnot"
                atom = condition.args[0] if inverted else condition
                place = self._place_in_file(way, branch.span)
                depth = len(way.frames) - 1
                way.decide(Decision(atom, taken != inverted, place, depth, inverted))
            top = way.frames[-1]
            top.label, top.index = target, 0
            states.append(way)
        return states

    def _spell(self, state: State, condition: Term, branch: Branch) -> None:
        """Remembers how the handler itself wrote a condition, or a helper in its words."""
        frame = state.frames[-1]
        source = frame.function.source
        if source is not self.program.source:
            return
        atom = condition.args[0] if condition.op == "lnot" else condition
        own = frame.function.name == self.handler
        if not own:
            self.called[atom] = self._in_handler(state, branch.span)
        elif branch.span.start >= self.asked.get(atom, branch.span).start and (
            frame.label in self.program.blocks_before_fault(frame.function.name)
        ):
            # What only the way out asks again tells nothing about the access.
            self.asked[atom] = branch.span
        if condition in self.spelling or not (own or self._in_handlers_words(state, branch)):
            return
        if branch.words is not None:
            self.spelling[condition] = branch.words
        elif branch.written and branch.span.end <= len(source.text):
            written = " ".join(source.slice(branch.span).split())
            if "/*" not in written and "//" not in written:
                self.spelling[condition] = _without_hint(written)

    def _in_handler(self, state: State, span: Span) -> Span:
        """The span, or where the handler calls the helper that it stands in."""
        for inner, frame in zip(state.frames[::-1], state.frames[-2::-1], strict=False):
            if inner.function.name == self.handler:
                break
            if frame.function.name == self.handler:
                return inner.span
        return span

    def _in_handlers_words(self, state: State, branch: Branch) -> bool:
        """Whether a helper's locals in a condition are called and hold what the handler's do."""
        frame = state.frames[-1]
        outer = next((f for f in state.frames if f.function.name == self.handler), None)
        if outer is None:
            return False
        for part in subexpressions(branch.condition):
            if isinstance(part, Local) and not part.name.startswith("%"):
                mine = state.memory.get(local_address(frame.number, part.name))
                theirs = state.memory.get(local_address(outer.number, part.name))
                if mine is None or theirs is None:
                    return False
                if mine is not theirs and truth(mine) is not truth(theirs):
                    return False
            elif isinstance(part, Local) and branch.words is None:
                return False
        return True

    @property
    def words(self) -> Mapping[Term, str]:
        """How to write terms as the handler does: its conditions, and the names of its locals."""
        return ChainMap(self.spelling, self.names)

    def _fork(self, state: State, forks: list[Fork]) -> list[State | Path]:
        """Follows each answer of the world that fits the facts."""
        states: list[State | Path] = []
        for facts, update in forks:
            new = tuple(f for f in facts if f is not TRUE)
            if any(f is FALSE for f in new):
                continue
            if len(forks) > 1 and new and not self.solver.possible((*state.facts, *new)):
                continue
            way = state.copy()
            way.facts = (*way.facts, *new)
            if self.noting and len(forks) == 2 and new:
                atom = new[0].args[0] if new[0].op == "lnot" else new[0]
                if atom.op == "sym":
                    span = way.frames[-1].span
                    taken = new[0] is atom
                    decision = Decision(atom, taken, span, len(way.frames) - 1)
                    way.decide(decision)
            try:
                update(way)
            except Stop as stop:
                states.append(self._path(way, stop.end, stop.span, stop.value))
            else:
                states.append(way)
        return states


def _merged(
    met: list[State],
    alike: Callable[[State], object],
    absorb: Callable[[State, State], None],
) -> list[State]:
    """The states that met at one place, alike ones told once."""
    kinds: dict[object, State] = {}
    for state in met:
        twin = kinds.setdefault(alike(state), state)
        if twin is not state:
            absorb(twin, state)
    return list(kinds.values())


def _without_hint(written: str) -> str:
    """`unlikely(x)` is spelled `x`."""
    for hint in ("likely(", "unlikely("):
        if written.startswith(hint) and written.endswith(")"):
            inner = written[len(hint) : -1]
            depth = 0
            for c in inner:
                depth += (c == "(") - (c == ")")
                if depth < 0:
                    return written
            return inner.strip()
    return written
