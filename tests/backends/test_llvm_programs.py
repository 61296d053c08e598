"""LLVM against the interpreter, on the levels of vectors that this host can run."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes  # noqa: F401  NumPy then knows the name of bfloat16
import numpy as np
import pytest
from agreement import agree
from cases import ALIASES, CASES, EXTREMUM, GAUSSIAN, SHIFTED_EXP, SUM
from programs import run

from jaxkeops import ir
from jaxkeops.backends import llvm
from jaxkeops.backends.llvm.host import APPLE_M1, NEOVERSE_V1, levels
from jaxkeops.backends.llvm.math import SPELLING
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.ir import Input
from jaxkeops.ir.interpret import interpret
from jaxkeops.schedule import lower

LISTS = [(1, "SqDist(x, y)"), (5, "SqDist(x, y)"), (400, "SqDist(x, y)"), (3, "Sin(9 * x * y)")]
every_level = pytest.mark.parametrize("level", levels())


def program_of(reduction, formula, dtype, machine, **options):
    (node,), variables = read_formulas([formula], ALIASES)
    inputs = [Input(var.axis, var.dim) for var in variables]
    return lower(make_formula(reduction, node, inputs, **options), dtype, "int64", machine)


def sample(rng, M, N, dtype):
    sizes = [(1,), (M, 3), (N, 3), (N, 2), (M, 2)]
    return [rng.uniform(0.2, 1.5, size).astype(dtype) for size in sizes]


@every_level
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("reduction", "formula"), CASES)
def test_llvm_agrees_with_the_interpreter(reduction, formula, dtype, level, rng):
    machine = levels()[level]
    program = program_of(reduction, formula, dtype, machine)
    M, N = 37, 300
    arrays = sample(rng, M, N, dtype)
    results = run(program, machine, arrays, M, N)
    expected = interpret(program, arrays, M, N)
    agree(program, results, expected, ties=0.03)


@every_level
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("count", "formula"), LISTS)
def test_lists_agree_with_the_interpreter(count, formula, dtype, level, rng):
    machine = levels()[level]
    program = program_of("KMin_ArgKMin", formula, dtype, machine, count=count)
    arrays = sample(rng, 37, 300, dtype)
    results = run(program, machine, arrays, 37, 300)
    agree(program, results, interpret(program, arrays, 37, 300), ties=0.01)


@every_level
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("over_rows", [1, 2])
def test_sums_over_rows_agree_with_the_interpreter(over_rows, dtype, level, rng):
    machine = levels()[level]
    program = program_of("Sum", GAUSSIAN, dtype, machine, over_rows=over_rows)
    arrays = sample(rng, 37, 300, dtype)
    results = run(program, machine, arrays, 37, 300)
    agree(program, results, interpret(program, arrays, 37, 300))


@every_level
@pytest.mark.parametrize("number", range(0, len(CASES), 3))
def test_lanes_may_be_columns_where_last_columns_are_masked(number, level, rng):
    machine = levels()[level]
    reduction, formula = CASES[number]
    program = program_of(reduction, formula, "float32", machine)
    cut = replace(program.schedule, columns=2, masked=True)
    arrays = sample(rng, 3, 41, "float32")
    results = run(replace(program, schedule=cut), machine, arrays, 3, 41, few=True)
    agree(program, results, interpret(program, arrays, 3, 41), ties=0.03)


@every_level
@pytest.mark.parametrize("parts", [(), (33, 200)], ids=["whole", "parts"])
@pytest.mark.parametrize("number", range(len(CASES) + len(LISTS)))
def test_lanes_may_be_columns(number, parts, level, rng):
    """Each case on each level, whole and in parts, one in float32 and the other in float64."""
    cases = [*((*case, None) for case in CASES), *(("KMin_ArgKMin", f, k) for k, f in LISTS)]
    reduction, formula, count = cases[number]
    turn = number + list(levels()).index(level) + bool(parts)
    dtype = ("float32", "float64")[turn % 2]
    machine = levels()[level]
    program = program_of(reduction, formula, dtype, machine, count=count)
    M, N = 3, 300
    arrays = sample(rng, M, N, dtype)
    expected = interpret(program, arrays, M, N)
    results = run(program, machine, arrays, M, N, parts, few=True)
    agree(program, results, expected, ties=0.03)


@every_level
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_data_of_16_bits_give_the_results_of_float32_rounded_once(dtype, level, rng):
    machine = levels()[level]
    lists = [("KMin_ArgKMin", formula, count) for count, formula in LISTS]
    for reduction, formula, count in [*((*case, None) for case in CASES), *lists]:
        arrays = sample(rng, 37, 300, dtype)
        half, single = (
            program_of(reduction, formula, each, machine, count=count)
            for each in (dtype, "float32")
        )
        results = run(half, machine, arrays, 37, 300)
        expected = run(single, machine, [a.astype("float32") for a in arrays], 37, 300)
        for result, right, output in zip(results, expected, half.outputs, strict=True):
            assert output.dtype in (dtype, "int64")
            np.testing.assert_array_equal(result, right.astype(output.dtype))


@pytest.mark.compiles
@pytest.mark.parametrize("machine", [NEOVERSE_V1, APPLE_M1], ids=["neoverse-v1", "apple-m1"])
@pytest.mark.parametrize(("reduction", "formula"), CASES)
def test_arm_code_calls_nothing(reduction, formula, machine):
    """Vector functions that LLVM cannot spell become calls of libm: there must be none."""
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        program = program_of(reduction, formula, dtype, machine)
        assembly = llvm.assembly(llvm.emit(program, machine), machine)
        assert "\tbl\t" not in assembly


@pytest.mark.parametrize("M", [1, 15, 16, 17, 40])
@pytest.mark.parametrize("N", [1, 255, 256, 257, 513])
def test_tiles_that_are_not_full(M, N, rng):
    machine = llvm.host()
    for reduction, formula in (SUM, SHIFTED_EXP, EXTREMUM):
        program = program_of(reduction, formula, "float64", machine)
        arrays = sample(rng, M, N, "float64")
        results = run(program, machine, arrays, M, N)
        for result, right in zip(results, interpret(program, arrays, M, N), strict=True):
            np.testing.assert_allclose(result, right, rtol=1e-13)


@pytest.mark.parametrize("row_vectors", [1, 2, 3, 4])
def test_any_number_of_row_vectors_gives_the_same(row_vectors, rng):
    machine = llvm.host()
    for reduction, formula in CASES:
        given = program_of(reduction, formula, "float32", machine)
        cut = ir.Schedule(row_vectors, given.schedule.tile)
        program = replace(given, schedule=cut)
        arrays = sample(rng, 70, 270, "float32")
        results = run(program, machine, arrays, 70, 270)
        for result, right in zip(results, run(given, machine, arrays, 70, 270), strict=True):
            np.testing.assert_array_equal(result, right)


def test_every_instruction_is_spelled():
    assert SPELLING.keys() == ir.INSTRS.keys()
