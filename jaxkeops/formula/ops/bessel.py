"""Spherical Bessel functions: the derivatives of sin(f) / f, with all their digits at 0 too."""

from math import prod

import numpy as np

from ... import ir
from ..declare import elementwise
from ..node import F, Node

# Series and recurrence: Abramowitz and Stegun, 10.1.2 and 10.1.19. The recurrence is stable
# for |x| > n; below n + 1, the terms of the series fall fast and hardly cancel.


def _coefficients(n: int) -> list[float]:
    """j_n(x) = x^n (c_0 + c_1 x^2 + c_2 x^4 + ...), to 1e-19 of c_0 for |x| < n + 1."""
    result = [1 / prod(range(1, 2 * n + 2, 2))]
    while abs(result[-1]) * (n + 1) ** (2 * len(result) - 2) > 1e-19 * result[0]:
        k = len(result)
        result.append(-result[-1] / (2 * k * (2 * n + 2 * k + 1)))
    return result


def _value(f: np.ndarray, n: int) -> np.ndarray:
    small = np.abs(f) < n + 1
    x = np.where(small, f, 0.0)
    series = x**n * np.polynomial.polynomial.polyval(x * x, _coefficients(n))
    x = np.where(small, 1.0, f)
    below, j = np.cos(x) / x, np.sin(x) / x
    for k in range(n):
        below, j = j, (2 * k + 1) / x * j - below
    return np.where(small, series, j)


def _lower(x: ir.Scalar, n: int) -> ir.Scalar:
    square = ir.mul(x, x)
    *lower, series = map(ir.const, _coefficients(n))
    for c in reversed(lower):
        series = ir.fma(series, square, c)
    for _ in range(n):
        series = ir.mul(series, x)
    inverse = ir.div(ir.const(1), x)
    below, j = ir.mul(ir.cos(x), inverse), ir.mul(ir.sin(x), inverse)
    for k in range(n):
        below, j = j, ir.sub(ir.mul(ir.mul(ir.const(2 * k + 1), inverse), j), below)
    return ir.select_lt(ir.abs_(x), ir.const(n + 1), series, j)


def _rule(f: Node, n: int) -> tuple[Node]:
    if n == 0:
        return (-F.SphericalBessel(f, 1),)
    below, above = F.SphericalBessel(f, n - 1), F.SphericalBessel(f, n + 1)
    return (n / (2 * n + 1) * below - (n + 1) / (2 * n + 1) * above,)


elementwise(
    "SphericalBessel",
    "The spherical Bessel function of the first kind and of order n; n = 0 is SinXDivX.",
    params=(1,),
    value=_value,
    derivative=_rule,
    lower=_lower,
    domain=(-4, 4),
)
