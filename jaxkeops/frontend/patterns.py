"""Patterns of pairs as ranges: the six arrays of blocks, segments, triangles and bands."""

from __future__ import annotations

import operator
from typing import Any, TypeAlias

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError
from .ranges import check_ranges, half

# int64: ranges_i (Mc, 2), slices_i (Mc,), redranges_j (Mcc, 2), and the same with i, j exchanged.
Ranges: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Half: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]

MOST = np.iinfo(np.int64).max


def from_matrix(ranges_i: Any, ranges_j: Any, keep: Any) -> Ranges:
    """The pairs of blocks of rows and blocks of columns that a boolean matrix keeps.

    ranges_i: (Mc, 2) and ranges_j: (Nc, 2), [start, end) in each row; keep: (Mc, Nc), boolean.
    Blocks stay in the order given, and the blocks that one meets in theirs; none are merged.
    Blocks may be empty. Blocks of one axis must not overlap where a reduction keeps that axis:
    the reduction checks it, as it checks that they end within its rows.
    Raises `ArgumentError` for shapes, dtypes or blocks that do not fit.
    """
    blocks_i, blocks_j = _blocks("ranges_i", ranges_i), _blocks("ranges_j", ranges_j)
    kept = _booleans("keep", keep)
    expected = (len(blocks_i), len(blocks_j))
    if kept.shape != expected:
        raise ArgumentError(
            f"keep says of each block of ranges_i and each of ranges_j whether they meet: expected "
            f"shape {expected}, got {kept.shape}."
        )
    return (*_met(blocks_i, blocks_j, kept), *_met(blocks_j, blocks_i, kept.T))


def block_mask(mask: Any, block: Any, shape: tuple[int, int] | None = None) -> Ranges:
    """The pairs in the cells of a regular grid that a boolean matrix keeps.

    mask: (Mc, Nc), boolean. block: the rows and columns of a cell, or one size for both. Cell
    (k, l) is rows [k rows, (k + 1) rows) and columns [l columns, (l + 1) columns): of M rows,
    those from Mc rows on are in no block.
    shape: (M, N), where the last cells end then, which may be smaller: the grid must cover it.
    Raises `ArgumentError`, or `ArgumentTypeError` for sizes that are not integers.
    """
    kept = _booleans("mask", mask)
    if kept.ndim != 2:
        raise ArgumentError(
            f"mask says of each cell of the grid whether it is kept: expected shape (blocks of "
            f"rows, blocks of columns), got {kept.shape}."
        )
    sizes = block if isinstance(block, tuple | list) else (block, block)
    if len(sizes) != 2:
        raise ArgumentError(f"block is one size or two, of rows and columns, got {len(sizes)}.")
    extents = [_count("block", size, least=1) for size in sizes]
    if shape is not None:
        expected = tuple(-(-rows // extent) for rows, extent in zip(shape, extents, strict=True))
        if kept.shape != expected:
            raise ArgumentError(
                f"{shape[0]} rows and {shape[1]} columns in cells of {extents[0]} and "
                f"{extents[1]} take a mask of shape {expected}, got {kept.shape}."
            )
    grids = []
    for extent, count, rows in zip(extents, kept.shape, shape or (MOST, MOST), strict=True):
        if extent * count > MOST:
            raise ArgumentError(f"block: {count} blocks of {extent} rows are more than {MOST}.")
        starts = np.arange(count, dtype=np.int64) * extent
        grids.append(np.stack([starts, np.minimum(starts + extent, rows)], 1))
    return from_matrix(grids[0], grids[1], kept)


def segment_ids(ids_i: Any, ids_j: Any) -> Ranges:
    """The pairs whose two rows bear the same id: block-diagonal, if both sides have all ids.

    ids_i: (M,) and ids_j: (N,), integers that do not decrease. There is a block for each id that
    occurs; one that the other side does not have meets nothing. Time and memory M + N, whatever
    the number of ids.
    Raises `ArgumentError` for ids that decrease, since the rows of one would be no block.
    """
    values_i, blocks_i = _segments("i", ids_i)
    values_j, blocks_j = _segments("j", ids_j)
    _, in_i, in_j = np.intersect1d(values_i, values_j, assume_unique=True, return_indices=True)

    def joined(blocks: np.ndarray, met: np.ndarray, others: np.ndarray) -> Half:
        lengths = np.zeros(len(blocks), np.int64)
        lengths[met] = 1
        return blocks, np.cumsum(lengths), others

    return (
        *joined(blocks_i, in_i, blocks_j[in_j]),
        *joined(blocks_j, in_j, blocks_i[in_i]),
    )


def causal(M: int, N: int | None = None) -> Ranges:
    """The pairs with j <= i + N - M: row i meets the columns [0, i + 1 + N - M), and no other.

    N: by default M. The last row meets every column, so M queries may be the last of N keys; if
    M > N, the first M - N rows meet none. Exact, so each row is a block of its own: see `window`
    for what that costs. Raises `ArgumentError`, `ArgumentTypeError` for counts that are none.
    """
    rows = _count("M", M)
    columns = rows if N is None else _count("N", N)
    i, j = np.arange(rows, dtype=np.int64), np.arange(columns, dtype=np.int64)
    return (
        *_row_by_row(np.zeros_like(i), np.clip(i + (1 + columns - rows), 0, columns)),
        *_row_by_row(np.clip(j + (rows - columns), 0, rows), np.full_like(j, rows)),
    )


def window(M: int, N: int, before: int, after: int) -> Ranges:
    """The pairs with i - before <= j <= i + after: a band around the diagonal.

    Row i meets the columns [i - before, i + after], as many of them as there are. Exact, so each
    row is a block of its own, which takes the time of a vector of rows: on 512-bit vectors a pair
    costs 16 pairs of the dense reduction in float32 and 8 in float64, and more if the formula is
    as cheap as a scalar product. Memory 40 (M + N) bytes.
    Raises `ArgumentError` for negative numbers, `ArgumentTypeError` for what is no integer.
    """
    rows, columns = _count("M", M), _count("N", N)
    reach = max(rows, columns)  # further than that changes nothing, and could overflow
    back, ahead = min(_count("before", before), reach), min(_count("after", after), reach)
    i, j = np.arange(rows, dtype=np.int64), np.arange(columns, dtype=np.int64)
    return (
        *_row_by_row(np.clip(i - back, 0, columns), np.clip(i + (ahead + 1), 0, columns)),
        *_row_by_row(np.clip(j - ahead, 0, rows), np.clip(j + (back + 1), 0, rows)),
    )


def swap_axes(ranges: Any) -> tuple[Any, ...] | None:
    """The same pairs with i and j exchanged: entries 3, 4, 5, 0, 1, 2. None stays None."""
    if ranges is None:
        return None
    arrays = check_ranges(ranges)
    return (*half(arrays, 0), *half(arrays, 1))


def _met(blocks: np.ndarray, others: np.ndarray, kept: np.ndarray) -> Half:
    """Blocks, and for each the `others` that its row of `kept` holds."""
    ends = np.cumsum(np.count_nonzero(kept, axis=1), dtype=np.int64)
    return blocks, ends, others[np.nonzero(kept)[1]]


def _row_by_row(starts: np.ndarray, ends: np.ndarray) -> Half:
    """Blocks of one row, each of which meets one interval."""
    rows = np.arange(len(starts) + 1, dtype=np.int64)
    return np.stack([rows[:-1], rows[1:]], 1), rows[1:].copy(), np.stack([starts, ends], 1)


def _segments(axis: str, given: Any) -> tuple[np.ndarray, np.ndarray]:
    """The ids that occur, ascending, and the block of rows (ids, 2) of each."""
    ids = _integers(f"ids_{axis}", given)
    if ids.ndim != 1:
        raise ArgumentError(f"ids_{axis} holds one id for each row, got shape {ids.shape}.")
    falls = np.flatnonzero(ids[1:] < ids[:-1])
    if len(falls):
        k = int(falls[0]) + 1
        raise ArgumentError(
            f"ids_{axis} must not decrease, so that the rows of one id are a block, but "
            f"ids_{axis}[{k}] = {ids[k]} comes after {ids[k - 1]}. Sort the rows: take the stable "
            f"argsort of ids_{axis} as order, and index with it ids_{axis} and each array of rows "
            f"{axis}; the results on rows {axis} come in that order."
        )
    values, counts = np.unique(ids, return_counts=True)
    ends = np.cumsum(counts, dtype=np.int64)
    return values, np.stack([ends - counts, ends], 1)


def _blocks(name: str, given: Any) -> np.ndarray:
    """A copy, since callers get it back among the results."""
    blocks = _integers(name, given).copy()
    if blocks.ndim != 2 or blocks.shape[1] != 2:
        raise ArgumentError(
            f"{name} holds a [start, end) pair in each row: expected shape (blocks, 2), got "
            f"{blocks.shape}."
        )
    wrong = np.flatnonzero((blocks[:, 0] < 0) | (blocks[:, 1] < blocks[:, 0]))
    if len(wrong):
        start, end = blocks[wrong[0]]
        raise ArgumentError(
            f"{name}[{wrong[0]}] = [{start}, {end}) is no block: expected 0 <= start <= end."
        )
    return blocks


def _integers(name: str, given: Any) -> np.ndarray:
    array = _array(name, given)
    if array.dtype.kind not in "iu":
        raise ArgumentError(f"{name} holds integers, got dtype {array.dtype}. Convert it first.")
    if array.dtype == np.uint64 and array.size and array.max() > MOST:
        raise ArgumentError(f"{name} holds integers up to {MOST}, got {array.max()}.")
    return array.astype(np.int64, copy=False)


def _booleans(name: str, given: Any) -> np.ndarray:
    array = _array(name, given)
    if array.dtype != np.bool_:
        raise ArgumentError(
            f"{name} holds booleans, got dtype {array.dtype}. Compare it first, as in {name} != 0."
        )
    return array


def _array(name: str, given: Any) -> np.ndarray:
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ArgumentError(f"{name} is no array: {error}") from None


def _count(name: str, given: Any, least: int = 0) -> int:
    try:
        number = operator.index(given)
    except TypeError:
        raise ArgumentTypeError(f"{name} is an integer, got {type(given).__name__}.") from None
    if number < least:
        raise ArgumentError(f"{name} is at least {least}, got {number}.")
    return number
