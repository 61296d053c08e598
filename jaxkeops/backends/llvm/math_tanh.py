"""tanh, by way of exp(2x) - 1."""

from .builder import Builder
from .coefficients import EXP_32, EXP_64
from .math_exp import EXPONENT, LN2, LOG2_E, power_of_two
from .math_polynomial import horner, product_error

# tanh rounds to 1 above 9.02 and 19.1.
SATURATED = {"float32": 10.0, "float64": 20.0}


def tanh(b: Builder, x: str) -> str:
    """The hyperbolic tangent; error below 2.1 ULP.

    With E = exp(2|x|) - 1 it is E / (E + 2), which keeps the digits of a small x.
    """
    t = b.mul(b.min(b.const(SATURATED[b.dtype]), b.abs(x)), b.const(2.0))
    magic = b.const(1.5 * 2.0 ** EXPONENT[b.dtype][0])
    sum = b.fma(t, b.const(LOG2_E), magic)
    n = b.sub(sum, magic)
    high, low = LN2[b.dtype]
    r = b.fma(n, b.const(-low), b.fma(n, b.const(-high), t))
    coefficients = EXP_32 if b.dtype == "float32" else EXP_64
    exp_minus_one = b.fma(b.mul(r, r), horner(b, coefficients[2:], r), r)
    power = power_of_two(b, b.op("sub", b.bits(sum), b.bits(magic)))
    e = b.fma(power, exp_minus_one, b.sub(power, b.const(1.0)))
    return b.copysign(_over_two_more(b, e), x)


def _over_two_more(b: Builder, e: str) -> str:
    """e / (e + 2), corrected for the rounding of the sum and of the quotient."""
    two = b.const(2.0)
    total = b.add(e, two)
    total_low = b.sub(e, b.sub(total, two))
    inverse = b.div(b.const(1.0), total)
    quotient = b.mul(e, inverse)
    product = b.mul(quotient, total)
    rest = b.sub(b.sub(e, product), product_error(b, quotient, total, product))
    rest = b.sub(rest, b.mul(quotient, total_low))
    return b.fma(rest, inverse, quotient)
