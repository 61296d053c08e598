"""Models of Equinox and parameters of optax and jaxopt are trained through reductions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.jax import Genred, Vi, Vj

eqx = pytest.importorskip("equinox")
optax = pytest.importorskip("optax")

N, STEPS = 12, 5
EPS = np.finfo(np.float64).eps


@pytest.fixture
def data(rng):
    x = jnp.asarray(rng.uniform(-1, 1, (N, 2)))
    return x, jnp.sin(3 * x[:, :1]) + 0.1 * jnp.asarray(rng.normal(size=(N, 1)))


class GaussianProcess(eqx.Module):
    """Its covariance is a Gaussian kernel and noise; parameters are logarithms."""

    log_width: jax.Array
    log_noise: jax.Array

    def covariance(self, x):
        return (-Vi(x).sqdist(Vj(x)) * jnp.exp(-2 * self.log_width) / 2).exp()

    def loss(self, x, values):
        """Minus the log of the marginal likelihood, but for a constant.

        The determinant has the gradient tr(A^-1 dA), which unit vectors probe without an error.
        """
        K, noise = self.covariance(x), jnp.exp(self.log_noise)
        weights = K.solve(values, alpha=noise, eps=1e-13)
        probes = jnp.eye(N)
        solved = jax.lax.stop_gradient(K.solve(probes, alpha=noise, eps=1e-13))
        log_determinant = (solved * (K @ probes + noise * probes)).sum()
        return (values * weights).sum() / 2 + log_determinant / 2


def dense_loss(process, x, values):
    squared = ((x[:, None] - x) ** 2).sum(-1)
    matrix = jnp.exp(-squared * jnp.exp(-2 * process.log_width) / 2)
    matrix += jnp.exp(process.log_noise) * jnp.eye(N)
    determinant = jnp.linalg.slogdet(matrix)[1]
    return (values * jnp.linalg.solve(matrix, values)).sum() / 2 + determinant / 2


def trained(loss, process, data):
    optimiser = optax.adam(0.1)

    @eqx.filter_jit
    def run(process):
        def step(carry, _):
            process, state = carry
            gradient = eqx.filter_grad(loss)(process, *data)
            updates, state = optimiser.update(gradient, state)
            return (eqx.apply_updates(process, updates), state), None

        start = process, optimiser.init(process)
        return jax.lax.scan(step, start, length=STEPS)[0][0]

    return run(process)


def test_a_gaussian_process_is_trained_as_with_its_dense_matrix(data):
    process = GaussianProcess(jnp.log(0.7), jnp.log(0.3))
    found = trained(GaussianProcess.loss, process, data)
    expected = trained(dense_loss, process, data)
    assert abs(found.log_width - process.log_width) > 0.1
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


class Smoother(eqx.Module):
    """A network of points, whose reduction is a part of the model that holds no array."""

    embed: eqx.nn.MLP
    reduce: Genred = eqx.field(static=True)

    def __call__(self, x, values):
        z = jax.vmap(self.embed)(x)
        return self.reduce(z, z, values)


def test_a_network_learns_through_a_reduction_in_mixed_batches(data):
    smooth = Genred(
        "- SqDist(x, y)",
        ["x = Vi(3)", "y = Vj(3)", "b = Vj(1)"],
        "SumSoftMaxWeight",
        1,
        formula2="b",
    )
    model = Smoother(eqx.nn.MLP(2, 3, 8, 1, key=jax.random.key(0)), smooth)
    x, values = (jnp.stack([each, each[::-1]]) for each in data)

    def loss(model, x, values):
        return ((jax.vmap(model)(x, values) - values) ** 2).mean()

    def dense(model, x, values):
        z = jax.vmap(jax.vmap(model.embed))(x)
        scores = -((z[:, :, None] - z[:, None]) ** 2).sum(-1)
        return ((jax.nn.softmax(scores, -1) @ values - values) ** 2).mean()

    found, expected = (
        eqx.filter_jit(eqx.filter_value_and_grad(each))(model, x, values) for each in (loss, dense)
    )
    for one, other in zip(
        *(jax.tree.leaves(eqx.filter(each, eqx.is_array)) for each in (found, expected)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=64 * EPS)


def test_jaxopt_finds_the_minimum_and_its_derivative(data):
    """Of a soft distance to data: the minimum moves with the data."""
    jaxopt = pytest.importorskip("jaxopt")

    def soft_distance(centre, points):
        return -(-Vi(centre).sqdist(Vj(points))).logsumexp(axis=1).sum()

    def mode(points):
        solver = jaxopt.GradientDescent(soft_distance, stepsize=0.3, tol=1e-12)
        return solver.run(jnp.zeros((1, 2)), points).params

    @jax.jit
    def mode_and_slopes(points):
        found, pulled = jax.vjp(mode, points)
        return found, pulled(jnp.array([[1.0, 2.0]]))[0]

    found, slopes = mode_and_slopes(data[0])
    np.testing.assert_allclose(jax.grad(soft_distance)(found, data[0]), 0, atol=1e-9)
    np.testing.assert_allclose(slopes.sum(0), [1, 2], rtol=1e-6)
