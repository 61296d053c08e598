"""JVP and transpose: each binds the primitive again, on a derived formula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from ..errors import NotDifferentiableError
from ..formula import Formula
from ..formula.calculus import Argument, cotangents, tangent
from .primitive import reduce, reduce_p


def _jvp(
    primals: Sequence[jax.Array], tangents: Sequence[Any], *, formula: Formula, index_dtype: str
) -> tuple[list[jax.Array], list[Any]]:
    results = reduce(formula, index_dtype, primals)
    zeros = [ad.Zero(jax.typeof(result).to_tangent_aval()) for result in results]
    moving = tuple(slot for slot, each in enumerate(tangents) if type(each) is not ad.Zero)
    if not moving or not jnp.issubdtype(results[0].dtype, jnp.floating):
        return results, zeros
    derived = tangent(formula, moving)
    if derived.formula is None:
        return results, zeros
    at_hand = [*primals, *results, *(tangents[slot] for slot in moving)]
    (found,) = reduce(derived.formula, index_dtype, _pick(derived.arguments, at_hand))
    # What the derived formula does not take may have been all that had a batch axis.
    return results, [jnp.broadcast_to(found, results[0].shape), *zeros[1:]]


def _transpose(
    cotangents_in: Sequence[Any], *operands: Any, formula: Formula, index_dtype: str
) -> list[Any]:
    (g,) = cotangents_in
    slots = tuple(slot for slot, each in enumerate(operands) if ad.is_undefined_primal(each))
    found: list[Any] = [None] * len(operands)
    for slot in slots:
        found[slot] = ad.Zero(operands[slot].aval)
    if type(g) is ad.Zero:
        return found
    if formula.reduction.name != "Sum":
        raise NotDifferentiableError(
            f"The reduction {formula.reduction.name} is not linear, so it has no transpose. "
            "Transpose its linearization: jax.linear_transpose of the function of jax.linearize."
        )
    for sweep in cotangents(formula, slots):
        # The result itself is only ever asked for its extents, which its cotangent shares.
        arrays = _pick(sweep.arguments, [*operands, g, g])
        (columns,) = reduce(sweep.formula, index_dtype, arrays)
        for slot, start, stop in sweep.parts:
            part = columns[..., start:stop]
            if formula.inputs[slot].axis == "p":
                part = part.sum(-2)
            found[slot] = _sum_repeated(part, operands[slot].aval.shape)
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


ad.primitive_jvps[reduce_p] = _jvp
ad.primitive_transposes[reduce_p] = _transpose
