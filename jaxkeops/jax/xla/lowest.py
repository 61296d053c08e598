"""The least values of each row, ascending, and their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ... import ir
from .evaluate import pair_width
from .extremum import first_place
from .tile import Tile

Array = jax.Array


class Lists(NamedTuple):
    """(K, values, rows) each, ascending along the first axis."""

    values: Array
    columns: Array

    def with_one(self, value: Array, column: Array) -> Lists:
        """The K least of these and one more, which comes after what it equals."""
        before = self.values <= value[None]
        place = before.sum(0, keepdims=True, dtype=self.columns.dtype)
        numbers = lax.broadcasted_iota(place.dtype, self.values.shape, 0)

        def moved(held: Array, one: Array) -> Array:
            after = jnp.concatenate([held[:1], held[:-1]])
            return jnp.where(before, held, jnp.where(numbers == place, one[None], after))

        return Lists(moved(self.values, value), moved(self.columns, column))


@dataclass(frozen=True)
class Lowest:
    accumulator: ir.Lowest

    @property
    def pairs(self) -> int:
        """The most numbers a pair that an array of a tile holds."""
        return max(len(self.accumulator.values), pair_width(self.accumulator.values))

    @property
    def kept(self) -> int:
        """The numbers that are kept for a row."""
        return 2 * len(self.accumulator.values) * self.accumulator.count

    def start(self, rows: int, dtype: str, index_dtype: str) -> Lists:
        shape = (self.accumulator.count, len(self.accumulator.values), rows)
        return Lists(jnp.full(shape, jnp.inf, dtype), jnp.zeros(shape, index_dtype))

    def take(self, lists: Lists, tile: Tile) -> Lists:
        """Takes the least of the tile for each row, as long as a list has a greater one.

        Late tiles have little that is less, so that a few passes are enough for most, where XLA's
        sort would take as long for each as for the first.
        """
        values = tile.all_pairs(self.accumulator.values, jnp.inf)
        values = jnp.where(jnp.isnan(values), jnp.inf, values)
        places = lax.broadcasted_iota(lists.columns.dtype, values.shape, 1)

        def some_list_has_a_greater_one(state: tuple[Lists, Array, Array]) -> Array:
            lists, _, least = state
            return (least < lists.values[-1]).any()

        def take_least(state: tuple[Lists, Array, Array]) -> tuple[Lists, Array, Array]:
            lists, left, least = state
            place = first_place(left, least, places.dtype)
            left = jnp.where(places == place[:, None], jnp.inf, left)
            column = tile.first.astype(place.dtype) + place
            return lists.with_one(least, column), left, left.min(1)

        state = (lists, values, values.min(1))
        return lax.while_loop(some_list_has_a_greater_one, take_least, state)[0]

    def finish(self, lists: Lists) -> tuple[Array, Array]:
        values = lists.values.reshape(-1, lists.values.shape[-1])
        columns = lists.columns.reshape(values.shape)
        return values, jnp.where(values == jnp.inf, 0, columns)
