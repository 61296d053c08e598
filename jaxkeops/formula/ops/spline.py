"""B-spline basis functions, as a formula of other ops: they have derivatives of any order."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np

from ...errors import FormulaError
from ..declare import composite
from ..node import F, Node


def _expand(knots: Node, x: Node, degree: int) -> Node:
    """The recursion of Cox and de Boor: de Boor 1978, A Practical Guide to Splines, chapter X."""
    if degree < 0 or x.dim != 1 or knots.dim < degree + 2:
        raise FormulaError(
            f"BSpline(knots, x, k) takes x of dimension 1, k >= 0 and at least k + 2 knots; got "
            f"x of dimension {x.dim}, k = {degree} and {knots.dim} knots."
        )
    t = [F.Elem(knots, k) for k in range(knots.dim)]
    basis: list[Node] = [
        F.IfLess(x, left, 0.0, F.IfLess(x, right, 1.0, 0.0)) for left, right in pairwise(t)
    ]
    for k in range(1, degree + 1):
        basis = [
            _ratio(x - t[n], t[n + k] - t[n]) * basis[n]
            + _ratio(t[n + k + 1] - x, t[n + k + 1] - t[n + 1]) * basis[n + 1]
            for n in range(len(basis) - 1)
        ]
    return reduce(F.Concat, basis)


def _ratio(f: Node, g: Node) -> Node:
    """f / g, and 0 where g is 0: knots that coincide hold an empty interval."""
    return F.IfLess(0.0, g, f / F.IfLess(0.0, g, g, 1.0), 0.0)


def _value(knots: np.ndarray, x: np.ndarray, degree: int) -> np.ndarray:
    rows = np.broadcast_shapes(knots.shape[:-1], x.shape[:-1])
    t = np.broadcast_to(knots, (*rows, knots.shape[-1]))
    basis = ((t[..., :-1] <= x) & (x < t[..., 1:])).astype(float)
    for k in range(1, degree + 1):
        width = t[..., k:] - t[..., :-k]
        inverse = np.where(width > 0, 1 / np.where(width > 0, width, 1.0), 0.0)
        rising = (x - t[..., : -k - 1]) * inverse[..., :-1] * basis[..., :-1]
        falling = (t[..., k + 1 :] - x) * inverse[..., 1:] * basis[..., 1:]
        basis = rising + falling
    return basis


composite(
    "BSpline",
    "The B-spline basis functions of degree k on the knots, at x; knots.dim - k - 1 numbers.",
    arity=2,
    expand=_expand,
    value=_value,
    domain=(-2, 2),
    samples=(((6, 1), (2,)), ((4, 1), (0,)), ((2, 1), (0,)), ((5, 1), (3,))),
)
