"""Sums over the columns of tiles, kept with twice the digits of their dtype from tile to tile."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

CHUNK = 64  # columns that are added one after the other: as many as our kernels add


class Sums(NamedTuple):
    """What has been summed so far, and what roundings have taken from it."""

    high: Array
    low: Array

    @staticmethod
    def zeros(shape: tuple[int, ...], dtype: str) -> Sums:
        return Sums(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def plus(self, terms: Array) -> Sums:
        """TwoSum: D. E. Knuth, The Art of Computer Programming 2, section 4.2.2, theorem B."""
        total = self.high + terms
        taken = total - self.high
        lost = (self.high - (total - taken)) + (terms - taken)
        return Sums(total, self.low + lost)

    def times(self, power_of_two: Array) -> Sums:
        return Sums(self.high * power_of_two, self.low * power_of_two)

    def value(self) -> Array:
        # What was lost is NaN where the sum is infinite.
        return jnp.where(jnp.isfinite(self.high), self.high + self.low, self.high)


def over_columns(terms: Array) -> Array:
    """(K, columns, rows) -> (K, rows), in chunks of `CHUNK` columns, then over the chunks."""
    count, columns, rows = terms.shape
    whole = columns // CHUNK
    if whole < 2:
        return terms.sum(1)
    chunks = terms[:, : whole * CHUNK].reshape(count, whole, CHUNK, rows).sum(2)
    # Without it, XLA makes one long sum of the two.
    chunks = lax.optimization_barrier(chunks)
    rest = terms[:, whole * CHUNK :]
    return chunks.sum(1) + rest.sum(1) if rest.shape[1] else chunks.sum(1)


def weighted(values: Array, weights: Array) -> Array:
    """The sums over columns of values, (1, columns, rows), times weights, (K, columns, 1).

    -> (K, rows). A product of matrices for each chunk of columns: no array of K times all pairs.
    """
    columns = values.shape[1]
    whole = columns // CHUNK
    parts = []
    if whole:
        cut = whole * CHUNK
        a = weights[:, :cut, 0].reshape(-1, whole, CHUNK)
        b = values[0, :cut].reshape(whole, CHUNK, -1)
        parts.append(lax.optimization_barrier(_product(a, b, ((2,), (1,)), ((1,), (0,)))).sum(0))
    if columns % CHUNK:
        rest = slice(whole * CHUNK, columns)
        parts.append(_product(weights[:, rest, 0], values[0, rest], ((1,), (0,)), ((), ())))
    return sum(parts[1:], parts[0])


def _product(a: Array, b: Array, summed: tuple, batch: tuple) -> Array:
    return lax.dot_general(
        a,
        b,
        (summed, batch),
        precision=lax.Precision.HIGHEST,  # else a TPU rounds float32 to bfloat16 first
        preferred_element_type=a.dtype,
    )
