# SPDX-License-Identifier: GPL-2.0-only
"""What a call does in a state: follow it, send a signal, leave an event.

    do_trap(regs, SIGSEGV, code, addr)     an unknown word with a signal's shape
    printk(...)                            an event
    bad_area(regs, mm, code, addr)         a function of the file: a new frame

The second layer of the machine. The words of the mm dance are the next one's.
"""

from __future__ import annotations

from collections.abc import Sequence

from codegen.base.spans import Span
from codegen.ir import environment as env
from codegen.ir.environment import Plan
from codegen.ir.evaluate import Evaluator, convert
from codegen.ir.nodes import (
    Assign,
    Call,
    Cast,
    Deref,
    Expr,
    Field,
    Function,
    Global,
    Index,
    Local,
    PureCall,
    Return,
)
from codegen.ir.printer import place_text
from codegen.ir.program import (
    Taken,
    is_signal_code,
    is_signal_number,
    subexpressions,
)
from codegen.ir.state import Fork, Frame, State, Stop, root_of
from codegen.ir.terms import (
    FALSE,
    TRUE,
    Term,
    call,
    disjoin,
    extend,
    field_address,
    integer,
    local_address,
    negate,
    number,
    substitute,
    symbol,
    truth,
)
from codegen.ir.trace import End, Event, EventKind
from codegen.ir.vocabulary import Role


class Caller(Evaluator):
    """Frames, calls and the events that they leave."""

    mode: Term
    visited: set[str]
    given: dict[str, set[Term]]

    def _dance(
        self, state: State, instruction: Call, role: Role, args: list[Term]
    ) -> list[Fork] | None:
        """A word of the mm dance; the layer above knows them."""
        raise NotImplementedError

    def _store(self, state: State, place: Term, value: Term, span: Span) -> None:
        self._dereferenced(state, place)
        state.memory[place] = value
        if root_of(place).op != "local":
            self._event(state, EventKind.WRITE, place_text(place), (value, place), span)

    def _assign(self, state: State, instruction: Assign) -> None:
        value = self._eval(state, instruction.value)
        place = self._place(state, instruction.target)
        self._name(state, instruction.target, value)
        self._store(state, place, value, instruction.span)
        self._kernel_seen(state, instruction.value, instruction.span)

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
            raise Stop(End.RETURN, span, value)
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
        source, depth = state.frames[-1].function.source, len(state.frames) - 1
        place = None if source is self.program.source else self._place_in_file(state, span)
        state.trace.append(Event(kind, name, args, span, source, depth, parts, place))

    def _place_in_file(self, state: State, span: Span) -> Span:
        """The span, or where the file calls the function of another text that it stands in."""
        for frame in reversed(state.frames[1:]):
            if frame.function.source is self.program.source:
                break
            span = frame.span
        return span

    def _call(self, state: State, instruction: Call) -> list[Fork] | None:
        name, span = instruction.name, instruction.span
        functions = self.program.functions
        self.visited.add(name)
        if name in functions:
            args = [self._eval(state, a) for a in instruction.args]
            converted = [
                convert(value, expr.type, param.type)
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
        asks = kind is EventKind.KERNEL and instruction.result is not None
        if asks and self._skip_routine(state, instruction.span):
            return None
        self._result(state, instruction, args)
        if self.program.writes_objects(name):
            self._clobber(state, instruction.args, args)
        if taken is Taken.KERNEL and not self.program.may_return(name):
            raise Stop(End.NEVER, instruction.span)
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
            root = root_of(arg)
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
            for place in [p for p in state.memory if p is not root and root_of(p) is root]:
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
                raise Stop(End.NEVER, span)
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
            raise Stop(End.NEVER, span)
        if role is Role.KERNEL_NEVER_IN_KERNEL:

            def dead(_: State) -> None:
                raise Stop(End.NEVER, span)

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
            raise Stop(End.KERNEL, span)
        self._leave(state, None, span)
        return True


def _bits(state: State, place: Term) -> int:
    value = state.memory.get(place)
    return value.bits if value is not None else 64


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
