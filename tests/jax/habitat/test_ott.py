"""Point clouds of ott-jax that are reduced and not formed: what ott's own PointCloud gives."""

from __future__ import annotations

import importlib
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.errors import ArgumentTypeError

pytest.importorskip("ott")

from ott.geometry import costs
from ott.geometry.pointcloud import PointCloud
from ott.solvers import linear
from ott.tools.sinkhorn_divergence import sinkhorn_divergence

from jaxkeops.jax.ott import LazyPointCloud

M, N, D = 7, 5, 3


@jax.tree_util.register_pytree_node_class
class Absolute(costs.CostFn):
    """A cost that jaxkeops does not know, and that is not symmetric."""

    def __call__(self, x, y):
        return jnp.abs(x - 2 * y).sum()

    def lazy(self, x, y):
        return (x - 2 * y).abs().sum()


COSTS = (
    costs.SqEuclidean(),
    costs.Euclidean(),
    costs.EuclideanP(1.5),
    costs.PNormP(1.5),
    costs.NegDotProduct(),
    costs.Cosine(),
    Absolute(),
)


@pytest.fixture
def clouds(rng):
    return jnp.asarray(rng.normal(size=(M, D))), jnp.asarray(rng.normal(size=(N, D)) + 0.5)


@pytest.fixture
def potentials(rng):
    return jnp.asarray(rng.normal(size=M)), jnp.asarray(rng.normal(size=N))


every_cost = pytest.mark.parametrize("cost", COSTS, ids=lambda cost: type(cost).__name__)
two_costs = pytest.mark.parametrize("cost", [COSTS[0], COSTS[-1]], ids=["square", "own"])


@every_cost
def test_a_lazy_cost_has_the_values_and_the_slopes_of_the_cost(cost, clouds, agree):
    x, y = clouds
    y = y.at[0].set(x[0])  # where two points meet, distances have the derivative 0
    weights = jnp.cos(jnp.arange(M * N)).reshape(M, N)

    # Apart, for the value that ott's norm has at 0 is wrong where it is differentiated.
    def value_and_slopes(matrix):
        def total(*given):
            return (weights * matrix(*given)).sum()

        return jax.jit(lambda *given: (matrix(*given), jax.grad(total, (0, 1))(*given)))

    found = value_and_slopes(lambda *given: LazyPointCloud(*given, cost).costs().dense())
    agree(found(x, y), value_and_slopes(cost.all_pairs)(x, y))


@pytest.mark.parametrize("scale", [1.0, 2.5, "mean", "max_cost"])
@two_costs
def test_scales_are_those_of_the_dense_point_cloud(cost, scale, clouds, agree):
    @partial(jax.jit, static_argnums=0)
    def scales(kind, x, y):
        geometry = kind(x, y, cost, scale_cost=scale)
        return geometry.epsilon, geometry.inv_scale_cost

    agree(scales(LazyPointCloud, *clouds), scales(PointCloud, *clouds))


@two_costs
def test_everything_that_is_applied_is_that_of_the_dense_point_cloud(
    cost, clouds, potentials, agree
):
    @partial(jax.jit, static_argnums=0)
    def applied(kind, x, y, f, g):
        geometry = kind(x, y, cost, epsilon=1.0, scale_cost=2.0)
        results = []
        for axis, vec in ((0, f), (1, g)):
            results += [
                geometry.apply_lse_kernel(f, g, 2.0, axis=axis)[0],
                *geometry.apply_lse_kernel(f, g, 1.0, vec=vec, axis=axis),  # of both signs
                geometry.apply_kernel(vec, 2.0, axis=axis),
                geometry.apply_kernel(vec, axis=axis),
                geometry.marginal_from_potentials(f, g, axis=axis),
                geometry.apply_transport_from_potentials(f, g, jnp.stack([vec, -vec]), axis=axis),
                geometry.apply_transport_from_potentials(f, g, vec, axis=axis),
                geometry.apply_cost(vec[:, None], axis=axis),
                geometry.apply_square_cost(vec, axis=axis),
                geometry.apply_cost(vec, axis=axis, fn=jnp.sin),
            ]
        return results

    given = (*clouds, *potentials)
    agree(applied(LazyPointCloud, *given), applied(PointCloud, *given))


def test_gradients_are_those_of_the_dense_point_cloud(clouds, potentials, agree):
    def loss(kind):
        def of(x, y, f, g, eps):
            geometry = kind(x, y, epsilon=eps)
            logs = [geometry.apply_lse_kernel(f, g, eps, axis=axis)[0] for axis in (0, 1)]
            signed, _ = geometry.apply_lse_kernel(f, g, eps, vec=g, axis=1)
            moved = geometry.apply_transport_from_potentials(f, g, g, axis=1)
            return sum(jnp.sin(each).sum() for each in (*logs, signed, moved))

        return jax.jit(jax.grad(of, (0, 1, 2, 3, 4)))(*clouds, *potentials, 2.0)

    agree(loss(LazyPointCloud), loss(PointCloud))


def test_sinkhorn_ends_where_that_of_the_dense_point_cloud_ends(clouds):
    weights = jnp.array([0.3, 0, 0.2, 0.1, 0.1, 0.2, 0.1])  # a point without mass

    @partial(jax.jit, static_argnums=0)
    def solve(kind, x, y):
        return linear.solve(kind(x, y, epsilon=0.5), a=weights, threshold=1e-9)

    result, expected = (solve(kind, *clouds) for kind in (LazyPointCloud, PointCloud))
    assert result.converged
    np.testing.assert_allclose(result.reg_ot_cost, expected.reg_ot_cost, rtol=1e-12)
    np.testing.assert_allclose(result.matrix, expected.matrix, atol=1e-12)


def test_the_end_of_sinkhorn_has_the_gradient_that_differences_have(clouds):
    slopes = jnp.sin(jnp.arange(N))
    slopes -= slopes.mean()  # potentials are known up to a constant

    @jax.jit
    @jax.value_and_grad
    def loss(x):
        result = linear.solve(LazyPointCloud(x, clouds[1], epsilon=0.5), threshold=1e-12)
        # The cost has the gradient of its optimum, the potential one by implicit derivatives.
        return result.reg_ot_cost + slopes @ result.g

    x, step = clouds[0], 1e-4 * jnp.cos(jnp.arange(M * D)).reshape(M, D)
    difference = (loss(x + step)[0] - loss(x - step)[0]) / 2
    # The rule of differences leaves the square of the step, 1e-8.
    np.testing.assert_allclose((loss(x)[1] * step).sum(), difference, rtol=1e-6)


def test_sinkhorn_of_scalings_is_that_of_potentials(clouds):
    geometry = LazyPointCloud(*clouds, epsilon=0.5)
    costs_of = [
        linear.solve(geometry, lse_mode=lse_mode, threshold=1e-9).reg_ot_cost
        for lse_mode in (True, False)
    ]
    np.testing.assert_allclose(*costs_of, rtol=1e-8)


def test_the_divergence_of_a_cloud_and_its_shift_is_the_squared_shift(clouds):
    shift = jnp.array([0.3, -0.1, 0.2])

    def divergence(x):
        exact = {"threshold": 1e-9}
        other = clouds[0] + shift
        return sinkhorn_divergence(LazyPointCloud, x, other, epsilon=0.5, solve_kwargs=exact)[0]

    value, gradient = jax.jit(jax.value_and_grad(divergence))(clouds[0])
    np.testing.assert_allclose(value, (shift**2).sum(), rtol=1e-7)
    np.testing.assert_allclose(gradient, jnp.tile(-2 * shift / M, (M, 1)), atol=1e-7)


def test_the_matrix_of_pairs_is_not_formed(rng):
    x = rng.normal(size=(3000, D)).astype(np.float32)

    def cost(x):
        return linear.solve(LazyPointCloud(x, x + 1, epsilon=1.0), max_iterations=20).reg_ot_cost

    compiled = jax.jit(jax.value_and_grad(cost)).lower(x).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < x.shape[0] ** 2


def test_a_cost_without_lazy_values_is_refused(clouds):
    cloud = LazyPointCloud(*clouds, costs.SqPNorm(3.0), epsilon=1.0)
    with pytest.raises(ArgumentTypeError, match="SqPNorm has no lazy values: known are SqEuclid"):
        cloud.apply_kernel(jnp.ones(N), axis=1)


def test_a_cloud_may_be_mapped_and_passed_to_jit(clouds, potentials, agree):
    x, y = clouds
    _, g = potentials

    @jax.jit
    def kernel(geometry):
        return geometry.apply_kernel(g, axis=1)

    several = jnp.stack([x, x + 1])
    found = jax.vmap(lambda x: kernel(LazyPointCloud(x, y, epsilon=1.0)))(several)
    expected = jnp.stack([kernel(PointCloud(x, y, epsilon=1.0)) for x in several])
    agree(found, expected)


def test_who_imports_the_adapter_without_ott_reads_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "jaxkeops.jax.ott")
    monkeypatch.setitem(sys.modules, "ott.geometry", None)
    with pytest.raises(ImportError, match="pip install ott-jax"):
        importlib.import_module("jaxkeops.jax.ott")
