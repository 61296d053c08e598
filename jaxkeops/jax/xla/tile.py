"""A tile: some columns and some rows, what the leaves are there, and which columns count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ...ir import Scalar
from .evaluate import Leaves, evaluate

Array = jax.Array


@dataclass(frozen=True)
class Tile:
    """first: the number of its first column; the others follow.

    counts: (1, columns, 1), whether a column takes part; None if all do.
    """

    leaves: Leaves
    first: Array
    columns: int
    rows: int
    counts: Array | None

    def parts(self, roots: Sequence[Scalar]) -> list[Array]:
        """(width of the root, columns or 1, rows or 1) for each root, as they are."""
        return evaluate(roots, self.leaves)

    def all_pairs(self, roots: Sequence[Scalar], other: float) -> Array:
        """(width of all roots, columns, rows), with `other` where a column takes no part."""
        parts = [self.to_pairs(part) for part in self.parts(roots)]
        return self.or_else(jnp.concatenate(parts) if len(parts) > 1 else parts[0], other)

    def to_pairs(self, array: Array) -> Array:
        return jnp.broadcast_to(array, (array.shape[0], self.columns, self.rows))

    def or_else(self, array: Array, other: float) -> Array:
        """`array`, with `other` in the columns that take no part."""
        return array if self.counts is None else jnp.where(self.counts, array, other)
