# SPDX-License-Identifier: GPL-2.0-only
"""C by the host's compiler against C as the program has it, on functions that nobody wrote.

Each example is a page-fault handler whose first part is random C. What it
works out goes to `note()`, a call that nobody knows, so that every value is a
step of the trace with its number; the compiled text and the simulator run it on
many scenarios.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from codegen.base.spans import SourceText
from codegen.ir.concrete import concrete_trace, evaluate
from codegen.ir.environment import Plan
from codegen.ir.load import load_unit
from codegen.ir.machine import Machine
from codegen.ir.solver import PathSolver
from codegen.ir.vocabulary import load
from codegen.targets.native.bench import build_bench
from codegen.targets.normal import Drawn, compare_runs, draws_for, normaliser_for
from codegen.targets.simulator.emit import emit_simulator
from codegen.targets.simulator.run import ImpossibleScenario, Simulator

RUNS = 150
# The same examples each time, in seconds that are known; a smaller one may be sought by hand.
BOUNDED = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)
HANDLER = """\
int one(struct pt_regs *regs, unsigned long address)
{
	struct vm_area_struct *vma;
	unsigned int flags = FAULT_FLAG_DEFAULT;
	vm_fault_t fault;
%s
	if (!user_mode(regs))
		return 1;
again:
	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, address);
	fault = handle_mm_fault(vma, address, flags, regs);
	if (fault & VM_FAULT_RETRY)
		goto again;
	mmap_read_unlock(current->mm);
	if (fault & VM_FAULT_SIGBUS)
		force_sig_fault(SIGBUS, BUS_ADRERR, (void __user *)address);
	return 0;
}
"""
TYPES = {
    "truth": "bool",
    "byte": "signed char",
    "ubyte": "u8",
    "half": "short",
    "uhalf": "u16",
    "word": "int",
    "uword": "unsigned int",
    "wide": "long",
    "uwide": "unsigned long",
}
NAMES = sorted(TYPES)
CASTS = sorted({*TYPES.values(), "u32", "u64", "s64", "vm_fault_t"})
# A bare name of a header that is compared with a negative number counts as signed (ir/lower.py).
HEADERS = ["(unsigned long)HEADER_A", "(unsigned long)HEADER_B"]
COUNTS = ["+", "-", "*", "&", "|", "^"]
COMPARES = ["==", "!=", "<", ">", "<=", ">="]
LITERALS = ["0", "1", "-1", "2u", "7", "0x80", "0xff", "0x7fffffff", "0x80000000", "-128"]
LITERALS += ["0xffffffffu", "1UL << 40", "0x8000L", "4294967296", "'a'", "'\\0'", "'\\n'", "0x10ul"]


def typed(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(CASTS))


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    """An expression without effects."""
    kind = draw(st.integers(0, 11 if depth else 1))
    inner = expressions(depth - 1)
    match kind:
        case 0:
            return draw(st.sampled_from([*NAMES, *HEADERS, "address"]))
        case 1:
            return f"({draw(st.sampled_from(LITERALS))})"
        case 2 | 3:
            return f"({draw(inner)} {draw(st.sampled_from(COUNTS))} {draw(inner)})"
        case 4:
            return f"({draw(inner)} {draw(st.sampled_from(COMPARES))} {draw(inner)})"
        case 5:
            shift = draw(st.sampled_from(["<<", ">>"]))
            return f"({draw(inner)} {shift} ({draw(inner)} & {draw(st.sampled_from([7, 15]))}))"
        case 6:
            return f"({draw(inner)} {draw(st.sampled_from(['/', '%']))} (({draw(inner)}) | 1))"
        case 7:
            return f"{draw(st.sampled_from(['-', '~', '!', '+', '!!']))}({draw(inner)})"
        case 8:
            return f"({typed(draw)})({draw(inner)})"
        case 9:
            return f"({draw(inner)} {draw(st.sampled_from(['&&', '||']))} {draw(inner)})"
        case 10:
            return f"({draw(inner)} ? {draw(inner)} : {draw(inner)})"
        case _:
            some = [f"({draw(inner)}) ?: ({draw(inner)})", f"sizeof({typed(draw)})"]
            return f"({draw(st.sampled_from(some))})"


@st.composite
def effects(draw: st.DrawFn) -> str:
    """An expression that changes one variable, and reads others."""
    name = draw(st.sampled_from(NAMES))
    value = draw(expressions(2))
    forms = [f"{name} = {value}"]
    forms += [f"{name} {op}= {value}" for op in (*COUNTS, "/")]
    forms[-1] = f"{name} /= ({value}) | 1"
    forms += [f"{name} {op}= ({value}) & 7" for op in ("<<", ">>")]
    forms += [f"{op}{name}" for op in ("++", "--")] + [f"{name}{op}" for op in ("++", "--")]
    return draw(st.sampled_from(forms))


@st.composite
def statements(draw: st.DrawFn, depth: int = 2) -> str:
    """A statement; loops end, and a label stands in a block of its own."""
    kind = draw(st.integers(0, 12 if depth else 4))
    value, inner = expressions(2), statements(depth - 1)
    match kind:
        case 0 | 1:
            return f"note({draw(expressions())});"
        case 2:
            return f"{draw(effects())};"
        case 3:
            return f"note({draw(effects())});"
        case 4:
            return f"note(({draw(effects())}, {draw(value)}));"
        case 5:
            return f"if ({draw(value)}) {{ {draw(inner)} }} else {{ {draw(inner)} }}"
        case 6:
            join = draw(st.sampled_from(["&&", "||"]))
            return f"if ({draw(value)} {join} ({draw(effects())})) {{ {draw(inner)} }}"
        case 7:
            cases = draw(st.lists(st.integers(-3, 5), min_size=1, max_size=3, unique=True))
            after = draw(st.lists(st.sampled_from(["break;", ""]), min_size=3, max_size=3))
            body = " ".join(
                f"case {c}: {draw(inner)} {a}" for c, a in zip(cases, after, strict=False)
            )
            rest = f"default: {draw(inner)}" if draw(st.booleans()) else ""
            return f"switch ({draw(value)}) {{ {body} {rest} }}"
        case 8:
            out = draw(st.sampled_from(["break;", "continue;", ""]))
            return f"do {{ {draw(inner)} if ({draw(value)}) {{ {out} }} {draw(inner)} }} while (0);"
        case 9:
            out = draw(st.sampled_from(["break;", "continue;", ""]))
            turn = f"if ({draw(value)}) {{ {out} }}"
            return f"{{ int turn; for (turn = 0; turn < 3; turn++) {{ {turn} {draw(inner)} }} }}"
        case 10:
            name = draw(st.sampled_from(NAMES))
            typename = typed(draw)
            # Not at once: what the initialiser says of `name` would be the new variable.
            inside = f"{typename} {name} = fresh; {draw(inner)} note({name});"
            return f"{{ {typename} fresh = {draw(value)}; {inside} }}"
        case 11:
            typename = typed(draw)
            return f"note(({{ {typename} kept = {draw(value)}; {draw(effects())}; kept; }}));"
        case _:
            name, cell = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
            return (
                f"{{ {TYPES[cell]} *at = &{cell}; {TYPES[name]} copy = *at; "
                f"*at = {draw(value)}; note({cell}); note(copy); }}"
            )


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Variables of every type, and what is done with them."""
    lines = [f"{ctype} {name} = SEEN_{name};" for name, ctype in TYPES.items()]
    lines += draw(st.lists(statements(), min_size=6, max_size=20))
    if draw(st.booleans()):
        at = draw(st.integers(len(TYPES), len(lines) - 1))
        lines.insert(at, f"if ({draw(expressions(1))}) goto out;")
        lines.insert(draw(st.integers(at + 1, len(lines))), "{ out: ; }")
    return "\n".join("\t" + line for line in lines)


def disagreement(body: str) -> str | None:
    """What the two sides make of a body, where that is not the same."""
    source = SourceText("random.c", HANDLER % body)
    unit = load_unit(source, load().constants)
    variant = unit.variants[0]
    found = variant.found[0]
    simulator = Simulator(emit_simulator(variant.program, found, title="t", converted=False))
    with (
        TemporaryDirectory() as folder,
        build_bench(
            variant.program, found, source, variant.configurations[0], None, Path(folder)
        ) as bench,
    ):
        normaliser = normaliser_for(variant.program, found.entries, bench.draws)
        agreement = compare_runs(
            bench.run_many, simulator.run, ImpossibleScenario, normaliser, 1, RUNS
        )
    assert agreement.skipped < RUNS
    for one in agreement.disagreements:
        return f"seed {one.seed}\n--- simulator\n{one.simulated}\n--- compiled\n{one.native}"
    return None


@BOUNDED
@given(bodies())
def test_random_functions(body: str) -> None:
    assert disagreement(body) is None


@st.composite
def straight(draw: st.DrawFn) -> str:
    """Variables of every type, and expressions of them; nothing branches."""
    lines = [f"{ctype} {name} = SEEN_{name};" for name, ctype in TYPES.items()]
    for expression in draw(st.lists(expressions(2), min_size=8, max_size=12)):
        lines.append(draw(st.sampled_from([f"note({expression});", f"byte = {expression};"])))
    return "\n".join("\t" + line for line in [*lines, "note(byte);", "return 5;"])


@BOUNDED
@given(straight())
def test_terms_are_worth_what_the_simulator_works_out(body: str) -> None:
    """The symbolic machine's reading of the same C, term by term."""
    unit = load_unit(SourceText("random.c", HANDLER % body), load().constants)
    program, found = unit.variants[0].program, unit.variants[0].found[0]
    simulator = Simulator(emit_simulator(program, found, title="t", converted=False))
    machine = Machine(program, found.entries[0], Plan(passes=1), PathSolver())
    path = next(iter(machine.run()))
    draws = draws_for(program, list(program.functions.values()))
    compared = 0
    for seed in range(1, 60):
        scenario = Drawn(seed, draws)
        # A mask of a header is taken not to be 0 (ir/evaluate.py).
        if not all(evaluate(fact, scenario) for fact in path.facts):
            continue
        compared += 1
        trace = simulator.run(scenario)
        terms = concrete_trace(path, scenario)
        got = [(e.name, e.args) for e in trace.events]
        assert got == [(e.name, e.args) for e in terms.events], seed
        assert trace.value == terms.value == 5
    assert compared
