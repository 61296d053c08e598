"""Reductions: how one loop folds the values of a formula into a state."""

from __future__ import annotations

import math

import numpy as np

from ... import ir
from ..node import F
from ..reduction import Reduction, Result, register


def _states(count: int, start: int = 0) -> tuple[ir.Scalar, ...]:
    return tuple(ir.State(ir.ROW, start + k) for k in range(count))


def _indices(count: int) -> tuple[ir.Scalar, ...]:
    return tuple(ir.Index(ir.ROW, k) for k in range(count))


register(
    Reduction(
        "Sum",
        "The sum of f.",
        value=lambda f: (f.sum(-2),),
        accumulate=lambda f: ir.Total(tuple(f)),
        results=lambda dim: (Result("float", _states(dim), 0.0),),
        derivative=lambda f, results, df: df,
    )
)


def _log_sum_exp(f: np.ndarray) -> tuple[np.ndarray, ...]:
    top = f.max(-2, initial=-np.inf)
    finite = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return (finite + np.log(np.exp(f - finite[..., None, :]).sum(-2)),)


register(
    Reduction(
        "LogSumExp",
        "log(sum(exp(f))) for f of dim 1, whatever the size of f; -inf for an empty sum.",
        value=_log_sum_exp,
        accumulate=lambda f: ir.ShiftedExp(ir.mul(f[0], ir.const(1 / math.log(2))), (ir.const(1),)),
        results=lambda dim: (
            Result(
                "float",
                (
                    ir.fma(
                        ir.State(ir.ROW, 0),
                        ir.const(math.log(2)),
                        ir.log(ir.State(ir.ROW, 1)),
                    ),
                ),
                -math.inf,
            ),
        ),
        derivative=lambda f, results, df: F.Exp(f - results[0]) * df,
        scalar=True,
    )
)


def _extremum(f: np.ndarray, sense: str) -> tuple[np.ndarray, np.ndarray]:
    """NaN is passed over, as is what is not better than the start; ties go to the first."""
    start = np.inf if sense == "min" else -np.inf
    known = np.where(np.isnan(f), start, f)
    padded = np.concatenate([np.full((*f.shape[:-2], 1, f.shape[-1]), start), known], -2)
    index = padded.argmin(-2) if sense == "min" else padded.argmax(-2)
    value = padded.min(-2) if sense == "min" else padded.max(-2)
    return value, np.maximum(index - 1, 0)


def _register_extremum(sense: str, name: str, arg_name: str, word: str) -> None:
    empty = math.inf if sense == "min" else -math.inf

    def values(dim: int) -> Result:
        return Result("float", _states(dim), empty)

    def indices(dim: int) -> Result:
        return Result("index", _indices(dim), 0.0)

    def accumulate(f):
        return ir.Extremum(tuple(f), sense)

    register(
        Reduction(
            name,
            f"The {word} value of each coordinate of f; NaN is passed over.",
            value=lambda f: _extremum(f, sense)[:1],
            accumulate=accumulate,
            results=lambda dim: (values(dim),),
        )
    )
    register(
        Reduction(
            arg_name,
            f"The row at which each coordinate of f is {word}; the first of equals.",
            value=lambda f: _extremum(f, sense)[1:],
            accumulate=accumulate,
            results=lambda dim: (indices(dim),),
        )
    )
    register(
        Reduction(
            f"{name}_{arg_name}",
            f"Both the {word} value of each coordinate of f and its row.",
            value=lambda f: _extremum(f, sense),
            accumulate=accumulate,
            results=lambda dim: (values(dim), indices(dim)),
        ),
        f"{name}{arg_name}",
    )


_register_extremum("min", "Min", "ArgMin", "least")
_register_extremum("max", "Max", "ArgMax", "greatest")
