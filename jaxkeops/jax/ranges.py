"""Block-sparse ranges: which blocks of pairs a reduction takes, as six integer arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from ..errors import ArgumentError, ArgumentTypeError

NAMES = ("ranges_i", "slices_i", "redranges_j", "ranges_j", "slices_j", "redranges_i")
ARRAYS = len(NAMES)
INTEGERS = ("int32", "int64")


def normal_ranges(ranges: Any, axis: int) -> tuple[jax.typing.ArrayLike, ...]:
    """The ranges of a call, those of the kept rows first: none, or six arrays.

    ranges: (ranges_i (Mc, 2), slices_i (Mc,), redranges_j (Mcc, 2)), then the same with i and j
    exchanged. Row block k of i takes the blocks of j from redranges_j[slices_i[k - 1]] up to
    redranges_j[slices_i[k]], this one left out; a reduction over i takes the second half.
    Raises `ArgumentTypeError` for what is no array, `ArgumentError` for shapes or dtypes that do
    not fit. The numbers themselves are checked when the reduction runs.
    """
    if ranges is None:
        return ()
    if not isinstance(ranges, tuple | list) or len(ranges) != ARRAYS:
        came = f"{len(ranges)}" if isinstance(ranges, tuple | list) else type(ranges).__name__
        raise ArgumentError(
            f"ranges is a tuple of {ARRAYS} integer arrays ({', '.join(NAMES)}), got {came}."
        )
    for name, array in zip(NAMES, ranges, strict=True):
        if not isinstance(array, jax.Array | np.ndarray):
            raise ArgumentTypeError(
                f"ranges: {name} must be a jax.Array or a numpy.ndarray, got "
                f"{type(array).__name__}. Use jax.numpy.asarray."
            )
        if array.dtype.name not in INTEGERS:
            raise ArgumentError(
                f"ranges: {name} has dtype {array.dtype.name}; expected {' or '.join(INTEGERS)}. "
                "Convert it first."
            )
    for k in range(0, ARRAYS, 3):
        (blocks, ends, lists), names = ranges[k : k + 3], NAMES[k : k + 3]
        for name, array in ((names[0], blocks), (names[2], lists)):
            if array.ndim != 2 or array.shape[1] != 2:
                raise ArgumentError(
                    f"ranges: {name} has shape {array.shape}; expected (blocks, 2), a start and "
                    "an end for each block."
                )
        if ends.shape != blocks.shape[:1]:
            raise ArgumentError(
                f"ranges: {names[1]} has shape {ends.shape}; expected {blocks.shape[:1]}, one end "
                f"for each block of {names[0]}."
            )
    return transposed(ranges) if axis == 0 else tuple(ranges)


def transposed(ranges: Sequence[Any]) -> tuple[Any, ...]:
    """The ranges, or none, of the same pairs for the reduction over the other axis."""
    half = len(ranges) // 2
    return (*ranges[half:], *ranges[:half])
