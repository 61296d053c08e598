"""Choices and comparisons: ops whose derivative is that of the branch taken, or zero."""

import numpy as np

from ... import ir
from ..declare import elementwise
from ..node import F

ZERO, ONE = ir.const(0), ir.const(1)

# Tangents and cotangents are routed, not multiplied by 0 or 1: an infinite one for the branch
# that is not taken is dropped, where 0 times it would be NaN.

elementwise(
    "IfLess",
    "a where f < g, b elsewhere and where f or g is NaN.",
    arity=4,
    value=lambda f, g, a, b: np.where(f < g, a, b),
    derivative=lambda f, g, a, b: (
        None,
        None,
        lambda t: F.IfLess(f, g, t, 0.0),
        lambda t: F.IfLess(f, g, 0.0, t),
    ),
    lower=ir.select_lt,
    domain=(-2, 2),
)

elementwise(
    "IfElse",
    "a where f >= 0, b elsewhere and where f is NaN.",
    arity=3,
    value=lambda f, a, b: np.where(f >= 0, a, b),
    derivative=lambda f, a, b: (
        None,
        lambda t: F.IfElse(f, t, 0.0),
        lambda t: F.IfElse(f, 0.0, t),
    ),
    lower=lambda f, a, b: ir.select_le(ZERO, f, a, b),
    domain=(-2, 2),
)

elementwise(
    "Equal",
    "1 where f = g, 0 elsewhere.",
    arity=2,
    value=lambda f, g: np.where(f == g, 1.0, 0.0),
    derivative=lambda f, g: (None, None),
    lower=lambda f, g: ir.select_eq(f, g, ONE, ZERO),
    domain=(-2, 2),
)

elementwise(
    "NotEqual",
    "0 where f = g, 1 elsewhere.",
    arity=2,
    value=lambda f, g: np.where(f == g, 0.0, 1.0),
    derivative=lambda f, g: (None, None),
    lower=lambda f, g: ir.select_eq(f, g, ZERO, ONE),
    domain=(-2, 2),
)

elementwise(
    "LessThan",
    "1 where f < g, 0 elsewhere.",
    arity=2,
    value=lambda f, g: np.where(f < g, 1.0, 0.0),
    derivative=lambda f, g: (None, None),
    lower=lambda f, g: ir.select_lt(f, g, ONE, ZERO),
    domain=(-2, 2),
)

elementwise(
    "LessOrEqual",
    "1 where f <= g, 0 elsewhere.",
    arity=2,
    value=lambda f, g: np.where(f <= g, 1.0, 0.0),
    derivative=lambda f, g: (None, None),
    lower=lambda f, g: ir.select_le(f, g, ONE, ZERO),
    domain=(-2, 2),
)

elementwise(
    "Abs",
    "The absolute value of f; its derivative at 0 is taken as 0.",
    value=np.abs,
    derivative=lambda f: (F.Sign(f),),
    lower=ir.abs_,
    domain=(-2, 2),
)

elementwise(
    "Sign",
    "-1, 0 or 1, as f is negative, zero (or NaN) or positive.",
    value=lambda f: np.where(f > 0, 1.0, np.where(f < 0, -1.0, 0.0)),
    derivative=lambda f: (None,),
    lower=lambda f: ir.select_lt(ZERO, f, ONE, ir.select_lt(f, ZERO, ir.const(-1), ZERO)),
    domain=(-2, 2),
)

elementwise(
    "Step",
    "0 where f is negative, 1 elsewhere.",
    value=lambda f: np.where(f < 0, 0.0, 1.0),
    derivative=lambda f: (None,),
    lower=lambda f: ir.select_lt(f, ZERO, ZERO, ONE),
    domain=(-2, 2),
)

elementwise(
    "ReLU",
    "0 where f is negative, f elsewhere; its derivative at 0 is taken as 1.",
    value=lambda f: np.where(f < 0, 0.0, f),
    derivative=lambda f: (lambda t: F.IfLess(f, 0.0, 0.0, t),),
    lower=lambda f: ir.select_lt(f, ZERO, ZERO, f),
    domain=(-2, 2),
)

elementwise(
    "Clamp",
    "a where f < a, b where f > b, f elsewhere; the derivative for f is 1 at both ends.",
    arity=3,
    value=lambda f, a, b: np.where(f < a, a, np.where(f > b, b, f)),
    derivative=lambda f, a, b: (
        lambda t: F.IfLess(f, a, 0.0, F.IfLess(b, f, 0.0, t)),
        lambda t: F.IfLess(f, a, t, 0.0),
        lambda t: F.IfLess(f, a, 0.0, F.IfLess(b, f, t, 0.0)),
    ),
    lower=lambda f, a, b: ir.select_lt(f, a, a, ir.select_lt(b, f, b, f)),
    domain=(-2, 2),
)

elementwise(
    "ClampInt",
    "f held between the literals a and b; the derivative is 1 at both ends.",
    params=(-1.0, 0.5),
    value=lambda f, a, b: np.where(f < a, float(a), np.where(f > b, float(b), f)),
    derivative=lambda f, a, b: (
        lambda t: F.IfLess(f, float(a), 0.0, F.IfLess(float(b), f, 0.0, t)),
    ),
    lower=lambda f, a, b: ir.select_lt(
        f, ir.const(a), ir.const(a), ir.select_lt(ir.const(b), f, ir.const(b), f)
    ),
    domain=(-2, 2),
)

elementwise(
    "DiffClampInt",
    "0 where f is below a or above b, two literals; 1 elsewhere: the derivative of ClampInt.",
    params=(-1.0, 0.5),
    value=lambda f, a, b: np.where((f < a) | (f > b), 0.0, 1.0),
    derivative=lambda f, a, b: (None,),
    lower=lambda f, a, b: ir.select_lt(
        f, ir.const(a), ZERO, ir.select_lt(ir.const(b), f, ZERO, ONE)
    ),
    domain=(-2, 2),
)
