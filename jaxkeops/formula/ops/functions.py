"""Functions of one argument, and Atan2, coordinate by coordinate."""

import numpy as np

from ... import ir
from ..declare import elementwise
from ..node import F, Node

elementwise(
    "Exp",
    "The exponential of f.",
    value=np.exp,
    derivative=lambda f: (F.Exp(f),),
    lower=ir.exp,
    domain=(-2, 2),
)

elementwise(
    "Log",
    "The natural logarithm of f: -inf at 0, NaN below.",
    value=np.log,
    derivative=lambda f: (F.Inv(f),),
    lower=ir.log,
    domain=(0.5, 2),
)

elementwise(
    "XLogX",
    "f log(f): 0 at 0, NaN below.",
    value=lambda f: np.where(f == 0, 0.0, f * np.log(np.where(f == 0, 1.0, f))),
    derivative=lambda f: (F.Log(f) + 1,),
    lower=lambda f: ir.select_eq(f, ir.const(0), ir.const(0), ir.mul(f, ir.log(f))),
    domain=(0.5, 2),
)

elementwise(
    "Sin",
    "The sine of f.",
    value=np.sin,
    derivative=lambda f: (F.Cos(f),),
    lower=ir.sin,
    domain=(-2, 2),
)

elementwise(
    "Cos",
    "The cosine of f.",
    value=np.cos,
    derivative=lambda f: (-F.Sin(f),),
    lower=ir.cos,
    domain=(-2, 2),
)

# (1 - f) (1 + f) keeps its digits where 1 - f * f loses them, near 1. At 1 itself, Rsqrt gives 0.
elementwise(
    "Asin",
    "The arc sine of f; its derivative at -1 and 1 is taken as 0.",
    value=np.arcsin,
    derivative=lambda f: (F.Rsqrt((1 - f) * (1 + f)),),
    lower=ir.asin,
    domain=(-0.8, 0.8),
)

elementwise(
    "Acos",
    "The arc cosine of f; its derivative at -1 and 1 is taken as 0.",
    value=np.arccos,
    derivative=lambda f: (-F.Rsqrt((1 - f) * (1 + f)),),
    lower=ir.acos,
    domain=(-0.8, 0.8),
)

elementwise(
    "Atan",
    "The arc tangent of f.",
    value=np.arctan,
    derivative=lambda f: (F.Inv(1 + F.Square(f)),),
    lower=ir.atan,
    domain=(-2, 2),
)


def _angle_rule(f: Node, g: Node) -> tuple[Node, Node]:
    square = F.Square(f) + F.Square(g)
    return g / square, -f / square


elementwise(
    "Atan2",
    "The angle of the point (g, f) with the first axis: f is its second coordinate.",
    arity=2,
    value=np.arctan2,
    derivative=_angle_rule,
    lower=ir.atan2,
    domain=(0.5, 2),
)

elementwise(
    "Tanh",
    "The hyperbolic tangent of f.",
    value=np.tanh,
    derivative=lambda f: (1 - F.Square(F.Tanh(f)),),
    lower=ir.tanh,
    domain=(-2, 2),
)

elementwise(
    "Sqrt",
    "The square root of f: NaN below 0; its derivative at 0 is taken as 0.",
    value=np.sqrt,
    derivative=lambda f: (0.5 * F.Rsqrt(f),),
    lower=ir.sqrt,
    domain=(0.5, 2),
)

elementwise(
    "Rsqrt",
    "1 / sqrt(f); it and its derivative are 0 at 0, for the gradient of a distance of 0.",
    value=lambda f: np.where(f == 0, 0.0, 1 / np.sqrt(np.where(f == 0, 1.0, f))),
    derivative=lambda f: (-0.5 * F.Pow(F.Rsqrt(f), 3),),
    lower=lambda f: ir.select_eq(f, ir.const(0), ir.const(0), ir.rsqrt(f)),
    domain=(0.5, 2),
)

elementwise(
    "SinXDivX",
    "sin(f) / f: 1 at 0.",
    value=lambda f: np.where(f == 0, 1.0, np.sin(f) / np.where(f == 0, 1.0, f)),
    derivative=lambda f: (-F.SphericalBessel(f, 1),),
    lower=lambda f: ir.select_eq(f, ir.const(0), ir.const(1), ir.div(ir.sin(f), f)),
    domain=(-2, 2),
)
