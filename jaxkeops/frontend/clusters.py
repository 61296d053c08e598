"""Clusters of rows: labels from a grid, the blocks of sorted labels. Of arrays it knows NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError


def grid_labels(points: np.ndarray, size: Any, origin: Any = 0.0) -> np.ndarray:
    """(M,) labels 0, ..., C - 1 of the cubic cells that hold the points, in lexicographic order.

    points: (M, D). size: the edge of a cell, a number or (D,), above 0. origin: a corner of one.
    """
    if points.ndim != 2 or points.dtype.kind != "f":
        raise ArgumentError(
            f"Points are an array of floats (M, D), got shape {points.shape} and dtype "
            f"{points.dtype}."
        )
    edges = np.asarray(size, points.dtype)
    if edges.shape not in ((), (1,), points.shape[1:]) or not (edges > 0).all():
        raise ArgumentError(
            f"size is a number above 0, or {points.shape[1]} of them, one for each coordinate, "
            f"got {size!r}."
        )
    if not len(points):
        return np.zeros(0, np.int64)
    if not np.isfinite(points).all():
        raise ArgumentError("Points must be finite to lie in a cell of a grid.")
    cells = np.floor((points - origin) / edges)
    _, labels = np.unique(cells, axis=0, return_inverse=True)
    return labels.reshape(-1).astype(np.int64)


def label_ranges(labels: np.ndarray, count: int | None = None) -> np.ndarray:
    """(C, 2) int64: the rows [start, end) of each label once rows are sorted by label."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ArgumentError(
            f"Labels are integers (M,), got shape {labels.shape} and dtype {labels.dtype}."
        )
    if labels.size and labels.min() < 0:
        raise ArgumentError(f"Labels count from 0, got {labels.min()}.")
    most = int(labels.max()) + 1 if labels.size else 0
    if count is not None and count < most:
        raise ArgumentError(f"There are {count} clusters, and a row has label {most - 1}.")
    ends = np.cumsum(np.bincount(labels, minlength=count or 0), dtype=np.int64)
    return np.stack([np.concatenate([[0], ends[:-1]]).astype(np.int64), ends], 1)


def by_label(labels: np.ndarray) -> np.ndarray:
    """The row numbers sorted by label; rows of one label keep their order."""
    return np.argsort(labels, kind="stable")
