"""What an expression is made of: arrays on an axis, numbers, and arrays that are still to come."""

from __future__ import annotations

from typing import Any

from ..shapes import Shape


class Leaf:
    """One input of an expression. Two leaves with one key are one input.

    axis: "i", "j" or "p". dim: its coordinates.
    data: (*batch, rows, dim), or (*batch, dim) for a parameter; of a number, or a list of them,
    the Python numbers; None for what is given when the expression is called.
    dtype: None where it takes that of the others.
    index: the place among the arguments of a call, or None for what is known.
    source: what the user gave: two leaves of one array on one axis are one.
    """

    __slots__ = ("axis", "batch", "data", "dim", "dtype", "index", "key", "kind", "rows", "source")

    def __init__(
        self,
        axis: str,
        dim: int,
        data: Any,
        dtype: str | None,
        batch: Shape = (),
        rows: int | None = None,
        index: int | None = None,
        source: Any = None,
    ) -> None:
        self.axis = axis
        self.dim = dim
        self.data = data
        self.dtype = dtype
        self.batch = batch
        self.rows = rows
        self.index = index
        self.source = source
        self.kind = axis + str(dim)
        if index is not None:
            self.key: Any = ("argument", index, self.kind)
        elif source is not None:
            self.key = (id(source), self.kind)  # the leaf holds it, so no other has this id
        else:
            self.key = id(self)

    def with_data(self, data: Any, axis: str, batch: Shape, rows: int | None) -> Leaf:
        """A leaf of the same dim and dtype, of other rows."""
        return Leaf(axis, self.dim, data, self.dtype, batch, rows)


def of_rows(array: Any, axis: str, dtype: str, source: Any) -> Leaf:
    """The leaf of an array (*batch, rows, dim)."""
    shape = tuple(array.shape)
    return Leaf(axis, shape[-1], array, dtype, shape[:-2], shape[-2], source=source)


def of_parameter(array: Any, dtype: str, source: Any) -> Leaf:
    """The leaf of an array (*batch, dim)."""
    shape = tuple(array.shape)
    return Leaf("p", shape[-1], array, dtype, shape[:-1], source=source)
