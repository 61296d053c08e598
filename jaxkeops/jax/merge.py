"""What holds the parts of a result: devices along mesh axes, or an axis of stacked arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Lists = tuple[jax.Array, ...]


class Devices:
    """One part on each device along mesh axes: merged by collectives, each device has the whole."""

    xp = jnp

    def __init__(self, axes: Sequence[str], count: int) -> None:
        self._axes, self._count = tuple(axes), count

    def total(self, x: jax.Array) -> jax.Array:
        return lax.psum(x, self._axes)

    def least(self, x: jax.Array) -> jax.Array:
        return lax.pmin(x, self._axes)

    def greatest(self, x: jax.Array) -> jax.Array:
        return lax.pmax(x, self._axes)

    def lowest(self, lists: Lists, count: int) -> Lists:
        """Each device merges some of the rows: it receives 2 M K entries, as for a sum, and holds
        M K, where gathered lists would be as many for each device.
        """
        devices, rows = self._count, lists[0].shape[-2]
        pad = -rows % devices
        mine = []
        for x in lists:
            padded = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, pad), (0, 0)])
            cut = padded.reshape(*x.shape[:-2], devices, (rows + pad) // devices, x.shape[-1])
            axis = cut.ndim - 3
            shared = lax.all_to_all(cut, self._axes, axis, axis)
            mine.append(jnp.moveaxis(shared, axis, 0))
        merged = lowest_of(tuple(mine), count)
        whole = [lax.all_gather(x, self._axes, axis=x.ndim - 2, tiled=True) for x in merged]
        return tuple(x[..., :rows, :] for x in whole)


class Stack:
    """The parts along the first axis of arrays."""

    xp = jnp

    def total(self, x: jax.Array) -> jax.Array:
        return x.sum(0, dtype=x.dtype)

    def least(self, x: jax.Array) -> jax.Array:
        return x.min(0)

    def greatest(self, x: jax.Array) -> jax.Array:
        return x.max(0)

    def lowest(self, lists: Lists, count: int) -> Lists:
        return lowest_of(lists, count)


def lowest_of(lists: Lists, count: int) -> Lists:
    """The lists of the `count` least of stacked lists, (parts, ..., M, K * D): values, then rows.

    Of equal values, the one of the least row comes first: so parts may be in any order.
    """
    parts, *batch, rows, width = lists[0].shape
    entries = []
    for x in lists:
        apart = x.reshape(parts, *batch, rows, count, width // count)
        beside = jnp.moveaxis(apart, 0, -3)
        entries.append(beside.reshape(*batch, rows, parts * count, width // count))
    ordered: Any = lax.sort(tuple(entries), dimension=entries[0].ndim - 2, num_keys=len(entries))
    return tuple(x[..., :count, :].reshape(*batch, rows, width) for x in ordered)
