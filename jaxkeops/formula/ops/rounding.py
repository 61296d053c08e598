"""Floor, Round and Mod."""

import numpy as np

from ... import ir
from ..declare import elementwise
from ..node import F

elementwise(
    "Floor",
    "The greatest integer that is at most f.",
    value=np.floor,
    derivative=lambda f: (None,),
    lower=ir.floor,
    domain=(-2, 2),
)


def _rounded(f: np.ndarray, digits: int) -> np.ndarray:
    scaled = f * 10.0**digits if digits >= 0 else f / 10.0**-digits
    whole = np.trunc(scaled)
    away = whole + np.copysign(1.0, scaled)
    rounded = np.where(np.abs(scaled - whole) >= 0.5, away, whole)
    return rounded / 10.0**digits if digits >= 0 else rounded * 10.0**-digits


def _round(f: ir.Scalar, digits: int) -> ir.Scalar:
    if digits == 0:
        return ir.round_(f)
    # Powers of ten are exact and their inverses are not: hence a division on one side.
    scale = ir.const(10.0 ** abs(digits))
    if digits > 0:
        return ir.div(ir.round_(ir.mul(f, scale)), scale)
    return ir.mul(ir.round_(ir.div(f, scale)), scale)


elementwise(
    "Round",
    "f to d decimal digits, by default 0; halves go away from zero.",
    params=(1,),
    optional_params=(0,),
    value=_rounded,
    derivative=lambda f, digits: (None,),
    lower=_round,
    domain=(-2, 2),
)

elementwise(
    "Mod",
    "f less a multiple of n: in [d, d + n) if n is positive.",
    arity=3,
    value=lambda f, n, d: f - n * np.floor((f - d) / n),
    derivative=lambda f, n, d: (1.0, -F.Floor((f - d) / n), None),
    lower=lambda f, n, d: ir.sub(f, ir.mul(n, ir.floor(ir.div(ir.sub(f, d), n)))),
    domain=(0.5, 2),
)
