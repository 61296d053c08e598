"""The table of primitives, one by one: values and gradients against dense pairs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name

from jaxkeops import reduce_pairs
from jaxkeops.jax.pairs.graph import graph_of
from jaxkeops.jax.pairs.rule import RULES

lax = jax.lax
AXES = ("i", "j", None)
# Those that transformations or devices bring, and no function of `jax.numpy`.
RARE = {"add_any", "reduce_precision", "device_put", "pvary", "sharding_constraint", "scatter-sub"}


@jax.custom_vjp
def doubled(x):
    return 2 * x


doubled.defvjp(lambda x: (2 * x, x), lambda x, g: (3 * x * g,))

# Each of a point x, a point y and a parameter p, of three numbers in [0.2, 1].
FUNCTIONS = {
    "arithmetic": lambda x, y, p: -(x + y) * p - x / y,
    "exponentials": lambda x, y, p: jnp.exp(-x * y) + jnp.exp2(x - y) + jnp.expm1(x * y * p),
    "logarithms": lambda x, y, p: jnp.log(x + y) + jnp.log1p(x * y) + jnp.log2(x * y),
    "angles": lambda x, y, p: jnp.sin(x * y) + jnp.cos(x - y) + jnp.tan(x * y),
    "arcs": lambda x, y, p: jnp.arcsin(x * y / 2) + jnp.arccos(x * y / 2) + jnp.arctan(x - y),
    "atan2": lambda x, y, p: jnp.arctan2(x, y - p),
    "hyperbolic": lambda x, y, p: jnp.sinh(x - y) + jnp.cosh(3 * x * y) + jnp.tanh(x * y),
    "sinh_of_more": lambda x, y, p: jnp.sinh(3 * x * y + 1),
    "hyperbolic_inverses": lambda x, y, p: (
        jnp.arcsinh(x - y) + jnp.arccosh(1.1 + x * y) + jnp.arctanh(0.5 * x * y)
    ),
    "logistic": lambda x, y, p: jax.nn.sigmoid(x * y) + lax.erf(x - y) + lax.erfc(x * y),
    "roots": lambda x, y, p: jnp.sqrt(x * y) + lax.rsqrt(x + y) + jnp.cbrt(x * y),
    "powers": lambda x, y, p: (x * y) ** 3 + (x + y) ** -2 + x ** (y * p) + (x * y) ** 1.7,
    "squares": lambda x, y, p: jnp.square(x - y) + lax.square(x) * y,
    "sizes": lambda x, y, p: jnp.abs(x - y) + jnp.sign(x - y) * x,
    "rounding": lambda x, y, p: (
        jnp.floor(7 * x * y)
        + jnp.ceil(7 * x - y)
        + jnp.round(7 * x * y) * y
        + lax.round(5 * x * y, lax.RoundingMethod.AWAY_FROM_ZERO)
    ),
    "remainders": lambda x, y, p: (3 * x + y) % p + lax.rem(-5 * x * y, p),
    "extrema": lambda x, y, p: jnp.maximum(x, y) * p + jnp.minimum(x * p, 0.4) - jnp.maximum(y, x),
    "clamps": lambda x, y, p: jnp.clip(x * y, 0.2, 0.5) + lax.clamp(x, p, y),
    "comparisons": lambda x, y, p: (
        jnp.where(x < y, x, y * y)
        + jnp.where(x >= y, p * x, 1.0) * (x != y)
        + (x == y)
        + jnp.where((x > y) & ~(x <= p) | (y > p) ^ (x > p), x, 0.0)
    ),
    "finite": lambda x, y, p: jnp.where(jnp.isfinite(x / y), x, y) + jnp.isnan(x - y),
    "choices": lambda x, y, p: lax.select_n(
        (3 * x * y).astype(int).clip(0, 2), x, x * y, p * jnp.exp(x)
    ),
    "conversions": lambda x, y, p: (
        (x * 5).astype(int) * y
        + (x > y).astype(float)
        + (x * y).astype(bool)
        + (-5 * x * y).astype(int) // 2
        + (7 * x * y).astype(int) % 3
    ),
    "stops": lambda x, y, p: lax.stop_gradient(x * y) * x,
    "sums": lambda x, y, p: jnp.sum(x - y) * jnp.mean(x * y) * p + jnp.prod(x - y),
    "norms": lambda x, y, p: (
        jnp.linalg.norm(x - y)
        + jnp.abs(x - y).max()
        + jnp.linalg.norm(x - y, ord=1)
        + jnp.max(x * y) * jnp.min(x + y)
        + jnp.var(x * y)
    ),
    "logicals": lambda x, y, p: jnp.any(x > y) * x + jnp.all(x > 0.5 * y) * y,
    "places": lambda x, y, p: jnp.argmax(x * y) * x[0] + jnp.argmin(x - y) * y,
    "cumulative": lambda x, y, p: (
        jnp.cumsum(x * y)
        + jnp.cumprod(x + y)
        + lax.cummax(x - y)
        + lax.cummin(x * y, reverse=True)
        + lax.cumlogsumexp(x - y)
    ),
    "sorting": lambda x, y, p: jnp.sort(x - y) * p + jnp.median(x * y),
    "products": lambda x, y, p: (
        jnp.dot(x, y) * p + jnp.outer(x, y) @ p + jnp.cross(x, y) + jnp.kron(x, y).sum()
    ),
    "batched_products": lambda x, y, p: (
        jnp.einsum("ab,ac->abc", jnp.outer(x, y), jnp.outer(y, p))
        @ jnp.einsum("ab,ca->abc", jnp.outer(x, p), jnp.outer(x, y))
    ),
    "shapes": lambda x, y, p: (
        jnp.concatenate([x * y, y, p])[::-1].reshape(3, 3).T + x[:, None] * y[None, :]
    ),
    "cuts": lambda x, y, p: (x * y)[1:] * x[0] + jnp.split(x * y, 3)[2] + jnp.roll(x - y, 1)[:2],
    "indices": lambda x, y, p: (x * y)[jnp.array([2, 0, 0])] + y[-1] * x.at[1].set(2 * y[0]),
    "dynamic": lambda x, y, p: (
        lax.dynamic_slice(x * y, (1,), (2,)) + lax.dynamic_update_slice(x - y, p[:1], (2,))[1:]
    ),
    "stacks": lambda x, y, p: jnp.stack([x, y * p, p], 1) + jnp.stack(jnp.unstack(jnp.outer(x, y))),
    "tiles": lambda x, y, p: jnp.tile(x * y, 2) * jnp.repeat(y, 2),
    "additions_at_places": lambda x, y, p: (
        (x * y).at[jnp.array([2, 0, 2, 7])].add(p[0] * y[0]).at[1].subtract(x[2]).at[0].add(y[1])
    ),
    "padding": lambda x, y, p: (
        jnp.pad(x * y, 2) + lax.pad(x - y, 7.0, ((1, 1, 1),)) + lax.pad(x + y, 1.0, ((5, -1, 0),))
    ),
    "outside_of_an_array": lambda x, y, p: (
        (x * y).at[jnp.array([0, 5])].get(mode="fill", fill_value=3.0)
    ),
    "counting": lambda x, y, p: jnp.arange(3) * x * y + jnp.linspace(0.0, 1.0, 3) * y,
    "inner_maps": lambda x, y, p: jax.vmap(lambda a: jnp.sum(a * y * p))(x),
    "loops": lambda x, y, p: lax.fori_loop(0, 3, lambda k, c: c * x[k] + y, p),
    "scans": lambda x, y, p: jnp.concatenate(
        lax.scan(lambda c, a: (c * a[0] + p[0], c - a), x[1] * y[0], jnp.outer(x, y), reverse=True)[
            1
        ]
    ),
    "branches": lambda x, y, p: (
        lax.cond(x[0] > y[0], lambda a: a * y, lambda a: a - y, x)
        + lax.switch((3 * y[1]).astype(int), [lambda: x, lambda: x * y, lambda: p * x])
    ),
    "custom_jvp": lambda x, y, p: jax.nn.relu(x - y) + jax.nn.softplus(x * y) + jax.nn.silu(x - y),
    "custom_vjp": lambda x, y, p: doubled(x * y) * p,
    "softmax": lambda x, y, p: jax.nn.softmax(x * y) + jax.nn.logsumexp(x - y),
    "gelu": lambda x, y, p: jax.nn.gelu(x - y) + jax.nn.gelu(x * y, approximate=False),
    "checkpoints": lambda x, y, p: jax.checkpoint(jnp.sin)(x * y),
    "barriers": lambda x, y, p: sum(lax.optimization_barrier((x * y, y))),
    "names": lambda x, y, p: checkpoint_name(x * y, "product") * p,
    "copies": lambda x, y, p: jnp.array(x * y, copy=True),
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def primitives(jaxpr) -> set[str]:
    found = set()
    for equation in graph_of(jaxpr).equations:
        found.add(equation.name)
        for inner in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")
        ):
            if hasattr(inner, "eqns"):
                found |= primitives(inner)
    return found


def test_every_rule_has_a_function():
    used = set()
    for function in FUNCTIONS.values():
        used |= primitives(jax.make_jaxpr(function)(*(jnp.ones(3),) * 3))
    assert RULES.keys() - used <= RARE


@every_function
def test_values_and_gradients(function, dense, points, loss, agree):
    def both(of):
        return lambda *args: (of(*args), jax.grad(loss(of), (0, 1, 2))(*args))

    found, expected = jax.jit(
        lambda *args: [
            both(of)(*args) for of in (reduce_pairs(function, in_axes=AXES), dense(function, AXES))
        ]
    )(*points())
    agree(found, expected)


@pytest.mark.parametrize(
    "numbers", [[0.0, 1.0, -1.0], [0.5, 1.5, 2.5], [np.nan, np.inf, -np.inf], [0.0, -0.0, 0.5]]
)
@pytest.mark.parametrize("name", ["rounding", "sizes", "extrema", "clamps", "finite"])
def test_special_values(name, numbers, dense):
    function = FUNCTIONS[name]
    x, y, p = jnp.asarray(numbers)[:, None], jnp.asarray(numbers)[:, None], jnp.ones(1)
    found = reduce_pairs(function, in_axes=AXES)(x, y, p)
    np.testing.assert_allclose(found, dense(function, AXES)(x, y, p), rtol=1e-14)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: jnp.sort(x * y),
        lambda x, y: jnp.sort(x * y, descending=True),
        lambda x, y: jnp.argmax(x * y),
        lambda x, y: jnp.argmin(x * y),
        lambda x, y: jnp.argmin(jnp.stack([x, y]), axis=0),
        lambda x, y: jnp.stack([jnp.max(x * y), jnp.min(x * y), jnp.median(x * y)]),
        lambda x, y: jnp.nanmax(x * y) + jnp.nanmin(x * y),
        lambda x, y: jax.lax.cummax(x * y),
    ],
)
def test_nan_has_its_place_among_components_that_jax_gives_it(function, dense):
    x = np.array([[3, np.nan, 1], [np.inf, np.nan, 2], [np.nan, -np.inf, np.nan], [2, 0, -1]])
    y = np.ones((1, 3))
    found = reduce_pairs(function)(x, y)
    np.testing.assert_array_equal(found, dense(function, ("i", "j"))(x, y))


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: jnp.maximum(x, y),
        lambda x, y: jnp.maximum(x - y, 0),
        lambda x, y: jnp.minimum(0, x * y),
        lambda x, y: jnp.clip(x - y, 0, 1),
        lambda x, y: jnp.abs(x - y),
        lambda x, y: jnp.abs(x - y).max(),
        lambda x, y: jax.nn.relu(x - y),
        lambda x, y: (x - y).max(),
        lambda x, y: jnp.sign(x - y) * x,
    ],
)
def test_ties_have_the_gradients_of_jax(function, dense, loss, agree):
    x = jnp.asarray([[0.0, 0.0], [1.0, 0.0]])
    found = jax.grad(loss(reduce_pairs(function)), (0, 1))(x, x)
    agree(found, jax.grad(loss(dense(function)), (0, 1))(x, x))


@pytest.mark.parametrize(
    ("function", "numbers"),
    [
        (jnp.sinh, [0.0, 1000.0, -1000.0]),
        (jnp.arcsinh, [0.0, -0.0, 1e200, -1e200]),
        (jnp.arccosh, [1.0, 2.0, 1e200, np.inf]),
        (jnp.arctanh, [0.0, 1.0, -1.0]),
        (jnp.cbrt, [0.0, -8.0]),
    ],
)
def test_values_and_slopes_at_ends(function, numbers):
    x = jnp.asarray(numbers)
    found = reduce_pairs(lambda x, y: function(x * y))
    one = jnp.ones(1)
    np.testing.assert_allclose(found(x, one), function(x), rtol=1e-14)
    slopes = jax.grad(lambda x: found(x, one).sum())(x)
    np.testing.assert_allclose(slopes, jax.vmap(jax.grad(function))(x), rtol=1e-14, atol=1e-199)


def test_zero_to_a_power_does_not_move_with_the_power(dense, agree):
    x, y, p = jnp.asarray([[0.0, 1.0, 3.0]]), jnp.asarray([[0.0, 1.0, 1.0]]), jnp.asarray([1.5])
    slope = lambda of: jax.grad(lambda *args: of(*args).sum(), (0, 1, 2))
    power = lambda x, y, p: jnp.sum(jnp.abs(x - y) ** p)
    agree(slope(reduce_pairs(power, in_axes=AXES))(x, y, p), slope(dense(power, AXES))(x, y, p))


@pytest.mark.parametrize("divisor", [np.inf, -np.inf, 3.0])
@pytest.mark.parametrize("function", [lax.rem, jnp.mod])
def test_a_remainder_of_less_than_the_divisor_is_what_is_divided(function, divisor):
    x = jnp.asarray([0.0, 0.3, -0.7, 2.9])
    found = reduce_pairs(function)(x, jnp.asarray([divisor]))
    np.testing.assert_allclose(found, function(x, divisor), rtol=1e-14)
