"""Functions that keep their digits where the sums that define them lose them."""

import math
from functools import reduce

import numpy as np

from ... import ir
from ..declare import elementwise
from ..node import F

ONE = ir.const(1)


def _log1p(f: ir.Scalar) -> ir.Scalar:
    """Kahan's: the rounding of 1 + f is in the logarithm and in the quotient, and cancels.

    Goldberg 1991, What Every Computer Scientist Should Know, theorem 4. Far from 0, where the
    quotient of infinities would be NaN, the logarithm alone.
    """
    above = ir.add(ONE, f)
    log = ir.log(above)
    moved = ir.sub(above, ONE)
    near = ir.select_eq(moved, ir.const(0), f, ir.div(ir.mul(f, log), moved))
    return ir.select_lt(ir.abs_(f), ir.const(0.5), near, log)


elementwise(
    "Log1p",
    "log(1 + f), with all its digits near 0: -inf at -1, NaN below.",
    value=np.log1p,
    derivative=lambda f: (F.Inv(1 + f),),
    lower=_log1p,
    domain=(-0.4, 2),
)


def _expm1(f: ir.Scalar) -> ir.Scalar:
    """By tanh near 0: exp(f) - 1 is 2 t / (1 - t), t = tanh(f / 2)."""
    t = ir.tanh(ir.mul(ir.const(0.5), f))
    near = ir.div(ir.add(t, t), ir.sub(ONE, t))
    return ir.select_lt(ir.abs_(f), ONE, near, ir.sub(ir.exp(f), ONE))


elementwise(
    "Expm1",
    "exp(f) - 1, with all its digits near 0.",
    value=np.expm1,
    derivative=lambda f: (F.Exp(f),),
    lower=_expm1,
    domain=(-2, 2),
)

elementwise(
    "Logistic",
    "1 / (1 + exp(-f)).",
    value=lambda f: 1 / (1 + np.exp(-f)),
    # Not by 1 - Logistic(f), which has no digits left where f is large.
    derivative=lambda f: (F.Logistic(f) * F.Logistic(-f),),
    lower=lambda f: ir.div(ONE, ir.add(ONE, ir.exp(ir.neg(f)))),
    domain=(-2, 2),
)

# Cody 1969, Rational Chebyshev approximations for the error function, Math. Comp. 23: the first
# two of its three intervals, to 1e-17 and 6e-19. From 5.95 on erf is 1 in float64.
# From the highest power down: numerators and denominators.
NEAR = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
UNDER_NEAR = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
MIDDLE = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
UNDER_MIDDLE = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)
SPLIT, LAST = 0.46875, 6.0


def _polynomial(x: ir.Scalar, coefficients: tuple[float, ...]) -> ir.Scalar:
    first, *others = map(ir.const, coefficients)
    return reduce(lambda total, c: ir.fma(total, x, c), others, first)


def _quotient(x: ir.Scalar, above: tuple[float, ...], below: tuple[float, ...]) -> ir.Scalar:
    return ir.div(_polynomial(x, above), _polynomial(x, below))


def _erf(f: ir.Scalar) -> ir.Scalar:
    size, square = ir.abs_(f), ir.mul(f, f)
    near = ir.mul(f, _quotient(square, NEAR, UNDER_NEAR))
    held = ir.select_lt(size, ir.const(LAST), size, ir.const(LAST))
    tail = ir.mul(ir.exp(ir.neg(ir.mul(held, held))), _quotient(held, MIDDLE, UNDER_MIDDLE))
    far = ir.sub(ONE, tail)
    signed = ir.select_lt(f, ir.const(0), ir.neg(far), far)
    known = ir.select_le(size, ir.const(SPLIT), near, signed)
    return ir.select_eq(f, f, known, f)


elementwise(
    "Erf",
    "The error function of f.",
    value=np.vectorize(math.erf, otypes=[float]),
    derivative=lambda f: (2 / math.sqrt(math.pi) * F.Exp(-F.Square(f)),),
    lower=_erf,
    domain=(-2, 2),
)
