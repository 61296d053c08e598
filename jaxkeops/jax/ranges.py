"""Block-sparse ranges as operands: six integer arrays, those of the kept rows first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from ..errors import ArgumentError
from ..frontend.ranges import NAMES, check_range_shapes, check_ranges

ARRAYS = len(NAMES)
INTEGERS = ("int32", "int64")


def normal_ranges(ranges: Any, axis: int) -> tuple[jax.Array | np.ndarray, ...]:
    """The ranges of a call over `axis`, in the order of the formula's normal form.

    Raises `ArgumentError`, or `ArgumentTypeError` if they are not six, for what does not fit. The
    numbers themselves may be traced: they are checked when the reduction runs.
    """
    arrays = []
    for name, given in zip(NAMES, check_ranges(ranges), strict=True):
        array = given if isinstance(given, jax.Array) else np.asarray(given)
        if array.dtype.kind not in "iu":
            raise ArgumentError(f"{name} holds integers, got dtype {array.dtype}.")
        arrays.append(array if array.dtype.name in INTEGERS else array.astype(int))
    check_range_shapes([array.shape for array in arrays])
    # Kernels for GPUs read all of them as one dtype. Two are left only where x64 is on.
    if len({jax.dtypes.canonicalize_dtype(array.dtype) for array in arrays}) > 1:
        arrays = [array.astype("int64") for array in arrays]
    return tuple(arrays) if axis == 1 else transposed(arrays)


def transposed(ranges: Sequence[Any]) -> tuple[Any, ...]:
    """The ranges, or none, of the same pairs for the reduction over the other axis."""
    middle = len(ranges) // 2
    return (*ranges[middle:], *ranges[:middle])
