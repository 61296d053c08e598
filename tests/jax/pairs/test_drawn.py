"""Drawn functions of a pair: values, gradients to third order, vmap and jit, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, given, settings, strategies as st

from jaxkeops import reduce_pairs

AXES = ("i", "j", None)
Expression = tuple[Any, ...]

# All smooth, and of size 1 on vectors of size 1, so that third derivatives are of size 1 as well.
ONE = {
    "sin": jnp.sin,
    "tanh": jnp.tanh,
    "gauss": lambda a: jnp.exp(-a * a),
    "softplus": jax.nn.softplus,
    "root": lambda a: jnp.sqrt(1 + a * a),
    "inverse": lambda a: 1 / (2 + jnp.square(a)),
    "angle": lambda a: jnp.arctan2(a, 2 + jnp.cos(a)),
    "logistic": jax.nn.sigmoid,
    "erf": jax.lax.erf,
    "cube": lambda a: (a / 2) ** 3,
    "reversed": lambda a: a[::-1],
    "rolled": lambda a: jnp.roll(a, 1),
    "summed": lambda a: jnp.cumsum(a) / 3,
    "softmax": jax.nn.softmax,
    "norm": lambda a: jnp.linalg.norm(a + 2) * jnp.array([0.1, 0.2, 0.3]),
    "greatest": lambda a: jnp.max(a) - a / 2,
    "matrix": lambda a: jnp.outer(a, a[::-1]) @ jnp.array([0.3, -0.2, 0.5]),
    "cut": lambda a: jnp.concatenate([a[1:], a[:1] * a[2:]]),
    "chosen": lambda a: jnp.where(a < jnp.roll(a, 1), a, jnp.sin(a)),
}
TWO = {
    "sum": jnp.add,
    "difference": jnp.subtract,
    "product": jnp.multiply,
    "quotient": lambda a, b: a / (2 + b * b),
    "dot": lambda a, b: jnp.dot(a, b) / 3 * jnp.ones(3),
    "distance": lambda a, b: jnp.exp(-jnp.sum((a - b) ** 2)) * b,
    "greater": jnp.maximum,
    "cross": jnp.cross,
    "mean": lambda a, b: jnp.stack([a, b]).mean(0),
    "einsum": lambda a, b: jnp.einsum("a,b,c->a", a, b, a) / 3,
}
LEAVES = st.sampled_from([("x",), ("y",), ("p",), ("number", 0.5)])


def grown(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.tuples(st.sampled_from(sorted(ONE)), inner),
        st.tuples(st.sampled_from(sorted(TWO)), inner, inner),
    )


EXPRESSIONS = st.recursive(LEAVES, grown, max_leaves=6)


def function_of(expression: Expression) -> Callable[..., jax.Array]:
    def value(expression: Expression, known: dict[str, jax.Array]) -> jax.Array:
        name, *parts = expression
        if name in known:
            return known[name]
        if name == "number":
            return jnp.full(3, parts[0])
        return (ONE | TWO)[name](*(value(part, known) for part in parts))

    return lambda x, y, p: value(expression, {"x": x, "y": y, "p": p})


def all_orders(of: Callable[..., jax.Array]) -> Callable[..., Any]:
    """The value in a batch, and derivatives along all arguments, once, twice and three times."""

    def loss(*args: jax.Array) -> jax.Array:
        return jnp.sum(jnp.cos(jnp.arange(12.0)) * of(*args).ravel() ** 2)

    def along(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        def moved(*args: jax.Array) -> jax.Array:
            return jax.jvp(function, args, tuple(jnp.cos(3 * arg) for arg in args))[1]

        return moved

    def orders(x: jax.Array, y: jax.Array, p: jax.Array) -> Any:
        batch = jax.vmap(of, (0, None, 0))(jnp.stack([x, y[:4]]), y, jnp.stack([p, -p]))
        first = jax.grad(loss, (0, 1, 2))(x, y, p)
        third = jax.grad(along(along(loss)), (0, 1, 2))(x, y, p)
        return batch, first, third

    return orders


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(expression=EXPRESSIONS)
def test_drawn_functions_agree_with_dense_pairs(expression, dense, agree):
    rng = np.random.default_rng(0)
    args = tuple(jnp.asarray(rng.normal(size=shape)) for shape in ((4, 3), (5, 3), (3,)))
    function = function_of(expression)
    wraps = (reduce_pairs(function, in_axes=AXES), dense(function, AXES))
    found, expected = jax.jit(lambda *args: [all_orders(of)(*args) for of in wraps])(*args)
    # Rounding grows with the number of operations: 12 or so for each order of each node.
    agree(found, expected)
