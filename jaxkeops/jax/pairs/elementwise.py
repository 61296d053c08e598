"""Primitives that work number by number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ...formula import F, Node, Number
from .graph import Equation
from .rule import Inside, Unmapped, coordinatewise, rule

INFINITY = math.inf


def _with_slope(value: Node, f: Node, slope: Node) -> Node:
    """value, whose formula may have no derivative where the function that it is of has one."""
    return F.Slope(F.StopGradient(value), f, slope)


def maximum(f: Node, g: Node) -> Node:
    """The greater; NaN if one is. Where they are equal, each has half of the derivative."""
    return _extremum(f, g, lambda f, g, a, b: F.IfLess(f, g, a, b), -INFINITY)


def minimum(f: Node, g: Node) -> Node:
    """The lesser; NaN if one is. Where they are equal, each has half of the derivative."""
    return _extremum(f, g, lambda f, g, a, b: F.IfLess(g, f, a, b), INFINITY)


def _extremum(f: Node, g: Node, if_worse, worst: float) -> Node:
    if isinstance(f, Number):
        f, g = g, f
    if not isinstance(g, Number):
        return if_worse(f, g, g, if_worse(g, f, f, 0.5 * f + 0.5 * g))
    if g.value == worst:
        return f
    # A number is not NaN, so one comparison gives the value.
    return _with_slope(if_worse(f, g, g, f), f, if_worse(g, f, 1.0, if_worse(f, g, 0.0, 0.5)))


def _clamped(low: Node, f: Node, high: Node) -> Node:
    """f held between both, with JAX's derivative at the ends: that of f is 0 there."""
    raised = F.IfLess(f, low, low, f)
    held = F.StopGradient(F.IfLess(high, raised, high, raised))
    held = F.Slope(held, f, F.IfLess(low, f, F.IfLess(f, high, 1.0, 0.0), 0.0))
    held = F.Slope(held, low, F.IfLess(f, low, F.IfLess(low, high, 1.0, 0.0), 0.0))
    return F.Slope(held, high, F.IfLess(high, f, 1.0, 0.0))


def truncated(f: Node) -> Node:
    return F.IfElse(f, F.Floor(f), -F.Floor(-f))


def whole_quotient(f: Node, g: Node) -> Node:
    """f / g without its fraction, for integers: half a unit more than f hides all roundings."""
    size = F.Floor((F.Abs(f) + 0.5) / F.Abs(g))
    return F.IfLess(F.Sign(f) * F.Sign(g), 0.0, -size, size)


def choose(condition: Node, yes: Node, no: Node) -> Node:
    """yes where the condition, 0 or 1, is 1."""
    return F.IfLess(0.0, condition, yes, no)


def _size(f: Node) -> Node:
    """|f|, with JAX's derivative at 0: 1."""
    return _with_slope(F.Abs(f), f, F.IfLess(f, 0.0, -1.0, 1.0))


def _sign(f: Node) -> Node:
    return F.IfLess(0.0, f, 1.0, F.IfLess(f, 0.0, -1.0, F.StopGradient(f)))


def _to_even(f: Node) -> Node:
    """Halves go to the even neighbour: twice the rounded half is even, and right for halves."""
    rounded = F.Round(f, 0)
    return F.IfLess(F.Abs(f - rounded), 0.5, rounded, 2 * F.Round(0.5 * f, 0))


def _sinh(f: Node) -> Node:
    grown = F.Expm1(f)
    value = F.IfLess(F.Abs(f), 1.0, 0.5 * (grown + grown / (grown + 1)), _halves(f, -1.0))
    return _with_slope(value, f, _halves(f, 1.0))


def _halves(f: Node, sign: float) -> Node:
    """(exp(f) + sign exp(-f)) / 2, without an overflow before the result has one."""
    return F.Exp(f - math.log(2)) + sign * F.Exp(-f - math.log(2))


def _asinh(f: Node) -> Node:
    """The logarithm of |f| + sqrt(1 + f^2), by what exceeds 1."""
    size = F.Abs(f)
    square = F.Square(f)
    near = F.Log1p(size + square / (1 + F.Sqrt(1 + square)))
    value = F.IfLess(size, 1e9, near, F.Log(size) + math.log(2))
    return _with_slope(F.IfLess(f, 0.0, -value, value), f, F.Inv(F.Sqrt(1 + square)))


def _acosh(f: Node) -> Node:
    """Two roots, as the product of what is below them may overflow."""
    roots = F.Sqrt(f - 1) * F.Sqrt(f + 1)
    return _with_slope(F.Log(f + roots), f, F.Inv(roots))


def _atanh(f: Node) -> Node:
    return _with_slope(0.5 * F.Log1p(2 * f / (1 - f)), f, F.Inv((1 - f) * (1 + f)))


def _cbrt(f: Node) -> Node:
    root = F.Sign(f) * F.Powf(F.Abs(f), 1 / 3)
    return _with_slope(root, f, F.Inv(3 * F.Square(root)))


coordinatewise(
    add=F.Add,
    add_any=F.Add,
    sub=F.Subtract,
    mul=F.Mult,
    neg=F.Minus,
    square=F.Square,
    exp=F.Exp,
    exp2=lambda f: F.Exp(math.log(2) * f),
    expm1=F.Expm1,
    log=F.Log,
    log1p=F.Log1p,
    logistic=F.Logistic,
    sin=F.Sin,
    cos=F.Cos,
    tan=lambda f: F.Sin(f) / F.Cos(f),
    asin=F.Asin,
    acos=F.Acos,
    atan=F.Atan,
    atan2=F.Atan2,
    sinh=_sinh,
    cosh=lambda f: _halves(f, 1.0),
    tanh=F.Tanh,
    asinh=_asinh,
    acosh=_acosh,
    atanh=_atanh,
    erf=F.Erf,
    erfc=lambda f: 1 - F.Erf(f),
    sqrt=F.Sqrt,
    rsqrt=lambda f: F.Inv(F.Sqrt(f)),
    cbrt=_cbrt,
    pow=F.Powf,
    abs=_size,
    sign=_sign,
    floor=F.Floor,
    ceil=lambda f: -F.Floor(-f),
    max=maximum,
    min=minimum,
    clamp=_clamped,
    eq=F.Equal,
    ne=F.NotEqual,
    lt=F.LessThan,
    le=F.LessOrEqual,
    gt=lambda f, g: F.LessThan(g, f),
    ge=lambda f, g: F.LessOrEqual(g, f),
    stop_gradient=F.StopGradient,
    copy=lambda f: f,
    reduce_precision=lambda f: f,
    name=lambda f: f,
    pvary=lambda f: f,
    sharding_constraint=lambda f: f,
)


@rule("div", aligned=True)
def _div(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    whole = equation.outputs[0].dtype.kind in "iu"
    return whole_quotient(*nodes) if whole else F.Divide(*nodes)


@rule("rem", aligned=True)
def _rem(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    f, g = nodes
    if equation.outputs[0].dtype.kind in "iu":
        return f - g * whole_quotient(f, g)
    return F.IfLess(F.Abs(f), F.Abs(g), f, f - g * truncated(f / g))  # g may be infinite


@rule("integer_pow")
def _integer_pow(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    return F.Pow(nodes[0], equation.params["y"])


@rule("round")
def _round(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    away = equation.params["rounding_method"] == jax.lax.RoundingMethod.AWAY_FROM_ZERO
    return F.Round(nodes[0], 0) if away else _to_even(nodes[0])


@rule("is_finite")
def _is_finite(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    greatest = float(jnp.finfo(equation.inputs[0].dtype).max)
    return F.LessOrEqual(F.Abs(nodes[0]), greatest)


@rule("select_n", aligned=True)
def _select_n(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    which, first, *others = nodes
    if others and equation.inputs[0].dtype == np.bool_:
        return choose(which, others[0], first)
    chosen = first
    for k, each in enumerate(others, 1):
        chosen = F.IfLess(k - 0.5, which, each, chosen)
    return chosen


@rule("convert_element_type")
def _convert(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    """Booleans are 0 and 1; integers are numbers without a fraction."""
    (f,) = nodes
    old, new = equation.inputs[0].dtype, equation.outputs[0].dtype
    if new == np.bool_:
        return f if old == np.bool_ else F.NotEqual(f, 0.0)
    from_integers = old == np.bool_ or old.kind in "iu"
    return truncated(f) if new.kind in "iu" and not from_integers else f


def _logical(name: str, function) -> None:
    @rule(name, aligned=True)
    def _(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
        if equation.outputs[0].dtype != np.bool_:
            raise Unmapped(name, "Bits of integers have no formula: only booleans do.")
        return function(*nodes)


_logical("and", F.Mult)
_logical("or", lambda f, g: F.NotEqual(f + g, 0.0))
_logical("xor", F.NotEqual)
_logical("not", lambda f: 1 - f)


@rule("optimization_barrier", "device_put")
def _as_they_are(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Sequence[Node]:
    return nodes
