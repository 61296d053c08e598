"""Sums, and the sum of nothing."""

from __future__ import annotations

import numpy as np

from ... import ir
from ..node import F
from ..reduction import Reduction, Result, Split, register
from .states import states

_TOTALS = Split(lambda shards, parts, count: tuple(shards.total(part) for part in parts))

register(
    Reduction(
        "Sum",
        "The sum of f.",
        value=lambda f, g, count: (f.sum(-2),),
        accumulate=lambda f, g, count: ir.Total(ir.parts(f)),
        results=lambda dim, weight_dim, count: (Result("float", (dim,), states(dim), 0.0),),
        split=lambda weighted: _TOTALS,
        derivative=lambda f, g, results, df, dg: (df,),
    )
)

register(
    Reduction(
        "Zero",
        "Zeros, a column for each coordinate of f; n columns where the formula is an integer n.",
        value=lambda f, g, count: (np.zeros_like(f[..., :1, :].sum(-2)),),
        accumulate=lambda f, g, count: ir.Total(ir.Vector.repeated(ir.const(0.0), len(f)).parts),
        results=lambda dim, weight_dim, count: (Result("float", (dim,), states(dim), 0.0),),
        split=lambda weighted: _TOTALS,
        derivative=lambda f, g, results, df, dg: (F.Mult(0.0, df),),
    )
)
