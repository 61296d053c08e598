"""Which pairs a reduction takes: all of them, or blocks of rows with some intervals of columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from .loops import repeat

Array = jax.Array
# take(begin, end, kept) takes in columns [begin, end).
Take = Callable[[Any, Any, Any], Any]
# columns(take, kept): what is kept after all columns of a row, and whether there was one.
Columns = Callable[[Take, Any], tuple[Any, Array | None]]


class Pattern(Protocol):
    """`rows(begin, end, columns, results)` adds some rows, all with the same columns."""

    def each_block(self, rows: Callable[[Any, Any, Columns, Any], Any], results: Any) -> Any: ...


@dataclass(frozen=True)
class Dense:
    """All pairs of M rows and N columns."""

    M: Any
    N: Any

    def each_block(self, rows: Callable[[Any, Any, Columns, Any], Any], results: Any) -> Any:
        def columns(take: Take, kept: Any) -> tuple[Any, Array | None]:
            return take(0, self.N, kept), None  # JAX takes unknown extents to be 1 or more

        return rows(0, self.M, columns, results)


@dataclass(frozen=True)
class Ranged:
    """Rows of a block meet the intervals of columns from the end of the block before to its own.

    rows: (blocks, 2), ends: (blocks,), intervals: (n, 2), all in bounds, of dtype `position`.
    """

    rows: Array
    ends: Array
    intervals: Array
    position: str

    @staticmethod
    def of(arrays: Sequence[Array], M: Any, N: Any, position: str) -> Ranged:
        """The ranges of a call, of which all that is out of bounds is cut off."""
        rows, ends, intervals = arrays[:3]

        def within(array: Array, most: Any) -> Array:
            return jnp.clip(array, 0, jnp.asarray(most, array.dtype)).astype(position)

        return Ranged(
            within(rows, M), within(ends, intervals.shape[0]), within(intervals, N), position
        )

    def each_block(self, rows: Callable[[Any, Any, Columns, Any], Any], results: Any) -> Any:
        before = jnp.concatenate([jnp.zeros_like(self.ends[:1]), self.ends[:-1]])

        def block(k: Array, results: Any) -> Any:
            def columns(take: Take, kept: Any) -> tuple[Any, Array | None]:
                def interval(n: Array, held: tuple[Any, Array]) -> tuple[Any, Array]:
                    kept, met = held
                    begin, end = self.intervals[before[k] + n]
                    return take(begin, end, kept), met | (end > begin)

                none = jnp.zeros((), bool)
                return repeat(self.ends[k] - before[k], interval, (kept, none), self.position)

            begin, end = self.rows[k]
            return rows(begin, end, columns, results)

        return repeat(self.rows.shape[0], block, results, self.position)
