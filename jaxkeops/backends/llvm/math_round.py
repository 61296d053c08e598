"""round, rsqrt, and the selections."""

from .builder import Builder


def round_away(b: Builder, x: str) -> str:
    """The nearest whole number, halves away from zero, as `round` of C."""
    magnitude = b.abs(x)
    even = b.rint(magnitude)
    # Exact below 2^23 (2^52), and zero above: only a half that went down has a remainder of 1/2.
    went_down = b.compare("oge", b.sub(magnitude, even), b.const(0.5))
    away = b.select(went_down, b.add(even, b.const(1.0)), even)
    return b.copysign(away, x)


def rsqrt(b: Builder, x: str) -> str:
    """1 / sqrt(x): inf at 0, -inf at -0, NaN below.  A seed with a Newton step is no faster."""
    return b.div(b.const(1.0), b.sqrt(x))


def select_lt(b: Builder, x: str, y: str, yes: str, no: str) -> str:
    """`yes` where x < y, else `no`, also on NaN."""
    return b.select(b.compare("olt", x, y), yes, no)


def select_le(b: Builder, x: str, y: str, yes: str, no: str) -> str:
    """`yes` where x <= y, else `no`, also on NaN."""
    return b.select(b.compare("ole", x, y), yes, no)


def select_eq(b: Builder, x: str, y: str, yes: str, no: str) -> str:
    """`yes` where x == y, else `no`, also on NaN."""
    return b.select(b.compare("oeq", x, y), yes, no)
