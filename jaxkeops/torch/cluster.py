"""Clusters of rows, and ranges for block-sparse reductions over PyTorch tensors.

Ranges are six int64 tensors. Both are made on the CPU from what the arguments hold: call these
functions outside of `torch.compile`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch

from ..errors import ArgumentError, ArgumentTypeError
from ..frontend import clusters, patterns
from ..frontend.patterns import swap_axes as swap_axes

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

Tensors: TypeAlias = tuple[torch.Tensor, ...]


def from_matrix(ranges_i: torch.Tensor, ranges_j: torch.Tensor, keep: torch.Tensor) -> Tensors:
    """The pairs of blocks of rows and blocks of columns that a boolean matrix keeps.

    ranges_i: (Mc, 2) and ranges_j: (Nc, 2), [start, end) in each row; keep: (Mc, Nc), boolean; on
    one device, where the results are too. Blocks stay in order; none are merged.
    Raises `ArgumentError`, or `ArgumentTypeError` for what is not a tensor.
    """
    arrays, device = _arrays(ranges_i=ranges_i, ranges_j=ranges_j, keep=keep)
    return _tensors(patterns.from_matrix(*arrays), device)


def block_mask(
    mask: torch.Tensor, block: int | tuple[int, int], shape: tuple[int, int] | None = None
) -> Tensors:
    """The pairs in the cells of a regular grid that a boolean matrix keeps.

    mask: (Mc, Nc), boolean. block: the rows and columns of a cell, or one size for both.
    shape: (M, N), where the last cells end then: the grid must cover it. On the device of `mask`.
    Raises `ArgumentError` or `ArgumentTypeError`.
    """
    (cells,), device = _arrays(mask=mask)
    return _tensors(patterns.block_mask(cells, block, shape), device)


def segment_ids(ids_i: torch.Tensor, ids_j: torch.Tensor) -> Tensors:
    """The pairs whose two rows bear the same id.

    ids_i: (M,) and ids_j: (N,), integers that do not decrease, on one device, where the results
    are too. Raises `ArgumentError` or `ArgumentTypeError`.
    """
    arrays, device = _arrays(ids_i=ids_i, ids_j=ids_j)
    return _tensors(patterns.segment_ids(*arrays), device)


def causal(M: int, N: int | None = None, device: torch.device | str | None = None) -> Tensors:
    """The pairs with j <= i + N - M, N by default M: row i meets [0, i + 1 + N - M).

    Exact, in blocks of one row, which cost as `window` says. device: by default, PyTorch's own.
    Raises `ArgumentError` or `ArgumentTypeError`.
    """
    return _tensors(patterns.causal(M, N), device)


def window(
    M: int, N: int, before: int, after: int, device: torch.device | str | None = None
) -> Tensors:
    """The pairs with i - before <= j <= i + after: a band around the diagonal.

    Exact, in blocks of one row: on 512-bit vectors a pair costs 16 pairs of the dense
    reduction in float32 and 8 in float64, and more for cheap formulas.
    device: by default, PyTorch's own.
    Raises `ArgumentError` or `ArgumentTypeError`.
    """
    return _tensors(patterns.window(M, N, before, after), device)


def _arrays(**tensors: Any) -> tuple[list[np.ndarray], torch.device]:
    """What the tensors hold, and the device that they share."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise ArgumentTypeError(
                f"{name} must be a torch.Tensor, got {type(tensor).__name__}. Use torch.as_tensor."
            )
        if tensor.is_floating_point() or tensor.is_complex():
            raise ArgumentError(
                f"{name} has dtype {str(tensor.dtype).removeprefix('torch.')}; expected integers, "
                "or booleans for keep and mask. Convert it first."
            )
        if tensor.is_meta:
            raise ArgumentError(f"{name} is on device meta, so it holds no numbers to read.")
    devices = {name: tensor.device for name, tensor in tensors.items()}
    if len(set(devices.values())) > 1:
        places = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ArgumentError(f"The tensors must be on one device, got {places}. Move them.")
    arrays = [tensor.detach().cpu().numpy() for tensor in tensors.values()]
    return arrays, next(iter(devices.values()))


def _tensors(ranges: patterns.Ranges, device: torch.device | str | None) -> Tensors:
    return tuple(torch.as_tensor(array, device=device) for array in ranges)


def grid_cluster(x: torch.Tensor, size: Any) -> torch.Tensor:
    """(M,) int32 labels of the cubic cells of a grid, aligned at the least coordinates.

    x: (M, D). size: the edge of a cell, or D of them. Cells without rows have no label.
    """
    points = x.detach().cpu().numpy()
    edges = size.detach().cpu().numpy() if isinstance(size, torch.Tensor) else size
    origin = points.min(0) if points.ndim == 2 and len(points) else 0.0
    labels = clusters.grid_labels(points, edges, origin)
    return torch.as_tensor(labels, dtype=torch.int32, device=x.device)


def sort_clusters(x: Any, lab: torch.Tensor) -> tuple[Any, torch.Tensor]:
    """The tensor x, or each of a tuple or list, and the labels, with rows sorted by label."""
    sorted_labels, order = torch.sort(lab.reshape(-1), stable=True)
    if isinstance(x, tuple | list):
        return type(x)(each[order] for each in x), sorted_labels
    return x[order], sorted_labels


def cluster_ranges(lab: torch.Tensor, Nlab: int | None = None) -> torch.Tensor:
    """(C, 2) int64: the rows [start, end) of each cluster, once sorted. C is Nlab if given."""
    (labels,), device = _arrays(lab=lab)
    return torch.as_tensor(clusters.label_ranges(labels, Nlab), device=device)


def cluster_centroids(
    x: torch.Tensor,
    lab: torch.Tensor,
    Nlab: int | None = None,
    weights: torch.Tensor | None = None,
    weights_c: torch.Tensor | None = None,
) -> torch.Tensor:
    """(C, D): the mean of the rows of each cluster, with weights (M,) if given.

    weights_c: their sums (C,), if they are known. A cluster without weight is at 0.
    Differentiable in x and the weights.
    """
    count = len(cluster_ranges(lab, Nlab))
    given = x.new_ones(len(x)) if weights is None else weights.reshape(-1)
    totals = _totals(given, lab, count) if weights_c is None else weights_c.reshape(-1)
    sums = x.new_zeros(count, x.shape[1]).index_add(0, lab.long(), x * given[:, None])
    return sums / torch.where(totals == 0, 1, totals)[:, None]


def cluster_ranges_centroids(
    x: torch.Tensor,
    lab: torch.Tensor,
    weights: torch.Tensor | None = None,
    min_weight: float = 1e-9,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The ranges, the centroids, and the weights (C,) of the clusters: counts if there are none.

    Weights below `min_weight` count as that.
    """
    ranges = cluster_ranges(lab)
    given = x.new_ones(len(x)) if weights is None else weights.reshape(-1)
    totals = _totals(given, lab, len(ranges)).clamp(min=min_weight)
    return ranges, cluster_centroids(x, lab, len(ranges), given, totals), totals


def _totals(weights: torch.Tensor, lab: torch.Tensor, count: int) -> torch.Tensor:
    return weights.new_zeros(count).index_add(0, lab.long(), weights)
