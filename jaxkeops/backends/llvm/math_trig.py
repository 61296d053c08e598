"""sin and cos: reduction to an eighth of a turn in float64, two polynomials, and the quadrant.

The reduction is right for |x| up to 1e14 in both dtypes.  A finite x beyond is treated as 0; the
neighbours of such a number are 1/64 apart in float64, and a million turns apart in float32.
"""

from .builder import Builder
from .coefficients import COS_32, COS_64, SIN_32, SIN_64
from .math_polynomial import horner, subtract_product

# The quotient must be within 0.004 of the exact one, for the polynomials to hold.
LARGEST = 1e14
QUARTERS_PER_RADIAN = 0.6366197723675814
# pi / 2 in parts of 53 bits.  q * parts[0] is a multiple of 2^-52, so that the first step is exact
# when its result is below 1, which it is whatever q.  All are positive: that keeps the sign
# of a zero x.
PARTS = (1.5707963267948966, 6.123233995736765e-17, 1.0828566739219139e-32)
MAGIC = 1.5 * 2.0**52  # adding it leaves a whole number in the low bits


def sin(b: Builder, x: str) -> str:
    """The sine; error below 2.2 ULP for |x| <= 1e14.  sin(inf) = NaN."""
    quarters, r = _reduce(b, x)
    return b.select(_beyond(b, x), b.sub(x, x), _quadrant(b, quarters, r))


def cos(b: Builder, x: str) -> str:
    """The cosine; error below 2.2 ULP for |x| <= 1e14.  cos(inf) = NaN."""
    quarters, r = _reduce(b, x)
    value = _quadrant(b, b.op("add", quarters, b.int_const(1)), r)
    return b.select(_beyond(b, x), b.add(b.sub(x, x), b.const(1.0)), value)


def _beyond(b: Builder, x: str) -> str:
    return b.compare("ugt", b.abs(x), b.const(LARGEST))


def _reduce(b: Builder, x: str) -> tuple[str, str]:
    """q as an integer, right in its two low bits, and x - q * pi / 2, at most pi / 4 in size."""
    if b.dtype == "float64":
        return _reduce_float64(b, x, 3)
    parts = [_reduce_float64(b.wide, part, 2) for part in b.widen(x)]
    return b.narrow_int([q for q, _ in parts]), b.narrow([r for _, r in parts])


def _reduce_float64(w: Builder, x: str, parts: int) -> tuple[str, str]:
    sum = w.fma(x, w.const(QUARTERS_PER_RADIAN), w.const(MAGIC))
    q = w.sub(sum, w.const(MAGIC))
    for part in PARTS[:parts]:
        x = subtract_product(w, q, part, x)
    return w.bits(sum), x


def _quadrant(b: Builder, quarters: str, r: str) -> str:
    """The sine of r plus a number of quarter turns."""
    float32 = b.dtype == "float32"
    z = b.mul(r, r)
    # Not r + r z S(z), whose last digit is a little better: it loses the sign of r = -0.
    sin = b.mul(r, horner(b, (1.0, *(SIN_32 if float32 else SIN_64)), z))
    tail = horner(b, COS_32 if float32 else COS_64, z)
    cos = b.fma(b.mul(z, z), tail, b.fma(z, b.const(-0.5), b.const(1.0)))
    low = b.op("and", quarters, b.int_const(1))
    value = b.select(b.compare_int("ne", low, b.int_const(0)), cos, sin)
    sign = b.op("shl", quarters, b.int_const(b.bits_per_lane - 2))
    sign = b.op("and", sign, b.int_const(1 << (b.bits_per_lane - 1)))
    return b.from_bits(b.op("xor", b.bits(value), sign))
