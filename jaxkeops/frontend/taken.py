"""How often ranges take each pair: 0 where they leave it out, and more than 1 where blocks repeat.

Integers are of NumPy where the numbers are known; where a program is still being traced, of the
library that traces it, whose functions have NumPy's names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .ranges import NAMES, check_range_shapes, check_ranges


def taken(ranges: Sequence[Any], M: int, N: int) -> Any:
    """(M, N) integers: how often a reduction over j takes the pair (i, j). Time and memory M N.

    ranges: six arrays of integers. Raises `ArgumentError` for known ones that do not fit.
    """
    rows, intervals, block = _checked(ranges, M, N)
    xp, count, width = _functions_of(rows), rows.shape[0], N + 1
    if (count + 1) * width > np.iinfo(intervals.dtype).max:
        raise ArgumentError(
            f"{M} x {N} pairs in {count} blocks are too many for traced ranges of dtype "
            f"{intervals.dtype}. Make the ranges outside of jit, or enable JAX's x64 mode."
        )
    starts, ends = ((block * width + intervals[:, k]) for k in (0, 1))
    changes = _tally(starts, (count + 1) * width) - _tally(ends, (count + 1) * width)
    # One block more, which takes nothing, is that of rows in no block.
    of_block = xp.cumsum(changes.reshape(count + 1, width)[:, :N], axis=1)
    begin = xp.where(rows[:, 1] > rows[:, 0], rows[:, 0], M)
    order = xp.argsort(begin)
    i = xp.arange(M)
    last = xp.searchsorted(begin[order], i, side="right") - 1
    if not count:
        return of_block[xp.zeros_like(i)]
    found = order[xp.maximum(last, 0)]
    return of_block[xp.where((last >= 0) & (i < rows[found, 1]), found, count)]


def taken_on_diagonal(ranges: Sequence[Any], M: int, N: int) -> Any:
    """(min(M, N),) integers: how often a reduction over j takes the pair (k, k)."""
    rows, intervals, block = _checked(ranges, M, N)
    xp, count = _functions_of(rows), min(M, N)
    if not rows.shape[0]:
        return xp.zeros(count, rows.dtype)
    met = rows[block]
    starts = xp.minimum(xp.maximum(met[:, 0], intervals[:, 0]), count)
    ends = xp.maximum(xp.minimum(xp.minimum(met[:, 1], intervals[:, 1]), count), starts)
    changes = _tally(starts, count + 1) - _tally(ends, count + 1)
    return xp.cumsum(changes)[:count]


def _checked(ranges: Sequence[Any], M: int, N: int) -> tuple[Any, Any, Any]:
    """Blocks of rows, intervals of columns, and the block that each interval is of."""
    check_range_shapes([tuple(array.shape) for array in check_ranges(ranges)])
    traced = [array for array in ranges[:3] if not isinstance(array, np.ndarray)]
    xp = _functions_of(traced[0]) if traced else np
    rows, ends, intervals = (xp.asarray(array) for array in ranges[:3])
    if not all(array.dtype.kind in "iu" for array in (rows, ends, intervals)):
        raise ArgumentError(f"ranges hold integers, got dtype {intervals.dtype}.")
    wide = xp.asarray(0).dtype  # NumPy's default; JAX's follows its x64 mode
    rows, ends, intervals = (array.astype(wide) for array in (rows, ends, intervals))
    if not traced:
        _check_bounds(NAMES[0], rows, M)
        _check_bounds(NAMES[2], intervals, N)
        steps = np.diff(ends, prepend=0, append=len(intervals))
        if (steps < 0).any():
            raise ArgumentError(
                f"{NAMES[1]} holds ends that do not decrease, up to {len(intervals)}, the number "
                f"of {NAMES[2]}: got {ends}."
            )
        _check_apart(rows)
    rows, intervals = xp.clip(rows, 0, M), xp.clip(intervals, 0, N)
    block = xp.searchsorted(ends, xp.arange(intervals.shape[0]), side="right").astype(wide)
    # Intervals after the last end are of no block: they hold no column here.
    intervals = xp.where((block < rows.shape[0])[:, None], intervals, 0)
    return rows, intervals, xp.clip(block, 0, max(rows.shape[0] - 1, 0))


def _check_bounds(name: str, blocks: np.ndarray, most: int) -> None:
    wrong = (blocks < 0) | (blocks > most) | (blocks[:, :1] > blocks[:, 1:])
    if wrong.any():
        k = int(np.flatnonzero(wrong.any(1))[0])
        raise ArgumentError(
            f"{name}[{k}] = {blocks[k].tolist()} is no block of {most} rows: expected "
            f"0 <= start <= end <= {most}."
        )


def _check_apart(rows: np.ndarray) -> None:
    filled = rows[rows[:, 1] > rows[:, 0]]
    filled = filled[np.argsort(filled[:, 0])]
    if (filled[1:, 0] < filled[:-1, 1]).any():
        raise ArgumentError(f"{NAMES[0]}: blocks of rows overlap, and each row has one result.")


def _functions_of(array: Any) -> Any:
    """The module whose functions take the array: that of NumPy, or JAX's."""
    return np if isinstance(array, np.ndarray) else array.__array_namespace__()


def _tally(numbers: Any, count: int) -> Any:
    """(count,) integers: how often each number from 0 to count - 1 occurs."""
    if isinstance(numbers, np.ndarray):
        return np.bincount(numbers, minlength=count)
    return _functions_of(numbers).bincount(numbers, length=count)
