"""Loops over the pieces of an interval of rows or columns, which all have the same size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
Carry = TypeVar("Carry")


def repeat(count: Any, step: Callable[[Array, Carry], Carry], carry: Carry, dtype: str) -> Carry:
    """step(0), ..., step(count - 1); without a loop if that is known to be one."""
    zero = jnp.zeros((), dtype)
    if isinstance(count, int) and count == 1:
        return step(zero, carry)
    return lax.fori_loop(zero, jnp.asarray(count, dtype), step, carry)


def over_pieces(
    begin: Any,
    end: Any,
    extent: Any,
    size: int,
    step: Callable[[Array, Array | None, Carry], Carry],
    carry: Carry,
    dtype: str,
) -> Carry:
    """step(start, inside, carry) for pieces [start, start + size) of 0, ..., extent - 1.

    Together they are [begin, end). inside: (size,), what of a piece was not in the one before:
    the last would pass the extent, and begins earlier. None if that never happens.
    """
    known = isinstance(begin, int) and isinstance(end, int)
    exact = known and begin == 0 and end == extent and end % size == 0

    def piece(n: Array, carry: Carry) -> Carry:
        first = jnp.asarray(begin, dtype) + n * size
        if exact:
            return step(first, None, carry)
        start = jnp.minimum(first, jnp.asarray(extent - size, dtype))
        numbers = start + lax.iota(dtype, size)
        inside = (numbers >= first) & (numbers < jnp.asarray(end, dtype))
        return step(start, inside, carry)

    return repeat((end - begin + (size - 1)) // size, piece, carry, dtype)
