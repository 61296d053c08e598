"""JVP and transpose: each binds the primitive again, on a derived formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters import ad
from jax.sharding import NamedSharding, PartitionSpec

from ..errors import NotDifferentiableError
from ..formula import (
    Argument,
    Formula,
    Sloped,
    cotangents,
    tangent,
    with_rows,
    with_slopes,
)
from .primitive import Way, reduce, reduce_p, split
from .ranges import transposed
from .selection import values_at

LINEAR = ("Sum", "Zero")  # in the values of the formula


def _jvp(
    primals: Sequence[jax.Array],
    tangents: Sequence[Any],
    *,
    formula: Formula,
    way: Way,
    ranges: bool,
) -> tuple[list[jax.Array], list[Any]]:
    arrays, blocks = split(formula, primals)
    moving = tuple(slot for slot in range(len(arrays)) if type(tangents[slot]) is not ad.Zero)
    along = [tangents[slot] for slot in moving]
    if moving and formula.reduction.selects:
        return _selection(formula, way, arrays, blocks, moving, along)
    sloped = with_slopes(formula, moving, arrays[0].dtype.name) if moving else None
    if sloped is not None:
        tangents = dict(zip(moving, along, strict=True))
        return _along_slopes(formula, sloped, way, arrays, blocks, tangents)
    results = reduce(formula, way, arrays, blocks)
    moved = [_zero(result) for result in results]
    if not moving or not any(result.kind == "float" for result in formula.results):
        return results, moved
    for number, found in _tangents(formula, way, arrays, blocks, results, moving, along):
        moved[number] = found
    return results, moved


def _tangents(
    formula: Formula,
    way: Way,
    arrays: Sequence[jax.Array],
    blocks: Sequence[jax.Array],
    results: Sequence[jax.Array],
    moving: tuple[int, ...],
    along: Sequence[jax.Array],
) -> list[tuple[int, jax.Array]]:
    """The numbers of the results that move, and how, by another pass over the pairs."""
    derived = tangent(formula, moving)
    if derived.formula is None:
        return []
    at_hand = _pick(derived.arguments, [*arrays, *results, *along])
    found = reduce(derived.formula, way, at_hand, blocks)
    moved = []
    for part in derived.parts:
        result = results[part.target]
        columns = found[part.source][..., part.start : part.stop]
        # What the derived formula does not take may have been all that had a batch axis.
        columns = jnp.broadcast_to(columns, result.shape)
        moved.append((part.target, _placed_as(columns, jax.typeof(result))))
    return moved


def _along_slopes(
    formula: Formula,
    sloped: Sloped,
    way: Way,
    arrays: Sequence[jax.Array],
    blocks: Sequence[jax.Array],
    tangents: dict[int, jax.Array],
) -> tuple[list[jax.Array], list[jax.Array]]:
    """A sum and its tangent: rows move by their slopes, and only columns take another pass."""
    (both,) = reduce(sloped.formula, way, arrays, blocks)
    result = both[..., :1]
    moved = jnp.zeros_like(result)
    for part in sloped.parts:
        along = tangents.pop(part.target)
        if formula.inputs[part.target].axis == "p":
            along = along[..., None, :]
        slopes = both[..., part.start : part.stop]
        moved = moved + jnp.sum(slopes * _beside(along, slopes), axis=-1, keepdims=True)
    rest, others = tuple(tangents), list(tangents.values())
    if rest:
        for _, found in _tangents(formula, way, arrays, blocks, [result], rest, others):
            moved = moved + found
    return [result], [moved]


def _selection(
    formula: Formula,
    way: Way,
    arrays: Sequence[jax.Array],
    blocks: Sequence[jax.Array],
    moving: Sequence[int],
    along: Sequence[jax.Array],
) -> tuple[list[jax.Array], list[Any]]:
    """The tangents of selected values: JAX finds them in what the selected pairs hold."""
    both = with_rows(formula)
    if both != formula:
        way = replace(way, index_dtype=jnp.result_type(int).name)
    values, rows = reduce(both, way, arrays, blocks)

    def at(operands: Sequence[jax.Array], values: jax.Array, rows: jax.Array) -> jax.Array:
        return values_at(both, operands, values, rows, way)

    sharding = jax.typeof(values).sharding
    if not sharding.mesh.empty and sharding.mesh.explicit_axes:
        # Chosen pairs lie where their rows do, which is no reshape that types can follow.
        at = jax.sharding.auto_axes(at, out_sharding=sharding)

    def again(*moved: jax.Array) -> jax.Array:
        operands = list(arrays)
        for slot, array in zip(moving, moved, strict=True):
            operands[slot] = array
        return at(operands, values, rows)

    _, found = jax.jvp(again, [arrays[slot] for slot in moving], list(along))
    results, moved = [values, rows], [found, _zero(rows)]
    return results[: len(formula.results)], moved[: len(formula.results)]


def _zero(result: jax.Array) -> ad.Zero:
    return ad.Zero(jax.typeof(result).to_tangent_aval())


def _transpose(
    cotangents_in: Sequence[Any],
    *operands: Any,
    formula: Formula,
    way: Way,
    ranges: bool,
) -> list[Any]:
    arrays, blocks = split(formula, operands)
    slots = tuple(slot for slot, each in enumerate(arrays) if ad.is_undefined_primal(each))
    found: list[Any] = [None] * len(operands)
    for slot in slots:
        found[slot] = ad.Zero(arrays[slot].aval)
    if all(type(each) is ad.Zero for each in cotangents_in):
        return found
    if formula.reduction.name not in LINEAR:
        raise NotDifferentiableError(
            f"The reduction {formula.reduction.name} is not linear, so it has no transpose. "
            "Transpose its linearization: jax.linear_transpose of the function of jax.linearize."
        )
    given = tuple(k for k, g in enumerate(cotangents_in) if type(g) is not ad.Zero)
    # The results themselves are only ever asked for their extents, which cotangents share.
    results = [
        jnp.zeros((*g.aval.shape[:-1], 0), g.aval.dtype) if type(g) is ad.Zero else g
        for g in cotangents_in
    ]
    everything = [*arrays, *results, *(cotangents_in[k] for k in given)]
    for sweep in cotangents(formula, slots, given):
        at_hand = _pick(sweep.arguments, everything)
        blocks_here = transposed(blocks) if sweep.axis == "j" else blocks
        derived = reduce(sweep.formula, way, at_hand, blocks_here)
        for part in sweep.parts:
            columns = derived[part.source][..., part.start : part.stop]
            aval = arrays[part.target].aval
            found[part.target] = _placed_as(_sum_repeated(columns, aval.shape), aval)
    return found


def _pick(arguments: Sequence[Argument], at_hand: Sequence[Any]) -> list[jax.Array]:
    return [
        _without_columns(at_hand[argument.index])
        if argument.carrier
        else _known(at_hand[argument.index])
        for argument in arguments
    ]


def _without_columns(array: Any) -> jax.Array:
    """An array of no data that has the extents of `array`, which may be unknown."""
    if ad.is_undefined_primal(array):
        return jnp.zeros((*array.aval.shape[:-1], 0), array.aval.dtype)
    return array[..., :0]


def _known(array: Any) -> jax.Array:
    if ad.is_undefined_primal(array):
        raise NotDifferentiableError(
            "The formula is not linear in an array for which its transpose is asked. Transpose "
            "its linearization: jax.linear_transpose of the function of jax.linearize."
        )
    return array


def _sum_repeated(array: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """`array` summed over the batch axes along which an operand of `shape` was repeated."""
    axes = tuple(k for k, extent in enumerate(shape) if extent == 1 and array.shape[k] != 1)
    return array.sum(axes, keepdims=True) if axes else array


def _beside(array: jax.Array, rows: jax.Array) -> jax.Array:
    """`array`, to be multiplied by `rows`, which types on explicit meshes may say lie elsewhere."""
    sharding = jax.typeof(rows).sharding
    if sharding.mesh.empty:
        return array
    spec = (
        axes if extent == of_rows else None
        for axes, extent, of_rows in zip(sharding.spec, array.shape, rows.shape, strict=True)
    )
    there = NamedSharding(sharding.mesh, PartitionSpec(*spec))
    return array if jax.typeof(array).sharding == there else jax.reshard(array, there)


def _placed_as(array: jax.Array, aval: jax.core.ShapedArray) -> jax.Array:
    """`array`, where types on explicit meshes say that its derivative is.

    A type follows the first operand that has rows, and derived formulas take them in another order.
    """
    there = aval.sharding
    if there.mesh.empty or jax.typeof(array).sharding == there:
        return array
    return jax.reshard(array, there)


ad.primitive_jvps[reduce_p] = _jvp
ad.primitive_transposes[reduce_p] = _transpose
