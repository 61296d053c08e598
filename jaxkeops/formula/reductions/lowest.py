"""The K least values of each row, and the rows that have them."""

from __future__ import annotations

import math

import numpy as np

from ... import ir
from ..reduction import Reduction, Result, Split, register


def _lowest(f: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and rows, (..., count, D); NaN and +inf are passed over, the rest is +inf and 0."""
    known = np.where(np.isnan(f), np.inf, f)
    padding = np.full((*f.shape[:-2], count, f.shape[-1]), np.inf)
    padded = np.concatenate([known, padding], -2)
    order = np.argsort(padded, -2, kind="stable")[..., :count, :]
    values = np.take_along_axis(padded, order, -2)
    values, order = values, np.where(values == np.inf, 0, order)
    if f.shape[-1] == 1:
        return values[..., 0], order[..., 0]
    return values, order


def _tail(dim: int, count: int) -> tuple[int, ...]:
    return (count,) if dim == 1 else (count, dim)


def _values(dim: int, count: int) -> Result:
    return Result("float", _tail(dim, count), ir.Vector(()), math.inf)


def _rows(dim: int, count: int) -> Result:
    return Result("index", _tail(dim, count), ir.Vector(()), 0.0)


def _accumulate(f, g, count):
    return ir.Lowest(tuple(f), count)


_LISTS = Split(lambda shards, parts, count: shards.lowest(parts, count))

register(
    Reduction(
        "KMin",
        "The K least values of each coordinate of f, ascending; +inf where there are fewer.",
        value=lambda f, g, count: _lowest(f, count)[:1],
        accumulate=_accumulate,
        results=lambda dim, weight_dim, count: (_values(dim, count),),
        split=lambda weighted: _LISTS,
        counted=True,
        selects="ArgKMin",
    )
)
register(
    Reduction(
        "ArgKMin",
        "The rows of the K least values of each coordinate of f; the first of equals first.",
        value=lambda f, g, count: _lowest(f, count)[1:],
        accumulate=_accumulate,
        results=lambda dim, weight_dim, count: (_rows(dim, count),),
        split=lambda weighted: Split(_LISTS.merge, "KMin_ArgKMin", lambda xp, results: results[1:]),
        counted=True,
    )
)
register(
    Reduction(
        "KMin_ArgKMin",
        "Both the K least values of each coordinate of f and their rows.",
        value=lambda f, g, count: _lowest(f, count),
        accumulate=_accumulate,
        results=lambda dim, weight_dim, count: (_values(dim, count), _rows(dim, count)),
        split=lambda weighted: _LISTS,
        counted=True,
        selects="ArgKMin",
    ),
    "KMinArgKMin",
)
