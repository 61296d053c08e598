"""Least or greatest values, and the first columns that have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ... import ir
from .evaluate import pair_width
from .tile import Tile

Array = jax.Array


class Best(NamedTuple):
    values: Array
    columns: Array


@dataclass(frozen=True)
class Extremum:
    accumulator: ir.Extremum

    @property
    def pairs(self) -> int:
        """The most numbers a pair that an array of a tile holds."""
        return max(len(self.accumulator.values), pair_width(self.accumulator.values))

    @property
    def kept(self) -> int:
        """The numbers that are kept for a row."""
        return 2 * len(self.accumulator.values)

    @property
    def _worst(self) -> float:
        return jnp.inf if self.accumulator.sense == "min" else -jnp.inf

    def start(self, rows: int, dtype: str, index_dtype: str) -> Best:
        shape = (len(self.accumulator.values), rows)
        return Best(jnp.full(shape, self._worst, dtype), jnp.zeros(shape, index_dtype))

    def take(self, best: Best, tile: Tile) -> Best:
        """Only what is strictly better is taken, so that NaN is passed over, and ties too."""
        least = self.accumulator.sense == "min"
        values = tile.all_pairs(self.accumulator.values, self._worst)
        values = jnp.where(jnp.isnan(values), self._worst, values)
        found = values.min(1) if least else values.max(1)
        place = first_place(values, found, best.columns.dtype)
        better = found < best.values if least else found > best.values
        return Best(
            jnp.where(better, found, best.values),
            jnp.where(better, tile.first.astype(place.dtype) + place, best.columns),
        )

    def finish(self, best: Best) -> tuple[Array, Array]:
        return best


def first_place(values: Array, found: Array, dtype: jax.typing.DTypeLike) -> Array:
    """Along axis 1, the first place of `values` at which they are `found`: one is.

    Two simple reductions, where `lax.argmin` reduces pairs of numbers, which XLA does not
    vectorise on CPUs and which take several times as long.
    """
    places = lax.broadcasted_iota(dtype, values.shape, 1)
    return jnp.where(values == found[:, None], places, values.shape[1]).min(1)
