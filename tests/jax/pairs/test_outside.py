"""What JAX computes before the kernel: parts of one axis alone, and of parameters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from jaxkeops import reduce_pairs

AXES = ("i", "j", None)
# Parts that have no formula, on each axis.
FUNCTIONS = {
    "rows": lambda x, y, p: jnp.argsort(x) * jax.scipy.special.gammaln(x) * y,
    "columns": lambda x, y, p: x * jnp.argsort(y) + jax.lax.top_k(y, 2)[0].sum(),
    "parameters": lambda x, y, p: (
        jax.lax.while_loop(lambda c: c.sum() < 9, lambda c: 2 * c, p) * x * y
    ),
    "rows_of_a_table": lambda x, y, p: p[(3 * x[0]).astype(int)] * y,
    "random_numbers": lambda x, y, p: jax.random.normal(jax.random.key(3), (3,)) * x * y,
    "one_after_the_other": lambda x, y, p: jnp.dot(
        jnp.sort(jnp.tile(jax.scipy.special.digamma(x * p), 9)), jnp.tile(y * jnp.sum(p), 9)
    ),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_values_are_those_of_dense_pairs(function, dense, points, agree):
    args = points()
    agree(jax.jit(reduce_pairs(function, in_axes=AXES))(*args), dense(function, AXES)(*args))


def test_gradients_pass_through(dense, points, loss, agree):
    args = points()
    function = FUNCTIONS["one_after_the_other"]
    found = jax.jit(jax.grad(loss(reduce_pairs(function, in_axes=AXES)), (0, 1, 2)))(*args)
    agree(found, jax.jit(jax.grad(loss(dense(function, AXES)), (0, 1, 2)))(*args))


def test_large_products_of_rows_are_one_matrix_product(rng, agree):
    """The kernel then reads four numbers of a row, and not a hundred."""
    x, y = jnp.asarray(rng.normal(size=(7, 100))), jnp.asarray(rng.normal(size=(6, 4)))
    encoder = jnp.asarray(rng.normal(size=(4, 100)))
    reduced = reduce_pairs(lambda x, y, w: jnp.sum((w @ x - y) ** 2), in_axes=AXES)
    assert reduced.stages(x, y, encoder).formula.split("\n")[2:4] == ["v0 = j 4", "v1 = i 4"]
    agree(reduced(x, y, encoder), ((x @ encoder.T)[:, None] - y).__pow__(2).sum((1, 2)))


def test_constants_of_the_code_are_numbers_of_the_formula(points):
    x, y, p = points()
    text = reduce_pairs(lambda x, y: 2 * jnp.pi * (x * y) + jnp.arange(3)).stages(x, y).formula
    assert "6.28318" in text
    assert " = p " not in text
    text = reduce_pairs(lambda x, y: p * (x * y)).stages(x, y).formula
    assert "= p 3" in text
