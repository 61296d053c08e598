"""The NumPy door on float16 and bfloat16: formulas, layouts, ranges, special values, refusals."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from oracle import evaluate

from jaxkeops.errors import ArgumentError
from jaxkeops.formula import read_formulas
from jaxkeops.numpy import Genred

ALIASES = ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(2)"]
GAUSSIAN = "Exp(-g * SqDist(x, y)) * b"
FORMULAS = [
    GAUSSIAN,
    "Grad(Exp(-g * SqDist(x, y)), x, g)",
    "Sin(x) * Elem(b, 1) + Norm2(x - y)",
    "Sqrt(Square(x | y) + 1) / (1 + g)",
    "IntCst(3)",
    "b",
]
EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
every_dtype = pytest.mark.parametrize("dtype", HALVES)


def sample(rng, M, N, dtype, batch=()):
    gamma = np.array([0.7], HALVES[dtype])
    sizes = ((M, 3), (N, 3), (N, 2))
    return [gamma, *(rng.normal(size=(*batch, *size)).astype(HALVES[dtype]) for size in sizes)]


def singles(arrays):
    return [array.astype(np.float32) for array in arrays]


def same_bits(result, expected):
    """`expected`, in float32, rounded once."""
    np.testing.assert_array_equal(
        result.view(np.uint16), expected.astype(result.dtype).view(np.uint16)
    )


@every_dtype
@pytest.mark.parametrize("formula", FORMULAS)
def test_a_sum_is_within_one_rounding_of_float64(formula, dtype, rng):
    arrays = sample(rng, 70, 300, dtype)
    (node,), variables = read_formulas([formula], ALIASES)
    declared = [var for var in variables if var.slot < 4]
    used = [arrays[var.slot] for var in declared]
    terms = evaluate(node, dict(enumerate(arrays)), declared)
    result = Genred(formula, ALIASES, axis=1)(*used)
    assert result.dtype == dtype
    expected = np.broadcast_to(terms.sum(-2), result.shape)
    # The rounding of the result, and the error of the float32 that is rounded.
    bound = EPS[dtype] / 2 * np.abs(expected) + 2e-6 * np.abs(terms).sum(-2)
    assert (np.abs(result.astype(float) - expected) <= bound).all()


@every_dtype
def test_the_later_call_gives_the_bits_of_the_first(dtype, rng):
    arrays = sample(rng, 40, 50, dtype)
    reduce = Genred(GAUSSIAN, ALIASES, "Max_ArgMax", axis=1)
    first, later = reduce(*arrays), reduce(*arrays)
    assert [array.dtype.name for array in later] == [dtype, "int64"]
    for one, other in zip(first, later, strict=True):
        np.testing.assert_array_equal(one, other)


@every_dtype
@pytest.mark.parametrize("axis", [0, 1])
def test_batches_give_what_float32_gives(axis, dtype, rng):
    arrays = sample(rng, 9, 40, dtype, batch=(3, 2))
    arrays[1] = arrays[1][:1]
    arrays[2] = arrays[2][:, :1]
    for name in ("Sum", "LogSumExp"):
        reduce = Genred(GAUSSIAN, ALIASES, name, axis=axis)
        same_bits(reduce(*arrays), reduce(*singles(arrays)))


@every_dtype
@pytest.mark.parametrize("name", ["Sum", "Min"])
def test_ranges_give_what_float32_gives(name, dtype, rng):
    arrays = sample(rng, 9, 12, dtype)
    ranges = (
        *map(np.array, ([[0, 4], [5, 9]], [1, 3], [[2, 7], [0, 3], [8, 12]])),
        *map(np.array, ([[0, 2], [2, 3], [3, 7], [8, 12]], [1, 3, 4, 5])),
        np.array([[5, 9], [0, 4], [5, 9], [0, 4], [5, 9]]),
    )
    reduce = Genred(GAUSSIAN, ALIASES, name, axis=1)
    result = reduce(*arrays, ranges=ranges)
    same_bits(result, reduce(*singles(arrays), ranges=ranges))
    assert (result[4] == (0 if name == "Sum" else np.inf)).all()  # in no range


@every_dtype
def test_any_layout_is_taken(dtype, rng):
    gamma, x, y, b = sample(rng, 40, 50, dtype)
    reduce = Genred(GAUSSIAN, ALIASES, axis=1)
    expected = reduce(gamma, x, y, b)
    for turned in (np.asfortranarray(x), np.repeat(x, 2, 0)[::2], x[::-1][::-1]):
        np.testing.assert_array_equal(reduce(gamma, turned, y, b), expected)


def test_the_other_byte_order_is_taken(rng):
    arrays = sample(rng, 40, 50, "float16")
    reduce = Genred(GAUSSIAN, ALIASES, axis=1)
    result = reduce(*(array.astype(">f2") for array in arrays))
    np.testing.assert_array_equal(result, reduce(*arrays))
    assert result.dtype.isnative


@every_dtype
def test_out_takes_the_result(dtype, rng):
    arrays = sample(rng, 40, 50, dtype)
    reduce = Genred(GAUSSIAN, ALIASES, axis=1)
    out = np.empty((40, 2), HALVES[dtype])
    assert reduce(*arrays, out=out) is out
    np.testing.assert_array_equal(out, reduce(*arrays))
    with pytest.raises(ArgumentError, match=f"dtype {dtype}, got shape .* dtype float32"):
        reduce(*arrays, out=np.empty((40, 2), np.float32))


@every_dtype
def test_totals_keep_what_the_dtype_could_not(dtype):
    """A running total of 16 bits would stop at 2048 ones, or 256."""
    ones = np.ones((40_000, 1), HALVES[dtype])
    result = Genred("y", ["y = Vj(1)"], axis=1)(ones)
    assert result.item() == HALVES[dtype].type(40_000)


@every_dtype
def test_logsumexp_does_not_overflow_where_exp_would(dtype):
    y = np.array([[60_000.0], [60_000.0], [-60_000.0]], HALVES[dtype])
    reduce = Genred("y", ["y = Vj(1)"], "LogSumExp", axis=1)
    same_bits(reduce(y), reduce(y.astype(np.float32)))
    assert np.isfinite(reduce(y).astype(float)).all()
    y[0] = np.inf
    assert reduce(y).item() == np.inf


def test_what_float16_cannot_hold_is_infinite():
    y = np.full((3, 1), 30_000, np.float16)
    total = Genred("y", ["y = Vj(1)"], axis=1)
    assert total(y).item() == np.inf
    assert total(-y).item() == -np.inf
    assert total(y[:2]).item() == 60_000


@every_dtype
@pytest.mark.parametrize("name", ["Min", "Max"])
@pytest.mark.filterwarnings("ignore:invalid value")  # of ml_dtypes, on NaN
def test_every_number_survives_unchanged(name, dtype):
    """Subnormal, infinite and zero of either sign; NaN is passed over, as in any dtype."""
    x = np.arange(2**16, dtype=np.uint16).view(HALVES[dtype])[:, None]
    result = Genred("x + 0 * y", ["x = Vi(1)", "y = Vj(1)"], name, axis=1)(x, np.ones_like(x[:1]))
    start = {"Min": np.inf, "Max": -np.inf}[name]
    expected = np.where(np.isnan(x), start, x.astype(float)).astype(HALVES[dtype])
    np.testing.assert_array_equal(result, expected)


@every_dtype
@pytest.mark.parametrize(("name", "empty"), [("Sum", 0), ("Min", np.inf), ("LogSumExp", -np.inf)])
def test_a_reduction_of_nothing(name, empty, dtype):
    arrays = sample(np.random.default_rng(0), 5, 0, dtype)
    result = Genred("-g * SqDist(x, y)", ALIASES[:3], name, axis=1)(*arrays[:3])
    assert result.dtype == dtype
    assert (result == empty).all()


@every_dtype
@pytest.mark.parametrize("warm", [False, True])
def test_arrays_of_two_dtypes_are_refused(warm, dtype, rng):
    gamma, x, y, b = sample(rng, 5, 6, dtype)
    reduce = Genred(GAUSSIAN, ALIASES, axis=1)
    if warm:
        reduce(gamma, x, y, b)
    other = next(name for name in HALVES if name != dtype)
    for wrong in ("float32", other):
        with pytest.raises(ArgumentError, match=f"g has {dtype}, y has {wrong}"):
            reduce(gamma, x, y.astype(wrong), b)
    with pytest.raises(ArgumentError, match="y has dtype uint16; expected float16, bfloat16, fl"):
        reduce(gamma, x, y.view(np.uint16), b)


@every_dtype
def test_stages_name_the_dtype_of_the_data(dtype):
    program = Genred(GAUSSIAN, ALIASES, axis=1).stages(dtype).program
    assert program.startswith(f"program float32 on {dtype}\n")
    assert f"output 0 {dtype} = " in program
