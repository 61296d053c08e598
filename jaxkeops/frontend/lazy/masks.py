"""Restrictions of a lazy tensor to some pairs, by the door's functions that make ranges."""

from __future__ import annotations

from typing import Any, Self

from ...errors import ArgumentError
from .expression import Expression


class Masks(Expression):
    """Each gives the same expression with ranges: what reductions of it take, and nothing else.

    What does not depend on numbers alone must be concrete: in JAX, make it outside of `jit`.
    """

    __slots__ = ()

    def causal(self) -> Self:
        """The pairs with j <= i + N - M: the last row meets all columns."""
        return self._restricted("causal", *self._extents("causal"))

    def window(self, before: int, after: int) -> Self:
        """The pairs with i - before <= j <= i + after."""
        return self._restricted("window", *self._extents("window"), before, after)

    def segment_ids(self, ids_i: Any, ids_j: Any) -> Self:
        """The pairs whose rows bear the same id; (M,) and (N,) integers that do not decrease."""
        restricted = self._restricted("segment_ids", ids_i, ids_j)
        # Rows without an id would be in no segment, and be left out without a word.
        for axis, rows, ids in (("i", self._frame.M, ids_i), ("j", self._frame.N, ids_j)):
            if rows is not None and len(ids) != rows:
                raise ArgumentError(
                    f"segment_ids: each of the {rows} rows {axis} has an id, got {len(ids)}."
                )
        return restricted

    def block_mask(self, mask: Any, block: int | tuple[int, int]) -> Self:
        """The pairs in the cells, of the size `block`, that a boolean matrix keeps.

        mask: (ceil(M / rows), ceil(N / columns)); the last cells hold the rows that there are.
        """
        M, N = self._frame.M, self._frame.N
        extents = None if M is None or N is None else (M, N)
        return self._restricted("block_mask", mask, block, extents)

    def _restricted(self, name: str, *args: Any) -> Self:
        if self.ranges is not None:
            raise ArgumentError(f"{name}: this LazyTensor has ranges already. Set them to None.")
        ranges = self._arrays.patterns()[name](*args)
        return self._of(self._node, self._frame, ranges, self.backend)

    def _extents(self, name: str) -> tuple[int, int]:
        M, N = self._frame.M, self._frame.N
        if M is None or N is None:
            raise ArgumentError(
                f"{name} needs to know how many rows i and j there are, got M={M} and N={N}."
            )
        return M, N
