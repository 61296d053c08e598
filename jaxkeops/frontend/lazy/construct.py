"""From what users give to leaves: which arrays, numbers and triples are inputs, on which axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dtypes import FLOAT_CHOICE, FLOATS
from ...errors import ArgumentError, ArgumentTypeError
from ..arrays import Arrays
from .leaf import Leaf, of_parameter, of_rows

AXES = ("i", "j", "p")
COMPLEX = ("complex64", "complex128")


def leaf_of(arrays: Arrays, x: Any, axis: int | None) -> tuple[Leaf, bool]:
    """The leaf that `x` is, and whether its numbers are complex.

    axis: 0 (rows i), 1 (rows j) or 2 (parameter); None if the shape says.
    Complex numbers become pairs of coordinates. Raises `ArgumentError` for shapes, axes or dtypes
    that do not fit, `ArgumentTypeError` for what is neither an array, a number, nor a list or a
    triple of them.
    """
    if axis is not None and (isinstance(axis, bool) or axis not in (0, 1, 2)):
        raise ArgumentError(f"axis is 0 (rows i), 1 (rows j) or 2 (parameter), got {axis!r}.")
    if arrays.is_array(x):
        return _of_array(arrays, x, axis)
    if isinstance(x, tuple) and len(x) == 3 and all(_is_integer(each) for each in x):
        return _of_argument(x, axis), False
    if isinstance(x, list | tuple):
        return _of_numbers(x)
    if isinstance(x, complex | np.complexfloating):
        return Leaf("p", 2, [float(x.real), float(x.imag)], None), True
    if isinstance(x, int | float | np.number) and not isinstance(x, bool):
        return Leaf("p", 1, float(x), None), False
    raise ArgumentTypeError(
        f"A LazyTensor is made of a {arrays.library}, a number, a list of numbers, or a triple "
        f"(index, dim, axis), got {type(x).__name__}."
        + (" Use the LazyTensor of the door of its library." if hasattr(x, "shape") else "")
    )


def leaf_of_rows(arrays: Arrays, x: Any, axis: str) -> tuple[Leaf, bool]:
    """The leaf of an array (*batch, rows, D), and whether its numbers are complex."""
    dtype = arrays.dtype(x)
    of_complex = dtype in COMPLEX
    rows = arrays.real_view(x) if of_complex else x
    dtype = arrays.dtype(rows)
    _check_dtype(dtype)
    return of_rows(rows, axis, dtype, x), of_complex


def argument(index: Any, dim: Any, axis: int) -> Leaf:
    """The leaf of the array that is argument number `index` of a call."""
    return _of_argument((index, dim, axis), None)


def _is_integer(x: Any) -> bool:
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def _of_argument(triple: tuple[Any, ...], axis: int | None) -> Leaf:
    if not all(_is_integer(each) for each in triple):
        raise ArgumentTypeError(
            f"An argument of a call is an index and a dimension, two integers, got {triple[:2]}."
        )
    index, dim, category = (int(each) for each in triple)
    if axis is not None:
        raise ArgumentError(f"The triple {triple} says its axis itself: leave axis.")
    if index < 0 or dim < 1 or category not in (0, 1, 2):
        raise ArgumentError(
            f"A triple is (index, dim, axis), with index >= 0, dim >= 1, and axis 0 (rows i), "
            f"1 (rows j) or 2 (parameter), got {triple}."
        )
    return Leaf(AXES[category], dim, None, None, index=index)


def _of_numbers(x: Any) -> tuple[Leaf, bool]:
    numbers: list[float] = []
    of_complex = any(isinstance(each, complex | np.complexfloating) for each in x)
    for each in x:
        if isinstance(each, bool) or not isinstance(each, int | float | complex | np.number):
            raise ArgumentTypeError(
                f"A list of numbers is expected, got a list with {type(each).__name__} in it."
            )
        numbers += [float(each.real), float(each.imag)] if of_complex else [float(each)]
    if not numbers:
        raise ArgumentError("A list of numbers has at least one, got none.")
    return Leaf("p", len(numbers), numbers, None), of_complex


def _check_dtype(dtype: str) -> None:
    if dtype not in FLOATS:
        raise ArgumentError(
            f"The array has dtype {dtype}: expected {FLOAT_CHOICE}, or complex. Convert it first."
        )


def _of_array(arrays: Arrays, x: Any, axis: int | None) -> tuple[Leaf, bool]:
    dtype = arrays.dtype(x)
    if dtype not in COMPLEX:
        return _of_floats(arrays, x, dtype, axis, x), False
    if not tuple(x.shape):
        return Leaf("p", 2, arrays.real_view(x.reshape((1,))), None), True
    pairs = arrays.real_view(x)
    return _of_floats(arrays, pairs, arrays.dtype(pairs), axis, x), True


def _of_floats(arrays: Arrays, x: Any, dtype: str, axis: int | None, source: Any) -> Leaf:
    shape = tuple(x.shape)
    if shape or not dtype.startswith(("int", "uint")):  # one integer is a number like others
        _check_dtype(dtype)
    rank = len(shape)
    if rank >= 1 and shape[-1] == 0:
        raise ArgumentError(f"The array has shape {shape}: rows have at least one coordinate.")
    if rank == 0:
        return Leaf("p", 1, x, None)
    if rank == 1:
        if axis in (0, 1):
            raise ArgumentError(
                f"The array has shape {shape}, and rows on an axis are (rows, D). Reshape it to "
                f"({shape[0]}, 1) if they have one coordinate."
            )
        return of_parameter(x, dtype, source)
    if rank == 2:
        if axis is None:
            raise ArgumentError(
                f"The array has shape {shape}: say whose rows they are, with Vi(x) or "
                "LazyTensor(x, axis=0) for rows i, Vj(x) or axis=1 for rows j; or give it the "
                f"shape ({shape[0]}, 1, {shape[1]}) or (1, {shape[0]}, {shape[1]})."
            )
        if axis == 2:
            return of_parameter(arrays.reshape(x, shape[1:]) if shape[0] == 1 else x, dtype, source)
        return of_rows(x, AXES[axis], dtype, source)
    if axis is not None:
        raise ArgumentError(
            f"The array has shape {shape}, of which the last three say the axis: (M, 1, D) is rows "
            f"i, (1, N, D) rows j. With axis={axis} give an array of two axes."
        )
    *batch, M, N, D = shape
    if M != 1 and N != 1:
        raise ArgumentError(
            f"The array has shape {shape}: of a LazyTensor's (..., M, N, D), M or N is 1. An array "
            "that has both is a dense matrix already."
        )
    if M == 1 and N == 1:
        return of_parameter(arrays.reshape(x, (*batch, D)), dtype, source)
    rows = arrays.reshape(x, (*batch, M * N, D))
    return of_rows(rows, "j" if M == 1 else "i", dtype, source)
