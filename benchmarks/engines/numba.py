"""Numba: loops over pairs, compiled for the dimension, with fast math and on one thread."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from ..workload import Arrays, Workload
from . import Call, Engine

jit = numba.njit(fastmath=True, error_model="numpy")


def _distance(name: str, dim: int) -> Callable[..., Any]:
    """The distance of rows i of x and j of y; a loop of known length, which LLVM unrolls."""

    @jit
    def squared(x, y, i, j):
        total = x.dtype.type(0)
        for k in range(dim):
            total += (x[i, k] - y[j, k]) * (x[i, k] - y[j, k])
        return total

    @jit
    def manhattan(x, y, i, j):
        total = x.dtype.type(0)
        for k in range(dim):
            total += abs(x[i, k] - y[j, k])
        return total

    @jit
    def chebyshev(x, y, i, j):
        most = x.dtype.type(0)
        for k in range(dim):
            most = max(most, abs(x[i, k] - y[j, k]))
        return most

    @jit
    def dot(x, y, i, j):
        total = x.dtype.type(0)
        for k in range(dim):
            total += x[i, k] * y[j, k]
        return total

    return {"squared": squared, "manhattan": manhattan, "chebyshev": chebyshev, "dot": dot}[name]


@jit
def _narrow_sum(distance, profile, g, x, y, b):
    out = np.empty((len(x), 1), x.dtype)
    for i in range(len(x)):
        total = x.dtype.type(0)
        for j in range(len(y)):
            total += profile(distance(x, y, i, j), g[0]) * b[j, 0]
        out[i, 0] = total
    return out


@jit
def _wide_sum(distance, profile, g, x, y, b):
    out = np.zeros((len(x), b.shape[1]), x.dtype)
    for i in range(len(x)):
        for j in range(len(y)):
            weight = profile(distance(x, y, i, j), g[0])
            for k in range(b.shape[1]):
                out[i, k] += weight * b[j, k]
    return out


@jit
def _logsumexp(distance, g, x, y):
    out = np.empty((len(x), 1), x.dtype)
    row = np.empty(len(y), x.dtype)
    for i in range(len(x)):
        for j in range(len(y)):
            row[j] = -g[0] * distance(x, y, i, j)
        most = row.max()
        total = x.dtype.type(0)
        for j in range(len(y)):
            total += math.exp(row[j] - most)
        out[i, 0] = most + math.log(total)
    return out


@jit
def _argmin(distance, x, y):
    out = np.empty((len(x), 1), np.int64)
    row = np.empty(len(y), x.dtype)
    for i in range(len(x)):
        for j in range(len(y)):
            row[j] = distance(x, y, i, j)
        out[i, 0] = row.argmin()
    return out


@jit
def _lowest(distance, x, y, count):
    """The distances of a row first, which LLVM makes in vectors; then a list of the least."""
    out = np.zeros((len(x), count), np.int64)
    best = np.empty(count, x.dtype)
    row = np.empty(len(y), x.dtype)
    for i in range(len(x)):
        for j in range(len(y)):
            row[j] = distance(x, y, i, j)
        best[:] = np.inf
        for j in range(len(y)):
            if row[j] < best[count - 1]:
                k = count - 1
                while k > 0 and best[k - 1] > row[j]:
                    best[k], out[i, k] = best[k - 1], out[i, k - 1]
                    k -= 1
                best[k], out[i, k] = row[j], j
    return out


def _calls(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    shaped = workload.batch is not None or workload.blocks is not None
    alone = int(os.environ.get("OMP_NUM_THREADS", "1")) == 1
    if workload.radial is None or shaped or not alone:
        return {}
    dim = next(each.dim for each in workload.arguments if each.axis == "i")
    distance = _distance(workload.radial.distance, dim)
    if workload.radial.profile is not None:
        profile = jit(workload.radial.profile(math))
        loop = _narrow_sum if arrays[-1].shape[1] == 1 else _wide_sum
        return {"loops": lambda: loop(distance, profile, *arrays)}
    if workload.reduction == "LogSumExp":
        return {"loops": lambda: _logsumexp(distance, *arrays)}
    if workload.reduction == "ArgMin":
        return {"loops": lambda: _argmin(distance, *arrays)}
    return {"loops": lambda: _lowest(distance, *arrays, workload.count)}


ENGINES = (
    Engine(
        "Numba",
        "numba",
        "Loops over rows and columns with `njit(fastmath=True)`, in which LLVM unrolls the "
        "dimension, on one thread; llvmlite's wheels bring no SVML, so exponentials are scalar. "
        "Reductions of one distance or scalar product, but batches and blocks.",
        _calls,
    ),
)
