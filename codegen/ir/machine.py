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
from dataclasses import dataclass, field
from heapq import heappop, heappush

from codegen.base.spans import Span
from codegen.ir import environment as env
from codegen.ir import types
from codegen.ir.environment import Outcome, Plan
from codegen.ir.live import joins, live_before, order
from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Binary,
    Branch,
    Call,
    Cast,
    Conditional,
    Deref,
    Expr,
    Field,
    Function,
    Global,
    Index,
    Jump,
    Literal,
    Local,
    LValue,
    PureCall,
    Return,
    Text,
    Unary,
)
from codegen.ir.printer import place_text
from codegen.ir.program import (
    Program,
    Taken,
    expressions_of,
    is_signal_code,
    is_signal_number,
    subexpressions,
)
from codegen.ir.solver import PathSolver, ResourceBound
from codegen.ir.terms import (
    FALSE,
    TRUE,
    Term,
    arithmetic,
    call,
    choose,
    conjoin,
    disjoin,
    divide,
    equal,
    extend,
    field_address,
    index_address,
    integer,
    invert,
    less,
    loaded,
    local_address,
    minus,
    negate,
    number,
    object_address,
    shift,
    substitute,
    symbol,
    text,
    truth,
)
from codegen.ir.trace import Decision, End, Event, EventKind, Path
from codegen.ir.types import CType
from codegen.ir.vocabulary import Role

ANSWERS = frozenset({EventKind.SIGNAL, EventKind.OOM, EventKind.KERNEL, EventKind.BUG})
MAX_STEPS = 20_000
MAX_PATHS = 20_000


@dataclass(slots=True)
class Frame:
    """One activation of a function."""

    function: Function
    label: str
    index: int
    number: int
    result: Local | None
    span: Span


@dataclass(slots=True)
class State:
    """A machine state; `copy()` before changing one that is shared."""

    frames: list[Frame]
    memory: dict[Term, Term]
    versions: dict[Term, int]
    facts: tuple[Term, ...]
    decisions: tuple[Decision, ...]
    trace: list[Event]
    acquired: int = 0
    faults: int = 0
    lock_depth: int = 0
    vma_locked: bool = False
    epoch: int = 0
    frame_count: int = 0
    steps: int = 0
    outcome: Outcome | None = None
    flags: Term | None = None
    outcome_at: int = -1
    vmas: dict[int, bool] = field(default_factory=dict)
    retrying: bool = False
    others: tuple[tuple[Decision, ...], ...] = ()

    def likeness(self) -> object:
        """What makes two states alike: where they stand, what will still be read, what was seen.

        Of what happened, only the answers count (signals, OOM, the kernel's
        routine), not prints and the like.
        """
        alive = {f.number: live_before(f.function)[f.label, f.index] for f in self.frames}
        places = frozenset(
            (place, value)
            for place, value in self.memory.items()
            if place.op != "local" or place.payload[1] in alive.get(place.payload[0], ())  # type: ignore[index]
        )
        return (
            tuple((f.function.name, f.label, f.index, f.number) for f in self.frames),
            places,
            frozenset(self.versions.items()),
            tuple((e.kind, e.name, e.args, e.parts) for e in self.trace if e.kind in ANSWERS),
            (self.acquired, self.faults, self.lock_depth, self.vma_locked, self.retrying),
            (self.outcome, self.outcome_at >= 0, self.flags, frozenset(self.vmas)),
        )

    def place(self) -> tuple[tuple[int, int], ...]:
        """How far the state has come; what runs ahead of another state compares greater."""
        ahead = (1 << 30, 0)
        return (*((order(f.function)[f.label], f.index) for f in self.frames), ahead)

    def ways(self) -> tuple[tuple[Decision, ...], ...]:
        """The decisions on each way that led here."""
        return (self.decisions, *self.others)

    def absorb(self, twin: State) -> None:
        """Becomes what this state and one that is alike have in common."""
        theirs = set(twin.facts)
        self.facts = tuple(f for f in self.facts if f in theirs)
        if len(twin.trace) > len(self.trace):
            self.trace, self.outcome_at = twin.trace, twin.outcome_at
        self.epoch = max(self.epoch, twin.epoch)
        self.frame_count = max(self.frame_count, twin.frame_count)
        self.steps = max(self.steps, twin.steps)
        self.decisions, *others = _without_needless((*self.ways(), *twin.ways()))
        self.others = tuple(others)

    def decide(self, decision: Decision) -> None:
        """Notes a branch that was taken; what led here and can not lead there is forgotten."""
        if not self.others:
            self.decisions = (*self.decisions, decision)
            return
        condition, taken = decision.condition, decision.taken
        kept = [
            (*way, decision)
            for way in self.ways()
            if not any(d.condition is condition and d.taken is not taken for d in way)
        ]
        if kept:
            self.decisions, *others = kept
            self.others = tuple(others)
        else:
            self.decisions, self.others = (*self.decisions, decision), ()

    def copy(self) -> State:
        """A state of its own, to go another way with."""
        return State(
            [Frame(f.function, f.label, f.index, f.number, f.result, f.span) for f in self.frames],
            dict(self.memory),
            dict(self.versions),
            self.facts,
            self.decisions,
            list(self.trace),
            self.acquired,
            self.faults,
            self.lock_depth,
            self.vma_locked,
            self.epoch,
            self.frame_count,
            self.steps,
            self.outcome,
            self.flags,
            self.outcome_at,
            dict(self.vmas),
            self.retrying,
            self.others,
        )


def _without_needless(
    ways: Sequence[tuple[Decision, ...]],
) -> list[tuple[Decision, ...]]:
    """Two ways that differ in one decision only are one way without it."""
    found = {frozenset((d.condition, d.taken) for d in w): w for w in ways}
    changed = True
    while changed:
        changed = False
        for key, way in list(found.items()):
            if key not in found:
                continue
            for condition, taken in key:
                twin = (key - {(condition, taken)}) | {(condition, not taken)}
                if twin in found:
                    del found[key], found[twin]
                    shorter = tuple(d for d in way if d.condition is not condition)
                    found.setdefault(key - {(condition, taken)}, shorter)
                    changed = True
                    break
    return list(found.values())


class _Pause(Exception):
    """The word that `states_before()` waits for comes next."""


class _Stop(Exception):
    """A path ended inside an instruction."""

    def __init__(self, end: End, span: Span, value: Term | None = None) -> None:
        super().__init__(end)
        self.end, self.span, self.value = end, span, value


Fork = tuple[tuple[Term, ...], Callable[[State], None]]


class Machine:
    """Runs one program from one function under one plan.

    `mode` is the handler's condition for user mode as a term over its entry
    state; None means `user_mode(regs)` itself.
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
        self._paused: list[State] = []
        self._merging = False
        self.spelling: dict[Term, str] = {}
        self.names: dict[Term, str] = {}
        # Where the handler asks a condition last, or calls what asks it.
        self.asked: dict[Term, Span] = {}
        self.called: dict[Term, Span] = {}
        # The functions that were gone through or called.
        self.visited: set[str] = {entry}
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
        found: dict[Term, None] = {}
        for function in self.program.functions.values():
            for expr in expressions_of(function):
                if not isinstance(expr, PureCall) or not expr.args:
                    continue
                if self.program.role(expr.name) is not Role.KERNEL_READS:
                    continue
                match expr.args[0]:
                    case Field(base=Local(name=regs), name=name) if (
                        regs in params and name in self.program.vocabulary.program_counters
                    ):
                        base = object_address(regs)
                        told = call("instruction_pointer", (base,), types.LONG_BITS)
                        found[equal(env.field_value(base, name), told)] = None
        return tuple(found)

    # -- running ---------------------------------------------------------------

    def start(self) -> State:
        """The state at the handler's entry."""
        state = State([], {}, {}, self.axioms + self._distinct_labels(), (), [])
        args: list[Term] = []
        for param in self.entry.params:
            if param.type.pointer or param.type.record:
                args.append(object_address(param.name))
            else:
                args.append(symbol(param.name, param.type.bits))
        self._enter(state, self.entry, args, None, self.entry.span)
        return state

    def _distinct_labels(self) -> tuple[Term, ...]:
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
        self._pausing, self._paused = roles, []
        for _ in self.run_merged(states):
            pass
        self._pausing = frozenset()
        merged: dict[object, State] = {}
        for state in self._paused:
            twin = merged.setdefault(state.likeness(), state)
            if twin is not state:
                twin.absorb(state)
        return list(merged.values())

    def run_merged(self, states: Sequence[State] = ()) -> Iterator[Path]:
        """Every feasible path; states that meet and are alike are followed once.

        Who lags behind runs first, so that what can meet does. A path has a
        list of ways then, each a list of decisions. Raises ResourceBound like
        `run()`.
        """
        waiting: list[tuple[tuple[tuple[int, int], ...], int, object, State]] = []
        alike: dict[object, State] = {}
        serial = count = 0

        def wait(state: State) -> None:
            nonlocal serial
            key = state.likeness()
            twin = alike.setdefault(key, state)
            if twin is state:
                serial += 1
                heappush(waiting, (state.place(), serial, key, state))
            else:
                twin.absorb(state)

        self._merging = True
        try:
            for state in [s.copy() for s in states] or [self.start()]:
                wait(state)
            while waiting:
                _, _, key, state = heappop(waiting)
                del alike[key]
                for result in self._advance(state):
                    if isinstance(result, State):
                        wait(result)
                        continue
                    count += 1
                    if count > MAX_PATHS:
                        raise ResourceBound(f"more than {MAX_PATHS} paths")
                    if result.end is not End.CUT:
                        yield result
        finally:
            self._merging = False

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
                if state.steps > MAX_STEPS:
                    raise ResourceBound(f"a path of more than {MAX_STEPS} steps")
                frame = state.frames[-1]
                block = frame.function.block_map[frame.label]
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
        except _Pause:
            self._paused.append(state)
            return []
        except _Stop as stop:
            return [self._path(state, stop.end, stop.span, stop.value)]

    def _path(self, state: State, end: End, span: Span, value: Term | None) -> Path:
        return Path(
            state.facts,
            state.decisions,
            tuple(state.trace),
            end,
            value,
            span,
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
        if not condition.is_constant:
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
            inverted = condition.op == "lnot"
            atom = condition.args[0] if inverted else condition
            place = self._place_in_file(way, branch.span)
            decision = Decision(atom, taken != inverted, place, len(way.frames) - 1, inverted)
            way.decide(decision)
            top = way.frames[-1]
            top.label, top.index = target, 0
            states.append(way)
        return states

    def _place_in_file(self, state: State, span: Span) -> Span:
        """The span, or where the file calls the function of another text that it stands in."""
        frames = state.frames
        for inner, frame in zip(reversed(frames), [*reversed(frames[:-1]), None], strict=True):
            if inner.function.source is self.program.source or frame is None:
                break
            span = inner.span
        return span

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
        elif branch.span.start >= self.asked.get(atom, branch.span).start:
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

    def _name(self, state: State, target: LValue, value: Term) -> None:
        """Remembers which of the handler's locals holds a value that has no name of its own."""
        if not isinstance(target, Local) or target.name.startswith("%"):
            return
        if state.frames[-1].function.name != self.handler or value.op in _PLAIN:
            return
        while value.op in ("zext", "sext", "trunc"):
            value = value.args[0]
        if value.op not in _PLAIN and not (value.op == "sym" and str(value.payload).isidentifier()):
            self.names.setdefault(value, target.name)

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
            if len(forks) == 2 and new:
                atom = new[0].args[0] if new[0].op == "lnot" else new[0]
                if atom.op == "sym":
                    span = way.frames[-1].span
                    taken = new[0] is atom
                    decision = Decision(atom, taken, span, len(way.frames) - 1)
                    way.decide(decision)
            try:
                update(way)
            except _Stop as stop:
                states.append(self._path(way, stop.end, stop.span, stop.value))
            else:
                states.append(way)
        return states

    # -- memory ------------------------------------------------------------------

    def _place(self, state: State, target: LValue) -> Term:
        match target:
            case Local(name=name):
                return local_address(state.frames[-1].number, name)
            case Global(name=name):
                return object_address(f"&{name}")
            case Field(base=base, name=name):
                return field_address(self._eval(state, base), name)
            case Index(base=base, index=index):
                position = self._eval(state, index)
                return index_address(
                    self._eval(state, base), extend(position, 64, index.type.signed)
                )
            case Deref(base=base):
                return self._eval(state, base)

    def _load(self, state: State, place: Term, ctype: CType) -> Term:
        value = state.memory.get(place)
        bits = ctype.bits or 64
        if value is None:
            value = self._initial(state, place, bits)
        return extend(value, bits, ctype.signed)

    def _initial(self, state: State, place: Term, bits: int) -> Term:
        """The value of a place that nobody has written on this path."""
        if place.op == "local":
            return symbol(f"uninitialized {place.payload[1]}", bits)  # type: ignore[index]
        if place.op == "object":
            name = str(place.payload)
            if name.startswith("&"):
                return self._named(name[1:], bits)
            return symbol(f"*{name}", bits)
        version = state.versions.get(_root(place), 0)
        if place.payload in ("mm", "active_mm", "vm_mm"):
            version = 0
        suffix = f"@{version}" if version else ""
        return loaded(place_text(place, ordinals=True) + suffix, place, bits)

    def _named(self, name: str, bits: int) -> Term:
        if name in self.constants:
            return integer(self.constants[name], bits, name)
        if name == "current":
            return object_address("current")
        return extend(symbol(name, self._bounded(name, bits)), bits, False)

    def _bounded(self, name: str, bits: int) -> int:
        """As many bits as a value of that name can need."""
        bound = self.program.vocabulary.bounds.get(name)
        return bits if bound is None else min(bits, bound.bit_length())

    def _store(self, state: State, place: Term, value: Term, span: Span) -> None:
        state.memory[place] = value
        if _root(place).op != "local":
            self._event(state, EventKind.WRITE, place_text(place), (value, place), span)

    def _assign(self, state: State, instruction: Assign) -> None:
        value = self._eval(state, instruction.value)
        place = self._place(state, instruction.target)
        self._name(state, instruction.target, value)
        self._store(state, place, value, instruction.span)
        self._kernel_seen(state, instruction.value, instruction.span)

    def _set_local(self, state: State, local: Local, value: Term) -> None:
        place = local_address(state.frames[-1].number, local.name)
        self._name(state, local, value)
        if local.type.boolean:
            value = number(truth(value), local.type.bits)
        state.memory[place] = extend(value, local.type.bits or 64, True)

    # -- expressions ---------------------------------------------------------------

    def _eval(self, state: State, expr: Expr) -> Term:
        match expr:
            case Literal():
                return integer(expr.value, expr.type.bits, expr.name)
            case Text():
                return text(expr.value)
            case Global() if expr.name == "current":
                return object_address("current")
            case Local() | Global() | Field() | Index() | Deref():
                if expr.type.record and not isinstance(expr, Local):
                    return self._load(state, self._place(state, expr), types.ULONG)
                return self._load(state, self._place(state, expr), expr.type)
            case AddressOf():
                return self._place(state, expr.target)
            case Cast():
                value = self._eval(state, expr.operand)
                self._narrowed(state, value, expr.type.bits)
                return _convert(value, expr.operand.type, expr.type)
            case Unary():
                value = self._eval(state, expr.operand)
                if expr.op == "!":
                    return number(negate(truth(value)), 32)
                value = extend(value, expr.type.bits, expr.operand.type.signed)
                return minus(value) if expr.op == "-" else invert(value)
            case Binary():
                return self._binary(state, expr)
            case Conditional():
                condition = truth(self._eval(state, expr.condition))
                then = _convert(self._eval(state, expr.then), expr.then.type, expr.type)
                otherwise = _convert(
                    self._eval(state, expr.otherwise), expr.otherwise.type, expr.type
                )
                known = self.solver.decide(condition, state.facts)
                if known is not None:
                    return then if known else otherwise
                return choose(condition, then, otherwise)
            case PureCall():
                return self._pure(state, expr)

    def _binary(self, state: State, expr: Binary) -> Term:
        left, right = self._eval(state, expr.left), self._eval(state, expr.right)
        op = expr.op
        if op in ("&&", "||"):
            join = conjoin if op == "&&" else disjoin
            return number(join(truth(left), truth(right)), 32)
        if op in ("<<", ">>"):
            bits = expr.type.bits
            left = extend(left, bits, expr.left.type.signed)
            right = extend(right, bits, expr.right.type.signed)
            kind = "shl" if op == "<<" else ("ashr" if expr.left.type.signed else "lshr")
            return shift(kind, left, right)
        ctype = types.common(expr.left.type, expr.right.type)
        if op == "&":
            self._int_mask(state, expr, left, right)
        left = extend(left, ctype.bits, expr.left.type.signed)
        right = extend(right, ctype.bits, expr.right.type.signed)
        if op in ("==", "!="):
            self._one_of_several(state, left, right)
        match op:
            case "==":
                return number(equal(left, right), 32)
            case "!=":
                return number(negate(equal(left, right)), 32)
            case "<":
                return number(less(left, right, ctype.signed), 32)
            case ">":
                return number(less(right, left, ctype.signed), 32)
            case "<=":
                return number(negate(less(right, left, ctype.signed)), 32)
            case ">=":
                return number(negate(less(left, right, ctype.signed)), 32)
            case "+" | "-" | "*" | "&" | "|" | "^":
                return arithmetic(_ARITHMETIC[op], left, right)
            case "/" | "%":
                prefix = "s" if ctype.signed else "u"
                return divide(prefix + ("div" if op == "/" else "rem"), left, right)
            case _:
                raise AssertionError(f"no operator {op}")

    def _int_mask(self, state: State, expr: Binary, left: Term, right: Term) -> None:
        """A header's constant that masks an `int` is one: `int error_code & FAULT_CODE_WRITE`.

        Nor is a mask 0: nobody asks for no bit at all.
        """
        for mask, other in ((right, expr.left.type), (left, expr.right.type)):
            narrow = other.known and other.bits == types.INT_BITS
            self._is_mask(state, mask, narrow)

    def _is_mask(self, state: State, mask: Term, narrow: bool) -> None:
        if mask.op == "or":
            for part in mask.args:
                self._is_mask(state, part, narrow)
        elif _is_opaque_mask(mask):
            facts = [truth(mask)]
            if narrow:
                limit = integer(1 << (types.INT_BITS - 1), types.LONG_BITS)
                facts.append(less(mask, limit, False))
            state.facts += tuple(f for f in facts if f not in state.facts)

    def _one_of_several(self, state: State, left: Term, right: Term) -> None:
        """`(x & (A | B)) == A` asks for A and not B, so the two have no bit in common."""
        for masked, one in ((left, right), (right, left)):
            if masked.op != "and" or not _is_opaque_mask(one):
                continue
            masks = [m for side in masked.args for m in _alternatives(side)]
            if one not in masks:
                continue
            for other in masks:
                if other is not one and _is_opaque_mask(other):
                    common = arithmetic("and", one, other)
                    apart = negate(truth(common))
                    if apart not in state.facts:
                        state.facts = (*state.facts, apart)

    def _narrowed(self, state: State, value: Term, bits: int) -> None:
        """`int is_write = error_code & DSISR_ISSTORE` keeps the bit, or it would be no use."""
        if bits == types.INT_BITS < value.bits and value.op == "and":
            for mask in value.args:
                self._is_mask(state, mask, narrow=True)

    def _as_asked(self, state: State, condition: Term) -> Term:
        """Whether a masked value that was narrowed is 0 is asked of the value itself."""
        inner = condition.args[0] if condition.op == "lnot" else condition
        if inner.op != "eq" or inner.args[0].op != "trunc" or not inner.args[1].is_constant:
            return condition
        wide = inner.args[0].args[0]
        limit = integer(1 << (types.INT_BITS - 1), types.LONG_BITS)
        if inner.args[1].value or wide.op != "and" or inner.args[0].bits != types.INT_BITS:
            return condition
        if not any(less(mask, limit, False) in state.facts for mask in wide.args):
            return condition
        again = negate(truth(wide))
        return negate(again) if condition.op == "lnot" else again

    def _pure(self, state: State, expr: PureCall) -> Term:
        args = tuple(self._eval(state, a) for a in expr.args)
        role = self.program.role(expr.name)
        if role is Role.USER_MODE:
            return number(self.user, expr.type.bits or 32)
        version = max((state.versions.get(_root(a), 0) for a in args), default=0)
        name = f"{expr.name}@{version}" if version else expr.name
        if expr.type.boolean:
            return number(call(name, args, 1), expr.type.bits)
        bits = expr.type.bits or 64
        return extend(call(name, args, self._bounded(expr.name, bits)), bits, False)

    # -- control ---------------------------------------------------------------------

    def _enter(
        self, state: State, function: Function, args: list[Term], result: Local | None, span: Span
    ) -> None:
        state.frame_count += 1
        number_ = state.frame_count
        state.frames.append(Frame(function, function.entry, 0, number_, result, span))
        for position, param in enumerate(function.params):
            if position < len(args):
                value = args[position]
            else:
                value = symbol(f"missing {param.name}", param.type.bits or 64)
            if param.type.boolean:
                value = number(truth(value), param.type.bits)
            place = local_address(number_, param.name)
            state.memory[place] = extend(value, param.type.bits or 64, False)
            if function.name == self.handler:
                self.given.setdefault(param.name, set()).add(value)

    def _return(self, state: State, ending: Return) -> None:
        value = None if ending.value is None else self._eval(state, ending.value)
        if ending.value is not None:
            self._kernel_seen(state, ending.value, ending.span)
        self._leave(state, value, ending.span)

    def _leave(self, state: State, value: Term | None, span: Span) -> None:
        frame = state.frames.pop()
        if not state.frames:
            raise _Stop(End.RETURN, span, value)
        if frame.result is not None:
            if value is None:
                value = symbol(f"{frame.function.name}#{state.epoch}", frame.result.type.bits)
            self._set_local(state, frame.result, value)

    # -- calls ---------------------------------------------------------------------------

    def _event(
        self,
        state: State,
        kind: EventKind,
        name: str,
        args: tuple[Term, ...],
        span: Span,
        parts: tuple[str, ...] = (),
    ) -> None:
        source = state.frames[-1].function.source
        state.trace.append(Event(kind, name, args, span, source, len(state.frames) - 1, parts))

    def _call(self, state: State, instruction: Call) -> list[Fork] | None:
        name, span = instruction.name, instruction.span
        functions = self.program.functions
        self.visited.add(name)
        if name in functions:
            args = [self._eval(state, a) for a in instruction.args]
            converted = [
                _convert(value, expr.type, param.type)
                for value, expr, param in zip(
                    args, instruction.args, functions[name].params, strict=False
                )
            ]
            return self._own_call(state, instruction, converted)
        role = self.program.role(name)
        args = [self._eval(state, a) for a in instruction.args]
        for arg in instruction.args:
            self._kernel_seen(state, arg, span)
        if role is None:
            return self._unknown(state, instruction, args)
        return self._word(state, instruction, role, args)

    def _own_call(self, state: State, instruction: Call, args: list[Term]) -> list[Fork] | None:
        name = instruction.name
        taken = self.program.taken(name)
        depth = sum(1 for f in state.frames if f.function.name == name)
        if taken is Taken.INLINE and depth == 0:
            self._enter(
                state, self.program.functions[name], args, instruction.result, instruction.span
            )
            return None
        kind = EventKind.KERNEL if taken is Taken.KERNEL else EventKind.CALL
        self._event(state, kind, name, tuple(args), instruction.span)
        self._result(state, instruction, args)
        if self.program.writes_objects(name):
            self._clobber(state, instruction.args, args)
        if taken is Taken.KERNEL and not self.program.may_return(name):
            raise _Stop(End.NEVER, instruction.span)
        return None

    def _result(self, state: State, instruction: Call, args: list[Term]) -> None:
        """A value keyed by name, arguments and how much of the world changed before."""
        if instruction.result is None:
            return
        ctype = instruction.result.type
        name = f"{instruction.name}@{state.epoch}" if state.epoch else instruction.name
        if ctype.boolean:
            value = number(call(name, tuple(args), 1), ctype.bits)
        else:
            value = call(name, tuple(args), ctype.bits or 64)
        self._set_local(state, instruction.result, value)

    def _clobber(self, state: State, exprs: Sequence[Expr], args: list[Term]) -> None:
        """Forgets what the call may have written: the objects whose address it gets.

        What the mm guards (a VMA under the lock) and which mm a task has stay.
        """
        for expr, arg in zip(exprs, args, strict=False):
            root = _root(arg)
            if root.op == "local":
                name = root.payload[1]  # type: ignore[index]
                state.memory[root] = symbol(f"{name}@{state.epoch}", _bits(state, root))
                continue
            if not expr.type.pointer or root.op not in ("object", "sym"):
                continue
            if str(root.payload).startswith("vma#"):
                continue
            state.versions[root] = state.versions.get(root, 0) + 1
            self._keep_mode(state, root)
            for place in [p for p in state.memory if p is not root and _root(p) is root]:
                if place.payload not in ("mm", "active_mm"):
                    del state.memory[place]

    def _keep_mode(self, state: State, root: Term) -> None:
        """The mode never changes: what now stands in the registers says the same as before."""
        inside = f"{root.payload}->"
        anew = {
            t: symbol(f"{t.payload}@{state.versions[root]}", t.bits)
            for t in self.mode.walk()
            if t.op == "sym" and str(t.payload).startswith(inside)
        }
        if anew:
            mode = substitute(self.mode, anew)
            state.facts += (
                disjoin(negate(mode), self.user),
                disjoin(negate(self.user), mode),
            )

    def _unknown(self, state: State, instruction: Call, args: list[Term]) -> list[Fork] | None:
        """A word that is not in the vocabulary: a signal by its shape, else an effect."""
        if (parts := _signal_shape(args)) is not None:
            self._event(
                state,
                EventKind.SIGNAL,
                instruction.name,
                tuple(parts.values()),
                instruction.span,
                tuple(parts),
            )
            self._result(state, instruction, args)
            return None
        self._event(state, EventKind.CALL, instruction.name, tuple(args), instruction.span)
        state.epoch += 1
        self._result(state, instruction, args)
        self._clobber(state, instruction.args, args)
        if "get_user" in instruction.name or "get_kernel_nofault" in instruction.name:
            first = instruction.args[0] if instruction.args else None
            if isinstance(first, Cast):
                first = first.operand
            if isinstance(first, (Local, Global, Field, Index, Deref)):
                place = self._place(state, first)
                state.memory[place] = symbol(
                    f"{place_text(place)}@{state.epoch}", first.type.bits or 64
                )
        return None

    def _word(
        self, state: State, instruction: Call, role: Role, args: list[Term]
    ) -> list[Fork] | None:
        name, span = instruction.name, instruction.span
        match role:
            case Role.IGNORE:
                self._zero(state, instruction)
            case Role.WARN:
                condition = truth(args[0]) if args else TRUE
                if condition is not FALSE:
                    args = [number(condition, 32)]
                    self._event(state, EventKind.CALL, name, tuple(args), span, ("condition",))
                if instruction.result is not None:
                    self._set_local(state, instruction.result, number(condition, 32))
            case Role.PRINT | Role.EFFECT:
                self._event(state, EventKind.CALL, name, tuple(args), span)
                self._result(state, instruction, args)
            case Role.FRESH:
                state.epoch += 1
                self._result(state, instruction, args)
            case Role.ACCOUNTING:
                self._event(state, EventKind.ACCOUNTING, name, tuple(args), span)
            case Role.OOM:
                self._event(state, EventKind.OOM, name, (), span)
            case Role.BUG:
                self._event(state, EventKind.BUG, name, (), span)
                raise _Stop(End.NEVER, span)
            case Role.SIGNAL:
                self._signal(state, instruction, args)
            case Role.KERNEL | Role.KERNEL_NEVER | Role.KERNEL_NEVER_IN_KERNEL:
                return self._kernel(state, instruction, role, args)
            case Role.SIGNAL_PENDING | Role.FATAL_PENDING:
                if state.faults == 0:
                    new = env.pending_facts(Plan(), 0, None)
                    state.facts += tuple(f for f in new if f not in state.facts)
                if instruction.result is not None:
                    fatal = env.truth_symbol(f"fatal_signal_pending#{state.faults}")
                    pending = env.truth_symbol(f"signal_pending#{state.faults}")
                    value = fatal if role is Role.FATAL_PENDING else pending
                    self._set_local(state, instruction.result, number(value, 32))
            case _:
                return self._dance(state, instruction, role, args)
        return None

    def _zero(self, state: State, instruction: Call) -> None:
        if instruction.result is not None:
            self._set_local(state, instruction.result, integer(0, instruction.result.type.bits))

    def _signal(self, state: State, instruction: Call, args: list[Term]) -> None:
        shape = self.program.vocabulary.signals[instruction.name]
        parts: dict[str, Term] = {}
        for part in ("signo", "code", "addr", "lsb", "pkey"):
            where = getattr(shape, part)
            if isinstance(where, str):
                parts[part] = integer(self.constants.get(where, 0), 32, where)
            elif isinstance(where, int) and where < len(args):
                parts[part] = args[where]
        if shape.info is not None:
            parts |= self._siginfo(state, args)
        self._event(
            state,
            EventKind.SIGNAL,
            instruction.name,
            tuple(parts.values()),
            instruction.span,
            tuple(parts),
        )
        self._result(state, instruction, args)

    def _siginfo(self, state: State, args: list[Term]) -> dict[str, Term]:
        """The parts of a signal that was filled into a siginfo first."""
        parts: dict[str, Term] = {}
        for arg in args:
            for part, name in (
                ("signo", "si_signo"),
                ("code", "si_code"),
                ("addr", "si_addr"),
                ("lsb", "si_addr_lsb"),
            ):
                value = state.memory.get(field_address(arg, name))
                if value is not None:
                    parts[part] = value
            if is_signal_number(arg.name) and arg.is_constant:
                parts.setdefault("signo", arg)
        return parts

    def _kernel(
        self, state: State, instruction: Call, role: Role, args: list[Term]
    ) -> list[Fork] | None:
        span = instruction.span
        self._event(state, EventKind.KERNEL, instruction.name, tuple(args), span)
        if self._skip_routine(state, span):
            return None
        if role is Role.KERNEL_NEVER:
            raise _Stop(End.NEVER, span)
        if role is Role.KERNEL_NEVER_IN_KERNEL:

            def dead(_: State) -> None:
                raise _Stop(End.NEVER, span)

            return [((negate(self.user),), dead), ((self.user,), lambda _: None)]
        state.epoch += 1
        self._result(state, instruction, args)
        if args:
            self._clobber(state, instruction.args, args)
        return None

    def _kernel_seen(self, state: State, expr: Expr, span: Span) -> None:
        """In the tables, looking the exception table up is already the kernel's routine."""
        if not self.plan.skip_kernel or state.outcome_at < 0:
            return
        for part in subexpressions(expr):
            if isinstance(part, PureCall) and self.program.role(part.name) is Role.KERNEL_READS:
                args = tuple(self._eval(state, a) for a in part.args)
                self._event(state, EventKind.KERNEL, part.name, args, span)
                self._skip_routine(state, span)
                return

    def _skip_routine(self, state: State, span: Span) -> bool:
        """Leaves the routine that handles kernel faults, if the plan asks for it."""
        if not self.plan.skip_kernel or state.outcome_at < 0:
            return False
        if len(state.frames) == 1 or state.frames[-1].function.name == self.handler:
            raise _Stop(End.KERNEL, span)
        self._leave(state, None, span)
        return True

    # -- the mm dance ----------------------------------------------------------------------

    def _dance(
        self, state: State, instruction: Call, role: Role, args: list[Term]
    ) -> list[Fork] | None:
        span = instruction.span
        if role in self._pausing:
            state.frames[-1].index -= 1
            raise _Pause
        match role:
            case Role.SEM_LOCK | Role.SEM_TRYLOCK | Role.SEM_LOCK_KILLABLE | Role.SEM_UNLOCK:
                if not (args and args[0].op == "field" and args[0].payload in _SEMAPHORES):
                    self._event(state, EventKind.CALL, instruction.name, tuple(args), span)
                    self._result(state, instruction, args)
                    return None
                return self._dance(state, instruction, _PLAIN_ROLE[role], args)
            case Role.LOCK | Role.WRITE_LOCK:
                self._next_pass(state, span)
                self._acquire(state, span)
            case Role.TRYLOCK:
                return self._trylock(state, instruction)
            case Role.LOCK_KILLABLE | Role.WRITE_LOCK_KILLABLE:
                return self._killable(state, instruction)
            case Role.UNLOCK | Role.UNLOCK_VMA if self.plan.stop_at_fault and state.vmas:
                raise _Stop(End.DENIED, span)
            case Role.UNLOCK | Role.WRITE_UNLOCK:
                state.lock_depth -= 1
                self._event(state, EventKind.UNLOCK, instruction.name, (), span)
            case Role.DOWNGRADE:
                pass
            case Role.LOCK_VMA:
                return self._lock_vma(state, instruction, args)
            case Role.UNLOCK_VMA:
                state.vma_locked = False
                self._event(state, EventKind.VMA_UNLOCK, instruction.name, (), span)
            case Role.LOCK_FIND:
                return self._lock_find(state, instruction, args)
            case Role.FIND_VMA | Role.FIND_VMA_PREV:
                return self._find(state, instruction, role, args)
            case Role.EXPAND_STACK:
                return self._expand(state, instruction, args)
            case Role.FAULT:
                return self._fault(state, instruction, args)
            case _:
                raise AssertionError(f"no step for {role}")
        return None

    def _next_pass(self, state: State, span: Span) -> None:
        """Going round again after the last fault that is to be followed ends the path.

        Taking the lock is going round only where the mm has asked for it: a
        handler may lock the mm once more to print its page tables.
        """
        if state.faults >= self.plan.passes and state.retrying:
            raise _Stop(End.RETRY, span)

    def _acquire(self, state: State, span: Span) -> None:
        state.acquired += 1
        state.lock_depth += 1
        self._event(state, EventKind.LOCK, "mmap_lock", (), span)

    def _trylock(self, state: State, instruction: Call) -> list[Fork]:
        self._next_pass(state, instruction.span)
        contended = env.truth_symbol(f"mmap_lock_contended#{state.acquired + 1}")

        def got(way: State) -> None:
            self._acquire(way, instruction.span)
            self._answer(way, instruction, TRUE)

        def missed(way: State) -> None:
            self._event(way, EventKind.LOCK_WAIT, "mmap_lock", (), instruction.span)
            self._answer(way, instruction, FALSE)

        forks: list[Fork] = [((negate(contended),), got)]
        if self.plan.contended:
            forks.append(((contended,), missed))
        return forks

    def _killable(self, state: State, instruction: Call) -> list[Fork]:
        self._next_pass(state, instruction.span)
        killed = env.truth_symbol(f"killed_in_lock_wait#{state.acquired + 1}")

        def got(way: State) -> None:
            self._acquire(way, instruction.span)
            self._answer(way, instruction, FALSE)

        def lost(way: State) -> None:
            if instruction.result is not None:
                self._set_local(way, instruction.result, integer(-self.constants["EINTR"], 32))

        forks: list[Fork] = [((negate(killed),), got)]
        if self.plan.contended:
            forks.append(((killed,), lost))
        return forks

    def _answer(self, state: State, instruction: Call, value: Term) -> None:
        if instruction.result is not None:
            self._set_local(state, instruction.result, number(value, instruction.result.type.bits))

    def _give(self, state: State, instruction: Call, value: Term) -> None:
        if instruction.result is not None:
            self._set_local(state, instruction.result, value)

    def _missing(self, way: State, instruction: Call) -> None:
        """No VMA: the outcome has happened."""
        self._outcome(way, Outcome.NO_VMA)
        self._give(way, instruction, integer(0, 64, "NULL"))

    def _outcome(self, state: State, *outcomes: Outcome) -> None:
        """Notes that the first pass met one of `outcomes`; cuts the path if another is planned."""
        planned = self.plan.outcome
        if planned is not None and state.outcome is None and planned not in outcomes:
            raise _Stop(End.CUT, state.frames[-1].span if state.frames else Span(0, 0))
        if state.outcome is None:
            state.outcome = planned or outcomes[0]
            state.outcome_at = len(state.trace)

    def _found(self, way: State, ordinal: int) -> Term:
        way.vmas[ordinal] = True
        if way.outcome is None and self.plan.outcome is Outcome.ACCESS_DENIED:
            # Denied is what the handler does next, unless it asks the mm after all.
            way.outcome = Outcome.ACCESS_DENIED
            way.outcome_at = len(way.trace)
        return env.vma_object(ordinal)

    def _lock_find(self, state: State, instruction: Call, args: list[Term]) -> list[Fork]:
        self._next_pass(state, instruction.span)
        span = instruction.span
        ordinal = state.acquired + 1
        address = args[1] if len(args) > 1 else symbol("address", 64)
        found = env.truth_symbol(f"vma_found#{ordinal}")
        contended = env.truth_symbol(f"mmap_lock_contended#{ordinal}")
        calm = () if not self.plan.contended else (negate(contended),)

        def take(way: State) -> None:
            self._acquire(way, span)
            self._give(way, instruction, self._found(way, ordinal))

        def none(way: State) -> None:
            way.acquired += 1
            self._outcome(way, Outcome.NO_VMA, Outcome.STACK_GROWTH_FAILURE)
            self._give(way, instruction, integer(0, 64, "NULL"))

        def refused(way: State) -> None:
            way.acquired += 1
            self._event(way, EventKind.LOCK_WAIT, "mmap_lock", (), span)
            self._give(way, instruction, integer(0, 64, "NULL"))

        facts = env.vma_facts(ordinal, address, self.constants, covers=True)
        forks: list[Fork] = [((*calm, found, *facts), take), ((*calm, negate(found)), none)]
        if self.plan.contended:
            may_wait = self._may_wait(args)
            killed = env.truth_symbol(f"killed_in_lock_wait#{ordinal}")
            forks += [
                ((contended, may_wait, negate(killed), found, *facts), take),
                ((contended, may_wait, negate(killed), negate(found)), none),
                ((contended, may_wait, killed), refused),
                ((contended, negate(may_wait)), refused),
            ]
        return forks

    def _may_wait(self, args: list[Term]) -> Term:
        """Waiting for the lock is allowed from user mode, or with an exception-table entry."""
        regs = args[2] if len(args) > 2 else object_address("regs")
        entry = call("search_exception_tables", (call("instruction_pointer", (regs,), 64),), 64)
        return disjoin(self.user, truth(entry))

    def _lock_vma(self, state: State, instruction: Call, args: list[Term]) -> list[Fork]:
        ordinal = state.acquired + 1
        locked = env.truth_symbol(f"vma_read_locked#{ordinal}")
        address = args[1] if len(args) > 1 else symbol("address", 64)

        def take(way: State) -> None:
            way.acquired += 1
            way.vma_locked = True
            self._event(way, EventKind.VMA_LOCK, instruction.name, (), instruction.span)
            self._give(way, instruction, self._found(way, ordinal))

        def none(way: State) -> None:
            self._give(way, instruction, integer(0, 64, "NULL"))

        facts = env.vma_facts(ordinal, address, self.constants, covers=True)
        forks: list[Fork] = [((negate(locked),), none)]
        if self.plan.outcome not in (Outcome.NO_VMA, Outcome.STACK_GROWTH_FAILURE):
            forks.insert(0, ((locked, *facts), take))
        return forks

    def _find(self, state: State, instruction: Call, role: Role, args: list[Term]) -> list[Fork]:
        ordinal = state.acquired
        address = args[1] if len(args) > 1 else symbol("address", 64)
        found = env.truth_symbol(f"vma_found#{ordinal}")
        # A second lookup under another lock meets what the first one met.
        again = state.outcome in (None, Outcome.STACK_GROWTH_FAILURE)
        planned = self.plan.outcome if again and state.faults == 0 else None
        covers = None
        if planned is Outcome.STACK_GROWTH_FAILURE:
            covers = False
        elif planned not in (None, Outcome.NO_VMA):
            covers = True

        def previous(way: State) -> None:
            if role is Role.FIND_VMA_PREV and len(args) > 2:
                before = env.truth_symbol(f"vma_before_found#{ordinal}")
                value = choose(before, object_address(f"vma_before#{ordinal}"), integer(0, 64))
                way.memory[args[2]] = value

        def take(way: State) -> None:
            previous(way)
            if covers is False:
                self._outcome(way, Outcome.STACK_GROWTH_FAILURE)
            self._give(way, instruction, self._found(way, ordinal))

        def none(way: State) -> None:
            previous(way)
            self._missing(way, instruction)

        def above(way: State) -> None:
            """Nothing at or above the address: the stack that would grow lies below it."""
            previous(way)
            self._outcome(way, Outcome.STACK_GROWTH_FAILURE)
            self._give(way, instruction, integer(0, 64, "NULL"))

        facts = env.vma_facts(ordinal, address, self.constants, covers=covers)
        if planned is Outcome.STACK_GROWTH_FAILURE and role is Role.FIND_VMA:
            facts = (*facts, env.grows(self.constants, ordinal))
        forks: list[Fork] = [((found, *facts), take)]
        if planned in (None, Outcome.NO_VMA):
            forks.append(((negate(found),), none))
            if planned is Outcome.NO_VMA:
                forks.pop(0)
        elif planned is Outcome.STACK_GROWTH_FAILURE and role is Role.FIND_VMA_PREV:
            forks.append(((negate(found),), above))
        return forks

    def _expand(self, state: State, instruction: Call, args: list[Term]) -> list[Fork]:
        """expand_stack(vma, address) gives 0 or an error; (mm, address) a VMA or NULL, unlocked."""
        ordinal = state.acquired
        grown = env.truth_symbol(f"stack_grown#{ordinal}")
        by_vma = bool(args) and str(args[0].payload).startswith("vma")
        vma_result = not by_vma
        if instruction.name != "expand_stack":
            vma_result = False

        def ok(way: State) -> None:
            if way.faults == 0 and self.plan.outcome in (
                Outcome.NO_VMA,
                Outcome.STACK_GROWTH_FAILURE,
            ):
                raise _Stop(End.CUT, instruction.span)
            value = self._found(way, ordinal) if vma_result else integer(0, 32)
            self._give(way, instruction, value)

        def fail(way: State) -> None:
            self._outcome(way, Outcome.STACK_GROWTH_FAILURE)
            if vma_result:
                way.lock_depth -= 1
                self._event(way, EventKind.UNLOCK, instruction.name, (), instruction.span)
                self._give(way, instruction, integer(0, 64, "NULL"))
            else:
                self._give(way, instruction, integer(-self.constants["ENOMEM"], 32))

        facts: tuple[Term, ...] = (grown,)
        if len(args) > 1 and args[1].bits == types.LONG_BITS:
            # No user mapping begins below it (mm/mmap.c, mmap_min_addr; free_pgtables()).
            first = symbol("FIRST_USER_ADDRESS", types.LONG_BITS)
            facts += (negate(less(args[1], first, is_signed=False)),)
        return [(facts, ok), ((negate(grown),), fail)]

    def _fault(self, state: State, instruction: Call, args: list[Term]) -> list[Fork]:
        span = instruction.span
        if state.faults >= self.plan.passes:
            raise _Stop(End.RETRY, span)
        if len(args) > 2 and state.flags is None:
            state.flags = args[2]
        if self.plan.stop_at_fault:
            raise _Stop(End.STOP, span)
        if state.faults == 0 and self.plan.outcome in BEFORE_FAULT:
            raise _Stop(End.CUT, span)
        ordinal = state.faults + 1
        flags = args[2] if len(args) > 2 else integer(0, 32)
        forks: list[Fork] = []
        for answer in env.fault_answers(self.plan, self.constants, ordinal, flags):
            facts = (*answer.facts, *env.pending_facts(self.plan, ordinal, answer.outcome))

            def update(way: State, answer: env.Answer = answer) -> None:
                way.faults = ordinal
                way.epoch += 1
                self._event(way, EventKind.FAULT, instruction.name, tuple(args[1:3]), span)
                assert answer.outcome is not None
                way.retrying = answer.outcome in (Outcome.RETRY, Outcome.SIGNAL_PENDING)
                if way.outcome is None:
                    way.outcome = answer.outcome
                    way.outcome_at = len(way.trace)
                if answer.outcome in (Outcome.RETRY, Outcome.COMPLETED, Outcome.SIGNAL_PENDING):
                    self._released(way, answer.outcome, args)
                self._give(way, instruction, answer.value)

            forks.append((facts, update))
        return forks

    def _released(self, state: State, outcome: Outcome, args: list[Term]) -> None:
        """RETRY (without RETRY_NOWAIT) and COMPLETED: the mm has let the lock go."""
        nowait = self.constants.get("FAULT_FLAG_RETRY_NOWAIT", 0)
        flags = args[2] if len(args) > 2 else integer(0, 32)
        held_back = arithmetic("and", flags, integer(nowait, flags.bits))
        if outcome is not Outcome.COMPLETED and held_back.is_constant and held_back.value:
            return
        if state.vma_locked:
            state.vma_locked = False
        else:
            state.lock_depth -= 1


BEFORE_FAULT = (Outcome.NO_VMA, Outcome.STACK_GROWTH_FAILURE, Outcome.ACCESS_DENIED)
_SEMAPHORES = frozenset({"mmap_sem", "mmap_lock"})
# Terms that are best named by what they are.
_PLAIN = frozenset({"int", "object", "local", "field", "index", "text"})
_PLAIN_ROLE = {
    Role.SEM_LOCK: Role.LOCK,
    Role.SEM_TRYLOCK: Role.TRYLOCK,
    Role.SEM_LOCK_KILLABLE: Role.LOCK_KILLABLE,
    Role.SEM_UNLOCK: Role.UNLOCK,
}
_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}


def _is_opaque_mask(term: Term) -> bool:
    """Whether the term is a constant of some header that is only known by its name."""
    name = term.payload
    return (
        term.op == "sym"
        and isinstance(name, str)
        and name.isupper()
        and term.bits == types.LONG_BITS
    )


def _alternatives(term: Term) -> Iterator[Term]:
    """The operands of `a | b | c`."""
    if term.op == "or":
        for part in term.args:
            yield from _alternatives(part)
    else:
        yield term


def _root(place: Term) -> Term:
    """The object that a place is in."""
    while place.op in ("field", "index"):
        place = place.args[0]
    return place


def _bits(state: State, place: Term) -> int:
    value = state.memory.get(place)
    return value.bits if value is not None else 64


def _convert(value: Term, source: CType, target: CType) -> Term:
    """C's conversion of a value to a type."""
    if target.bits == 0 or target.record:
        return value
    if target.boolean:
        return number(truth(value), target.bits)
    return extend(value, target.bits, source.signed)


def _signal_shape(args: list[Term]) -> dict[str, Term] | None:
    """A signal known by its shape: `do_trap(regs, SIGSEGV, SEGV_MAPERR, addr)`.

    The address is the argument behind the code, unless that is the number.
    """
    numbers = [i for i, a in enumerate(args) if a.is_constant and is_signal_number(a.name)]
    codes = [i for i, a in enumerate(args) if _holds_code(a)]
    if not codes or not (numbers or str(_some_code(args[codes[0]])).startswith("BUS_")):
        return None
    parts: dict[str, Term] = {}
    parts["signo"] = args[numbers[0]] if numbers else integer(7, 32, "SIGBUS")
    parts["code"] = args[codes[0]]
    rest = [i for i in range(codes[0] + 1, len(args)) if i not in numbers and args[i].op != "text"]
    if rest:
        parts["addr"] = args[rest[0]]
    return parts


def _some_code(term: Term) -> str | None:
    if term.is_constant:
        return term.name
    if term.op == "ite":
        return _some_code(term.args[1]) or _some_code(term.args[2])
    return None


def _holds_code(term: Term) -> bool:
    return is_signal_code(_some_code(term))


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
