"""Least and greatest values, and the rows that have them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import ir
from ..reduction import Reduction, Result, Shards, Split, register
from .states import indices, states


def _extremum(f: np.ndarray, sense: str) -> tuple[np.ndarray, np.ndarray]:
    """NaN is passed over, as is what is not better than the start; ties go to the first."""
    start = np.inf if sense == "min" else -np.inf
    known = np.where(np.isnan(f), start, f)
    padded = np.concatenate([np.full((*f.shape[:-2], 1, f.shape[-1]), start), known], -2)
    index = padded.argmin(-2) if sense == "min" else padded.argmax(-2)
    value = padded.min(-2) if sense == "min" else padded.max(-2)
    return value, np.maximum(index - 1, 0)


def _register(sense: str, name: str, arg_name: str, word: str) -> None:
    empty = math.inf if sense == "min" else -math.inf

    def values(dim: int) -> Result:
        return Result("float", (dim,), states(dim), empty)

    def rows(dim: int) -> Result:
        return Result("index", (dim,), indices(dim), 0.0)

    def accumulate(f, g, count):
        return ir.Extremum(tuple(f), sense)

    def merge(shards: Shards, parts: tuple[Any, ...], count: int) -> tuple[Any, ...]:
        """Of equals, the least row: it is the first."""
        xp, (value, *rows) = shards.xp, parts
        best = (shards.least if sense == "min" else shards.greatest)(value)
        last = [xp.asarray(xp.iinfo(row.dtype).max, row.dtype) for row in rows]
        found = [
            shards.least(xp.where(value == best, row, end))
            for row, end in zip(rows, last, strict=True)
        ]
        return best, *found

    register(
        Reduction(
            name,
            f"The {word} value of each coordinate of f; NaN is passed over.",
            value=lambda f, g, count: _extremum(f, sense)[:1],
            accumulate=accumulate,
            results=lambda dim, weight_dim, count: (values(dim),),
            split=lambda weighted: Split(merge),
            selects=arg_name,
        )
    )
    register(
        Reduction(
            arg_name,
            f"The row at which each coordinate of f is {word}; the first of equals.",
            value=lambda f, g, count: _extremum(f, sense)[1:],
            accumulate=accumulate,
            results=lambda dim, weight_dim, count: (rows(dim),),
            split=lambda weighted: Split(
                merge, f"{name}_{arg_name}", lambda xp, results: results[1:]
            ),
        )
    )
    register(
        Reduction(
            f"{name}_{arg_name}",
            f"Both the {word} value of each coordinate of f and its row.",
            value=lambda f, g, count: _extremum(f, sense),
            accumulate=accumulate,
            results=lambda dim, weight_dim, count: (values(dim), rows(dim)),
            split=lambda weighted: Split(merge),
            selects=arg_name,
        ),
        f"{name}{arg_name}",
    )


_register("min", "Min", "ArgMin", "least")
_register("max", "Max", "ArgMax", "greatest")
