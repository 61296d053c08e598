"""AVX-512 instructions that LLVM gives no general name, on whole 512-bit registers."""

from collections.abc import Callable, Sequence

from .builder import Builder
from .spelling import hexadecimal

CURRENT, DOWN = 4, 9  # rounding operands: that of the thread; toward minus infinity, no exceptions


def by_registers(b: Builder, function: Callable[..., str], *operands: str) -> str:
    """`function(view, *operands)`, in views where a value fills one register.

    Narrower operands are parts of registers whose other lanes are poison, wider ones are halved.
    """
    lanes = b.machine.lanes(b.dtype)
    if b.width == lanes:
        return function(b, *operands)
    if b.width > lanes:
        half = b.at(width=b.width // 2)
        low, high = (
            by_registers(
                half,
                function,
                *(b.shuffle(x, "poison", range(k, k + half.width)) for x in operands),
            )
            for k in (0, half.width)
        )
        return half.shuffle(low, high, range(b.width))
    whole = b.at(width=lanes)
    if b.width == 1:
        first = [whole.insert("poison", x, 0) for x in operands]
        return whole.extract(function(whole, *first), 0)
    padding = [b.width] * (lanes - b.width)
    padded = [b.shuffle(x, "poison", [*range(b.width), *padding]) for x in operands]
    return whole.shuffle(function(whole, *padded), "poison", range(b.width))


def scalef(b: Builder, p: str, n: str) -> str:
    """p * 2^floor(n), rounded once, also if subnormal; for n = inf and -inf it is inf and 0."""
    return _masked(b, "scalef", (b.type, p), (b.type, n))


def fraction(b: Builder, x: str, bits: int) -> str:
    """x less the greatest multiple of 2^-bits that is not above it; 0 for an infinite x."""
    return _masked(b, "reduce", (b.type, x), ("i32", str(16 * bits + DOWN)))


def within(b: Builder, x: str, limit: float) -> str:
    """x, or the limit with the sign of x where |x| is larger; some limit where x is NaN."""
    smaller_magnitude = ("i32", "2")
    return _masked(b, "range", (b.type, x), (b.type, b.const(limit)), smaller_magnitude)


def add_down(b: Builder, x: str, y: str) -> str:
    """x + y rounded toward minus infinity."""
    name = f"llvm.x86.avx512.add.{_kind(b)}.512"
    return b.call(b.type, name, (b.type, x), (b.type, y), ("i32", str(DOWN)))


def look_up(b: Builder, table: Sequence[float], index: str) -> str:
    """table[index] in each lane; a table fills one or two registers.

    Of the integers `index` the bits above those that the table needs are ignored.
    """
    lanes = b.width
    parts = [_constants(b, table[k : k + lanes]) for k in range(0, len(table), lanes)]
    if len(parts) == 1:
        name = f"llvm.x86.avx512.permvar.{_kind(b)[1]}f.512"
        return b.call(b.type, name, (b.type, parts[0]), (b.int_type, index))
    low, high = parts
    name = f"llvm.x86.avx512.vpermi2var.{_kind(b)}.512"
    return b.call(b.type, name, (b.type, low), (b.int_type, index), (b.type, high))


def _constants(b: Builder, values: Sequence[float]) -> str:
    return "<" + ", ".join(f"{b.element} {hexadecimal(x, b.dtype)}" for x in values) + ">"


def _kind(b: Builder) -> str:
    return "ps" if b.dtype == "float32" else "pd"


def _masked(b: Builder, name: str, *operands: tuple[str, str]) -> str:
    """An instruction that could be masked, with all lanes on."""
    bits = b.width * b.bits_per_lane
    mask = "i16" if b.width == 16 else "i8"
    rounding = [("i32", str(CURRENT))] if bits == 512 else []
    return b.call(
        b.type,
        f"llvm.x86.avx512.mask.{name}.{_kind(b)}.{bits}",
        *operands,
        (b.type, "zeroinitializer"),
        (mask, "-1"),
        *rounding,
    )
