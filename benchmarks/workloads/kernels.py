"""Kernel sums of the main table: Gaussians of many sizes, their gradients, other kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..library import DENSE, Library
from ..workload import Argument, Arrays, Radial, Workload
from .radial import GAUSSIAN, gaussian, points, radial_sum

BOTH = ("float32", "float64")


def _laplacian(xp: Any) -> Callable[[Any, Any], Any]:
    # An expansion may give a squared distance below 0, by roundings.
    return lambda s, g: xp.exp(-g * xp.sqrt(abs(s)))


def _matern(xp: Any) -> Callable[[Any, Any], Any]:
    def profile(s: Any, g: Any) -> Any:
        r = g * xp.sqrt(abs(s))
        return (1 + r) * xp.exp(-r)

    return profile


def _gradient(library: Library, g: Any, x: Any, y: Any, b: Any, e: Any) -> Any:
    weights = library.xp.exp(-g * library.squared(x, y)) * library.dot(e, b)
    return -2 * g * (weights.sum(-1)[..., None] * x - weights @ y)


def _weighted(library: Library, g: Any, x: Any, y: Any, b: Any) -> Any:
    return library.total(library.xp.exp(-g * library.squared(x, y)), b)


def _all_gradients(rows: np.ndarray, g: Any, x: Any, y: Any, b: Any, e: Any) -> Arrays:
    """Some rows of the sum and of its gradients for x, y and b; and the one for g."""
    kept = np.exp(-g * DENSE.squared(x[rows], y))
    by_row = kept * (e[rows] @ b.T)
    columns = np.exp(-g * DENSE.squared(y[rows], x))
    by_column = columns * (b[rows] @ e.T)
    total = 0.0
    for k in range(len(x)):
        s = DENSE.squared(x[k : k + 1], y)
        total -= float((np.exp(-g * s) * s * (e[k : k + 1] @ b.T)).sum())
    return (
        kept @ b,
        np.array([total]),
        -2 * g * (by_row.sum(1)[:, None] * x[rows] - by_row @ y),
        -2 * g * (by_column.sum(1)[:, None] * y[rows] - by_column @ x),
        columns @ e,
    )


def _logsumexp(library: Library, g: Any, x: Any, y: Any) -> Any:
    return library.logsumexp(-g * library.squared(x, y))


def _attention(library: Library, q: Any, k: Any, v: Any) -> Any:
    return library.softmax(library.dot(q, k)) @ v


def _gaussian(rows: int, D: int, width: int, name: str, **options: Any) -> Workload:
    wide = f", b of dim {width}" if width > 1 else ""
    return radial_sum(name, f"Gaussian, D={D}{wide}", GAUSSIAN, gaussian, rows, D, width, **options)


KERNELS = (
    _gaussian(8000, 3, 1, "gaussian", dtypes=BOTH),
    _gaussian(7000, 3, 3, "gaussian-b3"),
    _gaussian(3000, 3, 64, "gaussian-b64"),
    _gaussian(1500, 3, 256, "gaussian-b256"),
    Workload(
        "gradient",
        "gradient in x of Gaussian, D=3",
        f"Grad({GAUSSIAN} * b, x, e)",
        (*points(3), Argument("b", "j", 1), Argument("e", "i", 1)),
        dense=_gradient,
        rows=(8000, 8000),
        uses=("squared", "dot"),
        dtypes=BOTH,
    ),
    Workload(
        "forward-and-gradients",
        "Gaussian, D=3, and all its gradients",
        f"{GAUSSIAN} * b",
        (*points(3), Argument("b", "j", 1), Argument("e", "i", 1)),
        dense=_weighted,
        rows=(4000, 4000),
        uses=("squared", "total"),
        gradients=True,
        reference=_all_gradients,
    ),
    Workload(
        "logsumexp",
        "LogSumExp, D=3",
        "-g * SqDist(x,y)",
        points(3),
        dense=_logsumexp,
        rows=(8000, 8000),
        uses=("squared",),
        reduction="LogSumExp",
        radial=Radial("squared"),
        dtypes=BOTH,
    ),
    radial_sum("laplacian", "Laplacian, D=3", "Exp(-g * Sqrt(SqDist(x,y)))", _laplacian, 8000),
    radial_sum(
        "matern",
        "Matern-3/2, D=3",
        "(IntCst(1) + g * Sqrt(SqDist(x,y))) * Exp(-g * Sqrt(SqDist(x,y)))",
        _matern,
        8000,
    ),
    _gaussian(4000, 16, 1, "gaussian-d16"),
    _gaussian(3000, 64, 1, "gaussian-d64"),
    _gaussian(1500, 256, 1, "gaussian-d256"),
    _gaussian(1000, 784, 1, "gaussian-d784"),
    Workload(
        "attention",
        "attention, D=64",
        "(q | k)",
        (Argument("q", "i", 64), Argument("k", "j", 64), Argument("v", "j", 64)),
        dense=_attention,
        rows=(1500, 1500),
        uses=("dot", "softmax"),
        reduction="SumSoftMaxWeight",
        formula2="v",
    ),
)
