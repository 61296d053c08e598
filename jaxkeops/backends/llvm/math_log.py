"""log: a mantissa in [3/4, 3/2), its exponent, and a polynomial around 1."""

from .builder import Builder
from .coefficients import LOG_32, LOG_64
from .math_exp import EXPONENT, LN2, SCALEF_BITS
from .math_polynomial import horner

# Bits of 3/4, of the smallest normal number, and the power of two that makes subnormals normal.
THREE_QUARTERS = {"float32": 0x3F400000, "float64": 0x3FE8000000000000}
SMALLEST_NORMAL = {"float32": 2.0**-126, "float64": 2.0**-1022}
LIFT = {"float32": 25, "float64": 54}


def log(b: Builder, x: str) -> str:
    """The natural logarithm; error below 1 ULP.  log(0) = -inf, log(x < 0) = NaN."""
    n, m = exponent_and_mantissa(b, x)
    f = b.sub(m, b.const(1.0))
    high, low = LN2[b.dtype]
    if b.dtype == "float32":
        square = b.mul(f, f)
        r = b.mul(b.mul(square, f), horner(b, LOG_32, f))
        r = b.fma(n, b.const(low), r)
        r = b.fma(square, b.const(-0.5), r)
        return b.fma(n, b.const(high), b.add(f, r))
    # fdlibm's e_log.c: log(1 + f) = f - (f^2/2 - s (f^2/2 + R(s^2))) with s = f / (2 + f).
    s = b.div(f, b.add(f, b.const(2.0)))
    z = b.mul(s, s)
    half_square = b.mul(b.mul(f, f), b.const(0.5))
    r = b.fma(z, horner(b, LOG_64, z), half_square)
    r = b.fma(s, r, b.mul(n, b.const(low)))
    return b.fma(n, b.const(high), b.sub(f, b.sub(half_square, r)))


def has_getexp(b: Builder) -> bool:
    """Whether vgetexp and vgetmant exist for this view."""
    return b.machine.scalef and b.width * b.bits_per_lane in SCALEF_BITS


def exponent_and_mantissa(b: Builder, x: str) -> tuple[str, str]:
    """n and m with x = m * 2^n, n whole, m in [3/4, 3/2), for x > 0; both have x's dtype.

    Zero gives (-inf, 1) and inf gives (inf, 1), so that a logarithm made of them is right there.
    A negative number or NaN gives m = NaN.
    """
    if has_getexp(b):
        m = _get(b, "getmant", x, 0b1011)  # [3/4, 3/2), NaN for negative numbers
        return b.sub(_get(b, "getexp", x), _get(b, "getexp", m)), m
    first, _ = EXPONENT[b.dtype]
    tiny = b.compare("olt", x, b.const(SMALLEST_NORMAL[b.dtype]))
    lifted = b.select(tiny, b.mul(x, b.const(2.0 ** LIFT[b.dtype])), x)
    lift = b.select(tiny, b.const(-LIFT[b.dtype]), b.const(0.0))
    bits = b.bits(lifted)
    offset = b.op("sub", bits, b.int_const(THREE_QUARTERS[b.dtype]))
    exponent = b.int_const(-1 << first)
    m = b.from_bits(b.op("sub", bits, b.op("and", offset, exponent)))
    if b.dtype == "float32":
        n = b.convert("sitofp", b.op("ashr", offset, b.int_const(first)), b.int_type, b.type)
    else:
        # 64-bit lanes convert to double only with AVX-512: n + 2048 goes into the low bits of 2^52.
        biased = b.op("add", offset, b.int_const(2048 << first))
        number = b.op("or", b.op("lshr", biased, b.int_const(first)), b.int_const(0x433 << first))
        n = b.sub(b.from_bits(number), b.const(2.0**52 + 2048))
    n = b.add(n, lift)
    n = b.select(b.compare("oeq", x, b.const(float("inf"))), x, n)
    n = b.select(b.compare("oeq", x, b.const(0.0)), b.const(float("-inf")), n)
    return n, b.select(b.compare("ult", x, b.const(0.0)), b.const(float("nan")), m)


def _get(b: Builder, name: str, x: str, *controls: int) -> str:
    bits = b.width * b.bits_per_lane
    mask = "i16" if b.width == 16 else "i8"
    kind = "ps" if b.dtype == "float32" else "pd"
    operands = [(b.type, x), *(("i32", str(control)) for control in controls)]
    operands += [(b.type, "zeroinitializer"), (mask, "-1")]
    if bits == 512:
        operands.append(("i32", "4"))
    return b.call(b.type, f"llvm.x86.avx512.mask.{name}.{kind}.{bits}", *operands)
