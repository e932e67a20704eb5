# SPDX-License-Identifier: GPL-2.0-only
"""The words of the mm dance: locks, the VMA, the stack, handle_mm_fault() itself.

Each word forks the state into what the world (`environment.py`) may answer.
The third layer of the machine.
"""

from __future__ import annotations

from codegen.base.spans import Span
from codegen.ir import environment as env
from codegen.ir import types
from codegen.ir.calls import Caller
from codegen.ir.environment import Outcome
from codegen.ir.evaluate import convert
from codegen.ir.nodes import (
    Call,
)
from codegen.ir.state import Fork, Pause, State, Stop
from codegen.ir.terms import (
    FALSE,
    TRUE,
    Term,
    arithmetic,
    call,
    choose,
    disjoin,
    integer,
    less,
    negate,
    number,
    object_address,
    symbol,
    truth,
)
from codegen.ir.trace import End, EventKind
from codegen.ir.vocabulary import Role

BEFORE_FAULT = (Outcome.NO_VMA, Outcome.STACK_GROWTH_FAILURE, Outcome.ACCESS_DENIED)
_SEMAPHORES = frozenset({"mmap_sem", "mmap_lock"})

_PLAIN_ROLE = {
    Role.SEM_LOCK: Role.LOCK,
    Role.SEM_TRYLOCK: Role.TRYLOCK,
    Role.SEM_LOCK_KILLABLE: Role.LOCK_KILLABLE,
    Role.SEM_UNLOCK: Role.UNLOCK,
}


def _widened(instruction: Call, args: list[Term]) -> list[Term]:
    """The arguments with the address, which the handler may keep in an `int`, as the mm gets it.

    In every prototype of the dance it is the second, an `unsigned long`.
    """
    if len(args) < 2 or args[1].bits >= types.LONG_BITS:
        return args
    given = instruction.args[1].type
    if given.pointer or given.record:
        return args
    return [args[0], convert(args[1], given, types.ULONG), *args[2:]]


class Dancer(Caller):
    """What the mm answers, one fork for each answer."""

    _pausing: frozenset[Role]
    low_stack = False

    # -- the mm dance ----------------------------------------------------------------------

    def _dance(
        self, state: State, instruction: Call, role: Role, args: list[Term]
    ) -> list[Fork] | None:
        span = instruction.span
        if role in self._pausing:
            state.frames[-1].index -= 1
            raise Pause
        args = _widened(instruction, args)
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
                raise Stop(End.DENIED, span)
            case Role.UNLOCK | Role.WRITE_UNLOCK:
                state.lock_depth -= 1
                self._event(state, EventKind.UNLOCK, instruction.name, (), span)
            case Role.DOWNGRADE:
                pass
            case Role.LOCK_VMA:
                return self._lock_vma(state, instruction, args)
            case Role.UNLOCK_VMA:
                # Before 6.6 the mm leaves the VMA's lock to its caller, RETRY or not.
                if not state.vma_locked and not state.retrying:
                    state.lock_depth -= 1
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
            raise Stop(End.RETRY, span)

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
            raise Stop(End.CUT, state.frames[-1].span if state.frames else Span(0, 0))
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

        facts = self._facts_of(found, ordinal, address, covers=True)
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

        facts = self._facts_of(locked, ordinal, address, covers=True)
        forks: list[Fork] = [((negate(locked),), none)]
        if self.plan.outcome not in (Outcome.NO_VMA, Outcome.STACK_GROWTH_FAILURE):
            forks.insert(0, ((locked, *facts), take))
        return forks

    def _facts_of(
        self, found: Term, ordinal: int, address: Term, covers: bool | None
    ) -> tuple[Term, ...]:
        """What holds of a VMA once it is found, and is so in every kernel."""
        for fact in env.vma_facts(ordinal, address, self.constants, covers=None):
            self.granted[disjoin(negate(found), fact)] = fact
        return env.vma_facts(ordinal, address, self.constants, covers=covers)

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

        facts = self._facts_of(found, ordinal, address, covers=covers)
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
        # The VMA before the address may be there or not: `before ? vma : NULL`.
        by_vma = bool(args) and any(str(t.payload).startswith("vma") for t in args[0].walk())
        vma_result = not by_vma
        if instruction.name != "expand_stack":
            vma_result = False

        def ok(way: State) -> None:
            if way.faults == 0 and self.plan.outcome in (
                Outcome.NO_VMA,
                Outcome.STACK_GROWTH_FAILURE,
            ):
                raise Stop(End.CUT, instruction.span)
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
        if len(args) > 1 and args[1].bits == types.LONG_BITS and not self.low_stack:
            # No user mapping begins below it (mm/mmap.c, mmap_min_addr; free_pgtables()).
            first = symbol("FIRST_USER_ADDRESS", types.LONG_BITS)
            facts += (negate(less(args[1], first, is_signed=False)),)
        return [(facts, ok), ((negate(grown),), fail)]

    def _fault(self, state: State, instruction: Call, args: list[Term]) -> list[Fork]:
        span = instruction.span
        if state.faults >= self.plan.passes:
            raise Stop(End.RETRY, span)
        if len(args) > 2 and state.flags is None:
            state.flags = args[2]
        if self.plan.stop_at_fault:
            raise Stop(End.STOP, span)
        if state.faults == 0 and self.plan.outcome in BEFORE_FAULT:
            raise Stop(End.CUT, span)
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
