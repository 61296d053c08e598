"""exp and exp2: reduction to [-1/2, 1/2] powers of two, a polynomial, and a scaling.

With AVX-512 a table shortens the polynomial: see math_exp_table.py.
"""

from .builder import Builder
from .coefficients import EXP2_32, EXP2_64, EXP_32, EXP_64
from .math_avx512 import by_registers, scalef
from .math_exp_table import exp2_by_table, exp_by_table
from .math_polynomial import horner

LOG2_E = 1.4426950408889634
# ln 2 in two parts; n * high is exact for every exponent n, with or without FMA.
LN2 = {
    "float32": (0.693145751953125, 1.428606765330187e-06),
    "float64": (6.93147180369123816490e-01, 1.90821492927058770002e-10),
}
# Below the first the result is 0, above the second infinite: safe for the integer exponents.
EXP2_RANGE = {"float32": (-151.0, 129.0), "float64": (-1076.0, 1025.0)}
EXP_RANGE = {"float32": (-105.0, 90.0), "float64": (-747.0, 711.0)}
EXPONENT = {"float32": (23, 127), "float64": (52, 1023)}  # its first bit, and its bias
SCALEF_BITS = (128, 256, 512)


def exp2(b: Builder, x: str) -> str:
    """2 to the power x; error below 1 ULP (1.2 without FMA; by table see there)."""
    if b.machine.scalef:
        return by_registers(b, exp2_by_table, x)
    x = clamp(b, x, *EXP2_RANGE[b.dtype])
    n, bits = nearest(b, x)
    p = horner(b, EXP2_32 if b.dtype == "float32" else EXP2_64, b.sub(x, n))
    return scale(b, p, n, bits)


def exp(b: Builder, x: str) -> str:
    """e to the power x; error below 1 ULP (1.2 without FMA; by table see there)."""
    if b.machine.scalef:
        return by_registers(b, exp_by_table, x)
    x = clamp(b, x, *EXP_RANGE[b.dtype])
    n, bits = nearest(b, b.mul(x, b.const(LOG2_E)))
    high, low = LN2[b.dtype]
    r = b.fma(n, b.const(-low), b.fma(n, b.const(-high), x))
    return scale(b, horner(b, EXP_32 if b.dtype == "float32" else EXP_64, r), n, bits)


def clamp(b: Builder, x: str, low: float, high: float) -> str:
    """x within [low, high]; NaN stays NaN, as the second operand of a comparison that fails."""
    return b.min(b.const(high), b.max(b.const(low), x))


def has_scalef(b: Builder) -> bool:
    """Whether vscalef exists for this view; other widths get the same bits in two steps."""
    return b.machine.scalef and b.width * b.bits_per_lane in SCALEF_BITS


def nearest(b: Builder, x: str) -> tuple[str, str]:
    """The nearest whole number n, ties to even, and where scalef is missing n as an integer.

    Adding 1.5 * 2^23 (2^52) leaves n in the low bits of the sum, and unlike a conversion to integer
    is defined for NaN.  Right for |x| < 2^22 (2^51).
    """
    if has_scalef(b):
        return b.rint(x), ""
    magic = b.const(1.5 * 2.0 ** EXPONENT[b.dtype][0])
    sum = b.add(x, magic)
    return b.sub(sum, magic), b.op("sub", b.bits(sum), b.bits(magic))


def scale(b: Builder, p: str, n: str, bits: str) -> str:
    """p * 2^n with one rounding, for p near 1 and n as `nearest` gave it."""
    if has_scalef(b):
        return scalef(b, p, n)
    half = b.op("ashr", bits, b.int_const(1)) if b.dtype == "float32" else _half(b, bits)
    # p * 2^half is exact, so that a subnormal result is rounded once.
    return b.mul(b.mul(p, power_of_two(b, half)), power_of_two(b, b.op("sub", bits, half)))


def power_of_two(b: Builder, bits: str) -> str:
    """2^n as a normal number, for an integer n in the lanes."""
    first, bias = EXPONENT[b.dtype]
    biased = b.op("add", bits, b.int_const(bias))
    return b.from_bits(b.op("shl", biased, b.int_const(first)))


def _half(b: Builder, bits: str) -> str:
    """n / 2 rounded down, |n| < 2^12: AVX2 has no arithmetic shift of 64-bit lanes."""
    shifted = b.op("lshr", b.op("add", bits, b.int_const(4096)), b.int_const(1))
    return b.op("sub", shifted, b.int_const(2048))
