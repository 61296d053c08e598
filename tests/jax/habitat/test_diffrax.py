"""Differential equations of diffrax whose vector field is a reduction."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.jax import Vi, Vj

diffrax = pytest.importorskip("diffrax")

M = 6


def lazy_field(t, q, strength):
    """Points attract each other, by a kernel."""
    kernel = (-Vi(q).sqdist(Vj(q))).exp() * strength
    return (kernel * (Vj(q) - Vi(q))).sum(axis=1)


def dense_field(t, q, strength):
    differences = q[None] - q[:, None]
    kernel = jnp.exp(-(differences**2).sum(-1)) * strength
    return (kernel[..., None] * differences).sum(1)


def flow(field, adjoint):
    def end(q, strength):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Tsit5(),
            t0=0.0,
            t1=1.0,
            dt0=0.1,
            y0=q,
            args=strength,
            adjoint=adjoint,
            stepsize_controller=diffrax.PIDController(rtol=1e-6, atol=1e-6),
        )
        return solution.ys[-1]

    return end


@pytest.fixture
def given(rng):
    return jnp.asarray(rng.normal(size=(M, 2))), jnp.asarray(0.7)


def test_gradients_through_a_flow_are_those_of_the_dense_field(given):
    def slopes(field):
        end = flow(field, diffrax.RecursiveCheckpointAdjoint())
        return jax.jit(jax.value_and_grad(lambda *each: jnp.sin(end(*each)).sum(), (0, 1)))(*given)

    found, expected = map(jax.tree.leaves, map(slopes, (lazy_field, dense_field)))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_tangents_through_a_flow_are_those_of_the_dense_field(given):
    tangents = jnp.cos(jnp.arange(2 * M)).reshape(M, 2), jnp.asarray(1.0)

    def pushed(field):
        end = flow(field, diffrax.ForwardMode())
        return jax.jit(lambda *each: jax.jvp(end, each, tangents))(*given)

    for one, other in zip(pushed(lazy_field), pushed(dense_field), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
