"""vmap: one more batch axis in front, of extent 1 where an operand is not mapped."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.interpreters import batching

from ..errors import ArgumentError
from ..formula import Formula
from .primitive import Way, reduce, reduce_p, split


def _batch(
    operands: Sequence[jax.Array],
    axes: Sequence[int | None],
    *,
    formula: Formula,
    way: Way,
    ranges: bool,
) -> tuple[list[jax.Array], list[int]]:
    arrays, blocks = split(formula, operands)
    if any(axis is not None for axis in axes[len(arrays) :]):
        raise ArgumentError(
            "vmap cannot map ranges: all elements of a batch share them. Map the arrays alone, or "
            "call once for each of the ranges, as jax.lax.map does."
        )
    mapped = [
        array[None] if axis is None else jnp.moveaxis(array, axis, 0)
        for array, axis in zip(arrays, axes[: len(arrays)], strict=True)
    ]
    results = reduce(formula, way, mapped, blocks)
    return results, [0] * len(results)


batching.primitive_batchers[reduce_p] = _batch
