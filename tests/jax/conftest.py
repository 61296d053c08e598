"""The formulas that every transformation is tested on, each beside its dense function in jnp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.jax import Genred

# Before JAX makes its devices.
jax.config.update("jax_num_cpu_devices", 8)

EXPAND = {
    "i": lambda array: array[..., :, None, :],
    "j": lambda array: array[..., None, :, :],
    "p": lambda array: array[..., None, None, :],
}
AXIS = {"Vi": "i", "Vj": "j", "Pm": "p"}
OVER = {0: -3, 1: -2}  # axis of Genred -> axis of terms of shape (..., M, N, D)


def log_sum_exp(f, g, count):
    return jax.nn.logsumexp(f, -2) if g is None else jnp.log((jnp.exp(f) * g).sum(-2))


def softmax(f, g, count):
    return (jax.nn.softmax(f, -2) * g).sum(-2)


def max_sum(f, g, count):
    """The maximum is held fixed, as the derivatives of this reduction are defined."""
    top = jax.lax.stop_gradient(f.max(-2, keepdims=True))
    powers = jnp.exp(f - top) * (1 if g is None else g)
    return jnp.concatenate([top[..., 0, :], powers.sum(-2)], -1)


def lowest(f, g, count):
    """Ties go to the first row, in derivatives too; zeros where there are too few rows."""
    order = jnp.argsort(jax.lax.stop_gradient(f), -2, stable=True)[..., :count, :]
    missing = [(0, 0)] * (f.ndim - 2) + [(0, max(0, count - f.shape[-2])), (0, 0)]
    found = jnp.pad(jnp.take_along_axis(f, order, -2), missing)
    return found[..., 0] if f.shape[-1] == 1 else found


DENSE = {
    "Sum": lambda f, g, count: f.sum(-2),
    "Zero": lambda f, g, count: jnp.zeros_like(f.sum(-2)),
    "LogSumExp": log_sum_exp,
    "LogSumExpWeight": log_sum_exp,
    "SumSoftMaxWeight": softmax,
    "Max_SumShiftExp": max_sum,
    "Max_SumShiftExpWeight": max_sum,
    "Min": lambda f, g, count: lowest(f, g, 1).reshape(*f.shape[:-2], -1),
    "Max": lambda f, g, count: -lowest(-f, g, 1).reshape(*f.shape[:-2], -1),
    "KMin": lowest,
}
DENSE |= {"Min_ArgMin": DENSE["Min"], "Max_ArgMax": DENSE["Max"], "KMin_ArgKMin": lowest}


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
    weight: str | None = None
    weights: Callable[..., jax.Array] | None = None
    count: int | None = None

    @property
    def genred(self) -> Genred:
        return Genred(
            self.formula,
            self.aliases,
            self.reduction,
            axis=self.axis,
            formula2=self.weight,
            opt_arg=self.count,
        )

    def values(self, *arrays: jax.Array) -> jax.Array:
        """The first result of `genred`, with zeros for what is infinite."""
        result = jax.tree.leaves(self.genred(*arrays))[0]
        return jnp.where(jnp.isfinite(result), result, 0)

    @property
    def slots(self) -> tuple[int, ...]:
        return tuple(range(len(self.shapes)))

    def dense(self, *arrays: jax.Array) -> jax.Array:
        axes = [AXIS[alias.split("=")[1].strip()[:2]] for alias in self.aliases]
        pairs = [EXPAND[axis](array) for axis, array in zip(axes, arrays, strict=True)]
        full = jnp.broadcast_shapes(*(pair.shape[:-1] for pair in pairs))

        def along(terms: Callable[..., jax.Array]) -> jax.Array:
            found = terms(*pairs)
            found = jnp.broadcast_to(found, (*full, found.shape[-1]))
            return jnp.moveaxis(found, OVER[self.axis], -2)

        weights = along(self.weights) if self.weights else None
        return DENSE[self.reduction](along(self.terms), weights, self.count)

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


def reduced(reduction: str, vectors: bool, weighted: bool, count: int | None = None) -> Case:
    """A case for a reduction: of a number or a vector for each pair, with weights or without."""
    kind = "_of_vectors" * vectors + "_with_weights" * weighted
    return Case(
        f"{reduction}{kind}{'' if count is None else f'_{count}'}",
        "Sin(p * x - y)" if vectors else "p * SqDist(x, y)",
        ("x = Vi(2)", "y = Vj(2)", "b = Vj(2)", "p = Pm(1)"),
        ((3, 2), (4, 2), (4, 2), (1,)),
        (lambda x, y, b, p: jnp.sin(p * x - y))
        if vectors
        else lambda x, y, b, p: p * square(x - y),
        reduction=reduction,
        weight="b * Elem(x, 0)" if weighted else None,
        weights=(lambda x, y, b, p: b * x[..., :1]) if weighted else None,
        count=count,
    )


# Every reduction that has derivatives, but for Sum.
REDUCED = (
    reduced("Zero", True, False),
    reduced("LogSumExp", True, False),
    reduced("LogSumExp", False, True),
    reduced("LogSumExpWeight", False, True),
    reduced("SumSoftMaxWeight", False, True),
    reduced("Max_SumShiftExp", False, False),
    reduced("Max_SumShiftExpWeight", False, True),
    reduced("Min", False, False),
    reduced("Min_ArgMin", False, False),
    reduced("Max", True, False),
    reduced("Max_ArgMax", False, False),
    reduced("KMin", False, False, 2),
    reduced("KMin_ArgKMin", True, False, 6),
)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request) -> Case:
    return request.param


@pytest.fixture(params=REDUCED, ids=lambda case: case.name)
def reduced_case(request) -> Case:
    return request.param


@pytest.fixture
def gaussian() -> Case:
    return BY_NAME["gaussian"]


@pytest.fixture
def by_name() -> dict[str, Case]:
    return BY_NAME


@pytest.fixture
def reduced_by_name() -> dict[str, Case]:
    return {case.name: case for case in REDUCED}


@pytest.fixture
def reductions_with_cases() -> set[str]:
    return {case.reduction for case in (*CASES, *REDUCED)}


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
            if jnp.issubdtype(b.dtype, jnp.integer):
                np.testing.assert_array_equal(a, b)
                continue
            scale = np.abs(np.asarray(b)).max(initial=0.0)
            bound = 64 * np.finfo(b.dtype).eps * max(scale, 1.0)
            np.testing.assert_allclose(a, b, rtol=0, atol=bound)

    return check
