"""Numbers as arrays hold them: those of 16 bits become float32 as they come in, and go back out.

In memory, and in LLVM's types, they are integers. Where the machine converts float16 itself, LLVM
is asked to; elsewhere it would call a library that is not there, and integers do it. bfloat16 is
the upper half of a float32 on every machine. No arithmetic here needs subnormal float32: threads
of XLA flush those to zero.
"""

from __future__ import annotations

from .builder import ELEMENTS, Builder
from .spelling import vector

HALVES = ("float16", "bfloat16")
BITS = {"int32": "i32", "int64": "i64"} | dict.fromkeys(HALVES, "i16")

SIGN = 0x8000
HALF_INFINITY = 0x7C00
HALF_NORMAL = 0x0400  # the least normal float16
INFINITY = 0x7F800000
QUIET = 0x0200
BIAS = 127 - 15  # between the exponents of float32 and float16
DIGITS = 23 - 10  # bits of mantissa that float16 lacks


def element(dtype: str) -> str:
    """The LLVM type of one number of `dtype` in memory."""
    return BITS.get(dtype) or ELEMENTS[dtype][0]


def after_load(b: Builder, stored: str, dtype: str) -> str:
    """The number of view `b` that memory of `dtype` holds as `stored`: exact."""
    if dtype not in HALVES:
        return stored
    bits = vector("i16", b.width)
    if dtype == "float16" and b.machine.half:
        half = vector("half", b.width)
        return b.convert("fpext", b.convert("bitcast", stored, bits, half), half, b.type)
    wide = b.convert("zext", stored, bits, b.int_type)
    if dtype == "bfloat16":
        return b.from_bits(b.op("shl", wide, b.int_const(16)))
    return _from_half(b, wide)


def before_store(b: Builder, value: str, dtype: str) -> str:
    """What memory of `dtype` is to hold for a number of view `b`: the nearest, ties to even."""
    if dtype not in HALVES:
        return value
    bits = vector("i16", b.width)
    if dtype == "float16" and b.machine.half:
        half = vector("half", b.width)
        return b.convert("bitcast", b.convert("fptrunc", value, b.type, half), half, bits)
    wide = _to_bfloat(b, b.bits(value)) if dtype == "bfloat16" else _to_half(b, b.bits(value))
    return b.convert("trunc", wide, b.int_type, bits)


def _from_half(b: Builder, stored: str) -> str:
    """The float32 of a float16 whose bits are given, in 32."""
    magnitude = b.op("and", stored, b.int_const(SIGN - 1))
    shifted = b.op("shl", magnitude, b.int_const(DIGITS))
    normal = b.op("add", shifted, b.int_const(BIAS << 23))
    beyond = b.op("or", shifted, b.int_const(INFINITY))
    whole = b.convert("sitofp", magnitude, b.int_type, b.type)
    small = b.bits(b.mul(whole, b.const(2.0**-24)))
    finite = b.compare_int("ult", magnitude, b.int_const(HALF_INFINITY))
    found = b.select(finite, normal, beyond, b.int_type)
    subnormal = b.compare_int("ult", magnitude, b.int_const(HALF_NORMAL))
    found = b.select(subnormal, small, found, b.int_type)
    sign = b.op("shl", b.op("and", stored, b.int_const(SIGN)), b.int_const(16))
    return b.from_bits(b.op("or", found, sign))


def _to_half(b: Builder, bits: str) -> str:
    """The bits of the float16 nearest to the float32 of `bits`, in the low 16."""
    magnitude = b.op("and", bits, b.int_const(0x7FFFFFFF))
    rebiased = b.op("sub", magnitude, b.int_const(BIAS << 23))
    normal = _drop(b, rebiased, DIGITS)
    # Below the least normal the step is 2^-24, that of float32 from 1/2 on: the sum rounds to it.
    half = b.const(0.5)
    small = b.op("sub", b.bits(b.add(b.from_bits(magnitude), half)), b.bits(half))
    is_small = b.compare_int("ult", magnitude, b.int_const((BIAS + 1) << 23))
    found = b.select(is_small, small, normal, b.int_type)
    # 2^16 and above; what rounds up to it carries into the exponent by itself.
    is_large = b.compare_int("uge", magnitude, b.int_const((127 + 16) << 23))
    found = b.select(is_large, b.int_const(HALF_INFINITY), found, b.int_type)
    payload = b.op("and", b.op("lshr", magnitude, b.int_const(DIGITS)), b.int_const(QUIET - 1))
    nan = b.op("or", payload, b.int_const(HALF_INFINITY | QUIET))
    is_nan = b.compare_int("ugt", magnitude, b.int_const(INFINITY))
    found = b.select(is_nan, nan, found, b.int_type)
    sign = b.op("and", b.op("lshr", bits, b.int_const(16)), b.int_const(SIGN))
    return b.op("or", found, sign)


def _to_bfloat(b: Builder, bits: str) -> str:
    """The bits of the bfloat16 nearest to the float32 of `bits`, in the low 16."""
    magnitude = b.op("and", bits, b.int_const(0x7FFFFFFF))
    is_nan = b.compare_int("ugt", magnitude, b.int_const(INFINITY))
    nan = b.op("or", b.op("lshr", bits, b.int_const(16)), b.int_const(0x40))
    return b.select(is_nan, nan, _drop(b, bits, 16), b.int_type)


def _drop(b: Builder, bits: str, count: int) -> str:
    """`bits` without their lowest `count`, rounded to nearest, ties to even."""
    odd = b.op("and", b.op("lshr", bits, b.int_const(count)), b.int_const(1))
    up = b.op("add", odd, b.int_const((1 << (count - 1)) - 1))
    return b.op("lshr", b.op("add", bits, up), b.int_const(count))
