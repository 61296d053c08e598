"""Derivatives of every formula, to the third order, against those of its dense function."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxkeops.errors import NotDifferentiableError
from jaxkeops.jax import Genred


def directions(arrays, rng):
    return tuple(jnp.asarray(rng.normal(size=array.shape), array.dtype) for array in arrays)


def test_the_gradient_for_every_array(case, loss, agree, rng):
    arrays = case.arrays(rng)
    found = jax.jit(jax.value_and_grad(loss(case.genred), case.slots))(*arrays)
    agree(found, jax.jit(jax.value_and_grad(loss(case.dense), case.slots))(*arrays))


@pytest.mark.parametrize("name", ["gaussian", "log_sum_exp"])
def test_the_gradient_in_float32(name, by_name, loss, agree, rng):
    case = by_name[name]
    arrays = case.arrays(rng, "float32")
    found = jax.jit(jax.grad(loss(case.genred), case.slots))(*arrays)
    agree(found, jax.jit(jax.grad(loss(case.dense), case.slots))(*arrays))


def test_the_gradient_outside_jit(gaussian, loss, agree, rng):
    arrays = gaussian.arrays(rng)
    found = jax.grad(loss(gaussian.genred), gaussian.slots)(*arrays)
    agree(found, jax.grad(loss(gaussian.dense), gaussian.slots)(*arrays))


@pytest.mark.parametrize("name", ["gaussian_in_batches", "log_sum_exp"])
def test_the_gradient_for_one_array_at_a_time(name, by_name, loss, agree, rng):
    case = by_name[name]
    arrays = case.arrays(rng)
    together = jax.jit(jax.grad(loss(case.genred), case.slots))(*arrays)
    for slot in case.slots:
        agree(jax.jit(jax.grad(loss(case.genred), slot))(*arrays), together[slot])


def test_the_gradient_where_one_array_is_given_twice(gaussian, loss, agree, rng):
    x = gaussian.arrays(rng)[0]
    b, p = x[:, :2], jnp.ones(1)
    found = jax.jit(jax.grad(loss(lambda x: gaussian.genred(x, x, b, p))))(x)
    agree(found, jax.jit(jax.grad(loss(lambda x: gaussian.dense(x, x, b, p))))(x))


def test_forward_mode(case, agree, rng):
    arrays = case.arrays(rng)
    along = directions(arrays, rng)
    found = jax.jit(lambda a, t: jax.jvp(case.genred, a, t))(arrays, along)
    agree(found, jax.jit(lambda a, t: jax.jvp(case.dense, a, t))(arrays, along))


def test_reverse_mode_with_any_cotangent(case, agree, rng):
    arrays = case.arrays(rng)

    def pull(function):
        def back(*arrays):
            result, pulled = jax.vjp(function, *arrays)
            return result, pulled(jnp.sin(1.0 + jnp.arange(result.size)).reshape(result.shape))

        return jax.jit(back)(*arrays)

    agree(pull(case.genred), pull(case.dense))


def test_linearize_gives_the_tangent_map(case, agree, rng):
    arrays = case.arrays(rng)
    along = directions(arrays, rng)
    result, push = jax.linearize(case.genred, *arrays)
    expected = jax.jit(lambda a, t: jax.jvp(case.dense, a, t))(arrays, along)
    agree((result, push(*along)), expected)


@pytest.mark.parametrize(
    "name", ["gaussian_in_batches", "log_sum_exp", "vectors_and_numbers", "parameters_only"]
)
def test_jacobians_in_both_modes(name, by_name, agree, rng):
    case = by_name[name]
    arrays = case.arrays(rng)
    expected = jax.jit(jax.jacrev(case.dense, case.slots))(*arrays)
    agree(jax.jit(jax.jacfwd(case.genred, case.slots))(*arrays), expected)
    agree(jax.jit(jax.jacrev(case.genred, case.slots))(*arrays), expected)


def test_the_hessian_for_every_pair_of_arrays(case, loss, agree, rng):
    arrays = case.arrays(rng)
    found = jax.jit(jax.hessian(loss(case.genred), case.slots))(*arrays)
    agree(found, jax.jit(jax.hessian(loss(case.dense), case.slots))(*arrays))


@pytest.mark.parametrize("outer", [jax.jacfwd, jax.jacrev])
@pytest.mark.parametrize("inner", [jax.jacfwd, jax.jacrev])
def test_second_derivatives_in_every_mixture_of_modes(gaussian, outer, inner, agree, rng):
    arrays = gaussian.arrays(rng)
    found = jax.jit(outer(inner(gaussian.genred, (0, 3)), (1, 3)))(*arrays)
    agree(found, jax.jit(outer(inner(gaussian.dense, (0, 3)), (1, 3)))(*arrays))


def test_third_derivatives_by_forward_over_reverse_over_reverse(case, loss, agree, rng):
    arrays = case.arrays(rng)
    last = case.slots[-1]

    def third(function):
        return jax.jacfwd(jax.jacrev(jax.grad(loss(function), last), 0), last)

    agree(jax.jit(third(case.genred))(*arrays), jax.jit(third(case.dense))(*arrays))


@pytest.mark.parametrize("name", ["gaussian_in_batches", "log_sum_exp"])
def test_the_gradient_of_a_hessian_vector_product(name, by_name, loss, agree, rng):
    case = by_name[name]
    arrays = case.arrays(rng)
    along = directions(arrays, rng)

    def along_hessian(function):
        def number(*arrays):
            _, moved = jax.jvp(jax.grad(loss(function), case.slots), arrays, along)
            return sum((each * each).sum() for each in moved)

        return jax.jit(jax.grad(number, case.slots))

    agree(along_hessian(case.genred)(*arrays), along_hessian(case.dense)(*arrays))


@pytest.mark.parametrize("modes", [["fwd"], ["rev"]])
def test_differences_agree_to_the_second_order(gaussian, modes, rng):
    check_grads(jax.jit(gaussian.genred), gaussian.arrays(rng), order=2, modes=modes)


def test_the_transpose_of_what_is_linear_in_an_array(gaussian, agree, rng):
    x, y, b, p = gaussian.arrays(rng)
    g = jnp.asarray(rng.normal(size=(5, 2)))
    found = jax.linear_transpose(lambda b: gaussian.genred(x, y, b, p), b)(g)
    agree(found, jax.linear_transpose(lambda b: gaussian.dense(x, y, b, p), b)(g))


def test_the_transpose_where_nothing_known_has_the_reduced_rows(agree, rng):
    sums = Genred("x * y", ["x = Vi(1)", "y = Vj(2)"], axis=1)
    x, y = jnp.asarray(rng.normal(size=(3, 1))), jnp.asarray(rng.normal(size=(4, 2)))
    g = jnp.asarray(rng.normal(size=(3, 2)))
    agree(
        jax.linear_transpose(lambda y: sums(x, y), y)(g)[0],
        jnp.broadcast_to((x * g).sum(0), (4, 2)),
    )


def test_the_transpose_of_what_is_not_linear_is_refused(gaussian, rng):
    x, y, b, p = gaussian.arrays(rng)
    with pytest.raises(NotDifferentiableError, match="not linear"):
        jax.linear_transpose(lambda x: gaussian.genred(x, y, b, p), x)(jnp.ones((5, 2)))
    lse = Genred("x + y", ["x = Vi(1)", "y = Vj(1)"], "LogSumExp", axis=1)
    with pytest.raises(NotDifferentiableError, match="LogSumExp is not linear"):
        jax.linear_transpose(lambda a: lse(a, a), x[:, :1])(jnp.ones((5, 1)))


@pytest.mark.parametrize("name", ["gaussian", "log_sum_exp"])
def test_checkpoint_recomputes_and_changes_nothing(name, by_name, loss, agree, rng):
    case = by_name[name]
    arrays = case.arrays(rng)
    found = jax.jit(jax.grad(jax.checkpoint(loss(case.genred)), case.slots))(*arrays)
    agree(found, jax.jit(jax.grad(loss(case.genred), case.slots))(*arrays))


@pytest.mark.parametrize("M", [0, 3])
@pytest.mark.parametrize("N", [0, 4])
@pytest.mark.parametrize("reduction", ["Sum", "LogSumExp"])
def test_gradients_without_rows_or_columns(M, N, reduction, agree, rng):
    genred = Genred("p * (x | y)", ["x=Vi(2)", "y=Vj(2)", "p=Pm(1)"], reduction, axis=1)
    arrays = [jnp.asarray(rng.normal(size=shape)) for shape in ((M, 2), (N, 2), (1,))]
    found = jax.grad(lambda *a: jnp.tanh(genred(*a)).sum(), (0, 1, 2))(*arrays)
    assert [each.shape for each in found] == [(M, 2), (N, 2), (1,)]
    if M == 0 or N == 0:
        agree(found, tuple(map(jnp.zeros_like, arrays)))


def test_row_numbers_have_the_derivative_zero(rng):
    nearest = Genred("SqDist(x, y)", ["x = Vi(2)", "y = Vj(2)"], "ArgMin", axis=1)
    x, y = (jnp.asarray(rng.normal(size=(4, 2))) for _ in range(2))
    _, moved = jax.jvp(nearest, (x, y), (x, y))
    assert moved.dtype == jax.dtypes.float0
    found = jax.grad(lambda x: ((x - y[nearest(x, y)[:, 0]]) ** 2).sum())(x)
    index = np.asarray(nearest(x, y))[:, 0]
    np.testing.assert_array_equal(found, 2 * (x - y[index]))


def test_a_minimum_of_what_does_not_move_may_stand_in_a_differentiated_function(rng):
    least = Genred("SqDist(x, y)", ["x = Vi(2)", "y = Vj(2)"], "Min", axis=1)
    x, y = (jnp.asarray(rng.normal(size=(4, 2))) for _ in range(2))
    found = jax.grad(lambda x: (least(jax.lax.stop_gradient(x), y) * x).sum())(x)
    np.testing.assert_array_equal(found, jnp.broadcast_to(least(x, y), x.shape))


def test_zero_times_what_is_not_finite_is_no_number_but_moves_nothing():
    x, y = jnp.array([[1.0], [jnp.nan], [jnp.inf]]), jnp.ones((2, 1))
    product = Genred("0 * Exp(x) + x * y", ["x = Vi(1)", "y = Vj(1)"], axis=1)
    value, pull = jax.vjp(lambda x: product(x, y), x)
    expected = [[2.0], [jnp.nan], [jnp.nan]]
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(product(x, y), expected)
    np.testing.assert_array_equal(pull(jnp.ones((3, 1)))[0], [[2.0]] * 3)
    np.testing.assert_array_equal(
        jax.jvp(product, (x, y), (x, y))[1], [[4.0], [jnp.nan], [jnp.inf]]
    )
