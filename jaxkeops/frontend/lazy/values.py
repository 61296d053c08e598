"""Values of an expression at given pairs: all of them, the diagonal, some rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Self

import numpy as np

from ...errors import ArgumentError
from ...formula import Node, Var
from ...formula.node import rebuild
from ..shapes import Shape
from .expression import Expression
from .frame import frame_of_all
from .leaf import Leaf
from .reduced import evaluate, reducer, with_a_row

# Of the pairs (i, j) of an expression, as those of a Sum over one column: where each axis goes.
ROW_BY_ROW = {"i": "p", "j": "i", "p": "p"}  # a batch element for each row i
DIAGONAL = {"i": "i", "j": "i", "p": "p"}


class Values(Expression):
    """Methods that give arrays of values, or expressions of fewer pairs."""

    __slots__ = ()

    def dense(self) -> Any:
        """The values at all pairs, an array of the shape of this, (*batch, M, N[, D]).

        Each row is a batch element of one reduction over nothing, so time and memory are those of
        the result, and it is as differentiable as a reduction. Ranges are not looked at: they say
        which pairs a reduction takes.
        """
        self._check_known("dense")
        M, N = self._shape[-3:-1]

        def moved(leaf: Leaf) -> Leaf:
            batch, rows = leaf.batch, leaf.rows
            if leaf.axis == "i":
                return leaf.with_data(leaf.data, "p", (*batch, M), None)
            if leaf.axis == "j":
                data = self._arrays.reshape(leaf.data, (*batch, 1, N, leaf.dim))
                return leaf.with_data(data, "i", (*batch, 1), rows)
            if leaf.batch:
                data = self._arrays.reshape(leaf.data, (*batch, 1, leaf.dim))
                return leaf.with_data(data, "p", (*batch, 1), None)
            return leaf

        return self._valued(ROW_BY_ROW, moved, (*self._frame.batch, M, N))

    def diagonal(self) -> Any:
        """The values at the pairs (k, k), an array (*batch, min(M, N)[, D]), differentiable."""
        self._check_known("diagonal")
        count = min(self._shape[-3:-1])

        def moved(leaf: Leaf) -> Leaf:
            if leaf.axis == "p":
                return leaf
            return leaf.with_data(leaf.data[..., :count, :], "i", leaf.batch, count)

        return self._valued(DIAGONAL, moved, (*self._frame.batch, count))

    def rows(self, index: Any) -> Self:
        """The same expression on the rows i that a slice or an array of integers picks."""
        return self._picked("i", index)

    def columns(self, index: Any) -> Self:
        """The same expression on the rows j that a slice or an array of integers picks."""
        return self._picked("j", index)

    def _picked(self, axis: str, index: Any) -> Self:
        name = "rows" if axis == "i" else "columns"
        self._check_known(name)
        if self.ranges is not None:
            raise ArgumentError(
                f"{name}: the ranges of this LazyTensor are for all rows. Set ranges to None, and "
                "those of the rows picked after."
            )
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        elif isinstance(index, list):
            index = np.asarray(index)

        def moved(leaf: Leaf) -> Leaf:
            if leaf.axis != axis:
                return leaf
            data = leaf.data[..., index, :]
            if len(data.shape) != len(leaf.data.shape):
                raise ArgumentError(
                    f"{name} are picked by a slice or a list of row numbers, of one axis."
                )
            return leaf.with_data(data, axis, leaf.batch, data.shape[-2])

        if not any(leaf.axis == axis for leaf in self._frame.leaves):
            raise ArgumentError(f"{name}: no array is on axis {axis}, so there is nothing to pick.")
        frame = frame_of_all([moved(leaf) for leaf in self._frame.leaves])
        return self._of(self._node, frame, None, self.backend)

    def _valued(self, axes: Mapping[str, str], moved: Callable[[Leaf], Leaf], rows: Shape) -> Any:
        """The values where `moved` puts the leaves, (*rows, D) or rows if D is 1."""
        leaves = self._frame.leaves or (Leaf("p", 1, 0.0, None),)  # to say the dtype
        frame = frame_of_all([moved(leaf) for leaf in leaves])
        node = _on_axes(self._node, tuple(axes.items()))
        if frame.batch and not frame.has_rows():
            frame, node = with_a_row(self._arrays, frame, node)
        function = reducer(self._arrays.genred, "Sum", node, None, frame.kinds, 1)
        options = {} if self.backend is None else {"backend": self.backend}
        result = evaluate(self._arrays, function, frame, (), options, self.is_complex)
        dim = tuple(result.shape)[-1]
        shape = rows if dim == 1 else (*rows, dim)
        return result if tuple(result.shape) == shape else self._arrays.reshape(result, shape)

    def _check_known(self, name: str) -> None:
        if self._frame.symbolic:
            raise ArgumentError(
                f"{name} needs the arrays, and some are arguments of a call still to come."
            )


@lru_cache(maxsize=4096)
def _on_axes(node: Node, axes: tuple[tuple[str, str], ...]) -> Node:
    new = dict(axes)
    return rebuild(
        node,
        lambda leaf: Var(leaf.dim, leaf.slot, new[leaf.axis]) if isinstance(leaf, Var) else None,
    )
