# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios by hand: what a person who uses a simulator sees."""

from functools import cache

import pytest

from codegen.base.diagnostics import RefusedError
from codegen.base.resources import data_dir
from codegen.base.spans import SourceText
from codegen.ir.load import load_unit
from codegen.ir.vocabulary import load
from codegen.targets.simulator.emit import emit_simulator
from codegen.targets.simulator.run import (
    ImpossibleScenario,
    Simulator,
    run_simulator,
    scenario_from,
    trace_json,
    trace_table,
)

C = load().constants
OPEN = {"user_mode(regs)": 1, "current->mm": 1, "vma_found#1": 1, "vma#1->vm_flags": 7}


@cache
def emitted(name: str) -> str:
    data = (data_dir("kernel_snippets") / f"{name}.c").read_bytes()
    unit = load_unit(SourceText.from_bytes(f"{name}.c", data), C)
    variant = next(v for v in unit.variants if v.found)
    return emit_simulator(variant.program, variant.found[0], title="a test", converted=False)


def emitted_text(body: str) -> str:
    source = SourceText("one.c", body)
    variant = load_unit(source, C).variants[0]
    return emit_simulator(variant.program, variant.found[0], title="a test", converted=False)


LOOP = """
int one(struct pt_regs *regs, unsigned long address)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;
	struct vm_area_struct *vma;
	vm_fault_t fault;
%s
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


def result(declared: str) -> int:
    """What the function returns at once."""
    value = run_simulator(emitted_text(LOOP % declared), {"address": 0x8000_0000_0000_1000}).value
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\tint a = -7; return a / 2;", -3),
        ("\tint a = -7; return a % 2;", -1),
        ("\tint a = -8; return a >> 1;", -4),
        ("\tunsigned int a = -8; return (a >> 1) == 0x7ffffffc;", 1),
        ("\tunsigned int a = 1; int b = -1; return b < a;", 0),
        ("\tlong b = -1; unsigned int a = 1; return b < a;", 1),
        ("\tunsigned char a = 255; a++; return a;", 0),
        ("\tsigned char a = 127; a++; return a < 0;", 1),
        ("\tu64 a = 0x180000000; int b = a; return b < 0;", 1),
        ("\tunsigned int a = 0x80000000; u64 b = a; return b == 0x80000000;", 1),
        ("\tint a = 0x80000000; u64 b = a; return b == 0xffffffff80000000;", 1),
        ("\tlong a = address; return a < 0;", 1),
        ("\treturn (int)address == 0x1000;", 1),
        ("\tint a = 5; return ~a;", -6),
        ("\tint a = 5; return !a + !!a;", 1),
        ("\tint a = 1; a <<= 31; return a < 0;", 1),
        ("\tbool a = address; return a;", 1),
        ("\tint a = 3, *p = &a; *p = -4; return a;", -4),
        ("\tint a = 0, i; for (i = 0; i < 5; i++) { if (i == 3) continue; a += i; } return a;", 7),
        (
            "\tint a = 2; switch (a) { case 1: return 5; case 2: a = 9; default: a++; } return a;",
            10,
        ),
        ("\tint a = 2; return a > 1 ? a * 3 : a;", 6),
        ("\tint a = 2; do { a += a; } while (a < 50); return a;", 64),
        ("\tbool a = 0, *p = &a; *p = address; return a;", 1),
        ("\tsigned char a = 0, *p = &a; *p = 200; return *p;", -56),
        ("\tu64 a = 0, *p = &a; u64 *q = p + 3; return q - p;", 3),
        ("\tu32 a = 0, *p = &a; return (unsigned long)(2 + p) - (unsigned long)p;", 8),
        ("\tu64 a = 0, *p = address ? &a : NULL; return (u64)(p + 1) - (u64)p;", 8),
        ("\tstruct two a = { .x = 3, .y.z = 4 }; return a.x + a.y.z + a.w;", 7),
        ("\tstruct two a = {}; return a.x;", 0),
        ("\tstruct two a; a = (struct two){ .x = 9 }; return a.x + a.w;", 9),
        ("\tunion two a = { .x = 3 }; return a.x;", 3),
        ("\tint a[3] = { 5, 6 }; return a[0] + a[1] + a[2];", 11),
        ("\tint a = { 4 }; return a;", 4),
    ],
)
def test_c_arithmetic_is_c_arithmetic(text: str, value: int) -> None:
    assert result(text) == value


def test_retry_is_refused_where_the_flags_do_not_allow_it() -> None:
    text = emitted_text(LOOP % "\tflags = 0;")
    with pytest.raises(ImpossibleScenario, match="VM_FAULT_RETRY"):
        run_simulator(text, {"handle_mm_fault#1": C["VM_FAULT_RETRY"]})


def test_two_outcomes_at_once_are_refused() -> None:
    both = C["VM_FAULT_OOM"] | C["VM_FAULT_SIGBUS"]
    with pytest.raises(ImpossibleScenario, match="VM_FAULT_OOM and VM_FAULT_SIGBUS"):
        run_simulator(emitted("arc"), {**OPEN, "handle_mm_fault#1": both})


def test_a_handler_that_goes_round_and_round_is_shown_as_that() -> None:
    text = emitted_text(LOOP % "\twhile (address) { flags += 1; }")
    trace = run_simulator(text, {"address": 1})
    assert trace.end == "endless"
    assert "round and round" in trace_table(text, trace)


def test_the_lock_is_counted() -> None:
    trace = run_simulator(emitted("arc"), {**OPEN, "handle_mm_fault#1": C["VM_FAULT_COMPLETED"]})
    assert (trace.end, trace.lock, trace.passes) == ("return", 0, 1)
    leaky = emitted_text(LOOP % "\tif (address == 5) { mmap_read_lock(current->mm); return 1; }")
    trace = run_simulator(leaky, {"address": 5})
    assert (trace.lock, trace.value) == (1, 1)
    assert "a lock still held" in trace_table(leaky, trace)


def test_a_retry_from_kernel_mode_with_a_fatal_signal_goes_to_the_fixup() -> None:
    scenario = {
        **OPEN,
        "user_mode(regs)": 0,
        "address": 0x1000,
        "VMALLOC_START": 0x8000,
        "handle_mm_fault#1": C["VM_FAULT_RETRY"],
        "fatal_signal_pending#1": 1,
    }
    trace = run_simulator(emitted("arc"), scenario)
    assert [e.name for e in trace.events][-2:] == ["fixup_exception", "die"]
    assert trace.end == "never"


def test_a_union_holds_what_the_scenario_says_but_for_what_it_was_given() -> None:
    text = emitted_text(LOOP % "\tunion two a = { .x = 3 }; return a.w;")
    assert run_simulator(text, {"a.w": 5}).value == 5


def test_a_sum_that_becomes_a_pointer_to_a_record_is_an_element() -> None:
    text = emitted_text(LOOP % "\tstruct row *row = rows + (address & 7); return row->sig;")
    assert run_simulator(text, {"address": 0x13, "rows[3].sig": 11}).value == 11


def test_members_by_order_are_refused() -> None:
    text = LOOP % "\tstruct two a = { 3, 4 }; return a.x;"
    variant = load_unit(SourceText("one.c", text), C).variants[0]
    assert not variant.found
    assert "one.c:7: unreadable" in str(variant.refusals[0])
    assert "by their order" in str(variant.refusals[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vma#1->vm_flags=0"], "at least its VM_MAY"),
        (["vma_found#0=1"], "counted from 1"),
        (["vma_found#1=2"], "can only be 0 or 1"),
        (["user_mode(regs)=7"], "can only be 0 or 1"),
        (["address=0x10000000000000000"], "64 bits"),
        (["address=1", "address=2"], "given twice"),
        (["handle_mm_fault#1=VM_FAULT_OOM|VM_FAULT_RETRY"], "VM_FAULT_OOM and VM_FAULT_RETRY"),
        (["fatal_signal_pending#2=1", "signal_pending#2=0"], "a fatal signal is a signal"),
    ],
)
def test_a_world_that_cannot_be_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ImpossibleScenario, match=said):
        scenario_from(words, Simulator(emitted("arc")).constants())


def test_names_that_the_run_did_not_ask_for_are_told() -> None:
    simulator = Simulator(emitted("arc"))
    trace, unused = simulator.run_noting({**OPEN, "vma_found#7": 1, "entirely_else": 1})
    assert trace == simulator.run(OPEN)
    assert unused == ["vma_found#7", "entirely_else"]
    # Where a VMA lies belongs to it, and a header's constant to the kernel.
    given = {**OPEN, "vma#1->vm_end": 8, "vma#7->vm_flags": 1, "ECR_V_PROTV": 1}
    assert simulator.run_noting(given)[1] == []
    with pytest.raises(ImpossibleScenario, match="did you mean 'address'"):
        simulator.run_noting({"adress": 1})


def test_many_scenarios_give_what_each_gives() -> None:
    simulator = Simulator(emitted("arc"))
    both = C["VM_FAULT_OOM"] | C["VM_FAULT_SIGBUS"]
    scenarios = [{**OPEN, "handle_mm_fault#1": n} for n in (0, 1, both, C["VM_FAULT_SIGBUS"])]
    first, second, third, last = simulator.run_many(scenarios)
    assert [first, second, last] == [simulator.run(scenarios[i]) for i in (0, 1, 3)]
    assert third is None


def test_json_is_as_the_contract_says() -> None:
    trace = run_simulator(emitted("arc"), {**OPEN, "address": 4096, "handle_mm_fault#1": 0x40})
    shown = trace_json(trace)
    signal = shown["events"][-1]
    assert signal["kind"] == "signal"
    assert signal["args"] == ["SIGSEGV", "SEGV_MAPERR", 4096]
    assert set(signal) == {"kind", "name", "args", "line"}
    assert shown["end"] == "return"


def test_set_takes_back_what_a_scenario_says() -> None:
    simulator = Simulator(emitted("arc"))
    words = ["handle_mm_fault#1=VM_FAULT_OOM|0x4", "f(a=1)=3"]
    assert scenario_from(words, simulator.constants()) == {"handle_mm_fault#1": 5, "f(a=1)": 3}
    with pytest.raises(ImpossibleScenario, match="NAME=VALUE"):
        scenario_from(["nothing"], simulator.constants())


def test_recursion_is_refused_with_its_line() -> None:
    with pytest.raises(RefusedError, match=r"one\.c:2: shape.*calls itself"):
        emitted_text(LOOP % "\tif (address == 3) return one(regs, address - 1) + 1;")


def test_a_call_of_itself_at_the_end_is_a_loop() -> None:
    body = "\tif (address > 3) return one(regs, address - 2); return address;"
    text = emitted_text(LOOP % body)
    assert run_simulator(text, {"address": 9}).value == 3
    assert run_simulator(text, {"address": 10}).value == 2


def test_a_name_of_python_is_no_obstacle() -> None:
    declared = (
        "\tint lambda = 3, w = 4, None = 5, u32 = 6, l = 7; return lambda + w + None + u32 + l;"
    )
    assert result(declared) == 25


def test_a_path_may_be_anything() -> None:
    source = SourceText('a "b"\n\\' + "x" * 200 + ".c", LOOP % "")
    variant = load_unit(source, C).variants[0]
    text = emit_simulator(variant.program, variant.found[0], title='"""', converted=False)
    assert max(map(len, text.splitlines())) <= 100
    assert run_simulator(text, {"vma_found#1": 1}).end == "return"


def test_a_caller_is_where_it_starts() -> None:
    text = emitted("s390")
    simulator = Simulator(text)
    readable = {**OPEN, "vma#1->vm_flags": C["VM_READ"], "vma#1->vm_end": 1 << 40}
    store, load_ = (simulator.run({**readable, "entry": n}) for n in (0, 1))
    assert "signal" in [e.kind for e in store.events]
    assert "handle_mm_fault" in [e.kind for e in load_.events]
