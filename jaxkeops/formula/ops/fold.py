"""Ops that sum over coordinates."""

from ... import ir
from ..declare import fold

fold(
    "Sum",
    "The sum of the coordinates of f.",
    value=lambda f: f.sum(-1, keepdims=True),
    derivative=lambda f: (1.0,),
    term=lambda f: f,
    domain=(-2, 2),
)

fold(
    "Scalprod",
    "The scalar product of f and g, also written f | g.",
    arity=2,
    value=lambda f, g: (f * g).sum(-1, keepdims=True),
    derivative=lambda f, g: (g, f),
    term=ir.mul,
    domain=(-2, 2),
)

fold(
    "SqNorm2",
    "The squared Euclidean norm of f.",
    value=lambda f: (f * f).sum(-1, keepdims=True),
    derivative=lambda f: (2 * f,),
    term=lambda f: ir.mul(f, f),
    domain=(-2, 2),
)


def _squared_difference(f: ir.Scalar, g: ir.Scalar) -> ir.Scalar:
    difference = ir.sub(f, g)
    return ir.mul(difference, difference)


fold(
    "SqDist",
    "The squared Euclidean distance between f and g.",
    arity=2,
    value=lambda f, g: ((f - g) ** 2).sum(-1, keepdims=True),
    # Twice the difference that the term has: g - f would be another one to compute.
    derivative=lambda f, g: (2 * (f - g), -2 * (f - g)),
    term=_squared_difference,
    domain=(-2, 2),
)
