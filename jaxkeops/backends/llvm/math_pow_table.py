"""pow in float32 by tables in registers, for machines with AVX-512.

log2(x) = n - log2(c) + log2(1 + r) with n whole, c one of 32 reciprocals, so short that r = m c - 1
is exact. It is kept as a sum of two numbers, and so is its product with y. Near x = 1, c is 1, so
that nothing cancels. The power is then taken as in math_exp_table.py, by one more term.
"""

from .builder import Builder
from .coefficients import POW_EXP2, POW_HIGH, POW_LOG2, POW_LOW, POW_POWERS, POW_RECIPROCALS
from .math_avx512 import add_down, fraction, look_up, scalef, within
from .math_polynomial import horner

# 1 / ln 2, in two parts.
LOG2_E = (1.4426950216293335, 1.9259629911266175e-08)
INDEX_SHIFT = 18  # the five highest bits of a mantissa tell the entry of its reciprocal
MAGIC = 1.5 * 2.0**18  # added, it leaves the five bits after the point in the lowest ones


def power_by_table(b: Builder, n: str, m: str, y: str) -> str:
    """2^(y (n + log2 m)) in a view of one register, m in [3/4, 3/2); error below 1.1 ULP."""
    index = b.op("lshr", b.bits(m), b.int_const(INDEX_SHIFT))
    r = b.fma(m, look_up(b, POW_RECIPROCALS, index), b.const(-1.0))
    # r - r^2 / 2 is `short` and `left`: what is left of it counts for powers near the limits.
    half = b.mul(r, b.const(0.5))
    square = b.mul(r, half)
    short = b.sub(r, square)
    left = b.sub(b.sub(b.sub(r, short), square), b.fma(r, half, b.neg(square)))
    high = b.mul(short, b.const(LOG2_E[0]))
    low = b.fma(short, b.const(LOG2_E[1]), b.fma(short, b.const(LOG2_E[0]), b.neg(high)))
    low = b.fma(left, b.const(LOG2_E[0]), low)
    low = b.fma(b.mul(r, b.add(square, square)), horner(b, POW_LOG2, r), low)
    # Exact, and greater than what is added, or 0.
    whole = b.add(n, look_up(b, POW_HIGH, index))
    total = b.add(whole, high)
    low = b.add(low, b.sub(high, b.sub(total, whole)))
    low = b.add(low, look_up(b, POW_LOW, index))
    low = within(b, low, 2.0**-8)  # no number where n is infinite
    log2 = b.add(total, low)
    low = b.sub(low, b.sub(log2, total))
    t = b.mul(y, log2)
    rest = b.fma(y, low, b.fma(y, log2, b.neg(t)))
    # It is tiny wherever the result is neither 0 nor infinite; elsewhere it may be anything.
    rest = within(b, rest, 2.0**-10)
    start = look_up(b, POW_POWERS, b.bits(add_down(b, t, b.const(MAGIC))))
    exponent = b.add(fraction(b, t, 5), rest)
    q = horner(b, POW_EXP2, exponent)
    return scalef(b, b.fma(b.mul(start, exponent), q, start), t)
