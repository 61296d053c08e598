"""pow: two to the power y * log2(x), with more digits in the exponent than the result has.

The relative error of the result is 0.7 times the absolute error of y * log2(x), which may be 1024:
log2 is taken in float64 for float32, and as a sum of two float64 numbers for float64. With AVX-512
float32 has tables, and sums of two of its own numbers: math_pow_table.py.
"""

from .builder import Builder
from .coefficients import EXP2_64, POW32_EXP2, POW32_LOG2, POW64_LOG2
from .math_avx512 import by_registers
from .math_exp import EXPONENT, clamp, nearest, scale
from .math_log import exponent_and_mantissa
from .math_polynomial import fast_two_sum, horner, product_error
from .math_pow_table import power_by_table

# Finite stand-ins for an infinite y, so that 1 to the power inf is 2^(y * 0) = 1.  In float64 the
# splitting of a product without FMA must not overflow either.
LARGEST_POWER = {"float32": 3.4e38, "float64": 1e290}
# 2 / ln 2 and 2 / (3 ln 2), each in two parts: log2(m) = s (A + z (B + z Q(z))), z = s^2.
A = (2.8853900817779268, 4.0710547481862066e-17)
B = (0.9617966939259756, 5.0577616648125907e-17)


def pow(b: Builder, x: str, y: str) -> str:
    """x to the power y, with the special values of C.

    Error below 1.4 ULP, in float32 0.51, or 1.1 by table.
    """
    n, m = exponent_and_mantissa(b, b.abs(x))
    # Not `clamp` of the product: y = NaN must stay NaN, and y = inf become finite.
    power = clamp(b, y, -LARGEST_POWER[b.dtype], LARGEST_POWER[b.dtype])
    if b.dtype == "float32" and b.machine.scalef:
        size = by_registers(b, power_by_table, n, m, power)
    elif b.dtype == "float32":
        operands = zip(b.widen(n), b.widen(m), b.widen(power), strict=True)
        size = b.narrow([_power_float32(b.wide, *parts) for parts in operands])
    else:
        size = _power_float64(b, n, m, power)
    return _signs(b, x, y, size)


def _signs(b: Builder, x: str, y: str, size: str) -> str:
    """pow(x, y) from pow(|x|, y): odd powers of negative numbers, and the powers that are NaN."""
    whole = b.compare("oeq", b.rint(y), y)
    half = b.mul(y, b.const(0.5))
    odd = b.both(whole, b.compare("une", b.rint(half), half))
    value = b.select(odd, b.copysign(size, x), size)
    negative = b.both(
        b.compare("olt", x, b.const(0.0)), b.compare("ogt", x, b.const(float("-inf")))
    )
    undefined = b.both(negative, b.opposite(whole))
    value = b.select(undefined, b.const(float("nan")), value)
    # 1 even if the other operand is NaN.
    one = b.either(b.compare("oeq", y, b.const(0.0)), b.compare("oeq", x, b.const(1.0)))
    return b.select(one, b.const(1.0), value)


def _power_float32(w: Builder, n: str, m: str, y: str) -> str:
    """2^(y (n + log2 m)) within 2^-30, as a float64 that may be far out of float32's range."""
    f = w.sub(m, w.const(1.0))
    t = w.mul(w.fma(f, horner(w, POW32_LOG2, f), n), y)
    t = clamp(w, t, -200.0, 200.0)
    magic = w.const(1.5 * 2.0 ** EXPONENT["float64"][0])
    sum = w.add(t, magic)
    p = horner(w, POW32_EXP2, w.sub(t, w.sub(sum, magic)))
    # The exponents are within those of float64: added to that of p as integers.
    return w.from_bits(w.op("add", w.bits(p), w.op("shl", w.bits(sum), w.int_const(52))))


def _power_float64(b: Builder, n: str, m: str, y: str) -> str:
    """2^(y (n + log2 m)), the exponent having about 63 digits."""
    log_high, log_low = _log2(b, n, m)
    t = b.mul(y, log_high)
    low = b.fma(y, log_low, product_error(b, y, log_high, t))
    # Outside this range the result is 0 or infinite, and `low` may be NaN.
    inside = b.compare("olt", b.abs(t), b.const(1080.0))
    low = b.select(inside, low, b.const(0.0))
    t = clamp(b, t, -1080.0, 1030.0)
    whole, bits = nearest(b, t)
    r = b.add(b.sub(t, whole), low)
    return scale(b, horner(b, EXP2_64, r), whole, bits)


def _log2(b: Builder, n: str, m: str) -> tuple[str, str]:
    """n + log2(m) as an unevaluated sum, error about 2^-64 of its size, m in [3/4, 3/2)."""
    f = b.sub(m, b.const(1.0))
    total = b.add(m, b.const(1.0))
    total_low = b.sub(m, b.sub(total, b.const(1.0)))
    inverse = b.div(b.const(1.0), total)
    s = b.mul(f, inverse)
    # f - s * total is exact: the quotient is right to its last digits.
    product = b.mul(s, total)
    rest = b.sub(b.sub(f, product), product_error(b, s, total, product))
    s_low = b.mul(b.sub(rest, b.mul(s, total_low)), inverse)
    z = b.mul(s, s)
    z_low = b.fma(b.add(s, s), s_low, product_error(b, s, s, z))
    # B + z Q, then A + z (...), then s (...): each a sum of two numbers.
    inner = b.mul(z, horner(b, POW64_LOG2, z))
    high, low = fast_two_sum(b, b.const(B[0]), inner)
    high, low = _product(b, z, z_low, high, b.add(low, b.const(B[1])))
    high, rest = fast_two_sum(b, b.const(A[0]), high)
    low = b.add(b.add(rest, low), b.const(A[1]))
    high, low = _product(b, s, s_low, high, low)
    high, rest = fast_two_sum(b, n, high)
    return high, b.add(rest, low)


def _product(b: Builder, x: str, x_low: str, y: str, y_low: str) -> tuple[str, str]:
    """(x + x_low) * (y + y_low) as a sum of two numbers."""
    product = b.mul(x, y)
    error = product_error(b, x, y, product)
    return product, b.fma(x_low, y, b.fma(x, y_low, error))
