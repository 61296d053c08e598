"""Solves outside of `jax.jit`: what one call has compiled serves the next."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.jax import KernelSolve, Vi, Vj

M = 20


@pytest.fixture
def compilations(caplog) -> Callable[[Callable[[], Any]], int]:
    """How many programs XLA compiles for a call."""

    def count(call: Callable[[], Any]) -> int:
        caplog.clear()
        with caplog.at_level(logging.WARNING), jax.log_compiles():
            jax.block_until_ready(call())
        return sum("Finished XLA compilation" in record.message for record in caplog.records)

    return count


@pytest.fixture
def given(rng) -> tuple[jax.Array, jax.Array]:
    rows = jnp.asarray(rng.normal(size=(M, 3)).astype(np.float32))
    return rows, jnp.asarray(rng.normal(size=(M, 2)).astype(np.float32))


def lazy(x: jax.Array, b: jax.Array, alpha: float = 0.5, **options: Any) -> jax.Array:
    return (-Vi(x).sqdist(Vj(x))).exp().solve(b, alpha=alpha, **options)


def dense(x: jax.Array, b: jax.Array, alpha: float = 0.5) -> jax.Array:
    K = jnp.exp(-((x[:, None] - x[None]) ** 2).sum(-1))
    return jnp.linalg.solve(K + alpha * jnp.eye(len(x)), b)


def close(found: jax.Array, expected: jax.Array) -> None:
    # Residuals of 1e-6 a number, over the least eigenvalue, 1/4 or more: |error| <= 4e-6 sqrt(2 M).
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-5)


def halved(residual: jax.Array) -> jax.Array:
    return residual / 2


@pytest.mark.parametrize("options", [{}, {"preconditioner": halved}, {"report": True, "eps": 5e-7}])
def test_other_numbers_are_solved_by_the_same_program(options, given, compilations):
    x, b = given
    y, c = 2 * x, b + 1
    alphas = iter([0.5, 0.25, 1.0])

    def call(x: jax.Array, b: jax.Array) -> jax.Array:
        return lazy(x, b, next(alphas), **options)

    assert compilations(lambda: call(x, b)) > 0
    assert compilations(lambda: call(y, c)) == 0
    found = call(y, c)
    close(found[0] if options.get("report") else found, dense(y, c, 1.0))


def test_a_kernel_solve_is_compiled_once(given, compilations):
    x, b = given
    solve = KernelSolve("Exp(-SqDist(x, y)) * a", ["x=Vi(3)", "y=Vj(3)", "a=Vj(2)"], "a", axis=1)

    def call(alpha: float) -> jax.Array:
        return solve(x, x, b, alpha=alpha)

    assert compilations(lambda: call(0.5)) > 0
    assert compilations(lambda: call(0.25)) == 0
    close(call(1.0), dense(x, b, 1.0))


def test_derivatives_are_compiled_once(given, compilations):
    x, b = given

    def slope(x: jax.Array) -> jax.Array:
        return jax.grad(lambda x: jnp.sin(lazy(x, b, eps=1e-8)).sum())(x)

    again = 0.5 * x
    assert compilations(lambda: slope(x)) > 0
    assert compilations(lambda: slope(again)) == 0
    expected = jax.grad(lambda x: jnp.sin(dense(x, b)).sum())(again)
    np.testing.assert_allclose(slope(again), expected, rtol=0, atol=1e-3 * abs(expected).max())


def test_what_stops_it_is_no_number_of_the_program(given):
    x, b = given
    exact = dense(x, b)
    errors = [abs(lazy(x, b, eps=eps, rtol=0.0) - exact).max() for eps in (1e-1, 1e-6)]
    assert errors[1] < 1e-4 < errors[0]


def test_a_preconditioner_may_take_in_what_is_traced(given):
    x, b = given
    with jax.checking_leaks():

        @jax.jit
        def solved(x: jax.Array, scale: jax.Array) -> jax.Array:
            return lazy(x, b, preconditioner=lambda residual: residual * scale)

        close(solved(x, jnp.float32(0.5)), dense(x, b))


def test_a_preconditioner_need_not_have_a_hash(given):
    class Scaling:
        __hash__ = None

        def __call__(self, residual: jax.Array) -> jax.Array:
            return residual / 3

    x, b = given
    close(lazy(x, b, preconditioner=Scaling()), dense(x, b))
