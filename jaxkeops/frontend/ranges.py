"""Block-sparse ranges: six arrays of integers that say which blocks of pairs a reduction takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError
from .shapes import Shape

NAMES = ("ranges_i", "slices_i", "redranges_j", "ranges_j", "slices_j", "redranges_i")


def check_ranges(ranges: Any) -> tuple[Any, ...]:
    """`ranges`, a tuple or list, as a tuple of six. Raises `ArgumentError` if it is not that many,
    and `ArgumentTypeError` if it is something else.
    """
    if not isinstance(ranges, tuple | list):  # one array of six rows is not six arrays
        raise ArgumentTypeError(
            f"ranges is a tuple of six integer arrays ({', '.join(NAMES)}), got "
            f"{type(ranges).__name__}."
        )
    if len(ranges) != len(NAMES):
        raise ArgumentError(
            f"ranges is a tuple of six integer arrays ({', '.join(NAMES)}), got {len(ranges)}."
        )
    return tuple(ranges)


def check_range_shapes(shapes: Sequence[Shape]) -> None:
    """Raises `ArgumentError` unless the six shapes are (Mc, 2), (Mc,), (Mcc, 2), twice."""
    for k in (0, 3):
        blocks, ends, reduced = shapes[k : k + 3]
        for name, shape in ((NAMES[k], blocks), (NAMES[k + 2], reduced)):
            if len(shape) != 2 or shape[1] != 2:
                raise ArgumentError(
                    f"{name} holds a [start, end) pair in each row: expected shape (blocks, 2), "
                    f"got {shape}."
                )
        if ends != blocks[:1]:
            raise ArgumentError(
                f"{NAMES[k + 1]} holds one end for each block of {NAMES[k]}: expected shape "
                f"{blocks[:1]}, got {ends}."
            )


def half(ranges: Sequence[Any], axis: int) -> tuple[Any, Any, Any]:
    """The three arrays that a reduction over `axis` (0: i, 1: j) reads."""
    first = 0 if axis == 1 else 3
    return ranges[first], ranges[first + 1], ranges[first + 2]
