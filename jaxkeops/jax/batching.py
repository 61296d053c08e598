"""vmap: one more batch axis in front, of extent 1 where an operand is not mapped."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.interpreters import batching

from ..formula import Formula
from .primitive import reduce, reduce_p


def _batch(
    operands: Sequence[jax.Array],
    axes: Sequence[int | None],
    *,
    formula: Formula,
    index_dtype: str,
) -> tuple[list[jax.Array], list[int]]:
    mapped = [
        operand[None] if axis is None else jnp.moveaxis(operand, axis, 0)
        for operand, axis in zip(operands, axes, strict=True)
    ]
    results = reduce(formula, index_dtype, mapped)
    return results, [0] * len(results)


batching.primitive_batchers[reduce_p] = _batch
