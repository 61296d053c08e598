"""The CUDA texts against the interpreter, on a machine that an emulator plays."""

from __future__ import annotations

import shutil
from dataclasses import replace

import ml_dtypes  # noqa: F401  NumPy then knows the name of bfloat16
import numpy as np
import pytest
from agreement import agree
from cases import CASES, EXTREMUM, GAUSSIAN, SHIFTED_EXP, SUM
from emulation import Emulated, build, eps_of
from samples import LISTS, REGISTER_ENTRIES, SMALL, arrays_of, program_of, registry

from jaxkeops import ir
from jaxkeops.backends import cuda, llvm
from jaxkeops.formula import make_formula
from jaxkeops.ir.interpret import interpret
from jaxkeops.schedule import lower

pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
FLOATS = ["float32", "float64"]
HALVES = ["float16", "bfloat16"]
ORDERS = [0, 1, 2]
GRADIENT = "Grad(Exp(-g * SqDist(x, y)) * b, x, e)"


def cut_for(count: int) -> cuda.Cut:
    return replace(SMALL, register_lists=count <= REGISTER_ENTRIES)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[object, Emulated]:
    """Kernels by what they compute, all built at once."""
    wanted = {}
    for dtype in FLOATS + HALVES:
        for reduction, formula in CASES:
            wanted[reduction, formula, dtype] = (program_of(reduction, formula, dtype), SMALL)
        for count, formula in LISTS:
            program = program_of("KMin_ArgKMin", formula, dtype, count=count)
            wanted[count, formula, dtype] = (program, cut_for(count))
    for dtype in FLOATS:
        for over_rows in (1, 2):
            program = program_of("Sum", GAUSSIAN, dtype, over_rows=over_rows)
            wanted["over rows", over_rows, dtype] = (program, SMALL)
    folder = tmp_path_factory.mktemp("emulated")
    built = build(folder, [(program, cuda.emit(program, cut)) for program, cut in wanted.values()])
    return dict(zip(wanted, built, strict=True))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("reduction", "formula"), CASES)
def test_the_texts_agree_with_the_interpreter(reduction, formula, dtype, kernels, rng):
    kernel = kernels[reduction, formula, dtype]
    M, N = 137, 300
    arrays = arrays_of(kernel.program, rng, M, N)
    expected = interpret(kernel.program, arrays, M, N)
    for splits in (1, 3):
        for order in ORDERS:
            agree(
                kernel.program,
                kernel.run(arrays, M, N, splits=splits, order=order),
                expected,
                ties=0.03,
            )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("count", "formula"), LISTS)
def test_lists_agree_with_the_interpreter(count, formula, dtype, kernels, rng):
    kernel = kernels[count, formula, dtype]
    M, N = 100, 300
    arrays = arrays_of(kernel.program, rng, M, N)
    expected = interpret(kernel.program, arrays, M, N)
    for splits in (1, 3):
        agree(
            kernel.program,
            kernel.run(arrays, M, N, splits=splits, order=splits),
            expected,
            ties=0.01,
        )


@pytest.mark.parametrize("count", [count for count, _ in LISTS])
def test_lists_longer_than_there_are_columns(count, kernels, rng):
    kernel = kernels[count, LISTS[[c for c, _ in LISTS].index(count)][1], "float64"]
    arrays = arrays_of(kernel.program, rng, 5, 2)
    agree(kernel.program, kernel.run(arrays, 5, 2), interpret(kernel.program, arrays, 5, 2))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("over_rows", [1, 2])
@pytest.mark.parametrize("splits", [1, 4])
def test_sums_over_rows_agree_with_the_interpreter(over_rows, splits, dtype, kernels, rng):
    kernel = kernels["over rows", over_rows, dtype]
    M, N = 300, 270
    arrays = arrays_of(kernel.program, rng, M, N)
    agree(
        kernel.program,
        kernel.run(arrays, M, N, splits=splits),
        interpret(kernel.program, arrays, M, N),
    )


def test_the_splits_of_few_rows_are_merged_by_several_threads(kernels, rng):
    """As many as there are beside other rows: 1 to 8 here, with states that come in any order."""
    for what, kernel in kernels.items():
        if what[-1] != "float32":
            continue
        for M, splits in ((3, 5), (2, 17), (70, 21), (1, 70)):
            N = 64 * splits - 30
            arrays = arrays_of(kernel.program, rng, M, N)
            whole = kernel.run(arrays, M, N)
            for order in ORDERS:
                agree(kernel.program, kernel.run(arrays, M, N, splits=splits, order=order), whole)


@pytest.mark.parametrize("dtype", HALVES)
def test_data_of_16_bits_give_the_results_of_float32_rounded_once(dtype, kernels, rng):
    for (what, formula, stored), kernel in kernels.items():
        if stored != dtype:
            continue
        single = kernels[what, formula, "float32"]
        arrays = arrays_of(kernel.program, rng, 37, 100)
        results = kernel.run(arrays, 37, 100)
        expected = single.run([array.astype("float32") for array in arrays], 37, 100)
        for result, right, output in zip(results, expected, kernel.program.outputs, strict=True):
            assert output.dtype in (dtype, "int64")
            np.testing.assert_array_equal(result, right.astype(output.dtype))


@pytest.mark.parametrize("M", [1, 32, 33, 63, 64, 65])
@pytest.mark.parametrize("N", [1, 3, 4, 16, 17, 63, 64, 65, 130])
def test_tiles_that_are_not_full(M, N, kernels, rng):
    for reduction, formula in (SUM, SHIFTED_EXP, EXTREMUM):
        kernel = kernels[reduction, formula, "float64"]
        arrays = arrays_of(kernel.program, rng, M, N)
        agree(kernel.program, kernel.run(arrays, M, N), interpret(kernel.program, arrays, M, N))


@pytest.mark.parametrize(("M", "N"), [(5, 0), (0, 5), (0, 0)])
def test_what_is_empty_gets_the_value_of_an_empty_reduction(M, N, kernels, rng):
    for kernel in kernels.values():
        arrays = arrays_of(kernel.program, rng, M, N)
        expected = interpret(kernel.program, arrays, M, 0)
        for result, right in zip(kernel.run(arrays, M, N), expected, strict=True):
            np.testing.assert_array_equal(result, right.astype(result.dtype))


@pytest.mark.parametrize("splits", [1, 2])
def test_batches_broadcast(splits, kernels, rng):
    for what in (SUM, ("over rows", 1), EXTREMUM):
        kernel = kernels[*what, "float64"]
        M, N = 70, 130
        extents = [(2, 3), (1, 3), (2, 1), (1, 1), (2, 3)]
        arrays = [
            array
            for slot, batch in enumerate(extents)
            for array in arrays_of(kernel.program, rng, M, N, batch)[slot : slot + 1]
        ]
        results = kernel.run(arrays, M, N, splits=splits)
        for index in np.ndindex(2, 3):
            one = [
                array[tuple(min(k, extent - 1) for k, extent in zip(index, batch, strict=True))]
                for array, batch in zip(arrays, extents, strict=True)
            ]
            agree(kernel.program, [r[index] for r in results], interpret(kernel.program, one, M, N))


def test_any_cut_gives_the_same(tmp_path, rng):
    cuts = [
        SMALL,
        cuda.Cut(rows=1, threads=64, tile=64, chunk=32, group=1),
        cuda.Cut(rows=3, threads=32, tile=64, chunk=4),
        cuda.Cut(rows=8, threads=128, tile=64, chunk=64),
    ]
    programs = [program_of(*case, "float32") for case in (SUM, SHIFTED_EXP, EXTREMUM)]
    built = build(tmp_path, [(p, cuda.emit(p, cut)) for p in programs for cut in cuts])
    for program in programs:
        arrays = arrays_of(program, rng, 150, 200)
        kernels = [kernel for kernel in built if kernel.program is program]
        results = [kernel.run(arrays, 150, 200) for kernel in kernels]
        for cut, kernel, result in zip(cuts, kernels, results, strict=True):
            if isinstance(program.accumulator, ir.ShiftedExp) and cut.group == 1:
                # Columns that come one by one have their exponents rounded once more.
                agree(kernel.program, result, results[0])
                continue
            for got, right in zip(result, results[0], strict=True):
                np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("dtype", FLOATS)
def test_every_op_agrees_with_the_interpreter(dtype, tmp_path, rng):
    programs, arrays = [], []
    for _, node, inputs, (low, high) in registry():
        made = make_formula("Sum", node, inputs)
        programs.append(lower(made, dtype, "int64", llvm.host(), loops=False))
        shapes = [(9 if given.axis == "i" else 6, given.dim) for given in inputs]
        arrays.append([rng.uniform(low / 2, high / 2, shape).astype(dtype) for shape in shapes])
    built = build(tmp_path, [(p, cuda.emit(p, SMALL)) for p in programs], flags=["-O0"])
    for kernel, given in zip(built, arrays, strict=True):
        right = interpret(kernel.program, given, 9, 6)[0]
        (result,) = kernel.run(given, 9, 6)
        # The least of condition numbers: values of some ops are the difference of larger ones.
        scale = np.maximum(np.abs(right), 1.0)
        np.testing.assert_array_less(np.abs(result - right) / scale, 256 * eps_of(kernel.program))
