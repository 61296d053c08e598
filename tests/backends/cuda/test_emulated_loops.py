"""Programs with loops over components against the interpreter, on the emulated machine."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial

import ml_dtypes  # noqa: F401  NumPy then knows the name of bfloat16
import numpy as np
import pytest
from agreement import agree
from cases import GAUSSIAN
from emulation import Emulated, build
from samples import LOOPS, MATRICES, arrays_of, program_with_loops

from jaxkeops.backends import cuda
from jaxkeops.ir.interpret import interpret

pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
# Components are summed in another order than the interpreter's.
near = partial(agree, units=64, ties=0.02)


def aliases(D: int, E: int = 1) -> list[str]:
    return ["g = Pm(1)", f"x = Vi({D})", f"y = Vj({D})", f"b = Vj({E})", f"e = Vi({E})"]


GRADIENT = f"Grad({GAUSSIAN}, x, e)"
CASES = {
    "distances": ("Sum", GAUSSIAN, aliases(40)),
    "few": ("Sum", "Exp(x | y) * b", aliases(9)),
    "not fours": ("Sum", GAUSSIAN, aliases(27)),
    "products": ("LogSumExp", "(x | y) / 8", aliases(37)),
    "nearest": ("Min_ArgMin", "SqDist(x, y)", aliases(30)),
    "lists": ("KMin_ArgKMin", "SqDist(x, y)", aliases(30)),
    "weighted": ("Sum", "Exp(-WeightedSqDist(w, x, y)) * b", ["w = Pm(25)", *aliases(25)[1:]]),
    "normalized": ("Sum", "Exp(SqDist(Normalize(x), Normalize(y)))", aliases(26)),
    "two lengths": (
        "Sum",
        "(x | y) * Exp(-SqDist(u, v))",
        [*aliases(40)[1:3], "u = Vi(12)", "v = Vj(12)"],
    ),
    "two distances": (
        "Sum",
        "Exp(-SqDist(x, y)) + Exp(-SqDist(u, v) / 9)",
        [*aliases(30)[1:3], "u = Vi(30)", "v = Vj(30)"],
    ),
    "over rows": ("Sum", GAUSSIAN, aliases(31)),
    "absolute": ("Sum", "Exp(-Sum(Abs(x - y)) / 20)", aliases(21)),
    "wide": ("Sum", GAUSSIAN, aliases(3, 30)),
    "wider": ("Sum", GAUSSIAN, aliases(3, 13 * 3)),
    "both": ("Sum", GAUSSIAN, aliases(26, 50)),
    "gradient": ("Sum", GRADIENT, aliases(28)),
    "value and gradient": ("Sum", f"Concat({GAUSSIAN}, {GRADIENT})", aliases(33)),
    "gradient of columns": ("Sum", f"Grad({GAUSSIAN}, b, e)", aliases(3, 32)),
    "products of components": ("Sum", "x * y * Exp(-SqDist(x, y) / 30)", aliases(26)),
    "softmax": ("SumSoftMaxWeight", "(x | y) / 4", aliases(32, 33)),
    "small softmax": ("SumSoftMaxWeight", "(x | y)", aliases(3, 29)),
}
WEIGHTS = {"softmax": "b", "small softmax": "b"}
OPTIONS = {"lists": {"count": 3}, "over rows": {"over_rows": 1}}


FLOATS = ["float32", "float64"]
HALVES = ["float16", "bfloat16"]
STORED = ["both", "softmax"]


def program(name: str, dtype: str):
    reduction, formula, given = CASES[name]
    return program_with_loops(
        reduction, formula, dtype, given, weight=WEIGHTS.get(name), **OPTIONS.get(name, {})
    )


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[tuple[str, str], Emulated]:
    wanted = {(name, dtype): program(name, dtype) for name in CASES for dtype in FLOATS}
    wanted |= {(name, dtype): program(name, dtype) for name in STORED for dtype in HALVES}
    folder = tmp_path_factory.mktemp("loops")
    cuts = {dtype: LOOPS if dtype == "float64" else MATRICES for dtype in (*FLOATS, *HALVES)}
    texts = [(each, cuda.emit(each, cuts[dtype])) for (_, dtype), each in wanted.items()]
    built = build(folder, texts)
    return dict(zip(wanted, built, strict=True))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("splits", [1, 3])
def test_loops_agree_with_the_interpreter(name, splits, dtype, kernels, rng):
    kernel = kernels[name, dtype]
    M, N = 70, 107
    arrays = arrays_of(kernel.program, rng, M, N)
    expected = interpret(kernel.program, arrays, M, N)
    for order in (0, 1, 2):
        near(kernel.program, kernel.run(arrays, M, N, splits=splits, order=order), expected)


@pytest.mark.parametrize("M", [1, 31, 33])
@pytest.mark.parametrize("N", [1, 3, 15, 16, 17, 34])
def test_tiles_that_are_not_full(M, N, kernels, rng):
    for name in ("not fours", "softmax", "value and gradient"):
        kernel = kernels[name, "float64"]
        arrays = arrays_of(kernel.program, rng, M, N)
        near(kernel.program, kernel.run(arrays, M, N), interpret(kernel.program, arrays, M, N))


def test_the_splits_of_few_rows_are_merged_by_several_threads(kernels, rng):
    for name in ("distances", "softmax", "lists", "wide"):
        kernel = kernels[name, "float32"]
        M, N = 3, 16 * 17
        arrays = arrays_of(kernel.program, rng, M, N)
        expected = interpret(kernel.program, arrays, M, N)
        for order in (0, 1, 2):
            near(kernel.program, kernel.run(arrays, M, N, splits=17, order=order), expected)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", STORED)
def test_data_of_16_bits_give_the_results_of_float32_rounded_once(name, dtype, kernels, rng):
    kernel, single = kernels[name, dtype], kernels[name, "float32"]
    arrays = arrays_of(kernel.program, rng, 37, 50)
    results = kernel.run(arrays, 37, 50)
    expected = single.run([array.astype("float32") for array in arrays], 37, 50)
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, right.astype(result.dtype))


@pytest.mark.parametrize("splits", [1, 2])
@pytest.mark.parametrize("name", ["distances", "softmax", "value and gradient"])
def test_batches_have_columns_of_their_own(name, splits, kernels, rng):
    kernel = kernels[name, "float64"]
    M, N = 40, 50
    arrays = arrays_of(kernel.program, rng, M, N, (2, 3))
    arrays[1] = arrays[1][:1]
    results = kernel.run(arrays, M, N, splits=splits)
    for index in np.ndindex(2, 3):
        one = [array[0 if len(array) == 1 else index[0], index[1]] for array in arrays]
        near(kernel.program, [r[index] for r in results], interpret(kernel.program, one, M, N))


@pytest.mark.parametrize("dtype", FLOATS)
def test_close_rows_are_compared_exactly(dtype, kernels, rng):
    """Far from the origin, and with distance 0 on the diagonal."""
    for name in ("distances", "nearest", "lists", "gradient"):
        kernel = kernels[name, dtype]
        M = N = 60
        arrays = arrays_of(kernel.program, rng, M, N)
        places = {given.axis: k for k, given in reversed(list(enumerate(kernel.program.inputs)))}
        x, y = arrays[places["i"]], arrays[places["j"]]
        x[:] = 50 + rng.integers(-3, 3, x.shape) / 64
        y[:] = x
        y[::2] += 1.0 / 16
        near(kernel.program, kernel.run(arrays, M, N), interpret(kernel.program, arrays, M, N))


def test_exponents_that_rise_scale_what_was_summed(kernels, rng):
    for name in ("softmax", "small softmax", "products"):
        kernel = kernels[name, "float32"]
        M, N = 40, 300
        arrays = arrays_of(kernel.program, rng, M, N)
        columns = next(k for k, given in enumerate(kernel.program.inputs) if given.axis == "j")
        arrays[columns] *= np.linspace(0.1, 60, N, dtype="float32")[:, None]
        for splits in (1, 2):
            results = kernel.run(arrays, M, N, splits=splits)
            expected = interpret(kernel.program, arrays, M, N)
            tolerance = 2**-23 * 32 * 60  # of an exponent that large, in float32
            for result, right in zip(results, expected, strict=True):
                np.testing.assert_allclose(result, right, rtol=tolerance)


def test_any_cut_gives_the_same(tmp_path, rng):
    cuts = [
        replace(LOOPS, passes=False),
        replace(LOOPS, pair_rows=8, part_columns=8, components=16),
        cuda.Cut(rows=1, tile=64, part_columns=16, min_blocks=2),
    ]
    programs = [program(name, "float64") for name in ("wide", "both", "softmax", "gradient")]
    built = build(tmp_path, [(each, cuda.emit(each, cut)) for each in programs for cut in cuts])
    for kernel in built:
        arrays = arrays_of(kernel.program, rng, 150, 300)
        expected = interpret(kernel.program, arrays, 150, 300)
        for splits in (1, 2):
            near(kernel.program, kernel.run(arrays, 150, 300, splits=splits), expected)
