"""Clusters of rows, and ranges for block-sparse reductions over NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..frontend.clusters import by_label, grid_labels, label_ranges
from ..frontend.patterns import (
    block_mask as block_mask,
    causal as causal,
    from_matrix as from_matrix,
    segment_ids as segment_ids,
    swap_axes as swap_axes,
    window as window,
)

__all__ = [
    "block_mask",
    "causal",
    "cluster_centroids",
    "cluster_ranges",
    "cluster_ranges_centroids",
    "from_matrix",
    "grid_cluster",
    "segment_ids",
    "sort_clusters",
    "swap_axes",
    "window",
]


def grid_cluster(x: np.ndarray, size: Any) -> np.ndarray:
    """(M,) int64 labels of the cubic cells of a grid, aligned at 0, that hold the rows of x.

    x: (M, D). size: the edge of a cell, or D of them. Cells without rows have no label.
    """
    return grid_labels(np.asarray(x), size)


def sort_clusters(x: Any, lab: np.ndarray) -> tuple[Any, np.ndarray]:
    """The array x, or each of a tuple or list, and the labels, with rows sorted by label."""
    order = by_label(np.asarray(lab))
    if isinstance(x, tuple | list):
        return type(x)(each[order] for each in x), lab[order]
    return x[order], lab[order]


def cluster_ranges(lab: np.ndarray, Nlab: int | None = None) -> np.ndarray:
    """(C, 2) int64: the rows [start, end) of each cluster, once sorted. C is Nlab if given."""
    return label_ranges(np.asarray(lab), Nlab)


def cluster_centroids(
    x: np.ndarray,
    lab: np.ndarray,
    Nlab: int | None = None,
    weights: np.ndarray | None = None,
    weights_c: np.ndarray | None = None,
) -> np.ndarray:
    """(C, D): the mean of the rows of each cluster, with weights (M,) if given.

    weights_c: their sums (C,), if they are known. A cluster without weight is at 0.
    """
    count = len(label_ranges(np.asarray(lab), Nlab))
    given = np.ones(len(x), x.dtype) if weights is None else weights
    totals = _totals(given, lab, count) if weights_c is None else weights_c
    sums = np.zeros((count, x.shape[1]), x.dtype)
    np.add.at(sums, lab, x * given[:, None])
    return sums / np.where(totals == 0, 1, totals)[:, None].astype(x.dtype)


def cluster_ranges_centroids(
    x: np.ndarray, lab: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ranges, the centroids, and the weights (C,) of the clusters: counts if there are none."""
    ranges = cluster_ranges(lab)
    given = np.ones(len(x), x.dtype) if weights is None else weights
    totals = _totals(given, lab, len(ranges))
    return ranges, cluster_centroids(x, lab, len(ranges), given, totals), totals


def _totals(weights: np.ndarray, lab: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(lab, weights, minlength=count).astype(weights.dtype)
