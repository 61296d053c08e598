"""Shapes of the arrays of a formula: checked, completed, and those of the results.

One rule, NumPy's: axes before the rows are batch axes, aligned on the right, and an extent of 1
(or an axis that is not there) is repeated. Nothing is ever copied to repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ArgumentError
from ..ir import Input

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Fit:
    """How arrays fit a formula.

    arrays: the shape of each input, with all batch axes: (*batch, rows, D), or (*batch, D).
    batch, M, N: the common batch shape, the kept rows and the reduced rows.
    """

    arrays: tuple[Shape, ...]
    batch: Shape
    M: int
    N: int

    def result(self, width: int, axis: str = "i") -> Shape:
        """The shape of a result of `width` columns; on axis "p" it has no rows."""
        return (*self.batch, width) if axis == "p" else (*self.batch, self.M, width)


def fit(inputs: Sequence[Input], shapes: Sequence[Shape], names: Sequence[str]) -> Fit:
    """Checks the shapes that a user gave, one for each input, and completes them.

    Accepts a parameter of dim 1 without axes, and one with an axis of extent 1 before its
    coordinates, for its one row, where it has more batch axes than rows have. Raises
    `ArgumentError` with the name of the array, what was expected, and what came.
    """
    _check_count(inputs, shapes, names)
    both = list(zip(inputs, shapes, strict=True))
    rank = max([0, *(len(shape) - 2 for given, shape in both if given.axis != "p")])
    parameters = [_parameter(g, shape, rank) if g.axis == "p" else shape for g, shape in both]
    return align(inputs, parameters, names)


def align(inputs: Sequence[Input], shapes: Sequence[Shape], names: Sequence[str]) -> Fit:
    """How arrays fit that end in (rows, D), or (D,): all axes before are batch axes.

    So what `fit` has completed stays as it is, with the batch axes of extent 1 that a transform
    may have added. Raises `ArgumentError` as `fit` does.
    """
    _check_count(inputs, shapes, names)
    for name, given, shape in zip(names, inputs, shapes, strict=True):
        _check_core(name, given, shape)
    cores = [1 if given.axis == "p" else 2 for given in inputs]
    rank = max([0, *(len(shape) - core for shape, core in zip(shapes, cores, strict=True))])
    arrays = [
        (1,) * (rank + core - len(shape)) + shape for shape, core in zip(shapes, cores, strict=True)
    ]
    batch = tuple(_batch_extent(axis, arrays, names) for axis in range(rank))
    extents = {axis: _row_count(axis, inputs, arrays, names) for axis in ("i", "j")}
    return Fit(tuple(arrays), batch, extents["i"], extents["j"])


def _parameter(given: Input, shape: Shape, rank: int) -> Shape:
    if shape == () and given.dim == 1:
        return (1,)
    if len(shape) >= 2 and len(shape) - 1 > rank and shape[-2] == 1:
        return (*shape[:-2], shape[-1])
    return shape


def _check_count(inputs: Sequence[Input], shapes: Sequence[Shape], names: Sequence[str]) -> None:
    if len(shapes) != len(inputs):
        listed = ", ".join(names)
        raise ArgumentError(
            f"The formula takes {len(inputs)} arrays ({listed}), got {len(shapes)}."
        )


def _check_core(name: str, given: Input, shape: Shape) -> None:
    if given.axis == "p":
        if not shape or shape[-1] != given.dim:
            raise ArgumentError(
                f"{name}, a parameter, takes an array of shape ({given.dim},), or (..., "
                f"{given.dim}) in batches, got one of shape {shape}."
            )
    elif len(shape) < 2:
        raise ArgumentError(
            f"{name} takes an array of shape (..., rows, {given.dim}), got one of shape {shape}. "
            f"Give each row its coordinates: reshape it to (rows, {given.dim})."
        )
    elif shape[-1] != given.dim:
        raise ArgumentError(
            f"{name} is declared with dimension {given.dim} and takes {given.dim} columns, got "
            f"{shape[-1]}: an array of shape {shape}. Correct the alias or the array."
        )


def _batch_extent(axis: int, arrays: Sequence[Shape], names: Sequence[str]) -> int:
    extent, witness = 1, ""
    for name, shape in zip(names, arrays, strict=True):
        if shape[axis] != 1:
            if witness and shape[axis] != extent:
                raise ArgumentError(
                    f"Batch axis {axis} is {extent} long in {witness} and {shape[axis]} in "
                    f"{name} (shape {shape}). Batch axes must have one length, or length 1."
                )
            extent, witness = shape[axis], name
    return extent


def _row_count(
    axis: str, inputs: Sequence[Input], arrays: Sequence[Shape], names: Sequence[str]
) -> int:
    count, witness = 1, ""
    for name, given, shape in zip(names, inputs, arrays, strict=True):
        if given.axis == axis:
            if witness and shape[-2] != count:
                raise ArgumentError(
                    f"Arrays on one axis must have one number of rows: {witness} has {count}, "
                    f"{name} has {shape[-2]} (shape {shape})."
                )
            count, witness = shape[-2], name
    return count
