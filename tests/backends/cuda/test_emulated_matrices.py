"""Sums over components by matrix units: as accurate as those of float32, whatever the data are."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from emulation import Emulated, build
from samples import LOOPS, MATRICES, arrays_of, program_with_loops

from jaxkeops.backends import cuda

pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
UNIT = 2.0**-24  # the error of one rounding of float32
M = N = 24
FORMULAS = {
    "distances": ("SqDist(x, y) * b", 40, []),
    "products": ("(x | y) * b", 40, []),
    "weighted": ("WeightedSqDist(w, x, y) * b", 40, ["w = Pm(40)"]),
    "few": ("(x | y) * b", 9, []),
    "chunks": ("SqDist(x, y) * b", 100, []),
    "products in chunks": ("(x | y) * b", 100, []),
}


def program(name: str):
    formula, D, more = FORMULAS[name]
    aliases = [*more, f"x = Vi({D})", f"y = Vj({D})", "b = Vj(1)"]
    return program_with_loops("Sum", formula, "float32", aliases)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[str, tuple[Emulated, Emulated]]:
    """With sums of products by float32, and by matrix units."""
    programs = {name: program(name) for name in FORMULAS}
    texts = [
        (each, cuda.emit(each, cut)) for each in programs.values() for cut in (LOOPS, MATRICES)
    ]
    built = build(tmp_path_factory.mktemp("matrices"), texts)
    return dict(zip(programs, zip(built[::2], built[1::2], strict=True), strict=True))


def wild(rng, shape):
    return 10.0 ** rng.uniform(-9, 9, shape)


def _inverse(rng, x, y):
    scale = wild(rng, x.shape[1:])
    return x * scale, y / scale


def _with_zeros(rng, x, y):
    x, y = (a * (rng.random(a.shape) < 0.2) for a in (x, y))
    x[0] = y[1] = 0
    return x, y


def _with_outliers(rng, x, y):
    x[3] *= 1e8
    y[5] *= 1e9
    return x, y


def _clustered(rng, x, y):
    x = x[0] + x / 100
    y = x + rng.standard_normal(y.shape) / 1000
    y[5] *= 1e4
    return x, y


DATA = {
    "normal": lambda rng, x, y: (x, y),
    "positive": lambda rng, x, y: (np.abs(x), np.abs(y)),
    "scales by component": lambda rng, x, y: np.array([x, y]) * wild(rng, x.shape[1:]),
    "scales that cancel": _inverse,
    "scales by number": lambda rng, x, y: (x * wild(rng, x.shape), y * wild(rng, y.shape)),
    "scales by row": lambda rng, x, y: np.array([x, y]) * wild(rng, (2, len(x), 1)),
    "off centre": lambda rng, x, y: (x + 1e4, y + 1e4),
    "zeros": _with_zeros,
    "duplicates": lambda rng, x, y: (x, x[::-1]),
    "clusters": _clustered,
    "outliers": _with_outliers,
    "tiny": lambda rng, x, y: (x * 1e-30, y * 1e-30),
    "small": lambda rng, x, y: (x * 1e-17, y * 1e-17),
    "tiny and huge": lambda rng, x, y: (x * 1e30, y * 1e-30),
    "huge": lambda rng, x, y: (x * 1e30, y * 1e30),
}


def pairs(kernel: Emulated, arrays: list[np.ndarray]) -> np.ndarray:
    """The value of each pair (M, N): of an element of the batch, one column weighs 1."""
    selected = np.eye(N, dtype="float32")[:, :, None]
    (result,) = kernel.run([*(array[None] for array in arrays), selected], M, N)
    return result[..., 0].T.astype(float)


def sample(name: str, data: str, rng) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Inputs, the right values of pairs, and the sums of the sizes of their terms, (M, N)."""
    formula, D, more = FORMULAS[name]
    x, y = rng.standard_normal((2, M, D))
    with np.errstate(over="ignore", under="ignore"):
        x, y = (np.asarray(a).astype("float32") for a in DATA[data](rng, x, y))
        w = wild(rng, D).astype("float32") if more else np.ones(D, "float32")
    X, Y = x.astype(float)[:, None], y.astype(float)
    terms = X * Y if "|" in formula else w * (X - Y) ** 2
    return [*([w] if more else []), x, y], terms.sum(-1), np.abs(terms).sum(-1)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", FORMULAS)
def test_errors_are_of_the_size_of_those_of_float32(name, data, kernels, rng):
    arrays, right, size = sample(name, data, rng)
    with np.errstate(over="ignore", under="ignore"):
        rounded = right.astype("float32")
    errors = []
    for kernel in kernels[name]:
        result = pairs(kernel, arrays)
        if not np.isfinite(rounded).all():  # 0 times infinity: no value is left
            assert (np.isfinite(result) == np.isfinite(rounded).all(1)[:, None]).all()
            continue
        errors.append(np.abs(result - right) / np.maximum(size, 1e-37))
    if not errors:
        return
    by_float32, by_units = errors
    assert np.sqrt((by_units**2).mean()) <= 3 * np.sqrt((by_float32**2).mean()) + UNIT
    # Two pieces hold a number to 4 roundings, and what low times low gives is 4 more; a distance
    # may be a quarter of the squares, and takes twice the sum.
    assert by_units.max() <= 3 * by_float32.max() + 16 * UNIT


@pytest.mark.parametrize("name", FORMULAS)
def test_rows_that_are_equal_have_distance_0(name, kernels, rng):
    if "SqDist" not in FORMULAS[name][0]:
        return
    arrays, _, _ = sample(name, "off centre", rng)
    arrays[-1] = arrays[-2]
    assert (np.diag(pairs(kernels[name][1], arrays)) == 0).all()


@pytest.mark.parametrize("name", FORMULAS)
def test_infinities_and_nan_stay_with_their_row(name, kernels, rng):
    for value in (np.inf, -np.inf, np.nan):
        arrays, _, _ = sample(name, "normal", rng)
        arrays[-2][5, 3] = value
        by_float32, by_units = (pairs(kernel, arrays) for kernel in kernels[name])
        bad = np.arange(M) == 5
        assert np.isnan(by_units[bad]).all()
        np.testing.assert_allclose(by_units[~bad], by_float32[~bad], rtol=1e-4, atol=1e-4)


def test_an_infinite_product_is_infinite(kernels, rng):
    """Of one column, no other takes part."""
    arrays, _, _ = sample("products", "positive", rng)
    arrays[-2][4, 2] = np.inf
    one = [*(array[:1] if k else array for k, array in enumerate(arrays)), np.ones((1, 1), "f4")]
    (result,) = kernels["products"][1].run(one, M, 1)
    assert result[4] == np.inf
    assert np.isfinite(np.delete(result, 4)).all()


E = 27
WIDE = ["x = Vi(3)", "y = Vj(3)", f"b = Vj({E})"]
SUMS = {
    "weights": "Exp(-SqDist(x, y)) * b",
    "infinite weights": "Rsqrt(SqDist(x, y)) * b",
}


@pytest.fixture(scope="module")
def sums(tmp_path_factory) -> dict[str, tuple[Emulated, Emulated]]:
    """Many sums of the same weights: by float32, and by matrix units."""
    programs = {
        name: program_with_loops("Sum", formula, "float32", WIDE) for name, formula in SUMS.items()
    }
    programs["softmax"] = program_with_loops(
        "SumSoftMaxWeight", "-SqDist(x, y)", "float32", WIDE, weight="b"
    )
    texts = [
        (each, cuda.emit(each, cut)) for each in programs.values() for cut in (LOOPS, MATRICES)
    ]
    built = build(tmp_path_factory.mktemp("sums"), texts)
    return dict(zip(programs, zip(built[::2], built[1::2], strict=True), strict=True))


@pytest.mark.parametrize("name", ["weights", "softmax"])
def test_weights_of_all_sizes_keep_their_digits(name, sums, rng):
    """A sum may be of the least weights alone: those of the columns of one class, far away."""
    x, y = 4 * rng.standard_normal((2, 40, 3)).astype("float32")
    b = np.eye(E, dtype="float32")[rng.integers(0, E, 40)] * rng.uniform(0.5, 2, (40, 1))
    b = b.astype("float32")
    X, Y = x.astype(float)[:, None], y.astype(float)
    weights = np.exp(-((X - Y) ** 2).sum(-1))
    if name == "softmax":
        weights /= weights.sum(1, keepdims=True)
    right = weights @ b.astype(float)
    seen = right > 1e-30
    errors = [
        (np.abs(kernel.run([x, y, b], 40, 40)[0] - right)[seen] / right[seen])
        for kernel in sums[name]
    ]
    assert errors[1].max() <= errors[0].max() + 16 * UNIT


@pytest.mark.parametrize("name", ["weights", "softmax", "infinite weights"])
def test_sums_are_not_finite_where_those_of_float32_are_not(name, sums, rng):
    x, y = rng.standard_normal((2, 40, 3)).astype("float32")
    b = rng.uniform(0.5, 2, (40, E)).astype("float32")
    b[7, 3], b[20, 5], b[31, 6], b[31, 7] = np.inf, np.nan, -np.inf, 3.4028235e38
    x[4] = y[11]
    x[8, 1] = np.nan
    found = [kernel.run([x, y, b], 40, 40)[0] for kernel in sums[name]]
    np.testing.assert_array_equal(np.isnan(found[1]), np.isnan(found[0]))
    np.testing.assert_allclose(found[1], found[0], rtol=32 * UNIT)


def test_without_matrix_units_float32_takes_the_sums(tmp_path, kernels, rng):
    names = ["distances", "products in chunks"]
    texts = [(program(name), cuda.emit(program(name), MATRICES)) for name in names]
    built = build(tmp_path, texts, flags=("-O1", "-DNO_MATRIX_UNITS"))
    for name, kernel in zip(names, built, strict=True):
        arrays = arrays_of(kernel.program, rng, 40, 50)
        for result, right in zip(
            kernel.run(arrays, 40, 50), kernels[name][0].run(arrays, 40, 50), strict=True
        ):
            np.testing.assert_array_equal(result, right)
