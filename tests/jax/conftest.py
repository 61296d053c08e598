"""The formulas that every transformation is tested on, each beside its dense function in jnp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.jax import Genred

# Before JAX makes its devices: jax.shard_map is tested on four.
jax.config.update("jax_num_cpu_devices", 4)

EXPAND = {
    "i": lambda array: array[..., :, None, :],
    "j": lambda array: array[..., None, :, :],
    "p": lambda array: array[..., None, None, :],
}
AXIS = {"Vi": "i", "Vj": "j", "Pm": "p"}
OVER = {0: -3, 1: -2}  # axis of Genred -> axis of terms of shape (..., M, N, D)


@dataclass(frozen=True)
class Case:
    """A reduction and what it means: `terms` gives all pairs at once, (..., M, N, D)."""

    name: str
    formula: str
    aliases: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    terms: Callable[..., jax.Array]
    reduction: str = "Sum"
    axis: int = 1

    @property
    def genred(self) -> Genred:
        return Genred(self.formula, self.aliases, self.reduction, axis=self.axis)

    @property
    def slots(self) -> tuple[int, ...]:
        return tuple(range(len(self.shapes)))

    def dense(self, *arrays: jax.Array) -> jax.Array:
        axes = [AXIS[alias.split("=")[1].strip()[:2]] for alias in self.aliases]
        pairs = [EXPAND[axis](array) for axis, array in zip(axes, arrays, strict=True)]
        terms = self.terms(*pairs)
        full = jnp.broadcast_shapes(*(pair.shape[:-1] for pair in pairs))
        terms = jnp.broadcast_to(terms, (*full, terms.shape[-1]))
        if self.reduction == "LogSumExp":
            return jax.nn.logsumexp(terms, OVER[self.axis])
        return terms.sum(OVER[self.axis])

    def arrays(self, rng: np.random.Generator, dtype: str = "float64") -> tuple[jax.Array, ...]:
        return tuple(jnp.asarray(rng.uniform(0.2, 1, shape), dtype) for shape in self.shapes)


def square(x: jax.Array) -> jax.Array:
    return (x * x).sum(-1, keepdims=True)


GAUSSIAN = (
    "Exp(-p * SqDist(x, y)) * b",
    ("x = Vi(3)", "y = Vj(3)", "b = Vj(2)", "p = Pm(1)"),
)
CASES = (
    Case(
        "gaussian",
        *GAUSSIAN,
        ((5, 3), (4, 3), (4, 2), (1,)),
        lambda x, y, b, p: jnp.exp(-p * square(x - y)) * b,
    ),
    Case(
        "gaussian_over_i",
        *GAUSSIAN,
        ((5, 3), (4, 3), (4, 2), (1,)),
        lambda x, y, b, p: jnp.exp(-p * square(x - y)) * b,
        axis=0,
    ),
    Case(
        "gaussian_in_batches",
        *GAUSSIAN,
        ((2, 1, 3, 3), (1, 2, 2, 3), (2, 2, 2, 2), (2, 1, 1)),
        lambda x, y, b, p: jnp.exp(-p * square(x - y)) * b,
    ),
    Case(
        "log_sum_exp",
        "p * (x | y) - SqDist(x, y)",
        ("x = Vi(2)", "y = Vj(2)", "p = Pm(1)"),
        ((4, 2), (3, 2), (1,)),
        lambda x, y, p: p * (x * y).sum(-1, keepdims=True) - square(x - y),
        reduction="LogSumExp",
    ),
    Case(
        "log_sum_exp_over_i_in_batches",
        "p * (x | y) - SqDist(x, y)",
        ("x = Vi(2)", "y = Vj(2)", "p = Pm(1)"),
        ((2, 3, 2), (1, 2, 2), (2, 1)),
        lambda x, y, p: p * (x * y).sum(-1, keepdims=True) - square(x - y),
        reduction="LogSumExp",
        axis=0,
    ),
    Case(
        "vectors_and_numbers",
        "Sin(x * y) * s + a * y",
        ("x = Vi(3)", "y = Vj(3)", "s = Vj(1)", "a = Vi(1)"),
        ((3, 3), (4, 3), (4, 1), (3, 1)),
        lambda x, y, s, a: jnp.sin(x * y) * s + a * y,
    ),
    Case(
        "nothing_reduced_is_read",
        "Exp(x) * p",
        ("x = Vi(2)", "y = Vj(3)", "p = Pm(2)"),
        ((3, 2), (4, 3), (2,)),
        lambda x, y, p: jnp.exp(x) * p,
    ),
    Case(
        "parameters_only",
        "Exp(p) * q",
        ("p = Pm(2)", "q = Pm(1)"),
        ((2,), (1,)),
        lambda p, q: jnp.exp(p) * q,
    ),
)
BY_NAME = {case.name: case for case in CASES}


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request) -> Case:
    return request.param


@pytest.fixture
def gaussian() -> Case:
    return BY_NAME["gaussian"]


@pytest.fixture
def by_name() -> dict[str, Case]:
    return BY_NAME


@pytest.fixture
def mesh() -> jax.sharding.Mesh:
    """Four devices in a row, called "r"."""
    return jax.make_mesh((4,), ("r",), axis_types=(jax.sharding.AxisType.Auto,))


@pytest.fixture(autouse=True)
def _x64():
    """Tests are in float64, unless they say otherwise."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def loss():
    """A function with a cotangent that is different for each entry of the result."""

    def make(function):
        def of(*arrays):
            result = function(*arrays)
            weights = jnp.cos(jnp.arange(result.size, dtype=result.dtype)).reshape(result.shape)
            return (weights * result * result).sum()

        return of

    return make


@pytest.fixture
def agree():
    """Asserts that two trees of arrays agree, to the rounding of a few dozen operations.

    An error is measured against the greatest entry of its array.
    """

    def check(found, expected):
        assert jax.tree.structure(found) == jax.tree.structure(expected)
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert a.shape == b.shape
            assert a.dtype == b.dtype
            scale = np.abs(np.asarray(b)).max(initial=0.0)
            bound = 64 * np.finfo(b.dtype).eps * max(scale, 1.0)
            np.testing.assert_allclose(a, b, rtol=0, atol=bound)

    return check
