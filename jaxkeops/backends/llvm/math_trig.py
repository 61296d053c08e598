"""sin and cos: an angle within an eighth of a turn, two polynomials, and the quadrant."""

from .builder import Builder
from .coefficients import COS_32, COS_64, SIN_32, SIN_64
from .math_polynomial import horner
from .math_reduction import reduce


def sin(b: Builder, x: str) -> str:
    """The sine of any finite x; error below 2.2 ULP.  sin(inf) = NaN."""
    quarters, sin, cos = _within_octant(b, x)
    return _quadrant(b, quarters, sin, cos)


def cos(b: Builder, x: str) -> str:
    """The cosine of any finite x; error below 2.2 ULP.  cos(inf) = NaN."""
    quarters, sin, cos = _within_octant(b, x)
    return _quadrant(b, b.op("add", quarters, b.int_const(1)), sin, cos)


def _within_octant(b: Builder, x: str) -> tuple[str, ...]:
    """q, sin r and cos r, where x = q * pi / 2 + r: written once if sin x and cos x are asked."""
    key = ("octant", b.dtype, b.width, x)
    shared = b.body.shared
    if key not in shared:
        quarters, r = reduce(b, x)
        shared[key] = (quarters, *_polynomials(b, r))
        b.body.share_on(shared)
    return shared[key]


def _polynomials(b: Builder, r: str) -> tuple[str, str]:
    """The sine and the cosine of r."""
    float32 = b.dtype == "float32"
    z = b.mul(r, r)
    # sin r / r - 1.  The constant 0 turns a factor of -0, of r = 0, into 0: that keeps r's sign.
    bend = horner(b, (0.0, *(SIN_32 if float32 else SIN_64)), z)
    sin = b.fma(bend, r, r)
    tail = horner(b, COS_32 if float32 else COS_64, z)
    cos = b.fma(b.mul(z, z), tail, b.fma(z, b.const(-0.5), b.const(1.0)))
    return sin, cos


def _quadrant(b: Builder, quarters: str, sin: str, cos: str) -> str:
    """The sine of r plus a number of quarter turns, from the sine and the cosine of r."""
    low = b.op("and", quarters, b.int_const(1))
    value = b.select(b.compare_int("ne", low, b.int_const(0)), cos, sin)
    sign = b.op("shl", quarters, b.int_const(b.bits_per_lane - 2))
    sign = b.op("and", sign, b.int_const(1 << (b.bits_per_lane - 1)))
    return b.from_bits(b.op("xor", b.bits(value), sign))
