"""gudhi's nearest neighbours by lazy tensors, beside a k-d tree's: for tools/dropin."""

from __future__ import annotations

import numpy as np
import pytest
from gudhi.point_cloud.knn import KNearestNeighbors


@pytest.mark.parametrize("p", [1, 2, 3.5, np.inf])
def test_neighbours_are_those_of_a_tree(p, rng):
    points, queries = (rng.normal(size=(rows, 4)).astype("float32") for rows in (60, 50))

    def found(implementation, **options):
        options = {"k": 5, "metric": "minkowski", "p": p, **options}
        return KNearestNeighbors(implementation=implementation, **options).fit(points)

    rows, distances = found("keops", return_distance=True).transform(queries)
    known_rows, known = found("ckdtree", return_distance=True).transform(queries)
    np.testing.assert_array_equal(rows, known_rows)
    np.testing.assert_allclose(distances, known, rtol=2e-6)
    np.testing.assert_array_equal(found("keops").transform(queries), known_rows)
    alone = found("keops", return_index=False, return_distance=True).transform(queries)
    np.testing.assert_allclose(alone, known, rtol=2e-6)
    np.testing.assert_array_equal(found("keops").transform(points)[:, 0], np.arange(60))
