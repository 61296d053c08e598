"""What a function of one pair means: `jax.vmap` of `jax.vmap`, then a reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

REDUCED = {
    "sum": lambda f: f.sum(1),
    "logsumexp": lambda f: jax.nn.logsumexp(f, 1),
    "min": lambda f: f.min(1),
    "max": lambda f: f.max(1),
    "argmin": lambda f: f.argmin(1),
    "argmax": lambda f: f.argmax(1),
}


def all_pairs(function: Callable[..., Any], in_axes: Any, over: str = "j") -> Callable[..., Any]:
    """The values of `function` at all pairs: (M, N, ...), or (N, M, ...) for over="i"."""
    kept = "ji"[over == "j"]

    def axes(letter: str) -> Any:
        return jax.tree.map(
            lambda a: 0 if a == letter else None, in_axes, is_leaf=lambda a: a is None
        )

    return jax.vmap(jax.vmap(function, axes(over)), axes(kept))


@pytest.fixture(autouse=True)
def _quickly_compiled():
    """XLA computes the oracles here, on few numbers: its optimizations cost more than they save."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def dense():
    """The reduction of a function over all pairs, by forming them."""

    def make(function, in_axes=("i", "j"), reduction="sum", over="j"):
        def of(*args):
            return jax.tree.map(REDUCED[reduction], all_pairs(function, in_axes, over)(*args))

        return jax.jit(of)

    return make


@pytest.fixture
def points(rng):
    """Rows i, rows j and a parameter: (4, 3), (5, 3), (3,)."""

    def draw(low=0.2, high=1.0):
        return tuple(jnp.asarray(rng.uniform(low, high, s)) for s in ((4, 3), (5, 3), (3,)))

    return draw
