"""The CUDA texts as machine code: they compile for every GPU, and cost what they should."""

from __future__ import annotations

from dataclasses import replace

import pytest
import toolkit
from cases import CASES, GAUSSIAN
from samples import LISTS, REGISTER_ENTRIES, SMALL, program_of, registry

from jaxkeops import ir
from jaxkeops.backends import cuda, llvm
from jaxkeops.backends.cuda.spelling import SPELLING
from jaxkeops.formula import make_formula
from jaxkeops.ir import Input, Output, Program, Schedule
from jaxkeops.schedule import choose_cut, lower

ARCHITECTURES = ["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"]
MISSING = toolkit.missing()
needs_toolkit = pytest.mark.skipif(MISSING is not None, reason=f"needs {MISSING}")
pytestmark = pytest.mark.compiles

PLAIN = replace(SMALL, rows=1, group=1)  # one copy of the code of a pair

ONE_B = ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(1)", "e = Vi(1)"]
WIDE = ["g = Pm(1)", "x = Vi(16)", "y = Vj(16)", "b = Vj(1)"]
GAUSSIAN_GRADIENT = f"Concat({GAUSSIAN}, Grad({GAUSSIAN}, x, e))"
WEIGHTED = ["s = Pm(3)", *ONE_B[1:]]
# Reduction, formula, aliases; an opcode and how often it stands for one pair; slots of a pair, if
# there are two ways where rows are scaled, and where they are not.
#
# What is above the operations of a pair is for reading columns, and for the loop.
WORKLOADS = {
    "gaussian": ("Sum", GAUSSIAN, ONE_B, "MUFU", 1, (8 + 0.45, 9 + 0.45)),
    "weights": (
        "Sum",
        "Exp(-WeightedSqDist(s, x, y)) * b",
        WEIGHTED,
        "MUFU",
        1,
        (8 + 0.45, 12 + 0.45),
    ),
    "value and gradient": ("Sum", GAUSSIAN_GRADIENT, ONE_B, "MUFU", 1, (13 + 0.45,)),
    "laplacian": ("Sum", "Exp(-g * Norm2(x - y)) * b", ONE_B, "MUFU", 2, (10 + 0.45,)),
    "log-sum-exp": ("LogSumExp", "-g * SqDist(x, y)", ONE_B, "MUFU", 1, (8 + 0.4, 9 + 0.4)),
    "argmin": ("ArgMin", "SqDist(x, y)", ONE_B, "FMNMX", 1, (7 + 0.4,)),
    "16 dimensions": ("Sum", GAUSSIAN, WIDE, "MUFU", 1, (35 + 1.35,)),
}


def compiled(program: Program, architecture: str, few: bool = False):
    text = cuda.emit(program, choose_cut(program, few)).text
    return toolkit.functions(toolkit.compile_cubin(text, architecture))


def test_every_instruction_is_spelled():
    assert SPELLING.keys() == ir.INSTRS.keys()


@needs_toolkit
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_instruction_compiles(architecture, dtype):
    pair = ir.add(ir.load(0, 0, "i"), ir.load(1, 0, "j"))
    terms = tuple(instr(*[pair] * instr.arity) for instr in ir.INSTRS.values())
    program = Program(
        dtype=dtype,
        stored=dtype,
        inputs=(Input("i", 1), Input("j", 1)),
        columns=(),
        accumulator=ir.Total(terms),
        outputs=(Output(tuple(ir.State(ir.ROW, k) for k in range(len(terms))), dtype, 0.0),),
        schedule=Schedule(row_vectors=1, tile=64),
    )
    assert toolkit.compile_cubin(cuda.emit(program, PLAIN).text, architecture)


@needs_toolkit
@pytest.mark.parametrize("number", range(len(ARCHITECTURES)))
def test_every_op_compiles(number):
    """Each on one architecture."""
    for _, node, inputs, _ in list(registry())[number :: len(ARCHITECTURES)]:
        program = lower(
            make_formula("Sum", node, inputs), "float32", "int64", llvm.host(), loops=False
        )
        assert toolkit.compile_cubin(cuda.emit(program, PLAIN).text, ARCHITECTURES[number])


@needs_toolkit
@pytest.mark.parametrize("ranged", [False, True])
@pytest.mark.parametrize("number", range(len(ARCHITECTURES)))
def test_every_accumulator_compiles(number, ranged):
    """Each on its own architecture and dtype, and all of them on each in turn."""
    dtypes = ["float32", "float64", "float16", "bfloat16"]
    cases = [(*case, {}) for case in CASES[number::5]]
    cases += [("KMin_ArgKMin", formula, {"count": count}) for count, formula in LISTS[number::5]]
    for k, (reduction, formula, options) in enumerate(cases):
        program = program_of(reduction, formula, dtypes[(number + k) % 4], **options)
        cut = replace(SMALL, register_lists=options.get("count", 0) <= REGISTER_ENTRIES)
        text = cuda.emit(program, cut, ranged).text
        assert toolkit.compile_cubin(text, ARCHITECTURES[(number + k) % 5])


def of_a_pair(rows: toolkit.Function, opcode: str, times: int) -> list[float]:
    """Slots of each `opcode`, ascending, in the loops over groups of four columns: it stands there
    `times` times, and nowhere more often.
    """
    assert max(loop.opcodes[opcode] for loop in rows.loops) == times
    return sorted(loop.slots / times for loop in rows.loops if loop.opcodes[opcode] == times)


@needs_toolkit
@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pair_costs_as_many_slots_as_it_should(name):
    reduction, formula, aliases, opcode, times, slots = WORKLOADS[name]
    rows = compiled(program_of(reduction, formula, "float32", aliases), "sm_90")["rows"]
    for taken, most in zip(of_a_pair(rows, opcode, 16 * times), slots, strict=True):
        assert taken * times <= most


@needs_toolkit
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", WORKLOADS)
def test_rows_stay_in_registers(name, architecture):
    reduction, formula, aliases, *_ = WORKLOADS[name]
    for function in compiled(
        program_of(reduction, formula, "float32", aliases), architecture
    ).values():
        assert function.stack == function.local == 0
        assert function.registers <= 168  # 3 blocks of 128 threads


@needs_toolkit
@pytest.mark.parametrize("name", WORKLOADS)
def test_few_rows_take_little_more(name):
    """A column is read for one row instead of four."""
    reduction, formula, aliases, opcode, times, slots = WORKLOADS[name]
    program = program_of(reduction, formula, "float32", aliases)
    for function in compiled(program, "sm_90", few=True).values():
        assert function.stack == function.local == 0
    rows = compiled(program, "sm_90", few=True)["rows"]
    columns = 16 if reduction == "Sum" else 4  # that the loop over pairs takes at once
    for taken, most in zip(of_a_pair(rows, opcode, columns * times), slots, strict=True):
        assert taken * times <= 1.2 * most


@needs_toolkit
def test_float64_keeps_the_few_units_that_do_it_for_what_must_be():
    rows = compiled(program_of("Sum", GAUSSIAN, "float64", ONE_B), "sm_90")["rows"]
    assert rows.stack == rows.local == 0
    loop = max(rows.loops, key=lambda loop: loop.slots)
    used = sum(loop.opcodes[opcode] for opcode in ("DADD", "DMUL", "DFMA", "DSETP"))
    assert used / 16 <= 8 + 14 + 2  # of the pair, of exp2, of exp2 at the ends of its range


@needs_toolkit
def test_a_fault_in_a_text_is_told_with_its_line():
    with pytest.raises(AssertionError, match=r"kernel\.cu\(2\): error: identifier \"b\""):
        toolkit.compile_cubin("__global__ void f(int *a) {\n*a = b; }", "sm_90")
