"""Values of an expression at given pairs: all of them, the diagonal, some rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Self

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from ...formula import F, Node, Var
from ...formula.node import rebuild
from ..arrays import Arrays
from ..ranges import check_ranges
from ..shapes import Shape
from ..taken import taken, taken_on_diagonal
from .expression import Expression
from .frame import frame_of_all
from .leaf import Leaf, of_rows
from .reduced import evaluate, first_array, reducer, with_a_row

# Of the pairs (i, j) of an expression, as those of a Sum over one column: where each axis goes.
ROW_BY_ROW = {"i": "p", "j": "i", "p": "p"}  # a batch element for each row i
DIAGONAL = {"i": "i", "j": "i", "p": "p"}


class Values(Expression):
    """Methods that give arrays of values, or expressions of fewer pairs."""

    __slots__ = ()

    def dense(self) -> Any:
        """The values at all pairs, an array of the shape of this, (*batch, M, N[, D]).

        With ranges, what a product with an array is taken with: 0 at the pairs that they leave
        out, which have no part in derivatives either, be they infinite there. Each row is a batch
        element of one reduction over nothing, so time and memory are those of the result, and it is
        as differentiable as a reduction.
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

        return self._valued(ROW_BY_ROW, moved, taken, (M, N))

    def diagonal(self) -> Any:
        """The values at the pairs (k, k), an array (*batch, min(M, N)[, D]), differentiable.

        They are the diagonal of `dense()`: 0 where ranges leave the pair out.
        """
        self._check_known("diagonal")
        count = min(self._shape[-3:-1])

        def moved(leaf: Leaf) -> Leaf:
            if leaf.axis == "p":
                return leaf
            return leaf.with_data(leaf.data[..., :count, :], "i", leaf.batch, count)

        return self._valued(DIAGONAL, moved, taken_on_diagonal, (count,))

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
        count = self._frame.M if axis == "i" else self._frame.N
        if count is None:
            raise ArgumentError(f"{name}: no array is on axis {axis}, so there is nothing to pick.")
        index = _row_index(self._arrays, name, index, count)

        def moved(leaf: Leaf) -> Leaf:
            if leaf.axis != axis:
                return leaf
            data = leaf.data[..., index, :]
            return leaf.with_data(data, axis, leaf.batch, data.shape[-2])

        frame = frame_of_all([moved(leaf) for leaf in self._frame.leaves])
        return self._of(self._node, frame, None, self.backend)

    def _valued(
        self,
        axes: Mapping[str, str],
        moved: Callable[[Leaf], Leaf],
        counted: Callable[..., Any],
        pairs: Shape,
    ) -> Any:
        """The values where `moved` puts the leaves, (*batch, *pairs[, D]).

        counted: how often ranges take each of the pairs.
        """
        leaves = self._frame.leaves or (Leaf("p", 1, 0.0, None),)  # to say the dtype
        leaves = [moved(leaf) for leaf in leaves]
        node = _on_axes(self._node, tuple(axes.items()))
        if self.ranges is not None:
            node = _where_taken(node, len(leaves))
            leaves.append(self._counts(counted, pairs))
        frame = frame_of_all(leaves)
        if frame.batch and not frame.has_rows():
            frame, node = with_a_row(self._arrays, frame, node)
        function = reducer(self._arrays.genred, "Sum", node, None, frame.kinds, 1)
        options = {} if self.backend is None else {"backend": self.backend}
        result = evaluate(self._arrays, function, frame, (), options, self.is_complex)
        dim, rows = tuple(result.shape)[-1], (*self._frame.batch, *pairs)
        shape = rows if dim == 1 else (*rows, dim)
        return result if tuple(result.shape) == shape else self._arrays.reshape(result, shape)

    def _counts(self, counted: Callable[..., Any], pairs: Shape) -> Leaf:
        """How often ranges take each of the pairs, as rows i."""
        known = tuple(map(self._arrays.known, check_ranges(self.ranges)))
        counts = counted(known, *self._shape[-3:-1]).reshape((*pairs, 1))
        dtype = self._frame.dtype or self._arrays.default_dtype()
        like = first_array(self._frame, [leaf.data for leaf in self._frame.leaves])
        return of_rows(self._arrays.argument(counts, dtype, like), "i", dtype, None)

    def _check_known(self, name: str) -> None:
        if self._frame.symbolic:
            raise ArgumentError(
                f"{name} needs the arrays, and some are arguments of a call still to come."
            )


def _row_index(arrays: Arrays, name: str, index: Any, count: int) -> Any:
    """What picks rows of an array of `count` of them: a slice, or an array of one axis.

    Raises `ArgumentError` for rows that there are not, where the numbers are known; those in
    arrays of the door are up to its library.
    """
    if isinstance(index, slice):
        # Not all libraries have slices with negative steps.
        return index if (index.step or 1) > 0 else np.arange(*index.indices(count))
    if isinstance(index, int | np.integer) and not isinstance(index, bool):
        _check_rows(name, np.asarray(index), count)
        return slice(int(index), int(index) + 1 or None)
    if isinstance(index, list):
        index = np.asarray(index, None if index else np.int64)
    if not isinstance(index, np.ndarray) and not arrays.is_array(index):
        raise ArgumentTypeError(
            f"{name} are picked by a row number, a slice or an array of row numbers, got "
            f"{type(index).__name__}."
        )
    if len(index.shape) != 1:
        raise ArgumentError(
            f"{name} are picked by a slice or a list of row numbers, of one axis, got shape "
            f"{tuple(index.shape)}."
        )
    dtype = arrays.dtype(index) if arrays.is_array(index) else str(index.dtype)
    if not dtype.startswith(("int", "uint", "bool")):
        raise ArgumentTypeError(f"{name} are picked by integers or booleans, got dtype {dtype}.")
    if dtype == "bool":
        if len(index) != count:
            raise ArgumentError(
                f"{name}: a mask has one boolean for each of {count}, got {len(index)}."
            )
    elif isinstance(index, np.ndarray):
        _check_rows(name, index, count)
    return index


def _check_rows(name: str, index: np.ndarray, count: int) -> None:
    wrong = index[(index < -count) | (index >= count)]
    if wrong.size:
        raise ArgumentError(f"{name}: there are {count}, and number {wrong.flat[0]} is asked for.")


@lru_cache(maxsize=4096)
def _on_axes(node: Node, axes: tuple[tuple[str, str], ...]) -> Node:
    new = dict(axes)
    return rebuild(
        node,
        lambda leaf: Var(leaf.dim, leaf.slot, new[leaf.axis]) if isinstance(leaf, Var) else None,
    )


@lru_cache(maxsize=4096)
def _where_taken(node: Node, slot: int) -> Node:
    """`node` as often as the row of `slot` says: 0 where that is 0, and so are all derivatives.

    The formula is chosen, for tangents; and so is each variable, with nothing to derive where it is
    not: a cotangent that went through an infinite derivative is dropped there, before any sum.
    """
    often = Var(1, slot, "i")
    kept = rebuild(
        node,
        lambda leaf: (
            F.IfLess(0.0, often, leaf, F.StopGradient(leaf)) if isinstance(leaf, Var) else None
        ),
    )
    return F.IfLess(0.0, often, kept * often, 0.0)
