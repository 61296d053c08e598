"""Values against dense NumPy in float64: every reduction, both axes, sizes at the edges."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.formula import REDUCTIONS
from jaxkeops.jax import Genred

FORMULA, ALIASES = "p * (x | y)", ["x = Vi(3)", "y = Vj(3)", "p = Pm(1)"]
WEIGHTS = "y * Elem(x, 0)"


def options(reduction, count=3):
    """What else a reduction asks of Genred."""
    rules = REDUCTIONS[reduction]
    return {
        "formula2": WEIGHTS if rules.weights == "required" else None,
        "opt_arg": count if rules.counted else None,
    }


def dense(reduction, axis, x, y, p, count=3):
    """The results as `formula.reduction` specifies them, of (..., M, N, 1) terms."""
    x, y, p = (np.asarray(array, np.float64) for array in (x, y, p))
    left, right = x[..., :, None, :], y[..., None, :, :]
    terms = p[..., None, None, :] * (left * right).sum(-1)[..., None]
    weights = np.broadcast_to(right * left[..., :1], (*terms.shape[:-1], 3))
    if axis == 0:
        terms, weights = np.swapaxes(terms, -2, -3), np.swapaxes(weights, -2, -3)
    return REDUCTIONS[reduction].value(
        terms, weights if options(reduction)["formula2"] else None, count
    )


def sample(rng, M, N, dtype, batch=((), (), ())):
    shapes = (*batch[0], M, 3), (*batch[1], N, 3), (*batch[2], 1)
    return tuple(jnp.asarray(rng.uniform(0.2, 1, shape), dtype) for shape in shapes)


def check(results, expected, dtype):
    results = results if isinstance(results, tuple) else (results,)
    for result, values in zip(results, expected, strict=True):
        assert result.shape == values.shape
        if values.dtype.kind == "i":
            np.testing.assert_array_equal(result, values)
        else:
            assert result.dtype == dtype
            # Logarithms near 0 have the absolute error of what is near 1.
            bound = 16 * np.finfo(dtype).eps
            np.testing.assert_allclose(result, values, rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reduction", sorted(REDUCTIONS))
def test_every_reduction(reduction, axis, dtype, rng):
    arrays = sample(rng, 60, 300, dtype)
    genred = Genred(FORMULA, ALIASES, reduction, axis=axis, **options(reduction))
    # Whole numbers, so that float32 compares the very terms that float64 compares.
    if dtype == "float32" and "Arg" in reduction:
        arrays = tuple(jnp.round(array * 16) for array in arrays)
    check(genred(*arrays), dense(reduction, axis, *arrays), dtype)


@pytest.mark.parametrize("M", [0, 1, 17])
@pytest.mark.parametrize("N", [0, 1, 257])
@pytest.mark.parametrize("reduction", ["Sum", "LogSumExp"])
def test_any_number_of_rows_and_columns(M, N, reduction, rng):
    arrays = sample(rng, M, N, "float64")
    genred = Genred(FORMULA, ALIASES, reduction, axis=1)
    check(genred(*arrays), dense(reduction, 1, *arrays), "float64")


@pytest.mark.parametrize("M", [0, 3])
def test_a_minimum_of_nothing_is_infinite_and_at_row_0(M, rng):
    values, indices = Genred(FORMULA, ALIASES, "Min_ArgMin", axis=1)(*sample(rng, M, 0, "float64"))
    np.testing.assert_array_equal(values, np.full((M, 1), np.inf))
    np.testing.assert_array_equal(indices, np.zeros((M, 1), int))


@pytest.mark.parametrize(
    "batch",
    [
        ((2,), (2,), (2,)),
        ((2,), (), ()),
        ((), (), (2,)),
        ((2, 1), (1, 3), (3,)),
        ((0,), (1,), ()),
    ],
)
def test_batch_axes_follow_numpys_rule(batch, rng):
    arrays = sample(rng, 4, 5, "float64", batch)
    check(Genred(FORMULA, ALIASES, axis=1)(*arrays), dense("Sum", 1, *arrays), "float64")


@pytest.mark.parametrize("reduction", sorted(REDUCTIONS))
def test_every_reduction_in_batches(reduction, rng):
    arrays = sample(rng, 4, 5, "float64", ((2, 1), (3,), (2, 1)))
    genred = Genred(FORMULA, ALIASES, reduction, axis=1, **options(reduction, 6))
    check(genred(*arrays), dense(reduction, 1, *arrays, count=6), "float64")


def test_vectors_have_an_axis_of_their_k_least(rng):
    x, y = (jnp.asarray(rng.normal(size=(n, 2))) for n in (4, 9))
    values, rows = Genred("x - y", ["x=Vi(2)", "y=Vj(2)"], "KMinArgKMin", axis=1, opt_arg=3)(x, y)
    expected = REDUCTIONS["KMin"].value(np.asarray(x)[:, None] - np.asarray(y), None, 3)[0]
    assert values.shape == rows.shape == (4, 3, 2)
    np.testing.assert_allclose(values, expected, rtol=1e-14)
    np.testing.assert_array_equal(x[:, None] - jnp.take_along_axis(y[None], rows, 1), values)


def test_a_formula_of_one_kind_of_array(rng):
    x, p = jnp.asarray(rng.normal(size=(5, 2))), jnp.asarray(rng.normal(size=2))
    rows = Genred("2 * x", ["x = Vi(2)"], axis=1)(x)
    np.testing.assert_array_equal(rows, 2 * x)
    columns = Genred("2 * x", ["x = Vj(2)"], axis=1)(x)
    # Terms of both signs: five of them round by units of their sizes, in whatever order.
    error = np.abs(columns - 2 * x.sum(0, keepdims=True))
    assert (error <= 5 * np.finfo(np.float64).eps * np.abs(2 * x).sum(0)).all()
    for axis in (0, 1):
        alone = Genred("2 * p", ["p = Pm(2)"], axis=axis)(p)
        np.testing.assert_array_equal(alone, 2 * p[None])


def test_many_rows_on_all_threads_give_the_bits_of_a_few(rng):
    genred = Genred("Exp(-p * SqDist(x, y))", ALIASES, axis=1)
    x, y, p = sample(rng, 5000, 2000, "float32")
    together = np.asarray(genred(x, y, p))
    # A hundred rows are too little work to share: one thread does them all.
    apart = [np.asarray(genred(x[k : k + 100], y, p)) for k in range(0, 5000, 100)]
    np.testing.assert_array_equal(together, np.concatenate(apart))
