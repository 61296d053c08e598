"""Sums, products, quotients and powers, coordinate by coordinate."""

from functools import reduce

import numpy as np

from ... import ir
from ..declare import elementwise
from ..node import F, Node

elementwise(
    "Add",
    "f + g.",
    arity=2,
    value=np.add,
    derivative=lambda f, g: (1.0, 1.0),
    lower=ir.add,
    domain=(-2, 2),
)

elementwise(
    "Subtract",
    "f - g.",
    arity=2,
    value=np.subtract,
    derivative=lambda f, g: (1.0, -1.0),
    lower=ir.sub,
    domain=(-2, 2),
)

elementwise(
    "Mult",
    "f * g.",
    arity=2,
    value=np.multiply,
    derivative=lambda f, g: (g, f),
    lower=ir.mul,
    domain=(-2, 2),
)

elementwise(
    "Divide",
    "f / g.",
    arity=2,
    value=np.divide,
    # By the inverse, which costs once for all pairs where g is a parameter or of one row.
    derivative=lambda f, g: (F.Inv(g), lambda t: -(t * F.Inv(g) * (f / g))),
    lower=ir.div,
    domain=(0.5, 2),
)

elementwise(
    "Minus",
    "-f.",
    value=np.negative,
    derivative=lambda f: (-1.0,),
    lower=ir.neg,
    domain=(-2, 2),
)

elementwise(
    "Inv",
    "1 / f.",
    value=lambda f: 1 / f,
    derivative=lambda f: (-F.Square(F.Inv(f)),),
    lower=lambda f: ir.div(ir.const(1), f),
    domain=(0.5, 2),
)

elementwise(
    "Square",
    "f * f.",
    value=np.square,
    derivative=lambda f: (2 * f,),
    lower=lambda f: ir.mul(f, f),
    domain=(-2, 2),
)

UNROLLED = 16  # up to this power, at most 6 products are quicker than the instruction, and as exact


def _power(f: ir.Scalar, m: float) -> ir.Scalar:
    if m != int(m) or abs(m) > UNROLLED:
        return ir.pow_(f, ir.const(m))
    factors, square = [], f
    for bit in reversed(f"{abs(int(m)):b}"):
        if bit == "1":
            factors.append(square)
        square = ir.mul(square, square)
    power = reduce(ir.mul, factors) if factors else ir.const(1)
    return power if m >= 0 else ir.div(ir.const(1), power)


def _power_rule(f: Node, m: float) -> tuple[Node | float | None]:
    if m in (0, 1):
        return (None if m == 0 else 1.0,)
    return (m * F.Pow(f, m - 1),)


elementwise(
    "Pow",
    "f to the power m, a literal: 1 if m is 0, whatever f is.",
    params=(2.5,),
    value=lambda f, m: np.power(f, float(m)),
    derivative=_power_rule,
    lower=_power,
    domain=(0.5, 2),
)


def _powf_rule(f: Node, g: Node) -> tuple[Node, Node]:
    """That for g is 0 where f is: 0 to any power above 0 is 0."""
    return g * F.Powf(f, g - 1), F.Log(f + F.Equal(f, 0.0)) * F.Powf(f, g)


elementwise(
    "Powf",
    "f to the power g, a formula; f is not negative unless g is an integer.",
    arity=2,
    value=np.power,
    derivative=_powf_rule,
    lower=ir.pow_,
    domain=(0.5, 2),
)
