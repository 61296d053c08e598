"""asin, acos, atan and atan2: odd polynomials on [0, 1/2] or [0, 1], and the symmetries."""

from .builder import Builder
from .coefficients import ASIN_32, ASIN_64, ATAN_32, ATAN_64
from .math_polynomial import horner

# pi / 2 in two parts.
HALF_PI = {
    "float32": (1.57079637050628662109375, -4.37113900018624283e-8),
    "float64": (1.5707963267948966, 6.123233995736766e-17),
}


def asin(b: Builder, x: str) -> str:
    """The inverse sine, in [-pi/2, pi/2]; error below 2.2 ULP.  NaN for |x| > 1."""
    large, _, value = _asin_of_reduced(b, b.abs(x))
    high, low = HALF_PI[b.dtype]
    reflected = b.add(b.fma(value, b.const(-2.0), b.const(high)), b.const(low))
    return b.copysign(b.select(large, reflected, value), x)


def acos(b: Builder, x: str) -> str:
    """The inverse cosine, in [0, pi]; error below 2.2 ULP.  NaN for |x| > 1."""
    large, negative, value = _asin_of_reduced(b, b.abs(x), x)
    high, low = HALF_PI[b.dtype]
    twice = b.add(value, value)
    past = b.add(b.sub(b.const(2 * high), twice), b.const(2 * low))
    near_one = b.select(negative, past, twice)
    middle = b.add(b.sub(b.const(high), b.copysign(value, x)), b.const(low))
    return b.select(large, near_one, middle)


def atan(b: Builder, x: str) -> str:
    """The inverse tangent, in [-pi/2, pi/2]; error below 2.2 ULP."""
    a = b.abs(x)
    large = b.compare("ogt", a, b.const(1.0))
    r = _atan_of_reduced(b, b.select(large, b.div(b.const(1.0), a), a))
    return b.copysign(b.select(large, _complement(b, r, 1), r), x)


def atan2(b: Builder, y: str, x: str) -> str:
    """The angle of the point (x, y), in [-pi, pi]; error below 2.2 ULP; signed zeros as in C."""
    ax, ay = b.abs(x), b.abs(y)
    steep = b.compare("ogt", ay, ax)
    numerator, denominator = b.select(steep, ax, ay), b.select(steep, ay, ax)
    t = b.div(numerator, denominator)
    # 0 / 0 and inf / inf: the angles of (1, 0) and (1, 1).
    t = b.select(b.compare("oeq", denominator, b.const(0.0)), b.const(0.0), t)
    t = b.select(b.compare("oeq", numerator, b.const(float("inf"))), b.const(1.0), t)
    r = _atan_of_reduced(b, t)
    r = b.select(steep, _complement(b, r, 1), r)
    left = b.compare_int("slt", b.bits(x), b.int_const(0))
    r = b.copysign(b.select(left, _complement(b, r, 2), r), y)
    return b.select(b.compare("uno", x, y), b.add(x, y), r)


def _asin_of_reduced(b: Builder, a: str, x: str = "") -> tuple[str, str, str]:
    """Whether a > 1/2, whether x < 0 if given, and asin of a or, past 1/2, of sqrt((1 - a) / 2)."""
    large = b.compare("ogt", a, b.const(0.5))
    half_rest = b.mul(b.sub(b.const(1.0), a), b.const(0.5))
    z = b.select(large, half_rest, b.mul(a, a))
    s = b.select(large, b.sqrt(half_rest), a)
    coefficients = ASIN_32 if b.dtype == "float32" else ASIN_64
    value = b.fma(b.mul(s, z), horner(b, coefficients, z), s)
    return large, b.compare("olt", x, b.const(0.0)) if x else "", value


def _atan_of_reduced(b: Builder, t: str) -> str:
    z = b.mul(t, t)
    coefficients = ATAN_32 if b.dtype == "float32" else ATAN_64
    return b.fma(b.mul(t, z), horner(b, coefficients, z), t)


def _complement(b: Builder, r: str, quarters: int) -> str:
    """`quarters` * pi / 2 - r."""
    high, low = HALF_PI[b.dtype]
    return b.add(b.sub(b.const(quarters * high), r), b.const(quarters * low))
