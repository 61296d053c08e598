"""Held-out formulas: no schedule may be tuned on them, and they should do as well as the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import pi
from typing import Any

from ..library import Library
from ..workload import Argument, Workload
from .neighbours import nearest
from .radial import exponential, points, radial_sum

B = Argument("b", "j", 1)
HIDDEN = 8  # units of the small network


def _cauchy(xp: Any) -> Callable[[Any, Any], Any]:
    return lambda s, g: 1 / (1 + g * s)


def _cubic(xp: Any) -> Callable[[Any, Any], Any]:
    return lambda s, g: (1 + g * s) * (1 + g * s) * (1 + g * s)


def _rational_quadratic(library: Library, g: Any, a: Any, x: Any, y: Any, b: Any) -> Any:
    return library.total((1 + g * library.squared(x, y)) ** -a, b)


def _periodic(library: Library, g: Any, w: Any, x: Any, y: Any, b: Any) -> Any:
    waves = (
        library.xp.sin(w * (x[..., :, None, k] - y[..., None, :, k])) ** 2
        for k in range(x.shape[-1])
    )
    return library.total(library.xp.exp(-g * sum(waves)), b)


def _angular(library: Library, x: Any, y: Any, b: Any) -> Any:
    return library.total(library.xp.arccos(library.dot(x, y)), b)


def _hyperbolic(library: Library, x: Any, y: Any, b: Any) -> Any:
    """Distances of the Poincare disk: 2 asinh(t), t^2 = |x-y|^2 / ((1 - |x|^2) (1 - |y|^2))."""
    inside_x, inside_y = 1 - (x * x).sum(-1), 1 - (y * y).sum(-1)
    squared = library.squared(x, y) / (inside_x[..., :, None] * inside_y[..., None, :])
    t = library.xp.sqrt(abs(squared))
    return library.total(2 * library.xp.log(t + library.xp.sqrt(t * t + 1)), b)


def _varifold(library: Library, g: Any, x: Any, y: Any, n: Any, m: Any, b: Any) -> Any:
    weights = library.xp.exp(-g * library.squared(x, y)) * library.dot(n, m) ** 2
    return library.total(weights, b)


def _network(library: Library, w: Any, c: Any, a: Any, x: Any, y: Any, b: Any) -> Any:
    layer = w.reshape(HIDDEN, -1)
    u, v = x @ layer.swapaxes(-1, -2) + c, y @ layer.swapaxes(-1, -2)
    units = (
        a[k] * library.xp.clip(u[..., :, None, k] - v[..., None, :, k], 0, None)
        for k in range(HIDDEN)
    )
    return library.total(sum(units), b)


def _weighted_norm(library: Library, s: Any, x: Any, y: Any, b: Any) -> Any:
    root = library.xp.sqrt(s)
    return library.total(library.xp.exp(-library.squared(root * x, root * y)), b)


_G3, _X3, _Y3 = points(3)

_FORMULAS = (
    Workload(
        "rational-quadratic",
        "rational quadratic, D=3",
        "Powf(IntCst(1) + g * SqDist(x,y), -a) * b",
        (_G3, Argument("a", "p", 1, 1.5), _X3, _Y3, B),
        dense=_rational_quadratic,
        rows=(5000, 5000),
        uses=("squared", "total"),
    ),
    radial_sum("cauchy", "Cauchy, D=3", "Inv(IntCst(1) + g * SqDist(x,y))", _cauchy, 8000),
    Workload(
        "periodic",
        "periodic, D=3",
        "Exp(-g * SqNorm2(Sin(w * (x - y)))) * b",
        (_G3, Argument("w", "p", 1, pi / 2), _X3, _Y3, B),
        dense=_periodic,
        rows=(4000, 4000),
        uses=("total",),
    ),
    nearest("knn-manhattan", "Manhattan 10-NN, D=16", 4000, 16, "Sum(Abs(x - y))", "manhattan"),
    Workload(
        "angular",
        "angular distance, D=8",
        "Acos(x | y) * b",
        (Argument("x", "i", 8, "sphere"), Argument("y", "j", 8, "sphere"), B),
        dense=_angular,
        rows=(4000, 4000),
        uses=("dot", "total"),
    ),
    Workload(
        "hyperbolic",
        "hyperbolic distance, D=2",
        "IntCst(2) * Log({t} + Sqrt(Square({t}) + IntCst(1))) * b".format(
            t="Sqrt(SqDist(x,y) / ((IntCst(1) - SqNorm2(x)) * (IntCst(1) - SqNorm2(y))))"
        ),
        (Argument("x", "i", 2, "ball"), Argument("y", "j", 2, "ball"), B),
        dense=_hyperbolic,
        rows=(5000, 5000),
        uses=("squared", "total"),
    ),
    Workload(
        "varifold",
        "varifold kernel, D=3",
        "Exp(-g * SqDist(x,y)) * Square(n | m) * b",
        (_G3, _X3, _Y3, Argument("n", "i", 3, "sphere"), Argument("m", "j", 3, "sphere"), B),
        dense=_varifold,
        rows=(7000, 7000),
        uses=("squared", "dot", "total"),
    ),
    Workload(
        "network",
        "ReLU network of 8 units, D=3",
        "(ReLU(MatVecMult(w, x - y) + c) | a) * b",
        (
            Argument("w", "p", 3 * HIDDEN),
            Argument("c", "p", HIDDEN),
            Argument("a", "p", HIDDEN),
            _X3,
            _Y3,
            B,
        ),
        dense=_network,
        rows=(2500, 2500),
        uses=("total",),
        width=HIDDEN,
    ),
    Workload(
        "weighted-norm",
        "Gaussian of a weighted norm, D=64",
        "Exp(-WeightedSqNorm(s, x - y)) * b",
        (Argument("s", "p", 64, 1.5 / 64), Argument("x", "i", 64), Argument("y", "j", 64), B),
        dense=_weighted_norm,
        rows=(3000, 3000),
        uses=("squared", "total"),
    ),
    radial_sum(
        "polynomial",
        "polynomial kernel of degree 3, D=128",
        "Pow(IntCst(1) + g * (x | y), 3)",
        _cubic,
        2000,
        D=128,
        distance="dot",
    ),
    radial_sum(
        "manhattan",
        "Laplacian of L1 distances, D=64",
        "Exp(-g * Sum(Abs(x - y)))",
        exponential,
        3000,
        D=64,
        distance="manhattan",
    ),
    radial_sum(
        "chebyshev",
        "Laplacian of Chebyshev distances, D=64",
        "Exp(-g * Max(Abs(x - y)))",
        exponential,
        2000,
        D=64,
        distance="chebyshev",
        arguments=(*points(64, g=0.5), B),
    ),
)

HELD_OUT = tuple(replace(each, group="held out") for each in _FORMULAS)
