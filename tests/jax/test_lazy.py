"""Lazy tensors of JAX arrays: jit, grad, vmap and the rest, and as pytrees."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.jax import ComplexLazyTensor, LazyTensor, Vi, Vj, cluster

M, N, D = 4, 5, 3


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def arrays(rng):
    return tuple(jnp.asarray(rng.uniform(0.2, 1.2, shape)) for shape in ((M, D), (N, D), ()))


def lazy_kernel(x, y, p):
    return (-((Vi(x) - Vj(y)) ** 2).sum(-1) * p / 2).exp()


def dense_kernel(x, y, p):
    return jnp.exp(-((x[:, None] - y) ** 2).sum(-1) * p / 2)


REDUCTIONS = {
    "sum": (lambda K: K.sum(1), lambda K: K.sum(1)[:, None]),
    "logsumexp": (lambda K: K.logsumexp(1), lambda K: jax.nn.logsumexp(K, 1)[:, None]),
    "min": (lambda K: K.min(dim=1), lambda K: K.min(1)[:, None]),
    "Kmin": (lambda K: K.Kmin(2, dim=1), lambda K: jnp.sort(K, 1)[:, :2]),
    "dense": (lambda K: K.dense(), lambda K: K),
    "product": (lambda K: K @ jnp.ones((N, 2)), lambda K: K @ jnp.ones((N, 2))),
    "columns": (lambda K: K[:, 1:3].sum(1), lambda K: K[:, 1:3].sum(1)[:, None]),
}


def assert_close(result, expected):
    np.testing.assert_allclose(result, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_transformations_of_what_makes_and_reduces_them(name, arrays):
    lazy, dense = REDUCTIONS[name]

    def value(*given):
        return jnp.sin(lazy(lazy_kernel(*given))).sum()

    def known(*given):
        return jnp.sin(dense(dense_kernel(*given))).sum()

    assert_close(jax.jit(value)(*arrays), known(*arrays))
    for k in range(3):
        assert_close(jax.jit(jax.grad(value, k))(*arrays), jax.grad(known, k)(*arrays))
    directions = tuple(jnp.ones_like(array) for array in arrays)
    for one, other in zip(
        jax.jvp(value, arrays, directions), jax.jvp(known, arrays, directions), strict=True
    ):
        assert_close(one, other)
    xs = jnp.stack([arrays[0], 2 * arrays[0]])
    mapped = jax.vmap(value, (0, None, None))(xs, *arrays[1:])
    assert_close(mapped, jnp.stack([known(x, *arrays[1:]) for x in xs]))


def test_second_derivatives(arrays):
    def value(x):
        return lazy_kernel(x, *arrays[1:]).logsumexp(1).sum()

    def known(x):
        return jax.nn.logsumexp(dense_kernel(x, *arrays[1:]), 1).sum()

    assert_close(jax.hessian(value)(arrays[0]), jax.hessian(known)(arrays[0]))


def test_a_lazy_tensor_is_a_pytree_of_its_arrays(arrays):
    K = lazy_kernel(*arrays)
    leaves = jax.tree_util.tree_leaves(K)
    assert [leaf.shape for leaf in leaves if leaf is not None] == [(M, D), (N, D), ()]
    doubled = jax.tree_util.tree_map(lambda leaf: 2 * leaf, K)
    assert isinstance(doubled, LazyTensor)
    assert_close(doubled.dense(), dense_kernel(*(2 * array for array in arrays)))
    assert jax.tree_util.tree_structure(K) == jax.tree_util.tree_structure(lazy_kernel(*arrays))
    assert jax.tree_util.tree_map(lambda leaf: None, K) is not None
    masks = jax.tree_util.tree_map(lambda leaf: leaf.ndim > 0, K)  # as equinox splits trees
    assert jax.tree_util.tree_structure(masks) == jax.tree_util.tree_structure(K)
    kept = jax.tree_util.tree_map(lambda mask, leaf: leaf if mask else None, masks, K)
    restored = jax.tree_util.tree_map(
        lambda one, other: other if one is None else one, kept, K, is_leaf=lambda x: x is None
    )
    assert_close(restored.sum(1), K.sum(1))


def test_lazy_tensors_are_arguments_and_results_of_transformed_functions(arrays):
    K = lazy_kernel(*arrays)
    dense = dense_kernel(*arrays)
    traces = []

    @jax.jit
    def total(K):
        traces.append(K)
        return (K * K).sum(1)

    assert_close(total(K), (dense**2).sum(1)[:, None])
    assert_close(total(lazy_kernel(*arrays) + 0), (dense**2).sum(1)[:, None])
    assert len(traces) <= 2
    made = jax.jit(lazy_kernel)(*arrays)
    assert isinstance(made, LazyTensor)
    assert_close(made.dense(), dense)
    gradient = jax.grad(lambda K: K.sum(1).sum())(K)
    assert_close(
        gradient.variables[0], jax.grad(lambda x: dense_kernel(x, *arrays[1:]).sum())(arrays[0])
    )


def test_products_of_lazy_tensors_are_arguments_too(arrays):
    lazy, dense = lazy_kernel(*arrays), dense_kernel(*arrays)
    v = jnp.ones(M)
    applied = jax.jit(lambda product, v: product @ v)(lazy @ lazy.T, v)
    np.testing.assert_allclose(applied, dense @ dense.T @ v, rtol=1e-12)
    gradient = jax.grad(lambda product: (product @ v).sum())(lazy @ lazy.T)
    expected = jax.grad(lambda x: (dense_kernel(x, *arrays[1:]) @ dense.T @ v).sum())(arrays[0])
    np.testing.assert_allclose(gradient.left.variables[0], expected, rtol=1e-12, atol=1e-12)
    left, right = (LazyTensor(jnp.stack([arrays[k]] * 2)[:, :, None]) for k in (0, 1))
    pairs = ((left * right.T).sum(-1)).exp() @ ((right * left.T).sum(-1)).exp()
    mapped = jax.vmap(lambda product: product.dense())(pairs)
    np.testing.assert_allclose(mapped, pairs.dense(), rtol=1e-12)


def test_a_batch_of_lazy_tensors_is_mapped(rng):
    x, y = jnp.asarray(rng.normal(size=(2, M, 1, D))), jnp.asarray(rng.normal(size=(2, 1, N, D)))
    K = (LazyTensor(x) - LazyTensor(y)).exp()
    assert_close(jax.vmap(lambda K: K.sum(1))(K), jnp.exp(x - y).sum(2))


def test_complex_ones_too(rng):
    z = jnp.asarray(rng.normal(size=(M, D)) + 1j * rng.normal(size=(M, D)))
    y = jnp.asarray(rng.normal(size=(N, D)))
    total = jax.jit(lambda Z, y: (Z**2 / (Vj(y) + 2j)).sum(1))
    assert isinstance(jax.tree_util.tree_map(lambda leaf: leaf, Vi(z)), ComplexLazyTensor)
    assert_close(total(Vi(z), y), (z[:, None] ** 2 / (y + 2j)).sum(1))
    lazy = jax.grad(lambda z: (Vi(z) ** 2 * Vj(y)).abs().sum(1).sum())(z)
    assert_close(lazy, jax.grad(lambda z: jnp.abs(z[:, None] ** 2 * y).sum())(z))


def test_ranges_are_arguments_too(arrays):
    x = arrays[0]
    K = lazy_kernel(x, x, 1.0).segment_ids(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
    kept = np.kron(np.eye(2), np.ones((2, 2)))
    expected = (dense_kernel(x, x, 1.0) * kept).sum(1)[:, None]
    assert_close(jax.jit(lambda K: K.sum(1))(K), expected)
    ranges = cluster.causal(M)
    lower = jax.jit(lambda x: lazy_kernel(x, x, 1.0).causal().sum(1))(x)
    assert_close(lower, lazy_kernel(x, x, 1.0).sum(1, ranges=ranges))


def test_lists_and_numbers_stay_numbers(arrays):
    X = Vi(arrays[0]) * [1.0, 2.0, 3.0] + 0.5
    assert_close(
        jax.jit(lambda X: X.sum(0))(X), (arrays[0] * jnp.arange(1.0, 4) + 0.5).sum(0)[None]
    )


def test_numpy_arrays_take_the_dtype_that_jax_gives_them(rng):
    x = rng.normal(size=(M, D))
    with jax.enable_x64(False):
        lazy = Vi(x) * Vj(jnp.asarray(x))
        assert lazy.dtype == "float32"
        assert lazy.sum(1).dtype == jnp.float32
    assert Vi(x).sum(0).dtype == jnp.float64


def test_solutions_under_jit_grad_vmap_and_hessian(rng):
    x, b = jnp.asarray(rng.normal(size=(10, 2))), jnp.asarray(rng.normal(size=(10, 2)))

    def lazy(x, b, g):
        K = (-Vi(x).sqdist(Vj(x)) * g).exp()
        return jnp.sin(K.solve(b, alpha=0.3, eps=1e-14)).sum()

    @jax.jit
    def dense(x, b, g):
        K = jnp.exp(-((x[:, None] - x) ** 2).sum(-1) * g)
        return jnp.sin(jnp.linalg.solve(K + 0.3 * jnp.eye(10), b)).sum()

    given = (x, b, 0.5)
    np.testing.assert_allclose(jax.jit(lazy)(*given), dense(*given), rtol=1e-9)
    for one, other in zip(
        jax.jit(jax.grad(lazy, (0, 1, 2)))(*given), jax.grad(dense, (0, 1, 2))(*given), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(
        jax.jit(jax.hessian(lazy, 1))(*given),
        jax.jit(jax.hessian(dense, 1))(*given),
        rtol=1e-7,
        atol=1e-8,
    )
    np.testing.assert_allclose(
        jax.vmap(lazy, (None, 0, None))(x, jnp.stack([b, 2 * b]), 0.5),
        [dense(x, b, 0.5), dense(x, 2 * b, 0.5)],
        rtol=1e-9,
    )


def test_hermitian_systems_have_derivatives(rng):
    x = jnp.asarray(rng.normal(size=(10, 2)))
    b, weights = (jnp.asarray(part[0] + 1j * part[1]) for part in rng.normal(size=(2, 2, 10, 2)))

    def lazy(x, b, alpha):
        difference = Vi(x) - Vj(x)
        K = (1j * difference.sum(-1)).exp() * (-(difference**2).sum(-1)).exp()
        return K.solve(b, alpha=alpha, eps=1e-14)

    @jax.jit
    def dense(x, b, alpha):
        difference = x[:, None] - x
        K = jnp.exp(1j * difference.sum(-1) - (difference**2).sum(-1))
        return jnp.linalg.solve(K + alpha * jnp.eye(10), b)

    given, found = (x, b, 0.5), []
    for solve in (lazy, dense):
        gradient = jax.jit(jax.grad(lambda *at, f=solve: (f(*at) * weights).real.sum(), (0, 1, 2)))
        tangent = jax.jvp(solve, given, (x, weights, 1.0))[1]
        found.append((solve(*given), *gradient(*given), tangent))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)
