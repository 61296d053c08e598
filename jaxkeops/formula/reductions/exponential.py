"""Reductions of exponentials, whatever their size: log-sum-exp, softmax, and their parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import ir
from ..node import Coords, F, Node
from ..reduction import Reduction, Result, Shards, Split, register
from .states import states

LOG_2 = math.log(2)


def _accumulate(f: Coords, g: Coords | None, *, exact: bool = False) -> ir.ShiftedExp:
    """State (1 + W) k is the reference of coordinate k, the W states after it its sums."""
    weights = (ir.const(1.0),) if g is None else ir.parts(g)
    exponents = tuple(ir.mul(x, ir.const(1 / LOG_2)) for x in f)
    return ir.ShiftedExp(exponents, weights, exact)


def _reference(state: int) -> ir.Scalar:
    return ir.mul(ir.State(ir.ROW, state), ir.const(LOG_2))


def _logs(reference: int, totals: ir.Vector) -> ir.Vector:
    """log(total 2 ** reference) of each total."""
    log_2, shift = ir.const(LOG_2), ir.State(ir.ROW, reference)
    return ir.elementwise(lambda total: ir.fma(shift, log_2, ir.log(total)), totals)


def _shifted(f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(top, exp(f - top)), with a finite top, for the oracle."""
    top = f.max(-2, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    return top, np.exp(f - top[..., None, :])


Parts = tuple[Any, ...]


def _finite_top(shards: Shards, x: Any) -> Any:
    """The greatest of all, or 0: what may be subtracted from infinities."""
    top = shards.greatest(x)
    return shards.xp.where(shards.xp.isfinite(top), top, shards.xp.zeros_like(top))


def _merge_logs(shards: Shards, parts: Parts, count: int) -> Parts:
    (log,) = parts
    top = _finite_top(shards, log)
    return (top + shards.xp.log(shards.total(shards.xp.exp(log - top))),)


def _merge_means(shards: Shards, parts: Parts, count: int) -> Parts:
    """A part without weight has no mean: 0 / 0."""
    xp, (mean, log) = shards.xp, parts
    top = _finite_top(shards, log)
    weight = xp.exp(log - top)
    whole = shards.total(weight)
    weighted = xp.where(weight == 0, xp.zeros_like(mean), mean * weight)
    return shards.total(weighted) / whole, top + xp.log(whole)


def _logs_of_means(xp: Any, results: Parts) -> Parts:
    mean, log = results
    return xp.where(xp.isinf(log), log, log + xp.log(mean)), log


def _merge_shifted(shards: Shards, parts: Parts, count: int) -> Parts:
    """A part that has the maximum, which may be infinite, is taken as it is; one of -inf is 0."""
    xp, (both,) = shards.xp, parts
    reference, totals = both[..., :1], both[..., 1:]
    top = shards.greatest(reference)
    scaled = xp.where(reference == -xp.inf, 0, totals * xp.exp(reference - top))
    total = shards.total(xp.where(reference == top, totals, scaled))
    return (xp.concatenate([top, total], -1),)


def _log_split(weighted: bool) -> Split:
    """The sum of exp(f) g may be negative in a part, and have no logarithm; its mean has a sign."""
    return (
        Split(_merge_means, "SumSoftMaxWeight", _logs_of_means) if weighted else Split(_merge_logs)
    )


def _log_sum_exp(f: np.ndarray, g: np.ndarray | None, count: int) -> tuple[np.ndarray, ...]:
    top, powers = _shifted(f)
    total = powers.sum(-2) if g is None else (powers * g).sum(-2)
    with np.errstate(all="ignore"):
        return (top + np.log(total),)


def _log_sum_exp_results(dim: int, weight_dim: int, count: int) -> tuple[Result, ...]:
    """With weights, also the logarithm without them, hidden: one exponential a pair is then
    enough for the derivatives of all coordinates.
    """
    if weight_dim == 0:
        logs = [part for k in range(dim) for part in _logs(2 * k, states(1, 2 * k + 1))]
        return (Result("float", (dim,), ir.Vector(logs), -math.inf),)
    return (
        Result("float", (weight_dim,), _logs(0, states(weight_dim, 2)), -math.inf),
        Result("float", (1,), _logs(0, states(1, 1)), -math.inf, hidden=True),
    )


def _log_sum_exp_derivative(
    f: Node, g: Node | None, results: tuple[Node, ...], df: Node, dg: Node | None
) -> tuple[Node, ...]:
    if g is None or dg is None:
        return (F.Exp(f - results[0]) * df,)
    log, plain = results
    weight = F.Exp(f - plain)
    return weight * F.Exp(plain - log) * (g * df + dg), weight * df


def _with_one(f: Coords, g: Coords | None) -> ir.ShiftedExp:
    """The sum without weights, then those with them."""
    return _accumulate(f, None if g is None else ir.Vector([ir.const(1.0)]) + g)


for _name, _weights, _spellings in (
    ("LogSumExp", "optional", ()),
    ("LogSumExpWeight", "required", ()),
):
    register(
        Reduction(
            _name,
            "log(sum(exp(f))), or log(sum(exp(f) g)) with weights g, whatever the size of f: a "
            "column for each coordinate of f, or of g. -inf for an empty sum.",
            value=_log_sum_exp,
            accumulate=lambda f, g, count: _with_one(f, g),
            results=_log_sum_exp_results,
            split=_log_split,
            derivative=_log_sum_exp_derivative,
            weights=_weights,
        ),
        *_spellings,
    )


def _softmax(f: np.ndarray, g: np.ndarray | None, count: int) -> tuple[np.ndarray, ...]:
    assert g is not None
    _, powers = _shifted(f)
    with np.errstate(all="ignore"):
        return ((powers * g).sum(-2) / powers.sum(-2),)


register(
    Reduction(
        "SumSoftMaxWeight",
        "sum(exp(f) g) / sum(exp(f)) for f of dim 1: the mean of g weighted by the softmax of f. "
        "NaN for an empty sum.",
        value=_softmax,
        accumulate=lambda f, g, count: _with_one(f, g),
        results=lambda dim, weight_dim, count: (
            Result(
                "float",
                (weight_dim,),
                ir.elementwise(ir.div, states(weight_dim, 2), states(1, 1)),
                math.nan,
            ),
            Result("float", (1,), _logs(0, states(1, 1)), -math.inf, hidden=True),
        ),
        split=lambda weighted: Split(_merge_means),
        derivative=lambda f, g, results, df, dg: (
            F.Exp(f - results[1]) * ((g - results[0]) * df + dg),
            F.Exp(f - results[1]) * df,
        ),
        scalar=True,
        weights="required",
    ),
    "SoftMax",
)


def _max_sum(f: np.ndarray, g: np.ndarray | None, count: int) -> tuple[np.ndarray, ...]:
    _, powers = _shifted(f)
    total = powers.sum(-2) if g is None else (powers * g).sum(-2)
    return (np.concatenate([f.max(-2, initial=-np.inf), total], -1),)


def _max_sum_derivative(
    f: Node, g: Node | None, results: tuple[Node, ...], df: Node, dg: Node | None
) -> tuple[Node, ...]:
    """The maximum is held fixed: right for all that depends on m + log(s) alone."""
    weight = F.Exp(f - F.Elem(results[0], 0))
    moved = weight * df if g is None or dg is None else weight * (g * df + dg)
    return (F.Concat(F.Zero(1), moved),)


for _name, _weights in (("Max_SumShiftExp", "no"), ("Max_SumShiftExpWeight", "optional")):
    register(
        Reduction(
            _name,
            "m = max(f), then s = sum(exp(f - m)), or sum(exp(f - m) g) with weights g, for f of "
            "dim 1. Derivatives hold m fixed: they are right for what depends on m + log(s).",
            value=_max_sum,
            accumulate=lambda f, g, count: _accumulate(f, g, exact=True),
            results=lambda dim, weight_dim, count: (
                Result(
                    "float",
                    (1 + max(weight_dim, 1),),
                    ir.Vector([_reference(0)]) + states(max(weight_dim, 1), 1),
                    (-math.inf, *(0.0,) * max(weight_dim, 1)),
                ),
            ),
            split=lambda weighted: Split(_merge_shifted),
            derivative=_max_sum_derivative,
            scalar=True,
            weights=_weights,
        )
    )
