"""Calls that projects make of PyKeOps' NumPy door, by project, against dense NumPy."""

from __future__ import annotations

import numpy as np

from jaxkeops.numpy import LazyTensor, Pm, Vi, Vj

M, N, D = 6, 7, 3


def assert_same(result, expected):
    np.testing.assert_allclose(result, expected, rtol=1e-11, atol=1e-12)


def test_probnum_covariance_functions(rng):
    x0, x1, scales = rng.normal(size=(M, D)), rng.normal(size=(N, D)), rng.uniform(1, 2, D)
    differences = Vi(x0) - Vj(x1)
    differences *= Pm(scales)
    distances = (differences**2).sum().sqrt()
    K = (-0.5 * distances**2).exp()
    dense = np.exp(-0.5 * (((x0[:, None] - x1) * scales) ** 2).sum(-1))
    v = rng.normal(size=(N, 2))
    assert_same(K @ v, dense @ v)
    assert_same(K.T @ v[:M], dense.T @ v[:M])
    assert isinstance(K, LazyTensor)


def test_geomstats_varifolds(rng):
    def kernel(index_u, index_v):
        x, y = Vi(0, D), Vj(1, D)
        u, v = Vi(index_u, D), Vj(index_v, D)
        return (-x.sqdist(y) / 0.5).exp() * (u * v).sum() ** 2

    reduction = kernel(2, 3)
    index = reduction.new_variable_index()
    assert index == 4
    function = (reduction * Vj(index, 1)).sum_reduction(axis=1)
    x, y, u, v, s = (
        rng.normal(size=(rows, dim)) for rows, dim in ((M, D), (N, D), (M, D), (N, D), (N, 1))
    )
    dense = np.exp(-((x[:, None] - y) ** 2).sum(-1) / 0.5) * (u @ v.T) ** 2
    assert_same(function(x, y, u, v, s), dense @ s)


def test_tutorials_of_clustering_and_mixtures(rng):
    x, c = rng.normal(size=(M, D)), rng.normal(size=(N, D))
    labels = ((LazyTensor(x[:, None]) - LazyTensor(c[None])) ** 2).sum(-1).argmin(dim=1).ravel()
    assert_same(labels, ((x[:, None] - c) ** 2).sum(-1).argmin(1))
    A = rng.normal(size=(N, D * D))
    quadratic = Vi(x).weightedsqdist(Vj(c), Vj(A))
    w = rng.uniform(size=(N, 1))
    result = (-0.1 * quadratic).logsumexp(1, weight=Vj(w))
    difference = x[:, None] - c
    dense = np.einsum("ija,jab,ijb->ij", difference, A.reshape(N, D, D), difference)
    assert_same(result[:, 0], np.log((np.exp(-0.1 * dense) * w.T).sum(1)))
    soft = Vi(x).sqdist(Vj(c)).sumsoftmaxweight(Vj(c), axis=1)
    weights = np.exp(((x[:, None] - c) ** 2).sum(-1))
    assert_same(soft, weights @ c / weights.sum(1, keepdims=True))
