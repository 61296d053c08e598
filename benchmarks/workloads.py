"""What is measured: each workload in jaxkeops, PyKeOps, jnp and torch, and its dense reference.

The jnp and torch versions are the best that a user would write without a kernel: rows in chunks,
squared distances by a matrix product, and for torch also the naive formula through torch.compile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import torch

import jaxkeops.numpy

CHUNK = 500  # rows; the best of 100, 250, 500 and 1000 for jnp and torch on a 1 MiB cache

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Workload:
    """A reduction over j with axis=1, and what else computes it.

    sizes: (rows letter, columns) of each array: "M", "N", or "" for a parameter.
    row: arrays of float64 with one row of each Vi -> that row of the result: the reference.
    """

    name: str
    formula: str
    aliases: tuple[str, ...]
    reduction: str
    sizes: tuple[tuple[str, int], ...]
    row: Callable[..., np.ndarray]
    jnp: Callable[..., jax.Array]
    torch: Callable[..., torch.Tensor]

    def arrays(self, count: int, dtype: str, rng: np.random.Generator) -> Arrays:
        """Standard normal rows, and 0.5 for the parameter; M = N = count."""
        return tuple(
            rng.normal(size=(count, dim)).astype(dtype) if rows else np.full(dim, 0.5, dtype)
            for rows, dim in self.sizes
        )


def _chunked_jnp(row_block):
    """The block function over chunks of the Vi arrays, which come first, as one jitted map."""

    def run(rows: int, g, *arrays):
        given, rest = arrays[:rows], arrays[rows:]
        chunks = tuple(a.reshape(-1, CHUNK, a.shape[-1]) for a in given)
        result = jax.lax.map(lambda block: row_block(g, *block, *rest), chunks)
        return result.reshape(-1, *result.shape[2:])

    return jax.jit(run, static_argnums=0)


def _squared_jnp(x, y):
    return (x * x).sum(-1)[:, None] + (y * y).sum(-1) - 2 * (x @ y.T)


def _chunked_torch(row_block):
    def run(rows: int, g, *arrays):
        given, rest = arrays[:rows], arrays[rows:]
        return torch.cat(
            [
                row_block(g, *block, *rest)
                for block in zip(*(a.split(CHUNK) for a in given), strict=True)
            ]
        )

    return run


def _squared_torch(x, y):
    return torch.addmm((x * x).sum(-1)[:, None] + (y * y).sum(-1), x, y.T, alpha=-2)


def _gaussian(width: int) -> Workload:
    jnp_block = _chunked_jnp(lambda g, x, y, b: jnp.exp(-g * _squared_jnp(x, y)) @ b)
    torch_block = _chunked_torch(lambda g, x, y, b: torch.exp(-g * _squared_torch(x, y)) @ b)
    return Workload(
        f"Gaussian D=3, b of dim {width}",
        "Exp(-G * SqDist(X,Y)) * B",
        ("G = Pm(1)", "X = Vi(3)", "Y = Vj(3)", f"B = Vj({width})"),
        "Sum",
        (("", 1), ("M", 3), ("N", 3), ("N", width)),
        row=lambda g, x, y, b: np.exp(-g * ((x - y) ** 2).sum(-1)) @ b,
        jnp=lambda g, x, y, b: jnp_block(1, g, x, y, b),
        torch=lambda g, x, y, b: torch_block(1, g, x, y, b),
    )


def _gradient() -> Workload:
    def block(exp, squared):
        def run(g, x, e, y, b):
            weights = exp(-g * squared(x, y)) * (e @ b.T)
            return -2 * g * (weights.sum(1)[:, None] * x - weights @ y)

        return run

    jnp_block = _chunked_jnp(block(jnp.exp, _squared_jnp))
    torch_block = _chunked_torch(block(torch.exp, _squared_torch))

    def row(g, x, y, b, e):
        weights = np.exp(-g * ((x - y) ** 2).sum(-1)) * (b @ e)
        return (-2 * g * weights[:, None] * (x - y)).sum(0)

    return Workload(
        "gradient in x of Gaussian D=3",
        "Grad(Exp(-G * SqDist(X,Y)) * B, X, E)",
        ("G = Pm(1)", "X = Vi(3)", "Y = Vj(3)", "B = Vj(1)", "E = Vi(1)"),
        "Sum",
        (("", 1), ("M", 3), ("N", 3), ("N", 1), ("M", 1)),
        row=row,
        jnp=lambda g, x, y, b, e: jnp_block(2, g, x, e, y, b),
        torch=lambda g, x, y, b, e: torch_block(2, g, x, e, y, b),
    )


def _logsumexp() -> Workload:
    jnp_block = _chunked_jnp(
        lambda g, x, y: jax.nn.logsumexp(-g * _squared_jnp(x, y), axis=1, keepdims=True)
    )
    torch_block = _chunked_torch(
        lambda g, x, y: torch.logsumexp(-g * _squared_torch(x, y), 1, keepdim=True)
    )

    def row(g, x, y):
        f = -g * ((x - y) ** 2).sum(-1)
        return f.max(keepdims=True) + np.log(np.exp(f - f.max()).sum(keepdims=True))

    return Workload(
        "LogSumExp D=3",
        "-G * SqDist(X,Y)",
        ("G = Pm(1)", "X = Vi(3)", "Y = Vj(3)"),
        "LogSumExp",
        (("", 1), ("M", 3), ("N", 3)),
        row=row,
        jnp=lambda g, x, y: jnp_block(1, g, x, y),
        torch=lambda g, x, y: torch_block(1, g, x, y),
    )


def _argmin() -> Workload:
    jnp_block = _chunked_jnp(lambda g, x, y: jnp.argmin(_squared_jnp(x, y), 1, keepdims=True))
    torch_block = _chunked_torch(lambda g, x, y: _squared_torch(x, y).argmin(1, keepdim=True))
    return Workload(
        "ArgMin D=3",
        "SqDist(X,Y)",
        ("X = Vi(3)", "Y = Vj(3)"),
        "ArgMin",
        (("M", 3), ("N", 3)),
        row=lambda x, y: ((x - y) ** 2).sum(-1),
        jnp=lambda x, y: jnp_block(1, None, x, y),
        torch=lambda x, y: torch_block(1, None, x, y),
    )


WORKLOADS = (_gaussian(1), _gaussian(3), _gradient(), _logsumexp(), _argmin())


def naive_torch(workload: Workload) -> Callable[..., torch.Tensor]:
    """The formula as one writes it in torch, for torch.compile to fuse."""

    def squared(x, y):
        return ((x[:, None] - y[None]) ** 2).sum(-1)

    def gaussian(g, x, y, b):
        return (torch.exp(-g * squared(x, y))[..., None] * b).sum(1)

    def gradient(g, x, y, b, e):
        weights = torch.exp(-g * squared(x, y)) * (e @ b.T)
        return (-2 * g * weights[..., None] * (x[:, None] - y[None])).sum(1)

    def logsumexp(g, x, y):
        return torch.logsumexp(-g * squared(x, y), 1, keepdim=True)

    def argmin(x, y):
        return squared(x, y).argmin(1, keepdim=True)

    by_reduction = {"LogSumExp": logsumexp, "ArgMin": argmin}
    return by_reduction.get(
        workload.reduction, gradient if workload.formula.startswith("Grad") else gaussian
    )


def relative_error(workload: Workload, result: np.ndarray, arrays: Arrays) -> float:
    """The greatest error of 64 rows over the greatest value, against float64.

    For row numbers: how much farther the point found is than the nearest one.
    """
    wide = [array.astype(np.float64) for array in arrays]
    rows = np.linspace(0, len(result) - 1, 64).astype(int)
    errors, scale = [], 0.0
    for i in rows:
        given = [
            array[i] if letter == "M" else array
            for (letter, _), array in zip(workload.sizes, wide, strict=True)
        ]
        expected = workload.row(*given)
        if workload.reduction == "ArgMin":
            errors.append(expected[int(result[i, 0])] - expected.min())
            scale = max(scale, expected.min())
        else:
            errors.append(np.abs(result[i] - expected).max())
            scale = max(scale, np.abs(expected).max())
    return float(max(errors) / scale)


def genred(workload: Workload) -> jaxkeops.numpy.Genred:
    """The workload as a jaxkeops reduction of NumPy arrays."""
    return jaxkeops.numpy.Genred(workload.formula, list(workload.aliases), workload.reduction, 1)
