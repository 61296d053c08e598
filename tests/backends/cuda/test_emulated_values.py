"""Values that sums, references and comparisons must survive: infinities, NaN, ties, many terms."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from emulation import Emulated, build
from samples import SMALL, program_of

from jaxkeops import ir
from jaxkeops.backends import cuda
from jaxkeops.ir.interpret import interpret

pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
INF = np.inf
ALIASES = ["x = Vi(1)", "y = Vj(1)", "w = Vj(1)"]
WANTED = {
    "Sum": ("Sum", "x * y", {}),
    "LogSumExp": ("LogSumExp", "x * y", {}),
    "Max_SumShiftExp": ("Max_SumShiftExp", "x * y", {}),
    "Softmax": ("SumSoftMaxWeight", "x * y", {"weight": "w"}),
    "Min_ArgMin": ("Min_ArgMin", "x * y", {}),
    "Max_ArgMax": ("Max_ArgMax", "x * y", {}),
    "KMin_ArgKMin": ("KMin_ArgKMin", "x * y", {"count": 4}),
    "long KMin_ArgKMin": ("KMin_ArgKMin", "x * y", {"count": 40}),
}
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_split = pytest.mark.parametrize("splits", [1, 3])


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[object, Emulated]:
    wanted = {
        (name, dtype): program_of(reduction, formula, dtype, ALIASES, **options)
        for name, (reduction, formula, options) in WANTED.items()
        for dtype in ("float32", "float64")
    }
    texts = []
    for (name, _), program in wanted.items():
        cut = cuda.Cut(**{**vars(SMALL), "register_lists": "long" not in name})
        texts.append((program, cuda.emit(program, cut)))
    return dict(zip(wanted, build(tmp_path_factory.mktemp("values"), texts), strict=True))


def run(kernel: Emulated, x, y, w=None, splits: int = 1) -> list[np.ndarray]:
    dtype = kernel.program.stored
    w = np.ones_like(y, dtype) if w is None else w
    arrays = [np.asarray(a, dtype).reshape(-1, 1) for a in (x, y, w)]
    return kernel.run(arrays[: len(kernel.program.inputs)], len(x), len(y), splits=splits)


def right(kernel: Emulated, x, y, w=None) -> list[np.ndarray]:
    w = np.ones_like(y) if w is None else w
    arrays = [np.asarray(a, kernel.program.stored).reshape(-1, 1) for a in (x, y, w)]
    return interpret(kernel.program, arrays, len(x), len(y))


@every_dtype
@every_split
@pytest.mark.parametrize("name", ["Min_ArgMin", "Max_ArgMax", "KMin_ArgKMin", "long KMin_ArgKMin"])
def test_ties_go_to_the_first_and_nan_never_wins(name, splits, dtype, kernels, rng):
    y = rng.integers(-3, 4, 300).astype(float)
    y[rng.integers(0, 300, 60)] = np.nan
    kernel = kernels[name, dtype]
    for result, expected in zip(
        run(kernel, [1, -1, 2], y, splits=splits), right(kernel, [1, -1, 2], y), strict=True
    ):
        np.testing.assert_array_equal(result, expected)


@every_dtype
@every_split
@pytest.mark.parametrize("name", ["Min_ArgMin", "Max_ArgMax", "KMin_ArgKMin", "long KMin_ArgKMin"])
def test_where_nothing_beats_the_start_the_column_is_0(name, splits, dtype, kernels):
    for value in (np.nan, INF, -INF):
        kernel = kernels[name, dtype]
        results = run(kernel, [1, -1], np.full(300, value), splits=splits)
        for result, expected in zip(
            results, right(kernel, [1, -1], np.full(300, value)), strict=True
        ):
            np.testing.assert_array_equal(result, expected)


@every_dtype
@every_split
def test_no_size_of_the_exponents_overflows(splits, dtype, kernels, rng):
    kernel = kernels["LogSumExp", dtype]
    eps = np.finfo(dtype).eps
    ordered = np.linspace(-1, 1, 300)
    for scale in (1e-3, 1.0, 1e3, 1e6, 1e9, 1e20, 1e30):
        for y in (ordered, -ordered, rng.permutation(ordered), 0 * ordered + 1):
            x = np.array([scale, -scale])
            (result,) = run(kernel, x, y, splits=splits)
            (expected,) = right(kernel, x, y)
            error = np.abs(result - expected) / np.maximum(np.abs(expected), 1)
            assert error.max() < 8 * eps, (scale, result, expected)


@every_dtype
@every_split
def test_masked_columns_weigh_nothing(splits, dtype, kernels, rng):
    y = rng.uniform(-1, 1, 300)
    hidden = np.arange(300) % 7 != 3
    hidden[:100] = True  # the first reference is made of nothing but these
    y[hidden] = -INF
    for name in ("LogSumExp", "Max_SumShiftExp", "Softmax"):
        kernel = kernels[name, dtype]
        w = rng.uniform(0.5, 2, 300)
        for result, expected in zip(
            run(kernel, [3.0], y, w, splits), right(kernel, [3.0], y, w), strict=True
        ):
            np.testing.assert_allclose(result, expected, rtol=32 * np.finfo(dtype).eps)


@every_dtype
@every_split
def test_infinities_stay_what_they_are(splits, dtype, kernels):
    y = np.zeros(300)
    y[200] = INF
    assert run(kernels["Sum", dtype], [1.0], y, splits=splits)[0] == INF
    assert run(kernels["LogSumExp", dtype], [1.0], y, splits=splits)[0] == INF
    y[200] = -INF
    assert run(kernels["Sum", dtype], [1.0], y, splits=splits)[0] == -INF
    assert run(kernels["LogSumExp", dtype], [1.0], np.full(300, -INF), splits=splits)[0] == -INF
    top, total = run(kernels["Max_SumShiftExp", dtype], [1.0], np.full(300, -INF), splits=splits)[
        0
    ][0]
    assert top == -INF
    assert total == 0
    y[200] = np.nan
    assert np.isnan(run(kernels["Sum", dtype], [1.0], y, splits=splits)[0])
    assert np.isnan(run(kernels["LogSumExp", dtype], [1.0], y, splits=splits)[0])


@every_split
def test_many_terms_keep_their_digits(splits, kernels, rng):
    y = rng.uniform(0.5, 1.5, 200_000).astype("float32")
    (result,) = run(kernels["Sum", "float32"], [1.0], y, splits=splits)
    assert abs(result / y.astype(float).sum() - 1) < 4 * np.finfo("float32").eps
    (result,) = run(kernels["LogSumExp", "float32"], [1.0], y, splits=splits)
    assert abs(result - np.log(np.exp(y.astype(float)).sum())) < 16 * np.finfo("float32").eps


def test_powers_of_two_in_float64_reach_the_ends_of_the_range(tmp_path, rng):
    power = ir.exp2(ir.add(ir.load(0, 0, "i"), ir.load(1, 0, "j")))
    program = ir.Program(
        dtype="float64",
        stored="float64",
        inputs=(ir.Input("i", 1), ir.Input("j", 1)),
        columns=(),
        accumulator=ir.Total((power,)),
        outputs=(ir.Output((ir.State(ir.ROW, 0),), "float64", 0.0),),
        schedule=ir.Schedule(row_vectors=1, tile=64),
    )
    (kernel,) = build(tmp_path, [(program, cuda.emit(program, SMALL))])
    special = [
        INF,
        -INF,
        np.nan,
        0,
        1024,
        1024 - 2**-43,
        -1022,
        -1022.5,
        -1074,
        -1075,
        1e300,
        -1e300,
    ]
    x = np.concatenate([special, rng.uniform(-1080, 1030, 2000), rng.uniform(-2, 2, 2000)])
    (result,) = kernel.run([x[:, None], np.zeros((1, 1))], len(x), 1)
    with np.errstate(all="ignore"):
        right = np.exp2(x.astype(np.longdouble))
        step = np.spacing(np.abs(right.astype(float)))
        finite = np.isfinite(step)
        np.testing.assert_array_equal(result[~finite, 0], right[~finite].astype(float))
        assert (np.abs(result[:, 0] - right)[finite] <= step[finite]).all()
