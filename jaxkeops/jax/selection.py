"""Values that a reduction selects, as a function of its operands that JAX can differentiate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import jax
import jax.numpy as jnp

from ..formula import Formula, Var, make_formula
from ..formula.calculus import Selected, selected
from ..formula.formula import rename
from ..ir import Input
from .primitive import extents, reduce


@lru_cache(maxsize=1024)
def with_rows(formula: Formula) -> Formula:
    """The formula whose results are the values that `formula` selects, then their rows."""
    name, rows = formula.reduction.name, formula.reduction.selects
    if name.endswith(rows):
        return formula
    both = f"{name}_{rows}"
    return make_formula(both, formula.node, formula.inputs, formula.weight, formula.count)


def values_at(
    formula: Formula,
    operands: Sequence[jax.Array],
    values: jax.Array,
    rows: jax.Array,
) -> jax.Array:
    """`values` again, of which JAX knows how they depend on `operands`.

    formula: one that `with_rows` gives, and values, rows its results: (*batch, M, K * D). What
    the pairs hold is gathered, and the formula is taken there: time and memory M * K, not M * N.
    Where a row had too few candidates the value is 0, and depends on nothing.
    """
    if extents(formula, [array.shape for array in operands])[2] == 0:
        return jnp.zeros_like(values)
    dim = formula.node.dim
    *batch, M, width = values.shape
    count = width // dim
    shape = (*batch, M * count, dim)
    known = (values != formula.results[0].empty).reshape(shape)
    rows = rows.reshape(shape)
    found = []
    for k in range(dim):
        pick = _at_each_pair(formula, k)
        arrays = []
        for slot in pick.slots:
            given = formula.inputs[slot].axis
            array = _at_pairs(operands[slot], given, rows[..., k], count)
            # No derivative passes through pairs that were not found: what stands there may be
            # NaN, and NaN times a cotangent of 0 would be NaN.
            kept = known[..., k : k + 1]
            arrays.append(jnp.where(kept, array, jax.lax.stop_gradient(array)))
        carrier = jnp.zeros((*shape[:-1], 0), values.dtype)
        found += reduce(pick.formula, "int64", [*arrays, carrier])
    every = jnp.where(known, jnp.concatenate(found, -1), 0)
    return every.reshape(values.shape)


@lru_cache(maxsize=1024)
def _at_each_pair(formula: Formula, coordinate: int) -> Selected:
    """One coordinate of the formula at chosen pairs, each with parameters of its own.

    A gradient for shared parameters would be summed over the pairs before those that were not
    found could be left out.
    """
    pick = selected(formula, coordinate)
    inputs = [Input("i", given.dim) for given in pick.formula.inputs]
    new = {slot: Var(given.dim, slot, "i") for slot, given in enumerate(inputs)}
    return Selected(make_formula("Sum", rename(pick.formula.node, new), inputs), pick.slots)


def _at_pairs(array: jax.Array, axis: str, rows: jax.Array, count: int) -> jax.Array:
    """What an operand has at each pair: (*batch, M * K, D), batch extents of 1 kept if they can be.

    rows: (*batch, M * K), `count` = K of them for each row of axis i.
    """
    match axis:
        case "i":
            return jnp.repeat(array, count, -2) if count > 1 else array
        case "j":
            return jnp.take_along_axis(array, rows[..., None], -2, mode="promise_in_bounds")
    shape = (*array.shape[:-1], rows.shape[-1], array.shape[-1])
    return jnp.broadcast_to(array[..., None, :], shape)
