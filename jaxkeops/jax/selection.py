"""Values that a reduction selects, as a function of its operands that JAX can differentiate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp

from ..formula import Formula, selected
from .layout import in_order
from .primitive import Axes, Way, extents, reduce
from .ring import around


def values_at(
    formula: Formula,
    operands: Sequence[jax.Array],
    values: jax.Array,
    rows: jax.Array,
    way: Way,
) -> jax.Array:
    """`values` again, of which JAX knows how they depend on `operands`.

    formula: one that `with_rows` gives, and values, rows its results: (*batch, M, K * D). What
    the pairs hold is gathered, and the formula is taken there: time and memory M * K, not M * N.
    Where a row had too few candidates the value is 0, and depends on nothing. With a ring, rows are
    counted through the blocks of all devices, and the blocks come round to those that ask.
    """
    if extents(formula, [array.shape for array in operands])[2] == 0:
        return jnp.zeros_like(values)
    dim = formula.node.dim
    *batch, M, width = values.shape
    count = width // dim
    shape = (*batch, M * count, dim)
    known = (values != formula.results[0].empty).reshape(shape)
    rows = rows.reshape(shape)
    found, here = [], replace(way, ring=())
    for k in range(dim):
        pick = selected(formula, k)
        arrays = []
        for slot in pick.slots:
            given = formula.inputs[slot].axis
            array = _at_pairs(operands[slot], given, rows[..., k], count, way.ring)
            # No derivative passes through pairs that were not found: what stands there may be
            # NaN, and NaN times a cotangent of 0 would be NaN.
            kept = known[..., k : k + 1]
            arrays.append(jnp.where(kept, array, jax.lax.stop_gradient(array)))
        carrier = jnp.zeros((*shape[:-1], 0), values.dtype)
        found += reduce(pick.formula, here, [*arrays, carrier])
    every = jnp.where(known, jnp.concatenate(found, -1), 0)
    return every.reshape(values.shape)


def _at_pairs(array: jax.Array, axis: str, rows: jax.Array, count: int, ring: Axes) -> jax.Array:
    """What an operand has at each pair: (*batch, M * K, D), batch extents of 1 kept if they can be.

    rows: (*batch, M * K), `count` = K of them for each row of axis i.
    """
    match axis:
        case "i":
            return jnp.repeat(array, count, -2) if count > 1 else array
        case "j" if ring:
            return _from_ring(array, rows, ring)
        case "j":
            return jnp.take_along_axis(array, rows[..., None], -2, mode="promise_in_bounds")
    shape = (*array.shape[:-1], rows.shape[-1], array.shape[-1])
    return jnp.broadcast_to(array[..., None, :], shape)


def _from_ring(array: jax.Array, rows: jax.Array, ring: Axes) -> jax.Array:
    """The rows that are asked for, from the blocks of all devices along `ring`."""
    count = jax.lax.axis_size(ring)
    extent = array.shape[-2]

    # Which rows a block has is found again where a derivative needs it: kept, it would be as much
    # memory for each of the devices.
    @jax.checkpoint
    def part(block: tuple[jax.Array, jax.Array]) -> jax.Array:
        array, first = block
        at = (rows - first.astype(rows.dtype))[..., None]
        found = jnp.take_along_axis(array, jnp.clip(at, 0, extent - 1), -2)
        return jnp.where((at >= 0) & (at < extent), found, 0)

    first = jnp.asarray(jax.lax.axis_index(ring), int) * extent
    order = in_order(ring, jax.typeof(rows).sharding.mesh.axis_names)
    return around(part, jnp.add, (array, first), order, count)
