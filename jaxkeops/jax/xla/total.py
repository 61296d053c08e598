"""Sums of the values."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ... import ir
from ...ir import COLUMN, COMPONENT, PAIR, Apply, Each, Scalar
from .evaluate import pair_width
from .sums import Sums, over_columns, weighted
from .tile import Tile


@dataclass(frozen=True)
class Total:
    accumulator: ir.Total

    @property
    def pairs(self) -> int:
        """The most numbers a pair that an array of a tile holds."""
        return pair_width([end for root in self.accumulator.values for end in _ends(root)])

    @property
    def kept(self) -> int:
        """The numbers that are kept for a row."""
        return 2 * sum(map(ir.width, self.accumulator.values))

    def start(self, rows: int, dtype: str, index_dtype: str) -> Sums:
        return Sums.zeros((sum(map(ir.width, self.accumulator.values)), rows), dtype)

    def take(self, sums: Sums, tile: Tile) -> Sums:
        ends = [_ends(root) for root in self.accumulator.values]
        given = iter(tile.parts([end for each in ends for end in each]))
        found = []
        for each in ends:
            first = tile.or_else(tile.to_pairs(next(given)), 0)
            if len(each) == 2:
                found.append(weighted(first, tile.or_else(next(given), 0)))
            else:
                found.append(over_columns(first))
        return sums.plus(jnp.concatenate(found))

    def finish(self, sums: Sums) -> tuple[jax.Array, None]:
        return sums.value(), None


def _ends(root: Scalar) -> tuple[Scalar, ...]:
    """A number of each pair and some of each column, if their products are the root; else it."""
    each = isinstance(root, Each)
    body = root.body if each else root
    if isinstance(body, Apply) and body.instr.name == "mul":
        for one, some in (body.operands, body.operands[::-1]):
            if one.rate == PAIR and some.rate & ~COMPONENT == COLUMN:
                return one, Each(COLUMN, some, root.count) if each else some
    return (root,)
