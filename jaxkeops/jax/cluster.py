"""Clusters of rows, and ranges for block-sparse reductions over JAX arrays.

Ranges are six integer arrays, int64, or int32 where JAX's x64 mode is off. How many blocks there
are depends on the values, so the arrays given must be concrete: call these functions outside of
`jax.jit`, and give what they make to the function that is compiled. `causal` and `window` take
numbers only, and work anywhere.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ..errors import ArgumentError
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

Arrays: TypeAlias = tuple[jax.Array, ...]


def from_matrix(ranges_i: Any, ranges_j: Any, keep: Any) -> Arrays:
    """The pairs of blocks of rows and blocks of columns that a boolean matrix keeps.

    ranges_i: (Mc, 2) and ranges_j: (Nc, 2), [start, end) in each row; keep: (Mc, Nc), boolean.
    Blocks stay in order; none are merged. Raises `ArgumentError`.
    """
    _refuse_traced(ranges_i=ranges_i, ranges_j=ranges_j, keep=keep)
    return _jax_arrays(patterns.from_matrix(ranges_i, ranges_j, keep))


def block_mask(
    mask: Any, block: int | tuple[int, int], shape: tuple[int, int] | None = None
) -> Arrays:
    """The pairs in the cells of a regular grid that a boolean matrix keeps.

    mask: (Mc, Nc), boolean. block: the rows and columns of a cell, or one size for both.
    shape: (M, N), where the last cells end then: the grid must cover it.
    Raises `ArgumentError` or `ArgumentTypeError`.
    """
    _refuse_traced(mask=mask)
    return _jax_arrays(patterns.block_mask(mask, block, shape))


def segment_ids(ids_i: Any, ids_j: Any) -> Arrays:
    """The pairs whose two rows bear the same id.

    ids_i: (M,) and ids_j: (N,), integers that do not decrease. Raises `ArgumentError`.
    """
    _refuse_traced(ids_i=ids_i, ids_j=ids_j)
    return _jax_arrays(patterns.segment_ids(ids_i, ids_j))


def causal(M: int, N: int | None = None) -> Arrays:
    """The pairs with j <= i + N - M, N by default M: row i meets [0, i + 1 + N - M).

    Exact, in blocks of one row, which cost as `window` says.
    Raises `ArgumentError` or `ArgumentTypeError`.
    """
    return _jax_arrays(patterns.causal(M, N))


def window(M: int, N: int, before: int, after: int) -> Arrays:
    """The pairs with i - before <= j <= i + after: a band around the diagonal.

    Exact, in blocks of one row: on 512-bit vectors a pair costs 16 pairs of the dense
    reduction in float32 and 8 in float64, and more for cheap formulas.
    Raises `ArgumentError` or `ArgumentTypeError`.
    """
    return _jax_arrays(patterns.window(M, N, before, after))


def grid_cluster(x: Any, size: Any) -> jax.Array:
    """(M,) labels of the cubic cells of a grid, aligned at 0, that hold the rows of x.

    x: (M, D). size: the edge of a cell, or D of them. Cells without rows have no label.
    """
    _refuse_traced(x=x, size=size)
    return jnp.asarray(clusters.grid_labels(np.asarray(x), size), int)


def sort_clusters(x: Any, lab: jax.Array) -> tuple[Any, jax.Array]:
    """The array x, or each of a tuple or list, and the labels, with rows sorted by label."""
    order = jnp.argsort(lab, stable=True)
    if isinstance(x, tuple | list):
        return type(x)(each[order] for each in x), lab[order]
    return x[order], lab[order]


def cluster_ranges(lab: Any, Nlab: int | None = None) -> jax.Array:
    """(C, 2): the rows [start, end) of each cluster, once sorted. C is Nlab if given."""
    _refuse_traced(lab=lab)
    return jnp.asarray(clusters.label_ranges(np.asarray(lab), Nlab), int)


def cluster_centroids(
    x: jax.Array,
    lab: Any,
    Nlab: int | None = None,
    weights: jax.Array | None = None,
    weights_c: jax.Array | None = None,
) -> jax.Array:
    """(C, D): the mean of the rows of each cluster, with weights (M,) if given.

    weights_c: their sums (C,), if they are known. A cluster without weight is at 0.
    Differentiable in x and the weights; with Nlab, the labels may be traced.
    """
    count = len(cluster_ranges(lab)) if Nlab is None else Nlab
    given = jnp.ones(len(x), x.dtype) if weights is None else weights
    totals = jax.ops.segment_sum(given, lab, count) if weights_c is None else weights_c
    sums = jax.ops.segment_sum(x * given[:, None], lab, count)
    return sums / jnp.where(totals == 0, 1, totals)[:, None]


def cluster_ranges_centroids(
    x: jax.Array, lab: Any, weights: jax.Array | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The ranges, the centroids, and the weights (C,) of the clusters: counts if there are none."""
    ranges = cluster_ranges(lab)
    given = jnp.ones(len(x), x.dtype) if weights is None else weights
    totals = jax.ops.segment_sum(given, lab, len(ranges))
    return ranges, cluster_centroids(x, lab, len(ranges), given, totals), totals


def _refuse_traced(**arrays: Any) -> None:
    for name, array in arrays.items():
        if isinstance(array, Tracer):
            raise ArgumentError(
                f"{name} is traced, but the shapes of ranges depend on its values. Make the "
                "ranges outside of jax.jit, and give them to the compiled function."
            )


def _jax_arrays(ranges: patterns.Ranges) -> Arrays:
    dtype = jax.dtypes.canonicalize_dtype(np.int64)
    for array in ranges:
        if array.size and array.max() > np.iinfo(dtype).max:
            raise ArgumentError(
                f"Ranges reach row {array.max()}, but {dtype} ends at {np.iinfo(dtype).max}. "
                'Turn on 64 bits: jax.config.update("jax_enable_x64", True).'
            )
    return tuple(jnp.asarray(array, dtype) for array in ranges)
