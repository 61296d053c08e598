"""Derivatives of minima and maxima: ties, rows without candidates, row numbers, programs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from jaxkeops.jax import Genred

ALIASES = ["x = Vi(2)", "y = Vj(2)", "p = Pm(1)"]
FORMULA = "p * SqDist(x, y)"
SELECTING = [("Min", None), ("Max", None), ("Min_ArgMin", None), ("KMin", 3), ("KMin_ArgKMin", 3)]
every_selection = pytest.mark.parametrize(("reduction", "count"), SELECTING)


def first(genred):
    """The selected values alone, with zeros where there is none."""

    def values(*arrays):
        result = jax.tree.leaves(genred(*arrays))[0]
        return jnp.where(jnp.isfinite(result), result, 0)

    return values


@pytest.mark.parametrize("reduction", ["Min", "Max", "Max_ArgMax"])
def test_of_equal_rows_the_first_has_the_whole_derivative(reduction):
    genred = Genred("x * y", ["x = Vi(1)", "y = Vj(1)"], reduction, axis=1)
    x, y = jnp.array([[1.0], [2.0]]), jnp.full((4, 1), 3.0)
    found = jax.grad(lambda *a: first(genred)(*a).sum(), (0, 1))(x, y)
    np.testing.assert_array_equal(found[0], [[3], [3]])
    np.testing.assert_array_equal(found[1], [[3], [0], [0], [0]])


def test_each_of_the_k_least_has_its_own_derivative():
    genred = Genred("x * y", ["x = Vi(1)", "y = Vj(1)"], "KMin", axis=1, opt_arg=3)
    x, y = jnp.array([[1.0]]), jnp.array([[5.0], [2.0], [5.0], [2.0], [5.0]])
    found = jax.jacrev(lambda y: genred(x, y)[0])(y)[..., 0]
    np.testing.assert_array_equal(found, np.eye(5)[[1, 3, 0]])


@every_selection
def test_the_value_is_the_same_with_and_without_a_derivative(reduction, count, rng):
    genred = Genred(FORMULA, ALIASES, reduction, axis=1, opt_arg=count)
    arrays = [jnp.asarray(rng.normal(size=shape)) for shape in ((30, 2), (50, 2), (1,))]
    plain = genred(*arrays)
    moved, _ = jax.jvp(lambda *a: jax.tree.leaves(genred(*a))[0], arrays, arrays)
    np.testing.assert_array_equal(moved, jax.tree.leaves(plain)[0])


@pytest.mark.parametrize(("reduction", "count"), [("Min", None), ("KMin_ArgKMin", 4)])
def test_rows_without_candidates_pass_no_derivative(reduction, count, rng):
    genred = Genred(f"Sqrt({FORMULA})", ALIASES, reduction, axis=1, opt_arg=count)
    x, y = (rng.normal(size=shape) for shape in ((4, 2), (3, 2)))
    x[1] = np.nan
    arrays = jnp.asarray(x), jnp.asarray(y), jnp.ones(1)
    known = jnp.asarray(np.delete(x, 1, 0)), *arrays[1:]
    squares = lambda *a: (first(genred)(*a) ** 2).sum()
    for function in (jax.grad(squares, (0, 1, 2)), second_order(squares)):
        found, expected = jax.jit(function)(*arrays), jax.jit(function)(*known)
        np.testing.assert_array_equal(found[0][1], [0, 0])
        np.testing.assert_allclose(np.delete(found[0], 1, 0), expected[0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found[2], expected[2], rtol=1e-12, atol=1e-12)


def second_order(function):
    """The gradient of the squared slope."""
    slopes = lambda *a: sum((each**2).sum() for each in jax.grad(function, (0, 1, 2))(*a))
    return jax.grad(slopes, (0, 1, 2))


@every_selection
def test_no_candidate_at_all_gives_zeros(reduction, count):
    genred = Genred(FORMULA, ALIASES, reduction, axis=1, opt_arg=count)
    arrays = jnp.full((3, 2), jnp.nan), jnp.ones((4, 2)), jnp.ones(1)
    for array, found in zip(
        arrays, jax.grad(lambda *a: first(genred)(*a).sum(), (0, 1, 2))(*arrays), strict=True
    ):
        np.testing.assert_array_equal(found, jnp.zeros_like(array))


def test_infinite_slopes_beyond_the_last_candidate_do_no_harm():
    # The slope of the logarithm is infinite at x y = 0, the pair of rows that fills the list.
    genred = Genred("Log(x * y)", ["x = Vi(1)", "y = Vj(1)"], "KMin", axis=1, opt_arg=3)
    x, y = jnp.array([[1.0]]), jnp.array([[jnp.nan], [2.0]])
    found = jax.grad(lambda *a: first(genred)(*a).sum(), (0, 1))(x, y)
    np.testing.assert_array_equal(found[0], [[1]])
    np.testing.assert_array_equal(found[1], [[0], [0.5]])


@pytest.mark.parametrize("reduction", ["ArgMin", "Min_ArgMin", "ArgKMin", "KMin_ArgKMin"])
def test_rows_alone_may_stand_in_a_differentiated_function(reduction, rng):
    count = 2 if "KMin" in reduction else None
    genred = Genred("SqDist(x, y)", ALIASES[:2], reduction, axis=1, opt_arg=count)
    x, y = (jnp.asarray(rng.normal(size=(4, 2))) for _ in range(2))
    rows = lambda x, y: jax.tree.leaves(genred(x, y))[-1][:, 0]
    nearest = lambda x, y: ((x - y[rows(x, y)]) ** 2).sum()
    expected = 2 * (x - y[rows(x, y)])
    np.testing.assert_array_equal(jax.grad(nearest)(x, y), expected)
    np.testing.assert_array_equal(jax.jit(jax.grad(nearest))(x, y), expected)
    moved = jax.jvp(rows, (x, y), (x, y))[1]
    assert moved.dtype == jax.dtypes.float0


def test_arrays_that_are_not_mapped_are_not_copied(rng):
    # A copy of y for each of the mapped rows would be 100 times as large as the largest array.
    genred = Genred("SqDist(x, y)", ALIASES[:2], "Min", axis=1)
    slope = jax.vmap(jax.grad(lambda x, y: genred(x, y).sum()), (0, None))
    x, y = jnp.zeros((100, 3, 2)), jnp.zeros((5000, 2))
    jaxpr = jax.make_jaxpr(slope)(x, y)
    assert max(aval.size for aval in intermediates(jaxpr.jaxpr)) <= 5000 * 2


def intermediates(jaxpr):
    for equation in jaxpr.eqns:
        yield from (var.aval for var in equation.outvars)
        for inner in jaxprs_in_params(equation.params):
            yield from intermediates(inner)


def test_a_program_without_derivatives_finds_no_rows():
    genred = Genred("SqDist(x, y)", ALIASES[:2], "Min", axis=1)
    x, y = jnp.zeros((3, 2)), jnp.zeros((4, 2))
    assert "ArgMin" not in jax.jit(genred).lower(x, y).as_text()
    assert "Min_ArgMin" in jax.jit(jax.grad(lambda x, y: genred(x, y).sum())).lower(x, y).as_text()


def test_a_scan_over_a_differentiated_minimum(rng):
    genred = Genred("SqDist(x, y)", ALIASES[:2], "Min", axis=1)
    x, y = (jnp.asarray(rng.normal(size=(n, 2))) for n in (3, 5))
    dense = lambda x: ((x[:, None] - y) ** 2).sum(-1).min(1, keepdims=True)

    def descend(function):
        step = lambda x, _: (x - 0.1 * jax.grad(lambda x: function(x).sum())(x), None)
        run = lambda x: (jax.checkpoint(lambda x: jax.lax.scan(step, x, None, 3)[0])(x) ** 2).sum()
        return jax.jit(jax.grad(run))(x)

    np.testing.assert_allclose(descend(lambda x: genred(x, y)), descend(dense), rtol=1e-12)
