"""Batches: as many elements at once as a tile has room for, which share what is not repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def over_batch(
    element: Callable[[Sequence[Array]], list[Array]],
    arrays: Sequence[Array],
    cores: Sequence[int],
    batch: tuple[Any, ...],
    at_once: int,
) -> list[Array]:
    """The results (*batch, ...) of `element` for each element of a batch.

    cores: how many of the last axes of each array are its own; an extent of 1 before them is
    repeated along the batch, never copied.
    """
    if not batch:
        return element(arrays)

    def numbered(number: Array) -> list[Array]:
        return element(
            [
                _picked(array, number, batch, array.ndim - core)
                for array, core in zip(arrays, cores, strict=True)
            ]
        )

    if all(isinstance(extent, int) for extent in batch) and prod(batch) == 1:
        results = numbered(jnp.zeros((), "int32"))
        return [result.reshape(*batch, *result.shape) for result in results]
    count = 1
    for extent in batch:
        count = count * extent
    numbers = lax.iota("int32", count) if isinstance(count, int) else jnp.arange(count)
    results = lax.map(numbered, numbers, batch_size=at_once if at_once > 1 else None)
    return [result.reshape(*batch, *result.shape[1:]) for result in results]


def _picked(array: Array, number: Array, batch: tuple[Any, ...], axes: int) -> Array:
    """What `array` has for an element of the batch; the number counts the last axis first."""
    flat, stride, place = 1, 1, jnp.zeros_like(number)
    for extent, whole in reversed(list(zip(array.shape[:axes], batch, strict=True))):
        if not _is_one(extent):
            place = place + number // stride % whole * flat
            flat = flat * extent
        stride = stride * whole
    rest = array.reshape(flat, *array.shape[axes:])
    if _is_one(flat):
        return rest[0]
    return lax.dynamic_index_in_dim(rest, place, 0, keepdims=False)


def _is_one(extent: Any) -> bool:
    return isinstance(extent, int) and extent == 1
