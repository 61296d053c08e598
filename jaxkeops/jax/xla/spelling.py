"""How XLA spells the scalar instructions: a function of JAX for each, on whole tiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array

# By the bytes of a float: an integer of that size, mantissa bits, greatest exponent of a number.
_BITS = {4: ("int32", 23, 127), 8: ("int64", 52, 1023)}


def exp2(a: Array) -> Array:
    """2 ** a, to a few units in the last place for all a.

    XLA takes exp(a log 2), whose argument is rounded: at a = -100 it is off by 40 units. Here the
    whole part of a becomes an exponent, and what is left is at most a half. The power of two is
    multiplied in by halves, so that results below the normal numbers are reached too.
    """
    most = float(2 * _BITS[a.dtype.itemsize][2])
    whole = jnp.clip(jnp.round(a), -most, most)
    first = jnp.floor(whole * 0.5)
    left = jnp.exp((a - whole) * math.log(2))
    return left * _power_of_two(first) * _power_of_two(whole - first)


def _power_of_two(whole: Array) -> Array:
    """2 ** whole, for whole numbers in the range of exponents; of NaN, anything."""
    kind, mantissa, most = _BITS[whole.dtype.itemsize]
    exponent = jnp.clip(whole, 1 - most, most).astype(kind) + np.array(most, kind)
    return lax.bitcast_convert_type(exponent << np.array(mantissa, kind), whole.dtype)


def _round(a: Array) -> Array:
    return lax.round(a, lax.RoundingMethod.AWAY_FROM_ZERO)


def _fma(a: Array, b: Array, c: Array) -> Array:
    return a * b + c


SPELLING: dict[str, Callable[..., Any]] = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": jnp.divide,
    "fma": _fma,
    "neg": jnp.negative,
    "abs": jnp.abs,
    "sqrt": jnp.sqrt,
    "rsqrt": lambda a: 1 / jnp.sqrt(a),  # XLA's own is an estimate on some platforms
    "floor": jnp.floor,
    "round": _round,
    "exp": jnp.exp,
    "exp2": exp2,
    "log": jnp.log,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "pow": jnp.power,
    "tanh": jnp.tanh,
    "select_lt": lambda a, b, t, f: jnp.where(a < b, t, f),
    "select_le": lambda a, b, t, f: jnp.where(a <= b, t, f),
    "select_eq": lambda a, b, t, f: jnp.where(a == b, t, f),
}
