"""Any angle less a whole number of quarter turns: the argument reduction of sin and cos.

Three ways, each for the lanes that the one before cannot serve, and behind a branch that is taken
only if there is such a lane.  Which way a lane goes depends on its own argument alone, so that its
result depends neither on the width nor on its neighbours.
"""

from .builder import Builder
from .coefficients import TWO_OVER_PI
from .math_polynomial import subtract_product

QUARTERS_PER_RADIAN = 0.6366197723675814

# Binary32, with FMA: pi / 2 in parts of 24 bits.  Up to the limit the quotient is within 0.003 of
# the exact one, near enough for the polynomials.  The first step is exact, since its result is a
# multiple of 2^-24 below 1; the others round once each, relative to their results.
LIMIT_32 = 1e5
PARTS_32 = (1.570796251296997, 7.549789415861596e-08, 5.390302953474238e-15)
# Without FMA: multiples of 2^-11, 2^-23 and 2^-35, so that their products with whole numbers up
# to 2^12 are exact, and so are the first two steps.  The third one's rounding error goes into the
# fourth: two roundings, where r is just above a power of 2, are 2.34 ULP in sin r.
LIMIT_32_WITHOUT_FMA = 6e3
PARTS_32_WITHOUT_FMA = (
    1.5703125,
    0.0004837512969970703,
    7.549533620476723e-08,
    2.5633440682570896e-12,
)

# Binary64: pi / 2 in parts of 53 bits.  q * parts[0] is a multiple of 2^-52, so that the first
# step is exact when its result is below 1, which it is whatever q.  The parts are positive in
# every table: that keeps the sign of a zero x.
LIMIT_64 = 1e14
PARTS_64 = (1.5707963267948966, 6.123233995736765e-17, 1.0828566739219139e-32)

QUARTER_TURN_63 = 0xC90FDAA22168C235  # pi / 2 in units of 2^-63


def reduce(b: Builder, x: str) -> tuple[str, str]:
    """q as an integer, right in its two low bits, and r = x - q * pi / 2, at most pi / 4 in size.

    r has an error of 0.5 ULP, or 1 in binary32 if it is below 1/4.  It is NaN if x is not finite.
    """
    if b.dtype == "float64":
        return _reduce_float64(b, [x], 3)[0]
    fma = b.machine.fma
    quarters, r = _subtract_quarters(b, x, PARTS_32 if fma else PARTS_32_WITHOUT_FMA)
    beyond = _beyond(b, x, LIMIT_32 if fma else LIMIT_32_WITHOUT_FMA)
    carry = [(b.int_type, quarters), (b.type, r)]
    with b.when(b.any(beyond), carry, rare=True) as arm:
        pairs = _reduce_float64(b.wide, b.widen(x), 2)
        wide_quarters = b.narrow_int([q for q, _ in pairs])
        wide_r = b.narrow([r for _, r in pairs])
        arm.next = [
            b.select(beyond, wide_quarters, quarters, b.int_type),
            b.select(beyond, wide_r, r),
        ]
    return arm.values[0], arm.values[1]


def _reduce_float64(w: Builder, xs: list[str], parts: int) -> list[tuple[str, str]]:
    """`reduce` of several vectors, by so many parts of pi / 2, and exactly where these are few."""
    pairs = [_subtract_quarters(w, x, PARTS_64[:parts]) for x in xs]
    some = w.any(_beyond(w, xs[0], LIMIT_64))
    for x in xs[1:]:
        some = w.let(f"or i1 {some}, {w.any(_beyond(w, x, LIMIT_64))}")
    carry = [item for q, r in pairs for item in ((w.int_type, q), (w.type, r))]
    with w.when(some, carry, rare=True) as arm:
        arm.next = _replace_huge(w, xs, pairs)
    return list(zip(arm.values[0::2], arm.values[1::2], strict=True))


def _beyond(b: Builder, x: str, limit: float) -> str:
    return b.compare("ogt", b.abs(x), b.const(limit))


def _subtract_quarters(b: Builder, x: str, parts: tuple[float, ...]) -> tuple[str, str]:
    """Cody and Waite's reduction: the nearest whole number of quarters, subtracted in parts."""
    # Adding this number leaves a whole one in the low bits.
    magic = b.const(1.5 * 2.0 ** (23 if b.dtype == "float32" else 52))
    sum = b.fma(x, b.const(QUARTERS_PER_RADIAN), magic)
    q = b.sub(sum, magic)
    if b.dtype == "float32" and not b.machine.fma:
        return b.bits(sum), _subtract_exact_products(b, x, q)
    for part in parts:
        x = subtract_product(b, q, part, x)
    return b.bits(sum), x


def _subtract_exact_products(b: Builder, x: str, q: str) -> str:
    first, second, third, fourth = (b.mul(q, b.const(part)) for part in PARTS_32_WITHOUT_FMA)
    x = b.sub(b.sub(x, first), second)
    # Where x is smaller than the product, the difference is exact, and so is this error: 0.
    difference = b.sub(x, third)
    error = b.sub(b.sub(x, difference), third)
    return b.sub(difference, b.sub(fourth, error))


def _replace_huge(w: Builder, xs: list[str], pairs: list[tuple[str, str]]) -> list[str]:
    """q and r of each vector, with the lanes beyond the limit replaced one by one."""
    scalar = w.at(width=1)
    count = len(xs) * w.width
    angles, remainders = w.slot(scalar.type, count), w.slot(scalar.type, count)
    quarters = w.slot(scalar.int_type, count)
    starts = [str(k * w.width) for k in range(len(xs))]
    for start, x, (q, r) in zip(starts, xs, pairs, strict=True):
        w.store(x, w.address(angles, start))
        w.store(q, w.address(quarters, start), w.int_type)
        w.store(r, w.address(remainders, start))
    with w.loop("0", str(count), nonempty=True) as lane:
        x = scalar.load(scalar.address(angles, lane.index))
        with w.when(_beyond(scalar, x, LIMIT_64)):
            q, r = _reduce_huge(scalar, x)
            scalar.store(q, scalar.address(quarters, lane.index), scalar.int_type)
            scalar.store(r, scalar.address(remainders, lane.index))
    loaded = []
    for start in starts:
        loaded.append(w.load(w.address(quarters, start), w.int_type))
        loaded.append(w.load(w.address(remainders, start)))
    return loaded


def _reduce_huge(s: Builder, x: str) -> tuple[str, str]:
    """Payne and Hanek's reduction of one float64 of at least 2^46, in integers.

    x is m 2^e.  The bits of 2 / pi above 2^(1 - e) only add whole turns, and 192 bits from there
    on are enough: no float64 comes nearer than 2^-62 to a whole number of quarters, and the
    bits left out are worth 2^-126.  (Payne and Hanek 1983; Muller, Elementary Functions, 11.)
    """
    bits = s.bits(x)
    exponent = s.op("and", s.op("lshr", bits, "52"), "2047")
    mantissa = s.op("or", s.op("and", bits, str(2**52 - 1)), str(2**52))
    product = _turns(s, mantissa, s.op("sub", exponent, "1013"))
    # Two bits of quarters, then 126 of the fraction.
    rounded = s.op("add", product, str(2**125), "i128")
    quarters = s.convert("trunc", s.op("lshr", rounded, "126", "i128"), "i128", "i64")
    fraction = s.op("shl", product, "2", "i128")
    below = s.op("ashr", fraction, "127", "i128")
    magnitude = s.op("sub", s.op("xor", fraction, below, "i128"), below, "i128")
    r = _radians(s, magnitude)

    negative = s.op("ashr", bits, "63")
    flipped = s.op("xor", s.convert("trunc", below, "i128", "i64"), negative)
    r = s.op("xor", s.bits(r), s.op("and", flipped, str(-(2**63))))
    quarters = s.op("sub", s.op("xor", quarters, negative), negative)
    # x - x is 0, or NaN if x is infinite.
    return quarters, s.add(s.from_bits(r), s.sub(x, x))


def _turns(s: Builder, mantissa: str, bit: str) -> str:
    """The top 128 bits of mantissa * (192 bits of the table from `bit` on), modulo 2^192."""
    words = ", ".join(f"i64 {s.int_const(word)}" for word in TWO_OVER_PI)
    table = "@quarters.per.radian"
    type = f"[{len(TWO_OVER_PI)} x i64]"
    s.body.declare(f"{table} = private unnamed_addr constant {type} [{words}]")
    first, shift = s.op("lshr", bit, "6"), s.op("and", bit, "63")
    window = [s.load(s.address(table, s.op("add", first, str(k)), "i64"), "i64") for k in range(4)]
    wide_mantissa = s.convert("zext", mantissa, "i64", "i128")

    def product(k: int) -> str:
        pair = [("i64", word) for word in window[k : k + 2]]
        word = s.convert(
            "zext", s.call("i64", "llvm.fshl.i64", *pair, ("i64", shift)), "i64", "i128"
        )
        return s.op("mul", wide_mantissa, word, "i128")

    high = s.op("shl", product(0), "64", "i128")
    low = s.op("lshr", product(2), "64", "i128")
    return s.op("add", s.op("add", high, product(1), "i128"), low, "i128")


def _radians(s: Builder, magnitude: str) -> str:
    """The float64 of a number of quarter turns in units of 2^-128, rounded once, in radians.

    The number is above 2^-62, so that its upper word is not 0.
    """
    high = s.convert("trunc", s.op("lshr", magnitude, "64", "i128"), "i128", "i64")
    low = s.convert("trunc", magnitude, "i128", "i64")
    zeros = s.call("i64", "llvm.ctlz.i64", ("i64", high), ("i1", "false"))
    top = s.call("i64", "llvm.fshl.i64", ("i64", high), ("i64", low), ("i64", zeros))
    angle = s.op("mul", s.convert("zext", top, "i64", "i128"), str(QUARTER_TURN_63), "i128")
    angle = s.convert("trunc", s.op("lshr", angle, "65", "i128"), "i128", "i64")
    # `angle` is in units of 2^-62.
    exponent = s.op("sub", str(1023 - 62), zeros)
    scale = s.from_bits(s.op("shl", exponent, "52"))
    return s.mul(s.convert("sitofp", angle, "i64", "double"), scale)
