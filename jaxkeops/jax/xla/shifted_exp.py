"""Sums of exponentials that cannot overflow, relative to a power of two near the greatest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ... import ir
from .evaluate import pair_width
from .spelling import exp2
from .sums import Sums, over_columns, weighted
from .tile import Tile

Array = jax.Array


class Kept(NamedTuple):
    """top: the greatest exponents, (X, rows); sums: one of (W, rows) for each exponent.

    The sums are relative to 2 ** reference, a whole number: what moves it rounds nothing.
    """

    top: Array
    sums: tuple[Sums, ...]


@dataclass(frozen=True)
class ShiftedExp:
    accumulator: ir.ShiftedExp

    @property
    def _weights(self) -> int:
        return sum(map(ir.width, self.accumulator.weights))

    @property
    def pairs(self) -> int:
        """The most numbers a pair that an array of a tile holds."""
        widest = pair_width(ir.roots(self.accumulator))
        return max(len(self.accumulator.exponents), widest)

    @property
    def kept(self) -> int:
        """The numbers that are kept for a row."""
        return len(self.accumulator.exponents) * (1 + 2 * self._weights)

    def start(self, rows: int, dtype: str, index_dtype: str) -> Kept:
        count = len(self.accumulator.exponents)
        zeros = Sums.zeros((self._weights, rows), dtype)
        return Kept(jnp.full((count, rows), -jnp.inf, dtype), (zeros,) * count)

    def take(self, kept: Kept, tile: Tile) -> Kept:
        exponents = tile.all_pairs(self.accumulator.exponents, -jnp.inf)
        known = jnp.where(jnp.isnan(exponents), -jnp.inf, exponents)
        top = jnp.maximum(kept.top, known.max(1))
        reference = _reference(top)
        power = exp2(_reference(kept.top) - reference)
        weights = [tile.or_else(each, 0) for each in tile.parts(self.accumulator.weights)]
        sums = []
        for k, held in enumerate(kept.sums):
            powers = exp2(exponents[k : k + 1] - reference[k : k + 1, None])
            found = jnp.concatenate([_weighted(powers, each, tile) for each in weights])
            sums.append(held.times(power[k : k + 1]).plus(found))
        return Kept(top, tuple(sums))

    def finish(self, kept: Kept) -> tuple[Array, None]:
        states = []
        references = _reference(kept.top)
        for k, held in enumerate(kept.sums):
            reference, sums = references[k : k + 1], held.value()
            if self.accumulator.exact:
                top = kept.top[k : k + 1]
                sums = sums * exp2(reference - _finite(top))
                reference = top
            states += [reference, sums]
        return jnp.concatenate(states), None


def _weighted(powers: Array, weights: Array, tile: Tile) -> Array:
    if weights.shape[2] == 1:
        return weighted(powers, jnp.broadcast_to(weights, (*weights.shape[:1], tile.columns, 1)))
    return over_columns(powers * weights)


def _reference(top: Array) -> Array:
    return jnp.round(_finite(top))


def _finite(top: Array) -> Array:
    """Far enough from the ends of the range that differences of two do not overflow."""
    most = float(np.finfo(top.dtype).max) / 4
    return jnp.clip(top, -most, most)
