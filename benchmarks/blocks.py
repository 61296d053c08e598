"""Block-sparse pairs: their ranges, and the batch of dense problems that they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from .workload import Arrays, Workload


def kept_blocks(workload: Workload) -> np.ndarray:
    """(row blocks, kept): the blocks of columns that each block of rows meets, ascending."""
    assert workload.blocks is not None, workload.name
    rng = np.random.default_rng(1)
    M, N = workload.rows
    size, kept = workload.blocks.size, workload.blocks.kept
    chosen = [rng.permutation(N // size)[:kept] for _ in range(M // size)]
    return np.sort(np.array(chosen), axis=1)


def ranges(workload: Workload) -> Arrays | None:
    """The six arrays of `ranges`, of int64; None if the workload is dense."""
    if workload.blocks is None:
        return None
    size, columns = workload.blocks.size, workload.rows[1] // workload.blocks.size
    chosen = kept_blocks(workload)
    keep = np.zeros((len(chosen), columns), bool)
    np.put_along_axis(keep, chosen, True, axis=1)

    def half(keep: np.ndarray) -> Arrays:
        starts = np.arange(len(keep)) * size
        reduced = np.nonzero(keep)[1] * size
        blocks = np.stack([starts, starts + size], 1)
        return blocks, np.cumsum(keep.sum(1)), np.stack([reduced, reduced + size], 1)

    return tuple(array.astype(np.int64) for array in (*half(keep), *half(keep.T)))


def regrouped(workload: Workload, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Block-sparse arrays as a batch of dense problems, one for each block of rows.

    Any library's arrays that NumPy's integer arrays can index.
    """
    assert workload.blocks is not None, workload.name
    chosen, size = kept_blocks(workload), workload.blocks.size
    made = []
    for each, array in zip(workload.arguments, arrays, strict=True):
        if each.axis == "p":
            made.append(array)
            continue
        blocks = array.reshape(-1, size, each.dim)
        if each.axis == "j":
            blocks = blocks[chosen].reshape(len(chosen), -1, each.dim)
        made.append(blocks)
    return tuple(made)
