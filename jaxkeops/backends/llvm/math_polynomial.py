"""Polynomials and products without rounding error: what every function of the vector math uses."""

from collections.abc import Sequence

from .builder import Builder


def horner(b: Builder, coefficients: Sequence[float], x: str) -> str:
    """The polynomial with these coefficients, lowest power first.

    The terms past the first two of a long one are summed as even and odd powers: one more
    multiplication, but half the chain of dependent FMAs.  Splitting the first two as well would
    cost an ULP.  The lengths from which this is faster were measured on Zen 4.
    """
    tail = coefficients[2:]
    if len(coefficients) > (12 if b.machine.vector_bytes == 64 else 7):
        square = b.mul(x, x)
        odd = _chain(b, tail[1::2], square)
        value = b.fma(odd, x, _chain(b, tail[0::2], square))
        return b.fma(b.fma(value, x, b.const(coefficients[1])), x, b.const(coefficients[0]))
    return _chain(b, coefficients, x)


def _chain(b: Builder, coefficients: Sequence[float], x: str) -> str:
    value = b.const(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = b.fma(value, x, b.const(coefficient))
    return value


def product_error(b: Builder, x: str, y: str, product: str) -> str:
    """x * y - product, exactly, where `product` is x * y rounded (or close to it).

    One FMA where there is one.  Elsewhere Veltkamp's splitting and Dekker's product
    (Dekker 1971), 17 operations, which overflow for |x| or |y| above 2^96 (float32: 2^115).
    """
    if b.machine.fma:
        return b.fma(x, y, b.neg(product))
    x_high, x_low = _split(b, x)
    y_high, y_low = _split(b, y)
    error = b.sub(b.mul(x_high, y_high), product)
    error = b.add(b.add(error, b.mul(x_high, y_low)), b.mul(x_low, y_high))
    return b.add(error, b.mul(x_low, y_low))


def subtract_product(b: Builder, x: str, y: float, c: str) -> str:
    """c - x * y with one rounding, for a constant y: the step of an argument reduction."""
    if b.machine.fma:
        return b.fma(x, b.const(-y), c)
    product = b.mul(x, b.const(y))
    return b.sub(b.sub(c, product), product_error(b, x, b.const(y), product))


def fast_two_sum(b: Builder, x: str, y: str) -> tuple[str, str]:
    """x + y rounded, and its rounding error; needs |x| >= |y| or x = 0 (Dekker 1971)."""
    total = b.add(x, y)
    return total, b.add(b.sub(x, total), y)


def _split(b: Builder, x: str) -> tuple[str, str]:
    """x as the sum of two numbers of half its digits."""
    shift = 12 if b.dtype == "float32" else 27
    scaled = b.mul(x, b.const(2.0**shift + 1))
    high = b.sub(scaled, b.sub(scaled, x))
    return high, b.sub(x, high)
