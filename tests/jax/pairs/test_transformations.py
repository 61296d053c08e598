"""Transformations of reduced functions, against those of dense pairs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from jaxkeops import reduce_pairs
from jaxkeops.errors import NotDifferentiableError

AXES = ("i", "j", None)
FUNCTIONS = {
    "gaussian": lambda x, y, p: jnp.exp(-p[0] * jnp.sum((x - y) ** 2)) * y[:2],
    "network": lambda x, y, p: jnp.tanh(jnp.outer(x, p) @ (x - y)) @ p,
    "custom": lambda x, y, p: jax.nn.softplus(x @ y) * jax.nn.silu(p * x),
    "mixed": lambda x, y, p: {"a": jnp.sin(x * y).cumsum(), "b": jnp.linalg.norm(x - 2 * y) * p[0]},
    "outside": lambda x, y, p: jax.scipy.special.gammaln(x * p) * y,
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def loss_of(function):
    def loss(*args):
        leaves = jax.tree.leaves(function(*args))
        return sum(jnp.sum(jnp.cos(jnp.arange(leaf.size)) * leaf.ravel() ** 2) for leaf in leaves)

    return loss


@every_function
def test_second_derivatives_in_every_pair_of_arguments(function, dense, points, agree):
    args = points()
    found = jax.jit(jax.hessian(loss_of(reduce_pairs(function, in_axes=AXES)), (0, 1, 2)))(*args)
    agree(found, jax.jit(jax.hessian(loss_of(dense(function, AXES)), (0, 1, 2)))(*args))


@every_function
def test_third_derivatives(function, dense, points, agree):
    args = points()

    def third(of):
        return jax.jit(jax.jacfwd(jax.jacrev(jax.grad(loss_of(of), 2), 0), 2))

    found = third(reduce_pairs(function, in_axes=AXES))(*args)
    expected = third(dense(function, AXES))(*args)
    agree(found, expected)


@every_function
def test_jit_vmap_and_forward_mode_together(function, dense, points, agree):
    x, y, p = points()
    batch = (jnp.stack([x, 2 * x]), y, jnp.stack([p, p + 1]))

    def moved(of):
        push = lambda x, y, p: jax.jvp(of, (x, y, p), (x, y, p))
        return jax.jit(jax.vmap(push, (0, None, 0)))

    found = moved(reduce_pairs(function, in_axes=AXES))(*batch)
    agree(found, moved(dense(function, AXES))(*batch))


@pytest.mark.parametrize("reduction", ["logsumexp", "min", "max"])
def test_gradients_of_other_reductions(reduction, dense, points, agree):
    function = lambda x, y, p: jnp.sin(3 * x * y) @ p
    args = points()
    found = jax.grad(loss_of(reduce_pairs(function, reduction=reduction, in_axes=AXES)), (0, 1, 2))
    expected = jax.grad(loss_of(dense(function, AXES, reduction)), (0, 1, 2))
    agree(found(*args), expected(*args))


def test_gradients_of_attention(points, agree):
    q, k, _ = points()
    attention = reduce_pairs(lambda q, k: (q @ k, jnp.sin(k)), reduction="softmax")
    plain = lambda q, k: jax.nn.softmax(q @ k.T) @ jnp.sin(k)
    found, expected = (jax.jit(jax.hessian(loss_of(of), (0, 1))) for of in (attention, plain))
    agree(found(q, k), expected(q, k))


def test_closed_over_arrays_have_derivatives(dense, points, agree):
    x, y, p = points()

    def loss(wrap):
        def of(w):
            function = wrap(lambda x, y: jnp.tanh(w * x) @ y)
            return (function(x, y) ** 2).sum() + function(x + w, y).sum()

        return of

    for transform in (jax.grad, lambda f: jax.jit(jax.hessian(f))):
        agree(transform(loss(reduce_pairs))(p), transform(loss(dense))(p))
    stacked = jnp.stack([p, 2 * p])
    found, expected = (jax.jit(jax.vmap(jax.grad(loss(wrap)))) for wrap in (reduce_pairs, dense))
    agree(found(stacked), expected(stacked))


def test_no_tracer_outlives_its_trace(points):
    x, y, p = points()
    with jax.checking_leaks():
        found = jax.jit(jax.grad(lambda w: reduce_pairs(lambda x, y: w * x @ y)(x, y).sum()))(p)
    assert found.shape == (3,)


def test_masks_of_infinities_have_finite_gradients(dense, points, agree):
    function = lambda x, y: jnp.where(x[0] < y[0], x @ y, -jnp.inf)
    x, y, _ = points()
    x = x.at[:, 0].set(0.3)
    for reduction in ("logsumexp", "max"):
        wraps = (reduce_pairs(function, reduction=reduction), dense(function, reduction=reduction))
        found, expected = (jax.value_and_grad(lambda x, of=of: of(x, y).sum())(x) for of in wraps)
        agree(found, expected)


def test_a_function_may_be_used_in_a_loop(dense, points, agree):
    x, y, p = points()

    def steps(wrap):
        def of(p):
            field = wrap(lambda x, y: jnp.exp(-p @ (x - y)) * (y - x))
            return jax.lax.scan(lambda x, _: (x + 0.1 * field(x, y), None), x, length=3)[0].sum()

        return of

    agree(jax.jit(jax.grad(steps(reduce_pairs)))(p), jax.jit(jax.grad(steps(dense)))(p))


def test_checkpoint_and_disabled_jit_change_nothing(dense, points, agree):
    args = points()
    function = FUNCTIONS["gaussian"]
    reduced = reduce_pairs(function, in_axes=AXES)
    expected = jax.jit(jax.grad(loss_of(dense(function, AXES)), (0, 1, 2)))(*args)
    kept = jax.jit(jax.grad(jax.checkpoint(loss_of(reduced)), (0, 1, 2)))
    agree(kept(*args), expected)
    with jax.disable_jit():
        agree(jax.grad(loss_of(reduced), (0, 1, 2))(*args), expected)


def test_reduced_functions_differ_though_their_values_agree(points):
    """Custom derivatives are part of a formula: it is not taken for another of equal values."""
    x, y, _ = points()

    def doubled_with(slope):
        @jax.custom_jvp
        def doubled(x):
            return 2 * x

        doubled.defjvps(lambda g, ans, x: slope * g)
        return reduce_pairs(lambda x, y: doubled(x @ y))

    slopes = [jax.grad(lambda x, s=s: doubled_with(s)(x, y).sum())(x) for s in (2.0, 3.0, -1.0)]
    for found, s in zip(slopes, (2.0, 3.0, -1.0), strict=True):
        assert jnp.allclose(found, s * y.sum(0), rtol=1e-12)


def test_custom_matrices_of_slopes(dense, points, agree):
    """A rule that mixes coordinates, of several inputs and outputs."""

    @jax.custom_jvp
    def rotated(x, y):
        return jnp.roll(x, 1) * y, x @ y

    @rotated.defjvp
    def _(primals, tangents):
        (x, y), (dx, dy) = primals, tangents
        moved = jnp.cumsum(dx) * y + 3 * jnp.roll(dy, 1) * jnp.sin(x), 2 * dx @ y + x @ dy
        return rotated(x, y), moved

    function = lambda x, y: jnp.sum(rotated(x, y)[0] ** 2) + rotated(x, y)[1] ** 2
    x, y, _ = points()
    agree(reduce_pairs(function)(x, y), dense(function)(x, y))
    for order in (jax.grad, jax.hessian):
        found = jax.jit(order(loss_of(reduce_pairs(function)), (0, 1)))(x, y)
        agree(found, jax.jit(order(loss_of(dense(function)), (0, 1)))(x, y))


def test_distances_of_zero_have_no_slope(rng):
    """Where JAX's gradient of a norm is NaN, that of a formula is 0."""
    x = jnp.asarray(rng.normal(size=(4, 3)))
    reduced = reduce_pairs(lambda x, y: jnp.linalg.norm(x - y))
    found = jax.grad(lambda x: reduced(x, x).sum())(x)
    assert jnp.isfinite(found).all()


def test_row_numbers_are_not_differentiated(points):
    x, y, _ = points()
    nearest = reduce_pairs(lambda x, y: jnp.sum((x - y) ** 2), reduction="argmin")
    _, moved = jax.jvp(nearest, (x, y), (x, y))
    assert moved.dtype == jax.dtypes.float0
    lse = reduce_pairs(lambda x, y: x @ y, reduction="logsumexp")
    with pytest.raises(NotDifferentiableError):
        jax.linear_transpose(lambda x: lse(x, y), x)(jnp.ones(4))
