"""exp and exp2 by a table of 2^(k/32) or 2^(k/16) in two registers, for machines with AVX-512.

In float64 x is n + k/16 + r with n and k whole and 0 <= r < 1/16, so that 2^x is 2^n T[k] p(r); in
float32 the table has 32 entries.  It saves half of the polynomial; vreduce gives r and vscalef
takes 2^floor(x) from x itself, so that neither n nor k is ever computed.
"""

from .builder import Builder
from .coefficients import EXP2_TABLE_32, EXP2_TABLE_64, POWERS_32, POWERS_64
from .math_avx512 import add_down, fraction, look_up, scalef, within

# log2(e) less its rounding to the dtype.
LOG2_E = {
    "float32": (1.4426950216293335, 1.9259629911266175e-08),
    "float64": (1.4426950408889634, 2.0355273740931033e-17),
}
MANTISSA_BITS = {"float32": 23, "float64": 52}
INDEX_BITS = {"float32": 5, "float64": 4}
POWERS = {"float32": POWERS_32, "float64": POWERS_64}


def exp2_by_table(b: Builder, x: str) -> str:
    """2 to the power x, in a view of one register; error below 1.9 ULP (float64: 1.2)."""
    return _power(b, x, fraction(b, x, INDEX_BITS[b.dtype]))


def exp_by_table(b: Builder, x: str) -> str:
    """e to the power x, in a view of one register; error below 1.9 ULP (float64: 1.2)."""
    high, low = LOG2_E[b.dtype]
    t = b.mul(x, b.const(high))
    rest = b.fma(x, b.const(low), b.fma(x, b.const(high), b.neg(t)))
    # It is tiny wherever the result is neither 0 nor infinite; elsewhere it may be anything.
    rest = within(b, rest, 2.0**-10)
    return _power(b, t, b.add(fraction(b, t, INDEX_BITS[b.dtype]), rest))


def _power(b: Builder, x: str, r: str) -> str:
    """2^(x - its fraction + r)."""
    # The sum is x rounded down to a multiple of 1/16 or 1/32: k is in its lowest bits.
    magic = b.const(1.5 * 2.0 ** (MANTISSA_BITS[b.dtype] - INDEX_BITS[b.dtype]))
    start = look_up(b, POWERS[b.dtype], b.bits(add_down(b, x, magic)))
    # p is 1 + r q(r).
    *lower, q = (EXP2_TABLE_32 if b.dtype == "float32" else EXP2_TABLE_64)[1:]
    q = b.const(q)
    for coefficient in reversed(lower):
        q = b.fma(q, r, b.const(coefficient))
    return scalef(b, b.fma(b.mul(start, r), q, start), x)
