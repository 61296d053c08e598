"""Every reduction against its value in float64: axes, widths, batches, K, special values."""

from __future__ import annotations

import ml_dtypes  # noqa: F401  NumPy then knows the name of bfloat16
import numpy as np
import pytest
from oracle import evaluate

from jaxkeops.formula import REDUCTIONS, read_formulas
from jaxkeops.formula.reduction import SPELLINGS
from jaxkeops.numpy import Genred

ALIASES = ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(2)"]
SCALAR, VECTOR, WEIGHT = "-g * SqDist(x, y)", "Sin(x - y) * g", "b * Elem(x, 0)"
POSITIVE = "b * b + 0.1"  # a logarithm of a sum that nearly vanishes has no digits
# Those of 16 bits are computed in float32, and rounded at the end.
TOLERANCE = {
    "float16": 3e-6 + 2.0**-11,
    "bfloat16": 3e-6 + 2.0**-8,
    "float32": 3e-6,
    "float64": 1e-13,
}


def cases():
    for name, reduction in REDUCTIONS.items():
        given = POSITIVE if name.startswith("LogSumExp") else WEIGHT
        weights = {"no": [None], "optional": [None, given], "required": [given]}
        for weight in weights[reduction.weights]:
            narrow = reduction.scalar or weight is not None
            for formula in [SCALAR] if narrow else [SCALAR, VECTOR]:
                for count in [1, 4, 400] if reduction.counted else [None]:
                    yield pytest.param(
                        name, formula, weight, count, id=f"{name}-{formula}-{weight}-{count}"
                    )


every_reduction = pytest.mark.parametrize(("name", "formula", "weight", "count"), list(cases()))
every_numbered_reduction = pytest.mark.parametrize(
    ("number", "name", "formula", "weight", "count"),
    [pytest.param(number, *case.values, id=case.id) for number, case in enumerate(cases())],
)


def sample(rng, M, N, dtype, batch=()):
    gamma = np.array([0.7], dtype)
    sizes = ((M, 3), (N, 3), (N, 2))
    return [gamma, *(rng.normal(size=(*batch, *size)).astype(dtype) for size in sizes)]


def expected_of(name, formula, weight, count, arrays, axis):
    """The results that users see, by the dense oracle."""
    texts = [formula, weight] if weight else [formula]
    nodes, variables = read_formulas(texts, ALIASES)
    terms = [evaluate(node, dict(enumerate(arrays)), variables) for node in nodes]
    if axis == 0:
        terms = [np.swapaxes(term, -3, -2) for term in terms]
    value = REDUCTIONS[name].value
    return value(terms[0], terms[1] if weight else None, count or 0)


def check(results, expected, dtype):
    results = results if isinstance(results, tuple) else (results,)
    assert len(results) == len(expected)
    for result, right in zip(results, expected, strict=True):
        assert result.shape == right.shape
        if right.dtype.kind == "i":
            assert result.dtype == np.int64
            assert result.size == 0 or (result == right).mean() > 0.995  # else rounded ties
        else:
            assert result.dtype == dtype
            result = result.astype(float)
            finite = np.isfinite(right)
            np.testing.assert_array_equal(np.isfinite(result), finite)
            np.testing.assert_array_equal(result[~finite], right[~finite])
            scale = np.abs(right[finite]).max(initial=1.0)
            np.testing.assert_allclose(
                result[finite], right[finite], rtol=0, atol=TOLERANCE[dtype] * scale
            )


@every_numbered_reduction
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_reduction_agrees_with_its_value(number, name, formula, weight, count, dtype, rng):
    """Each in each dtype, over i in two of them, and over j in the others."""
    arrays = sample(rng, 37, 290, dtype)
    axis = (number + list(TOLERANCE).index(dtype)) % 2
    reduce = Genred(formula, ALIASES, name, axis=axis, formula2=weight, opt_arg=count)
    with np.errstate(invalid="ignore"):
        check(reduce(*arrays), expected_of(name, formula, weight, count, arrays, axis), dtype)


@every_reduction
def test_a_reduction_in_batches_is_that_of_each_element(name, formula, weight, count, rng):
    arrays = sample(rng, 5, 40, "float64", batch=(3, 2))
    arrays[1] = arrays[1][:1]
    arrays[2] = arrays[2][:, :1]
    reduce = Genred(formula, ALIASES, name, axis=1, formula2=weight, opt_arg=count)
    with np.errstate(invalid="ignore"):
        check(reduce(*arrays), expected_of(name, formula, weight, count, arrays, 1), "float64")


@every_reduction
@pytest.mark.parametrize(("M", "N"), [(0, 5), (5, 0), (0, 0), (1, 1)])
def test_a_reduction_at_the_edges(name, formula, weight, count, M, N, rng):
    arrays = sample(rng, M, N, "float64")
    reduce = Genred(formula, ALIASES, name, axis=1, formula2=weight, opt_arg=count)
    results = reduce(*arrays)
    check(results, expected_of(name, formula, weight, count, arrays, 1), "float64")


@pytest.mark.parametrize("spelling", [s for s, name in SPELLINGS.items() if s != name])
def test_other_spellings_are_the_same_reduction(spelling, rng):
    arrays = sample(rng, 5, 6, "float64")
    rules = REDUCTIONS[SPELLINGS[spelling]]
    options = {
        "formula2": WEIGHT if rules.weights == "required" else None,
        "opt_arg": 2 if rules.counted else None,
    }
    results = [
        Genred(SCALAR, ALIASES, name, axis=1, **options)(*arrays) for name in (spelling, rules.name)
    ]
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("count", [1, 3, 10, 33])
def test_equal_values_are_found_in_their_order(count):
    x, y = np.zeros((20, 1)), np.repeat([1.0, 0.0, 0.0, np.nan, np.inf, 0.0], 5)[:, None]
    reduce = Genred("x + y", ["x = Vi(1)", "y = Vj(1)"], "KMin_ArgKMin", axis=1, opt_arg=count)
    values, rows = reduce(x, y)
    order = np.argsort(np.where(np.isnan(y[:, 0]), np.inf, y[:, 0]), kind="stable")
    finite = [k for k in order if np.isfinite(y[k, 0])][:count]
    assert rows[7, : len(finite)].tolist() == finite
    assert (values[7, len(finite) :] == np.inf).all()
    assert (rows[7, len(finite) :] == 0).all()


def test_the_reference_of_a_shifted_sum_is_the_greatest_value(rng):
    arrays = sample(rng, 30, 700, "float32")
    result = Genred(SCALAR, ALIASES, "Max_SumShiftExp", axis=1)(*arrays)
    exact = Genred(SCALAR, ALIASES, "Max", axis=1)(*arrays)
    np.testing.assert_allclose(result[:, :1], exact, rtol=2e-7)
    assert (result[:, 1] >= 1 - 1e-6).all()


def test_weights_may_be_negative(rng):
    arrays = sample(rng, 8, 50, "float64")
    result = Genred(SCALAR, ALIASES, "LogSumExp", axis=1, formula2="-b * b")(*arrays)
    assert np.isnan(result).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gamma", [s * 10.0**k / 3 for s in (1, -1) for k in range(-3, 33, 3)])
def test_exponents_of_any_size_neither_overflow_nor_vanish(gamma, dtype, rng):
    # Distances are whole, and no two of a row are equal: the greatest exponent stands alone.
    x, y = 0.25 + np.arange(40)[:, None], rng.permutation(700)[:, None]
    b = rng.normal(size=(700, 1))
    gamma = np.array([gamma])
    arrays = [array.astype(dtype) for array in (gamma, x, y, b)]
    aliases = ["g = Pm(1)", "x = Vi(1)", "y = Vj(1)", "b = Vj(1)"]
    exponents = arrays[0].astype(float) * (x - y.T) ** 2
    greatest = exponents.max(1, keepdims=True)
    powers = np.exp(exponents - greatest)
    result = Genred("g * SqDist(x, y)", aliases[:3], "LogSumExp", axis=1)(*arrays[:3])
    expected = greatest + np.log(powers.sum(1, keepdims=True))
    np.testing.assert_allclose(result, expected, rtol=TOLERANCE[dtype])
    result = Genred("g * SqDist(x, y)", aliases, "SoftMax", axis=1, formula2="b")(*arrays)
    expected = powers @ arrays[3] / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(result, expected, rtol=0, atol=10 * TOLERANCE[dtype])


def test_out_takes_lists_too(rng):
    arrays = sample(rng, 8, 50, "float64")
    reduce = Genred(VECTOR, ALIASES, "KMin_ArgKMin", axis=1, opt_arg=4)
    out = np.empty((8, 4, 3)), np.empty((8, 4, 3), np.int64)
    results = reduce(*arrays, out=out)
    assert results is out
    for array, right in zip(out, reduce(*arrays), strict=True):
        np.testing.assert_array_equal(array, right)
    softmax = Genred(SCALAR, ALIASES, "SoftMax", axis=1, formula2="b")
    out = np.empty((8, 2))
    softmax(*arrays, out=out)
    np.testing.assert_array_equal(out, softmax(*arrays))


def test_any_k_up_to_n_and_beyond(rng):
    x, y = rng.normal(size=(40, 1)), rng.normal(size=(20_000, 1))
    aliases = ["x = Vi(1)", "y = Vj(1)"]
    values, rows = Genred("SqDist(x, y)", aliases, "KMin_ArgKMin", axis=1, opt_arg=20_100)(x, y)
    squared = (x - y.T) ** 2
    assert (values[:, 20_000:] == np.inf).all()
    np.testing.assert_allclose(values[:, :20_000], np.sort(squared, 1), rtol=1e-12)
    np.testing.assert_array_equal(np.sort(rows[:, :20_000], 1), np.tile(np.arange(20_000), (40, 1)))


def test_zeros_of_a_width(rng):
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(6, 3))
    result = Genred("4", ["x = Vi(3)", "y = Vj(3)"], "Zero", axis=1)(x, y)
    np.testing.assert_array_equal(result, np.zeros((5, 4)))
