"""Clusters of rows in the three doors, and reductions made from the alias of their result."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError


@pytest.fixture(params=["numpy", "torch", "jax"])
def door(request):
    """The door, and what makes its arrays."""
    library = pytest.importorskip("jax.numpy" if request.param == "jax" else request.param)
    return import_module(f"jaxkeops.{request.param}"), library.asarray


def numbers(result):
    return np.asarray(result.detach() if hasattr(result, "detach") else result)


@pytest.fixture
def points(rng):
    return rng.uniform(0, 3, (40, 2)).astype(np.float32)


def test_a_grid_labels_cells_in_lexicographic_order(door, points):
    module, array = door
    labels = numbers(module.cluster.grid_cluster(array(points), 1.0))
    cells = np.floor(points - (points.min(0) if module.__name__.endswith("torch") else 0))
    unique, expected = np.unique(cells, axis=0, return_inverse=True)
    np.testing.assert_array_equal(labels, expected.reshape(-1))
    assert labels.max() + 1 == len(unique)
    assert len(np.unique(numbers(module.cluster.grid_cluster(array(points), [1.0, 9.0])))) <= 4
    for size in (0.0, [1.0, 1.0, 1.0]):
        with pytest.raises(ArgumentError, match="size is a number above 0"):
            module.cluster.grid_cluster(array(points), size)
    with pytest.raises(ArgumentError, match=r"\(M, D\), got shape \(2,\)"):
        module.cluster.grid_cluster(array(points[0]), 1.0)


def test_sorted_clusters_are_ranges_with_centroids(door, points, rng):
    module, array = door
    cluster = module.cluster
    labels = rng.integers(0, 4, 40)
    labels[labels == 2] = 1  # a cluster without rows
    weights = rng.uniform(size=40).astype(np.float32)
    (x, w), sorted_labels = cluster.sort_clusters((array(points), array(weights)), array(labels))
    order = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(numbers(x), points[order])
    np.testing.assert_array_equal(numbers(sorted_labels), labels[order])
    np.testing.assert_array_equal(
        numbers(cluster.sort_clusters(array(points), array(labels))[0]), points[order]
    )
    ranges, centroids, totals = cluster.cluster_ranges_centroids(x, sorted_labels, w)
    assert numbers(ranges).dtype.kind == "i"
    for k, (start, end) in enumerate(numbers(ranges)):
        rows = labels[order][start:end]
        assert (rows == k).all()
        assert len(rows) == (labels == k).sum()
        if len(rows):
            known = np.average(points[labels == k], axis=0, weights=weights[labels == k])
            np.testing.assert_allclose(numbers(centroids)[k], known, rtol=1e-5)
            np.testing.assert_allclose(numbers(totals)[k], weights[labels == k].sum(), rtol=1e-5)
    counts = cluster.cluster_ranges_centroids(x, sorted_labels)[2]
    np.testing.assert_allclose(numbers(counts), np.bincount(labels), atol=1e-6)
    assert len(cluster.cluster_ranges(sorted_labels, 7)) == 7
    assert cluster.cluster_centroids(x, sorted_labels, 7).shape == (7, 2)
    with pytest.raises(ArgumentError, match="There are 2 clusters, and a row has label 3"):
        cluster.cluster_ranges(sorted_labels, 2)


def test_clusters_make_a_reduction_sparse(door, points):
    module, array = door
    labels = module.cluster.grid_cluster(array(points), 1.0)
    x, labels = module.cluster.sort_clusters(array(points), labels)
    ranges, centroids, _ = module.cluster.cluster_ranges_centroids(x, labels)
    near = ((centroids[:, None] - centroids[None]) ** 2).sum(-1) < 4.0
    K = (-module.Vi(x).sqdist(module.Vj(x))).exp()
    K.ranges = module.cluster.from_matrix(ranges, ranges, near)
    x, labels = numbers(x), numbers(labels)
    kept = numbers(near)[labels][:, labels]
    dense = np.exp(-((x[:, None] - x) ** 2).sum(-1)) * kept
    np.testing.assert_allclose(numbers(K.sum(1))[:, 0], dense.sum(1), rtol=1e-4)


def test_the_result_of_a_generic_reduction_says_its_axis(door, rng):
    module, array = door
    x, y = (rng.normal(size=(rows, 3)).astype(np.float32) for rows in (4, 6))
    given = array(x), array(y)
    squares = ((x[:, None] - y) ** 2).sum(-1)
    aliases = "x = Vi(3)", "y = Vj(3)"
    known = {
        "sum": squares.sum(1, keepdims=True),
        "logsumexp": np.log(np.exp(squares).sum(1, keepdims=True)),
        "min": squares.min(1, keepdims=True),
        "max": squares.max(1, keepdims=True),
        "argmin": squares.argmin(1)[:, None],
        "argmax": squares.argmax(1)[:, None],
        "kmin": np.sort(squares, 1)[:, :2],
        "argkmin": np.argsort(squares, 1)[:, :2],
    }
    for name, expected in known.items():
        function = getattr(module, f"generic_{name}")
        result = function("SqDist(x, y)", "a = Vi(2)", *aliases)(*given)
        np.testing.assert_allclose(numbers(result), expected, rtol=1e-5)
    over_i = module.generic_sum("SqDist(x, y)", "a = Vj(1)", *aliases, sum_scheme="block_sum")
    np.testing.assert_allclose(numbers(over_i(*given)), squares.sum(0)[:, None], rtol=1e-5)
    weighted = module.generic_logsumexp("SqDist(x, y)", "a = Vi(1)", *aliases, formula2="Square(y)")
    expected = np.log(np.exp(squares) @ y**2)
    np.testing.assert_allclose(numbers(weighted(*given)), expected, rtol=1e-5)
    assert module.generic_sum.__name__ == "generic_sum"
    with pytest.raises(ArgumentError, match="declared with Vi"):
        module.generic_sum("SqDist(x, y)", "a = Pm(1)", *aliases)
